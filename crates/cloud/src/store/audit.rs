//! Who did what.

use cloud_api::audit::AuditRecord;
use rusqlite::{Connection, params};
use types::Timestamp;

use super::{Store, Ticks};
use crate::error::Error;

impl Store {
    /// Appends a record.
    pub(crate) fn append_audit(
        db: &Connection,
        at: Timestamp,
        activity: &str,
        initiated_by: &str,
        target: &str,
        detail: &str,
    ) -> Result<(), Error> {
        db.prepare_cached(
            "INSERT INTO audit (at, activity, initiated_by, target, detail) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![at.ticks(), activity, initiated_by, target, detail])?;
        Ok(())
    }

    /// Up to `count` records, newest first, older than `before`.
    pub(crate) fn audit_before(
        db: &Connection,
        before: Option<u64>,
        count: u16,
    ) -> Result<Vec<AuditRecord>, Error> {
        let before = before
            .and_then(|id| i64::try_from(id).ok())
            .unwrap_or(i64::MAX);
        let records = db
            .prepare_cached(
                "SELECT id, at, activity, initiated_by, target, detail FROM audit
                 WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
            )?
            .query_map(params![before, i64::from(count)], |row| {
                Ok(AuditRecord {
                    id: row.get::<_, i64>(0)?.try_into().unwrap_or(0),
                    activity_date_time: row.get::<_, Ticks>(1)?.0,
                    activity: row.get(2)?,
                    initiated_by: row.get(3)?,
                    target: row.get(4)?,
                    detail: row.get(5)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(records)
    }
}
