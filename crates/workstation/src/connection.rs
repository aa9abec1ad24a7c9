//! Whether the cloud can be reached: one value, changed in one place.
//!
//! A cloud that cannot be reached says nothing about the user, so the cache stays. A cloud that refuses says that the user,
//! the key or the device is no longer good, and the cache goes.

use types::Timestamp;

/// The state of a wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connection {
    /// The last attempt arrived.
    Online,
    /// The last attempt did not arrive.
    OfflineUntil {
        /// The next attempt is worth its time from here on.
        next_check: Timestamp,
        /// Seconds that were waited for it.
        wait_s: i64,
    },
}

/// The first pause, and the longest.
const WAIT_FIRST_S: i64 = 15;
const WAIT_MAX_S: i64 = 300;

impl Connection {
    /// Whether an attempt should be made. Somebody who waits at a sign-in may always ask for one.
    pub fn is_due(self, now: Timestamp) -> bool {
        match self {
            Self::Online => true,
            // A clock that was set back must not keep a device offline.
            Self::OfflineUntil { next_check, wait_s } => {
                now >= next_check || now < next_check.plus_seconds(-wait_s)
            }
        }
    }

    /// The state after an attempt.
    #[must_use]
    pub fn after(self, attempt: &Attempt, now: Timestamp) -> Self {
        let wait_s = match (attempt, self) {
            (Attempt::Succeeded | Attempt::Refused(_), _) => return Self::Online,
            (Attempt::Unreachable, Self::Online) => WAIT_FIRST_S,
            (Attempt::Unreachable, Self::OfflineUntil { wait_s, .. }) => {
                wait_s.saturating_mul(2).clamp(WAIT_FIRST_S, WAIT_MAX_S)
            }
        };
        Self::OfflineUntil {
            next_check: now.plus_seconds(wait_s),
            wait_s,
        }
    }
}

/// How a refresh ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// The cloud answered with what was asked for.
    Succeeded,
    /// No answer, half an answer, nonsense, or a certificate of somebody else.
    Unreachable,
    /// The cloud, proven by its certificate, said no.
    Refused(Refusal),
}

/// Why the cloud said no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The user is disabled or gone.
    User,
    /// The key was removed.
    Key,
    /// The device was removed or disabled.
    Device,
    /// A policy wants more than was shown; a touch may still satisfy it.
    Interaction,
}

/// What happens to the offline cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheFate {
    /// Written anew, with a later end.
    Renewed,
    /// Left as it is.
    Kept,
    /// Overwritten and removed.
    Destroyed,
}

impl Attempt {
    /// What this attempt does to a cache that is there.
    pub fn cache_fate(self) -> CacheFate {
        match self {
            Self::Succeeded => CacheFate::Renewed,
            Self::Unreachable | Self::Refused(Refusal::Interaction) => CacheFate::Kept,
            Self::Refused(Refusal::User | Refusal::Key | Refusal::Device) => CacheFate::Destroyed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_780_000_000 + seconds)
    }

    #[test]
    fn pauses_grow_and_end() {
        let mut connection = Connection::Online;
        for wait in [15, 30, 60, 120, 240, 300, 300] {
            connection = connection.after(&Attempt::Unreachable, at(0));
            assert!(!connection.is_due(at(wait - 1)), "{wait}");
            assert!(connection.is_due(at(wait)), "{wait}");
        }
        assert_eq!(
            connection.after(&Attempt::Succeeded, at(300)),
            Connection::Online
        );
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_keep_a_device_offline() {
        let connection = Connection::Online.after(&Attempt::Unreachable, at(100_000));
        assert!(connection.is_due(at(0)));
    }

    #[test]
    fn only_a_refusal_destroys_the_cache() {
        for (attempt, fate) in [
            (Attempt::Succeeded, CacheFate::Renewed),
            (Attempt::Unreachable, CacheFate::Kept),
            (Attempt::Refused(Refusal::Interaction), CacheFate::Kept),
            (Attempt::Refused(Refusal::User), CacheFate::Destroyed),
            (Attempt::Refused(Refusal::Key), CacheFate::Destroyed),
            (Attempt::Refused(Refusal::Device), CacheFate::Destroyed),
        ] {
            assert_eq!(attempt.cache_fate(), fate, "{attempt:?}");
        }
    }
}
