//! Users: made by administrators or brought by the sync.

use cloud_api::users::{NewUser, OnPremisesIdentity, SyncUser, User, UserChange, object_guid};
use rusqlite::Connection;
use types::{Dn, Guid};

use super::{Cloud, check_name};
use crate::caller::Caller;
use crate::error::Error;
use crate::store::{Store, UserRow, UserUpdate};

impl Cloud {
    /// Makes a user of the cloud alone.
    pub fn create_user(&self, caller: &Caller, request: &NewUser) -> Result<User, Error> {
        caller.must_administer()?;
        self.insert_user(
            caller,
            UserUpdate {
                user_principal_name: Some(request.user_principal_name.clone()),
                display_name: Some(request.display_name.clone()),
                account_enabled: Some(request.account_enabled),
                on_premises: OnPremisesIdentity::default(),
            },
        )
    }

    /// Brings a user from the ground.
    pub fn create_synced_user(&self, caller: &Caller, request: &SyncUser) -> Result<User, Error> {
        caller.must_sync()?;
        if request.on_premises_immutable_id.is_none() {
            return Err(Error::invalid(
                "onPremisesImmutableId is missing; send base64 of the on-premises objectGUID",
            ));
        }
        self.insert_user(caller, to_update(request))
    }

    fn insert_user(&self, caller: &Caller, new: UserUpdate) -> Result<User, Error> {
        check_update(&new)?;
        let user_principal_name = new
            .user_principal_name
            .clone()
            .ok_or_else(|| Error::invalid("userPrincipalName is missing"))?;
        let row = UserRow {
            id: Guid::v4(self.random()),
            handle: self.random(),
            display_name: new
                .display_name
                .clone()
                .unwrap_or_else(|| user_principal_name.clone()),
            user_principal_name,
            account_enabled: new.account_enabled.unwrap_or(true),
            created: self.now(),
            on_premises: new.on_premises.clone(),
        };
        let change = self.change(row.id, "userCreated", row.created);
        self.store().write(|db| {
            check_free(db, None, &new)?;
            let seq = Store::append_change(db, change)?;
            Store::insert_user(db, &row, seq)?;
            let target = row.id.to_string();
            self.tell(
                db,
                row.created,
                "createUser",
                caller,
                &target,
                &row.user_principal_name,
            )
        })?;
        Ok(row.to_wire())
    }

    /// Changes a user.
    pub fn change_user(
        &self,
        caller: &Caller,
        id: Guid,
        request: &UserChange,
    ) -> Result<User, Error> {
        caller.must_administer()?;
        self.update_user(
            caller,
            id,
            UserUpdate {
                user_principal_name: request.user_principal_name.clone(),
                display_name: request.display_name.clone(),
                account_enabled: request.account_enabled,
                on_premises: OnPremisesIdentity::default(),
            },
        )
    }

    /// Changes a user as the ground has changed it. What never changes may be repeated, not altered.
    pub fn change_synced_user(
        &self,
        caller: &Caller,
        id: Guid,
        request: &SyncUser,
    ) -> Result<User, Error> {
        caller.must_sync()?;
        self.update_user(caller, id, to_update(request))
    }

    fn update_user(&self, caller: &Caller, id: Guid, update: UserUpdate) -> Result<User, Error> {
        check_update(&update)?;
        let now = self.now();
        let change = self.change(id, "userUpdated", now);
        self.store().write(|db| {
            let old = Store::user(db, id)?;
            check_immutable(&old, &update.on_premises)?;
            check_free(db, Some(id), &update)?;
            Store::update_user(db, id, &update)?;
            let new = Store::user(db, id)?;
            // An update without effect is none: the feed stays quiet, so that a sync does not chase its own tail.
            if new != old {
                Store::touch(db, change)?;
                let detail = differences(&old, &new);
                self.tell(db, now, "updateUser", caller, &id.to_string(), &detail)?;
            }
            Ok(new.to_wire())
        })
    }

    /// Deletes a user with all keys. The feed tells of it.
    pub fn delete_user(&self, caller: &Caller, id: Guid) -> Result<(), Error> {
        caller.must_administer().or_else(|_| caller.must_sync())?;
        let now = self.now();
        let change = self.change(id, "userDeleted", now);
        self.store().write(|db| {
            let old = Store::user(db, id)?;
            Store::bury_user(db, id, now)?;
            Store::touch(db, change)?;
            Store::forget_the_gone(db, now)?;
            self.tell(
                db,
                now,
                "deleteUser",
                caller,
                &id.to_string(),
                &old.user_principal_name,
            )
        })
    }

    /// One user.
    pub fn user(&self, caller: &Caller, id: Guid) -> Result<User, Error> {
        caller
            .must_read_keys()
            .or_else(|_| caller.must_act_for(id))?;
        Ok(self.store().read(|db| Store::user(db, id))?.to_wire())
    }

    /// The user with this sign-in name.
    pub fn user_by_name(&self, caller: &Caller, name: &str) -> Result<User, Error> {
        caller.must_read_keys()?;
        let found = self.store().read(|db| Store::user_by_name(db, name))?;
        found
            .map(|user| user.to_wire())
            .ok_or_else(|| Error::no_user(name))
    }

    /// Up to `count` users in the order of their ids, after one.
    pub fn users(
        &self,
        caller: &Caller,
        after: Option<Guid>,
        count: u16,
    ) -> Result<Vec<User>, Error> {
        caller.must_read_keys()?;
        let users = self
            .store()
            .read(|db| Store::users_after(db, after, count))?;
        Ok(users.iter().map(UserRow::to_wire).collect())
    }
}

fn to_update(request: &SyncUser) -> UserUpdate {
    UserUpdate {
        user_principal_name: request.user_principal_name.clone(),
        display_name: request.display_name.clone(),
        account_enabled: request.account_enabled,
        on_premises: OnPremisesIdentity {
            on_premises_immutable_id: request.on_premises_immutable_id.clone(),
            on_premises_security_identifier: request.on_premises_security_identifier.clone(),
            on_premises_distinguished_name: request.on_premises_distinguished_name.clone(),
            on_premises_domain_name: request.on_premises_domain_name.clone(),
            on_premises_sam_account_name: request.on_premises_sam_account_name.clone(),
        },
    }
}

fn check_update(update: &UserUpdate) -> Result<(), Error> {
    if let Some(name) = &update.user_principal_name {
        check_name("userPrincipalName", name, 113)?;
        let is_sound = name.split_once('@').is_some_and(|(user, domain)| {
            !user.is_empty() && !domain.is_empty() && !domain.contains('@')
        }) && !name.contains(char::is_whitespace);
        if !is_sound {
            return Err(Error::invalid(format!(
                "userPrincipalName '{name}' is not a sign-in name; write it as testuser@corp.contoso.com"
            )));
        }
    }
    if let Some(name) = &update.display_name {
        check_name("displayName", name, 256)?;
    }
    let ground = &update.on_premises;
    if let Some(anchor) = &ground.on_premises_immutable_id
        && object_guid(anchor).is_none_or(|guid| cloud_api::users::source_anchor(guid) != *anchor)
    {
        return Err(Error::invalid(format!(
            "onPremisesImmutableId '{anchor}' is not base64 of a GUID"
        )));
    }
    if let Some(dn) = &ground.on_premises_distinguished_name {
        dn.parse::<Dn>().map_err(|error| {
            Error::invalid(format!(
                "onPremisesDistinguishedName cannot be read: {error}"
            ))
        })?;
    }
    if let Some(domain) = &ground.on_premises_domain_name {
        check_name("onPremisesDomainName", domain, 255)?;
    }
    if let Some(sam) = &ground.on_premises_sam_account_name {
        check_name("onPremisesSamAccountName", sam, 256)?;
    }
    Ok(())
}

/// Whoever could rewrite these would get tickets for another account.
fn check_immutable(old: &UserRow, new: &OnPremisesIdentity) -> Result<(), Error> {
    fn differs<T: PartialEq>(old: &Option<T>, new: &Option<T>) -> bool {
        old.is_some() && new.is_some() && old != new
    }
    let had = &old.on_premises;
    let property = if differs(
        &had.on_premises_security_identifier,
        &new.on_premises_security_identifier,
    ) {
        "onPremisesSecurityIdentifier"
    } else if differs(
        &had.on_premises_sam_account_name,
        &new.on_premises_sam_account_name,
    ) {
        "onPremisesSamAccountName"
    } else if differs(&had.on_premises_immutable_id, &new.on_premises_immutable_id) {
        "onPremisesImmutableId"
    } else {
        return Ok(());
    };
    Err(Error::Immutable {
        user: old.id,
        property,
    })
}

fn check_free(db: &Connection, id: Option<Guid>, update: &UserUpdate) -> Result<(), Error> {
    let taken = |what, value: &dyn ToString, holder: Option<UserRow>| match holder {
        Some(holder) if Some(holder.id) != id => Err(Error::Taken {
            what,
            value: value.to_string(),
            holder: holder.id,
        }),
        _ => Ok(()),
    };
    if let Some(name) = &update.user_principal_name {
        taken("userPrincipalName", name, Store::user_by_name(db, name)?)?;
    }
    let ground = &update.on_premises;
    if let Some(anchor) = &ground.on_premises_immutable_id {
        taken(
            "onPremisesImmutableId",
            anchor,
            Store::user_by_source_anchor(db, anchor)?,
        )?;
    }
    if let Some(sid) = &ground.on_premises_security_identifier {
        taken(
            "onPremisesSecurityIdentifier",
            sid,
            Store::user_by_sid(db, sid)?,
        )?;
    }
    Ok(())
}

fn differences(old: &UserRow, new: &UserRow) -> String {
    let mut names = Vec::new();
    let mut note = |changed: bool, name: &str| {
        if changed {
            names.push(name.to_owned());
        }
    };
    note(
        old.user_principal_name != new.user_principal_name,
        "userPrincipalName",
    );
    note(old.display_name != new.display_name, "displayName");
    note(
        old.account_enabled != new.account_enabled,
        if new.account_enabled {
            "accountEnabled: true"
        } else {
            "accountEnabled: false"
        },
    );
    note(old.on_premises != new.on_premises, "onPremises identity");
    names.join(", ")
}
