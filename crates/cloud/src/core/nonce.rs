//! Nonces of the token endpoint: each works once, for five minutes, and costs no row.
//!
//! A nonce is a time and random octets under a MAC; the key lives as long as the process, and so do the nonces. The used
//! ones are remembered until they would have ended anyway.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use cloud_api::Base64Url;
use cloud_api::session::hs256;
use subtle::ConstantTimeEq;
use types::{Entropy, Secret, Timestamp};

/// How long a nonce works (AS practice is five minutes; MS-OAPXBC notes 5 and 12 allow ten).
pub(crate) const LIFETIME_S: i64 = 300;
/// More used nonces than this at a time are an attack; the oldest half is forgotten together with the right to use any
/// nonce as old as they.
const USED_MAX: usize = 1 << 20;

pub(crate) struct Nonces {
    key: Secret<[u8; 32]>,
    used: Mutex<Used>,
}

#[derive(Default)]
struct Used {
    /// Time in ticks by nonce.
    seen: HashMap<[u8; 16], i64>,
    /// Nonces that are not younger are not taken any more.
    floor: i64,
    swept: i64,
}

impl Nonces {
    pub(crate) fn new(entropy: &mut dyn Entropy) -> Self {
        Self {
            key: Secret::filled_by(|key: &mut [u8; 32]| entropy.fill(key)),
            used: Mutex::default(),
        }
    }

    pub(crate) fn issue(&self, now: Timestamp, entropy: &mut dyn Entropy) -> String {
        let mut random = [0; 16];
        entropy.fill(&mut random);
        let mut octets = now.ticks().to_be_bytes().to_vec();
        octets.extend(random);
        let mac = hs256(&self.key, &octets);
        octets.extend(mac.iter().take(16));
        Base64Url(octets).to_string()
    }

    /// Uses a nonce up; false for one that is strange, too old or used.
    pub(crate) fn take(&self, text: &str, now: Timestamp) -> bool {
        let Ok(octets) = Base64Url::parse(text) else {
            return false;
        };
        let Some((covered, mac)) = octets.0.split_at_checked(24) else {
            return false;
        };
        let right: bool = hs256(&self.key, covered).split_at(16).0.ct_eq(mac).into();
        let (Some(ticks), Some(random)) = (covered.first_chunk(), covered.last_chunk()) else {
            return false;
        };
        let issued = i64::from_be_bytes(*ticks);
        let age = now.ticks().saturating_sub(issued);
        if !right || !(0..=LIFETIME_S * Timestamp::TICKS_PER_SECOND).contains(&age) {
            return false;
        }
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.sweep(now);
        issued > used.floor && used.seen.insert(*random, issued).is_none()
    }
}

impl Used {
    fn sweep(&mut self, now: Timestamp) {
        let end = now
            .ticks()
            .saturating_sub(LIFETIME_S * Timestamp::TICKS_PER_SECOND);
        // Once a minute is often enough for a memory that lasts five.
        if self.swept < now.ticks().saturating_sub(60 * Timestamp::TICKS_PER_SECOND) {
            self.seen.retain(|_, issued| *issued >= end);
            self.swept = now.ticks();
        }
        if self.seen.len() >= USED_MAX {
            let mut times: Vec<i64> = self.seen.values().copied().collect();
            let middle = times.len() / 2;
            let (_, median, _) = times.select_nth_unstable(middle);
            let floor = *median;
            self.floor = self.floor.max(floor);
            self.seen.retain(|_, issued| *issued > floor);
        }
    }
}

#[cfg(test)]
mod tests {
    use types::SeededEntropy;

    use super::*;

    #[test]
    fn a_nonce_works_once_and_for_five_minutes() {
        let mut entropy = SeededEntropy::new(1);
        let nonces = Nonces::new(&mut entropy);
        let now = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap();
        let one = nonces.issue(now, &mut entropy);
        assert!(nonces.take(&one, now.plus_seconds(1)));
        assert!(!nonces.take(&one, now.plus_seconds(2)), "used");
        let late = nonces.issue(now, &mut entropy);
        assert!(
            !nonces.take(&late, now.plus_seconds(LIFETIME_S + 1)),
            "stale"
        );
        let early = nonces.issue(now, &mut entropy);
        assert!(
            !nonces.take(&early, now.plus_seconds(-1)),
            "from the future"
        );
        let other = Nonces::new(&mut entropy).issue(now, &mut entropy);
        assert!(!nonces.take(&other, now), "of another process");
        for text in ["", "AAAA", "?", &"A".repeat(54)] {
            assert!(!nonces.take(text, now), "{text}");
        }
    }
}
