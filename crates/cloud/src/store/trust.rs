//! Kerberos server objects and the versions of their keys.

use cloud_api::trust::{KerberosServer, PublishedServer, PublishedVersion};
use rusqlite::{Connection, OptionalExtension, params};
use types::{Secret, Timestamp};
use zeroize::Zeroize as _;

use super::{Store, Ticks};
use crate::error::Error;

/// Versions that are kept: the one that mints and the one before it.
const VERSIONS_KEPT: i64 = 2;

/// What mints for a domain.
pub(crate) struct Minting {
    pub(crate) server: KerberosServer,
    pub(crate) version: u16,
    pub(crate) key: Secret<[u8; 32]>,
}

impl Store {
    /// Keeps the object's facts. Where the domain has another object now, the former one's keys are forgotten: tickets
    /// that they mint would carry a number that nobody on the ground knows.
    pub(crate) fn put_kerberos_server(
        db: &Connection,
        server: &KerberosServer,
    ) -> Result<(), Error> {
        let is_same = |old: &KerberosServer| {
            (old.number, old.computer_guid) == (server.number, server.computer_guid)
        };
        if Self::kerberos_facts(db, &server.domain_dns_name)?.is_some_and(|old| !is_same(&old)) {
            Self::remove_kerberos_server(db, &server.domain_dns_name)?;
        }
        let facts = serde_json::to_string(server)
            .map_err(|_| Error::Internal("the facts of a Kerberos server object are no JSON"))?;
        db.prepare_cached(
            "INSERT INTO kerberos_server (domain, facts) VALUES (?1, ?2)
             ON CONFLICT (domain) DO UPDATE SET facts = excluded.facts",
        )?
        .execute(params![server.domain_dns_name, facts])?;
        Ok(())
    }

    /// Adds a version of the key and forgets all but the newest two. False where the version is there with another key.
    pub(crate) fn add_kerberos_key(
        db: &Connection,
        domain: &str,
        version: u16,
        key: &[u8; 32],
        now: Timestamp,
    ) -> Result<bool, Error> {
        db.prepare_cached(
            "INSERT INTO kerberos_key (domain, version, key, published) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (domain, version) DO NOTHING",
        )?
        .execute(params![domain, version, key, now.ticks()])?;
        let kept: Secret<Vec<u8>> = db
            .prepare_cached("SELECT key FROM kerberos_key WHERE domain = ?1 AND version = ?2")?
            .query_row(params![domain, version], |row| row.get(0).map(Secret::new))?;
        if !bool::from(subtle::ConstantTimeEq::ct_eq(
            kept.expose().as_slice(),
            key.as_slice(),
        )) {
            return Ok(false);
        }
        db.prepare_cached(
            "DELETE FROM kerberos_key WHERE domain = ?1 AND version NOT IN (
                 SELECT version FROM kerberos_key WHERE domain = ?1 ORDER BY version DESC LIMIT ?2)",
        )?
        .execute(params![domain, VERSIONS_KEPT])?;
        Ok(true)
    }

    /// The object of a domain, without its keys.
    pub(crate) fn kerberos_server(
        db: &Connection,
        domain: &str,
    ) -> Result<Option<PublishedServer>, Error> {
        let Some(server) = Self::kerberos_facts(db, domain)? else {
            return Ok(None);
        };
        let versions = db
            .prepare_cached(
                "SELECT version, published FROM kerberos_key WHERE domain = ?1 ORDER BY version DESC",
            )?
            .query_map([domain], |row| {
                Ok(PublishedVersion {
                    version: row.get(0)?,
                    published_date_time: row.get::<_, Ticks>(1)?.0,
                })
            })?
            .collect::<Result<_, _>>()?;
        let ground = Self::ground_server(db, domain)?;
        Ok(Some(PublishedServer {
            server,
            versions,
            ground,
        }))
    }

    /// The key that mints for a domain, with its version.
    pub(crate) fn minting_key(db: &Connection, domain: &str) -> Result<Option<Minting>, Error> {
        let Some(server) = Self::kerberos_facts(db, domain)? else {
            return Ok(None);
        };
        let newest = db
            .prepare_cached(
                "SELECT version, key FROM kerberos_key WHERE domain = ?1 ORDER BY version DESC LIMIT 1",
            )?
            .query_row([domain], |row| {
                let mut octets: [u8; 32] = row.get(1)?;
                let key = Secret::filled_by(|key: &mut [u8; 32]| key.copy_from_slice(&octets));
                octets.zeroize();
                Ok((row.get(0)?, key))
            })
            .optional()?;
        Ok(newest.map(|(version, key)| Minting {
            server,
            version,
            key,
        }))
    }

    /// Forgets an object and its keys; false where there is none.
    pub(crate) fn remove_kerberos_server(db: &Connection, domain: &str) -> Result<bool, Error> {
        let rows = db
            .prepare_cached("DELETE FROM kerberos_server WHERE domain = ?1")?
            .execute([domain])?;
        Ok(rows == 1)
    }

    fn kerberos_facts(db: &Connection, domain: &str) -> Result<Option<KerberosServer>, Error> {
        let facts: Option<String> = db
            .prepare_cached("SELECT facts FROM kerberos_server WHERE domain = ?1")?
            .query_row([domain], |row| row.get(0))
            .optional()?;
        let read = facts.map(|facts| serde_json::from_str(&facts)).transpose();
        read.map_err(|_| {
            Error::Internal("the stored facts of a Kerberos server object are no JSON")
        })
    }
}
