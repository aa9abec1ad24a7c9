//! Rows of users.

use cloud_api::users::{OnPremisesIdentity, User};
use rusqlite::{Connection, OptionalExtension, Row, params};
use types::{Guid, Sid, Timestamp};

use super::{Store, Text, Ticks};
use crate::error::Error;

/// A user that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UserRow {
    pub(crate) id: Guid,
    pub(crate) handle: [u8; 32],
    pub(crate) user_principal_name: String,
    pub(crate) display_name: String,
    pub(crate) account_enabled: bool,
    pub(crate) created: Timestamp,
    pub(crate) on_premises: OnPremisesIdentity,
}

/// What may change of a user; `None` leaves it as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct UserUpdate {
    pub(crate) user_principal_name: Option<String>,
    pub(crate) display_name: Option<String>,
    pub(crate) account_enabled: Option<bool>,
    pub(crate) on_premises: OnPremisesIdentity,
}

impl UserRow {
    /// As the API shows it.
    pub(crate) fn to_wire(&self) -> User {
        User {
            id: self.id,
            user_principal_name: self.user_principal_name.clone(),
            display_name: self.display_name.clone(),
            account_enabled: self.account_enabled,
            created_date_time: self.created,
            on_premises: self.on_premises.clone(),
        }
    }
}

const COLUMNS: &str =
    "id, handle, upn, display_name, enabled, created, source_anchor, sid, dn, domain, sam";

impl Store {
    /// Adds a user whose change has been logged as line `seq`.
    pub(crate) fn insert_user(db: &Connection, user: &UserRow, seq: i64) -> Result<(), Error> {
        let ground = &user.on_premises;
        db.prepare_cached(
            "INSERT INTO user (id, handle, upn, upn_folded, display_name, enabled, created,
                               source_anchor, sid, dn, domain, sam, last_change)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            user.id.to_string(),
            user.handle,
            user.user_principal_name,
            fold(&user.user_principal_name),
            user.display_name,
            user.account_enabled,
            user.created.ticks(),
            ground.on_premises_immutable_id,
            sid_text(ground),
            ground.on_premises_distinguished_name,
            ground.on_premises_domain_name,
            ground.on_premises_sam_account_name,
            seq
        ])?;
        Ok(())
    }

    /// Changes a user.
    pub(crate) fn update_user(db: &Connection, id: Guid, update: &UserUpdate) -> Result<(), Error> {
        let ground = &update.on_premises;
        db.prepare_cached(
            "UPDATE user SET upn = coalesce(?2, upn), upn_folded = coalesce(?3, upn_folded),
                 display_name = coalesce(?4, display_name), enabled = coalesce(?5, enabled),
                 source_anchor = coalesce(?6, source_anchor), sid = coalesce(?7, sid),
                 dn = coalesce(?8, dn), domain = coalesce(?9, domain), sam = coalesce(?10, sam)
             WHERE id = ?1 AND deleted IS NULL",
        )?
        .execute(params![
            id.to_string(),
            update.user_principal_name,
            update.user_principal_name.as_deref().map(fold),
            update.display_name,
            update.account_enabled,
            ground.on_premises_immutable_id,
            sid_text(ground),
            ground.on_premises_distinguished_name,
            ground.on_premises_domain_name,
            ground.on_premises_sam_account_name,
        ])?;
        Ok(())
    }

    /// Leaves a row without personal data, and nothing else of the user.
    pub(crate) fn bury_user(db: &Connection, id: Guid, now: Timestamp) -> Result<(), Error> {
        let id = id.to_string();
        for table in ["device_key", "ceremony", "token", "group_member"] {
            db.execute(&format!("DELETE FROM {table} WHERE user = ?1"), [&id])?;
        }
        db.execute("DELETE FROM device WHERE owner = ?1", [&id])?;
        db.execute(
            "UPDATE user SET deleted = ?2, upn = '', upn_folded = '', display_name = '', enabled = 0,
                 source_anchor = NULL, sid = NULL, dn = NULL, domain = NULL, sam = NULL
             WHERE id = ?1",
            params![id, now.ticks()],
        )?;
        Ok(())
    }

    /// The user with this id.
    pub(crate) fn user(db: &Connection, id: Guid) -> Result<UserRow, Error> {
        Self::user_where(db, "id = ?1", &id.to_string())?.ok_or_else(|| Error::no_user(id))
    }

    /// The user with this sign-in name, in any case of letters.
    pub(crate) fn user_by_name(db: &Connection, name: &str) -> Result<Option<UserRow>, Error> {
        Self::user_where(db, "upn_folded = ?1", &fold(name))
    }

    /// The user with this source anchor.
    pub(crate) fn user_by_source_anchor(
        db: &Connection,
        anchor: &str,
    ) -> Result<Option<UserRow>, Error> {
        Self::user_where(db, "source_anchor = ?1", anchor)
    }

    /// The user with this on-premises SID.
    pub(crate) fn user_by_sid(db: &Connection, sid: &Sid) -> Result<Option<UserRow>, Error> {
        Self::user_where(db, "sid = ?1", &sid.to_string())
    }

    fn user_where(db: &Connection, condition: &str, value: &str) -> Result<Option<UserRow>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM user WHERE {condition} AND deleted IS NULL");
        Ok(db
            .prepare_cached(&sql)?
            .query_row([value], read_user)
            .optional()?)
    }

    /// Up to `count` users in the order of their ids, after one.
    pub(crate) fn users_after(
        db: &Connection,
        after: Option<Guid>,
        count: u16,
    ) -> Result<Vec<UserRow>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM user WHERE id > ?1 AND deleted IS NULL ORDER BY id LIMIT ?2"
        );
        let after = after.map(|id| id.to_string()).unwrap_or_default();
        let users = db
            .prepare_cached(&sql)?
            .query_map(params![after, i64::from(count)], read_user)?
            .collect::<Result<_, _>>()?;
        Ok(users)
    }
}

/// Sign-in names are the same in any case of letters.
fn fold(name: &str) -> String {
    name.to_lowercase()
}

fn sid_text(ground: &OnPremisesIdentity) -> Option<String> {
    let sid = ground.on_premises_security_identifier.as_ref();
    sid.map(ToString::to_string)
}

fn read_user(row: &Row<'_>) -> rusqlite::Result<UserRow> {
    Ok(UserRow {
        id: row.get::<_, Text<Guid>>(0)?.0,
        handle: row.get(1)?,
        user_principal_name: row.get(2)?,
        display_name: row.get(3)?,
        account_enabled: row.get(4)?,
        created: row.get::<_, Ticks>(5)?.0,
        on_premises: OnPremisesIdentity {
            on_premises_immutable_id: row.get(6)?,
            on_premises_security_identifier: row.get::<_, Option<Text<Sid>>>(7)?.map(|sid| sid.0),
            on_premises_distinguished_name: row.get(8)?,
            on_premises_domain_name: row.get(9)?,
            on_premises_sam_account_name: row.get(10)?,
        },
    })
}
