//! What a key holds, listed and changed.

use std::io::{Read, Write};

use super::Client;
use super::ceremony::CREDENTIALS_MAX;
use crate::client_pin::Permissions;
use crate::command::User;
use crate::credential_management::{
    DeleteCredential, EnumerateCredentials, EnumerateRelyingParties, GetMetadata, Metadata,
    StoredCredential, StoredRelyingParty, UpdateUser,
};
use crate::error::Error;
use crate::pin::{Pin, PinToken};

/// The list of what a key holds, by relying party.
pub type Inventory = Vec<(StoredRelyingParty, Vec<StoredCredential>)>;

impl<S: Read + Write> Client<S> {
    /// How much room is used, and what is left.
    pub fn metadata(&mut self, pin: &Pin) -> Result<Metadata, Error> {
        let token = self.management_token(pin)?;
        self.call(&GetMetadata::new(&token))
    }

    /// Lists what the key holds.
    pub fn credentials(&mut self, pin: &Pin) -> Result<Inventory, Error> {
        let token = self.management_token(pin)?;
        if self.call(&GetMetadata::new(&token))?.stored == 0 {
            return Ok(Vec::new());
        }
        let first = self.call(&EnumerateRelyingParties::begin(&token))?;
        let more = first.total.unwrap_or(1).clamp(1, CREDENTIALS_MAX) - 1;
        let mut parties = vec![first];
        for _ in 0..more {
            parties.push(self.call(&EnumerateRelyingParties::next())?);
        }
        let mut inventory = Vec::with_capacity(parties.len());
        for party in parties {
            let first = self.call(&EnumerateCredentials::begin(&token, &party.id_hash))?;
            let more = first.total.unwrap_or(1).clamp(1, CREDENTIALS_MAX) - 1;
            let mut credentials = vec![first];
            for _ in 0..more {
                credentials.push(self.call(&EnumerateCredentials::next())?);
            }
            inventory.push((party, credentials));
        }
        Ok(inventory)
    }

    /// Deletes one credential.
    pub fn delete_credential(&mut self, pin: &Pin, credential_id: &[u8]) -> Result<(), Error> {
        let token = self.management_token(pin)?;
        self.call(&DeleteCredential::new(&token, credential_id))
    }

    /// Writes other names to a credential. The user handle must be the credential's own.
    pub fn update_user(
        &mut self,
        pin: &Pin,
        credential_id: &[u8],
        user: &User,
    ) -> Result<(), Error> {
        let token = self.management_token(pin)?;
        self.call(&UpdateUser::new(&token, credential_id, user))
    }

    fn management_token(&mut self, pin: &Pin) -> Result<PinToken, Error> {
        if self.info.option("credMgmt") != Some(true) {
            return Err(Error::Unsupported("credential management"));
        }
        self.token(pin, Permissions::CREDENTIAL_MANAGEMENT, None)
    }
}
