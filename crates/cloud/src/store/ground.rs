//! Rows of what the sync brings beside users: devices of the ground, and Kerberos server objects.

use cloud_api::ground::{GroundDevice, GroundServer, SyncDevice, SyncKerberosServer};
use rusqlite::{Connection, OptionalExtension, Row, params};
use types::{Guid, Sid, Timestamp};

use super::{List, Store, Text, list_to_json};
use crate::error::Error;

const COLUMNS: &str =
    "id, display_name, enabled, sid, sam, dn, domain, system, version, certificates";

impl Store {
    /// Adds or changes a device of the ground.
    pub(crate) fn put_ground_device(
        db: &Connection,
        id: Guid,
        device: &SyncDevice,
    ) -> Result<(), Error> {
        db.prepare_cached(
            "INSERT INTO ground_device (id, display_name, enabled, sid, sam, dn, domain, system, version, certificates)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
             ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name, enabled = excluded.enabled,
                 sid = excluded.sid, sam = excluded.sam, dn = excluded.dn, domain = excluded.domain,
                 system = excluded.system, version = excluded.version, certificates = excluded.certificates",
        )?
        .execute(params![
            id.to_string(),
            device.display_name,
            device.account_enabled,
            device.on_premises_security_identifier.to_string(),
            device.on_premises_sam_account_name,
            device.on_premises_distinguished_name,
            device.on_premises_domain_name,
            device.operating_system,
            device.operating_system_version,
            list_to_json(&device.certificates),
        ])?;
        Ok(())
    }

    /// The device of the ground with this id.
    pub(crate) fn ground_device(db: &Connection, id: Guid) -> Result<Option<SyncDevice>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM ground_device WHERE id = ?1");
        let mut statement = db.prepare_cached(&sql)?;
        let found = statement.query_row([id.to_string()], read).optional()?;
        Ok(found.map(|found| found.device))
    }

    /// The device of the ground with this SID.
    pub(crate) fn ground_device_by_sid(db: &Connection, sid: &Sid) -> Result<Option<Guid>, Error> {
        let found: Option<Text<Guid>> = db
            .prepare_cached("SELECT id FROM ground_device WHERE sid = ?1")?
            .query_row([sid.to_string()], |row| row.get(0))
            .optional()?;
        Ok(found.map(|found| found.0))
    }

    /// Devices of the ground in the order of their ids, after one.
    pub(crate) fn ground_devices_after(
        db: &Connection,
        after: Option<Guid>,
        count: u16,
    ) -> Result<Vec<GroundDevice>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM ground_device WHERE id > ?1 ORDER BY id LIMIT ?2");
        let after = after.map_or_else(String::new, |id| id.to_string());
        let mut statement = db.prepare_cached(&sql)?;
        let rows = statement.query_map(params![after, count], read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Forgets a device of the ground; false where there is none.
    pub(crate) fn remove_ground_device(db: &Connection, id: Guid) -> Result<bool, Error> {
        let rows = db
            .prepare_cached("DELETE FROM ground_device WHERE id = ?1")?
            .execute([id.to_string()])?;
        Ok(rows == 1)
    }

    /// Notes that an administrator disabled a device of the ground, or no longer does.
    pub(crate) fn block_device(db: &Connection, id: Guid, blocked: bool) -> Result<(), Error> {
        let sql = if blocked {
            "INSERT INTO blocked_device (id) VALUES (?1) ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM blocked_device WHERE id = ?1"
        };
        db.prepare_cached(sql)?.execute([id.to_string()])?;
        Ok(())
    }

    /// Notes a proof that is taken; false where it was taken before.
    pub(crate) fn use_hybrid_proof(
        db: &Connection,
        hash: &[u8; 32],
        ends: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        db.prepare_cached("DELETE FROM hybrid_proof WHERE ends < ?1")?
            .execute([now.ticks()])?;
        let rows = db
            .prepare_cached(
                "INSERT INTO hybrid_proof (hash, ends) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?
            .execute(params![hash, ends.ticks()])?;
        Ok(rows == 1)
    }

    /// Adds or changes what is seen of a Kerberos server object.
    pub(crate) fn put_ground_server(
        db: &Connection,
        domain: &str,
        server: &SyncKerberosServer,
    ) -> Result<(), Error> {
        let facts = serde_json::to_string(server)
            .map_err(|_| Error::Internal("the facts of a Kerberos server object are no JSON"))?;
        db.prepare_cached(
            "INSERT INTO ground_server (domain, facts) VALUES (?1, ?2)
             ON CONFLICT (domain) DO UPDATE SET facts = excluded.facts",
        )?
        .execute(params![domain, facts])?;
        Ok(())
    }

    /// What is seen of the Kerberos server object of a domain.
    pub(crate) fn ground_server(
        db: &Connection,
        domain: &str,
    ) -> Result<Option<SyncKerberosServer>, Error> {
        let facts: Option<String> = db
            .prepare_cached("SELECT facts FROM ground_server WHERE domain = ?1")?
            .query_row([domain], |row| row.get(0))
            .optional()?;
        facts.map(|facts| server(&facts)).transpose()
    }

    /// All of them.
    pub(crate) fn ground_servers(db: &Connection) -> Result<Vec<GroundServer>, Error> {
        let mut statement =
            db.prepare_cached("SELECT domain, facts FROM ground_server ORDER BY domain")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
        rows.map(|row| {
            let (domain_dns_name, facts) = row?;
            Ok(GroundServer {
                domain_dns_name,
                server: server(&facts)?,
            })
        })
        .collect()
    }

    /// Forgets what was seen; false where nothing was.
    pub(crate) fn remove_ground_server(db: &Connection, domain: &str) -> Result<bool, Error> {
        let rows = db
            .prepare_cached("DELETE FROM ground_server WHERE domain = ?1")?
            .execute([domain])?;
        Ok(rows == 1)
    }

    /// What names the present state of all this.
    pub(crate) fn ground_version(db: &Connection) -> Result<[u8; 16], Error> {
        Ok(db
            .prepare_cached("SELECT mark FROM ground_version")?
            .query_row([], |row| row.get(0))?)
    }

    /// Names it anew, after a change.
    pub(crate) fn mark_ground(db: &Connection, mark: [u8; 16]) -> Result<(), Error> {
        db.prepare_cached("UPDATE ground_version SET mark = ?1")?
            .execute([mark])?;
        Ok(())
    }
}

fn server(facts: &str) -> Result<SyncKerberosServer, Error> {
    serde_json::from_str(facts)
        .map_err(|_| Error::Internal("the stored facts of a Kerberos server object are no JSON"))
}

fn read(row: &Row<'_>) -> rusqlite::Result<GroundDevice> {
    Ok(GroundDevice {
        id: row.get::<_, Text<Guid>>(0)?.0,
        device: SyncDevice {
            display_name: row.get(1)?,
            account_enabled: row.get(2)?,
            on_premises_security_identifier: row.get::<_, Text<Sid>>(3)?.0,
            on_premises_sam_account_name: row.get(4)?,
            on_premises_distinguished_name: row.get(5)?,
            on_premises_domain_name: row.get(6)?,
            operating_system: row.get(7)?,
            operating_system_version: row.get(8)?,
            certificates: row.get::<_, List>(9)?.0,
        },
    })
}
