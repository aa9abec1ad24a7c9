//! GUIDs in both byte orders (MS-DTYP 2.3.4).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A GUID, kept in the byte order of the Windows wire (mixed-endian, `bytes_le`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Guid([u8; 16]);

/// The text is not a GUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a GUID; write it as 00000000-0000-0000-0000-000000000000")]
pub struct InvalidGuid(String);

impl Guid {
    /// All zeros: what a FIDO entry has for its device.
    pub const ZERO: Self = Self([0; 16]);

    /// From the Windows wire: the first three fields little-endian.
    pub const fn from_bytes_le(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// From RFC 9562 byte order: all fields big-endian, as the text reads.
    pub const fn from_bytes_be(bytes: [u8; 16]) -> Self {
        Self(swap(bytes))
    }

    /// The Windows wire form.
    pub const fn to_bytes_le(self) -> [u8; 16] {
        self.0
    }

    /// The RFC 9562 form.
    pub const fn to_bytes_be(self) -> [u8; 16] {
        swap(self.0)
    }

    /// A random (version 4) GUID from 16 random bytes.
    pub const fn v4(mut random: [u8; 16]) -> Self {
        random[6] = (random[6] & 0x0F) | 0x40;
        random[8] = (random[8] & 0x3F) | 0x80;
        Self::from_bytes_be(random)
    }

    /// Whether this reads as a version 4, variant 1 GUID. A GUID stored in the wrong byte order does not.
    pub const fn is_v4(self) -> bool {
        let be = swap(self.0);
        be[6] >> 4 == 4 && be[8] >> 6 == 0b10
    }
}

/// The same permutation leads both ways.
const fn swap(b: [u8; 16]) -> [u8; 16] {
    [
        b[3], b[2], b[1], b[0], b[5], b[4], b[7], b[6], b[8], b[9], b[10], b[11], b[12], b[13],
        b[14], b[15],
    ]
}

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.to_bytes_be().iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Guid {
    type Err = InvalidGuid;

    /// Reads `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx`, in any case, with or without braces.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidGuid(text.chars().take(64).collect());
        let bare = text.trim();
        let bare = bare
            .strip_prefix('{')
            .and_then(|t| t.strip_suffix('}'))
            .unwrap_or(bare);
        let dashes_in_place = bare.len() == 36
            && bare
                .bytes()
                .enumerate()
                .all(|(i, b)| (b == b'-') == matches!(i, 8 | 13 | 18 | 23));
        if !dashes_in_place {
            return Err(invalid());
        }
        let digits = bare.replace('-', "");
        let bytes = data_encoding::HEXLOWER_PERMISSIVE
            .decode(digits.as_bytes())
            .map_err(|_| invalid())?;
        <[u8; 16]>::try_from(bytes)
            .map(Self::from_bytes_be)
            .map_err(|_| invalid())
    }
}

impl Serialize for Guid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Guid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_byte_orders() {
        let guid: Guid = "{5B47D60F-6090-40b2-9f37-2a4de88f3063}".parse().unwrap();
        assert_eq!(guid.to_bytes_le()[..4], [0x0f, 0xd6, 0x47, 0x5b]);
        assert_eq!(guid.to_bytes_be()[..4], [0x5b, 0x47, 0xd6, 0x0f]);
        assert_eq!(guid.to_string(), "5b47d60f-6090-40b2-9f37-2a4de88f3063");
        assert!(guid.is_v4());
        assert!(!Guid::from_bytes_le(guid.to_bytes_be()).is_v4());
    }

    #[test]
    fn broken_text_is_refused() {
        for text in [
            "",
            "5b47d60f",
            "5b47d60f-6090-40b2-9f37-2a4de88f306",
            "5b47d60f-6090-40b2-9f37-2a4de88f306g",
            "5b47d60f6-090-40b2-9f37-2a4de88f3063",
            "é5b47d60f-6090-40b2-9f37-2a4de88f30",
        ] {
            assert!(text.parse::<Guid>().is_err(), "{text}");
        }
    }
}
