//! How a user proves itself in the first request of a device: by security key, by Windows Hello key, or by a session.

use cloud_api::Base64Url;
use cloud_api::hello;
use cloud_api::jose::Jws;
use cloud_api::prt::{FidoAssertion, GRANT_JWT, GRANT_REFRESH, TokenRequest};
use cloud_api::session::SessionKey;
use keycred::KeyUsage;
use types::{Secret, Timestamp};

use super::Cloud;
use super::sign_in::SignedIn;
use crate::core::primary_token::{PrimaryToken, Strength};
use crate::core::refusal::SignInError;
use crate::core::{assertion, hello as hello_key};
use crate::store::{DeviceRow, Store, UserRow};

/// A security key that signed.
pub(super) struct SignedBy {
    pub(super) user: UserRow,
    /// The key's row.
    pub(super) key: i64,
    /// Its new counter.
    pub(super) counter: u32,
    /// COSE_Key, as the key itself wrote it at its registration.
    pub(super) public_key: Option<Vec<u8>>,
}

impl Cloud {
    /// Who the user is, by whatever proof the request brings.
    pub(super) fn prove(
        &self,
        request: &TokenRequest,
        device: &DeviceRow,
        now: Timestamp,
    ) -> Result<SignedIn, SignInError> {
        match request.grant_type.as_str() {
            GRANT_JWT => {
                let text = request.assertion.as_deref().unwrap_or_default();
                let jws = Jws::parse(text)?;
                match jws.header.key_use.as_deref() {
                    Some(hello::USE) => self.prove_by_hello(&jws, request, device, now),
                    _ => self.prove_by_key(text, request, device, now),
                }
            }
            GRANT_REFRESH => self.prove_by_session(request, device, now),
            other => Err(SignInError::GrantType(other.to_owned())),
        }
    }

    fn prove_by_key(
        &self,
        text: &str,
        request: &TokenRequest,
        device: &DeviceRow,
        now: Timestamp,
    ) -> Result<SignedIn, SignInError> {
        let (credential, signed) = FidoAssertion::of_text(text)?;
        let by = self.key_that_signed(&credential, &signed, &request.request_nonce)?;
        let mut signed_in = self.proven(by.user, device, Strength::Fido2, credential, now);
        signed_in.counter = Some((by.key, by.counter));
        signed_in.public_key = by.public_key;
        Ok(signed_in)
    }

    /// Whose security key signed a nonce.
    pub(super) fn key_that_signed(
        &self,
        credential: &[u8],
        signed: &FidoAssertion,
        nonce: &str,
    ) -> Result<SignedBy, SignInError> {
        let found = self.store().read(|db| {
            let Some((id, key)) = Store::key_of_credential(db, KeyUsage::FIDO, credential)? else {
                return Ok(None);
            };
            let counter = Store::key_counter(db, id)?;
            Ok(Some((
                Store::tenant(db)?,
                Store::user(db, key.user)?,
                id,
                key,
                counter,
            )))
        })?;
        let (tenant, user, id, key, counter) = found.ok_or(SignInError::KeyUnknown)?;
        let handle_is_other = |handle: &Base64Url| !handle.0.ends_with(&user.handle);
        if signed.user_handle.as_ref().is_some_and(handle_is_other) {
            return Err(SignInError::KeyUnknown);
        }
        let material = &key.key.key_material;
        let counter = assertion::verify(signed, nonce, &tenant.rp, material, counter)?;
        Ok(SignedBy {
            user,
            key: id,
            counter,
            public_key: assertion::registered_key(material).map(|key| key.raw),
        })
    }

    /// The key must be of the device that asks, and must have signed the request's nonce.
    fn prove_by_hello(
        &self,
        jws: &Jws,
        request: &TokenRequest,
        device: &DeviceRow,
        now: Timestamp,
    ) -> Result<SignedIn, SignInError> {
        let kid = jws.header.kid.as_deref().unwrap_or_default();
        let kid = Base64Url::parse(kid)
            .map_err(|_| SignInError::KeyUnknown)?
            .0;
        let found = self.store().read(|db| {
            let found = Store::key_of_credential(db, KeyUsage::NGC, &kid)?;
            let with_user = |(_, key): (_, crate::store::KeyRow)| {
                Store::user(db, key.user).map(|user| (user, key))
            };
            found.map(with_user).transpose()
        })?;
        let (user, key) = found.ok_or(SignInError::KeyUnknown)?;
        if key.key.device_id != Some(device.device.id) {
            return Err(SignInError::Hello("is of another device's key"));
        }
        let upn = &user.user_principal_name;
        let claims = hello_key::verify(jws, &key.key.key_material, upn, now)?;
        if claims.request_nonce != request.request_nonce {
            if !self.0.compatibility.any_fresh_assertion_nonce {
                return Err(SignInError::Hello(
                    "answers another nonce than the request's",
                ));
            }
            self.use_nonce(&claims.request_nonce, now)?;
        }
        Ok(self.proven(user, device, Strength::WindowsHello, kid, now))
    }

    /// A session that a temporary access pass bought: enough to begin with, not enough for a ticket by default.
    fn prove_by_session(
        &self,
        request: &TokenRequest,
        device: &DeviceRow,
        now: Timestamp,
    ) -> Result<SignedIn, SignInError> {
        let session = request.refresh_token.as_deref().unwrap_or_default();
        let (user, bought) = self
            .user_session(session)
            .map_err(|_| SignInError::Session)?;
        let user = self.store().read(|db| Store::user(db, user))?;
        let strength = Strength::TemporaryAccessPass;
        let mut signed_in = self.proven(user, device, strength, Vec::new(), now);
        // The pass was shown when the session was bought; the session is no newer proof.
        signed_in.token.signed_in = bought;
        signed_in.token.expires = strength.ends(bought, now);
        Ok(signed_in)
    }

    fn proven(
        &self,
        user: UserRow,
        device: &DeviceRow,
        strength: Strength,
        credential: Vec<u8>,
        now: Timestamp,
    ) -> SignedIn {
        let token = PrimaryToken {
            user: user.id,
            device: device.device.id,
            device_since: device.device.registration_date_time,
            credential,
            strength,
            session: self.with_entropy(SessionKey::random),
            signed_in: now,
            expires: strength.ends(now, now),
        };
        SignedIn::new(user, token)
    }

    /// The same token, prolonged as far as its strength allows.
    pub(super) fn renewed(token: &PrimaryToken, now: Timestamp) -> PrimaryToken {
        PrimaryToken {
            expires: token.strength.ends(token.signed_in, now),
            credential: token.credential.clone(),
            session: SessionKey::new(Secret::new(*token.session.expose())),
            ..*token
        }
    }
}
