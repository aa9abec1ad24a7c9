//! Rows of devices.

use cloud_api::devices::Device;
use rusqlite::{Connection, OptionalExtension, Row, params};
use types::Guid;

use super::{Store, Text, Ticks};
use crate::error::Error;

/// A device that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceRow {
    pub(crate) device: Device,
    /// SubjectPublicKeyInfo.
    pub(crate) device_key: Vec<u8>,
    /// BCRYPT_RSAKEY_BLOB.
    pub(crate) transport_key: Vec<u8>,
}

const COLUMNS: &str =
    "id, display_name, enabled, trust_type, owner, created, device_key, transport_key, compliant";

impl Store {
    /// Adds a device; false where its key belongs to one already.
    pub(crate) fn insert_device(db: &Connection, row: &DeviceRow) -> Result<bool, Error> {
        let device = &row.device;
        let rows = db
            .prepare_cached(
                "INSERT INTO device (id, display_name, enabled, trust_type, owner, created, device_key, transport_key)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (device_key) DO NOTHING",
            )?
            .execute(params![
                device.id.to_string(),
                device.display_name,
                device.account_enabled,
                device.trust_type,
                device.registered_owner.to_string(),
                device.registration_date_time.ticks(),
                row.device_key,
                row.transport_key,
            ])?;
        Ok(rows == 1)
    }

    /// The device with this id.
    pub(crate) fn device(db: &Connection, id: Guid) -> Result<Option<DeviceRow>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM device WHERE id = ?1");
        let mut statement = db.prepare_cached(&sql)?;
        Ok(statement.query_row([id.to_string()], read).optional()?)
    }

    /// All devices in the order of their ids.
    pub(crate) fn devices(db: &Connection) -> Result<Vec<DeviceRow>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM device ORDER BY id");
        let mut statement = db.prepare_cached(&sql)?;
        Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
    }

    /// How many devices a user has joined.
    pub(crate) fn count_devices(db: &Connection, owner: Guid) -> Result<usize, Error> {
        let count: i64 = db
            .prepare_cached("SELECT count(*) FROM device WHERE owner = ?1")?
            .query_row([owner.to_string()], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(usize::MAX))
    }

    /// Enables or disables a device; false where there is none.
    pub(crate) fn enable_device(db: &Connection, id: Guid, enabled: bool) -> Result<bool, Error> {
        let rows = db
            .prepare_cached("UPDATE device SET enabled = ?2 WHERE id = ?1")?
            .execute(params![id.to_string(), enabled])?;
        Ok(rows == 1)
    }

    /// Removes a device; false where there is none.
    pub(crate) fn remove_device(db: &Connection, id: Guid) -> Result<bool, Error> {
        let rows = db
            .prepare_cached("DELETE FROM device WHERE id = ?1")?
            .execute([id.to_string()])?;
        Ok(rows == 1)
    }
}

fn read(row: &Row<'_>) -> rusqlite::Result<DeviceRow> {
    Ok(DeviceRow {
        device: Device {
            id: row.get::<_, Text<Guid>>(0)?.0,
            display_name: row.get(1)?,
            account_enabled: row.get(2)?,
            is_compliant: row.get(8)?,
            trust_type: row.get(3)?,
            registered_owner: row.get::<_, Text<Guid>>(4)?.0,
            registration_date_time: row.get::<_, Ticks>(5)?.0,
        },
        device_key: row.get(6)?,
        transport_key: row.get(7)?,
    })
}
