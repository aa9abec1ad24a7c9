//! The cursor of an import: an update sequence number, and the database that it belongs to.

use crate::connector::Cursor;

/// `usn=41235 database=8f2a...`
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UsnCursor {
    /// Everything up to here has been imported.
    pub(super) usn: u64,
    /// `invocationID` of the database; other databases count on their own.
    pub(super) database: String,
}

impl UsnCursor {
    pub(super) fn parse(cursor: &Cursor) -> Option<Self> {
        let (usn, database) = cursor.0.split_once(' ')?;
        Some(Self {
            usn: usn.strip_prefix("usn=")?.parse().ok()?,
            database: database.strip_prefix("database=")?.to_owned(),
        })
    }
}

impl From<UsnCursor> for Cursor {
    fn from(cursor: UsnCursor) -> Self {
        Self(format!("usn={} database={}", cursor.usn, cursor.database))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_round_trip_and_nonsense_is_none() {
        let cursor = UsnCursor {
            usn: 41_235,
            database: "8f2a".to_owned(),
        };
        assert_eq!(UsnCursor::parse(&cursor.clone().into()), Some(cursor));
        for text in ["", "usn=1", "usn=x database=y", "0:5"] {
            assert_eq!(UsnCursor::parse(&Cursor(text.to_owned())), None, "{text}");
        }
    }
}
