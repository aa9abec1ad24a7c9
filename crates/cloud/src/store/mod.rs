//! One SQLite file. Each change is one transaction that also writes the change log and the audit log, and is on disk
//! (WAL, `synchronous=FULL`) before it is acknowledged.
//!
//! Several processes may open the file: the server, and the command line beside it.
//!
//! Deliberately absent: decisions. Whether something may happen is decided before it comes here.

mod access;
mod application_families;
mod audit;
mod ceremonies;
mod changes;
mod devices;
mod ground;
mod keys;
mod tenant;
mod tenant_keys;
mod tokens;
mod trust;
mod users;
mod writer;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use types::{Guid, Timestamp};

pub(crate) use audit::{About, Entry};
pub use audit::{AuditQuery, SignInLog};
pub(crate) use changes::{Change, FeedPage, FeedUser, Head};
pub(crate) use devices::{DeviceRow, SERVER_AD};
pub(crate) use keys::{KeyRow, NewKey};
pub(crate) use tenant_keys::KeptKey;
pub(crate) use tokens::TokenKind;
pub(crate) use users::{UserRow, UserUpdate};

use writer::Writer;

use crate::error::Error;

/// The schema that this version reads and writes.
const SCHEMA_VERSION: i64 = 6;
/// What makes each version of the one before it.
const SCHEMAS: [(i64, &str); 6] = [
    (1, include_str!("schema.sql")),
    (2, include_str!("schema_2.sql")),
    (3, include_str!("schema_3.sql")),
    (4, include_str!("schema_4.sql")),
    (5, include_str!("schema_5.sql")),
    (6, include_str!("schema_6.sql")),
];
/// Another process may hold the write lock for so long.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// Who reads at the same time; reads are short, and a core does one.
const READERS: usize = 4;

/// The open file. Writers share commits of one connection; readers have their own and never wait for a writer.
pub(crate) struct Store {
    writer: Writer,
    readers: [Mutex<Connection>; READERS],
}

impl Store {
    /// Makes a file with an empty schema; refuses where there is one.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut writer = prepare(Connection::open_with_flags(path, flags)?)?;
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if schema_version(&transaction)? != 0 {
            return Err(Error::StoreFormat(format!(
                "{} holds a tenant already; open it, or name another file",
                path.display()
            )));
        }
        grow_from(0, &transaction)?;
        transaction.commit()?;
        Self::with_readers(path, writer)
    }

    /// Opens a file.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut writer = prepare(Connection::open_with_flags(path, flags)?)?;
        match schema_version(&writer)? {
            SCHEMA_VERSION => Self::with_readers(path, writer),
            1..SCHEMA_VERSION => {
                grow(&mut writer)?;
                Self::with_readers(path, writer)
            }
            0 => Err(Error::StoreFormat(format!(
                "{} holds no tenant; create one first",
                path.display()
            ))),
            other => Err(Error::StoreFormat(format!(
                "{} has schema version {other}, this program knows {SCHEMA_VERSION}; use a newer program",
                path.display()
            ))),
        }
    }

    fn with_readers(path: &Path, writer: Connection) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let reader = || {
            let reader = prepare(Connection::open_with_flags(path, flags)?)?;
            reader.pragma_update(None, "query_only", true)?;
            Ok::<_, Error>(Mutex::new(reader))
        };
        Ok(Self {
            writer: Writer::new(writer),
            readers: [reader()?, reader()?, reader()?, reader()?],
        })
    }

    /// Runs `work` as a whole, which is on disk when this returns `Ok` and never was otherwise. Others may share its commit.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.writer.write(work)
    }

    /// Runs `work` on one snapshot.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut connection = self.reader();
        let transaction = connection.transaction()?;
        work(&transaction)
    }

    /// A reader that is free, or the first that becomes so of one.
    fn reader(&self) -> MutexGuard<'_, Connection> {
        let [first, ..] = &self.readers;
        let free = self
            .readers
            .iter()
            .find_map(|reader| match reader.try_lock() {
                Ok(guard) => Some(guard),
                // A thread that panicked inside a transaction rolled it back, so the connection is sound.
                Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) => None,
            });
        free.unwrap_or_else(|| first.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn prepare(connection: Connection) -> Result<Connection, Error> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// From an older schema to the present one. Another process may have done it meanwhile.
fn grow(writer: &mut Connection) -> Result<(), Error> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    grow_from(schema_version(&transaction)?, &transaction)?;
    Ok(transaction.commit()?)
}

fn grow_from(have: i64, transaction: &Transaction<'_>) -> Result<(), Error> {
    for (_, sql) in SCHEMAS.iter().filter(|(version, _)| *version > have) {
        transaction.execute_batch(sql)?;
    }
    Ok(transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?)
}

fn schema_version(connection: &Connection) -> Result<i64, Error> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// A GUID or SID in a text column.
struct Text<T>(T);

impl<T: std::str::FromStr> FromSql for Text<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value
            .as_str()?
            .parse()
            .map(Self)
            .map_err(|_| FromSqlError::InvalidType)
    }
}

/// A moment in an integer column.
struct Ticks(Timestamp);

impl FromSql for Ticks {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Timestamp::from_ticks).map(Self)
    }
}

/// A list of texts in a JSON column.
struct List(Vec<String>);

impl FromSql for List {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?)
            .map(Self)
            .map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}

fn list_to_json(list: &[String]) -> String {
    serde_json::Value::from(list.to_vec()).to_string()
}

fn guid_text(guid: Option<Guid>) -> Option<String> {
    guid.map(|guid| guid.to_string())
}
