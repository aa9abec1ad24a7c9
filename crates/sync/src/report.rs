//! What a cycle did, for people and programs.

use serde::{Deserialize, Serialize};
use types::Timestamp;

use crate::connector::Anchor;
use crate::mend::{Mend, Reason};
use crate::plan::{ExportAction, Plan};

/// What an import brought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportCount {
    /// Whether everything was read.
    pub full: bool,
    /// Objects that were given.
    pub seen: u64,
    /// Of these, new or different.
    pub changed: u64,
    /// Objects that are gone.
    pub deleted: u64,
}

/// What came of joining and flowing inwards.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncCount {
    /// Connected objects that were looked at.
    pub objects: u64,
    /// Persons that were made.
    pub provisioned: u64,
    /// Connected objects that found their person.
    pub joined: u64,
    /// Persons whose attributes changed.
    pub changed: u64,
    /// Whether all objects were looked at, because the rules changed.
    pub full: bool,
}

/// How the write of one object ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectOutcome {
    /// The object.
    pub anchor: Anchor,
    /// Its distinguished name.
    pub name: String,
    /// The attribute.
    pub attribute: String,
    /// The rule that wanted it.
    pub rule: String,
    /// What became of it.
    #[serde(flatten)]
    pub state: OutcomeState,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum OutcomeState {
    /// The directory said yes.
    Written {
        /// Values added.
        added: u64,
        /// Values deleted.
        removed: u64,
        /// Whether a later import saw it.
        confirmed: bool,
    },
    /// It was so already when it was to be written.
    AlreadySo,
    /// The directory said no, or its values were not those of the plan.
    Refused {
        /// Why, as a word.
        reason: Reason,
        /// What the directory says.
        message: String,
        /// Cycles in a row that it was refused.
        failures: u32,
    },
}

/// How applying a plan ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyReport {
    /// Object by object, in the order of the plan.
    pub objects: Vec<ObjectOutcome>,
    /// Values added.
    pub added: u64,
    /// Values deleted.
    pub removed: u64,
    /// Of these, seen by the import afterwards.
    pub confirmed: u64,
    /// Objects that were made or changed in the cloud.
    #[serde(default)]
    pub exported: u64,
    /// Objects that were deleted there.
    #[serde(default)]
    pub withdrawn: u64,
    /// Objects that were refused.
    pub refused: u64,
    /// How refusals can be mended, once for each reason.
    pub mends: Vec<Mend>,
}

/// How a cycle ended, in a word. [`Outcome::exit_code`] is what the command line ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// There was nothing to do.
    Unchanged,
    /// Everything planned was done.
    Applied,
    /// There are changes, and they were not to be applied.
    Pending,
    /// A guard stopped the plan.
    GuardStopped,
    /// Something was refused or is blocked.
    Refused,
}

impl Outcome {
    /// 0 done, 2 changes pending, 3 stopped by a guard, 4 refused or blocked. (1 is an error.)
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Unchanged | Self::Applied => 0,
            Self::Pending => 2,
            Self::GuardStopped => 3,
            Self::Refused => 4,
        }
    }
}

/// A whole cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CycleReport {
    /// Its number.
    pub cycle: u64,
    /// When it began.
    pub started: Timestamp,
    /// What the directory brought.
    pub ad: ImportCount,
    /// What the cloud brought.
    pub cloud: ImportCount,
    /// Joining and inward flow.
    pub sync: SyncCount,
    /// The plan.
    pub plan: Plan,
    /// What became of it.
    pub apply: ApplyReport,
    /// Writes of an interrupted cycle that were found in the directory and accounted for.
    pub recovered: u64,
    /// How it ended.
    pub outcome: Outcome,
}

/// One refused object: name, reason, and the lines that mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal<'a> {
    /// Distinguished name.
    pub name: &'a str,
    /// The attribute.
    pub attribute: &'a str,
    /// Why.
    pub reason: Reason,
    /// What the directory said; `None` where the permission check foresaw it and nothing was sent.
    pub message: Option<&'a str>,
    /// The lines that mend it.
    pub mend: Option<&'a Mend>,
}

impl CycleReport {
    /// Everything that was refused or is blocked, in the order of the plan.
    pub fn refusals(&self) -> Vec<Refusal<'_>> {
        let mend = |reason: Reason| {
            let mut mends = self.plan.mends.iter().chain(&self.apply.mends);
            mends.find(|mend| mend.reason == reason)
        };
        let blocked = self.plan.objects.iter().filter_map(|object| {
            let reason = object.blocked()?;
            Some(Refusal {
                name: &object.name,
                attribute: &object.attribute,
                reason,
                message: None,
                mend: mend(reason),
            })
        });
        let refused = self
            .apply
            .objects
            .iter()
            .filter_map(|object| match &object.state {
                OutcomeState::Refused {
                    reason, message, ..
                } => Some(Refusal {
                    name: &object.name,
                    attribute: &object.attribute,
                    reason: *reason,
                    message: Some(message),
                    mend: mend(*reason),
                }),
                _ => None,
            });
        let exports = self.plan.exports.iter().filter_map(|export| {
            let ExportAction::Blocked { reason } = export.action else {
                return None;
            };
            Some(Refusal {
                name: &export.name,
                attribute: &export.kind,
                reason,
                message: None,
                mend: mend(reason),
            })
        });
        blocked.chain(exports).chain(refused).collect()
    }
}
