//! The signs that tell writers apart, each one a question with a sentence for the answer yes.

use sha2::{Digest, Sha256};

use super::{Context, ObjectKind};
use crate::credential::{DeviceIdShape, HashCheck, KeyCredential};
use crate::key_time::{KeyClock, KeyTime, is_plausible};
use crate::material::KeyMaterial;
use crate::numbers::{EntryId, KeySource, KeyUsage};

/// One sign. [`Signs::sentence`] says what it means when it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    SourceAd,
    SourceCloud,
    SourceAbsent,
    HashHolds,
    HashDiffers,
    HashOfKeyId,
    LastLogonNever,
    LastLogonAbsent,
    LastLogonEqualsCreated,
    LastLogonAtOrAfterCreated,
    CreatedFileTime,
    CreatedDotnetUtc,
    CreatedYearOneEpoch,
    FileTimeUnderCloud,
    TicksOfADouble,
    InfoAbsent,
    InfoZero,
    InfoMfaNotUsed,
    InfoCloudLength,
    DeviceAbsent,
    DeviceV4,
    DeviceV4OrZeroForFido,
    DeviceBigEndian,
    DeviceBigEndianOrAbsent,
    DeviceNotV4,
    MaterialRsa1,
    MaterialPkcs1,
    MaterialSpki,
    OnlyKeyIdAndMaterial,
    UsageNgc,
    NotOnUser,
    CustomAbsentOrMfaNotUsed,
}

/// A blob's answers.
pub(super) struct Signs<'b> {
    key: KeyCredential<'b>,
    hash: HashCheck,
    created: Option<KeyTime>,
    last_logon: Option<KeyTime>,
    shape: Option<DeviceIdShape>,
    material: Option<KeyMaterial<'b>>,
    context: Context,
}

impl<'b> Signs<'b> {
    pub(super) fn read(key: &KeyCredential<'b>, context: Context) -> Self {
        Self {
            hash: key.key_hash_check(),
            created: key.created(),
            last_logon: key.last_logon(),
            shape: key.device_id_shape(),
            material: key.material().and_then(Result::ok),
            key: key.clone(),
            context,
        }
    }

    /// Whether the sign is there.
    pub(super) fn has(&self, sign: Sign) -> bool {
        let info = self.key.raw(EntryId::CUSTOM_KEY_INFORMATION);
        let created_raw = self.created.map(|time| time.raw);
        let is_fido = self.key.usage() == Some(KeyUsage::FIDO);
        match sign {
            Sign::SourceAd => self.key.source() == Some(KeySource::AD),
            Sign::SourceCloud => self.key.source() == Some(KeySource::AZURE_AD),
            Sign::SourceAbsent => self.key.source().is_none(),
            Sign::HashHolds => self.hash.holds(),
            Sign::HashDiffers => self.hash == HashCheck::Differs,
            Sign::HashOfKeyId => {
                let expected = self.key.key_id().map(Sha256::digest);
                expected.is_some_and(|hash| self.key.raw(EntryId::KEY_HASH) == Some(&hash[..]))
            }
            Sign::LastLogonNever => self.last_logon.is_some_and(KeyTime::is_never),
            Sign::LastLogonAbsent => self.key.raw(EntryId::LAST_LOGON).is_none(),
            Sign::LastLogonEqualsCreated => {
                created_raw.is_some() && created_raw == self.last_logon.map(|time| time.raw)
            }
            Sign::LastLogonAtOrAfterCreated => {
                let moments = (self.last_logon.and_then(KeyTime::moment), self.moment());
                matches!(moments, (Some(last), Some(created)) if last >= created)
            }
            Sign::CreatedFileTime => self.created_on(KeyClock::FileTime),
            Sign::CreatedDotnetUtc => {
                self.created_on(KeyClock::DotnetBinary)
                    && created_raw.is_some_and(|raw| raw >> 62 == 0b01)
            }
            Sign::CreatedYearOneEpoch => {
                let other = self.created.and_then(KeyTime::plausible_on_other_clock);
                other.is_some_and(|(clock, _)| clock != KeyClock::FileTime)
                    && created_raw.is_some_and(|raw| raw >> 62 == 0)
            }
            Sign::FileTimeUnderCloud => {
                let other = self.created.and_then(KeyTime::plausible_on_other_clock);
                other.is_some_and(|(clock, _)| clock == KeyClock::FileTime)
            }
            Sign::TicksOfADouble => created_raw.is_some_and(|raw| raw % 16 == 0),
            Sign::InfoAbsent => info.is_none(),
            Sign::InfoZero => info == Some(&[1, 0]),
            Sign::InfoMfaNotUsed => info == Some(&[1, 2]),
            Sign::InfoCloudLength => info.is_some_and(|info| matches!(info.len(), 4 | 5 | 6 | 15)),
            Sign::CustomAbsentOrMfaNotUsed => info.is_none_or(|info| info == [1, 2]),
            Sign::DeviceAbsent => self.key.raw(EntryId::DEVICE_ID).is_none(),
            Sign::DeviceV4 => self.shape == Some(DeviceIdShape::V4),
            Sign::DeviceV4OrZeroForFido => match self.shape {
                Some(DeviceIdShape::Zero) => is_fido,
                shape => shape == Some(DeviceIdShape::V4),
            },
            Sign::DeviceBigEndian => self.shape == Some(DeviceIdShape::V4BigEndian),
            Sign::DeviceBigEndianOrAbsent => {
                matches!(self.shape, None | Some(DeviceIdShape::V4BigEndian))
            }
            Sign::DeviceNotV4 => self.shape == Some(DeviceIdShape::NotV4),
            Sign::MaterialRsa1 => self.starts_with(b"RSA1"),
            Sign::MaterialPkcs1 => matches!(self.material, Some(KeyMaterial::Pkcs1(_))),
            Sign::MaterialSpki => matches!(self.material, Some(KeyMaterial::Spki(_))),
            Sign::OnlyKeyIdAndMaterial => {
                let ids = self.key.blob().entries().map(|entry| entry.id);
                ids.eq([EntryId::KEY_ID, EntryId::KEY_MATERIAL])
            }
            Sign::UsageNgc => self.key.usage() == Some(KeyUsage::NGC),
            Sign::NotOnUser => self.context.object != Some(ObjectKind::User),
        }
    }

    /// Whether the hex of the wire speaks for a tool that writes lower case.
    pub(super) fn is_lower_case(&self) -> bool {
        self.context.lower_case_hex == Some(true)
    }

    /// Whether the object is a user.
    pub(super) fn is_on_user(&self) -> bool {
        self.context.object == Some(ObjectKind::User)
    }

    fn moment(&self) -> Option<types::Timestamp> {
        self.created.and_then(KeyTime::moment)
    }

    fn created_on(&self, clock: KeyClock) -> bool {
        self.created.is_some_and(|time| time.clock == clock)
            && self.moment().is_some_and(is_plausible)
    }

    fn starts_with(&self, magic: &[u8]) -> bool {
        self.key
            .key_material()
            .is_some_and(|material| material.starts_with(magic))
    }
}

impl Sign {
    /// The sign in words; `None` for signs that only delimit and tell nothing.
    pub(super) fn sentence(self) -> Option<&'static str> {
        Some(match self {
            Self::SourceAd | Self::UsageNgc | Self::NotOnUser | Self::HashHolds => return None,
            Self::SourceCloud => "KeySource is AzureAD",
            Self::SourceAbsent => "there is no KeySource",
            Self::HashDiffers => "KeyHash is wrong",
            Self::HashOfKeyId => "KeyHash is the SHA-256 of the KeyID",
            Self::LastLogonNever => "LastLogon is one of the three 'never' values",
            Self::LastLogonAbsent => "there is no LastLogon",
            Self::LastLogonEqualsCreated => "LastLogon equals Created",
            Self::LastLogonAtOrAfterCreated => "LastLogon is Created or a later use",
            Self::CreatedFileTime => "Created is a FILETIME",
            Self::CreatedDotnetUtc => "Created is a .NET time in UTC",
            Self::CreatedYearOneEpoch => "Created counts from year 1 without a kind",
            Self::FileTimeUnderCloud => "Created is a FILETIME although KeySource is AzureAD",
            Self::TicksOfADouble => "Created is a multiple of 16 ticks, as floating point makes it",
            Self::InfoAbsent => "there is no CustomKeyInformation",
            Self::InfoZero => "CustomKeyInformation is 01 00",
            Self::InfoMfaNotUsed => "CustomKeyInformation is 01 02 (MFA not used)",
            Self::InfoCloudLength => "CustomKeyInformation has a length that only the cloud writes",
            Self::CustomAbsentOrMfaNotUsed => "CustomKeyInformation is absent or 01 02",
            Self::DeviceAbsent => "there is no DeviceId",
            Self::DeviceV4 => "DeviceId is a mixed-endian version 4 GUID",
            Self::DeviceV4OrZeroForFido => {
                "DeviceId is a mixed-endian version 4 GUID, or zero for a FIDO key"
            }
            Self::DeviceBigEndian => "DeviceId is a version 4 GUID only when read big-endian",
            Self::DeviceBigEndianOrAbsent => "DeviceId is big-endian or absent",
            Self::DeviceNotV4 => "DeviceId is not a version 4 GUID in either byte order",
            Self::MaterialRsa1 => "the key is a BCRYPT RSA blob",
            Self::MaterialPkcs1 => "the key is PKCS#1 DER",
            Self::MaterialSpki => "the key is a SubjectPublicKeyInfo",
            Self::OnlyKeyIdAndMaterial => "there is nothing but KeyID and KeyMaterial",
        })
    }
}
