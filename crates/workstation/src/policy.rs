//! What an administrator decides about offline sign-in.

use serde::{Deserialize, Serialize};

/// Where an NT hash that came with a key list may live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NtHashPolicy {
    /// It is never asked for.
    Never,
    /// In the memory of the session that asked for it, and no longer.
    #[default]
    Session,
    /// In the sealed offline cache too, so that NTLM works after an offline sign-in.
    Sealed,
}

impl NtHashPolicy {
    /// Whether a sign-in asks the domain controller for it.
    pub fn asks(self) -> bool {
        self != Self::Never
    }

    /// Whether the offline cache keeps it.
    pub fn is_cached(self) -> bool {
        self == Self::Sealed
    }
}

/// How far an offline sign-in is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfflinePolicy {
    /// Seconds after the last contact with the cloud in which the cache opens.
    pub usable_for_s: i64,
    /// Where the NT hash may live.
    pub nt_hash: NtHashPolicy,
    /// Seconds after which the next online sign-in moves to a new salt.
    pub salt_age_max_s: i64,
}

impl Default for OfflinePolicy {
    /// Thirty days, the hash in the session only, a new salt every thirty days.
    fn default() -> Self {
        Self {
            usable_for_s: 30 * DAY_S,
            nt_hash: NtHashPolicy::default(),
            salt_age_max_s: 30 * DAY_S,
        }
    }
}

const DAY_S: i64 = 24 * 3600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_kept_only_where_the_policy_says_so() {
        for (policy, asks, cached) in [
            (NtHashPolicy::Never, false, false),
            (NtHashPolicy::Session, true, false),
            (NtHashPolicy::Sealed, true, true),
        ] {
            assert_eq!((policy.asks(), policy.is_cached()), (asks, cached));
        }
        assert_eq!(OfflinePolicy::default().nt_hash, NtHashPolicy::Session);
    }
}
