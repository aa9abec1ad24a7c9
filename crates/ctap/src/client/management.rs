//! What a key holds, listed and changed.

use std::io::{Read, Write};

use ciborium::Value;

use super::Client;
use super::ceremony::CREDENTIALS_MAX;
use crate::client_pin::Permissions;
use crate::command::{CommandCode, Request, User};
use crate::credential_management::{
    DeleteCredential, EnumerateCredentials, EnumerateRelyingParties, GetMetadata, Metadata,
    StoredCredential, StoredRelyingParty, UpdateUser,
};
use crate::error::{Error, Malformed};
use crate::pin::{Pin, PinToken};

/// The list of what a key holds, by relying party.
pub type Inventory = Vec<(StoredRelyingParty, Vec<StoredCredential>)>;

impl<S: Read + Write> Client<S> {
    /// How much room is used, and what is left.
    pub fn metadata(&mut self, pin: &Pin) -> Result<Metadata, Error> {
        let token = self.management_token(pin)?;
        self.manage(&GetMetadata::new(&token))
    }

    /// Lists what the key holds.
    pub fn credentials(&mut self, pin: &Pin) -> Result<Inventory, Error> {
        let token = self.management_token(pin)?;
        if self.manage(&GetMetadata::new(&token))?.stored == 0 {
            return Ok(Vec::new());
        }
        let first = self.manage(&EnumerateRelyingParties::begin(&token))?;
        let more = first.total.unwrap_or(1).clamp(1, CREDENTIALS_MAX) - 1;
        let mut parties = vec![first];
        for _ in 0..more {
            parties.push(self.manage(&EnumerateRelyingParties::next())?);
        }
        let mut inventory = Vec::with_capacity(parties.len());
        for party in parties {
            let first = self.manage(&EnumerateCredentials::begin(&token, &party.id_hash))?;
            let more = first.total.unwrap_or(1).clamp(1, CREDENTIALS_MAX) - 1;
            let mut credentials = vec![first];
            for _ in 0..more {
                credentials.push(self.manage(&EnumerateCredentials::next())?);
            }
            inventory.push((party, credentials));
        }
        Ok(inventory)
    }

    /// Deletes one credential.
    pub fn delete_credential(&mut self, pin: &Pin, credential_id: &[u8]) -> Result<(), Error> {
        let token = self.management_token(pin)?;
        self.manage(&DeleteCredential::new(&token, credential_id))
    }

    /// Writes other names to a credential. The user handle must be the credential's own.
    pub fn update_user(
        &mut self,
        pin: &Pin,
        credential_id: &[u8],
        user: &User,
    ) -> Result<(), Error> {
        let token = self.management_token(pin)?;
        self.manage(&UpdateUser::new(&token, credential_id, user))
    }

    fn management_token(&mut self, pin: &Pin) -> Result<PinToken, Error> {
        if !self.has_management() && !self.has_management_preview() {
            return Err(Error::Unsupported("credential management"));
        }
        self.token(pin, Permissions::CREDENTIAL_MANAGEMENT, None)
    }

    fn has_management(&self) -> bool {
        self.info.option("credMgmt") == Some(true)
    }

    fn has_management_preview(&self) -> bool {
        self.info.option("credentialMgmtPreview") == Some(true)
    }

    fn manage<R: Request>(&mut self, request: &R) -> Result<R::Reply, Error> {
        match self.has_management() {
            true => self.call(request),
            false => self.call(&Preview(request)),
        }
    }
}

/// The same request under the number that keys gave it before CTAP 2.1 was finished.
struct Preview<'a, R>(&'a R);

impl<R: Request> Request for Preview<'_, R> {
    type Reply = R::Reply;

    fn code(&self) -> CommandCode {
        CommandCode::CREDENTIAL_MANAGEMENT_PREVIEW
    }

    fn parameters(&self) -> Option<Value> {
        self.0.parameters()
    }

    fn decode_reply(&self, body: &[u8]) -> Result<R::Reply, Malformed> {
        self.0.decode_reply(body)
    }
}
