//! Key material: seven formats, told apart by their first bytes.
//!
//! | first bytes | format | written by |
//! |---|---|---|
//! | `RSA1` | BCRYPT_RSAPUBLIC_BLOB | Windows Hello, most tools |
//! | `ECS1`, `ECK1`, ... | BCRYPT_ECCPUBLIC_BLOB | nobody yet, as far as is public |
//! | `30 82 .. 02` | PKCS#1 RSAPublicKey (MS-ADTS 2.2.20.5.1) | Windows computers |
//! | `30 82 .. 30` | SubjectPublicKeyInfo | Samba |
//! | `PCPM` | PCP_KEY_BLOB_WIN8 with a TPM2B_PUBLIC | device transport keys in a TPM |
//! | `{"version"` | FIDO JSON (MS-ADTS 2.2.20.5.2) | the cloud |
//! | `{"kty"` | JSON Web Key, not in the specification | the cloud, for phones and Macs |
//!
//! Deliberately absent: using a key. Whoever verifies signatures takes the [`PublicKey`] from here.

mod authenticator_data;
mod bcrypt;
mod certificate;
mod cose;
mod der;
mod fido;
mod jwk;
mod public_key;
mod tpm;

pub use authenticator_data::{
    AttestedCredential, AuthenticatorData, AuthenticatorFlags, InvalidAuthenticatorData,
};
pub use certificate::CertificateFacts;
pub use cose::{CoseAlgorithm, CoseKey};
pub use fido::{Attestation, FidoKeyMaterial};
pub use jwk::JsonWebKey;
pub use public_key::{EcCurve, EcPublicKey, PublicKey, RsaPublicKey};
pub use tpm::TpmKey;

/// A decoded key material.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyMaterial<'a> {
    /// BCRYPT_RSAPUBLIC_BLOB.
    BcryptRsa(RsaPublicKey<'a>),
    /// BCRYPT_ECCPUBLIC_BLOB.
    BcryptEcc(EcPublicKey<'a>),
    /// DER RSAPublicKey.
    Pkcs1(RsaPublicKey<'a>),
    /// DER SubjectPublicKeyInfo.
    Spki(PublicKey<'a>),
    /// A TPM key with its public area.
    TpmPcp(TpmKey<'a>),
    /// A FIDO2 credential.
    Fido(Box<FidoKeyMaterial>),
    /// A JSON Web Key.
    Jwk(JsonWebKey),
}

/// The key material cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MaterialError {
    /// None of the seven formats starts like this.
    #[error("key material of an unknown format, starting {0}")]
    UnknownFormat(String),
    /// It starts like a format and then is not.
    #[error("broken {format} key material: {what}")]
    Broken {
        /// The format it starts like.
        format: &'static str,
        /// What is wrong with it.
        what: String,
    },
}

impl MaterialError {
    pub(crate) fn broken(format: &'static str, what: impl Into<String>) -> Self {
        Self::Broken {
            format,
            what: what.into(),
        }
    }
}

impl<'a> KeyMaterial<'a> {
    /// Reads key material of any format.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, MaterialError> {
        match bytes {
            [b'R', b'S', b'A', b'1', ..] => bcrypt::rsa(bytes).map(Self::BcryptRsa),
            [b'E', b'C', b'S' | b'K', b'1' | b'3' | b'5', ..] => {
                bcrypt::ecc(bytes).map(Self::BcryptEcc)
            }
            [b'P', b'C', b'P', b'M', ..] => TpmKey::decode(bytes).map(Self::TpmPcp),
            [0x30, ..] => der::decode(bytes),
            [b'{', ..] => from_json(bytes),
            _ => {
                let start = bytes.get(..8).unwrap_or(bytes);
                Err(MaterialError::UnknownFormat(
                    data_encoding::HEXLOWER.encode(start),
                ))
            }
        }
    }

    /// The format's name.
    pub fn format(&self) -> &'static str {
        match self {
            Self::BcryptRsa(_) => "BCRYPT RSA",
            Self::BcryptEcc(_) => "BCRYPT ECC",
            Self::Pkcs1(_) => "PKCS#1",
            Self::Spki(_) => "SubjectPublicKeyInfo",
            Self::TpmPcp(_) => "TPM (PCP)",
            Self::Fido(_) => "FIDO",
            Self::Jwk(_) => "JSON Web Key",
        }
    }

    /// The public key inside, where it is of a kind that is known.
    pub fn public_key(&self) -> Option<PublicKey<'_>> {
        match self {
            Self::BcryptRsa(key) | Self::Pkcs1(key) => Some(PublicKey::Rsa(key.clone())),
            Self::BcryptEcc(key) => Some(PublicKey::Ec(key.clone())),
            Self::Spki(key) => Some(key.clone()),
            Self::TpmPcp(key) => Some(key.public.clone()),
            Self::Fido(fido) => fido
                .authenticator_data()
                .ok()
                .and_then(|data| data.attested)
                .and_then(|attested| attested.key.public_key),
            Self::Jwk(key) => key.public_key(),
        }
    }
}

fn from_json<'a>(bytes: &[u8]) -> Result<KeyMaterial<'a>, MaterialError> {
    let json: serde_json::Value = serde_json::from_slice(bytes)
        .map_err(|error| MaterialError::broken("JSON", error.to_string()))?;
    match json.get("kty") {
        Some(_) => JsonWebKey::from_json(json).map(KeyMaterial::Jwk),
        None => FidoKeyMaterial::from_json(json).map(|fido| KeyMaterial::Fido(Box::new(fido))),
    }
}
