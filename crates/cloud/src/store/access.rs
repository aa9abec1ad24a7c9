//! Groups of users, and Conditional Access policies.

use cloud_api::conditional_access::{AccessPolicy, Group};
use rusqlite::{Connection, params};
use types::Guid;

use super::{Store, Text};
use crate::error::Error;

const NO_POLICY: Error = Error::Internal("a stored policy cannot be read");

impl Store {
    /// All policies in the order of their ids.
    pub(crate) fn access_policies(db: &Connection) -> Result<Vec<AccessPolicy>, Error> {
        let documents = db
            .prepare_cached("SELECT document FROM access_policy ORDER BY id")?
            .query_map([], |row| row.get(0))?
            .collect::<Result<Vec<String>, _>>()?;
        let read = documents
            .iter()
            .map(|document| serde_json::from_str(document));
        read.collect::<Result<_, _>>().map_err(|_| NO_POLICY)
    }

    /// Adds a policy, or replaces it.
    pub(crate) fn put_access_policy(db: &Connection, policy: &AccessPolicy) -> Result<(), Error> {
        let document = serde_json::to_string(policy).map_err(|_| NO_POLICY)?;
        db.prepare_cached(
            "INSERT INTO access_policy (id, document) VALUES (?1, ?2)
             ON CONFLICT (id) DO UPDATE SET document = excluded.document",
        )?
        .execute(params![policy.id.to_string(), document])?;
        Ok(())
    }

    /// Removes a policy; false where there is none.
    pub(crate) fn remove_access_policy(db: &Connection, id: Guid) -> Result<bool, Error> {
        let rows = db
            .prepare_cached("DELETE FROM access_policy WHERE id = ?1")?
            .execute([id.to_string()])?;
        Ok(rows == 1)
    }

    /// The groups of a user.
    pub(crate) fn groups_of(db: &Connection, user: Guid) -> Result<Vec<Guid>, Error> {
        let groups = db
            .prepare_cached("SELECT user_group FROM group_member WHERE user = ?1")?
            .query_map([user.to_string()], |row| Ok(row.get::<_, Text<Guid>>(0)?.0))?
            .collect::<Result<_, _>>()?;
        Ok(groups)
    }

    /// All groups in the order of their ids.
    pub(crate) fn groups(db: &Connection) -> Result<Vec<Group>, Error> {
        let mut groups = db
            .prepare_cached("SELECT id, display_name FROM user_group ORDER BY id")?
            .query_map([], |row| {
                Ok(Group {
                    id: row.get::<_, Text<Guid>>(0)?.0,
                    display_name: row.get(1)?,
                    members: Vec::new(),
                })
            })?
            .collect::<Result<Vec<_>, _>>()?;
        for group in &mut groups {
            group.members = db
                .prepare_cached(
                    "SELECT user FROM group_member WHERE user_group = ?1 ORDER BY user",
                )?
                .query_map([group.id.to_string()], |row| {
                    Ok(row.get::<_, Text<Guid>>(0)?.0)
                })?
                .collect::<Result<_, _>>()?;
        }
        Ok(groups)
    }

    /// Adds a group with its members, or replaces both.
    pub(crate) fn put_group(db: &Connection, group: &Group) -> Result<(), Error> {
        let id = group.id.to_string();
        db.prepare_cached(
            "INSERT INTO user_group (id, display_name) VALUES (?1, ?2)
             ON CONFLICT (id) DO UPDATE SET display_name = excluded.display_name",
        )?
        .execute(params![id, group.display_name])?;
        db.prepare_cached("DELETE FROM group_member WHERE user_group = ?1")?
            .execute([&id])?;
        for member in &group.members {
            Self::user(db, *member)?;
            db.prepare_cached(
                "INSERT OR IGNORE INTO group_member (user_group, user) VALUES (?1, ?2)",
            )?
            .execute(params![id, member.to_string()])?;
        }
        Ok(())
    }

    /// Removes a group; false where there is none.
    pub(crate) fn remove_group(db: &Connection, id: Guid) -> Result<bool, Error> {
        let rows = db
            .prepare_cached("DELETE FROM user_group WHERE id = ?1")?
            .execute([id.to_string()])?;
        Ok(rows == 1)
    }

    /// Marks a device as compliant or not; false where there is none.
    pub(crate) fn mark_device(db: &Connection, id: Guid, compliant: bool) -> Result<bool, Error> {
        let rows = db
            .prepare_cached("UPDATE device SET compliant = ?2 WHERE id = ?1")?
            .execute(params![id.to_string(), compliant])?;
        Ok(rows == 1)
    }
}
