//! Memory of the objects that were carried into the cloud.

use rusqlite::{Row, params};

use super::{ObjectRow, State, count};
use crate::Error;
use crate::connector::Anchor;

/// The last write of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExportedObject {
    pub(crate) kind: String,
    pub(crate) anchor: Anchor,
    pub(crate) cycle: u64,
    /// When the intent was noted.
    pub(crate) at: types::Timestamp,
    pub(crate) name: String,
    /// `objectGUID`, or empty.
    pub(crate) source: String,
    pub(crate) rule: String,
    /// Whether it was made so; otherwise it was removed.
    pub(crate) is_put: bool,
    pub(crate) digest: String,
    pub(crate) length: u64,
    pub(crate) state: ExportState,
}

/// How far a write has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExportState {
    Intent,
    Written,
    Confirmed,
}

impl ExportState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Written => "written",
            Self::Confirmed => "confirmed",
        }
    }
}

impl State {
    /// Notes a write, in the place of the one before.
    pub(crate) fn note_export(&self, export: &ExportedObject) -> Result<(), Error> {
        let sql = "INSERT OR REPLACE INTO object_export VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
        let operation = if export.is_put { "put" } else { "remove" };
        self.db.prepare_cached(sql)?.execute(params![
            export.kind,
            export.anchor.as_str(),
            i64::try_from(export.cycle).unwrap_or(i64::MAX),
            export.at.to_string(),
            export.name,
            export.source,
            export.rule,
            operation,
            export.digest,
            i64::try_from(export.length).unwrap_or(i64::MAX),
            export.state.as_str(),
        ])?;
        Ok(())
    }

    /// Forgets a write that was refused.
    pub(crate) fn forget_export(&self, kind: &str, anchor: &Anchor) -> Result<(), Error> {
        self.db
            .prepare_cached("DELETE FROM object_export WHERE kind = ?1 AND anchor = ?2")?
            .execute([kind, anchor.as_str()])?;
        Ok(())
    }

    /// Whether this sync made the object.
    pub(crate) fn has_exported(&self, kind: &str, anchor: &Anchor) -> Result<bool, Error> {
        let sql = "SELECT count(*) FROM object_export WHERE kind = ?1 AND anchor = ?2 AND operation = 'put'";
        let found: i64 = self
            .db
            .prepare_cached(sql)?
            .query_row([kind, anchor.as_str()], |row| row.get(0))?;
        Ok(found > 0)
    }

    /// Writes that no import has confirmed.
    pub(crate) fn open_exports(&self) -> Result<Vec<ExportedObject>, Error> {
        let sql = "SELECT kind, anchor, cycle, at, name, source, rule, operation, digest, length, state FROM object_export \
                   WHERE state IN ('intent', 'written') ORDER BY kind, anchor";
        let mut query = self.db.prepare_cached(sql)?;
        let rows = query.query_map([], read)?;
        rows.map(|row| {
            let (mut export, at) = row?;
            export.at = types::Timestamp::parse_rfc3339(&at)
                .map_err(|error| Error::StoreDamaged(format!("the time of an export: {error}")))?;
            Ok(export)
        })
        .collect()
    }

    /// Objects of the cloud of this kind that are joined to nothing.
    pub(crate) fn lonely_objects(&self, kind: &str) -> Result<Vec<ObjectRow>, Error> {
        let sql = format!(
            "{} WHERE connector = 'cloud' AND kind = ?1 AND person IS NULL ORDER BY anchor",
            super::space::OBJECT
        );
        let mut query = self.db.prepare_cached(&sql)?;
        let rows = query.query_map([kind], super::space::object_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many objects of this kind the cloud has. Reads them all, so it is for guards alone.
    pub(crate) fn count_cloud_objects(&self, kind: &str) -> Result<u64, Error> {
        let number: i64 = self.db.query_row(
            "SELECT count(*) FROM object WHERE connector = 'cloud' AND kind = ?1",
            [kind],
            |row| row.get(0),
        )?;
        Ok(count(number))
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<(ExportedObject, String)> {
    let (operation, state): (String, String) = (row.get(7)?, row.get(10)?);
    let export = ExportedObject {
        kind: row.get(0)?,
        anchor: Anchor::new(row.get::<_, String>(1)?),
        cycle: count(row.get(2)?),
        at: types::Timestamp::from_ticks(0),
        name: row.get(4)?,
        source: row.get(5)?,
        rule: row.get(6)?,
        is_put: operation == "put",
        digest: row.get(8)?,
        length: count(row.get(9)?),
        state: match state.as_str() {
            "intent" => ExportState::Intent,
            "written" => ExportState::Written,
            _ => ExportState::Confirmed,
        },
    };
    Ok((export, row.get(3)?))
}
