//! Numbers of MS-PAC.

types::open_enum! {
    /// ulType of PAC_INFO_BUFFER, MS-PAC 2.4.
    pub struct BufferType(u32) {
        LOGON_INFO = 1, CREDENTIALS_INFO = 2, SERVER_CHECKSUM = 6, KDC_CHECKSUM = 7, CLIENT_INFO = 10,
        DELEGATION_INFO = 11, UPN_DNS_INFO = 12, CLIENT_CLAIMS = 13, DEVICE_INFO = 14, DEVICE_CLAIMS = 15,
        TICKET_CHECKSUM = 16, ATTRIBUTES_INFO = 17, REQUESTOR = 18, FULL_CHECKSUM = 19,
    }
}

impl BufferType {
    /// Whether this is one of the four signatures.
    pub fn is_signature(self) -> bool {
        matches!(
            self,
            Self::SERVER_CHECKSUM
                | Self::KDC_CHECKSUM
                | Self::TICKET_CHECKSUM
                | Self::FULL_CHECKSUM
        )
    }
}

/// Flags of PAC_ATTRIBUTES_INFO, MS-PAC 2.14.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PacAttributes(pub u32);

impl PacAttributes {
    /// The client asked for a PAC.
    pub const REQUESTED: Self = Self(1);
    /// The client did not say, and got one.
    pub const GIVEN_IMPLICITLY: Self = Self(2);

    /// The buffer: the number of flag bits, then the flags.
    pub fn to_bytes(self) -> Vec<u8> {
        [2u32.to_le_bytes(), self.0.to_le_bytes()].concat()
    }

    /// Reads the buffer; more words than one are not known.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, super::PacError> {
        match bytes.as_chunks::<4>() {
            ([_, flags, ..], _) => Ok(Self(u32::from_le_bytes(*flags))),
            _ => Err(super::PacError::Truncated {
                what: "PAC_ATTRIBUTES_INFO",
                offset: 0,
                need: 8,
                have: bytes.len(),
            }),
        }
    }
}

/// Attributes of a group membership, MS-PAC 2.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupAttributes(pub u32);

impl GroupAttributes {
    /// Mandatory, enabled by default, enabled: what nearly every membership has.
    pub const ORDINARY: Self = Self(7);
    /// Ordinary, and a group of the resource's domain.
    pub const RESOURCE: Self = Self(0x2000_0007);
}

/// UserFlags of KERB_VALIDATION_INFO, MS-PAC 2.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct UserFlags(pub u32);

impl UserFlags {
    /// ExtraSids is there.
    pub const EXTRA_SIDS: Self = Self(0x20);
    /// ResourceGroupIds is there.
    pub const RESOURCE_GROUPS: Self = Self(0x200);
}
