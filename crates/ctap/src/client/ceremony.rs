//! Registering and signing.

use std::io::{Read, Write};

use super::Client;
use crate::auth_data::AuthData;
use crate::client_pin::Permissions;
use crate::command::{Assertion, Attestation, GetAssertion, GetNextAssertion, MakeCredential};
use crate::error::Error;
use crate::hmac_secret::{self, Outputs, Salts};
use crate::pin::{Pin, SharedSecret};
use crate::status::Status;

/// More credentials for one relying party than any key holds.
pub(super) const CREDENTIALS_MAX: u32 = 1_000;

impl<S: Read + Write> Client<S> {
    /// Registers a credential; with a PIN the user is verified.
    pub fn make_credential(
        &mut self,
        request: MakeCredential,
        pin: Option<&Pin>,
    ) -> Result<Attestation, Error> {
        let (attestation, _) = self.make_credential_with_secrets(request, None, pin)?;
        Ok(attestation)
    }

    /// Registers a credential and, where the key has hmac-secret-mc, gets the secrets of `salts` with the same touch.
    /// Where it has not, there are none; the first assertion gives them.
    pub fn make_credential_with_secrets(
        &mut self,
        mut request: MakeCredential,
        salts: Option<Salts>,
        pin: Option<&Pin>,
    ) -> Result<(Attestation, Option<Outputs>), Error> {
        if request.hmac_secret && !self.info.has_extension(hmac_secret::NAME) {
            return Err(Error::Unsupported(hmac_secret::NAME));
        }
        // CTAP 2.2, section 12.8: only together with hmac-secret.
        let is_possible = request.hmac_secret && self.info.has_extension(hmac_secret::NAME_MC);
        let mut shared = None;
        if let Some(salts) = salts.filter(|_| is_possible) {
            let agreed = self.agree()?;
            request.salts = Some(salts.seal(&agreed, &mut *self.entropy)?);
            shared = Some(agreed);
        }
        if let Some(pin) = pin {
            let token = self.token(pin, Permissions::MAKE_CREDENTIAL, Some(&request.rp.id))?;
            request.proof = Some(token.prove(&request.client_data_hash));
        }
        let attestation = self.call(&request)?;
        let sealed = attestation.auth_data.hmac_secret_mc_output()?;
        let outputs = match (&shared, sealed) {
            (Some(shared), Some(sealed)) => Some(Outputs::open(shared, &sealed)?),
            _ => None,
        };
        Ok((attestation, outputs))
    }

    /// Signs with every credential that fits, newest first; with a PIN the user is verified, and with
    /// salts each assertion comes with its secrets.
    pub fn get_assertions(
        &mut self,
        mut request: GetAssertion,
        salts: Option<Salts>,
        pin: Option<&Pin>,
    ) -> Result<Vec<(Assertion, Option<Outputs>)>, Error> {
        let shared = match salts {
            Some(_) if !self.info.has_extension(hmac_secret::NAME) => {
                return Err(Error::Unsupported(hmac_secret::NAME));
            }
            Some(salts) => {
                let shared = self.agree()?;
                request.salts = Some(salts.seal(&shared, &mut *self.entropy)?);
                Some(shared)
            }
            None => None,
        };
        if let Some(pin) = pin {
            let token = self.token(pin, Permissions::GET_ASSERTION, Some(&request.rp_id))?;
            request.proof = Some(token.prove(&request.client_data_hash));
        }
        self.shorten(&mut request)?;
        let first = self.call(&request)?;
        let more = first.credentials.unwrap_or(1).clamp(1, CREDENTIALS_MAX) - 1;
        let mut assertions = vec![open(first, shared.as_ref())?];
        for _ in 0..more {
            let next = self.call(&GetNextAssertion)?;
            assertions.push(open(next, shared.as_ref())?);
        }
        Ok(assertions)
    }

    /// A key takes only so many credentials, and so long ones (getInfo, fields 7 and 8). Of a longer list it is asked
    /// silently, without a touch, which part fits.
    fn shorten(&mut self, request: &mut GetAssertion) -> Result<(), Error> {
        if let Some(longest) = self.info.credential_id_length_max {
            let fits = |id: &Vec<u8>| u32::try_from(id.len()).is_ok_and(|length| length <= longest);
            let had_some = !request.allow.is_empty();
            request.allow.retain(fits);
            if had_some && request.allow.is_empty() {
                return Err(Error::Status(Status::NO_CREDENTIALS));
            }
        }
        let most = self.info.credentials_in_list_max.unwrap_or(u32::MAX).max(1);
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if request.allow.len() <= most {
            return Ok(());
        }
        for part in request.allow.chunks(most) {
            let silent = GetAssertion {
                allow: part.to_vec(),
                user_presence: false,
                salts: None,
                ..request.clone()
            };
            match self.call(&silent) {
                Ok(found) => {
                    request.allow = vec![found.credential_id];
                    return Ok(());
                }
                Err(Error::Status(Status::NO_CREDENTIALS)) => (),
                Err(error) => return Err(error),
            }
        }
        Err(Error::Status(Status::NO_CREDENTIALS))
    }
}

fn open(
    assertion: Assertion,
    shared: Option<&SharedSecret>,
) -> Result<(Assertion, Option<Outputs>), Error> {
    let sealed = AuthData::hmac_secret_output(&assertion.auth_data)?;
    let outputs = match (shared, sealed) {
        (Some(shared), Some(sealed)) => Some(Outputs::open(shared, &sealed)?),
        _ => None,
    };
    Ok((assertion, outputs))
}
