//! Groups of users, for policies.

use cloud_api::conditional_access::{AccessPolicy, Group};
use types::Guid;

use super::conditional_access::none;
use super::{Cloud, check_name};
use crate::caller::Caller;
use crate::error::Error;
use crate::store::Store;

impl Cloud {
    /// All groups.
    pub fn groups(&self, caller: &Caller) -> Result<Vec<Group>, Error> {
        caller.must_administer()?;
        self.store().read(|db| Store::groups(db))
    }

    /// Adds a group, or replaces the one with this id and its members.
    pub fn put_group(
        &self,
        caller: &Caller,
        id: Option<Guid>,
        group: &Group,
    ) -> Result<Group, Error> {
        caller.must_administer()?;
        check_name("displayName", &group.display_name, 256)?;
        let group = Group {
            id: id.unwrap_or_else(|| Guid::v4(self.random())),
            ..group.clone()
        };
        let now = self.now();
        self.store().write(|db| {
            if id.is_some() && !Store::groups(db)?.iter().any(|old| old.id == group.id) {
                return Err(none("group", group.id));
            }
            Store::put_group(db, &group)?;
            let id = group.id.to_string();
            let detail = format!("'{}', members {:?}", group.display_name, group.members);
            self.tell(db, now, "putGroup", caller, &id, &detail)
        })?;
        Ok(group)
    }

    /// Removes a group. A policy that names it applies to none of its members any more.
    pub fn remove_group(&self, caller: &Caller, id: Guid) -> Result<(), Error> {
        caller.must_administer()?;
        let now = self.now();
        self.store().write(|db| {
            let text = id.to_string();
            let names = |policy: &AccessPolicy| {
                let users = &policy.conditions.users;
                users.include_groups.contains(&text) || users.exclude_groups.contains(&text)
            };
            if let Some(policy) = Store::access_policies(db)?
                .iter()
                .find(|policy| names(policy))
            {
                return Err(Error::invalid(format!(
                    "policy '{}' names group {id}; change the policy first",
                    policy.display_name
                )));
            }
            if !Store::remove_group(db, id)? {
                return Err(none("group", id));
            }
            self.tell(db, now, "removeGroup", caller, &text, "")
        })
    }

    /// Puts a user into a group or takes it out. Whether anything changed: who is in already need not be put in.
    pub fn change_member(
        &self,
        caller: &Caller,
        group: Guid,
        user: Guid,
        is_member: bool,
    ) -> Result<bool, Error> {
        caller.must_administer()?;
        let now = self.now();
        self.store().write(|db| {
            let mut groups = Store::groups(db)?;
            let found = groups.iter_mut().find(|found| found.id == group);
            let found = found.ok_or_else(|| none("group", group))?;
            // Who leaves may be gone already.
            if is_member {
                Store::user(db, user)?;
            }
            if found.members.contains(&user) == is_member {
                return Ok(false);
            }
            let activity = match is_member {
                true => {
                    found.members.push(user);
                    "addGroupMember"
                }
                false => {
                    found.members.retain(|member| *member != user);
                    "removeGroupMember"
                }
            };
            Store::put_group(db, found)?;
            let detail = format!("'{}', user {user}", found.display_name);
            self.tell(db, now, activity, caller, &group.to_string(), &detail)?;
            Ok(true)
        })
    }
}
