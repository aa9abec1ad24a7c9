//! DirSync (MS-ADTS 3.1.1.3.4.1.3): changes of a naming context since a cookie.

use super::{Control, DIR_SYNC};
use crate::DecodeError;
use crate::ber::{INTEGER, OCTET_STRING, Reader, SEQUENCE, Writer};

/// Flags of a DirSync request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct DirSyncFlags(pub u32);

impl DirSyncFlags {
    /// Any reader may ask, and gets what it may read.
    pub const OBJECT_SECURITY: Self = Self(0x1);
    /// Parents come before their children.
    pub const ANCESTORS_FIRST_ORDER: Self = Self(0x800);
    /// No secret attributes.
    pub const PUBLIC_DATA_ONLY: Self = Self(0x2000);
    /// Links value by value.
    pub const INCREMENTAL_VALUES: Self = Self(0x8000_0000);

    /// Whether all bits of `other` are set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for DirSyncFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// What a client asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirSyncRequest {
    /// How.
    pub flags: DirSyncFlags,
    /// Most attribute bytes in the reply; zero for the server's choice.
    pub bytes_max: u32,
    /// Where the last reply ended; empty for everything.
    pub cookie: Vec<u8>,
}

/// What the server adds to the last result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DirSyncResponse {
    /// Whether more is waiting.
    pub more: bool,
    /// Where to go on.
    pub cookie: Vec<u8>,
}

impl DirSyncRequest {
    /// Reads the control's value.
    pub fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(value).expect(SEQUENCE, "DirSync")?;
        Ok(Self {
            flags: DirSyncFlags(flags(&mut reader, "DirSync flags")?),
            bytes_max: {
                // Some clients send -1 for "as much as you like".
                let number = reader.integer(INTEGER, "DirSync size")?;
                u32::try_from(number).unwrap_or(0)
            },
            cookie: reader.octets(OCTET_STRING, "DirSync cookie")?,
        })
    }

    /// The control that carries this; DirSync must be critical (MS-ADTS).
    pub fn to_control(&self) -> Control {
        control(
            self.flags.0.cast_signed().into(),
            self.bytes_max.into(),
            &self.cookie,
        )
        .critical()
    }
}

impl DirSyncResponse {
    /// Reads the control's value.
    pub fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(value).expect(SEQUENCE, "DirSync")?;
        let more = reader.integer(INTEGER, "DirSync MoreResults")? != 0;
        let _unused = reader.integer(INTEGER, "DirSync unused")?;
        Ok(Self {
            more,
            cookie: reader.octets(OCTET_STRING, "DirSync cookie")?,
        })
    }

    /// The control that carries this.
    pub fn to_control(&self) -> Control {
        control(self.more.into(), 0, &self.cookie)
    }
}

/// 32 flag bits, sent as a signed or as an unsigned number.
pub(super) fn flags(reader: &mut Reader<'_>, what: &'static str) -> Result<u32, DecodeError> {
    let number = reader.integer(INTEGER, what)?;
    u32::try_from(number)
        .or_else(|_| i32::try_from(number).map(i32::cast_unsigned))
        .map_err(|_| reader.invalid(what, "more than 32 bits"))
}

fn control(first: i64, second: i64, cookie: &[u8]) -> Control {
    let mut value = Vec::new();
    Writer(&mut value).constructed(SEQUENCE, |writer| {
        writer.integer(INTEGER, first);
        writer.integer(INTEGER, second);
        writer.octets(OCTET_STRING, cookie);
    });
    Control::new(DIR_SYNC).with_value(value)
}
