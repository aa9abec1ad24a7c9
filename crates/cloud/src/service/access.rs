//! Tokens, temporary access passes and sessions.

use cloud_api::access::{NewTemporaryAccessPass, Session, SignIn, TemporaryAccessPass};
use types::{Guid, Secret, Timestamp};

use super::{Cloud, check_name};
use crate::caller::{Caller, Role};
use crate::core::primary_token::Strength;
use crate::core::token::{FreshToken, PresentedToken};
use crate::error::Error;
use crate::store::{About, Store, TokenKind};

/// Seconds of a session that a temporary access pass bought.
const SESSION_SECONDS: u32 = 30 * 60;
const PASS_MINUTES_DEFAULT: u32 = 60;
const PASS_MINUTES_MIN: u32 = 10;
const PASS_MINUTES_MAX: u32 = 43_200;

impl Cloud {
    /// Makes a token of an administrator; `name` is for the audit log. It is shown only here.
    pub fn issue_administrator_token(
        &self,
        caller: &Caller,
        name: &str,
        lifetime_seconds: Option<u32>,
    ) -> Result<Secret<String>, Error> {
        self.issue_token(caller, TokenKind::Administrator, name, lifetime_seconds)
    }

    /// Makes a token of a sync; `name` is for the audit log. It is shown only here.
    pub fn issue_sync_token(
        &self,
        caller: &Caller,
        name: &str,
        lifetime_seconds: Option<u32>,
    ) -> Result<Secret<String>, Error> {
        self.issue_token(caller, TokenKind::Sync, name, lifetime_seconds)
    }

    fn issue_token(
        &self,
        caller: &Caller,
        kind: TokenKind,
        name: &str,
        lifetime_seconds: Option<u32>,
    ) -> Result<Secret<String>, Error> {
        caller.must_administer()?;
        check_name("the token's name", name, 64)?;
        let now = self.now();
        let expires = lifetime_seconds.map(|seconds| now.plus_seconds(seconds.into()));
        let token = self.with_entropy(|entropy| FreshToken::make(kind.word(), entropy));
        let id = data_encoding::HEXLOWER.encode(&token.id);
        self.store().write(|db| {
            Store::insert_token(db, &token, kind, name, now, expires)?;
            let detail = format!("{} token '{name}'", kind.word());
            self.tell(db, now, "issueToken", caller, &id, &detail)
        })?;
        Ok(token.text)
    }

    /// Ends a token. `id` is the second part of its text, which is no secret.
    pub fn revoke_token(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        caller.must_administer()?;
        let missing = || Error::NotFound {
            what: "token",
            id: id.to_owned(),
        };
        let bytes = data_encoding::HEXLOWER_PERMISSIVE
            .decode(id.as_bytes())
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .ok_or_else(missing)?;
        let now = self.now();
        self.store().write(|db| {
            if !Store::remove_token(db, bytes)? {
                return Err(missing());
            }
            self.tell(db, now, "revokeToken", caller, id, "")
        })
    }

    /// Whose token this is.
    pub fn authenticate(&self, token: &str) -> Result<Caller, Error> {
        let presented = PresentedToken::parse(token).ok_or(Error::Unauthenticated)?;
        let now = self.now();
        self.store().read(|db| {
            let row = Store::token(db, presented.id)?.ok_or(Error::Unauthenticated)?;
            if !presented.is(&row.secret_hash) || row.expires.is_some_and(|expires| now > expires) {
                return Err(Error::Unauthenticated);
            }
            let role = match row.kind {
                TokenKind::Administrator => Role::Administrator,
                TokenKind::Sync => Role::Sync,
                TokenKind::Session(user) => {
                    if !Store::user(db, user)?.account_enabled {
                        return Err(Error::Disabled(user));
                    }
                    Role::User(user)
                }
                // A pass is no token: it must be traded first, so that it works once.
                TokenKind::TemporaryAccessPass(_) => return Err(Error::Unauthenticated),
            };
            Ok(Caller::by_token(role, row.name))
        })
    }

    /// The user of a session that lives, and when the session was bought.
    pub(super) fn user_session(&self, token: &str) -> Result<(Guid, Timestamp), Error> {
        let Role::User(user) = self.authenticate(token)?.role() else {
            return Err(Error::Unauthenticated);
        };
        let presented = PresentedToken::parse(token).ok_or(Error::Unauthenticated)?;
        let row = self.store().read(|db| Store::token(db, presented.id))?;
        let expires = row.and_then(|row| row.expires);
        let expires = expires.ok_or(Error::Unauthenticated)?;
        Ok((user, expires.plus_seconds(-i64::from(SESSION_SECONDS))))
    }

    /// Makes a temporary access pass for a user, shown only here.
    pub fn issue_temporary_access_pass(
        &self,
        caller: &Caller,
        user: Guid,
        request: &NewTemporaryAccessPass,
    ) -> Result<TemporaryAccessPass, Error> {
        caller.must_administer()?;
        let minutes = request.lifetime_in_minutes.unwrap_or(PASS_MINUTES_DEFAULT);
        if !(PASS_MINUTES_MIN..=PASS_MINUTES_MAX).contains(&minutes) {
            return Err(Error::invalid(format!(
                "lifetimeInMinutes must be {PASS_MINUTES_MIN} to {PASS_MINUTES_MAX}"
            )));
        }
        let now = self.now();
        let kind = TokenKind::TemporaryAccessPass(user);
        let pass = self.with_entropy(|entropy| FreshToken::make(kind.word(), entropy));
        let id = data_encoding::HEXLOWER.encode(&pass.id);
        self.store().write(|db| {
            Store::user(db, user)?;
            let expires = now.plus_seconds(i64::from(minutes) * 60);
            Store::insert_token(db, &pass, kind, "temporary access pass", now, Some(expires))?;
            let detail = format!("pass {id}, {minutes} minutes");
            self.tell(
                db,
                now,
                "createTemporaryAccessPass",
                caller,
                &user.to_string(),
                &detail,
            )
        })?;
        Ok(TemporaryAccessPass {
            id,
            temporary_access_pass: pass.text.expose().clone(),
            is_usable_once: true,
            start_date_time: now,
            lifetime_in_minutes: minutes,
        })
    }

    /// Trades a temporary access pass for a session. The pass is gone afterwards.
    pub fn sign_in(&self, request: &SignIn) -> Result<Session, Error> {
        let presented =
            PresentedToken::parse(&request.temporary_access_pass).ok_or(Error::Unauthenticated)?;
        let now = self.now();
        let session = self.with_entropy(|entropy| FreshToken::make("user", entropy));
        let traded = self.store().write(|db| {
            let row = Store::token(db, presented.id)?.ok_or(Error::Unauthenticated)?;
            let TokenKind::TemporaryAccessPass(user) = row.kind else {
                return Err(Error::Unauthenticated);
            };
            let named = Store::user_by_name(db, &request.user_principal_name)?;
            let is_good = presented.is(&row.secret_hash)
                && row.expires.is_some_and(|expires| now <= expires)
                && named.is_some_and(|named| named.id == user);
            if !is_good {
                return Err(Error::Unauthenticated);
            }
            if !Store::user(db, user)?.account_enabled {
                return Err(Error::Disabled(user));
            }
            Store::remove_token(db, presented.id)?;
            let expires = now.plus_seconds(SESSION_SECONDS.into());
            let kind = TokenKind::Session(user);
            Store::insert_token(
                db,
                &session,
                kind,
                "temporary access pass",
                now,
                Some(expires),
            )?;
            let detail = format!("pass {}", data_encoding::HEXLOWER.encode(&presented.id));
            self.tell_sign_in(db, now, "signIn", about_pass(user), &detail)
        });
        if let Err(error) = traded {
            self.tell_refused_pass(&presented, &error, now);
            return Err(error);
        }
        Ok(Session {
            access_token: session.text.expose().clone(),
            token_type: "Bearer".to_owned(),
            expires_in: SESSION_SECONDS,
        })
    }

    /// Tells of a pass that is there and bought nothing. One that is not there is not told: anybody can make those up.
    fn tell_refused_pass(&self, presented: &PresentedToken, error: &Error, now: Timestamp) {
        let why = match error {
            Error::Unauthenticated => {
                "the pass is wrong, has ended, or is another user's".to_owned()
            }
            Error::Disabled(_) => "the user is disabled".to_owned(),
            _ => return,
        };
        let told = self.store().write(|db| {
            let row = Store::token(db, presented.id)?;
            let Some(TokenKind::TemporaryAccessPass(user)) = row.map(|row| row.kind) else {
                return Ok(());
            };
            self.tell_sign_in(db, now, "refuseSignIn", about_pass(user), &why)
        });
        if let Err(error) = told {
            tracing::error!(%error, "A refusal could not be written to the audit log");
        }
    }
}

fn about_pass(user: Guid) -> About<'static> {
    About {
        user: Some(user),
        method: Some(Strength::TemporaryAccessPass.amr()),
        ..About::default()
    }
}
