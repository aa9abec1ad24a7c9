//! Failed sign-ins: who counts them, and who is locked.
//!
//! The directory asks and tells; the counters belong to whoever owns all the doors of a domain, so that an attacker
//! has one budget and not one for each door. Nothing here is written to the disk: a lockout costs no commit.

use std::fmt::Debug;

use types::{Sid, Timestamp};

/// The counters of a domain. Only SIDs of accounts that exist are ever named, which bounds the memory.
pub trait SignIns: Debug + Send + Sync {
    /// Whether the account is locked at that moment.
    fn is_locked(&self, account: &Sid, now: Timestamp) -> bool;

    /// A wrong password.
    fn failed(&self, account: &Sid, now: Timestamp);

    /// A right password on an account that is not locked.
    fn succeeded(&self, account: &Sid);
}
