//! The key itself in words.

use data_encoding::{BASE64, HEXLOWER};
use keycred::material::{Attestation as Read, AuthenticatorData, FidoKeyMaterial, KeyMaterial};
use keycred::{PublicKey, material::CoseAlgorithm};
use serde::Serialize;
use types::Guid;

/// Key material.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Material {
    /// The format's name; null where it is unknown.
    pub format: Option<&'static str>,
    /// Why it cannot be read, where it cannot.
    pub error: Option<String>,
    /// Algorithm and size, `RSA-2048`.
    pub algorithm: Option<String>,
    /// The same for the same key in every format; SHA-256 over kind and numbers.
    pub fingerprint: Option<String>,
    /// An RSA key's numbers.
    pub rsa: Option<Rsa>,
    /// An elliptic key's numbers.
    pub ec: Option<Coordinates>,
    /// What a FIDO key has besides.
    pub fido: Option<Fido>,
    /// What a TPM key has besides.
    pub tpm: Option<Tpm>,
    /// The `kid` of a JSON Web Key, in base64.
    pub kid: Option<String>,
    /// Length in bytes.
    pub length: usize,
}

/// RSA numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rsa {
    /// Size of the modulus.
    pub bits: usize,
    /// In hex, without leading zeros.
    pub exponent: String,
    /// In hex, without leading zeros.
    pub modulus: String,
}

/// A point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Coordinates {
    /// `P-256` and so on, or `Ed25519`.
    pub curve: &'static str,
    /// In hex.
    pub x: String,
    /// In hex; absent for Ed25519.
    pub y: Option<String>,
}

/// A key in a TPM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tpm {
    /// TPMA_OBJECT, in hex.
    pub attributes: String,
    /// TPM_ALG_ID, in hex.
    pub name_algorithm: String,
}

/// A FIDO key.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fido {
    /// Version of the JSON.
    pub version: u64,
    /// The user's name for the key.
    pub display_name: String,
    /// Authenticator data, decoded; null where they cannot be.
    pub authenticator_data: Option<Authenticator>,
    /// Why they cannot.
    pub error: Option<String>,
    /// The elements of `x5c`.
    pub attestation: Vec<Attestation>,
}

/// Authenticator data.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Authenticator {
    /// In hex.
    pub rp_id_hash: String,
    /// The flags byte.
    pub flags: u8,
    /// Its bits by name.
    pub flag_names: Vec<&'static str>,
    /// Signature counter.
    pub counter: u32,
    /// The model.
    pub aaguid: Option<Guid>,
    /// In base64.
    pub credential_id: Option<String>,
    /// COSE algorithm number.
    pub cose_algorithm: Option<i64>,
    /// Its name.
    pub cose_algorithm_name: Option<String>,
    /// The COSE key, in hex.
    pub cose_key: Option<String>,
    /// Extension outputs as JSON; binary ones in hex.
    pub extensions: Option<serde_json::Value>,
}

/// An element of `x5c`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are those of a certificate")]
pub struct Attestation {
    pub is_certificate: bool,
    pub subject: Option<String>,
    pub issuer: Option<String>,
    pub serial: Option<String>,
    pub not_before: Option<String>,
    pub not_after: Option<String>,
    pub thumbprint: Option<String>,
    pub aaguid: Option<Guid>,
    /// The bytes of an element that is not a certificate.
    pub hex: Option<String>,
}

impl Material {
    pub(super) fn read(bytes: &[u8]) -> Self {
        let material = match KeyMaterial::decode(bytes) {
            Ok(material) => material,
            Err(error) => {
                return Self {
                    error: Some(error.to_string()),
                    ..Self::empty(bytes.len())
                };
            }
        };
        let key = material.public_key();
        Self {
            format: Some(material.format()),
            algorithm: key.as_ref().map(PublicKey::describe),
            fingerprint: key.as_ref().map(|key| HEXLOWER.encode(&key.fingerprint())),
            rsa: key.as_ref().and_then(rsa),
            ec: key.as_ref().and_then(coordinates),
            fido: match &material {
                KeyMaterial::Fido(fido) => Some(Fido::read(fido)),
                _ => None,
            },
            tpm: match &material {
                KeyMaterial::TpmPcp(tpm) => Some(Tpm {
                    attributes: format!("{:#010x}", tpm.attributes),
                    name_algorithm: format!("{:#06x}", tpm.name_algorithm),
                }),
                _ => None,
            },
            kid: match &material {
                KeyMaterial::Jwk(jwk) => jwk.kid.as_ref().map(|kid| BASE64.encode(kid)),
                _ => None,
            },
            ..Self::empty(bytes.len())
        }
    }

    /// The model of a FIDO key.
    pub(super) fn aaguid(&self) -> Option<Guid> {
        self.fido.as_ref()?.authenticator_data.as_ref()?.aaguid
    }

    fn empty(length: usize) -> Self {
        Self {
            format: None,
            error: None,
            algorithm: None,
            fingerprint: None,
            rsa: None,
            ec: None,
            fido: None,
            tpm: None,
            kid: None,
            length,
        }
    }
}

fn rsa(key: &PublicKey<'_>) -> Option<Rsa> {
    match key {
        PublicKey::Rsa(key) => Some(Rsa {
            bits: key.bits(),
            exponent: HEXLOWER.encode(&key.exponent),
            modulus: HEXLOWER.encode(&key.modulus),
        }),
        _ => None,
    }
}

fn coordinates(key: &PublicKey<'_>) -> Option<Coordinates> {
    match key {
        PublicKey::Ec(key) => Some(Coordinates {
            curve: key.curve.name(),
            x: HEXLOWER.encode(&key.x),
            y: Some(HEXLOWER.encode(&key.y)),
        }),
        PublicKey::Ed25519(x) => Some(Coordinates {
            curve: "Ed25519",
            x: HEXLOWER.encode(x),
            y: None,
        }),
        _ => None,
    }
}

impl Fido {
    fn read(fido: &FidoKeyMaterial) -> Self {
        let data = fido.authenticator_data();
        Self {
            version: fido.version,
            display_name: fido.display_name.clone(),
            error: data.as_ref().err().map(ToString::to_string),
            authenticator_data: data.ok().map(Authenticator::read),
            attestation: fido.attestation().into_iter().map(attestation).collect(),
        }
    }
}

impl Authenticator {
    fn read(data: AuthenticatorData) -> Self {
        let attested = data.attested.as_ref();
        let algorithm = attested.and_then(|attested| attested.key.algorithm);
        Self {
            rp_id_hash: HEXLOWER.encode(&data.rp_id_hash),
            flags: data.flags.0,
            flag_names: data.flags.names(),
            counter: data.counter,
            aaguid: attested.map(|attested| attested.aaguid),
            credential_id: attested.map(|attested| BASE64.encode(&attested.credential_id)),
            cose_algorithm: algorithm.map(|algorithm| algorithm.0),
            cose_algorithm_name: algorithm.and_then(CoseAlgorithm::name).map(str::to_owned),
            cose_key: attested.map(|attested| HEXLOWER.encode(&attested.key.raw)),
            extensions: data.extensions_json(),
        }
    }
}

fn attestation(item: Read) -> Attestation {
    match item {
        Read::Certificate(facts) => Attestation {
            is_certificate: true,
            thumbprint: Some(facts.thumbprint_hex()),
            not_before: facts.not_before.to_rfc3339(),
            not_after: facts.not_after.to_rfc3339(),
            aaguid: facts.aaguid,
            subject: Some(facts.subject),
            issuer: Some(facts.issuer),
            serial: Some(facts.serial),
            hex: None,
        },
        Read::NotACertificate(bytes) => Attestation {
            is_certificate: false,
            subject: None,
            issuer: None,
            serial: None,
            not_before: None,
            not_after: None,
            thumbprint: None,
            aaguid: None,
            hex: Some(HEXLOWER.encode(&bytes)),
        },
    }
}
