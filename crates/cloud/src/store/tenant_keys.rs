//! The tenant's own private keys.

use rusqlite::{Connection, OptionalExtension, params};
use types::{Secret, Timestamp};

use super::Store;
use crate::error::Error;

/// A private key as it is kept.
pub(crate) struct KeptKey {
    pub(crate) kid: String,
    pub(crate) private: Secret<Vec<u8>>,
    pub(crate) created: Timestamp,
}

impl Store {
    /// The key for a purpose; one is made where there is none.
    pub(crate) fn tenant_key(
        db: &Connection,
        purpose: &str,
        make: impl FnOnce() -> Result<KeptKey, Error>,
    ) -> Result<KeptKey, Error> {
        let found = db
            .prepare_cached("SELECT kid, private, created FROM tenant_key WHERE purpose = ?1")?
            .query_row([purpose], |row| {
                Ok(KeptKey {
                    kid: row.get(0)?,
                    private: Secret::new(row.get(1)?),
                    created: row.get::<_, super::Ticks>(2)?.0,
                })
            })
            .optional()?;
        if let Some(key) = found {
            return Ok(key);
        }
        let key = make()?;
        db.prepare_cached(
            "INSERT INTO tenant_key (purpose, kid, private, created) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            purpose,
            key.kid,
            key.private.expose(),
            key.created.ticks()
        ])?;
        Ok(key)
    }
}
