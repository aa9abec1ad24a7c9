//! Security keys: registration, list, removal; and Windows Hello keys as far as the story needs them.

use cloud_api::Base64Url;
use cloud_api::conditional_access::ACTION_REGISTER_KEY;
use cloud_api::devicekeys::{NewNgcKey, UserDeviceKeys};
use cloud_api::fido2::{AttestationLevel, CreationOptionsReply, Fido2Method, NewFido2Method};
use keycred::{KeyUsage, SearchableDeviceKey};
use rusqlite::Connection;
use types::Guid;

use super::conditional_access::{Proof, check_action};
use super::registration_tokens::proof_of;
use super::{Cloud, check_name};
use crate::caller::Caller;
use crate::core::ceremony::{self, Candidate};
use crate::core::device_key;
use crate::error::Error;
use crate::store::{KeyRow, NewKey, Store, UserRow};

/// Characters of a key's name, as in the original.
const KEY_NAME_CHARACTERS_MAX: usize = 30;

impl Cloud {
    /// Hands out options with a challenge that works once, for this user, for five minutes.
    pub fn begin_registration(
        &self,
        caller: &Caller,
        user: Guid,
    ) -> Result<CreationOptionsReply, Error> {
        caller.must_act_for(user)?;
        let now = self.now();
        let (tenant, row, keys) = self.store().read(|db| {
            let row = may_register(db, caller, user, &proof_of(db, caller, now)?)?;
            Ok((Store::tenant(db)?, row, Store::keys_of(db, user)?))
        })?;
        let registered: Vec<Vec<u8>> = fido_keys(&keys)
            .map(|row| row.key.key_identifier.clone())
            .collect();
        let candidate = Candidate {
            user_principal_name: &row.user_principal_name,
            display_name: &row.display_name,
            handle: row.handle,
            registered: &registered,
        };
        let (reply, challenge) = self.with_entropy(|entropy| {
            ceremony::begin(tenant.id, &tenant.rp, &candidate, now, entropy)
        });
        self.store().write(|db| {
            Store::user(db, user)?;
            Store::keep_challenge(db, user, &challenge.bytes, challenge.expires, now)
        })?;
        Ok(reply)
    }

    /// Verifies what the key answered and keeps it. When this returns `Ok` the key is on disk and in the feed.
    pub fn finish_registration(
        &self,
        caller: &Caller,
        user: Guid,
        request: &NewFido2Method,
    ) -> Result<Fido2Method, Error> {
        caller.must_act_for(user)?;
        check_name(
            "displayName",
            &request.display_name,
            KEY_NAME_CHARACTERS_MAX,
        )?;
        let result = self.try_finish(caller, user, request);
        if let Err(error @ (Error::Verification(_) | Error::Policy(_) | Error::CredentialExists)) =
            &result
        {
            let (now, target, detail) = (self.now(), user.to_string(), error.to_string());
            self.store()
                .write(|db| self.tell(db, now, "refuseSecurityKey", caller, &target, &detail))?;
        }
        result
    }

    fn try_finish(
        &self,
        caller: &Caller,
        user: Guid,
        request: &NewFido2Method,
    ) -> Result<Fido2Method, Error> {
        let credential = &request.public_key_credential;
        let challenge = ceremony::answered_challenge(credential)?;
        let now = self.now();
        // The challenge is gone from here on, whatever comes of it: an answer has one try.
        let taken = self
            .store()
            .write(|db| Store::take_challenge(db, user, &challenge, now))?;
        taken.ok_or(Error::ChallengeNotFound)?;
        let (tenant, policy) = self
            .store()
            .read(|db| Ok((Store::tenant(db)?, Store::policy(db)?)))?;
        let verified = ceremony::verify(credential, &challenge, &tenant.rp, &policy, now)?;
        let key = device_key::fido(&verified, &request.display_name, now);
        let detail = format!(
            "key {}, model {}, {}",
            Base64Url(verified.credential_id().to_vec()),
            verified.aaguid(),
            if verified.is_attested() {
                "attested"
            } else {
                "not attested"
            }
        );
        let new = NewKey {
            user,
            key: &key,
            display_name: &request.display_name,
            is_attested: verified.is_attested(),
            has_hmac_secret: verified.has_hmac_secret(),
        };
        let proof = self.store().read(|db| proof_of(db, caller, now))?;
        self.add_key(caller, &new, ("registerSecurityKey", &detail), &proof)?;
        Ok(method(&KeyRow {
            user,
            display_name: request.display_name.clone(),
            is_attested: new.is_attested,
            has_hmac_secret: new.has_hmac_secret,
            key,
        }))
    }

    pub(super) fn add_key(
        &self,
        caller: &Caller,
        new: &NewKey<'_>,
        (activity, detail): (&str, &str),
        proof: &Proof,
    ) -> Result<(), Error> {
        let (user, at) = (new.user, new.key.creation_time);
        let change = self.change(user, "keyAdded", at);
        let max = self.limits().keys_per_user_max;
        self.store().write(|db| {
            // The user may have been disabled or deleted since the ceremony began.
            may_register(db, caller, user, proof)?;
            let keys = Store::keys_of(db, user)?;
            if keys
                .iter()
                .filter(|row| row.key.usage == new.key.usage)
                .count()
                >= max
            {
                return Err(Error::TooManyKeys { user, max });
            }
            if !Store::insert_key(db, new)? {
                return Err(Error::CredentialExists);
            }
            Store::touch(db, change)?;
            self.tell(db, at, activity, caller, &user.to_string(), detail)
        })
    }

    /// The security keys of a user.
    pub fn security_keys(&self, caller: &Caller, user: Guid) -> Result<Vec<Fido2Method>, Error> {
        caller.must_act_for(user)?;
        let keys = self.keys_of_existing(user)?.1;
        Ok(fido_keys(&keys).map(method).collect())
    }

    /// Removes a security key, named by its id in base64url. The feed tells of it.
    pub fn remove_security_key(&self, caller: &Caller, user: Guid, id: &str) -> Result<(), Error> {
        caller.must_act_for(user)?;
        let identifier = Base64Url::parse_credential_id(id).map_err(|_| no_key(id))?;
        let now = self.now();
        self.store()
            .read(|db| proof_of(db, caller, now).map(drop))?;
        self.remove_key(caller, user, KeyUsage::FIDO, identifier.as_bytes(), id)
    }

    /// Removes a Windows Hello key, named by its identifier in base64url. The feed tells of it.
    pub fn remove_ngc_key(&self, caller: &Caller, user: Guid, id: &str) -> Result<(), Error> {
        caller.must_administer()?;
        let identifier = Base64Url::parse(id).map_err(|_| no_key(id))?;
        self.remove_key(caller, user, KeyUsage::NGC, identifier.as_bytes(), id)
    }

    fn remove_key(
        &self,
        caller: &Caller,
        user: Guid,
        usage: KeyUsage,
        identifier: &[u8],
        id: &str,
    ) -> Result<(), Error> {
        let now = self.now();
        let change = self.change(user, "keyRemoved", now);
        self.store().write(|db| {
            Store::user(db, user)?;
            let removed =
                Store::remove_key(db, user, usage, identifier)?.ok_or_else(|| no_key(id))?;
            Store::touch(db, change)?;
            let detail = format!("{} key {id} '{}'", usage.label(), removed.display_name);
            self.tell(db, now, "removeKey", caller, &user.to_string(), &detail)
        })
    }

    /// Adds a Windows Hello key to a user on behalf of a device, known to this tenant or not. A device registers its own by
    /// [`Cloud::provision_key`].
    pub fn add_ngc_key(
        &self,
        caller: &Caller,
        user: Guid,
        request: &NewNgcKey,
    ) -> Result<SearchableDeviceKey, Error> {
        caller.must_administer()?;
        let key = device_key::ngc(request, self.now())?;
        let detail = format!(
            "key {}, device {}",
            Base64Url(key.key_identifier.clone()),
            request.device_id
        );
        let new = NewKey {
            user,
            key: &key,
            display_name: "",
            is_attested: false,
            has_hmac_secret: false,
        };
        self.add_key(caller, &new, ("addHelloKey", &detail), &Proof::SESSION)?;
        Ok(key)
    }

    /// All keys of a user in the form that the sync carries.
    pub fn device_keys(&self, caller: &Caller, user: Guid) -> Result<UserDeviceKeys, Error> {
        caller.must_read_keys()?;
        let (row, keys) = self.keys_of_existing(user)?;
        Ok(UserDeviceKeys {
            id: user,
            user_principal_name: row.user_principal_name,
            searchable_device_key: keys.into_iter().map(|row| row.key).collect(),
        })
    }

    fn keys_of_existing(&self, user: Guid) -> Result<(UserRow, Vec<KeyRow>), Error> {
        self.store()
            .read(|db| Ok((Store::user(db, user)?, Store::keys_of(db, user)?)))
    }
}

fn may_register(
    db: &Connection,
    caller: &Caller,
    user: Guid,
    proof: &Proof,
) -> Result<UserRow, Error> {
    let row = Store::user(db, user)?;
    if !row.account_enabled {
        return Err(Error::Disabled(user));
    }
    if caller.is_self_service() && !Store::policy(db)?.is_self_service_registration_allowed {
        return Err(Error::SelfServiceOff);
    }
    check_action(db, caller, ACTION_REGISTER_KEY, proof)?;
    Ok(row)
}

fn fido_keys(keys: &[KeyRow]) -> impl Iterator<Item = &KeyRow> {
    keys.iter().filter(|row| row.key.usage == KeyUsage::FIDO)
}

fn method(row: &KeyRow) -> Fido2Method {
    Fido2Method {
        id: Base64Url(row.key.key_identifier.clone()).to_string(),
        display_name: row.display_name.clone(),
        created_date_time: row.key.creation_time,
        aa_guid: row.key.fido_aa_guid.unwrap_or(Guid::ZERO).to_string(),
        model: None,
        attestation_certificates: row.key.fido_attestation_certificates.clone(),
        attestation_level: if row.is_attested {
            AttestationLevel::Attested
        } else {
            AttestationLevel::NotAttested
        },
        has_hmac_secret: row.has_hmac_secret,
    }
}

fn no_key(id: &str) -> Error {
    Error::NotFound {
        what: "key",
        id: id.chars().take(100).collect(),
    }
}
