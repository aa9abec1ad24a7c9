//! Rows of keys: `searchableDeviceKey`, and what the API tells of security keys beside it.

use keycred::{KeyUsage, SearchableDeviceKey};
use rusqlite::{Connection, OptionalExtension, Row, params};
use types::Guid;

use super::{List, Store, Text, Ticks, guid_text, list_to_json};
use crate::error::Error;

/// A key to store.
#[derive(Debug)]
pub(crate) struct NewKey<'a> {
    pub(crate) user: Guid,
    pub(crate) key: &'a SearchableDeviceKey,
    pub(crate) display_name: &'a str,
    pub(crate) is_attested: bool,
    pub(crate) has_hmac_secret: bool,
}

/// A stored key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRow {
    pub(crate) user: Guid,
    pub(crate) key: SearchableDeviceKey,
    pub(crate) display_name: String,
    pub(crate) is_attested: bool,
    pub(crate) has_hmac_secret: bool,
}

const COLUMNS: &str =
    "user, usage, key_identifier, key_material, created, device_id, custom_key_information,
    fido_aa_guid, thumbprints, display_name, attested, hmac_secret";

impl Store {
    /// Adds a key; `false` where one with this identifier exists.
    pub(crate) fn insert_key(db: &Connection, new: &NewKey<'_>) -> Result<bool, Error> {
        let key = new.key;
        let rows = db
            .prepare_cached(
                "INSERT INTO device_key (user, usage, key_identifier, key_material, created, device_id,
                     custom_key_information, fido_aa_guid, thumbprints, display_name, attested, hmac_secret)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
                 ON CONFLICT (usage, key_identifier) DO NOTHING",
            )?
            .execute(params![
                new.user.to_string(),
                key.usage.0,
                key.key_identifier,
                key.key_material,
                key.creation_time.ticks(),
                guid_text(key.device_id),
                key.custom_key_information,
                guid_text(key.fido_aa_guid),
                list_to_json(&key.fido_attestation_certificates),
                new.display_name,
                new.is_attested,
                new.has_hmac_secret,
            ])?;
        Ok(rows == 1)
    }

    /// The keys of a user, in the order of their creation.
    pub(crate) fn keys_of(db: &Connection, user: Guid) -> Result<Vec<KeyRow>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM device_key WHERE user = ?1 ORDER BY id");
        let keys = db
            .prepare_cached(&sql)?
            .query_map([user.to_string()], read_key)?
            .collect::<Result<_, _>>()?;
        Ok(keys)
    }

    /// The key with this usage and identifier, and the number of its row.
    pub(crate) fn key_of_credential(
        db: &Connection,
        usage: KeyUsage,
        identifier: &[u8],
    ) -> Result<Option<(i64, KeyRow)>, Error> {
        let sql = format!(
            "SELECT {COLUMNS}, id FROM device_key WHERE usage = ?1 AND key_identifier = ?2"
        );
        Ok(db
            .prepare_cached(&sql)?
            .query_row(params![usage.0, identifier], |row| {
                Ok((row.get(12)?, read_key(row)?))
            })
            .optional()?)
    }

    /// The last signature counter of a key; 0 where it never signed in.
    pub(crate) fn key_counter(db: &Connection, key: i64) -> Result<u32, Error> {
        let counter = db
            .prepare_cached("SELECT counter FROM key_counter WHERE key = ?1")?
            .query_row([key], |row| row.get(0))
            .optional()?;
        Ok(counter.unwrap_or_default())
    }

    /// Keeps a key's new counter; false where it does not go forward. A key that does not count says 0 each time.
    pub(crate) fn keep_counter(db: &Connection, key: i64, counter: u32) -> Result<bool, Error> {
        let rows = db
            .prepare_cached(
                "INSERT INTO key_counter (key, counter) VALUES (?1, ?2)
                 ON CONFLICT (key) DO UPDATE SET counter = excluded.counter
                 WHERE excluded.counter > counter OR (excluded.counter = 0 AND counter = 0)",
            )?
            .execute(params![key, counter])?;
        Ok(rows == 1)
    }

    /// Removes a key of a user and gives it back.
    pub(crate) fn remove_key(
        db: &Connection,
        user: Guid,
        usage: KeyUsage,
        identifier: &[u8],
    ) -> Result<Option<KeyRow>, Error> {
        let sql = format!(
            "DELETE FROM device_key WHERE user = ?1 AND usage = ?2 AND key_identifier = ?3 RETURNING {COLUMNS}"
        );
        Ok(db
            .prepare_cached(&sql)?
            .query_row(params![user.to_string(), usage.0, identifier], read_key)
            .optional()?)
    }
}

fn read_key(row: &Row<'_>) -> rusqlite::Result<KeyRow> {
    Ok(KeyRow {
        user: row.get::<_, Text<Guid>>(0)?.0,
        key: SearchableDeviceKey {
            usage: KeyUsage(row.get(1)?),
            key_identifier: row.get(2)?,
            key_material: row.get(3)?,
            creation_time: row.get::<_, Ticks>(4)?.0,
            device_id: row.get::<_, Option<Text<Guid>>>(5)?.map(|id| id.0),
            custom_key_information: row.get(6)?,
            fido_aa_guid: row.get::<_, Option<Text<Guid>>>(7)?.map(|id| id.0),
            fido_authenticator_version: None,
            fido_attestation_certificates: row.get::<_, List>(8)?.0,
        },
        display_name: row.get(9)?,
        is_attested: row.get(10)?,
        has_hmac_secret: row.get(11)?,
    })
}
