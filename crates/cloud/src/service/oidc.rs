//! Applications: authorization with code and PKCE, device codes, tokens, refreshing.
//!
//! A user signs in on our own page with a security key. Codes and sign-ins that have begun live in memory; what a token
//! stands on (user, key, policies) is looked up at each issue.

use cloud_api::Base64Url;
use cloud_api::oidc::{
    ApplicationAnswer, ApplicationClaims, DeviceAuthorization, Discovery, GRANT_CODE,
    GRANT_DEVICE_CODE, KeySet,
};
use cloud_api::prt::{FidoAssertion, GRANT_REFRESH};
use keycred::KeyUsage;
use types::{Guid, Timestamp};

use super::Cloud;
use crate::core::application_token::{ApplicationError, ApplicationToken, FAMILY_S, Proof};
use crate::core::authorization::{Authorization, client_id};
use crate::core::conditional_access::{self, Attempt};
use crate::core::expiring::Expiring;
use crate::core::primary_token::Strength;
use crate::core::refusal::SignInError;
use crate::error::Error;
use crate::store::{Store, UserRow};

/// Seconds to sign in on the page.
const SIGN_IN_S: i64 = 10 * 60;
/// Seconds of a code (RFC 6749 section 4.1.2 allows ten minutes).
const CODE_S: i64 = 60;
/// Seconds of a device code.
const DEVICE_CODE_S: i64 = 15 * 60;
/// Seconds between polls.
const INTERVAL_S: i64 = 5;
/// Seconds of an access token or id token.
const LIFETIME_S: i64 = 3600;
/// No vowels and no digits that look like letters: a user code spells nothing.
const USER_CODE_LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// What is under way.
#[derive(Default)]
pub(super) struct Applications {
    sign_ins: Expiring<Purpose>,
    codes: Expiring<(Authorization, Proof)>,
    devices: Expiring<Waiting>,
    /// Device codes by user code.
    user_codes: Expiring<String>,
    /// The next generation by family.
    generations: Expiring<u32>,
}

/// What a sign-in on the page is for.
#[derive(Debug, Clone)]
enum Purpose {
    Redirect(Authorization),
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
struct Waiting {
    client_id: String,
    scope: String,
    polled: Option<Timestamp>,
    proof: Option<Proof>,
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
            ]),
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
        self.begin(Purpose::Redirect(request))
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
        let (user, key, counter) = self.key_that_signed(credential, signed, nonce)?;
        let proof = Proof {
            user: user.id,
            credential: Base64Url(credential.to_vec()),
            signed_in: now,
        };
        let checked = self.check_application(&proof, purpose.client_id(), now);
        checked.inspect_err(|error| self.tell_application(&proof, "refuseSignIn", error, now))?;
        if under_way.sign_ins.take(sign_in, now).is_none() {
            return Err(gone());
        }
        let (who, id) = (format!("user {}", user.id), user.id.to_string());
        let detail = format!(
            "application {}, by fido {}",
            purpose.client_id(),
            proof.credential
        );
        let is_counted = self.store().write(|db| {
            if !Store::keep_counter(db, key, counter)? {
                return Ok(false);
            }
            Store::append_audit(db, now, "signInToApplication", &who, &id, &detail)?;
            Ok(true)
        })?;
        if !is_counted {
            return Err(gone());
        }
        match purpose {
            Purpose::Redirect(request) => {
                let code = self.secret();
                let target = request.redirect_with("code", &code);
                let ends = now.plus_seconds(CODE_S);
                let is_kept = under_way.codes.keep(&code, (request, proof), ends, now);
                is_kept
                    .then_some(Finished::Redirect(target))
                    .ok_or(ApplicationError::SlowDown)
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

    /// Redeems a code (RFC 6749 section 4.1.3).
    pub(crate) fn redeem_code(
        &self,
        client: &str,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
    ) -> Result<ApplicationAnswer, ApplicationError> {
        let now = self.now();
        let found = self.0.applications.codes.take(code, now);
        let (request, proof) = found.ok_or(ApplicationError::Grant("code"))?;
        let is_same_place =
            url::Url::parse(redirect_uri).is_ok_and(|given| given == request.redirect_uri);
        if request.client_id != client || !is_same_place || !request.is_verified_by(verifier) {
            return Err(ApplicationError::Grant("code"));
        }
        let token = self.new_family(request.client_id, request.scope, proof);
        self.grant(token, request.nonce, now)
    }

    /// Answers a device that waits (RFC 8628 section 3.4).
    pub(crate) fn poll_device(
        &self,
        client: &str,
        device_code: &str,
    ) -> Result<ApplicationAnswer, ApplicationError> {
        let now = self.now();
        let devices = &self.0.applications.devices;
        let state = devices.with(device_code, now, |waiting| {
            if waiting.client_id != client {
                return Err(ApplicationError::DeviceCode);
            }
            let before = waiting.polled.replace(now);
            let is_early = before.is_some_and(|before| now.seconds_since(before) < INTERVAL_S);
            match waiting.proof {
                Some(_) => Ok(()),
                None if is_early => Err(ApplicationError::SlowDown),
                None => Err(ApplicationError::Pending),
            }
        });
        state.unwrap_or(Err(ApplicationError::DeviceCode))?;
        let waiting = devices.take(device_code, now);
        let waiting = waiting.ok_or(ApplicationError::DeviceCode)?;
        let proof = waiting.proof.ok_or(ApplicationError::DeviceCode)?;
        let token = self.new_family(waiting.client_id, waiting.scope, proof);
        self.grant(token, None, now)
    }

    /// Trades a refresh token for the next one.
    pub(crate) fn refresh_application(
        &self,
        client: &str,
        presented: &str,
    ) -> Result<ApplicationAnswer, ApplicationError> {
        let refused = || ApplicationError::Grant("refresh token");
        let now = self.now();
        let mut token = ApplicationToken::open(presented, self.seal_key()?).ok_or_else(refused)?;
        if token.client_id != client || now >= token.ends() {
            return Err(refused());
        }
        let generations = &self.0.applications.generations;
        let family = token.family.to_string();
        let seen = generations.with(&family, now, |expected| {
            let is_next = *expected == token.generation;
            // Used a second time: somebody has a copy, so nobody goes on.
            *expected = match is_next {
                true => expected.saturating_add(1),
                false => u32::MAX,
            };
            is_next
        });
        match seen {
            Some(true) => {}
            Some(false) => {
                let error = refused();
                self.tell_application(&token.proof, "endApplicationTokens", &error, now);
                return Err(error);
            }
            // A restart forgot the family; it goes on from here.
            None => {
                let next = token.generation.saturating_add(1);
                if !generations.keep(&family, next, token.ends(), now) {
                    return Err(ApplicationError::SlowDown);
                }
            }
        }
        token.generation = token.generation.saturating_add(1);
        self.grant(token, None, now)
    }

    fn new_family(&self, client_id: String, scope: String, proof: Proof) -> ApplicationToken {
        let token = ApplicationToken {
            family: Guid::v4(self.random()),
            generation: 0,
            client_id,
            scope,
            proof,
        };
        let (family, ends) = (token.family.to_string(), token.ends());
        let generations = &self.0.applications.generations;
        // Without room the family is as after a restart.
        let _ = generations.keep(&family, 0, ends, self.now());
        token
    }

    fn grant(
        &self,
        token: ApplicationToken,
        nonce: Option<String>,
        now: Timestamp,
    ) -> Result<ApplicationAnswer, ApplicationError> {
        let (client, proof) = (&token.client_id, &token.proof);
        let user = self
            .check_application(proof, client, now)
            .inspect_err(|error| self.tell_application(proof, "refuseToken", error, now))?;
        let has = |wanted: &str| token.scope.split(' ').any(|scope| scope == wanted);
        let tenant = self.0.tenant_id;
        let id_claims = ApplicationClaims {
            iss: self.issuer()?,
            sub: user.id,
            aud: client.clone(),
            iat: now.unix_seconds(),
            exp: now.unix_seconds().saturating_add(LIFETIME_S),
            auth_time: proof.signed_in.unix_seconds(),
            nonce,
            scp: None,
            oid: user.id,
            tid: tenant,
            name: user.display_name.clone(),
            preferred_username: user.user_principal_name.clone(),
            amr: vec![Strength::Fido2.amr().to_owned(), "mfa".to_owned()],
        };
        let access_claims = ApplicationClaims {
            nonce: None,
            scp: Some(token.scope.clone()),
            ..id_claims.clone()
        };
        let signer = self.token_signer()?;
        let seal = self.seal_key()?;
        let refresh = self.with_entropy(|entropy| token.seal(seal, entropy));
        let client_info = format!(r#"{{"uid":"{}","utid":"{tenant}"}}"#, user.id);
        let answer = ApplicationAnswer {
            token_type: "Bearer".to_owned(),
            expires_in: LIFETIME_S,
            scope: token.scope.clone(),
            access_token: signer.sign_as("at+jwt", &access_claims)?,
            id_token: match has("openid") {
                true => Some(signer.sign_as("JWT", &id_claims)?),
                false => None,
            },
            refresh_token: refresh.filter(|_| has("offline_access")),
            client_info: Base64Url(client_info.into_bytes()).to_string(),
        };
        let (who, id) = (format!("user {}", user.id), user.id.to_string());
        let detail = format!("application {client}, scope '{}'", token.scope);
        self.store().write(|db| {
            Store::append_audit(db, now, "issueApplicationToken", &who, &id, &detail)
        })?;
        Ok(answer)
    }

    /// What a token stands on: the user, its key, the policies.
    fn check_application(
        &self,
        proof: &Proof,
        client: &str,
        now: Timestamp,
    ) -> Result<UserRow, ApplicationError> {
        let (user, key, groups, policies) = self.store().read(|db| {
            Ok((
                Store::user(db, proof.user).ok(),
                Store::key_of_credential(db, KeyUsage::FIDO, proof.credential.as_bytes())?,
                Store::groups_of(db, proof.user)?,
                Store::access_policies(db)?,
            ))
        })?;
        let user = user.ok_or(SignInError::UserGone)?;
        if !user.account_enabled {
            return Err(SignInError::UserDisabled.into());
        }
        if key.is_none_or(|(_, key)| key.user != user.id) {
            return Err(SignInError::KeyRemoved.into());
        }
        let attempt = Attempt {
            user: user.id,
            groups: &groups,
            target: client,
            strength: Strength::Fido2,
            // A browser proves no device; what it claims does not count.
            device: None,
            proof_age_s: now.seconds_since(proof.signed_in),
        };
        let verdicts = conditional_access::evaluate(&policies, &attempt);
        match conditional_access::refusal(&verdicts) {
            None => Ok(user),
            Some(verdict) => Err(ApplicationError::SignIn(SignInError::Policy {
                name: verdict.display_name.clone(),
                why: verdict.reasons.join("; "),
                is_blocked: verdict.is_blocked,
            })),
        }
    }

    fn tell_application(
        &self,
        proof: &Proof,
        activity: &str,
        error: &ApplicationError,
        now: Timestamp,
    ) {
        let (who, id) = (format!("user {}", proof.user), proof.user.to_string());
        let told = self
            .store()
            .write(|db| Store::append_audit(db, now, activity, &who, &id, &error.to_string()));
        if let Err(error) = told {
            tracing::error!(%error, "A refusal could not be written to the audit log");
        }
    }

    fn secret(&self) -> String {
        Base64Url(self.random::<32>().to_vec()).to_string()
    }

    fn base(&self) -> Result<String, Error> {
        let origin = self.tenant()?.rp.origins.into_iter().next();
        origin.ok_or(Error::Internal("the tenant has no origin"))
    }

    fn issuer(&self) -> Result<String, Error> {
        Ok(format!("{}/{}/v2.0", self.base()?, self.0.tenant_id))
    }
}

/// A family and the codes before it end together with the day; the compiler keeps the two in step.
const _: () = assert!(FAMILY_S > DEVICE_CODE_S);
