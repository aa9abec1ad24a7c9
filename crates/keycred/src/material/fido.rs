//! FIDO key material, MS-ADTS 2.2.20.5.2: UTF-8 JSON with authenticator data and attestation certificates.
//!
//! The second element of `x5c` need not be a certificate: some vendors' real values hold 32 other bytes there.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::MaterialError;
use super::authenticator_data::{AuthenticatorData, InvalidAuthenticatorData};
use super::certificate::CertificateFacts;

/// Decoded FIDO key material.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FidoKeyMaterial {
    /// 1 in every value seen.
    pub version: u64,
    /// Authenticator data, raw: see [`Self::authenticator_data`].
    pub auth_data: Vec<u8>,
    /// The attestation statement's chain, raw: see [`Self::attestation`].
    pub x5c: Vec<Vec<u8>>,
    /// The name that the user gave the key.
    pub display_name: String,
}

/// An element of `x5c`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attestation {
    /// A certificate.
    Certificate(Box<CertificateFacts>),
    /// Something else; its bytes.
    NotACertificate(Vec<u8>),
}

/// The order of the members is the order that the cloud writes.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    version: u64,
    auth_data: String,
    #[serde(default)]
    x5c: Option<Vec<String>>,
    #[serde(default)]
    display_name: Option<String>,
}

impl FidoKeyMaterial {
    /// The JSON that becomes `keyMaterial` and then entry 3, byte for byte.
    pub fn encode(auth_data: &[u8], x5c: &[Vec<u8>], display_name: &str) -> Vec<u8> {
        let wire = Wire {
            version: 1,
            auth_data: BASE64.encode(auth_data),
            x5c: Some(x5c.iter().map(|item| BASE64.encode(item)).collect()),
            display_name: Some(display_name.to_owned()),
        };
        // Numbers and strings always serialise.
        serde_json::to_vec(&wire).unwrap_or_default()
    }

    /// Reads the JSON.
    pub fn decode(bytes: &[u8]) -> Result<Self, MaterialError> {
        serde_json::from_slice(bytes)
            .map_err(|error| MaterialError::broken("FIDO", error.to_string()))
            .and_then(Self::from_json)
    }

    pub(super) fn from_json(json: Value) -> Result<Self, MaterialError> {
        let wire: Wire = serde_json::from_value(json)
            .map_err(|error| MaterialError::broken("FIDO", error.to_string()))?;
        let bytes = |text: &String, what: &str| {
            BASE64
                .decode(text.as_bytes())
                .map_err(|_| MaterialError::broken("FIDO", format!("{what} is not base64")))
        };
        let x5c = wire.x5c.unwrap_or_default();
        Ok(Self {
            version: wire.version,
            auth_data: bytes(&wire.auth_data, "authData")?,
            x5c: x5c
                .iter()
                .map(|item| bytes(item, "x5c"))
                .collect::<Result<_, _>>()?,
            display_name: wire.display_name.unwrap_or_default(),
        })
    }

    /// What the key said about itself.
    pub fn authenticator_data(&self) -> Result<AuthenticatorData, InvalidAuthenticatorData> {
        AuthenticatorData::decode(&self.auth_data)
    }

    /// The credential id, where the authenticator data can be read and holds one.
    pub fn credential_id(&self) -> Option<Vec<u8>> {
        let attested = self.authenticator_data().ok()?.attested?;
        Some(attested.credential_id)
    }

    /// The elements of `x5c`, certificates told from other bytes.
    pub fn attestation(&self) -> Vec<Attestation> {
        let read = |item: &Vec<u8>| match CertificateFacts::decode(item) {
            Some(facts) => Attestation::Certificate(Box::new(facts)),
            None => Attestation::NotACertificate(item.clone()),
        };
        self.x5c.iter().map(read).collect()
    }
}
