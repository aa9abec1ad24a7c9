//! Rows of devices.

use cloud_api::devices::Device;
use rusqlite::{Connection, OptionalExtension, Row, params};
use types::{Guid, Sid, Timestamp};

use super::{Store, Text, Ticks, guid_text};
use crate::error::Error;

/// How a device of the ground belongs to the tenant.
pub(crate) const SERVER_AD: &str = "ServerAd";

/// A device that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceRow {
    pub(crate) device: Device,
    /// SubjectPublicKeyInfo.
    pub(crate) device_key: Vec<u8>,
    /// BCRYPT_RSAKEY_BLOB.
    pub(crate) transport_key: Vec<u8>,
}

/// A device with what the ground says of it. A computer that is disabled on the ground is disabled here.
const SELECT: &str = "SELECT d.id, coalesce(g.display_name, d.display_name),
    d.enabled AND coalesce(g.enabled, 1) AND NOT EXISTS (SELECT 1 FROM blocked_device b WHERE b.id = d.id), d.trust_type,
    d.owner, d.created, d.device_key, d.transport_key, d.compliant, g.sid
    FROM device d LEFT JOIN ground_device g ON g.id = d.id";

impl DeviceRow {
    /// Whether the device is the one that joined at this moment; tokens of before devices could join anew know none.
    pub(crate) fn is_since(&self, joined: Option<Timestamp>) -> bool {
        joined.is_none() || self.device.registration_date_time == joined
    }
}

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
                guid_text(device.registered_owner),
                device.registration_date_time.map(types::Timestamp::ticks),
                row.device_key,
                row.transport_key,
            ])?;
        Ok(rows == 1)
    }

    /// The device with this id.
    pub(crate) fn device(db: &Connection, id: Guid) -> Result<Option<DeviceRow>, Error> {
        let sql = format!("{SELECT} WHERE d.id = ?1");
        let mut statement = db.prepare_cached(&sql)?;
        Ok(statement.query_row([id.to_string()], read).optional()?)
    }

    /// All devices in the order of their ids, those of the ground that have not joined yet among them.
    pub(crate) fn devices(db: &Connection) -> Result<Vec<Device>, Error> {
        let joined = format!("{SELECT} ORDER BY d.id");
        let mut statement = db.prepare_cached(&joined)?;
        let rows = statement.query_map([], read)?;
        let mut devices = rows
            .map(|row| row.map(|row| row.device))
            .collect::<Result<Vec<_>, _>>()?;
        let mut statement = db.prepare_cached(
            "SELECT id, display_name, enabled AND NOT EXISTS (SELECT 1 FROM blocked_device b WHERE b.id = g.id), sid
             FROM ground_device g
             WHERE NOT EXISTS (SELECT 1 FROM device d WHERE d.id = g.id)",
        )?;
        let pending = statement.query_map([], |row| {
            Ok(Device {
                id: row.get::<_, Text<Guid>>(0)?.0,
                display_name: row.get(1)?,
                account_enabled: row.get(2)?,
                is_compliant: false,
                trust_type: SERVER_AD.to_owned(),
                registered_owner: None,
                registration_date_time: None,
                on_premises_sync_enabled: true,
                on_premises_security_identifier: Some(row.get::<_, Text<Sid>>(3)?.0),
            })
        })?;
        for device in pending {
            devices.push(device?);
        }
        devices.sort_by_key(|device| device.id.to_string());
        Ok(devices)
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
    let sid: Option<Text<Sid>> = row.get(9)?;
    Ok(DeviceRow {
        device: Device {
            id: row.get::<_, Text<Guid>>(0)?.0,
            display_name: row.get(1)?,
            account_enabled: row.get(2)?,
            is_compliant: row.get(8)?,
            trust_type: row.get(3)?,
            registered_owner: row.get::<_, Option<Text<Guid>>>(4)?.map(|owner| owner.0),
            registration_date_time: Some(row.get::<_, Ticks>(5)?.0),
            on_premises_sync_enabled: sid.is_some(),
            on_premises_security_identifier: sid.map(|sid| sid.0),
        },
        device_key: row.get(6)?,
        transport_key: row.get(7)?,
    })
}
