//! Applications: authorization with code and PKCE, device codes.
//!
//! A user signs in on our own page with a security key. Codes and sign-ins that have begun live in memory: what a restart
//! forgets is begun anew.

use cloud_api::Base64Url;
use cloud_api::oidc::{DeviceAuthorization, Discovery, GRANT_CODE, GRANT_DEVICE_CODE, KeySet};
use cloud_api::prt::{FidoAssertion, GRANT_REFRESH};
use types::Timestamp;

use super::Cloud;
use crate::core::application_token::{ApplicationError, ApplicationToken, FAMILY_S, Proof};
use crate::core::authorization::{Authorization, client_id};
use crate::core::expiring::Expiring;
use crate::error::Error;
use crate::store::Store;

/// Seconds to sign in on the page.
const SIGN_IN_S: i64 = 10 * 60;
/// Seconds of a code (RFC 6749 section 4.1.2 allows ten minutes).
pub(super) const CODE_S: i64 = 60;
/// Seconds of a device code.
const DEVICE_CODE_S: i64 = 15 * 60;
/// Seconds between polls.
pub(super) const INTERVAL_S: i64 = 5;
/// No vowels and no digits that look like letters: a user code spells nothing.
const USER_CODE_LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// What is under way.
#[derive(Default)]
pub(super) struct Applications {
    sign_ins: Expiring<Purpose>,
    pub(super) codes: Expiring<(Authorization, Proof)>,
    /// What codes were traded for, as long as they would have lasted.
    pub(super) redeemed: Expiring<ApplicationToken>,
    pub(super) devices: Expiring<Waiting>,
    /// Device codes by user code.
    user_codes: Expiring<String>,
}

/// What a sign-in on the page is for.
#[derive(Debug, Clone)]
enum Purpose {
    Redirect(Box<Authorization>),
    /// A device code, its user code and its application.
    Device(String, String, String),
}

impl Purpose {
    fn client_id(&self) -> &str {
        match self {
            Self::Redirect(authorization) => &authorization.client_id,
            Self::Device(_, _, client_id) => client_id,
        }
    }
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) client_id: String,
    pub(super) scope: String,
    pub(super) polled: Option<Timestamp>,
    pub(super) proof: Option<Proof>,
}

/// What the page does after a sign-in.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Finished {
    /// Goes on to the application.
    Redirect(String),
    /// Tells the user to go back to the device.
    Device,
}

impl Cloud {
    /// Where an application finds everything.
    pub fn discovery(&self) -> Result<Discovery, Error> {
        let (base, tenant) = (self.base()?, self.0.tenant_id);
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Ok(Discovery {
            issuer: self.issuer()?,
            authorization_endpoint: format!("{base}/{tenant}/oauth2/v2.0/authorize"),
            token_endpoint: format!("{base}/{tenant}/oauth2/v2.0/token"),
            device_authorization_endpoint: format!("{base}/{tenant}/oauth2/v2.0/devicecode"),
            jwks_uri: format!("{base}/{tenant}/discovery/keys"),
            response_types_supported: list(&["code"]),
            response_modes_supported: list(&["query"]),
            grant_types_supported: list(&[GRANT_CODE, GRANT_REFRESH, GRANT_DEVICE_CODE]),
            subject_types_supported: list(&["public"]),
            id_token_signing_alg_values_supported: list(&["RS256"]),
            code_challenge_methods_supported: list(&["S256"]),
            token_endpoint_auth_methods_supported: list(&["none"]),
            scopes_supported: list(&["openid", "profile", "offline_access"]),
            claims_supported: list(&[
                "iss",
                "sub",
                "aud",
                "iat",
                "exp",
                "auth_time",
                "nonce",
                "oid",
                "tid",
                "name",
                "preferred_username",
                "amr",
                "acrs",
                "deviceid",
            ]),
            claims_parameter_supported: true,
            prompt_values_supported: list(&["none", "login", "select_account", "consent"]),
            capabilities: list(&["kdf_ver2"]),
        })
    }

    /// The keys of the signatures.
    pub fn key_set(&self) -> Result<KeySet, Error> {
        Ok(KeySet {
            keys: vec![self.token_signer()?.public()?],
        })
    }

    /// Begins a sign-in on the page for a redirect.
    pub(crate) fn begin_authorization(&self, request: Authorization) -> Option<String> {
        self.begin(Purpose::Redirect(Box::new(request)))
    }

    /// Begins a sign-in on the page for the device that shows this code; also gives the application's name.
    pub(crate) fn begin_device_sign_in(&self, user_code: &str) -> Option<(String, String)> {
        let now = self.now();
        let typed: String = user_code
            .chars()
            .filter(char::is_ascii_alphabetic)
            .map(|c| c.to_ascii_uppercase())
            .take(16)
            .collect();
        let under_way = &self.0.applications;
        let device = under_way
            .user_codes
            .with(&typed, now, |code| code.clone())?;
        let client_id = under_way
            .devices
            .with(&device, now, |waiting| waiting.client_id.clone())?;
        let id = self.begin(Purpose::Device(device, typed, client_id.clone()))?;
        Some((id, client_id))
    }

    fn begin(&self, purpose: Purpose) -> Option<String> {
        let (id, now) = (self.secret(), self.now());
        let ends = now.plus_seconds(SIGN_IN_S);
        let sign_ins = &self.0.applications.sign_ins;
        sign_ins.keep(&id, purpose, ends, now).then_some(id)
    }

    /// Begins on a device without a browser.
    pub fn device_authorization(
        &self,
        client: &str,
        scope: &str,
    ) -> Result<DeviceAuthorization, ApplicationError> {
        let client_id = client_id(client).map_err(ApplicationError::Request)?;
        let scope: String = scope.chars().take(1000).collect();
        let now = self.now();
        let device_code = self.secret();
        let letters = self.random::<8>();
        let user_code: String = letters
            .iter()
            .filter_map(|octet| {
                USER_CODE_LETTERS.get(usize::from(*octet) % USER_CODE_LETTERS.len())
            })
            .map(|letter| char::from(*letter))
            .collect();
        let waiting = Waiting {
            client_id,
            scope,
            polled: None,
            proof: None,
        };
        let (under_way, ends) = (&self.0.applications, now.plus_seconds(DEVICE_CODE_S));
        let is_kept = under_way.devices.keep(&device_code, waiting, ends, now)
            && under_way
                .user_codes
                .keep(&user_code, device_code.clone(), ends, now);
        if !is_kept {
            return Err(ApplicationError::SlowDown);
        }
        let (first, second) = user_code.split_at(user_code.len() / 2);
        let user_code = format!("{first}-{second}");
        let verification_uri = format!("{}/signin/device", self.base()?);
        Ok(DeviceAuthorization {
            message: format!(
                "Open {verification_uri} in a browser and enter the code {user_code}."
            ),
            device_code,
            user_code,
            verification_uri,
            expires_in: DEVICE_CODE_S,
            interval: INTERVAL_S,
        })
    }

    /// Whether a sign-in is still under way.
    pub(crate) fn is_under_way(&self, sign_in: &str) -> bool {
        let sign_ins = &self.0.applications.sign_ins;
        sign_ins.with(sign_in, self.now(), |_| ()).is_some()
    }

    /// What the key signed on the page ends the sign-in. A refused try may be followed by another.
    pub(crate) fn finish_sign_in(
        &self,
        sign_in: &str,
        nonce: &str,
        credential: &[u8],
        signed: &FidoAssertion,
    ) -> Result<Finished, ApplicationError> {
        let now = self.now();
        let under_way = &self.0.applications;
        let gone = || ApplicationError::Grant("sign-in");
        let purpose = under_way
            .sign_ins
            .with(sign_in, now, |purpose| purpose.clone());
        let purpose = purpose.ok_or_else(gone)?;
        self.use_nonce(nonce, now)?;
        let by = self.key_that_signed(credential, signed, nonce)?;
        let proof = Proof::by_touch(by.user.id, credential, now);
        let checked = self.check_application(&proof, purpose.client_id(), now);
        checked.inspect_err(|error| {
            self.tell_application(&proof, purpose.client_id(), "refuseSignIn", error, now);
        })?;
        if under_way.sign_ins.take(sign_in, now).is_none() {
            return Err(gone());
        }
        let about = proof.about(purpose.client_id());
        let detail = format!(
            "application {}, by fido {}",
            purpose.client_id(),
            proof.credential
        );
        let is_counted = self.store().write(|db| {
            if !Store::keep_counter(db, by.key, by.counter)? {
                return Ok(false);
            }
            self.tell_sign_in(db, now, "signInToApplication", about, &detail)?;
            Ok(true)
        })?;
        if !is_counted {
            return Err(gone());
        }
        match purpose {
            Purpose::Redirect(request) => {
                self.code_for(*request, proof, now).map(Finished::Redirect)
            }
            Purpose::Device(device, user_code, _) => {
                // A user code works once.
                under_way
                    .user_codes
                    .take(&user_code, now)
                    .ok_or_else(gone)?;
                let done = under_way
                    .devices
                    .with(&device, now, |waiting| waiting.proof = Some(proof));
                done.map(|()| Finished::Device).ok_or_else(gone)
            }
        }
    }

    /// Where the browser goes with a code for what it asked for.
    pub(super) fn code_for(
        &self,
        request: Authorization,
        proof: Proof,
        now: Timestamp,
    ) -> Result<String, ApplicationError> {
        let code = self.secret();
        let target = request.redirect_with("code", &code);
        let ends = now.plus_seconds(CODE_S);
        let codes = &self.0.applications.codes;
        let is_kept = codes.keep(&code, (request, proof), ends, now);
        is_kept.then_some(target).ok_or(ApplicationError::SlowDown)
    }

    fn secret(&self) -> String {
        Base64Url(self.random::<32>().to_vec()).to_string()
    }

    fn base(&self) -> Result<String, Error> {
        let origin = self.tenant()?.rp.origins.into_iter().next();
        origin.ok_or(Error::Internal("the tenant has no origin"))
    }

    pub(super) fn issuer(&self) -> Result<String, Error> {
        Ok(format!("{}/{}/v2.0", self.base()?, self.0.tenant_id))
    }
}

/// A family and the codes before it end together with the day; the compiler keeps the two in step.
const _: () = assert!(FAMILY_S > DEVICE_CODE_S);
