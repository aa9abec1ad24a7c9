//! The cloud's form of a key: one member of a user's `searchableDeviceKey`, nine members of JSON.
//!
//! The conversion to AD is deterministic: two posted pairs of cloud and AD values rebuild byte for byte. FIDO's last
//! three members are not stored in AD; the AAGUID is inside the authenticator data, the thumbprints follow from
//! `x5c` except for the issuing CA, which the cloud lists and `x5c` lacks.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use types::{Guid, Timestamp};

use crate::blob::Blob;
use crate::builder::Draft;
use crate::error::BuildError;
use crate::key_time::KeyTime;
use crate::material::{Attestation, KeyMaterial};
use crate::numbers::{EntryId, KeySource, KeyUsage};

/// A key as the cloud keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchableDeviceKey {
    /// `NGC` or `FIDO`, as a word.
    #[serde(with = "usage_word")]
    pub usage: KeyUsage,
    /// The credential id of FIDO, the SHA-256 of an RSA key, the `kid` of a JSON Web Key.
    #[serde(with = "base64")]
    pub key_identifier: Vec<u8>,
    /// Byte for byte what AD will hold.
    #[serde(with = "base64")]
    pub key_material: Vec<u8>,
    /// Up to seven digits of a second.
    pub creation_time: Timestamp,
    /// Zeros for FIDO.
    pub device_id: Option<Guid>,
    /// Raw, see [`crate::CustomKeyInformation`].
    #[serde(with = "optional_base64")]
    pub custom_key_information: Option<Vec<u8>>,
    /// Model of the FIDO key.
    #[serde(default)]
    pub fido_aa_guid: Option<Guid>,
    /// Null in every value seen.
    #[serde(default)]
    pub fido_authenticator_version: Option<String>,
    /// SHA-1 thumbprints in lower-case hex.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub fido_attestation_certificates: Vec<String>,
}

impl SearchableDeviceKey {
    /// The AD value, with KeyHash.
    pub fn to_blob(&self) -> Result<Blob<'static>, BuildError> {
        self.draft()?.to_blob()
    }

    /// The value as a sync imports it: the AD value without KeyHash, which the sync's rule adds.
    pub fn to_raw(&self) -> Result<Vec<u8>, BuildError> {
        self.draft()
            .and_then(|draft| draft.to_raw_blob())
            .map(Blob::into_bytes)
    }

    /// The cloud form of an AD value. What AD does not store is worked out from the material.
    pub fn from_blob(blob: &Blob<'_>) -> Result<Self, BuildError> {
        let key = blob.credential();
        let missing = |id: EntryId| BuildError::Missing(id.label());
        let key_material = key
            .key_material()
            .ok_or(missing(EntryId::KEY_MATERIAL))?
            .to_vec();
        let fido = match KeyMaterial::decode(&key_material) {
            Ok(KeyMaterial::Fido(fido)) => Some(fido),
            _ => None,
        };
        let aaguid = fido
            .as_ref()
            .and_then(|fido| fido.authenticator_data().ok())
            .and_then(|data| data.attested)
            .map(|attested| attested.aaguid);
        let thumbprints = fido.iter().flat_map(|fido| fido.attestation());
        Ok(Self {
            usage: key.usage().ok_or(missing(EntryId::KEY_USAGE))?,
            key_identifier: key.key_id().ok_or(missing(EntryId::KEY_ID))?.to_vec(),
            creation_time: key
                .created()
                .and_then(KeyTime::moment)
                .ok_or(missing(EntryId::CREATED))?,
            device_id: key.device_id(),
            custom_key_information: key.raw(EntryId::CUSTOM_KEY_INFORMATION).map(<[u8]>::to_vec),
            fido_aa_guid: aaguid,
            fido_authenticator_version: None,
            fido_attestation_certificates: thumbprints
                .filter_map(|item| match item {
                    Attestation::Certificate(certificate) => Some(certificate.thumbprint_hex()),
                    Attestation::NotACertificate(_) => None,
                })
                .collect(),
            key_material,
        })
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        Ok(Draft {
            key_id: self.key_identifier.clone(),
            key_material: self.key_material.clone(),
            usage: self.usage,
            source: Some(KeySource::AZURE_AD),
            device_id: self.device_id,
            custom_key_information: self.custom_key_information.clone(),
            last_logon: Some(KeyTime::NEVER),
            created: Some(
                KeyTime::dotnet_utc(self.creation_time)
                    .ok_or(BuildError::TimeOutOfRange(self.creation_time))?,
            ),
        })
    }
}

mod usage_word {
    use super::*;

    pub(super) fn serialize<S: Serializer>(usage: &KeyUsage, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&usage.label())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<KeyUsage, D::Error> {
        let word = String::deserialize(from)?;
        let number = word
            .strip_prefix("0x")
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            .map(KeyUsage);
        KeyUsage::from_label(&word)
            .or(number)
            .ok_or_else(|| serde::de::Error::custom(format_args!("unknown key usage '{word}'")))
    }
}

mod base64 {
    use super::*;

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&data_encoding::BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        data_encoding::BASE64
            .decode(text.as_bytes())
            .map_err(|error| serde::de::Error::custom(format_args!("not base64: {error}")))
    }
}

mod optional_base64 {
    use super::*;

    pub(super) fn serialize<S: Serializer>(
        bytes: &Option<Vec<u8>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match bytes {
            Some(bytes) => base64::serialize(bytes, to),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Vec<u8>>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| data_encoding::BASE64.decode(text.as_bytes()))
            .transpose()
            .map_err(|error| serde::de::Error::custom(format_args!("not base64: {error}")))
    }
}

fn null_is_empty<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}
