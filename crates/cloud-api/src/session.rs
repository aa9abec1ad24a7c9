//! The session key of a primary refresh token, and what is derived from it (MS-OAPXBC 3.1.5.1.3.3).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use types::{Entropy, Secret};

/// The label of all derivations.
const LABEL: &[u8] = b"AzureAD-SecureConversation";

/// 32 octets that the cloud and one device share.
#[derive(PartialEq, Eq)]
pub struct SessionKey(Secret<[u8; 32]>);

impl SessionKey {
    /// From its octets.
    pub fn new(octets: Secret<[u8; 32]>) -> Self {
        Self(octets)
    }

    /// A new one.
    pub fn random(entropy: &mut dyn Entropy) -> Self {
        Self(Secret::filled_by(|octets: &mut [u8; 32]| {
            entropy.fill(octets);
        }))
    }

    /// The octets, to be sealed for the device.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    /// The first derivation: SP 800-108 in counter mode with HMAC-SHA-256 over the context.
    pub fn derive(&self, context: &[u8]) -> Secret<[u8; 32]> {
        // INVARIANT: HMAC takes a key of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose()) else {
            return Secret::new([0; 32]);
        };
        // Counter, label, zero, context, and the length of the output in bits.
        for part in [
            &1_u32.to_be_bytes(),
            LABEL,
            &[0],
            context,
            &256_u32.to_be_bytes(),
        ] {
            mac.update(part);
        }
        Secret::new(mac.finalize().into_bytes().into())
    }

    /// The second derivation, which binds the key to what it signs: a context that was learned from one request signs no
    /// other (CVE-2021-33781).
    pub fn derive_for(&self, context: &[u8], payload: &[u8]) -> Secret<[u8; 32]> {
        let digest = Sha256::new().chain_update(context).chain_update(payload);
        self.derive(&digest.finalize())
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

/// Signs or verifies with a derived key: HMAC-SHA-256.
pub fn hs256(key: &Secret<[u8; 32]>, message: &[u8]) -> [u8; 32] {
    // INVARIANT: HMAC takes a key of any length.
    Hmac::<Sha256>::new_from_slice(key.expose())
        .map(|mac| mac.chain_update(message).finalize().into_bytes().into())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with the KBKDFHMAC of Python's cryptography 50, as roadlib 1.7.0 calls it.
    #[test]
    fn derivations_are_those_of_other_clients() {
        let key = SessionKey::new(Secret::new([0x11; 32]));
        let context = [0x22; 24];
        let hex = |octets: &Secret<[u8; 32]>| data_encoding::HEXLOWER.encode(octets.expose());
        assert_eq!(hex(&key.derive(&context)), V1);
        assert_eq!(hex(&key.derive_for(&context, b"{\"a\":1}")), V2);
    }

    const V1: &str = "a6e966c49720399d24ab9cfa5b2e2916a14244f5235a990bb550eefc528e7ffc";
    const V2: &str = "e90cc77739c7b4ed0977804351e6ae61bec520988741209a140d75e1049f4c55";
}
