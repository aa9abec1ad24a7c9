//! Bit strings of 32 flags, the first bit the highest (RFC 4120 5.2.8), and the one little-endian set of AD.

use std::ops::BitOr;

use rasn::types::{Constraints, Identifier, OctetString, Tag};
use rasn::{AsnType, Decode, Decoder, Encode, Encoder, de::Error as _};

macro_rules! flags {
    ($( $(#[$meta:meta])* $name:ident { $( $flag:ident = $bit:literal ),* $(,)? } )+) => { $(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $name(pub u32);

        #[allow(missing_docs, reason = "the constants are the names of the specification")]
        impl $name {
            $( pub const $flag: Self = Self(1 << (31 - $bit)); )*

            /// Whether all flags of `other` are set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// These flags without those of `other`.
            pub const fn without(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }
        }

        impl BitOr for $name {
            type Output = Self;

            fn bitor(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }
        }

        /// The names that are set, and the rest in hex.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut rest = self.0;
                let mut names: Vec<String> = Vec::new();
                $( if self.contains(Self::$flag) {
                    names.push(stringify!($flag).to_owned());
                    rest &= !Self::$flag.0;
                } )*
                if rest != 0 || names.is_empty() {
                    names.push(format!("{rest:#x}"));
                }
                f.write_str(&names.join("|"))
            }
        }

        impl AsnType for $name {
            const TAG: Tag = Tag::BIT_STRING;
        }

        impl Decode for $name {
            fn decode_with_tag_and_constraints<D: Decoder>(
                decoder: &mut D,
                tag: Tag,
                constraints: &Constraints,
            ) -> Result<Self, D::Error> {
                let codec = decoder.codec();
                let bytes = OctetString::decode_with_tag_and_constraints(decoder, tag, constraints)?;
                read(&bytes)
                    .map(Self)
                    .ok_or_else(|| D::Error::custom("flags are not a bit string", codec))
            }
        }

        impl Encode for $name {
            fn encode_with_tag_and_constraints<'b, E: Encoder<'b>>(
                &self,
                encoder: &mut E,
                tag: Tag,
                constraints: &Constraints,
                identifier: Identifier,
            ) -> Result<(), E::Error> {
                let [a, b, c, d] = self.0.to_be_bytes();
                encoder
                    .encode_octet_string(tag, constraints, &[0, a, b, c, d], identifier)
                    .map(drop)
            }
        }
    )+ };
}

flags! {
    /// KDCOptions, RFC 4120 5.4.1, RFC 6806 (canonicalize), MS-SFU (cname-in-addl-tkt).
    KdcOptions {
        FORWARDABLE = 1, FORWARDED = 2, PROXIABLE = 3, PROXY = 4, ALLOW_POSTDATE = 5, POSTDATED = 6,
        RENEWABLE = 8, CNAME_IN_ADDL_TKT = 14, CANONICALIZE = 15, REQUEST_ANONYMOUS = 16,
        DISABLE_TRANSITED_CHECK = 26, RENEWABLE_OK = 27, ENC_TKT_IN_SKEY = 28, RENEW = 30, VALIDATE = 31,
    }

    /// TicketFlags, RFC 4120 5.3, RFC 6806 (enc-pa-rep), RFC 8062 (anonymous).
    TicketFlags {
        FORWARDABLE = 1, FORWARDED = 2, PROXIABLE = 3, PROXY = 4, MAY_POSTDATE = 5, POSTDATED = 6,
        INVALID = 7, RENEWABLE = 8, INITIAL = 9, PRE_AUTHENT = 10, HW_AUTHENT = 11,
        TRANSITED_POLICY_CHECKED = 12, OK_AS_DELEGATE = 13, ENC_PA_REP = 15, ANONYMOUS = 16,
    }

    /// APOptions, RFC 4120 5.5.1.
    ApOptions { USE_SESSION_KEY = 1, MUTUAL_REQUIRED = 2 }

    /// The flags of PA-PAC-OPTIONS, MS-KILE 2.2.10.
    PacOptions { CLAIMS = 0, BRANCH_AWARE = 1, FORWARD_TO_FULL_DC = 2, RESOURCE_BASED_DELEGATION = 3 }

    /// The options of S4UUserID, MS-SFU 2.2.2.
    S4uOptions { USE_REPLY_KEY_USAGE = 2 }
}

/// Fewer than 32 bits are filled up with zeros; bits after the 32nd have no meaning and are dropped.
fn read(bytes: &[u8]) -> Option<u32> {
    let (&unused, bits) = bytes.split_first()?;
    if unused > 7 || (bits.is_empty() && unused != 0) {
        return None;
    }
    let mut padded = [0u8; 4];
    for (to, from) in padded.iter_mut().zip(bits) {
        *to = *from;
    }
    Some(u32::from_be_bytes(padded))
}

/// Supported Encryption Types (MS-KILE 2.2.7): PA-SUPPORTED-ENCTYPES and `msDS-SupportedEncryptionTypes`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct SupportedEncryptionTypes(pub u32);

#[allow(
    missing_docs,
    reason = "the constants are the names of the specification"
)]
impl SupportedEncryptionTypes {
    pub const DES_CBC_CRC: Self = Self(0x01);
    pub const DES_CBC_MD5: Self = Self(0x02);
    pub const RC4_HMAC: Self = Self(0x04);
    pub const AES128: Self = Self(0x08);
    pub const AES256: Self = Self(0x10);
    pub const AES256_SK: Self = Self(0x20);
    pub const FAST: Self = Self(0x1_0000);
    pub const COMPOUND_IDENTITY: Self = Self(0x2_0000);
    pub const CLAIMS: Self = Self(0x4_0000);
    pub const RESOURCE_SID_COMPRESSION_DISABLED: Self = Self(0x8_0000);

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The content of PA-SUPPORTED-ENCTYPES.
    pub const fn to_bytes(self) -> [u8; 4] {
        self.0.to_le_bytes()
    }

    /// Reads the content of PA-SUPPORTED-ENCTYPES.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(u32::from_le_bytes).map(Self)
    }
}
