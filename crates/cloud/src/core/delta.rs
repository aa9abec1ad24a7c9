//! Delta tokens: where a reader of the key feed stands.
//!
//! The change log numbers its lines. A token names the last line that its reader has seen, and the random mark of
//! that line: a store that was put back from a backup and went another way since has another mark there, so that
//! its readers start again instead of missing changes for ever.
//!
//! Deliberately absent: a signature. A reader with the right to use a token may read everything anyway; a forged
//! one harms nobody but the forger.

use cloud_api::Base64Url;
use types::Timestamp;

/// How long a token lives, as in Graph: 7 days.
pub(crate) const TOKEN_LIFETIME_SECONDS: i64 = 7 * 24 * 3600;
/// How long the store remembers who was deleted: longer than any token that has not heard of it.
pub(crate) const TOMBSTONE_LIFETIME_SECONDS: i64 = TOKEN_LIFETIME_SECONDS + 24 * 3600;
/// Users on a page when nothing else is asked for.
pub(crate) const PAGE_USERS_DEFAULT: u16 = 100;
/// Users on the largest page.
pub(crate) const PAGE_USERS_MAX: u16 = 999;

/// Where a reader of the feed stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeltaToken {
    /// The store's own epoch.
    pub(crate) epoch: [u8; 16],
    /// Changes up to this one have been given.
    pub(crate) cursor: u64,
    /// The mark of that change.
    pub(crate) mark: [u8; 8],
    /// A first enumeration does not tell of users that were gone before it began; zero in every other token.
    pub(crate) floor: u64,
    /// When the token, or the enumeration that it goes on with, began.
    pub(crate) issued: Timestamp,
    /// Users on a page.
    pub(crate) page_users: u16,
}

/// Why a token cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StaleToken {
    /// Older than seven days.
    #[error("it is older than 7 days")]
    TooOld,
    /// Of another tenant, or of this one before its feed was reset.
    #[error("it belongs to another tenant or to an earlier state of this one")]
    OtherEpoch,
    /// It knows of changes that the store does not: the store was put back from a backup.
    #[error("it knows of changes that this store does not have")]
    UnknownChange,
}

impl DeltaToken {
    /// The text in a link.
    pub fn encode(&self) -> String {
        let mut bytes = Vec::with_capacity(TOKEN_BYTES);
        bytes.push(VERSION);
        bytes.extend(self.epoch);
        bytes.extend(self.cursor.to_le_bytes());
        bytes.extend(self.mark);
        bytes.extend(self.floor.to_le_bytes());
        bytes.extend(self.issued.ticks().to_le_bytes());
        bytes.extend(self.page_users.to_le_bytes());
        Base64Url(bytes).to_string()
    }

    /// Reads the text; `None` when it is no token at all.
    pub fn decode(text: &str) -> Option<Self> {
        if text.len() > 2 * TOKEN_BYTES {
            return None;
        }
        let bytes = Base64Url::parse(text).ok()?.0;
        let (version, rest) = bytes.split_first()?;
        let (epoch, rest) = rest.split_first_chunk::<16>()?;
        let (cursor, rest) = rest.split_first_chunk::<8>()?;
        let (mark, rest) = rest.split_first_chunk::<8>()?;
        let (floor, rest) = rest.split_first_chunk::<8>()?;
        let (issued, rest) = rest.split_first_chunk::<8>()?;
        let (page_users, rest) = rest.split_first_chunk::<2>()?;
        let token = Self {
            epoch: *epoch,
            cursor: u64::from_le_bytes(*cursor),
            mark: *mark,
            floor: u64::from_le_bytes(*floor),
            issued: Timestamp::from_ticks(i64::from_le_bytes(*issued)),
            page_users: u16::from_le_bytes(*page_users),
        };
        let is_sound = *version == VERSION
            && rest.is_empty()
            && (1..=PAGE_USERS_MAX).contains(&token.page_users);
        is_sound.then_some(token)
    }

    /// Checks age and epoch; whether the store knows the cursor is the store's to say.
    pub(crate) fn check(&self, epoch: [u8; 16], now: Timestamp) -> Result<(), StaleToken> {
        if self.epoch != epoch {
            return Err(StaleToken::OtherEpoch);
        }
        if now.seconds_since(self.issued) > TOKEN_LIFETIME_SECONDS {
            return Err(StaleToken::TooOld);
        }
        Ok(())
    }
}

const VERSION: u8 = 1;
const TOKEN_BYTES: usize = 51;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn token() -> DeltaToken {
        DeltaToken {
            epoch: [3; 16],
            cursor: 77,
            mark: [9; 8],
            floor: 5,
            issued: Timestamp::from_unix_seconds(1_780_000_000),
            page_users: 100,
        }
    }

    #[test]
    fn tokens_round_trip() {
        assert_eq!(DeltaToken::decode(&token().encode()), Some(token()));
    }

    #[test]
    fn tokens_age() {
        let issued = token().issued;
        let check = |epoch, seconds, expected| {
            assert_eq!(token().check(epoch, issued.plus_seconds(seconds)), expected);
        };
        check([3; 16], TOKEN_LIFETIME_SECONDS, Ok(()));
        check([3; 16], TOKEN_LIFETIME_SECONDS + 1, Err(StaleToken::TooOld));
        check([4; 16], 0, Err(StaleToken::OtherEpoch));
    }

    proptest! {
        #[test]
        fn any_text_is_a_token_or_not(text in "[A-Za-z0-9_=-]{0,120}") {
            if let Some(token) = DeltaToken::decode(&text) {
                prop_assert_eq!(DeltaToken::decode(&token.encode()), Some(token));
            }
        }

        #[test]
        fn any_bytes_are_a_token_or_not(bytes in proptest::collection::vec(any::<u8>(), 45..56)) {
            let text = Base64Url(bytes).to_string();
            if let Some(token) = DeltaToken::decode(&text) {
                prop_assert_eq!(token.encode(), text);
            }
        }
    }
}
