//! Guards: how many deletions are still believed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// At most a share of what is known, or a number, whichever is more: `5% or 20`, `10%`, `50`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Guard {
    percent: u32,
    number: u64,
}

impl Guard {
    /// What the engine uses where nothing else is said.
    pub const DEFAULT: Self = Self {
        percent: 5,
        number: 20,
    };

    /// The number that is always allowed: below it nobody needs to count what is known.
    pub const fn number(self) -> u64 {
        self.number
    }

    /// Whether `deleted` out of `known` is still allowed.
    pub const fn allows(self, deleted: u64, known: u64) -> bool {
        deleted <= self.number
            || deleted.saturating_mul(100) <= known.saturating_mul(u32_to_u64(self.percent))
    }
}

#[expect(
    clippy::as_conversions,
    reason = "u64::from is not const, and u32 always fits"
)]
const fn u32_to_u64(number: u32) -> u64 {
    number as u64
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.percent, self.number) {
            (0, number) => write!(f, "{number}"),
            (percent, 0) => write!(f, "{percent}%"),
            (percent, number) => write!(f, "{percent}% or {number}"),
        }
    }
}

/// The text is not a guard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a guard; write it as '5% or 20', '5%' or '20'")]
pub struct InvalidGuard(String);

impl FromStr for Guard {
    type Err = InvalidGuard;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidGuard(text.to_owned());
        let mut guard = Self {
            percent: 0,
            number: 0,
        };
        for part in text.split(" or ").map(str::trim) {
            match part.strip_suffix('%') {
                Some(percent) => guard.percent = percent.trim().parse().map_err(|_| invalid())?,
                None => guard.number = part.parse().map_err(|_| invalid())?,
            }
        }
        if guard.percent > 100 {
            Err(invalid())
        } else {
            Ok(guard)
        }
    }
}

impl TryFrom<String> for Guard {
    type Error = InvalidGuard;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Guard> for String {
    fn from(guard: Guard) -> Self {
        guard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_larger_of_share_and_number_is_allowed() {
        let check = |guard: &str, deleted, known, expect| {
            let guard: Guard = guard.parse().expect(guard);
            assert_eq!(
                guard.allows(deleted, known),
                expect,
                "{guard}: {deleted} of {known}"
            );
            assert_eq!(guard.to_string().parse(), Ok(guard));
        };
        check("5% or 20", 20, 20, true);
        check("5% or 20", 21, 100, false);
        check("5% or 20", 50, 1000, true);
        check("5% or 20", 51, 1000, false);
        check("20", 21, 1_000_000, false);
        check("10%", 1, 9, false);
        check("0", 1, 9, false);
        check("0", 0, 0, true);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["", "many", "101%", "-1", "5% or", "%"] {
            assert!(text.parse::<Guard>().is_err(), "{text}");
        }
    }
}
