//! The typed view of a blob: every entry by name, times read last, both hashes checked.
//!
//! Where an id occurs more than once (MS-ADTS 2.2.20.2 does not foresee it; domain controllers have written KeyID
//! twice on computers), the view shows the first and [`KeyCredential::findings`] reports the others.

use sha2::{Digest, Sha256};
use types::Guid;

use crate::blob::{Blob, Entry};
use crate::custom_key_information::CustomKeyInformation;
use crate::findings::{self, Finding};
use crate::key_time::KeyTime;
use crate::material::{KeyMaterial, MaterialError};
use crate::numbers::{EntryId, KeySource, KeyUsage, Version};

/// A blob's entries by name. Borrows from the [`Blob`].
#[derive(Debug, Clone)]
pub struct KeyCredential<'b> {
    blob: &'b Blob<'b>,
    first: [Option<Entry<'b>>; 9],
}

/// Whether the KeyHash entry is the SHA-256 of everything after it (MS-ADTS 2.2.20.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashCheck {
    /// It is.
    Holds,
    /// It is not: the value was edited, or its writer does not know how.
    Differs,
    /// There is no such entry.
    Absent,
}

/// What the KeyID turns out to be. The specification knows only the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyIdCheck {
    /// The SHA-256 of the key material.
    Sha256OfMaterial,
    /// The credential id inside the FIDO authenticator data.
    CredentialId,
    /// The `kid` of the JSON Web Key.
    JwkKeyId,
    /// Sixteen bytes in a version 0 or 1 blob: a GUID, bound to nothing.
    LegacyGuid,
    /// None of these: this key id does not belong to this material.
    Differs,
    /// There is no KeyID or no KeyMaterial.
    Absent,
}

/// How a device id looks: its version bits tell byte orders and writers apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceIdShape {
    /// All zeros: a FIDO key, which has no device.
    Zero,
    /// A version 4 GUID in Windows byte order, as Windows and .NET store it.
    V4,
    /// A version 4 GUID only when read big-endian, as Python and Go tools store it.
    V4BigEndian,
    /// Random or otherwise made bytes: no version 4 in either byte order.
    NotV4,
}

impl HashCheck {
    /// Whether it was there and right.
    pub fn holds(self) -> bool {
        self == Self::Holds
    }
}

/// Tells what a device id looks like.
pub fn device_id_shape(id: Guid) -> DeviceIdShape {
    if id == Guid::ZERO {
        DeviceIdShape::Zero
    } else if id.is_v4() {
        DeviceIdShape::V4
    } else if Guid::from_bytes_le(id.to_bytes_be()).is_v4() {
        DeviceIdShape::V4BigEndian
    } else {
        DeviceIdShape::NotV4
    }
}

impl<'b> KeyCredential<'b> {
    pub(crate) fn new(blob: &'b Blob<'_>) -> Self {
        let mut first = [None; 9];
        for entry in blob.entries() {
            let slot = usize::from(entry.id.0).checked_sub(1);
            if let Some(slot @ None) = slot.and_then(|slot| first.get_mut(slot)) {
                *slot = Some(entry);
            }
        }
        Self { blob, first }
    }

    /// The blob underneath.
    pub fn blob(&self) -> &'b Blob<'b> {
        self.blob
    }

    /// The raw value of an entry.
    pub fn raw(&self, id: EntryId) -> Option<&'b [u8]> {
        self.at(id).map(|entry| entry.value)
    }

    /// Identifies the key: see [`Self::key_id_check`].
    pub fn key_id(&self) -> Option<&'b [u8]> {
        self.raw(EntryId::KEY_ID)
    }

    /// The key material, raw.
    pub fn key_material(&self) -> Option<&'b [u8]> {
        self.raw(EntryId::KEY_MATERIAL)
    }

    /// The key material, read; `None` where there is no such entry.
    pub fn material(&self) -> Option<Result<KeyMaterial<'b>, MaterialError>> {
        self.key_material().map(KeyMaterial::decode)
    }

    /// What the key is for, as a number or as a version 0 word that has a number.
    pub fn usage(&self) -> Option<KeyUsage> {
        match self.raw(EntryId::KEY_USAGE)? {
            [number] => Some(KeyUsage(*number)),
            word => std::str::from_utf8(word)
                .ok()
                .and_then(KeyUsage::from_label),
        }
    }

    /// The legacy form of the usage: a word instead of a number.
    pub fn usage_word(&self) -> Option<&'b str> {
        self.raw(EntryId::KEY_USAGE)
            .filter(|value| value.len() != 1)
            .and_then(|value| std::str::from_utf8(value).ok())
    }

    /// Where the key was registered; the first byte counts.
    pub fn source(&self) -> Option<KeySource> {
        self.raw(EntryId::KEY_SOURCE)?
            .first()
            .map(|byte| KeySource(*byte))
    }

    /// The device, in Windows byte order; `None` where the entry is absent or not 16 bytes long.
    pub fn device_id(&self) -> Option<Guid> {
        let bytes = self.raw(EntryId::DEVICE_ID)?;
        <[u8; 16]>::try_from(bytes).ok().map(Guid::from_bytes_le)
    }

    /// How the device id looks.
    pub fn device_id_shape(&self) -> Option<DeviceIdShape> {
        self.device_id().map(device_id_shape)
    }

    /// Flags and strength.
    pub fn custom_key_information(&self) -> Option<CustomKeyInformation<'b>> {
        self.raw(EntryId::CUSTOM_KEY_INFORMATION)
            .map(CustomKeyInformation)
    }

    /// When a domain controller last saw the key in use, to about 14 days.
    pub fn last_logon(&self) -> Option<KeyTime> {
        self.time(EntryId::LAST_LOGON)
    }

    /// When the key was registered.
    pub fn created(&self) -> Option<KeyTime> {
        self.time(EntryId::CREATED)
    }

    /// Compares KeyHash with the bytes after it.
    pub fn key_hash_check(&self) -> HashCheck {
        let Some(entry) = self.at(EntryId::KEY_HASH) else {
            return HashCheck::Absent;
        };
        match self.blob.as_bytes().get(entry.end..) {
            Some(tail) if *entry.value == *Sha256::digest(tail) => HashCheck::Holds,
            _ => HashCheck::Differs,
        }
    }

    /// Compares KeyID with the material, in every way that real writers derive it.
    pub fn key_id_check(&self) -> KeyIdCheck {
        let (Some(id), Some(material)) = (self.key_id(), self.key_material()) else {
            return KeyIdCheck::Absent;
        };
        if id.len() == 32 && *id == *Sha256::digest(material) {
            return KeyIdCheck::Sha256OfMaterial;
        }
        match KeyMaterial::decode(material) {
            Ok(KeyMaterial::Fido(fido)) if fido.credential_id().as_deref() == Some(id) => {
                KeyIdCheck::CredentialId
            }
            Ok(KeyMaterial::Jwk(jwk)) if jwk.kid.as_deref() == Some(id) => KeyIdCheck::JwkKeyId,
            _ if self.blob.version() != Version::V2 && id.len() == 16 => KeyIdCheck::LegacyGuid,
            _ => KeyIdCheck::Differs,
        }
    }

    /// Where the value departs from the specification, or from what an honest writer leaves. Empty is good.
    pub fn findings(&self) -> Vec<Finding> {
        findings::of(self)
    }

    /// Whether MS-ADTS 2.2.20 would have written this value so. Few genuine values pass.
    pub fn conforms(&self) -> bool {
        self.findings().iter().all(|finding| finding.spec.is_none())
    }

    /// The first four bytes of the key id in hex: enough to tell the keys of one person apart.
    pub fn short_key_id(&self) -> String {
        let id = self.key_id().unwrap_or_default();
        data_encoding::HEXLOWER.encode(id.get(..4).unwrap_or(id))
    }

    fn at(&self, id: EntryId) -> Option<&Entry<'b>> {
        let slot = usize::from(id.0).checked_sub(1)?;
        self.first.get(slot)?.as_ref()
    }

    fn time(&self, id: EntryId) -> Option<KeyTime> {
        let raw = <[u8; 8]>::try_from(self.raw(id)?).ok()?;
        Some(KeyTime::read(
            u64::from_le_bytes(raw),
            self.blob.version(),
            self.source(),
        ))
    }
}
