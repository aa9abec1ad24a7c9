//! Signing in at a device: nonce, primary refresh token, renewal, and the ticket for the ground in the answer.
//!
//! The order of the checks is: is this one of our devices, is it speaking now, then who the user is, and only then what
//! the user gets. Whatever is refused after the device has proven itself is in the audit log, and so is every ticket.

use cloud_api::Base64Url;
use cloud_api::conditional_access::{APP_KERBEROS, APP_SIGN_IN};
use cloud_api::jose::{self, Header, Jws, SessionCipher};
use cloud_api::prt::{
    Challenge, GRANT_REFRESH, HS256, IdClaims, RS256, TicketField, TokenAnswer, TokenRequest,
};
use cloud_api::session::{SessionKey, hs256};
use cloud_api::tokens::DEVICE_REGISTRATION;
use data_encoding::BASE64;
use subtle::ConstantTimeEq;
use types::{Guid, Timestamp};

use super::Cloud;
use super::conditional_access::PolicyRefusal;
use crate::core::assertion::AssertionFailure;
use crate::core::partial_ticket::{self, Lifetime, MintingKey, Subject};
use crate::core::primary_token::PrimaryToken;
use crate::core::refusal::SignInError;
use crate::core::{device_ca, wrapping};
use crate::error::Error;
use crate::store::{DeviceRow, Store, UserRow};

/// A signed request with what stands beside it in the form.
#[derive(Debug)]
pub struct TokenForm<'a> {
    /// The request.
    pub request: &'a str,
    /// Whether a ticket for the ground is asked for.
    pub tgt: bool,
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
    /// Activities and their details.
    told: Vec<(&'static str, String)>,
}

impl SignedIn {
    pub(super) fn new(user: UserRow, token: PrimaryToken) -> Self {
        Self {
            user,
            token,
            counter: None,
            told: Vec::new(),
        }
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
        let mut signed_in = self
            .prove(&request, &device, now)
            .and_then(|signed_in| self.check(signed_in, &device, APP_SIGN_IN, now))
            .inspect_err(|error| self.tell_refusal(&device, error, now))?;
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
            answer.tgt_ad = Some(self.ticket_field(&mut signed_in, &device, now, sealed)?);
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
        let token = PrimaryToken::open(presented, self.seal_key()?)
            .ok_or(SignInError::Token("is not one of this tenant"))?;
        self.check_proof_of_possession(jws, &token.session)?;
        let now = self.now();
        self.use_nonce(&request.request_nonce, now)?;
        let (device, user, key) = self.store().read(|db| {
            let device = Store::device(db, token.device)?;
            let user = Store::user(db, token.user).ok();
            let key = match token.strength.key_usage() {
                Some(usage) => Store::key_of_credential(db, usage, &token.credential)?,
                None => None,
            };
            Ok((device, user, key))
        })?;
        let device = device.ok_or(SignInError::DeviceGone)?;
        let mut signed_in = user
            .ok_or(SignInError::UserGone)
            .and_then(|user| match key {
                Some((_, key)) if key.user == user.id => Ok(user),
                None if token.strength.key_usage().is_none() => Ok(user),
                _ => Err(SignInError::KeyRemoved),
            })
            .and_then(|user| match now < token.expires {
                true => Ok(SignedIn::new(user, token)),
                false => Err(SignInError::Token("has ended; sign in again")),
            })
            .and_then(|signed_in| {
                let target = request.wanted_resource().unwrap_or(APP_SIGN_IN);
                self.check(signed_in, &device, target, now)
            })
            .inspect_err(|error| self.tell_refusal(&device, error, now))?;
        if let Some(resource) = request.wanted_resource() {
            return self.access(&signed_in, resource, presented, now);
        }
        let mut answer = self.answer(&signed_in, now)?;
        if form.tgt {
            let plain = |_: &Self, _: &SessionKey, key: &[u8; 32]| Ok(BASE64.encode(key));
            answer.tgt_ad = Some(self.ticket_field(&mut signed_in, &device, now, plain)?);
        }
        self.commit(&signed_in, "renew", now)?;
        self.sealed(&answer, &signed_in.token.session)
    }

    /// An access token, on the strength of a primary refresh token (MS-OAPXBC 3.2.5.1.3).
    fn access(
        &self,
        signed_in: &SignedIn,
        resource: &str,
        presented: &str,
        now: Timestamp,
    ) -> Result<Granted, SignInError> {
        if resource != DEVICE_REGISTRATION {
            let resource = resource.chars().take(100).collect();
            return Err(SignInError::Resource(resource));
        }
        let answer = self.access_for_token(&signed_in.user, &signed_in.token, presented, now)?;
        self.commit(signed_in, "issueAccessToken", now)?;
        self.sealed(&answer, &signed_in.token.session)
    }

    fn sealed(
        &self,
        answer: &impl serde::Serialize,
        session: &SessionKey,
    ) -> Result<Granted, SignInError> {
        let plain = serde_json::to_vec(answer).map_err(|_| NOT_JSON)?;
        let plain = zeroize::Zeroizing::new(plain);
        let cipher = self.0.compatibility.response_cipher;
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

    fn check_proof_of_possession(
        &self,
        jws: &Jws,
        session: &SessionKey,
    ) -> Result<(), SignInError> {
        let context = jws.header.ctx.as_deref().map(Base64Url::parse);
        let Some(Ok(context)) = context else {
            return Err(SignInError::Request("the header has no ctx".to_owned()));
        };
        let key = match jws.header.kdf_ver {
            Some(2) => session.derive_for(&context.0, &jws.payload),
            None | Some(1) if self.0.compatibility.first_key_derivation => {
                session.derive(&context.0)
            }
            _ => {
                let why = "kdf_ver 2 is wanted; this tenant takes no other derivation";
                return Err(SignInError::Request(why.to_owned()));
            }
        };
        let right = hs256(&key, jws.signed.as_bytes());
        if right.ct_eq(&jws.signature).into() {
            Ok(())
        } else {
            Err(SignInError::Token("is not in the hands of its device"))
        }
    }

    pub(super) fn use_nonce(&self, nonce: &str, now: Timestamp) -> Result<(), SignInError> {
        if self.0.nonces.take(nonce, now) {
            Ok(())
        } else {
            Err(SignInError::Nonce)
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
        let allowed = self.policies_allow(&signed_in.token, device, target, now);
        let reports = allowed.map_err(|refusal| match refusal {
            PolicyRefusal::Inside(error) => SignInError::Inside(error),
            PolicyRefusal::Policy {
                name,
                why,
                is_blocked,
            } => SignInError::Policy {
                name,
                why,
                is_blocked,
            },
        })?;
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
            kerberos_top_level_names: None,
        })
    }

    /// The ticket for the ground, or why there is none.
    fn ticket_field(
        &self,
        signed_in: &mut SignedIn,
        device: &DeviceRow,
        now: Timestamp,
        show_key: impl FnOnce(&Self, &SessionKey, &[u8; 32]) -> Result<String, jose::JoseError>,
    ) -> Result<String, SignInError> {
        let field = match self.mint(signed_in, device, now)? {
            Ok((minting, account, ticket)) => TicketField {
                client_key: Some(show_key(
                    self,
                    &signed_in.token.session,
                    ticket.client_key.expose(),
                )?),
                key_type: AES256,
                error: None,
                message_buffer: Some(BASE64.encode(&ticket.message)),
                sn: Some(format!("krbtgt/{}", minting.realm)),
                realm: Some(minting.realm),
                cn: Some(account),
                session_key_type: AES256,
                account_type: 1,
            },
            Err(why) => TicketField {
                error: Some(why),
                ..TicketField::default()
            },
        };
        Ok(serde_json::to_string(&field).map_err(|_| NOT_JSON)?)
    }

    fn mint(
        &self,
        signed_in: &mut SignedIn,
        device: &DeviceRow,
        now: Timestamp,
    ) -> Result<Result<(MintingKey, String, partial_ticket::PartialTicket), String>, SignInError>
    {
        let SignedIn {
            user, token, told, ..
        } = signed_in;
        let none = |why: &str| Ok(Err(why.to_owned()));
        if !token.strength.is_phishing_resistant() {
            return none("the sign-in is not strong enough for a ticket");
        }
        let ground = &user.on_premises;
        let (Some(sid), Some(account), Some(domain)) = (
            &ground.on_premises_security_identifier,
            &ground.on_premises_sam_account_name,
            &ground.on_premises_domain_name,
        ) else {
            return none("the user has no account on the ground");
        };
        let domain = domain.to_ascii_lowercase();
        let found = self.store().read(|db| Store::minting_key(db, &domain))?;
        let Some(found) = found else {
            return none("the user's domain has no Kerberos server object in this cloud");
        };
        let (server, version) = (found.server, found.version);
        if sid.domain().as_ref() != Some(&server.domain_sid) {
            return none("the user's SID is not of the domain of the Kerberos server object");
        }
        match self.policies_allow(token, device, APP_KERBEROS, now) {
            Ok(reports) => told.extend(reports.into_iter().map(|report| ("reportPolicy", report))),
            Err(PolicyRefusal::Inside(error)) => return Err(error.into()),
            Err(PolicyRefusal::Policy { name, why, .. }) => {
                let why = format!("policy '{name}' refuses the ticket: {why}");
                told.push(("refuseTicket", why.clone()));
                return Ok(Err(why));
            }
        }
        let minting = MintingKey {
            realm: server.realm,
            netbios: server.netbios_name,
            number: server.number,
            version,
            key: found.key,
        };
        let subject = Subject {
            account,
            display_name: &user.display_name,
            sid,
        };
        let ticket = self.with_entropy(|entropy| {
            partial_ticket::mint(&minting, &subject, Lifetime::default(), now, entropy)
        });
        let ticket = match ticket {
            Ok(ticket) => ticket,
            Err(error) => return Ok(Err(error.to_string())),
        };
        let detail = format!(
            "partial ticket for {account}@{}, number {}, version {version}, device {}",
            minting.realm, minting.number, token.device
        );
        told.push(("issueTicket", detail));
        Ok(Ok((minting, account.clone(), ticket)))
    }

    /// Writes all that a sign-in leaves behind, in one transaction, before its answer goes out.
    fn commit(
        &self,
        signed_in: &SignedIn,
        activity: &str,
        now: Timestamp,
    ) -> Result<(), SignInError> {
        let SignedIn {
            user,
            token,
            counter,
            told,
        } = signed_in;
        let detail = format!(
            "device {}, by {} {}",
            token.device,
            token.strength.amr(),
            Base64Url(token.credential.clone())
        );
        let (who, id) = (format!("user {}", user.id), user.id.to_string());
        let is_counted = self.store().write(|db| {
            if let Some((key, counter)) = counter
                && !Store::keep_counter(db, *key, *counter)?
            {
                return Ok(false);
            }
            Store::append_audit(db, now, activity, &who, &id, &detail)?;
            for (activity, detail) in told {
                Store::append_audit(db, now, activity, &who, &id, detail)?;
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
    fn tell_refusal(&self, device: &DeviceRow, error: &SignInError, now: Timestamp) {
        let id = device.device.id.to_string();
        let (who, why) = (format!("device {id}"), error.to_string());
        let written = self
            .store()
            .write(|db| Store::append_audit(db, now, "refuseSignIn", &who, &id, &why));
        if let Err(error) = written {
            tracing::error!(%error, "A refusal could not be written to the audit log");
        }
    }
}

const AES256: u32 = 18;
const NOT_JSON: Error = Error::Internal("an answer cannot be written as JSON");

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
