//! KerberosString (RFC 4120 5.2.1): a GeneralString on the wire, UTF-8 in the hands of Windows and MIT.

use std::fmt;

use rasn::types::{Constraints, Identifier, OctetString, Tag};
use rasn::{AsnType, Decode, Decoder, Encode, Encoder};

/// The bytes of a name, as they came.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct KerberosString(Vec<u8>);

impl KerberosString {
    /// Any bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text, if it is UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl From<&str> for KerberosString {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for KerberosString {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl PartialEq<str> for KerberosString {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

/// For people: control characters and broken UTF-8 are escaped.
impl fmt::Display for KerberosString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for character in chunk.valid().chars() {
                if character.is_control() {
                    write!(f, "{}", character.escape_default())?;
                } else {
                    write!(f, "{character}")?;
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for KerberosString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl AsnType for KerberosString {
    const TAG: Tag = Tag::GENERAL_STRING;
}

// As octets, because rasn's GeneralString refuses bytes that UTF-8 needs.
impl Decode for KerberosString {
    fn decode_with_tag_and_constraints<D: Decoder>(
        decoder: &mut D,
        tag: Tag,
        constraints: &Constraints,
    ) -> Result<Self, D::Error> {
        OctetString::decode_with_tag_and_constraints(decoder, tag, constraints)
            .map(|bytes| Self(bytes.to_vec()))
    }
}

impl Encode for KerberosString {
    fn encode_with_tag_and_constraints<'b, E: Encoder<'b>>(
        &self,
        encoder: &mut E,
        tag: Tag,
        constraints: &Constraints,
        identifier: Identifier,
    ) -> Result<(), E::Error> {
        encoder
            .encode_octet_string(tag, constraints, &self.0, identifier)
            .map(drop)
    }
}
