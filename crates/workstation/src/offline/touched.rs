//! What the touch of a key leaves for as long as its user is signed in: enough to write the cache anew without another.

use types::{Entropy, Secret, Timestamp};

use super::{Header, NewCache, Record, Salt, SealedCache, Unsealable};
use crate::device::Device;
use crate::policy::OfflinePolicy;

/// A key that was touched, and the output that it gave for a salt, with user verification.
#[derive(Debug)]
pub struct TouchedKey {
    /// SHA-256 of the relying party's id.
    pub rp_id_hash: [u8; 32],
    /// The credential.
    pub credential_id: Vec<u8>,
    /// Its public key as a COSE key; empty where the cloud did not tell it.
    pub public_key: Vec<u8>,
    /// How the user is called at the prompt.
    pub display_name: String,
    /// The salt.
    pub salt: Salt,
    /// The output.
    pub output: Secret<[u8; 32]>,
}

impl TouchedKey {
    /// The key that opened a cache.
    pub fn of(header: &Header, output: Secret<[u8; 32]>) -> Self {
        Self {
            rp_id_hash: header.rp_id_hash,
            credential_id: header.credential_id.clone(),
            public_key: header.public_key.clone(),
            display_name: header.display_name.clone(),
            salt: header.salt,
            output,
        }
    }

    /// Seals a record for this key.
    pub fn seal(
        &self,
        record: &Record,
        device: &Device,
        policy: &OfflinePolicy,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<SealedCache, Unsealable> {
        let new = NewCache {
            rp_id_hash: self.rp_id_hash,
            credential_id: &self.credential_id,
            public_key: &self.public_key,
            display_name: &self.display_name,
            salt: self.salt,
            record,
        };
        new.seal(&self.output, device, policy, now, entropy)
    }
}
