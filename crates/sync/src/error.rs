//! What can go wrong in a cycle as a whole. What goes wrong with one object is in the report instead.

use crate::connector::{Connector, ConnectorError};
use crate::rules::RuleErrors;

/// A cycle, a plan or an apply could not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The state file.
    #[error("the sync state cannot be used: {0}")]
    Store(#[from] rusqlite::Error),
    /// The state file was made by a newer program.
    #[error(
        "the sync state has version {found}, this program knows {known}; use the newer program"
    )]
    StoreVersion {
        /// In the file.
        found: i64,
        /// Here.
        known: i64,
    },
    /// The state file holds something that the program never wrote.
    #[error("the sync state is damaged: {0}; move it away and let a full import rebuild it")]
    StoreDamaged(String),
    /// Another process works on this state.
    #[error("another sync works on this state: {holder}; wait for it, or end it")]
    Busy {
        /// Its name.
        holder: String,
    },
    /// Another process took over while this one worked.
    #[error("another sync took over this state; nothing more is written from here")]
    Fenced,
    /// The rules do not hold together.
    #[error(transparent)]
    Rules(#[from] RuleErrors),
    /// A connected system failed as a whole.
    #[error("{connector}: {source}")]
    Connector {
        /// Which one.
        connector: Connector,
        /// What happened.
        source: ConnectorError,
    },
    /// A full import brought suspiciously little.
    #[error(
        "the full import of {connector} would remove {gone} of {known} objects, more than {allowed} allows; \
         nothing was changed. If it is right, run again with --accept-missing"
    )]
    TooManyMissing {
        /// Which one.
        connector: Connector,
        /// Known before, not seen now.
        gone: u64,
        /// Known before.
        known: u64,
        /// The guard.
        allowed: String,
    },
    /// The plan belongs to other rules.
    #[error("the plan was made with other rules ({planned}, now {present}); make a new plan")]
    PlanForOtherRules {
        /// Fingerprint in the plan.
        planned: String,
        /// Fingerprint now.
        present: String,
    },
    /// The plan belongs to another directory.
    #[error(
        "the plan was made for {planned}, and this sync writes to {present}; make a new plan here"
    )]
    PlanForOtherTarget {
        /// The directory in the plan.
        planned: String,
        /// The directory of this sync.
        present: String,
    },
    /// The plan file cannot be read.
    #[error("the plan cannot be read: {0}; make a new plan")]
    PlanUnreadable(String),
    /// Nobody of that name is known.
    #[error(
        "nothing is known of '{0}'; give a distinguished name, account name, principal name, GUID or SID"
    )]
    UnknownObject(String),
    /// The observer of [`crate::Engine`] asked to stop.
    #[error("stopped")]
    Stopped,
}
