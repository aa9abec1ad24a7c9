//! A primary refresh token in the hands of its device: opened, its signature checked, its nonce used up, and what it stands
//! on looked up (MS-OAPXBC 3.2.5.1.3).

use cloud_api::Base64Url;
use cloud_api::jose::Jws;
use cloud_api::session::{SessionKey, hs256};
use subtle::ConstantTimeEq;
use types::Timestamp;

use super::Cloud;
use super::sign_in::{SignedIn, about};
use crate::core::primary_token::PrimaryToken;
use crate::core::refusal::SignInError;
use crate::store::{DeviceRow, Store};

impl Cloud {
    /// The token that a text is signed with, and whose it is. Whether user and device are enabled and what the policies say
    /// is the caller's to ask.
    pub(super) fn held_token(
        &self,
        jws: &Jws,
        presented: &str,
        nonce: &str,
        now: Timestamp,
    ) -> Result<(DeviceRow, SignedIn), SignInError> {
        let token = PrimaryToken::open(presented, self.seal_key()?)
            .ok_or(SignInError::Token("is not one of this tenant"))?;
        self.check_proof_of_possession(jws, &token.session)?;
        self.use_nonce(nonce, now)?;
        let about = about(&token);
        self.look_up(token, now)
            .inspect_err(|error| self.tell_refusal(about, error, now))
    }

    fn look_up(
        &self,
        token: PrimaryToken,
        now: Timestamp,
    ) -> Result<(DeviceRow, SignedIn), SignInError> {
        let (device, user, key) = self.store().read(|db| {
            let device = Store::device(db, token.device)?;
            let user = Store::user(db, token.user).ok();
            let key = match token.strength.key_usage() {
                Some(usage) => Store::key_of_credential(db, usage, &token.credential)?,
                None => None,
            };
            Ok((device, user, key))
        })?;
        // A device of the ground that joined anew is another one, though it has the same id.
        let is_same = |device: &DeviceRow| device.is_since(token.device_since);
        let device = device.filter(is_same).ok_or(SignInError::DeviceGone)?;
        let user = user.ok_or(SignInError::UserGone)?;
        match key {
            Some((_, key)) if key.user == user.id => {}
            None if token.strength.key_usage().is_none() => {}
            _ => return Err(SignInError::KeyRemoved),
        }
        if now >= token.expires {
            return Err(SignInError::Token("has ended; sign in again"));
        }
        Ok((device, SignedIn::new(user, token)))
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
}
