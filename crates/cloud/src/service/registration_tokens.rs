//! Access tokens of the device registration service, and Windows Hello keys that a device registers with one
//! (MS-OAPXBC 3.2.5.1.3, MS-KPP 3.1.5.1.1).

use cloud_api::Base64Url;
use cloud_api::devicekeys::NewNgcKey;
use cloud_api::hello::{ProvisionKey, ProvisionedKey};
use cloud_api::tokens::{AMR_FRESH, AMR_MFA, AccessAnswer, AccessClaims, DEVICE_REGISTRATION};
use data_encoding::BASE64;
use types::{Guid, Timestamp};

use super::Cloud;
use super::conditional_access::{Proof, state};
use crate::caller::{Caller, Role};
use crate::core::device_key;
use crate::core::primary_token::{PrimaryToken, Strength};
use crate::error::Error;
use crate::store::{NewKey, Store, UserRow};

/// Seconds of an access token.
const LIFETIME_S: i64 = 30 * 60;
/// A proof is fresh for so many seconds: a key is registered by somebody who is there.
const FRESH_S: i64 = 15 * 60;

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
        let user = self.store().read(|db| Store::user(db, user))?;
        let now = self.now();
        let how = (Strength::TemporaryAccessPass, now);
        self.access_answer(&user, how, None, session, now)
    }

    /// An access token on the strength of a primary refresh token.
    pub(super) fn access_for_token(
        &self,
        user: &UserRow,
        token: &PrimaryToken,
        presented: &str,
        now: Timestamp,
    ) -> Result<AccessAnswer, Error> {
        let how = (token.strength, token.signed_in);
        self.access_answer(user, how, Some(token.device), presented, now)
    }

    fn access_answer(
        &self,
        user: &UserRow,
        (strength, signed_in): (Strength, Timestamp),
        deviceid: Option<Guid>,
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
            aud: DEVICE_REGISTRATION.to_owned(),
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
            resource: DEVICE_REGISTRATION.to_owned(),
            access_token: self.token_signer()?.sign(&claims)?,
            refresh_token: refresh_token.to_owned(),
        })
    }

    /// Whose token of the device registration service this is. A session is taken as well.
    pub fn registrar(&self, token: &str) -> Result<Registrar, Error> {
        if token.matches('.').count() != 2 || !token.starts_with("eyJ") {
            let caller = self.authenticate(token)?;
            return Ok(Registrar {
                caller,
                claims: None,
            });
        }
        let (tenant, now) = (self.0.tenant_id, self.now());
        let signer = self.token_signer()?;
        let claims = signer.verify(token, DEVICE_REGISTRATION, tenant, now)?;
        let user = self.store().read(|db| Store::user(db, claims.oid));
        let user = user.map_err(|_| Error::Unauthenticated)?;
        if !user.account_enabled {
            return Err(Error::Disabled(user.id));
        }
        Ok(Registrar {
            caller: Caller::by_token(Role::User(user.id), "device registration".to_owned()),
            claims: Some(claims),
        })
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
        if !claims.amr.iter().any(|amr| amr == AMR_FRESH) {
            return Err(denied("a sign-in of the last 15 minutes; sign in again"));
        }
        let found = self.store().read(|db| Store::device(db, device))?;
        let found = found.filter(|found| found.device.account_enabled);
        let found = found.ok_or_else(|| denied("a device that is enabled"))?;
        let strength = claims.amr.iter().find_map(|amr| Strength::of_amr(amr));
        let proof = Proof {
            strength: strength.unwrap_or(Strength::TemporaryAccessPass),
            device: Some(state(&found)),
            age_s: self.now().unix_seconds().saturating_sub(claims.auth_time),
        };
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
