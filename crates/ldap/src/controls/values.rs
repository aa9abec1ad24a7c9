//! The controls whose value is one number or one name (MS-ADTS 3.1.1.3.4.1.5, .11, .12, .16).

use super::dir_sync::flags;
use super::{Control, EXTENDED_DN, SD_FLAGS, SEARCH_OPTIONS};
use crate::DecodeError;
use crate::ber::{INTEGER, OCTET_STRING, Reader, SEQUENCE, Writer};

/// Which parts of a security descriptor are read or written (SECURITY_INFORMATION, MS-DTYP 2.4.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SdFlags(pub u32);

impl SdFlags {
    /// The owner.
    pub const OWNER: Self = Self(1);
    /// The group.
    pub const GROUP: Self = Self(2);
    /// The access control list.
    pub const DACL: Self = Self(4);
    /// The audit list, which needs a privilege.
    pub const SACL: Self = Self(8);

    /// Whether all bits of `other` are set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Reads the control's value.
    pub fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(value).expect(SEQUENCE, "SD flags")?;
        Ok(Self(flags(&mut reader, "SD flags")?))
    }

    /// The control that carries this.
    pub fn to_control(self) -> Control {
        Control::new(SD_FLAGS).with_value(one_number(self.0.into()))
    }
}

/// How names are given back with their GUID and SID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExtendedDn {
    /// `<GUID=hex>;<SID=hex>;dn`, the format 0 and that of a control without a value.
    Hex,
    /// `<GUID=8-4-4-4-12>;<SID=S-1-...>;dn`, the format 1.
    Text,
}

impl ExtendedDn {
    /// Reads the control's value.
    pub fn decode(value: Option<&[u8]>) -> Result<Self, DecodeError> {
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return Ok(Self::Hex);
        };
        let mut reader = Reader::new(value).expect(SEQUENCE, "extended DN")?;
        match reader.integer(INTEGER, "extended DN format")? {
            0 => Ok(Self::Hex),
            1 => Ok(Self::Text),
            _ => Err(reader.invalid("extended DN format", "neither 0 nor 1")),
        }
    }

    /// The control that carries this.
    pub fn to_control(self) -> Control {
        let format = match self {
            Self::Hex => 0,
            Self::Text => 1,
        };
        Control::new(EXTENDED_DN).with_value(one_number(format))
    }
}

/// Flags of a search (MS-ADTS 3.1.1.3.4.1.12).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct SearchOptions(pub u32);

impl SearchOptions {
    /// SERVER_SEARCH_FLAG_DOMAIN_SCOPE: no referrals.
    pub const DOMAIN_SCOPE: Self = Self(1);
    /// SERVER_SEARCH_FLAG_PHANTOM_ROOT: all naming contexts below the base.
    pub const PHANTOM_ROOT: Self = Self(2);

    /// Whether all bits of `other` are set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Reads the control's value.
    pub fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(value).expect(SEQUENCE, "search options")?;
        Ok(Self(flags(&mut reader, "search options")?))
    }

    /// The control that carries this.
    pub fn to_control(self) -> Control {
        Control::new(SEARCH_OPTIONS).with_value(one_number(self.0.into()))
    }
}

/// VERIFY_NAME: flags and the server's name in UTF-16.
pub(super) fn decode_verify_name(value: &[u8]) -> Result<String, DecodeError> {
    let mut reader = Reader::new(value).expect(SEQUENCE, "verify name")?;
    let _flags = flags(&mut reader, "verify name flags")?;
    let name = reader.expect(OCTET_STRING, "server name")?;
    let units: Vec<u16> = name
        .bytes()
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_le_bytes(*pair))
        .collect();
    Ok(String::from_utf16_lossy(&units))
}

fn one_number(number: i64) -> Vec<u8> {
    let mut value = Vec::new();
    Writer(&mut value).constructed(SEQUENCE, |writer| writer.integer(INTEGER, number));
    value
}
