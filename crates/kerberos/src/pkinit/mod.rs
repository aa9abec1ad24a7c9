//! PKINIT: public keys in the place of passwords (RFC 4556, freshness by RFC 8070, key derivation by RFC 8636).
//!
//! [`SignedData`] is the little CMS that real clients send: their signer may be named by issuer and serial number or
//! by a key identifier, tagged implicitly or explicitly, and the certificate may be missing. A signature that holds
//! leaves [`VerifiedContent`] behind. [`KeyPair`] agrees on a secret, [`reply_key`] makes the reply key of it.
//!
//! What is weak needs [`Policy`] to say so: SHA-1 signatures, the 1024-bit group.
//!
//! Deliberately absent: trust. Chains, revocation, and which account a key belongs to are the KDC's to judge. ECDSA
//! signatures are not verified.

mod agreement;
mod certificate;
mod cms;
mod enveloped;
mod fixed_base;
mod freshness;
mod kdf;
mod messages;
mod primes;
mod rsa;

pub use agreement::{Group, KeyPair, PublicValue};
pub use certificate::Certificate;
pub use cms::{Digest, Sign, SignedData, SignerId, VerifiedContent, sign_data};
pub use enveloped::{ContentCipher, Decrypt, EnvelopedData, envelop};
pub use freshness::{freshness_key_version, freshness_time, freshness_token};
pub use kdf::{Kdf, KdfInput, reply_key};
pub use messages::{
    AlgorithmIdentifier, AuthPack, DhRepInfo, ExternalPrincipalIdentifier, KdcDhKeyInfo,
    KdfAlgorithmId, Krb5PrincipalName, PaChecksum2, PaPkAsRep, PaPkAsReq, PkAuthenticator,
    PkinitSuppPubInfo, ReplyKeyPack, SubjectPublicKeyInfo,
};
pub use rsa::RsaPublicKey;

/// What is tolerated although it is weak. Nothing, by default.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Policy {
    /// SHA-1 in signatures, as tools in Python send it.
    pub allow_sha1: bool,
    /// The 1024-bit group 2, as the same tools and Heimdal by default send it.
    pub allow_modp_2: bool,
}

/// Why a PKINIT message is not read or not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PkinitError {
    /// The bytes are not the structure.
    #[error("invalid {what}: {why}")]
    Invalid {
        /// The structure.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// An algorithm, a group or a key that is not known, or too weak for the policy.
    #[error("{0} is not accepted")]
    NotAccepted(&'static str),
    /// A key of a size that is not accepted.
    #[error("RSA key of {0} bits; 2048 to 8192 are accepted")]
    KeySize(u32),
    /// The signature does not hold.
    #[error("the signature does not hold")]
    Signature,
    /// The signer could not sign, or the owner of the key not decrypt.
    #[error("the private key cannot do that")]
    PrivateKey,
    /// The other side's public value is none of the group.
    #[error("the public value is not one of the group")]
    PublicValue,
    /// A Kerberos message inside is not well formed.
    #[error(transparent)]
    Malformed(#[from] crate::messages::Malformed),
    /// The key cannot be made.
    #[error(transparent)]
    Crypto(#[from] crate::crypto::CryptoError),
}

impl From<crate::der::InvalidDer> for PkinitError {
    fn from(error: crate::der::InvalidDer) -> Self {
        Self::Invalid {
            what: error.what,
            why: error.why,
        }
    }
}
