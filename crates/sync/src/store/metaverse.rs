//! The metaverse: persons, their values with the rule and the object that each came from, and what joins look up.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, params};

use super::State;
use crate::Error;
use crate::connector::{Attributes, Value};

/// A person without values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PersonRow {
    pub(crate) id: i64,
    pub(crate) kind: String,
}

/// A value of a person, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Contribution {
    pub(crate) attribute: String,
    pub(crate) value: Value,
    pub(crate) rule: String,
    pub(crate) object: i64,
}

/// A value that a transform gave nothing for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RefusalRow {
    pub(crate) object: i64,
    pub(crate) rule: String,
    pub(crate) attribute: String,
    pub(crate) value: Value,
    pub(crate) why: String,
}

/// Whose values a join looks up.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    Object,
    Person,
}

impl Side {
    const fn number(self) -> i64 {
        match self {
            Self::Object => 0,
            Self::Person => 1,
        }
    }
}

impl State {
    pub(crate) fn add_person(&self, kind: &str) -> Result<i64, Error> {
        Ok(self
            .db
            .prepare_cached("INSERT INTO person (kind) VALUES (?1)")?
            .insert([kind])?)
    }

    /// Removes a person; its objects look for another.
    pub(crate) fn remove_person(&self, person: i64) -> Result<(), Error> {
        let each = [
            "UPDATE object SET person = NULL, dirty = 1 WHERE person = ?1",
            "DELETE FROM person_value WHERE person = ?1",
            "DELETE FROM refusal WHERE person = ?1",
            "DELETE FROM person WHERE id = ?1",
        ];
        for sql in each {
            self.db.prepare_cached(sql)?.execute([person])?;
        }
        self.clear_join_values(Side::Person, person)
    }

    pub(crate) fn person(&self, id: i64) -> Result<Option<PersonRow>, Error> {
        let mut query = self
            .db
            .prepare_cached("SELECT id, kind FROM person WHERE id = ?1")?;
        let row = query.query_row([id], |row| {
            Ok(PersonRow {
                id: row.get(0)?,
                kind: row.get(1)?,
            })
        });
        Ok(row.optional()?)
    }

    /// Persons in the order of their numbers, those that are pending or all.
    pub(crate) fn persons(
        &self,
        pending: bool,
        after: i64,
        limit: i64,
    ) -> Result<Vec<PersonRow>, Error> {
        let sql = if pending {
            "SELECT id, kind FROM person WHERE pending = 1 AND id > ?1 ORDER BY id LIMIT ?2"
        } else {
            "SELECT id, kind FROM person WHERE id > ?1 ORDER BY id LIMIT ?2"
        };
        let mut query = self.db.prepare_cached(sql)?;
        let rows = query.query_map([after, limit], |row| {
            Ok(PersonRow {
                id: row.get(0)?,
                kind: row.get(1)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(crate) fn dirty_persons(&self, limit: i64) -> Result<Vec<PersonRow>, Error> {
        let sql = "SELECT id, kind FROM person WHERE dirty = 1 ORDER BY id LIMIT ?1";
        let mut query = self.db.prepare_cached(sql)?;
        let rows = query.query_map([limit], |row| {
            Ok(PersonRow {
                id: row.get(0)?,
                kind: row.get(1)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(crate) fn mark_person_dirty(&self, person: i64) -> Result<(), Error> {
        let sql = "UPDATE person SET dirty = 1, pending = 1 WHERE id = ?1";
        self.db.prepare_cached(sql)?.execute([person])?;
        Ok(())
    }

    pub(crate) fn set_person_clean(&self, person: i64) -> Result<(), Error> {
        self.db
            .prepare_cached("UPDATE person SET dirty = 0 WHERE id = ?1")?
            .execute([person])?;
        Ok(())
    }

    /// These persons are in order until something changes; what failed for them before is history.
    pub(crate) fn settle_persons(&self, persons: &[i64]) -> Result<(), Error> {
        let sql = "UPDATE person SET pending = 0 WHERE id = ?1";
        let mut update = self.db.prepare_cached(sql)?;
        for person in persons {
            update.execute([person])?;
        }
        self.forget_open_ends(persons)
    }

    pub(crate) fn contributions(&self, person: i64) -> Result<Vec<Contribution>, Error> {
        let sql = "SELECT attribute, value, rule, object FROM person_value WHERE person = ?1";
        let mut query = self.db.prepare_cached(sql)?;
        let mut rows = query.query([person])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(Contribution {
                attribute: self.attribute_name(row.get(0)?)?,
                value: row.get(1)?,
                rule: self.rule_name(row.get(2)?)?,
                object: row.get(3)?,
            });
        }
        found.sort();
        Ok(found)
    }

    pub(crate) fn person_attributes(contributions: &[Contribution]) -> Attributes {
        let mut attributes = Attributes::new();
        for one in contributions {
            attributes
                .entry(one.attribute.clone())
                .or_default()
                .insert(one.value.clone());
        }
        attributes
    }

    /// Turns what is known of a person into what it is now, touching only what differs.
    pub(crate) fn set_contributions(
        &self,
        person: i64,
        known: &[Contribution],
        all: &[Contribution],
    ) -> Result<(), Error> {
        let sql = "DELETE FROM person_value WHERE person = ?1 AND attribute = ?2 AND value = ?3";
        let mut delete = self.db.prepare_cached(sql)?;
        for one in known.iter().filter(|one| all.binary_search(one).is_err()) {
            delete.execute(params![person, self.attribute(&one.attribute)?, one.value])?;
        }
        let sql = "INSERT INTO person_value VALUES (?1, ?2, ?3, ?4, ?5)";
        let mut insert = self.db.prepare_cached(sql)?;
        for one in all.iter().filter(|one| known.binary_search(one).is_err()) {
            let attribute = self.attribute(&one.attribute)?;
            let rule = self.rules.id(&self.db, &one.rule)?;
            insert.execute(params![person, attribute, one.value, rule, one.object])?;
        }
        Ok(())
    }

    pub(crate) fn refusals(&self, person: i64) -> Result<Vec<RefusalRow>, Error> {
        let sql = "SELECT object, rule, attribute, value, why FROM refusal WHERE person = ?1";
        let mut query = self.db.prepare_cached(sql)?;
        let mut rows = query.query([person])?;
        let mut found = Vec::new();
        while let Some(row) = rows.next()? {
            found.push(RefusalRow {
                object: row.get(0)?,
                rule: self.rule_name(row.get(1)?)?,
                attribute: self.attribute_name(row.get(2)?)?,
                value: row.get(3)?,
                why: row.get(4)?,
            });
        }
        found.sort();
        Ok(found)
    }

    pub(crate) fn set_refusals(&self, person: i64, all: &[RefusalRow]) -> Result<(), Error> {
        self.db
            .prepare_cached("DELETE FROM refusal WHERE person = ?1")?
            .execute([person])?;
        let sql = "INSERT OR IGNORE INTO refusal VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let mut insert = self.db.prepare_cached(sql)?;
        for one in all {
            let (rule, attribute) = (
                self.rules.id(&self.db, &one.rule)?,
                self.attribute(&one.attribute)?,
            );
            insert.execute(params![
                person, one.object, rule, attribute, one.value, one.why
            ])?;
        }
        Ok(())
    }

    pub(crate) fn clear_join_values(&self, side: Side, id: i64) -> Result<(), Error> {
        let sql = "DELETE FROM join_value WHERE side = ?1 AND id = ?2";
        self.db.prepare_cached(sql)?.execute([side.number(), id])?;
        Ok(())
    }

    /// Makes joins find an object or a person by these values and no others; tells which of them are new.
    pub(crate) fn set_join_values<'a>(
        &self,
        side: Side,
        id: i64,
        wanted: &[(&'a str, &'a Value)],
    ) -> Result<Vec<(&'a str, &'a Value)>, Error> {
        let sql = "SELECT attribute, value FROM join_value WHERE side = ?1 AND id = ?2";
        let mut query = self.db.prepare_cached(sql)?;
        let rows = query.query_map([side.number(), id], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let known: BTreeSet<(i64, Value)> = rows.collect::<Result<_, _>>()?;
        let mut left = known.clone();
        let mut new = Vec::new();
        for (name, value) in wanted {
            let entry = (self.attribute(name)?, (*value).clone());
            if !known.contains(&entry) {
                new.push((*name, *value));
            }
            left.remove(&entry);
        }
        let sql =
            "DELETE FROM join_value WHERE side = ?1 AND attribute = ?2 AND value = ?3 AND id = ?4";
        let mut delete = self.db.prepare_cached(sql)?;
        for (attribute, value) in left {
            delete.execute(params![side.number(), attribute, value, id])?;
        }
        let sql = "INSERT OR IGNORE INTO join_value VALUES (?1, ?2, ?3, ?4)";
        let mut insert = self.db.prepare_cached(sql)?;
        for (name, value) in &new {
            insert.execute(params![side.number(), self.attribute(name)?, value, id])?;
        }
        Ok(new)
    }

    /// Who has this value of this attribute.
    pub(crate) fn look_up(
        &self,
        side: Side,
        attribute: &str,
        value: &Value,
    ) -> Result<Vec<i64>, Error> {
        let sql = "SELECT id FROM join_value WHERE side = ?1 AND attribute = ?2 AND value = ?3 ORDER BY id";
        let mut query = self.db.prepare_cached(sql)?;
        let rows = query.query_map(
            params![side.number(), self.attribute(attribute)?, value],
            |row| row.get(0),
        )?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
