//! Tokens of applications: what a code, a device code, a refresh token or a primary refresh token is traded for.
//!
//! A refresh token works once. Which one of a family is the good one stands in the store, so a copy is noticed after a
//! restart too. What a token stands on (user, key, device, policies) is looked up at each issue.

use cloud_api::Base64Url;
use cloud_api::claims::ClaimsRequest;
use cloud_api::oidc::{ApplicationAnswer, ApplicationClaims};
use types::{Guid, Timestamp};

use super::Cloud;
use super::conditional_access::state;
use super::oidc::{CODE_S, INTERVAL_S};
use crate::core::application_token::{ApplicationError, ApplicationToken, Proof};
use crate::core::asked::Asked;
use crate::core::conditional_access::{self, Attempt, strengths_of};
use crate::core::refusal::SignInError;
use crate::error::Error;
use crate::store::{About, Store, UserRow};

/// Seconds of an access token or id token.
const LIFETIME_S: i64 = 3600;

impl Cloud {
    /// Redeems a code (RFC 6749 section 4.1.3).
    pub(crate) fn redeem_code(
        &self,
        client: &str,
        code: &str,
        redirect_uri: &str,
        verifier: &str,
    ) -> Result<ApplicationAnswer, ApplicationError> {
        let now = self.now();
        let applications = &self.0.applications;
        let Some((request, proof)) = applications.codes.take(code, now) else {
            self.end_tokens_of_code(code, now)?;
            return Err(ApplicationError::Grant("code"));
        };
        let is_same_place =
            url::Url::parse(redirect_uri).is_ok_and(|given| given == request.redirect_uri);
        if request.client_id != client || !is_same_place || !request.is_verified_by(verifier) {
            return Err(ApplicationError::Grant("code"));
        }
        let token = self.new_family(request.client_id, request.scope, proof);
        let answer = self.grant(&token, request.nonce, now)?;
        let ends = now.plus_seconds(CODE_S);
        // Without room a second use is refused all the same.
        let _ = applications.redeemed.keep(code, token, ends, now);
        Ok(answer)
    }

    /// A code that comes a second time was copied: what it was traded for ends (RFC 6749 section 4.1.2).
    fn end_tokens_of_code(&self, code: &str, now: Timestamp) -> Result<(), Error> {
        match self.0.applications.redeemed.take(code, now) {
            Some(token) => self.end_family(&token, now),
            None => Ok(()),
        }
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
        self.grant(&token, None, now)
    }

    /// The first tokens of an application that a device asks for on the strength of its primary refresh token.
    pub(super) fn tokens_for_device(
        &self,
        client: &str,
        scope: &str,
        proof: Proof,
        now: Timestamp,
    ) -> Result<ApplicationAnswer, ApplicationError> {
        let token = self.new_family(client.to_owned(), scope.to_owned(), proof);
        self.grant(&token, None, now)
    }

    /// Trades a refresh token for the next one. A refusal for want of a stronger proof leaves it as it was.
    pub(crate) fn refresh_application(
        &self,
        client: &str,
        presented: &str,
        claims: ClaimsRequest,
    ) -> Result<ApplicationAnswer, ApplicationError> {
        let refused = || ApplicationError::Grant("refresh token");
        let now = self.now();
        let mut token = ApplicationToken::open(presented, self.seal_key()?).ok_or_else(refused)?;
        if token.client_id != client || now >= token.ends() {
            return Err(refused());
        }
        let (family, generation) = (token.family, token.generation);
        let is_good = self
            .store()
            .read(|db| Store::is_good_generation(db, family, generation))?;
        if !is_good {
            self.end_family(&token, now)?;
            return Err(refused());
        }
        let asked = Asked::of_claims(claims);
        let age_s = now.seconds_since(token.proof.signed_in);
        if !asked.is_met_by(token.proof.strength, age_s) {
            return Err(ApplicationError::Page {
                why: "a stronger or newer proof is asked for",
                claims: Some(asked.claims().again()),
            });
        }
        token.generation = generation.saturating_add(1);
        self.grant(&token, None, now)
    }

    /// Somebody has a copy, so nobody goes on.
    fn end_family(&self, token: &ApplicationToken, now: Timestamp) -> Result<(), Error> {
        let about = token.proof.about(&token.client_id);
        self.store().write(|db| {
            if Store::end_family(db, token.family)? {
                let why = "a code or refresh token was used a second time";
                self.tell_sign_in(db, now, "endApplicationTokens", about, why)?;
            }
            Ok(())
        })
    }

    fn new_family(&self, client_id: String, scope: String, proof: Proof) -> ApplicationToken {
        ApplicationToken {
            family: Guid::v4(self.random()),
            generation: 0,
            client_id,
            scope,
            proof,
        }
    }

    /// The tokens. They go out once the store knows which refresh token is the good one now.
    fn grant(
        &self,
        token: &ApplicationToken,
        nonce: Option<String>,
        now: Timestamp,
    ) -> Result<ApplicationAnswer, ApplicationError> {
        let (client, proof) = (&token.client_id, &token.proof);
        let user = self
            .check_application(proof, client, now)
            .inspect_err(|error| self.tell_application(proof, client, "refuseToken", error, now))?;
        let answer = self.application_answer(token, &user, nonce, now)?;
        let about = proof.about(client);
        let detail = format!("application {client}, scope '{}'", token.scope);
        let is_kept = self.store().write(|db| {
            let is_kept = match token.generation.checked_sub(1) {
                Some(before) => Store::advance_family(db, token.family, before)?,
                None if answer.refresh_token.is_some() => {
                    Store::begin_family(db, token.family, user.id, token.ends(), now)?;
                    true
                }
                None => true,
            };
            if is_kept {
                self.tell_sign_in(db, now, "issueApplicationToken", about, &detail)?;
            }
            Ok(is_kept)
        })?;
        match is_kept {
            true => Ok(answer),
            // Another request with the same token was quicker.
            false => {
                self.end_family(token, now)?;
                Err(ApplicationError::Grant("refresh token"))
            }
        }
    }

    fn application_answer(
        &self,
        token: &ApplicationToken,
        user: &UserRow,
        nonce: Option<String>,
        now: Timestamp,
    ) -> Result<ApplicationAnswer, ApplicationError> {
        let proof = &token.proof;
        let has = |wanted: &str| token.scope.split(' ').any(|scope| scope == wanted);
        let tenant = self.0.tenant_id;
        let id_claims = ApplicationClaims {
            iss: self.issuer()?,
            sub: user.id,
            aud: token.client_id.clone(),
            iat: now.unix_seconds(),
            exp: now.unix_seconds().saturating_add(LIFETIME_S),
            auth_time: proof.signed_in.unix_seconds(),
            nonce,
            scp: None,
            oid: user.id,
            tid: tenant,
            name: user.display_name.clone(),
            preferred_username: user.user_principal_name.clone(),
            amr: vec![proof.strength.amr().to_owned(), "mfa".to_owned()],
            acrs: strengths_of(proof.strength),
            deviceid: proof.device,
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
        Ok(ApplicationAnswer {
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
        })
    }

    /// What a token stands on: the user, its key, its device, the policies.
    pub(super) fn check_application(
        &self,
        proof: &Proof,
        client: &str,
        now: Timestamp,
    ) -> Result<UserRow, ApplicationError> {
        let (user, key, device, groups, policies) = self.store().read(|db| {
            let key = match proof.strength.key_usage() {
                Some(usage) => Store::key_of_credential(db, usage, proof.credential.as_bytes())?,
                None => None,
            };
            let device = proof.device.map(|device| Store::device(db, device));
            let device = device.transpose()?.flatten();
            Ok((
                Store::user(db, proof.user).ok(),
                key,
                device.filter(|device| device.is_since(proof.device_since)),
                Store::groups_of(db, proof.user)?,
                Store::access_policies(db)?,
            ))
        })?;
        let user = user.ok_or(SignInError::UserGone)?;
        if !user.account_enabled {
            return Err(SignInError::UserDisabled.into());
        }
        let needs_key = proof.strength.key_usage().is_some();
        if needs_key && key.is_none_or(|(_, key)| key.user != user.id) {
            return Err(SignInError::KeyRemoved.into());
        }
        if proof.device.is_some() && device.is_none() {
            return Err(SignInError::DeviceGone.into());
        }
        if device
            .as_ref()
            .is_some_and(|device| !device.device.account_enabled)
        {
            return Err(SignInError::DeviceDisabled.into());
        }
        let attempt = Attempt {
            user: user.id,
            groups: &groups,
            target: client,
            strength: proof.strength,
            // By a primary refresh token that it has shown. A browser alone proves none; what it claims does not count.
            device: device.as_ref().map(state),
            proof_age_s: now.seconds_since(proof.signed_in),
        };
        match conditional_access::allow(&policies, &attempt) {
            Ok(_) => Ok(user),
            Err(refused) => Err(SignInError::Policy(refused).into()),
        }
    }

    pub(super) fn tell_application(
        &self,
        proof: &Proof,
        client: &str,
        activity: &str,
        error: &ApplicationError,
        now: Timestamp,
    ) {
        let about = proof.about(client);
        let told = self
            .store()
            .write(|db| self.tell_sign_in(db, now, activity, about, &error.to_string()));
        if let Err(error) = told {
            tracing::error!(%error, "A refusal could not be written to the audit log");
        }
    }
}

impl Proof {
    /// What records of this user at an application are about.
    pub(super) fn about<'a>(&self, client: &'a str) -> About<'a> {
        About {
            user: Some(self.user),
            device: self.device,
            application: Some(client),
            method: Some(self.strength.amr()),
        }
    }
}
