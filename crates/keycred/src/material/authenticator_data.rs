//! Authenticator data (WebAuthn Level 3, 6.1): what a security key said about itself when it was registered.

use ciborium::Value;
use types::Guid;

use super::cose::CoseKey;

/// Decoded authenticator data.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthenticatorData {
    /// SHA-256 of the relying party's id.
    pub rp_id_hash: [u8; 32],
    /// What was true at the ceremony.
    pub flags: AuthenticatorFlags,
    /// Signature counter.
    pub counter: u32,
    /// The new credential; absent when the AT flag is clear.
    pub attested: Option<AttestedCredential>,
    /// Extension outputs; absent when the ED flag is clear.
    pub extensions: Option<Value>,
}

/// Attested credential data (WebAuthn 6.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttestedCredential {
    /// The model. Big-endian on this wire.
    pub aaguid: Guid,
    /// The credential id.
    pub credential_id: Vec<u8>,
    /// The public key.
    pub key: CoseKey,
}

/// The flags byte, bit by bit (WebAuthn 6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuthenticatorFlags(pub u8);

/// The bytes are not authenticator data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAuthenticatorData {
    /// They end too early.
    #[error("authenticator data of {have} bytes ends inside its {what}")]
    Truncated {
        /// What is cut.
        what: &'static str,
        /// Length of the whole.
        have: usize,
    },
    /// Public key or extensions are not CBOR.
    #[error("the {0} in the authenticator data is not CBOR")]
    NotCbor(&'static str),
    /// Something follows.
    #[error("{0} bytes after the authenticator data")]
    TrailingBytes(usize),
}

impl AuthenticatorFlags {
    const NAMES: [(u8, &'static str); 8] = [
        (0x01, "UP"),
        (0x02, "RFU1"),
        (0x04, "UV"),
        (0x08, "BE"),
        (0x10, "BS"),
        (0x20, "RFU2"),
        (0x40, "AT"),
        (0x80, "ED"),
    ];

    /// Someone touched the key.
    pub fn user_present(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// Someone gave a PIN or a finger.
    pub fn user_verified(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// The passkey may be copied to other devices.
    pub fn backup_eligible(self) -> bool {
        self.0 & 0x08 != 0
    }

    /// The passkey has been copied.
    pub fn backup_state(self) -> bool {
        self.0 & 0x10 != 0
    }

    /// A credential follows.
    pub fn attested_data(self) -> bool {
        self.0 & 0x40 != 0
    }

    /// Extensions follow.
    pub fn extension_data(self) -> bool {
        self.0 & 0x80 != 0
    }

    /// The names of the bits that are set, in order.
    pub fn names(self) -> Vec<&'static str> {
        let set = Self::NAMES.iter().filter(|(bit, _)| self.0 & bit != 0);
        set.map(|(_, name)| *name).collect()
    }
}

impl AuthenticatorData {
    /// Reads authenticator data to its last byte.
    pub fn decode(bytes: &[u8]) -> Result<Self, InvalidAuthenticatorData> {
        let truncated = |what| InvalidAuthenticatorData::Truncated {
            what,
            have: bytes.len(),
        };
        let (rp_id_hash, rest) = bytes
            .split_first_chunk::<32>()
            .ok_or(truncated("relying party hash"))?;
        let (&[flags, a, b, c, d], mut rest) = rest
            .split_first_chunk::<5>()
            .ok_or(truncated("flags and counter"))?;
        let flags = AuthenticatorFlags(flags);
        let attested = match flags.attested_data() {
            true => Some(AttestedCredential::read(&mut rest, truncated)?),
            false => None,
        };
        let extensions = match flags.extension_data() {
            true => Some(cbor(&mut rest, "extensions")?.1),
            false => None,
        };
        match rest.len() {
            0 => Ok(Self {
                rp_id_hash: *rp_id_hash,
                flags,
                counter: u32::from_be_bytes([a, b, c, d]),
                attested,
                extensions,
            }),
            more => Err(InvalidAuthenticatorData::TrailingBytes(more)),
        }
    }

    /// An extension's output.
    pub fn extension(&self, name: &str) -> Option<&Value> {
        let found = self
            .extensions
            .as_ref()?
            .as_map()?
            .iter()
            .find(|(key, _)| key.as_text() == Some(name))?;
        Some(&found.1)
    }
}

impl AuthenticatorData {
    /// The extensions as JSON for people: byte strings in hex, keys as text.
    pub fn extensions_json(&self) -> Option<serde_json::Value> {
        self.extensions.as_ref().map(|value| json(value, 0))
    }
}

/// CBOR as JSON, as far as JSON goes.
fn json(value: &Value, depth: usize) -> serde_json::Value {
    let deeper = depth.saturating_add(1);
    match value {
        // Real extension outputs are two levels deep.
        _ if depth > 16 => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Text(text) => text.as_str().into(),
        Value::Bytes(bytes) => data_encoding::HEXLOWER.encode(bytes).into(),
        Value::Float(number) => (*number).into(),
        Value::Integer(number) => match i64::try_from(i128::from(*number)) {
            Ok(number) => number.into(),
            Err(_) => i128::from(*number).to_string().into(),
        },
        Value::Array(items) => items.iter().map(|item| json(item, deeper)).collect(),
        Value::Map(members) => members
            .iter()
            .map(|(key, value)| {
                let key = match json(key, deeper) {
                    serde_json::Value::String(text) => text,
                    other => other.to_string(),
                };
                (key, json(value, deeper))
            })
            .collect(),
        Value::Tag(_, inner) => json(inner, deeper),
        _ => serde_json::Value::Null,
    }
}

impl AttestedCredential {
    fn read(
        rest: &mut &[u8],
        truncated: impl Fn(&'static str) -> InvalidAuthenticatorData,
    ) -> Result<Self, InvalidAuthenticatorData> {
        let (aaguid, tail) = rest.split_first_chunk::<16>().ok_or(truncated("AAGUID"))?;
        let (length, tail) = tail
            .split_first_chunk::<2>()
            .ok_or(truncated("credential id"))?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (credential_id, tail) = tail
            .split_at_checked(length)
            .ok_or(truncated("credential id"))?;
        *rest = tail;
        let (raw, value) = cbor(rest, "public key")?;
        Ok(Self {
            aaguid: Guid::from_bytes_be(*aaguid),
            credential_id: credential_id.to_vec(),
            key: CoseKey::new(raw, &value),
        })
    }
}

/// One CBOR item from the front: its bytes and its value.
fn cbor<'a>(
    rest: &mut &'a [u8],
    what: &'static str,
) -> Result<(&'a [u8], Value), InvalidAuthenticatorData> {
    let all = *rest;
    let value =
        ciborium::from_reader(&mut *rest).map_err(|_| InvalidAuthenticatorData::NotCbor(what))?;
    let used = all.len().saturating_sub(rest.len());
    Ok((all.get(..used).unwrap_or_default(), value))
}
