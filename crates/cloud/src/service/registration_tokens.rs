//! Access tokens of the cloud's own services, and Windows Hello keys that a device registers with one
//! (MS-OAPXBC 3.2.5.1.3, MS-KPP 3.1.5.1.1).

use cloud_api::Base64Url;
use cloud_api::devicekeys::NewNgcKey;
use cloud_api::hello::{ProvisionKey, ProvisionedKey};
use cloud_api::tokens::{
    AMR_FRESH, AMR_MFA, AccessAnswer, AccessClaims, DEVICE_REGISTRATION, OWN_KEYS,
};
use data_encoding::BASE64;
use rusqlite::Connection;
use types::{Guid, Timestamp};

use super::Cloud;
use super::conditional_access::{Proof, state};
use crate::caller::{Caller, Role};
use crate::core::asked::FRESH_S;
use crate::core::device_key;
use crate::core::primary_token::{PrimaryToken, Strength};
use crate::error::Error;
use crate::store::{NewKey, Store, UserRow};

/// Seconds of an access token.
const LIFETIME_S: i64 = 30 * 60;

/// Whom a token of the device registration service stands for.
#[derive(Debug)]
pub struct Registrar {
    /// The user.
    pub caller: Caller,
    /// What the token says; nothing where a session was presented itself.
    pub(crate) claims: Option<AccessClaims>,
}

impl Cloud {
    /// Trades a user's session for a token of the device registration service.
    pub fn registration_token(
        &self,
        caller: &Caller,
        session: &str,
    ) -> Result<AccessAnswer, Error> {
        let Role::User(user) = caller.role() else {
            return Err(Error::Denied {
                who: caller.to_string(),
                need: "user: a device is joined by the user who will sign in there",
            });
        };
        // The pass was shown when the session was bought; the session is no newer proof.
        let (owner, bought) = self.user_session(session)?;
        if owner != user {
            return Err(Error::Unauthenticated);
        }
        let user = self.store().read(|db| Store::user(db, user))?;
        let how = (Strength::TemporaryAccessPass, bought);
        let for_whom = (DEVICE_REGISTRATION, None);
        self.access_answer(&user, how, for_whom, session, self.now())
    }

    /// An access token on the strength of a primary refresh token.
    pub(super) fn access_for_token(
        &self,
        user: &UserRow,
        token: &PrimaryToken,
        service: &str,
        presented: &str,
        now: Timestamp,
    ) -> Result<AccessAnswer, Error> {
        let how = (token.strength, token.signed_in);
        let for_whom = (service, Some(token.device));
        self.access_answer(user, how, for_whom, presented, now)
    }

    fn access_answer(
        &self,
        user: &UserRow,
        (strength, signed_in): (Strength, Timestamp),
        (service, deviceid): (&str, Option<Guid>),
        refresh_token: &str,
        now: Timestamp,
    ) -> Result<AccessAnswer, Error> {
        let mut amr = vec![strength.amr().to_owned(), AMR_MFA.to_owned()];
        if now.seconds_since(signed_in) <= FRESH_S {
            amr.push(AMR_FRESH.to_owned());
        }
        let tid = self.0.tenant_id;
        let exp = now.unix_seconds().saturating_add(LIFETIME_S);
        let claims = AccessClaims {
            aud: service.to_owned(),
            iss: format!("urn:uuid:{tid}"),
            iat: now.unix_seconds(),
            exp,
            auth_time: signed_in.unix_seconds(),
            oid: user.id,
            tid,
            upn: user.user_principal_name.clone(),
            amr,
            deviceid,
        };
        Ok(AccessAnswer {
            token_type: "Bearer".to_owned(),
            expires_in: (LIFETIME_S - 1).to_string(),
            ext_expires_in: "0".to_owned(),
            expires_on: exp.to_string(),
            resource: service.to_owned(),
            access_token: self.token_signer()?.sign(&claims)?,
            refresh_token: refresh_token.to_owned(),
        })
    }

    /// Whose token of the device registration service this is. A session is taken as well.
    pub fn registrar(&self, token: &str) -> Result<Registrar, Error> {
        let Some(claims) = self.claims_for(DEVICE_REGISTRATION, token)? else {
            return Ok(Registrar {
                caller: self.authenticate(token)?,
                claims: None,
            });
        };
        Ok(Registrar {
            caller: Caller::by_token(Role::User(claims.oid), "device registration".to_owned()),
            claims: Some(claims),
        })
    }

    /// Whose token for its own keys this is. A session is taken as well.
    pub fn myself(&self, token: &str) -> Result<Caller, Error> {
        match self.claims_for(OWN_KEYS, token)? {
            Some(claims) => Ok(Caller::by_claims(claims)),
            None => self.authenticate(token),
        }
    }

    /// What an access token for a service says; nothing where the text is none.
    fn claims_for(&self, service: &str, token: &str) -> Result<Option<AccessClaims>, Error> {
        if token.matches('.').count() != 2 || !token.starts_with("eyJ") {
            return Ok(None);
        }
        let (tenant, now) = (self.0.tenant_id, self.now());
        let claims = self.token_signer()?.verify(token, service, tenant, now)?;
        let user = self.store().read(|db| Store::user(db, claims.oid));
        let user = user.map_err(|_| Error::Unauthenticated)?;
        if !user.account_enabled {
            return Err(Error::Disabled(user.id));
        }
        Ok(Some(claims))
    }

    /// Registers a Windows Hello key for the user and the device that a fresh token names.
    pub fn provision_key(
        &self,
        registrar: &Registrar,
        request: &ProvisionKey,
    ) -> Result<ProvisionedKey, Error> {
        let denied = |need| Error::Denied {
            who: registrar.caller.to_string(),
            need,
        };
        let claims = registrar.claims.as_ref();
        let claims = claims.ok_or_else(|| denied("a token of the device registration service"))?;
        let device = claims
            .deviceid
            .ok_or_else(|| denied("a token that names a device"))?;
        let (caller, now) = (&registrar.caller, self.now());
        let proof = self
            .store()
            .read(|db| fresh_proof(db, caller, claims, now))?;
        let new = NewNgcKey {
            key_material: BASE64.encode(request.kngc.as_bytes()),
            device_id: device,
        };
        let key = device_key::ngc(&new, self.now())?;
        let id = Base64Url(key.key_identifier.clone());
        let new = NewKey {
            user: claims.oid,
            key: &key,
            display_name: "",
            is_attested: false,
            has_hmac_secret: false,
        };
        let detail = format!("key {id}, device {device}");
        self.add_key(&registrar.caller, &new, ("addHelloKey", &detail), &proof)?;
        Ok(ProvisionedKey {
            kid: BASE64.encode(&key.key_identifier),
            upn: claims.upn.clone(),
        })
    }
}

/// How the user of an access token proved itself, if that was just now and its device may still be used.
fn fresh_proof(
    db: &Connection,
    caller: &Caller,
    claims: &AccessClaims,
    now: Timestamp,
) -> Result<Proof, Error> {
    let denied = |need| Error::Denied {
        who: caller.to_string(),
        need,
    };
    let age_s = now.unix_seconds().saturating_sub(claims.auth_time);
    if age_s > FRESH_S || !claims.amr.iter().any(|amr| amr == AMR_FRESH) {
        return Err(denied("a sign-in of the last 15 minutes; sign in again"));
    }
    let device = match claims.deviceid {
        Some(id) => {
            let found = Store::device(db, id)?.filter(|found| found.device.account_enabled);
            Some(state(
                &found.ok_or_else(|| denied("a device that is enabled"))?,
            ))
        }
        None => None,
    };
    let strength = claims.amr.iter().find_map(|amr| Strength::of_amr(amr));
    Ok(Proof {
        strength: strength.unwrap_or(Strength::TemporaryAccessPass),
        device,
        age_s,
    })
}

/// How a caller proved itself who is about to change keys.
pub(super) fn proof_of(db: &Connection, caller: &Caller, now: Timestamp) -> Result<Proof, Error> {
    match caller.claims() {
        Some(claims) => fresh_proof(db, caller, claims, now),
        None => Ok(Proof::SESSION),
    }
}
