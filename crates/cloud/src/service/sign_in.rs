//! Signing in at a device: nonce, primary refresh token, renewal, and the ticket for the ground in the answer.
//!
//! The order of the checks is: is this one of our devices, is it speaking now, then who the user is, and only then what
//! the user gets. Whatever is refused after the device has proven itself is in the audit log, and so is every ticket.

use cloud_api::Base64Url;
use cloud_api::conditional_access::APP_SIGN_IN;
use cloud_api::jose::{self, Header, Jws, SessionCipher};
use cloud_api::prt::{
    Challenge, GRANT_REFRESH, HS256, IdClaims, RS256, TokenAnswer, TokenRequest, Wanted,
};
use cloud_api::session::SessionKey;
use cloud_api::tokens::{DEVICE_REGISTRATION, OWN_KEYS};
use data_encoding::BASE64;
use types::{Guid, Timestamp};

use super::Cloud;
use crate::core::application_token::{ApplicationError, Proof};
use crate::core::assertion::AssertionFailure;
use crate::core::authorization::client_id;
use crate::core::primary_token::PrimaryToken;
use crate::core::refusal::SignInError;
use crate::core::{device_ca, wrapping};
use crate::error::Error;
use crate::store::{About, DeviceRow, Store, UserRow};

/// A signed request with what stands beside it in the form.
#[derive(Debug)]
pub struct TokenForm<'a> {
    /// The request.
    pub request: &'a str,
    /// Whether a ticket for the ground is asked for.
    pub tgt: bool,
    /// Whether the form is of protocol 3 (`prt_protocol_version`).
    pub is_protocol_3: bool,
}

/// What a granted request gets.
#[derive(Debug)]
pub enum Granted {
    /// The first answer of a device: plain.
    Plain(Box<TokenAnswer>),
    /// A later one: a compact JWE under the session key.
    Sealed(String),
}

/// A user at a device, both looked up just now, and what is to be written before the answer goes out.
pub(super) struct SignedIn {
    pub(super) user: UserRow,
    pub(super) token: PrimaryToken,
    /// The key's row and its new counter.
    pub(super) counter: Option<(i64, u32)>,
    /// The key that signed just now.
    pub(super) public_key: Option<Vec<u8>>,
    /// Activities and their details.
    pub(super) told: Vec<(&'static str, String)>,
}

impl SignedIn {
    pub(super) fn new(user: UserRow, token: PrimaryToken) -> Self {
        Self {
            user,
            token,
            counter: None,
            public_key: None,
            told: Vec::new(),
        }
    }

    /// What records of this sign-in are about.
    pub(super) fn about(&self) -> About<'static> {
        about(&self.token)
    }
}

pub(super) fn about(token: &PrimaryToken) -> About<'static> {
    About {
        user: Some(token.user),
        device: Some(token.device),
        application: None,
        method: Some(token.strength.amr()),
    }
}

impl Cloud {
    /// A nonce that works once, for five minutes.
    pub fn challenge(&self) -> Challenge {
        let now = self.now();
        let nonce = self.with_entropy(|entropy| self.0.nonces.issue(now, entropy));
        Challenge { nonce }
    }

    /// Answers a signed request.
    pub fn token(&self, form: &TokenForm<'_>) -> Result<Granted, SignInError> {
        let jws = Jws::parse(form.request)?;
        match jws.header.alg.as_str() {
            RS256 => self.first(&jws, form),
            HS256 => self.renewal(&jws, form),
            _ => Err(jws.must_be("RS256 or HS256").err().map_or(
                SignInError::Request("the request is not signed".to_owned()),
                SignInError::from,
            )),
        }
    }

    /// The first request of a device: signed with its device key, and the user proves itself.
    fn first(&self, jws: &Jws, form: &TokenForm<'_>) -> Result<Granted, SignInError> {
        let device = self.device_that_signed(jws)?;
        let request: TokenRequest = jws.claims()?;
        let now = self.now();
        self.use_nonce(&request.request_nonce, now)?;
        let mut about = About {
            device: Some(device.device.id),
            ..About::default()
        };
        let mut signed_in = self
            .prove(&request, &device, now)
            .and_then(|signed_in| {
                about = signed_in.about();
                self.check(signed_in, &device, APP_SIGN_IN, now)
            })
            .inspect_err(|error| self.tell_refusal(about, error, now))?;
        let session_key = self.with_entropy(|entropy| {
            wrapping::session_key_jwe(&device.transport_key, &signed_in.token.session, entropy)
        })?;
        let mut answer = self.answer(&signed_in, now)?;
        answer.session_key_jwe = Some(session_key);
        if form.tgt {
            let sealed = |cloud: &Self, session: &SessionKey, key: &[u8; 32]| {
                cloud.with_entropy(|entropy| {
                    jose::seal(&key[..], session, SessionCipher::A256Gcm, entropy)
                })
            };
            self.put_ticket(&mut answer, &mut signed_in, &device, now, sealed)?;
        }
        self.commit(&signed_in, "signIn", now)?;
        Ok(Granted::Plain(Box::new(answer)))
    }

    /// A later request: signed with a key derived from the session key, on the strength of the token.
    fn renewal(&self, jws: &Jws, form: &TokenForm<'_>) -> Result<Granted, SignInError> {
        let request: TokenRequest = jws.claims()?;
        if request.grant_type != GRANT_REFRESH {
            return Err(SignInError::GrantType(request.grant_type));
        }
        let presented = request.refresh_token.as_deref().unwrap_or_default();
        let now = self.now();
        let (device, signed_in) = self.held_token(jws, presented, &request.request_nonce, now)?;
        let target = match request.wanted() {
            Wanted::Application => return self.application(signed_in, &request, form, now),
            Wanted::Service(service) => service,
            Wanted::Primary => APP_SIGN_IN,
        };
        let about = signed_in.about();
        let mut signed_in = self
            .check(signed_in, &device, target, now)
            .inspect_err(|error| self.tell_refusal(about, error, now))?;
        if let Wanted::Service(service) = request.wanted() {
            return self.access(&signed_in, service, presented, form, now);
        }
        let mut answer = self.answer(&signed_in, now)?;
        if form.tgt {
            let plain = |_: &Self, _: &SessionKey, key: &[u8; 32]| Ok(BASE64.encode(key));
            self.put_ticket(&mut answer, &mut signed_in, &device, now, plain)?;
        }
        self.commit(&signed_in, "renew", now)?;
        self.sealed(&answer, &signed_in.token.session, form)
    }

    /// Tokens of the application that asks through its device. A refresh token is always among them.
    fn application(
        &self,
        signed_in: SignedIn,
        request: &TokenRequest,
        form: &TokenForm<'_>,
        now: Timestamp,
    ) -> Result<Granted, SignInError> {
        let client = client_id(&request.client_id).map_err(SignInError::Request)?;
        let scope = format!("{} offline_access", request.scope.trim());
        let proof = Proof::by_token(&signed_in.token, now);
        let answer = self.tokens_for_device(&client, &scope, proof, now);
        let answer = answer.map_err(|error| match error {
            ApplicationError::SignIn(error) => error,
            other => SignInError::Request(other.to_string()),
        })?;
        self.sealed(&answer, &signed_in.token.session, form)
    }

    /// An access token, on the strength of a primary refresh token (MS-OAPXBC 3.2.5.1.3).
    fn access(
        &self,
        signed_in: &SignedIn,
        service: &str,
        presented: &str,
        form: &TokenForm<'_>,
        now: Timestamp,
    ) -> Result<Granted, SignInError> {
        let known = [DEVICE_REGISTRATION, OWN_KEYS];
        let Some(service) = known.into_iter().find(|known| *known == service) else {
            let service = service.chars().take(100).collect();
            return Err(SignInError::Resource(service));
        };
        let SignedIn { user, token, .. } = signed_in;
        let answer = self.access_for_token(user, token, service, presented, now)?;
        self.commit(signed_in, "issueAccessToken", now)?;
        self.sealed(&answer, &token.session, form)
    }

    fn sealed(
        &self,
        answer: &impl serde::Serialize,
        session: &SessionKey,
        form: &TokenForm<'_>,
    ) -> Result<Granted, SignInError> {
        let plain = serde_json::to_vec(answer).map_err(|_| NOT_JSON)?;
        let plain = zeroize::Zeroizing::new(plain);
        // Clients of protocol 3 read the true form.
        let cipher = match form.is_protocol_3 {
            true => SessionCipher::A256Gcm,
            false => self.0.compatibility.response_cipher,
        };
        let sealed = self.with_entropy(|entropy| jose::seal(&plain, session, cipher, entropy))?;
        Ok(Granted::Sealed(sealed))
    }

    /// The device whose certificate the request carries, if its key signed the request.
    fn device_that_signed(&self, jws: &Jws) -> Result<DeviceRow, SignInError> {
        let named = jws
            .header
            .x5c
            .first()
            .and_then(|x5c| device_ca::device_of(x5c));
        let (id, key) = named.ok_or(SignInError::Device)?;
        let device = self.store().read(|db| Store::device(db, id))?;
        let device = device.ok_or(SignInError::Device)?;
        let is_proven = device.device_key == key
            && device_ca::is_signed_by(&key, jws.signed.as_bytes(), &jws.signature);
        if is_proven {
            Ok(device)
        } else {
            Err(SignInError::Device)
        }
    }

    /// What stops everybody, whatever the proof.
    fn check(
        &self,
        mut signed_in: SignedIn,
        device: &DeviceRow,
        target: &str,
        now: Timestamp,
    ) -> Result<SignedIn, SignInError> {
        if !signed_in.user.account_enabled {
            return Err(SignInError::UserDisabled);
        }
        if !device.device.account_enabled {
            return Err(SignInError::DeviceDisabled);
        }
        let reports = self.policies_allow(&signed_in.token, device, target, now)?;
        let told = reports.into_iter().map(|report| ("reportPolicy", report));
        signed_in.told.extend(told);
        Ok(signed_in)
    }

    fn answer(&self, signed_in: &SignedIn, now: Timestamp) -> Result<TokenAnswer, SignInError> {
        let SignedIn { user, token, .. } = signed_in;
        let renewed = Self::renewed(token, now);
        let lifetime_s = renewed.expires.seconds_since(now);
        let seal = self.seal_key()?;
        let sealed = self.with_entropy(|entropy| renewed.seal(seal, entropy));
        let tenant = self.0.tenant_id;
        let client_info = format!(r#"{{"uid":"{}","utid":"{tenant}"}}"#, user.id);
        Ok(TokenAnswer {
            token_type: "Bearer".to_owned(),
            expires_in: (lifetime_s - 1).to_string(),
            ext_expires_in: "0".to_owned(),
            expires_on: renewed.expires.unix_seconds().to_string(),
            refresh_token: sealed.ok_or(NOT_JSON)?,
            refresh_token_expires_in: lifetime_s - 1,
            session_key_jwe: None,
            id_token: id_token(user, tenant)?,
            client_info: Base64Url(client_info.into_bytes()).to_string(),
            device_tenant_id: tenant,
            tgt_ad: None,
            tgt_client_key: None,
            tgt_key_type: None,
            tgt_message_buffer: None,
            tgt_cloud: None,
            credential_public_key: signed_in.public_key.clone().map(Base64Url),
            kerberos_top_level_names: None,
        })
    }

    /// Writes all that a sign-in leaves behind, in one transaction, before its answer goes out.
    fn commit(
        &self,
        signed_in: &SignedIn,
        activity: &str,
        now: Timestamp,
    ) -> Result<(), SignInError> {
        let SignedIn {
            token,
            counter,
            told,
            ..
        } = signed_in;
        let detail = format!(
            "device {}, by {} {}",
            token.device,
            token.strength.amr(),
            Base64Url(token.credential.clone())
        );
        let about = signed_in.about();
        let is_counted = self.store().write(|db| {
            if let Some((key, counter)) = counter
                && !Store::keep_counter(db, *key, *counter)?
            {
                return Ok(false);
            }
            self.tell_sign_in(db, now, activity, about, &detail)?;
            for (activity, detail) in told {
                self.tell_sign_in(db, now, activity, about, detail)?;
            }
            Ok(true)
        })?;
        match (is_counted, counter) {
            // Another sign-in with the same or a later counter was quicker.
            (false, Some((_, now))) => Err(AssertionFailure::Counter {
                before: *now,
                now: *now,
            }
            .into()),
            _ => Ok(()),
        }
    }

    /// A refusal to one of our devices; the refusal itself matters more than its line.
    pub(super) fn tell_refusal(&self, about: About<'_>, error: &SignInError, now: Timestamp) {
        let why = error.to_string();
        let written = self
            .store()
            .write(|db| self.tell_sign_in(db, now, "refuseSignIn", about, &why));
        if let Err(error) = written {
            tracing::error!(%error, "A refusal could not be written to the audit log");
        }
    }
}

pub(super) const NOT_JSON: Error = Error::Internal("an answer cannot be written as JSON");

/// Who signed in, for the device to show. It proves nothing to anybody, so it is not signed; tokens for others are.
fn id_token(user: &UserRow, tenant: Guid) -> Result<String, jose::JoseError> {
    let header = Header {
        alg: "none".to_owned(),
        typ: Some("JWT".to_owned()),
        ..Header::default()
    };
    let claims = IdClaims {
        name: user.display_name.clone(),
        oid: user.id,
        tid: tenant,
        preferred_username: user.user_principal_name.clone(),
        upn: user.user_principal_name.clone(),
    };
    Ok(Jws::text(&Jws::signing_input(&header, &claims)?, b""))
}
