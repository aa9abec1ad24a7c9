//! Connector spaces: objects as the connected systems showed them last, and where each import ended.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, Row, params};
use types::Timestamp;

use super::State;
use crate::Error;
use crate::connector::{Anchor, Attributes, Connector, Cursor, StagedObject, Value, Values};

/// A connected object without its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ObjectRow {
    pub(crate) id: i64,
    pub(crate) connector: Connector,
    pub(crate) anchor: Anchor,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) person: Option<i64>,
}

pub(super) const OBJECT: &str = "SELECT id, connector, anchor, kind, name, person FROM object";

pub(super) fn object_row(row: &Row<'_>) -> Result<ObjectRow, rusqlite::Error> {
    let connector: String = row.get(1)?;
    Ok(ObjectRow {
        id: row.get(0)?,
        connector: if connector == "ad" {
            Connector::Ad
        } else {
            Connector::Cloud
        },
        anchor: Anchor::new(row.get::<_, String>(2)?),
        kind: row.get(3)?,
        name: row.get(4)?,
        person: row.get(5)?,
    })
}

/// Where an import ended, and what it asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImportMark {
    pub(crate) cursor: Cursor,
    pub(crate) attributes: String,
    pub(crate) at: String,
}

impl State {
    pub(crate) fn import_mark(&self, connector: Connector) -> Result<Option<ImportMark>, Error> {
        let sql = "SELECT cursor, attributes, imported_at FROM connector WHERE name = ?1";
        let row = self.db.query_row(sql, [connector.as_str()], |row| {
            Ok(ImportMark {
                cursor: Cursor(row.get(0)?),
                attributes: row.get(1)?,
                at: row.get(2)?,
            })
        });
        Ok(row.optional()?)
    }

    /// Belongs into the transaction that stores what the import brought.
    pub(crate) fn set_import_mark(
        &self,
        connector: Connector,
        cursor: &Cursor,
        attributes: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.db.execute(
            "INSERT OR REPLACE INTO connector VALUES (?1, ?2, ?3, ?4)",
            params![connector.as_str(), cursor.0, attributes, now.to_string()],
        )?;
        Ok(())
    }

    pub(crate) fn object(
        &self,
        connector: Connector,
        anchor: &Anchor,
    ) -> Result<Option<ObjectRow>, Error> {
        let sql = format!("{OBJECT} WHERE connector = ?1 AND anchor = ?2");
        let mut query = self.db.prepare_cached(&sql)?;
        Ok(query
            .query_row([connector.as_str(), anchor.as_str()], object_row)
            .optional()?)
    }

    pub(crate) fn object_by_id(&self, id: i64) -> Result<Option<ObjectRow>, Error> {
        let mut query = self.db.prepare_cached(&format!("{OBJECT} WHERE id = ?1"))?;
        Ok(query.query_row([id], object_row).optional()?)
    }

    /// Objects of the directory with their names, those that are joined to a cloud object or all.
    pub fn directory_objects(
        &self,
        joined: bool,
        limit: u32,
    ) -> Result<Vec<(Anchor, String)>, Error> {
        let sql = if joined {
            "SELECT a.anchor, a.name FROM object c JOIN object a ON a.person = c.person AND a.connector = 'ad' \
             WHERE c.connector = 'cloud' ORDER BY a.id LIMIT ?1"
        } else {
            "SELECT anchor, name FROM object WHERE connector = 'ad' ORDER BY id LIMIT ?1"
        };
        let mut query = self.db.prepare(sql)?;
        let rows = query.query_map([limit], |row| {
            Ok((Anchor::new(row.get::<_, String>(0)?), row.get(1)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(crate) fn objects_of(&self, person: i64) -> Result<Vec<ObjectRow>, Error> {
        let mut query = self.db.prepare_cached(&format!(
            "{OBJECT} WHERE person = ?1 ORDER BY connector, anchor"
        ))?;
        let rows = query.query_map([person], object_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Objects that changed since they were last synchronised; the directory's first, as persons come from there.
    pub(crate) fn dirty_objects(
        &self,
        connector: Connector,
        after: i64,
        limit: i64,
    ) -> Result<Vec<ObjectRow>, Error> {
        let sql =
            format!("{OBJECT} WHERE dirty = 1 AND connector = ?1 AND id > ?2 ORDER BY id LIMIT ?3");
        let mut query = self.db.prepare_cached(&sql)?;
        let rows = query.query_map(params![connector.as_str(), after, limit], object_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(crate) fn waiting_objects(&self) -> Result<Vec<ObjectRow>, Error> {
        let mut query = self
            .db
            .prepare_cached(&format!("{OBJECT} WHERE waiting = 1 ORDER BY name, anchor"))?;
        let rows = query.query_map([], object_row)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Objects whose name, anchor or any value of a few naming attributes is the text; for `sync explain`.
    pub(crate) fn find_objects(
        &self,
        spellings: &[Value],
        text: &str,
    ) -> Result<Vec<ObjectRow>, Error> {
        let mut found: BTreeMap<i64, ObjectRow> = BTreeMap::new();
        let mut query = self.db.prepare(&format!(
            "{OBJECT} WHERE anchor = ?1 COLLATE NOCASE OR name = ?1 COLLATE NOCASE"
        ))?;
        for row in query.query_map([text], object_row)? {
            let row = row?;
            found.insert(row.id, row);
        }
        let mut query = self.db.prepare(
            "SELECT DISTINCT object FROM object_value WHERE value = ?1 OR lower(CAST(value AS TEXT)) = lower(CAST(?1 AS TEXT))",
        )?;
        for spelling in spellings {
            let ids: Vec<i64> = query
                .query_map([spelling], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            for id in ids {
                found.extend(self.object_by_id(id)?.map(|row| (id, row)));
            }
        }
        Ok(found.into_values().collect())
    }

    /// The objects of one kind that a connected system had.
    pub(crate) fn object_ids_of(
        &self,
        connector: Connector,
        kind: &str,
    ) -> Result<BTreeSet<i64>, Error> {
        let mut query = self
            .db
            .prepare_cached("SELECT id FROM object WHERE connector = ?1 AND kind = ?2")?;
        let rows = query.query_map([connector.as_str(), kind], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(crate) fn object_ids(&self, connector: Connector) -> Result<BTreeSet<i64>, Error> {
        let mut query = self
            .db
            .prepare_cached("SELECT id FROM object WHERE connector = ?1")?;
        let rows = query.query_map([connector.as_str()], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(crate) fn object_attributes(&self, object: i64) -> Result<Attributes, Error> {
        let sql = "SELECT attribute, value FROM object_value WHERE object = ?1";
        let mut query = self.db.prepare_cached(sql)?;
        let mut rows = query.query([object])?;
        let mut attributes = Attributes::new();
        while let Some(row) = rows.next()? {
            let name = self.attribute_name(row.get(0)?)?;
            attributes.entry(name).or_default().insert(row.get(1)?);
        }
        Ok(attributes)
    }

    pub(crate) fn object_values(&self, object: i64, attribute: &str) -> Result<Values, Error> {
        let sql = "SELECT value FROM object_value WHERE object = ?1 AND attribute = ?2";
        let mut query = self.db.prepare_cached(sql)?;
        let rows = query.query_map([object, self.attribute(attribute)?], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many values of an attribute a connected system has. Reads them all, so it is for guards alone.
    pub(crate) fn count_values(&self, connector: Connector, attribute: &str) -> Result<u64, Error> {
        let number: i64 = self.db.query_row(
            "SELECT count(*) FROM object_value v JOIN object o ON o.id = v.object \
             WHERE o.connector = ?1 AND v.attribute = ?2",
            params![connector.as_str(), self.attribute(attribute)?],
            |row| row.get(0),
        )?;
        Ok(super::count(number))
    }

    /// Stores an object; tells its number and whether anything about it is new.
    pub(crate) fn stage(
        &self,
        connector: Connector,
        staged: &StagedObject,
    ) -> Result<(i64, bool), Error> {
        let Some(known) = self.object(connector, &staged.anchor)? else {
            let sql = "INSERT INTO object (connector, anchor, kind, name) VALUES (?1, ?2, ?3, ?4)";
            let mut insert = self.db.prepare_cached(sql)?;
            let columns = [
                connector.as_str(),
                staged.anchor.as_str(),
                &staged.kind,
                &staged.name,
            ];
            let id = insert.insert(columns)?;
            self.insert_values(id, staged)?;
            return Ok((id, true));
        };
        let same_name = known.name == staged.name && known.kind == staged.kind;
        if same_name && self.object_attributes(known.id)? == staged.attributes {
            return Ok((known.id, false));
        }
        self.db
            .prepare_cached("DELETE FROM object_value WHERE object = ?1")?
            .execute([known.id])?;
        self.insert_values(known.id, staged)?;
        if known.kind != staged.kind
            && let Some(person) = known.person
        {
            // It is something else now than what its person was made of.
            self.mark_person_dirty(person)?;
            self.set_person(known.id, None)?;
        }
        let sql = "UPDATE object SET kind = ?2, name = ?3, dirty = 1 WHERE id = ?1";
        self.db
            .prepare_cached(sql)?
            .execute(params![known.id, staged.kind, staged.name])?;
        Ok((known.id, true))
    }

    fn insert_values(&self, object: i64, staged: &StagedObject) -> Result<(), Error> {
        let mut insert = self
            .db
            .prepare_cached("INSERT INTO object_value VALUES (?1, ?2, ?3)")?;
        for (attribute, values) in &staged.attributes {
            let attribute = self.attribute(attribute)?;
            for value in values {
                insert.execute(params![object, attribute, value])?;
            }
        }
        Ok(())
    }

    /// Forgets an object; its person is computed again.
    pub(crate) fn unstage(&self, object: &ObjectRow) -> Result<(), Error> {
        if let Some(person) = object.person {
            self.mark_person_dirty(person)?;
        }
        self.db
            .prepare_cached("DELETE FROM object_value WHERE object = ?1")?
            .execute([object.id])?;
        self.clear_join_values(super::metaverse::Side::Object, object.id)?;
        self.db
            .prepare_cached("DELETE FROM object WHERE id = ?1")?
            .execute([object.id])?;
        Ok(())
    }

    pub(crate) fn set_person(&self, object: i64, person: Option<i64>) -> Result<(), Error> {
        let mut update = self
            .db
            .prepare_cached("UPDATE object SET person = ?2 WHERE id = ?1")?;
        update.execute(params![object, person])?;
        Ok(())
    }

    pub(crate) fn set_clean(&self, object: i64, waiting: bool) -> Result<(), Error> {
        let sql = "UPDATE object SET dirty = 0, waiting = ?2 WHERE id = ?1";
        self.db
            .prepare_cached(sql)?
            .execute(params![object, waiting])?;
        Ok(())
    }

    pub(crate) fn mark_dirty(&self, object: i64) -> Result<(), Error> {
        self.db
            .prepare_cached("UPDATE object SET dirty = 1 WHERE id = ?1")?
            .execute([object])?;
        Ok(())
    }

    pub(crate) fn mark_everything_dirty(&self) -> Result<(), Error> {
        self.db.execute_batch(
            "UPDATE object SET dirty = 1; UPDATE person SET dirty = 1, pending = 1; DELETE FROM join_value;",
        )?;
        Ok(())
    }
}
