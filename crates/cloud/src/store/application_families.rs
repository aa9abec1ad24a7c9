//! Families of refresh tokens of applications: which generation is the good one.

use rusqlite::{Connection, OptionalExtension, params};
use types::{Guid, Timestamp};

use super::Store;
use crate::error::Error;

/// The generation of a family that has been ended.
const ENDED: i64 = -1;

impl Store {
    /// Begins a family, and forgets those that ended by time.
    pub(crate) fn begin_family(
        db: &Connection,
        id: Guid,
        user: Guid,
        ends: Timestamp,
        now: Timestamp,
    ) -> Result<(), Error> {
        db.prepare_cached("DELETE FROM application_family WHERE ends < ?1")?
            .execute([now.ticks()])?;
        db.prepare_cached(
            "INSERT INTO application_family (id, user, generation, ends) VALUES (?1, ?2, 0, ?3)",
        )?
        .execute(params![id.to_string(), user.to_string(), ends.ticks()])?;
        Ok(())
    }

    /// Whether this generation is the family's good one.
    pub(crate) fn is_good_generation(
        db: &Connection,
        id: Guid,
        generation: u32,
    ) -> Result<bool, Error> {
        let found: Option<i64> = db
            .prepare_cached("SELECT generation FROM application_family WHERE id = ?1")?
            .query_row([id.to_string()], |row| row.get(0))
            .optional()?;
        Ok(found == Some(generation.into()))
    }

    /// Puts the next generation in the place of this one; false where this one is not the good one.
    pub(crate) fn advance_family(
        db: &Connection,
        id: Guid,
        generation: u32,
    ) -> Result<bool, Error> {
        let rows = db
            .prepare_cached(
                "UPDATE application_family SET generation = generation + 1 WHERE id = ?1 AND generation = ?2",
            )?
            .execute(params![id.to_string(), generation])?;
        Ok(rows == 1)
    }

    /// Ends a family; false where it is ended already, or unknown.
    pub(crate) fn end_family(db: &Connection, id: Guid) -> Result<bool, Error> {
        let rows = db
            .prepare_cached(
                "UPDATE application_family SET generation = ?2 WHERE id = ?1 AND generation <> ?2",
            )?
            .execute(params![id.to_string(), ENDED])?;
        Ok(rows == 1)
    }
}
