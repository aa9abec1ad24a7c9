//! Names that are stored once and pointed at by number.

use std::cell::RefCell;
use std::collections::HashMap;

use rusqlite::{Connection, ErrorCode, OptionalExtension};

use crate::Error;

/// A table of names, with what was looked up so far.
#[derive(Debug)]
pub(super) struct Names {
    table: &'static str,
    known: RefCell<Known>,
}

#[derive(Debug, Default)]
struct Known {
    ids: HashMap<String, i64>,
    names: HashMap<i64, String>,
}

impl Names {
    pub(super) fn new(table: &'static str) -> Self {
        Self {
            table,
            known: RefCell::default(),
        }
    }

    /// Gives numbers to names, outside of any transaction, and remembers them.
    pub(super) fn register<'a>(
        &self,
        db: &Connection,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Error> {
        for name in names {
            let id = self.id(db, name)?;
            self.remember(id, name);
        }
        Ok(())
    }

    /// The number of a name; a new one where it has none.
    ///
    /// What is found here is not remembered: a transaction around it may be rolled back, and the number with it.
    pub(super) fn id(&self, db: &Connection, name: &str) -> Result<i64, Error> {
        if let Some(id) = self.known.borrow().ids.get(name) {
            return Ok(*id);
        }
        let find = format!("SELECT id FROM {} WHERE name = ?1", self.table);
        let found = db
            .prepare_cached(&find)?
            .query_row([name], |row| row.get(0))
            .optional()?;
        if let Some(id) = found {
            return Ok(id);
        }
        let insert = format!("INSERT INTO {} (name) VALUES (?1)", self.table);
        match db.execute(&insert, [name]) {
            Ok(_) => Ok(db.last_insert_rowid()),
            // Somebody only looks: a name that nothing has is a number that nothing has.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => Ok(-1),
            Err(error) => Err(error.into()),
        }
    }

    /// The name behind a number.
    pub(super) fn name(&self, db: &Connection, id: i64) -> Result<String, Error> {
        if let Some(name) = self.known.borrow().names.get(&id) {
            return Ok(name.clone());
        }
        let name: Option<String> = db
            .query_row(
                &format!("SELECT name FROM {} WHERE id = ?1", self.table),
                [id],
                |row| row.get(0),
            )
            .optional()?;
        let name =
            name.ok_or_else(|| Error::StoreDamaged(format!("{} {id} has no name", self.table)))?;
        Ok(name)
    }

    fn remember(&self, id: i64, name: &str) {
        let mut known = self.known.borrow_mut();
        known.ids.insert(name.to_owned(), id);
        known.names.insert(id, name.to_owned());
    }
}
