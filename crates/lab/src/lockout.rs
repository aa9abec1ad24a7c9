//! One budget of wrong passwords for all doors of the domain: the KDC's counters, as the directory asks for them.

use std::sync::Arc;

use directory::SignIns;
use kdc::{Lockout as _, MemoryLockout};
use types::{Sid, Timestamp};

/// `directory::SignIns` over the KDC's counters.
#[derive(Debug)]
pub(crate) struct SharedLockout(pub(crate) Arc<MemoryLockout>);

impl SignIns for SharedLockout {
    fn is_locked(&self, account: &Sid, now: Timestamp) -> bool {
        self.0.is_locked(account, now)
    }

    fn failed(&self, account: &Sid, now: Timestamp) {
        // Whether this one locked the account is told by the next refusal.
        let _ = self.0.failed(account, now);
    }

    fn succeeded(&self, account: &Sid) {
        self.0.succeeded(account);
    }
}
