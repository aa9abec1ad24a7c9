//! CUSTOM_KEY_INFORMATION, MS-ADTS 2.2.20.4, as a view over bytes of any length.
//!
//! The specification allows 2 bytes, or 16 and more. Real ones have 2, 4, 5, 6 and 15 bytes (nine reserved bytes
//! instead of ten), with fekVersion 0 where the specification demands 1: so nothing here is ever refused, and the
//! bytes are the value.

use crate::numbers::{CustomKeyFlags, KeyStrength, VolumeType};

/// A CUSTOM_KEY_INFORMATION; each field is absent when the bytes end before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CustomKeyInformation<'b>(pub &'b [u8]);

/// One ENCODED_EXTENDED_CKI, MS-ADTS 2.2.20.7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExtendedInformation<'b> {
    /// Always 0 in the specification.
    pub version: u8,
    /// CBOR, as it stands.
    pub cbor: &'b [u8],
}

/// Where extended information starts: after ten reserved bytes.
const EXTENDED_AT: usize = 16;

impl<'b> CustomKeyInformation<'b> {
    /// What the cloud writes since 2019: 15 bytes.
    pub fn cloud(flags: CustomKeyFlags, strength: KeyStrength) -> [u8; 15] {
        let mut bytes = [0; 15];
        bytes[0] = 1;
        bytes[1] = flags.0;
        bytes[5] = strength.0;
        bytes
    }

    /// 1 in every value seen.
    pub fn version(self) -> Option<u8> {
        self.byte(0)
    }

    /// Attestation, MFA not used.
    pub fn flags(self) -> Option<CustomKeyFlags> {
        self.byte(1).map(CustomKeyFlags)
    }

    /// For BitLocker keys.
    pub fn volume_type(self) -> Option<VolumeType> {
        self.byte(2).map(VolumeType)
    }

    /// Whether the device can be notified: set on phone and Mac credentials.
    pub fn supports_notification(self) -> Option<bool> {
        self.byte(3).map(|byte| byte != 0)
    }

    /// 1 in the specification, 0 in real values.
    pub fn fek_version(self) -> Option<u8> {
        self.byte(4)
    }

    /// Strength of the key as its writer saw it.
    pub fn key_strength(self) -> Option<KeyStrength> {
        self.byte(5).map(KeyStrength)
    }

    /// The reserved bytes: up to ten.
    pub fn reserved(self) -> &'b [u8] {
        let end = self.0.len().min(EXTENDED_AT);
        self.0.get(6..end).unwrap_or_default()
    }

    /// The extended information that is whole, and the bytes after it that are not.
    pub fn extended(self) -> (Vec<ExtendedInformation<'b>>, &'b [u8]) {
        let mut rest = self.0.get(EXTENDED_AT..).unwrap_or_default();
        let mut items = Vec::new();
        while let Some((&[version, size], tail)) = rest.split_first_chunk::<2>() {
            let Some((cbor, tail)) = tail.split_at_checked(usize::from(size)) else {
                break;
            };
            items.push(ExtendedInformation { version, cbor });
            rest = tail;
        }
        (items, rest)
    }

    fn byte(self, at: usize) -> Option<u8> {
        self.0.get(at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seen_length() {
        for length in [0, 1, 2, 4, 5, 6, 15, 16, 17, 20] {
            let bytes = vec![1; length];
            let info = CustomKeyInformation(&bytes);
            assert_eq!(info.flags().is_some(), length >= 2, "{length}");
            assert_eq!(info.supports_notification().is_some(), length >= 4);
            assert_eq!(info.key_strength().is_some(), length >= 6);
            assert_eq!(info.reserved().len(), length.clamp(6, 16) - 6, "{length}");
        }
    }

    #[test]
    fn extended_information() {
        let mut bytes = vec![0; 16];
        bytes.extend([0, 2, 0xA0, 0xA1, 0, 1, 0xF6, 0, 9, 1]);
        let (items, rest) = CustomKeyInformation(&bytes).extended();
        let cbor: Vec<_> = items.iter().map(|item| item.cbor).collect();
        assert_eq!(cbor, [&[0xA0, 0xA1][..], &[0xF6][..]]);
        assert_eq!(rest, [0, 9, 1]);
    }

    #[test]
    fn cloud_form() {
        let bytes = CustomKeyInformation::cloud(CustomKeyFlags::ATTESTATION, KeyStrength::NORMAL);
        let info = CustomKeyInformation(&bytes);
        assert_eq!(info.version(), Some(1));
        assert_eq!(info.key_strength(), Some(KeyStrength::NORMAL));
        assert!(info.flags().unwrap().contains(CustomKeyFlags::ATTESTATION));
    }
}
