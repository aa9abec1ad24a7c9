//! Challenges that wait for their answer.

use rusqlite::{Connection, OptionalExtension, params};
use types::{Guid, Timestamp};

use super::{Store, Ticks};
use crate::error::Error;

/// Challenges of one user that wait at a time; the oldest give way.
const WAITING_PER_USER_MAX: i64 = 8;

impl Store {
    /// Keeps a challenge, and forgets expired ones and the user's oldest beyond the limit.
    pub(crate) fn keep_challenge(
        db: &Connection,
        user: Guid,
        challenge: &[u8],
        expires: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        db.prepare_cached("DELETE FROM ceremony WHERE expires < ?1")?
            .execute([now.ticks()])?;
        db.prepare_cached("INSERT INTO ceremony (challenge, user, expires) VALUES (?1, ?2, ?3)")?
            .execute(params![challenge, user.to_string(), expires.ticks()])?;
        db.prepare_cached(
            "DELETE FROM ceremony WHERE user = ?1 AND challenge NOT IN (
                 SELECT challenge FROM ceremony WHERE user = ?1 ORDER BY expires DESC LIMIT ?2)",
        )?
        .execute(params![user.to_string(), WAITING_PER_USER_MAX])?;
        Ok(())
    }

    /// Takes a user's challenge away, so that it works once; `None` where it is unknown, another user's or expired.
    pub(crate) fn take_challenge(
        db: &Connection,
        user: Guid,
        challenge: &[u8],
        now: Timestamp,
    ) -> Result<Option<()>, Error> {
        let expires = db
            .prepare_cached(
                "DELETE FROM ceremony WHERE challenge = ?1 AND user = ?2 RETURNING expires",
            )?
            .query_row(params![challenge, user.to_string()], |row| {
                row.get::<_, Ticks>(0)
            })
            .optional()?;
        Ok(expires.filter(|expires| now <= expires.0).map(|_| ()))
    }
}
