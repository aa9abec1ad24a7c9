//! The change log, and the feed that reads it.
//!
//! Every change moves its user to the end of the order of `last_change`. A reader that goes through that order from
//! its cursor meets each changed user once, in its present state; one that changes behind the reader's back moves
//! ahead of it again. So any size of page and any mixture of reading and writing ends in the same picture.

use rusqlite::{Connection, OptionalExtension, params};
use types::{Guid, Timestamp};

use super::users::UserRow;
use super::{Store, Text};
use crate::core::delta::TOMBSTONE_LIFETIME_SECONDS;
use crate::error::Error;

/// A line of the change log to write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Change {
    pub(crate) user: Guid,
    pub(crate) kind: &'static str,
    pub(crate) at: Timestamp,
    pub(crate) mark: [u8; 8],
}

/// The last line of the change log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Head {
    pub(crate) seq: u64,
    pub(crate) mark: [u8; 8],
}

/// A page of the feed.
#[derive(Debug)]
pub(crate) struct FeedPage {
    pub(crate) users: Vec<FeedUser>,
    /// Where the reader stands after this page.
    pub(crate) reached: Head,
    /// Whether there is more.
    pub(crate) is_last: bool,
}

/// A user as the feed gives it.
#[derive(Debug)]
pub(crate) enum FeedUser {
    Present(Box<UserRow>),
    Gone(Guid),
}

impl Store {
    /// Appends a line and gives its number.
    pub(crate) fn append_change(db: &Connection, change: Change) -> Result<i64, Error> {
        db.prepare_cached("INSERT INTO change (at, user, kind, mark) VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![
                change.at.ticks(),
                change.user.to_string(),
                change.kind,
                change.mark
            ])?;
        Ok(db.last_insert_rowid())
    }

    /// Appends a line about a user that exists, and moves the user to the end of the feed's order.
    pub(crate) fn touch(db: &Connection, change: Change) -> Result<(), Error> {
        let seq = Self::append_change(db, change)?;
        db.prepare_cached("UPDATE user SET last_change = ?2 WHERE id = ?1")?
            .execute(params![change.user.to_string(), seq])?;
        Ok(())
    }

    /// The last line.
    pub(crate) fn head(db: &Connection) -> Result<Head, Error> {
        let found = db
            .prepare_cached("SELECT seq, mark FROM change ORDER BY seq DESC LIMIT 1")?
            .query_row([], head_row)
            .optional()?;
        Ok(found.unwrap_or_default())
    }

    /// Whether this log has that line; the beginning counts as one.
    pub(crate) fn has_line(db: &Connection, head: Head) -> Result<bool, Error> {
        if head == Head::default() {
            return Ok(true);
        }
        let Ok(seq) = i64::try_from(head.seq) else {
            return Ok(false);
        };
        let found = db
            .prepare_cached("SELECT seq, mark FROM change WHERE seq = ?1")?
            .query_row([seq], head_row)
            .optional()?;
        Ok(found == Some(head))
    }

    /// Up to `count` users that changed after `cursor`. Users that were gone by `floor` are left out.
    pub(crate) fn feed(
        db: &Connection,
        cursor: Head,
        floor: u64,
        count: u16,
    ) -> Result<FeedPage, Error> {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let rows = db
            .prepare_cached(
                "SELECT id, deleted IS NOT NULL, last_change, mark FROM user JOIN change ON seq = last_change
                 WHERE last_change > ?1 AND (deleted IS NULL OR last_change > ?2)
                 ORDER BY last_change LIMIT ?3",
            )?
            .query_map(
                params![number(cursor.seq), number(floor), i64::from(count) + 1],
                |row| {
                    let id = row.get::<_, Text<Guid>>(0)?.0;
                    let head = Head {
                        seq: row.get::<_, i64>(2)?.try_into().unwrap_or(0),
                        mark: row.get(3)?,
                    };
                    Ok((id, row.get::<_, bool>(1)?, head))
                },
            )?
            .collect::<Result<Vec<_>, _>>()?;
        let is_last = rows.len() <= usize::from(count);
        let mut page = FeedPage {
            users: Vec::with_capacity(rows.len()),
            reached: if is_last { Self::head(db)? } else { cursor },
            is_last,
        };
        for (id, is_gone, head) in rows.into_iter().take(usize::from(count)) {
            if !is_last {
                page.reached = head;
            }
            page.users.push(if is_gone {
                FeedUser::Gone(id)
            } else {
                FeedUser::Present(Box::new(Self::user(db, id)?))
            });
        }
        Ok(page)
    }

    /// Forgets deleted users of whom every live token has heard.
    pub(crate) fn forget_the_gone(db: &Connection, now: Timestamp) -> Result<(), Error> {
        db.execute(
            "DELETE FROM user WHERE deleted < ?1",
            [now.plus_seconds(-TOMBSTONE_LIFETIME_SECONDS).ticks()],
        )?;
        Ok(())
    }
}

fn head_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Head> {
    Ok(Head {
        seq: row.get::<_, i64>(0)?.try_into().unwrap_or(0),
        mark: row.get(1)?,
    })
}
