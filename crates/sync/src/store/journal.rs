//! The journal of writes, the export memory, failures in a row, the lease, and the list of cycles.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use types::Timestamp;

use super::{State, count};
use crate::Error;
use crate::connector::{Anchor, Value, Values};
use crate::report::CycleReport;

/// Objects in a kept report. What was written is in the receipts, whatever happens here.
const REPORT_OBJECTS_MAX: usize = 1000;

/// Who works on the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) holder: String,
    pub(crate) fence: i64,
}

/// One write in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JournalRow {
    pub(crate) id: i64,
    pub(crate) cycle: u64,
    /// When it was sent, as nearly as is known before the answer.
    pub(crate) at: Timestamp,
    pub(crate) anchor: Anchor,
    pub(crate) name: String,
    pub(crate) attribute: String,
    pub(crate) rule: String,
    pub(crate) cloud_object: String,
    pub(crate) added: Values,
    pub(crate) removed: Values,
    pub(crate) state: String,
}

/// What was written, and whether an import has seen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExportRow {
    pub(crate) added: bool,
    pub(crate) exported_at: String,
    pub(crate) confirmed: bool,
}

/// An object whose last write failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptRow {
    /// The object.
    pub anchor: Anchor,
    /// The attribute.
    pub attribute: String,
    /// Cycles in a row.
    pub failures: u32,
    /// Why, as a word.
    pub reason: String,
    /// What the directory said.
    pub message: String,
    /// When it was last tried.
    pub last_at: String,
}

impl State {
    pub(crate) fn lease(&self) -> Result<Option<Lease>, Error> {
        let row = self
            .db
            .query_row("SELECT holder, fence FROM lease", [], |row| {
                Ok(Lease {
                    holder: row.get(0)?,
                    fence: row.get(1)?,
                })
            });
        Ok(row.optional()?)
    }

    /// Takes the lease; the number it gives fences off whoever had it before.
    pub(crate) fn take_lease(&self, holder: &str, now: Timestamp) -> Result<i64, Error> {
        let fence = self
            .lease()?
            .map_or(0, |lease| lease.fence)
            .saturating_add(1);
        let sql = "INSERT OR REPLACE INTO lease VALUES (1, ?1, ?2, ?3)";
        self.db
            .execute(sql, params![holder, fence, now.to_string()])?;
        Ok(fence)
    }

    pub(crate) fn check_fence(&self, fence: i64) -> Result<(), Error> {
        match self.lease()? {
            Some(lease) if lease.fence == fence => Ok(()),
            _ => Err(Error::Fenced),
        }
    }

    pub(crate) fn begin_cycle(&self, now: Timestamp) -> Result<u64, Error> {
        let mut insert = self
            .db
            .prepare_cached("INSERT INTO cycle (started) VALUES (?1)")?;
        Ok(count(insert.insert([now.to_string()])?))
    }

    /// Keeps the report; of very long ones the beginning, as they are for people.
    pub(crate) fn end_cycle(&self, report: &CycleReport, now: Timestamp) -> Result<(), Error> {
        let mut kept = report.clone();
        kept.plan.objects.truncate(REPORT_OBJECTS_MAX);
        kept.apply.objects.truncate(REPORT_OBJECTS_MAX);
        let json = serde_json::to_string(&kept).map_err(|e| Error::StoreDamaged(e.to_string()))?;
        let outcome = serde_json::to_string(&report.outcome).unwrap_or_default();
        let id = i64::try_from(report.cycle).unwrap_or(i64::MAX);
        self.db.execute(
            "UPDATE cycle SET finished = ?2, outcome = ?3, report = ?4 WHERE id = ?1",
            params![id, now.to_string(), outcome.trim_matches('"'), json],
        )?;
        Ok(())
    }

    /// The report of the last cycle that ended.
    pub fn last_report(&self) -> Result<Option<CycleReport>, Error> {
        let sql = "SELECT report FROM cycle WHERE report IS NOT NULL ORDER BY id DESC LIMIT 1";
        let json: Option<String> = self.db.query_row(sql, [], |row| row.get(0)).optional()?;
        let parsed = json.map(|json| serde_json::from_str(&json)).transpose();
        parsed.map_err(|error| Error::StoreDamaged(format!("a report: {error}")))
    }

    pub(crate) fn journal(&self, row: &JournalRow, fence: i64) -> Result<i64, Error> {
        let sql = "INSERT INTO journal \
             (cycle, fence, at, anchor, name, attribute, rule, cloud_object, added, removed, state) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let mut insert = self.db.prepare_cached(sql)?;
        Ok(insert.insert(params![
            i64::try_from(row.cycle).unwrap_or(i64::MAX),
            fence,
            row.at.to_string(),
            row.anchor.as_str(),
            row.name,
            row.attribute,
            row.rule,
            row.cloud_object,
            to_hex(&row.added),
            to_hex(&row.removed),
            row.state,
        ])?)
    }

    pub(crate) fn set_journal(&self, id: i64, state: &str, message: &str) -> Result<(), Error> {
        let sql = "UPDATE journal SET state = ?2, message = ?3 WHERE id = ?1";
        self.db
            .prepare_cached(sql)?
            .execute(params![id, state, message])?;
        Ok(())
    }

    /// Writes that are not accounted for: intents without an outcome, outcomes that no import has shown.
    pub(crate) fn open_journal(&self) -> Result<Vec<JournalRow>, Error> {
        let sql = "SELECT id, cycle, anchor, name, attribute, rule, cloud_object, added, removed, state, at \
             FROM journal WHERE state IN ('intent', 'written', 'unconfirmed') ORDER BY id";
        let mut query = self.db.prepare_cached(sql)?;
        let mut rows = query.query([])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(JournalRow {
                id: row.get(0)?,
                cycle: count(row.get(1)?),
                anchor: Anchor::new(row.get::<_, String>(2)?),
                name: row.get(3)?,
                attribute: row.get(4)?,
                rule: row.get(5)?,
                cloud_object: row.get(6)?,
                added: from_hex(&row.get::<_, String>(7)?)?,
                removed: from_hex(&row.get::<_, String>(8)?)?,
                state: row.get(9)?,
                at: moment(&row.get::<_, String>(10)?)?,
            });
        }
        Ok(found)
    }

    /// Writes that no import has shown are given up: another one takes their place, or nobody wants them any more.
    /// Those of one attribute, or of the whole object.
    pub(crate) fn supersede(&self, anchor: &Anchor, attribute: Option<&str>) -> Result<(), Error> {
        let which = "anchor = ?1 AND (?2 IS NULL OR attribute = ?2)";
        let each = [
            format!(
                "UPDATE journal SET state = 'superseded' WHERE state = 'unconfirmed' AND {which}"
            ),
            format!("DELETE FROM export WHERE confirmed_at IS NULL AND {which}"),
        ];
        for sql in each {
            self.db
                .prepare_cached(&sql)?
                .execute(params![anchor.as_str(), attribute])?;
        }
        Ok(())
    }

    /// Whether any write waits for an import to show it.
    fn has_unconfirmed(&self) -> Result<bool, Error> {
        let sql = "SELECT EXISTS (SELECT 1 FROM export WHERE confirmed_at IS NULL) \
             OR EXISTS (SELECT 1 FROM journal WHERE state = 'unconfirmed')";
        Ok(self
            .db
            .prepare_cached(sql)?
            .query_row([], |row| row.get(0))?)
    }

    /// Forgets what failed for persons that are in order, and what was written for them and is not wanted any more.
    pub(super) fn forget_open_ends(&self, persons: &[i64]) -> Result<(), Error> {
        let failing = !self.failures()?.is_empty();
        let unconfirmed = self.has_unconfirmed()?;
        if !failing && !unconfirmed {
            return Ok(());
        }
        let sql = "SELECT anchor FROM object WHERE person = ?1 AND connector = 'ad'";
        let mut query = self.db.prepare_cached(sql)?;
        let mut delete = self
            .db
            .prepare_cached("DELETE FROM attempt WHERE anchor = ?1")?;
        for person in persons {
            let anchor: Option<String> = query.query_row([person], |row| row.get(0)).optional()?;
            let Some(anchor) = anchor else { continue };
            delete.execute([&anchor])?;
            self.supersede(&Anchor::new(anchor), None)?;
        }
        Ok(())
    }

    pub(crate) fn remember_export(
        &self,
        anchor: &Anchor,
        attribute: &str,
        value: &Value,
        added: bool,
        now: Timestamp,
    ) -> Result<(), Error> {
        let sql = "INSERT OR REPLACE INTO export VALUES (?1, ?2, ?3, ?4, ?5, NULL)";
        let operation = if added { "add" } else { "remove" };
        let mut insert = self.db.prepare_cached(sql)?;
        insert.execute(params![
            anchor.as_str(),
            attribute,
            value,
            operation,
            now.to_string()
        ])?;
        Ok(())
    }

    /// Notes that an import saw what was written. What was deleted and is gone need not be remembered.
    pub(crate) fn confirm_export(
        &self,
        anchor: &Anchor,
        attribute: &str,
        value: &Value,
        added: bool,
        now: Timestamp,
    ) -> Result<(), Error> {
        let place = "anchor = ?1 AND attribute = ?2 AND value = ?3";
        if added {
            let sql =
                format!("UPDATE export SET confirmed_at = ?4 WHERE {place} AND operation = 'add'");
            let mut update = self.db.prepare_cached(&sql)?;
            update.execute(params![anchor.as_str(), attribute, value, now.to_string()])?;
        } else {
            let sql = format!("DELETE FROM export WHERE {place}");
            self.db
                .prepare_cached(&sql)?
                .execute(params![anchor.as_str(), attribute, value])?;
        }
        Ok(())
    }

    pub(crate) fn export(
        &self,
        anchor: &Anchor,
        attribute: &str,
        value: &Value,
    ) -> Result<Option<ExportRow>, Error> {
        let sql = "SELECT operation, exported_at, confirmed_at IS NOT NULL FROM export \
             WHERE anchor = ?1 AND attribute = ?2 AND value = ?3";
        let mut query = self.db.prepare_cached(sql)?;
        let row = query.query_row(params![anchor.as_str(), attribute, value], |row| {
            let operation: String = row.get(0)?;
            Ok(ExportRow {
                added: operation == "add",
                exported_at: row.get(1)?,
                confirmed: row.get(2)?,
            })
        });
        Ok(row.optional()?)
    }

    /// Counts one more failure and tells how many there were in a row.
    pub(crate) fn note_failure(
        &self,
        anchor: &Anchor,
        attribute: &str,
        reason: &str,
        message: &str,
        now: Timestamp,
    ) -> Result<u32, Error> {
        let sql = "INSERT INTO attempt VALUES (?1, ?2, 1, ?3, ?4, ?5) ON CONFLICT (anchor, attribute) DO UPDATE \
             SET failures = failures + 1, reason = ?3, message = ?4, last_at = ?5 RETURNING failures";
        let mut insert = self.db.prepare_cached(sql)?;
        let columns = params![anchor.as_str(), attribute, reason, message, now.to_string()];
        Ok(insert.query_row(columns, |row| row.get(0))?)
    }

    pub(crate) fn forget_failures(&self, anchor: &Anchor, attribute: &str) -> Result<(), Error> {
        let sql = "DELETE FROM attempt WHERE anchor = ?1 AND attribute = ?2";
        self.db
            .prepare_cached(sql)?
            .execute([anchor.as_str(), attribute])?;
        Ok(())
    }

    /// Objects whose last write failed.
    pub fn failures(&self) -> Result<Vec<AttemptRow>, Error> {
        let sql = "SELECT anchor, attribute, failures, reason, message, last_at FROM attempt ORDER BY anchor, attribute";
        let mut query = self.db.prepare(sql)?;
        let rows = query.query_map([], |row| {
            Ok(AttemptRow {
                anchor: Anchor::new(row.get::<_, String>(0)?),
                attribute: row.get(1)?,
                failures: row.get(2)?,
                reason: row.get(3)?,
                message: row.get(4)?,
                last_at: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn moment(text: &str) -> Result<Timestamp, Error> {
    let damaged = || Error::StoreDamaged(format!("'{text}' in the journal is no time"));
    Timestamp::parse_rfc3339(text).map_err(|_| damaged())
}

fn to_hex(values: &Values) -> String {
    let list: Vec<String> = values
        .iter()
        .map(|value| data_encoding::HEXLOWER.encode(value))
        .collect();
    // A list of strings always has a JSON form.
    serde_json::to_string(&list).unwrap_or_else(|_| "[]".to_owned())
}

fn from_hex(json: &str) -> Result<Values, Error> {
    let damaged = |why: String| Error::StoreDamaged(format!("a journal line: {why}"));
    let list: Vec<String> =
        serde_json::from_str(json).map_err(|error| damaged(error.to_string()))?;
    let decoded = list
        .iter()
        .map(|text| data_encoding::HEXLOWER.decode(text.as_bytes()));
    decoded
        .collect::<Result<_, _>>()
        .map_err(|error| damaged(error.to_string()))
}
