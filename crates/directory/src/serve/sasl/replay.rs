//! Authenticators that were here before (RFC 4120 3.2.3).
//!
//! Two generations of hashes: a full or old one is dropped as a whole, so nobody can make them grow and nothing has to
//! be swept. Only authenticators that a session key opened come in, so that strangers cannot push others out.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use sha2::{Digest as _, Sha256};
use types::Timestamp;

/// The authenticators of one server.
#[derive(Debug)]
pub(super) struct Replays {
    life_s: i64,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    young: HashSet<[u8; 32]>,
    old: HashSet<[u8; 32]>,
    turned: Option<Timestamp>,
}

/// 64 MiB in both generations at most.
const GENERATION_MAX: usize = 1 << 19;

impl Replays {
    /// An authenticator may be as early as the skew, and as late.
    pub(super) fn new(skew_s: i64) -> Self {
        Self {
            life_s: skew_s.saturating_mul(2),
            seen: Mutex::default(),
        }
    }

    /// Whether these bytes were not here before; from now on they were.
    pub(super) fn is_new(&self, authenticator: &[u8], now: Timestamp) -> bool {
        let hash = Sha256::digest(authenticator).into();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let age_s = now.seconds_since(*seen.turned.get_or_insert(now));
        if age_s >= self.life_s || seen.young.len() >= GENERATION_MAX {
            seen.old = std::mem::take(&mut seen.young);
            seen.turned = Some(now);
        }
        !seen.old.contains(&hash) && seen.young.insert(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authenticator_is_new_once_for_as_long_as_it_lives() {
        let at = |seconds: i64| Timestamp::from_unix_seconds(1_780_000_000 + seconds);
        let replays = Replays::new(300);
        assert!(replays.is_new(b"one", at(0)));
        assert!(!replays.is_new(b"one", at(0)));
        assert!(replays.is_new(b"two", at(599)));
        assert!(
            !replays.is_new(b"one", at(600)),
            "the old generation counts"
        );
        assert!(!replays.is_new(b"two", at(1199)));
        assert!(!replays.is_new(b"two", at(601)), "a clock that goes back");
    }
}
