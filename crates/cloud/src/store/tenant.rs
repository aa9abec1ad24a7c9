//! The tenant's own row, and its policy.

use cloud_api::policy::Fido2Policy;
use rusqlite::{Connection, OptionalExtension, params};
use types::{Guid, Timestamp};

use super::{List, Store, Text, Ticks, list_to_json};
use crate::config::{NewTenant, RelyingParty, Tenant};
use crate::core::policy::Policy;
use crate::error::Error;

impl Store {
    /// Writes the tenant's row.
    pub(crate) fn put_tenant(
        db: &Connection,
        id: Guid,
        tenant: &NewTenant,
        epoch: [u8; 16],
        now: Timestamp,
    ) -> Result<(), Error> {
        db.execute(
            "INSERT INTO tenant (one, id, name, rp_id, rp_name, origins, epoch, created)
             VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                id.to_string(),
                tenant.name,
                tenant.rp_id,
                tenant.rp_name,
                list_to_json(&tenant.origins),
                epoch,
                now.ticks()
            ],
        )?;
        Ok(())
    }

    /// Reads the tenant's row.
    pub(crate) fn tenant(db: &Connection) -> Result<Tenant, Error> {
        let found = db
            .prepare_cached("SELECT id, name, rp_id, rp_name, origins, epoch, created FROM tenant")?
            .query_row([], |row| {
                Ok(Tenant {
                    id: row.get::<_, Text<Guid>>(0)?.0,
                    name: row.get(1)?,
                    rp: RelyingParty {
                        id: row.get(2)?,
                        name: row.get(3)?,
                        origins: row.get::<_, List>(4)?.0,
                    },
                    epoch: row.get(5)?,
                    created: row.get::<_, Ticks>(6)?.0,
                })
            })
            .optional()?;
        found
            .ok_or_else(|| Error::StoreFormat("the store holds no tenant; create one first".into()))
    }

    /// Replaces the origins.
    pub(crate) fn put_origins(db: &Connection, origins: &[String]) -> Result<(), Error> {
        db.execute("UPDATE tenant SET origins = ?1", [list_to_json(origins)])?;
        Ok(())
    }

    /// Begins another epoch: every delta token is stale from now on.
    pub(crate) fn put_epoch(db: &Connection, epoch: [u8; 16]) -> Result<(), Error> {
        db.execute("UPDATE tenant SET epoch = ?1", [epoch])?;
        Ok(())
    }

    /// The policy in force.
    pub(crate) fn policy(db: &Connection) -> Result<Policy, Error> {
        let stored: Option<String> = db
            .query_row("SELECT fido2 FROM policy", [], |row| row.get(0))
            .optional()?;
        let Some(json) = stored else {
            return Ok(Policy::default());
        };
        let wire: Fido2Policy = serde_json::from_str(&json).map_err(|error| {
            Error::StoreFormat(format!("the stored policy cannot be read: {error}"))
        })?;
        Policy::default().changed_by(&wire)
    }

    /// Replaces the policy.
    pub(crate) fn put_policy(db: &Connection, policy: &Policy) -> Result<(), Error> {
        let json = serde_json::to_string(&policy.to_wire())
            .map_err(|_| Error::Internal("the policy cannot be written as JSON"))?;
        db.execute(
            "INSERT INTO policy (one, fido2) VALUES (1, ?1)
             ON CONFLICT (one) DO UPDATE SET fido2 = excluded.fido2",
            [json],
        )?;
        Ok(())
    }
}
