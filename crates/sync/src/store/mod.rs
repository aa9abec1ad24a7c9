//! The state: connector spaces, metaverse, journal, export memory and receipts, in one SQLite file.
//!
//! The tables are described in `schema.sql`; an administrator can query them with any SQLite client. WAL mode with
//! full synchronisation: what is committed survives a killed process and a power cut.
//!
//! Deliberately absent: any decision. The engine decides; this remembers.

mod exports;
mod journal;
mod metaverse;
mod names;
mod receipts;
mod space;

use std::path::{Path, PathBuf};

use rusqlite::{
    Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};

pub(crate) use exports::{ExportState, ExportedObject};
pub use journal::AttemptRow;
pub(crate) use journal::JournalRow;
pub(crate) use metaverse::{Contribution, PersonRow, RefusalRow, Side};
pub(crate) use space::ObjectRow;

use crate::Error;
use crate::connector::Connector;
use names::Names;

/// What makes each version of the one before it.
const SCHEMAS: [&str; 2] = [include_str!("schema.sql"), include_str!("schema_2.sql")];
const VERSION: i64 = 2;
/// "TOMS": tells this file from other SQLite files.
const APPLICATION_ID: i64 = 0x544F_4D53;

/// Pages of log between checkpoints: 64 MiB.
const LOG_PAGES: i64 = 16_384;
/// The same while everything is computed anew. A checkpoint writes pages back that the next commit changes again, and
/// with a million users that is most of the work.
const LOG_PAGES_BULK: i64 = 524_288;

/// The state of one sync.
#[derive(Debug)]
pub struct State {
    db: Connection,
    attributes: Names,
    rules: Names,
    path: Option<PathBuf>,
    /// An open exclusive transaction on a file of its own: the operating system ends it with the process, however
    /// that ends, so that a killed sync never keeps the next one out.
    writer: Option<Connection>,
}

impl State {
    /// Opens or makes the state at `path`.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let db = Connection::open(path)?;
        db.pragma_update(None, "journal_mode", "wal")?;
        let state = Self::prepare(db, Some(path.to_owned()))?;
        state.create()?;
        Ok(state)
    }

    /// Opens an existing state to look at it.
    pub fn open_to_read(path: &Path) -> Result<Self, Error> {
        let db = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        db.pragma_update(None, "query_only", true)?;
        let state = Self::prepare(db, Some(path.to_owned()))?;
        state.check_version()?;
        Ok(state)
    }

    /// A state that is gone with the process.
    pub fn in_memory() -> Result<Self, Error> {
        let state = Self::prepare(Connection::open_in_memory()?, None)?;
        state.create()?;
        Ok(state)
    }

    fn prepare(db: Connection, path: Option<PathBuf>) -> Result<Self, Error> {
        db.pragma_update(None, "synchronous", "full")?;
        db.pragma_update(None, "foreign_keys", false)?;
        // Room for the upper part of all indexes of a large directory, used only where it is needed.
        db.pragma_update(None, "cache_size", -131_072)?;
        db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
        db.busy_timeout(std::time::Duration::from_secs(10))?;
        db.set_prepared_statement_cache_capacity(64);
        let (attributes, rules) = (Names::new("attribute"), Names::new("rule"));
        Ok(Self {
            db,
            attributes,
            rules,
            path,
            writer: None,
        })
    }

    fn create(&self) -> Result<(), Error> {
        let transaction = self.begin()?;
        let version: i64 = self
            .db
            .pragma_query_value(None, "user_version", |row| row.get(0))?;
        if version == 0 {
            self.db
                .pragma_update(None, "application_id", APPLICATION_ID)?;
        } else {
            self.check_version()?;
        }
        if (0..VERSION).contains(&version) {
            for schema in SCHEMAS.iter().skip(usize::try_from(version).unwrap_or(0)) {
                self.db.execute_batch(schema)?;
            }
            self.db.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()?;
        self.check_version()
    }

    fn check_version(&self) -> Result<(), Error> {
        let number = |pragma: &str| -> Result<i64, rusqlite::Error> {
            self.db.pragma_query_value(None, pragma, |row| row.get(0))
        };
        if number("application_id")? != APPLICATION_ID {
            return Err(Error::StoreDamaged(
                "it is not the state of a sync".to_owned(),
            ));
        }
        match number("user_version")? {
            // What an older version has is read as it is; the next sync brings it up to date.
            1..=VERSION => Ok(()),
            found => Err(Error::StoreVersion {
                found,
                known: VERSION,
            }),
        }
    }

    /// The file, where there is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Makes this process the only writer, until the state is dropped.
    pub(crate) fn lock(&mut self) -> Result<(), Error> {
        let (None, Some(path)) = (&self.writer, &self.path) else {
            return Ok(());
        };
        let mut name = path.clone().into_os_string();
        name.push(".writer");
        let lock = Connection::open(PathBuf::from(name))?;
        lock.busy_timeout(std::time::Duration::ZERO)?;
        if let Err(error) = lock.execute_batch("BEGIN EXCLUSIVE") {
            return Err(match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => {
                    let holder = self
                        .lease()?
                        .map_or_else(|| "unknown".to_owned(), |lease| lease.holder);
                    Error::Busy { holder }
                }
                _ => error.into(),
            });
        }
        self.writer = Some(lock);
        Ok(())
    }

    /// Prepares for changing almost everything, or for the ordinary again.
    pub(crate) fn expect_much(&self, much: bool) -> Result<(), Error> {
        let pages = if much { LOG_PAGES_BULK } else { LOG_PAGES };
        Ok(self.db.pragma_update(None, "wal_autocheckpoint", pages)?)
    }

    /// One transaction; dropped without commit, it never was.
    pub(crate) fn begin(&self) -> Result<Transaction<'_>, Error> {
        Ok(Transaction::new_unchecked(
            &self.db,
            TransactionBehavior::Immediate,
        )?)
    }

    pub(crate) fn meta(&self, key: &str) -> Result<Option<String>, Error> {
        let mut query = self
            .db
            .prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
        Ok(query.query_row([key], |row| row.get(0)).optional()?)
    }

    pub(crate) fn set_meta(&self, key: &str, value: &str) -> Result<(), Error> {
        let mut insert = self
            .db
            .prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?;
        insert.execute([key, value])?;
        Ok(())
    }

    /// The number of an attribute's name, for the tables.
    pub(crate) fn attribute(&self, name: &str) -> Result<i64, Error> {
        self.attributes.id(&self.db, name)
    }

    /// Gives numbers to the names that the rules use.
    pub(crate) fn register(&self, rules: &crate::rules::RuleSet) -> Result<(), Error> {
        for rule in rules.rules() {
            self.rules.register(&self.db, [rule.id.as_str()])?;
            let joins = rule.join.iter().flatten();
            let joined = joins.flat_map(|c| [c.connected.as_str(), c.metaverse.as_str()]);
            let scoped = rule.scope.0.iter().flatten().map(|c| c.attribute.as_str());
            let flows = rule.flows.iter();
            let flowing =
                flows.flat_map(|f| f.transform.reads().into_iter().chain([f.to.as_str()]));
            self.attributes
                .register(&self.db, joined.chain(scoped).chain(flowing))?;
        }
        Ok(())
    }

    pub(crate) fn attribute_name(&self, id: i64) -> Result<String, Error> {
        self.attributes.name(&self.db, id)
    }

    pub(crate) fn rule_name(&self, id: i64) -> Result<String, Error> {
        self.rules.name(&self.db, id)
    }

    /// Counts for `sync status`.
    pub fn census(&self) -> Result<Census, Error> {
        let count = |sql: &str| -> Result<u64, Error> {
            let number: i64 = self.db.query_row(sql, [], |row| row.get(0))?;
            Ok(u64::try_from(number).unwrap_or(0))
        };
        let objects = |connector: Connector| -> Result<u64, Error> {
            let sql = "SELECT count(*) FROM object WHERE connector = ?1";
            let number: i64 = self
                .db
                .query_row(sql, params![connector.as_str()], |row| row.get(0))?;
            Ok(u64::try_from(number).unwrap_or(0))
        };
        Ok(Census {
            ad_objects: objects(Connector::Ad)?,
            cloud_objects: objects(Connector::Cloud)?,
            persons: count("SELECT count(*) FROM person")?,
            pending: count("SELECT count(*) FROM person WHERE pending = 1")?,
            waiting: count("SELECT count(*) FROM object WHERE waiting = 1")?,
            unconfirmed: count("SELECT count(*) FROM export WHERE confirmed_at IS NULL")?,
            failing: count("SELECT count(*) FROM attempt")?,
            receipts: count("SELECT count(*) FROM receipt")?,
        })
    }
}

/// How much of everything there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Census {
    /// Directory objects.
    pub ad_objects: u64,
    /// Cloud objects.
    pub cloud_objects: u64,
    /// Persons.
    pub persons: u64,
    /// Persons that are not known to be in order.
    pub pending: u64,
    /// Cloud objects that found nobody.
    pub waiting: u64,
    /// Writes that no import has seen yet.
    pub unconfirmed: u64,
    /// Objects whose last write failed.
    pub failing: u64,
    /// Receipts.
    pub receipts: u64,
}

/// Numbers from SQLite are signed; counts are not.
pub(crate) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
