//! The numbers of a key credential (MS-ADTS 2.2.20), open: unknown values survive.

use types::open_enum;

open_enum! {
    /// Layout of the blob; MS-ADTS 2.2.20.2 knows only 2, older writers left 0 and 1.
    pub struct Version(u32) { V0 = 0x0000, V1 = 0x0100, V2 = 0x0200 }
}

open_enum! {
    /// What an entry holds, MS-ADTS 2.2.20.6.
    pub struct EntryId(u8) {
        KEY_ID = 0x01,
        KEY_HASH = 0x02,
        KEY_MATERIAL = 0x03,
        KEY_USAGE = 0x04,
        KEY_SOURCE = 0x05,
        DEVICE_ID = 0x06,
        CUSTOM_KEY_INFORMATION = 0x07,
        LAST_LOGON = 0x08,
        CREATED = 0x09,
    }
}

open_enum! {
    /// What a key is for, MS-ADTS 2.2.20.5 (NGC, FIDO, FEK) and MS-DVRJ 3.1.5.1.1.3 (STK); the others were
    /// seen in practice.
    pub struct KeyUsage(u8) {
        ADMIN_KEY = 0x00,
        NGC = 0x01,
        STK = 0x02,
        BITLOCKER_RECOVERY = 0x03,
        OTHER = 0x04,
        FIDO = 0x07,
        FEK = 0x08,
    }
}

open_enum! {
    /// Where a key was registered, MS-ADTS 2.2.20.6; the specification lists only AD, the sync writes 1.
    pub struct KeySource(u8) { AD = 0x00, AZURE_AD = 0x01 }
}

open_enum! {
    /// Flags of CUSTOM_KEY_INFORMATION, MS-ADTS 2.2.20.4.
    pub struct CustomKeyFlags(u8) { NONE = 0x00, ATTESTATION = 0x01, MFA_NOT_USED = 0x02 }
}

open_enum! {
    /// Volume type of CUSTOM_KEY_INFORMATION, MS-ADTS 2.2.20.4.
    pub struct VolumeType(u8) { NONE = 0x00, OPERATING_SYSTEM = 0x01, FIXED_DATA = 0x02, REMOVABLE_DATA = 0x03 }
}

open_enum! {
    /// Strength of the key as its writer saw it, MS-ADTS 2.2.20.4.
    pub struct KeyStrength(u8) { UNKNOWN = 0x00, WEAK = 0x01, NORMAL = 0x02 }
}

impl EntryId {
    /// The entry's name as MS-ADTS writes it; `"entry"` for one without a name.
    pub fn label(self) -> &'static str {
        match self {
            Self::KEY_ID => "KeyID",
            Self::KEY_HASH => "KeyHash",
            Self::KEY_MATERIAL => "KeyMaterial",
            Self::KEY_USAGE => "KeyUsage",
            Self::KEY_SOURCE => "KeySource",
            Self::DEVICE_ID => "DeviceId",
            Self::CUSTOM_KEY_INFORMATION => "CustomKeyInformation",
            Self::LAST_LOGON => "KeyApproximateLastLogonTimeStamp",
            Self::CREATED => "KeyCreationTime",
            _ => "entry",
        }
    }
}

impl KeyUsage {
    const LABELS: [(Self, &'static str); 7] = [
        (Self::ADMIN_KEY, "AdminKey"),
        (Self::NGC, "NGC"),
        (Self::STK, "STK"),
        (Self::BITLOCKER_RECOVERY, "BitLockerRecovery"),
        (Self::OTHER, "Other"),
        (Self::FIDO, "FIDO"),
        (Self::FEK, "FEK"),
    ];

    /// The word that administrators know (`FIDO`), the number in hex where there is none.
    pub fn label(self) -> String {
        Self::LABELS
            .iter()
            .find(|(usage, _)| *usage == self)
            .map_or_else(|| self.to_string(), |(_, label)| (*label).to_owned())
    }

    /// From the word, in any case: the cloud's JSON and version 0 blobs write words.
    pub fn from_label(word: &str) -> Option<Self> {
        Self::LABELS
            .iter()
            .find(|(_, label)| label.eq_ignore_ascii_case(word))
            .map(|(usage, _)| *usage)
    }
}

impl KeySource {
    /// The word that administrators know (`AzureAD`), the number in hex where there is none.
    pub fn label(self) -> String {
        match self {
            Self::AD => "AD".to_owned(),
            Self::AZURE_AD => "AzureAD".to_owned(),
            other => other.to_string(),
        }
    }
}

impl CustomKeyFlags {
    /// Whether every bit of `flag` is set.
    pub fn contains(self, flag: Self) -> bool {
        self.0 & flag.0 == flag.0
    }
}
