//! Failed sign-ins and lockout, in memory.
//!
//! One [`Lockout`] is shared by everything that checks passwords of the same accounts (this KDC, LDAP binds), so that
//! an attacker has one budget and not one for each door. A sign-in costs no write to a disk.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use types::{Sid, Timestamp};

/// Counts failed sign-ins. Callers name existing accounts only, which bounds the memory.
pub trait Lockout: Send + Sync {
    /// Whether the account is locked at that moment.
    fn is_locked(&self, account: &Sid, now: Timestamp) -> bool;
    /// A wrong password. Tells whether this attempt locked the account.
    fn failed(&self, account: &Sid, now: Timestamp) -> bool;
    /// A right password on an account that is not locked.
    fn succeeded(&self, account: &Sid);
}

/// `lockoutThreshold`, `lockOutObservationWindow`, `lockoutDuration` of a domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockoutPolicy {
    /// So many wrong passwords lock; 0 never does.
    pub threshold: u32,
    /// A counter starts again when the last failure is older.
    pub window_s: i64,
    /// How long a lock holds; 0 until somebody unlocks.
    pub duration_s: i64,
}

impl Default for LockoutPolicy {
    fn default() -> Self {
        Self {
            threshold: 10,
            window_s: 600,
            duration_s: 600,
        }
    }
}

/// The counters of one process.
#[derive(Debug)]
pub struct MemoryLockout {
    policy: LockoutPolicy,
    shards: [Mutex<HashMap<Sid, Counter>>; SHARDS],
}

#[derive(Debug, Clone, Copy)]
struct Counter {
    failures: u32,
    last: Timestamp,
    locked_at: Option<Timestamp>,
}

/// Sign-ins of different accounts seldom wait for each other.
const SHARDS: usize = 16;

impl MemoryLockout {
    /// No failures yet.
    pub fn new(policy: LockoutPolicy) -> Self {
        Self {
            policy,
            shards: Default::default(),
        }
    }

    /// An administrator's unlock.
    pub fn unlock(&self, account: &Sid) {
        self.with(account, |counters| counters.remove(account));
    }

    fn with<R>(&self, account: &Sid, act: impl FnOnce(&mut HashMap<Sid, Counter>) -> R) -> R {
        let rid = usize::try_from(account.rid().unwrap_or_default()).unwrap_or_default();
        let fallback = Mutex::default();
        let shard = self.shards.get(rid % SHARDS).unwrap_or(&fallback);
        act(&mut shard.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn holds(&self, counter: &Counter, now: Timestamp) -> bool {
        counter.locked_at.is_some_and(|since| {
            self.policy.duration_s == 0 || now < since.plus_seconds(self.policy.duration_s)
        })
    }
}

impl Lockout for MemoryLockout {
    fn is_locked(&self, account: &Sid, now: Timestamp) -> bool {
        self.with(account, |counters| {
            counters
                .get(account)
                .is_some_and(|counter| self.holds(counter, now))
        })
    }

    fn failed(&self, account: &Sid, now: Timestamp) -> bool {
        if self.policy.threshold == 0 {
            return false;
        }
        self.with(account, |counters| {
            let counter = counters.entry(account.clone()).or_insert(Counter {
                failures: 0,
                last: now,
                locked_at: None,
            });
            if self.holds(counter, now) {
                return false;
            }
            if counter.locked_at.take().is_some()
                || now.seconds_since(counter.last) > self.policy.window_s
            {
                counter.failures = 0;
            }
            counter.failures += 1;
            counter.last = now;
            if counter.failures >= self.policy.threshold {
                counter.locked_at = Some(now);
            }
            counter.locked_at.is_some()
        })
    }

    fn succeeded(&self, account: &Sid) {
        self.with(account, |counters| counters.remove(account));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_780_000_000 + seconds)
    }

    #[test]
    fn failures_lock_and_time_unlocks() {
        let lockout = MemoryLockout::new(LockoutPolicy {
            threshold: 3,
            window_s: 60,
            duration_s: 120,
        });
        let (one, other) = (Sid::nt(&[21, 1, 2, 3, 1104]), Sid::nt(&[21, 1, 2, 3, 1120]));
        assert!(!lockout.failed(&one, at(0)));
        assert!(!lockout.failed(&one, at(1)));
        assert!(lockout.failed(&one, at(2)), "the third locks");
        assert!(lockout.is_locked(&one, at(121)));
        assert!(!lockout.is_locked(&other, at(3)));
        assert!(!lockout.is_locked(&one, at(122)), "the lock ends");
        assert!(!lockout.failed(&one, at(123)), "and the count starts again");
    }

    #[test]
    fn a_success_and_a_pause_forget_failures() {
        let lockout = MemoryLockout::new(LockoutPolicy {
            threshold: 2,
            window_s: 60,
            duration_s: 0,
        });
        let one = Sid::nt(&[21, 1, 2, 3, 1104]);
        assert!(!lockout.failed(&one, at(0)));
        lockout.succeeded(&one);
        assert!(!lockout.failed(&one, at(1)));
        assert!(!lockout.failed(&one, at(62)), "older than the window");
        assert!(lockout.failed(&one, at(63)));
        assert!(lockout.is_locked(&one, at(1_000_000)), "until unlocked");
        lockout.unlock(&one);
        assert!(!lockout.is_locked(&one, at(64)));
    }
}
