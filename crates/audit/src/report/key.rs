//! One key in words: every decoded field, and the raw bytes where a field has a reading of its own.

use std::borrow::Cow;

use data_encoding::{BASE64, HEXLOWER};
use keycred::fingerprint::{Context, WriterKind, writers};
use keycred::{
    Blob, CustomKeyFlags, CustomKeyInformation, DeviceIdShape, EntryId, HashCheck, KeyClock,
    KeyCredential, KeyIdCheck, KeyTime, Reading,
};
use serde::Serialize;
use types::Guid;

use super::material::Material;
use crate::inventory::{Content, Place, Value};
use crate::models::Models;

/// A readable value.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// Where it stood.
    pub place: Place,
    /// `directory` for a value of msDS-KeyCredentialLink, `cloud` for one of searchableDeviceKey.
    pub form: &'static str,
    /// The object that the value is linked to, or the cloud's user.
    pub owner: Option<String>,
    /// The entry that the value stood in, where that is another object than the owner.
    pub object: Option<String>,
    /// The blob's version, as `0x200`.
    pub version: String,
    /// Length of the blob in bytes.
    pub raw_length: usize,
    /// Whether MS-ADTS would have written it so.
    pub conforms: bool,
    /// What the key is for.
    pub usage: Option<Usage>,
    /// Where it was registered.
    pub source: Option<Usage>,
    /// When it was registered.
    pub created: Option<Time>,
    /// When it was last seen in use.
    pub last_logon: Option<Time>,
    /// Its identifier.
    pub key_id: Option<KeyId>,
    /// The hash over the rest of the blob.
    pub key_hash: Option<Hash>,
    /// The device it belongs to.
    pub device_id: Option<Device>,
    /// Flags and strength.
    pub custom_key_information: Option<CustomInformation>,
    /// The model of a security key.
    pub model: Option<String>,
    /// The key itself.
    pub material: Option<Material>,
    /// Entries as they stand, in order; repeated and unknown ones included.
    pub entries: Vec<RawEntry>,
    /// What is unusual about it, gravest first.
    pub findings: Vec<Finding>,
    /// Writers whose every sign fits the bytes, the one with the most signs first.
    pub writers: Vec<WriterMatch>,
}

/// A number with its word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// The number, where there is one.
    pub number: Option<u8>,
    /// The word.
    pub name: String,
}

/// A time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Time {
    /// RFC 3339 in UTC; null where it is never, or no time.
    pub time: Option<String>,
    /// Whether it means "never".
    pub never: bool,
    /// The clock it was read with.
    pub clock: &'static str,
    /// The eight bytes as a number, in hex.
    pub raw: String,
}

/// A key id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyId {
    /// In hex.
    pub hex: String,
    /// In base64, as most tools show it.
    pub base64: String,
    /// What it was found to be.
    pub check: &'static str,
}

/// A key hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hash {
    /// In hex.
    pub hex: String,
    /// Whether it holds.
    pub holds: bool,
}

/// A device id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// As a GUID, in Windows byte order.
    pub id: Guid,
    /// `zero`, `v4`, `v4BigEndian` or `notV4`.
    pub shape: &'static str,
    /// The GUID that its writer probably meant, where it took the other byte order.
    pub big_endian: Option<Guid>,
}

/// CustomKeyInformation; members that the bytes do not reach are null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the specification's")]
pub struct CustomInformation {
    pub hex: String,
    pub version: Option<u8>,
    pub flags: Option<u8>,
    pub flag_names: Vec<&'static str>,
    pub volume_type: Option<String>,
    pub supports_notification: Option<bool>,
    pub fek_version: Option<u8>,
    pub key_strength: Option<String>,
    pub reserved: String,
    pub extended: Vec<ExtendedItem>,
}

/// One piece of extended information.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the specification's")]
pub struct ExtendedItem {
    pub version: u8,
    pub cbor: String,
}

/// An entry as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RawEntry {
    /// Its id.
    pub id: u8,
    /// Its name.
    pub name: &'static str,
    /// Where it starts in the blob.
    pub offset: usize,
    /// Its value in hex.
    pub hex: String,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Its stable name.
    pub id: &'static str,
    /// `note`, `warning` or `alarm`.
    pub severity: &'static str,
    /// In words.
    pub sentence: Cow<'static, str>,
    /// The section of the specification that says otherwise.
    pub spec: Option<&'static str>,
}

/// A writer that the bytes fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WriterMatch {
    /// Its stable name.
    pub id: &'static str,
    /// In words.
    pub name: &'static str,
    /// `platform`, `administration` or `attack`.
    pub kind: &'static str,
    /// The signs that fit.
    pub reasons: Vec<&'static str>,
}

impl Key {
    /// Reads a found value; the reason in words where that cannot be done.
    pub fn read(value: &Value, owner: Option<String>, models: &Models) -> Result<Self, String> {
        let (blob, form, lower_case_hex) = match &value.content {
            Content::Directory {
                value,
                lower_case_hex,
            } => {
                let blob = Blob::decode(&value.binary).map_err(|error| error.to_string())?;
                (blob, "directory", Some(*lower_case_hex))
            }
            Content::Cloud(key) => {
                let blob = key.to_blob().map_err(|error| error.to_string())?;
                (blob, "cloud", None)
            }
        };
        let context = Context {
            object: None,
            lower_case_hex,
        };
        let mut key = Self::of(&blob, context, models);
        key.form = form;
        key.place = value.place.clone();
        key.object = value.object.clone().filter(|object| {
            owner
                .as_ref()
                .is_none_or(|owner| !is_same_dn(object, owner))
        });
        key.owner = owner;
        Ok(key)
    }

    /// Describes a blob that stands nowhere in particular.
    pub fn of(blob: &Blob<'_>, context: Context, models: &Models) -> Self {
        let key = blob.credential();
        let material = key.key_material().map(Material::read);
        let aaguid = material.as_ref().and_then(Material::aaguid);
        let findings = key.findings();
        Self {
            place: Place {
                source: String::new(),
                line: None,
                path: None,
            },
            form: "directory",
            owner: None,
            object: None,
            version: format!("{:#x}", blob.version().0),
            raw_length: blob.as_bytes().len(),
            conforms: findings.iter().all(|finding| finding.spec.is_none()),
            usage: usage(&key),
            source: key.source().map(|source| Usage {
                number: Some(source.0),
                name: source.label(),
            }),
            created: key.created().map(time),
            last_logon: key.last_logon().map(time),
            key_id: key.key_id().map(|id| KeyId {
                hex: HEXLOWER.encode(id),
                base64: BASE64.encode(id),
                check: key_id_check(key.key_id_check()),
            }),
            key_hash: key.raw(EntryId::KEY_HASH).map(|hash| Hash {
                hex: HEXLOWER.encode(hash),
                holds: key.key_hash_check() == HashCheck::Holds,
            }),
            device_id: device(&key),
            custom_key_information: key.custom_key_information().map(custom),
            model: aaguid
                .and_then(|aaguid| models.name(aaguid))
                .map(str::to_owned),
            material,
            entries: blob.entries().map(entry).collect(),
            findings: findings.into_iter().map(finding).collect(),
            writers: writers(blob, context).into_iter().map(writer).collect(),
        }
    }
}

/// Directories write a name in more than one way; those that cannot be read are compared as they stand.
fn is_same_dn(one: &str, other: &str) -> bool {
    match (one.parse::<types::Dn>(), other.parse::<types::Dn>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one.eq_ignore_ascii_case(other),
    }
}

fn usage(key: &KeyCredential<'_>) -> Option<Usage> {
    match (key.usage(), key.usage_word()) {
        (usage, Some(word)) => Some(Usage {
            number: usage.map(|usage| usage.0),
            name: word.to_owned(),
        }),
        (Some(usage), None) => Some(Usage {
            number: Some(usage.0),
            name: usage.label(),
        }),
        (None, None) => None,
    }
}

fn time(time: KeyTime) -> Time {
    Time {
        time: time.moment().and_then(types::Timestamp::to_rfc3339),
        never: time.reading == Reading::Never,
        clock: match time.clock {
            KeyClock::FileTime => "filetime",
            KeyClock::DotnetBinary => "dotnetBinary",
            KeyClock::DotnetTicks => "dotnetTicks",
        },
        raw: format!("{:#018x}", time.raw),
    }
}

fn key_id_check(check: KeyIdCheck) -> &'static str {
    match check {
        KeyIdCheck::Sha256OfMaterial => "sha256OfMaterial",
        KeyIdCheck::CredentialId => "credentialId",
        KeyIdCheck::JwkKeyId => "jwkKeyId",
        KeyIdCheck::LegacyGuid => "legacyGuid",
        KeyIdCheck::Differs => "differs",
        KeyIdCheck::Absent => "absent",
    }
}

fn device(key: &KeyCredential<'_>) -> Option<Device> {
    let (id, shape) = (key.device_id()?, key.device_id_shape()?);
    Some(Device {
        id,
        shape: match shape {
            DeviceIdShape::Zero => "zero",
            DeviceIdShape::V4 => "v4",
            DeviceIdShape::V4BigEndian => "v4BigEndian",
            DeviceIdShape::NotV4 => "notV4",
        },
        big_endian: (shape == DeviceIdShape::V4BigEndian)
            .then(|| Guid::from_bytes_be(id.to_bytes_le())),
    })
}

fn custom(info: CustomKeyInformation<'_>) -> CustomInformation {
    let flags = info.flags();
    let names = [
        (CustomKeyFlags::ATTESTATION, "attestation"),
        (CustomKeyFlags::MFA_NOT_USED, "mfaNotUsed"),
    ];
    let set = names
        .into_iter()
        .filter(|(flag, _)| flags.is_some_and(|flags| flags.contains(*flag)));
    CustomInformation {
        hex: HEXLOWER.encode(info.0),
        version: info.version(),
        flags: flags.map(|flags| flags.0),
        flag_names: set.map(|(_, name)| name).collect(),
        volume_type: info.volume_type().map(|volume| volume.to_string()),
        supports_notification: info.supports_notification(),
        fek_version: info.fek_version(),
        key_strength: info.key_strength().map(|strength| strength.to_string()),
        reserved: HEXLOWER.encode(info.reserved()),
        extended: info
            .extended()
            .0
            .into_iter()
            .map(|item| ExtendedItem {
                version: item.version,
                cbor: HEXLOWER.encode(item.cbor),
            })
            .collect(),
    }
}

fn entry(entry: keycred::Entry<'_>) -> RawEntry {
    RawEntry {
        id: entry.id.0,
        name: entry.id.label(),
        offset: entry.offset,
        hex: HEXLOWER.encode(entry.value),
    }
}

fn finding(finding: keycred::Finding) -> Finding {
    Finding {
        id: finding.id,
        severity: finding.severity.word(),
        sentence: finding.sentence,
        spec: finding.spec,
    }
}

fn writer(likely: keycred::fingerprint::Likely) -> WriterMatch {
    WriterMatch {
        id: likely.writer.id(),
        name: likely.writer.name(),
        kind: match likely.writer.kind() {
            WriterKind::Platform => "platform",
            WriterKind::Administration => "administration",
            WriterKind::Attack => "attack",
        },
        reasons: likely.reasons,
    }
}
