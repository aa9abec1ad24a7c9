//! The checksum of type 0x8003 in an authenticator, RFC 4121 4.1.1: no checksum, but what the initiator wants.

use super::GssError;

/// The content of the checksum field.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct GssChecksum {
    /// MD5 over the channel bindings; zeros where there are none.
    pub channel_bindings: [u8; 16],
    /// What the initiator wants.
    pub flags: GssFlags,
    /// KRB-CRED with a forwarded ticket, where credentials are delegated.
    pub delegated: Option<Vec<u8>>,
}

/// Flags of RFC 4121 4.1.1.1 and MS-KILE 3.2.5.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct GssFlags(pub u32);

#[allow(
    missing_docs,
    reason = "the constants are the names of the specification"
)]
impl GssFlags {
    pub const DELEG: Self = Self(0x01);
    pub const MUTUAL: Self = Self(0x02);
    pub const REPLAY: Self = Self(0x04);
    pub const SEQUENCE: Self = Self(0x08);
    pub const CONF: Self = Self(0x10);
    pub const INTEG: Self = Self(0x20);
    pub const DCE_STYLE: Self = Self(0x1000);
    pub const IDENTIFY: Self = Self(0x2000);
    pub const EXTENDED_ERROR: Self = Self(0x4000);

    /// Whether all flags of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl std::ops::BitOr for GssFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl GssChecksum {
    /// Reads the field. Extensions behind it are left alone.
    pub fn decode(bytes: &[u8]) -> Result<Self, GssError> {
        let invalid = |why| GssError::Invalid {
            what: "GSS checksum",
            why,
        };
        let truncated = || invalid("truncated");
        let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(truncated)?;
        if u32::from_le_bytes(*length) != 16 {
            return Err(invalid("channel bindings have not 16 bytes"));
        }
        let (channel_bindings, rest) = rest.split_first_chunk::<16>().ok_or_else(truncated)?;
        let (flags, rest) = rest.split_first_chunk::<4>().ok_or_else(truncated)?;
        let flags = GssFlags(u32::from_le_bytes(*flags));
        let delegated = if flags.contains(GssFlags::DELEG) {
            let (option, rest) = rest.split_first_chunk::<2>().ok_or_else(truncated)?;
            let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(truncated)?;
            if u16::from_le_bytes(*option) != 1 {
                return Err(invalid("the delegation option is not 1"));
            }
            let length = usize::from(u16::from_le_bytes(*length));
            Some(rest.get(..length).ok_or_else(truncated)?.to_vec())
        } else {
            None
        };
        Ok(Self {
            channel_bindings: *channel_bindings,
            flags,
            delegated,
        })
    }

    /// Writes the field; the delegation flag follows from `delegated`.
    pub fn encode(&self) -> Result<Vec<u8>, GssError> {
        let mut flags = GssFlags(self.flags.0 & !GssFlags::DELEG.0);
        if self.delegated.is_some() {
            flags = flags | GssFlags::DELEG;
        }
        let mut bytes = 16u32.to_le_bytes().to_vec();
        bytes.extend(self.channel_bindings);
        bytes.extend(flags.0.to_le_bytes());
        if let Some(delegated) = &self.delegated {
            let length = u16::try_from(delegated.len()).map_err(|_| GssError::Invalid {
                what: "GSS checksum",
                why: "the delegated ticket is longer than 65535 bytes",
            })?;
            bytes.extend(1u16.to_le_bytes());
            bytes.extend(length.to_le_bytes());
            bytes.extend(delegated);
        }
        Ok(bytes)
    }
}
