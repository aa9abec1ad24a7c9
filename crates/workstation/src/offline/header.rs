//! What a cache says in clear: which key, which salt, until when.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use types::{Entropy, Guid, Timestamp};

use crate::bytes;

/// The salt of an hmac-secret request. Raw: never hashed as WebAuthn's `prf` does, so no web page obtains the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Salt(#[serde(with = "bytes")] [u8; 32]);

impl Salt {
    /// A new one.
    pub fn random(entropy: &mut dyn Entropy) -> Self {
        let mut octets = [0; 32];
        entropy.fill(&mut octets);
        Self(octets)
    }

    /// As the key is given it.
    pub fn octets(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A credential id of any length as a key for maps: its SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CredentialTag(#[serde(with = "bytes")] [u8; 32]);

impl CredentialTag {
    /// The tag of a credential id.
    pub fn of(credential_id: &[u8]) -> Self {
        Self(Sha256::digest(credential_id).into())
    }

    /// Sixteen hexadecimal digits, for file names.
    pub fn short(&self) -> String {
        let first = self.0.iter().take(8);
        first.map(|octet| format!("{octet:02x}")).collect()
    }
}

/// The header of a cache.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The device that wrote it.
    pub device: Guid,
    /// SHA-256 of the relying party's id.
    #[serde(with = "bytes")]
    pub rp_id_hash: [u8; 32],
    /// The credential that opens it.
    #[serde(with = "bytes")]
    pub credential_id: Vec<u8>,
    /// Its public key as a COSE key, to check the assertion that comes with the output.
    #[serde(with = "bytes")]
    pub public_key: Vec<u8>,
    /// The salt to ask the key for.
    pub salt: Salt,
    /// How the user is called at the prompt.
    pub display_name: String,
    /// When it was written.
    pub written_at: Timestamp,
    /// From then on it does not open.
    pub usable_until: Timestamp,
    /// Which write of this credential on this device it is.
    pub number: u64,
    /// Random bytes of this write, which make its encryption key its own.
    #[serde(with = "bytes")]
    pub(super) write_salt: [u8; 32],
}

impl Header {
    /// The credential's tag.
    pub fn credential(&self) -> CredentialTag {
        CredentialTag::of(&self.credential_id)
    }
}
