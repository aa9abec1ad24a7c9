//! The hmac-secret extension (CTAP 2.1, section 12.5): secrets that only this key can compute again.
//!
//! A credential holds two hidden keys, one for assertions with user verification and one for those
//! without, so the same salt gives two unrelated outputs. Whoever stores something under an output must
//! store beside it whether the user was verified.
//!
//! hmac-secret-mc (CTAP 2.2, section 12.8) is the same exchange at registration, which saves a touch; few keys have it.
//!
//! Salts travel **raw**. The WebAuthn `prf` extension hashes its input with a prefix first, which keeps
//! web pages away from these outputs; this crate never applies that hash.

use ciborium::Value;
use types::{Entropy, Secret};
use zeroize::Zeroize;

use crate::cbor;
use crate::error::{Error, Malformed};
use crate::pin::{PinProtocol, PublicPoint, SharedSecret};

/// The extension's name in getInfo.
pub const NAME: &str = "hmac-secret";
/// The name of the same exchange at registration.
pub const NAME_MC: &str = "hmac-secret-mc";

/// One salt or two; the second is there for rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Salts {
    /// The salt in use.
    pub first: [u8; 32],
    /// The salt to come.
    pub second: Option<[u8; 32]>,
}

impl Salts {
    /// One salt alone.
    pub fn one(first: [u8; 32]) -> Self {
        Self {
            first,
            second: None,
        }
    }

    /// Two salts in one touch.
    pub fn two(first: [u8; 32], second: [u8; 32]) -> Self {
        Self {
            first,
            second: Some(second),
        }
    }

    /// Protects the salts for the key at the other end of `shared`.
    pub fn seal(
        &self,
        shared: &SharedSecret,
        entropy: &mut dyn Entropy,
    ) -> Result<SealedSalts, Error> {
        let second = self.second.as_ref().map_or(&[][..], |salt| &salt[..]);
        let salts = shared.encrypt(&[&self.first, second].concat(), entropy)?;
        let proof = shared.authenticate(&salts);
        let (key_agreement, protocol) = (shared.platform_key(), shared.protocol());
        Ok(SealedSalts {
            key_agreement,
            salts,
            proof,
            protocol,
        })
    }
}

/// The extension's input as it travels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSalts {
    /// The platform's half of the key agreement.
    pub key_agreement: PublicPoint,
    /// The encrypted salts.
    pub salts: Vec<u8>,
    /// The proof over the encrypted salts.
    pub proof: Vec<u8>,
    /// Always sent: a key that does not find it assumes protocol one, whatever was used.
    pub protocol: PinProtocol,
}

impl SealedSalts {
    pub(crate) fn to_cbor(&self) -> Value {
        cbor::map([
            (1, Some(self.key_agreement.to_cose())),
            (2, Some(Value::from(self.salts.clone()))),
            (3, Some(Value::from(self.proof.clone()))),
            (4, Some(Value::from(self.protocol.number()))),
        ])
    }
}

/// The secrets, one for each salt.
#[derive(Debug, PartialEq, Eq)]
pub struct Outputs {
    /// For the first salt.
    pub first: Secret<[u8; 32]>,
    /// For the second salt, where there was one.
    pub second: Option<Secret<[u8; 32]>>,
}

impl Outputs {
    /// Opens the key's answer.
    pub fn open(shared: &SharedSecret, sealed: &[u8]) -> Result<Self, Malformed> {
        let plain = shared.decrypt(sealed)?;
        let (halves, rest) = plain.expose().as_chunks::<32>();
        match (halves, rest) {
            ([first], []) => Ok(Self {
                first: boxed(first),
                second: None,
            }),
            ([first, second], []) => Ok(Self {
                first: boxed(first),
                second: Some(boxed(second)),
            }),
            _ => Err(Malformed::Form {
                what: "the hmac-secret output",
                wanted: "of 32 or 64 bytes",
            }),
        }
    }
}

fn boxed(bytes: &[u8; 32]) -> Secret<[u8; 32]> {
    let mut copy = *bytes;
    let secret = Secret::filled_by(|out| *out = copy);
    copy.zeroize();
    secret
}
