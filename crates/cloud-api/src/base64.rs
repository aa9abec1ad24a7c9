//! Bytes inside JSON.
//!
//! WebAuthn JSON has base64url without padding. Clients in the field also send padded and plain base64, and
//! one public API hands credential ids out with a digit that counts the padding; all are read, one is written.

use std::fmt;

use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that are written as base64url without padding, and read in either alphabet with or without padding.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Base64Url(pub Vec<u8>);

/// The text is no base64 of any of the four kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not base64url; encode the bytes with the alphabet of RFC 4648 section 5, without padding")]
pub struct InvalidBase64;

impl Base64Url {
    /// Reads either alphabet, padded or not.
    pub fn parse(text: &str) -> Result<Self, InvalidBase64> {
        let bare = text.trim_end_matches('=');
        // At most two signs of padding exist; more is not base64 at all.
        if text.len() - bare.len() > 2 {
            return Err(InvalidBase64);
        }
        let encoding = if bare.contains(['+', '/']) {
            BASE64_NOPAD
        } else {
            BASE64URL_NOPAD
        };
        encoding
            .decode(bare.as_bytes())
            .map(Self)
            .map_err(|_| InvalidBase64)
    }

    /// Reads a credential id that may carry a trailing digit with the count of padding signs (0 to 2), as in
    /// `7ebzDmVTSreLsJkrjm1mNA2`. Such a text is never valid base64url by itself when the count is right.
    pub fn parse_credential_id(text: &str) -> Result<Self, InvalidBase64> {
        let counted = || {
            let (index, digit) = text.char_indices().next_back()?;
            let padding = digit.to_digit(10)?;
            let bare = text.get(..index)?;
            let expected = [0, 3, 2, 1].get(bare.len() % 4)?;
            (padding == *expected)
                .then(|| Self::parse(bare).ok())
                .flatten()
        };
        Self::parse(text).or_else(|_| counted().ok_or(InvalidBase64))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Base64Url {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Base64Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

impl fmt::Debug for Base64Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Base64Url {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Base64Url {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
mod schema {
    use utoipa::openapi::schema::{ObjectBuilder, Type};
    use utoipa::openapi::{KnownFormat, RefOr, Schema, SchemaFormat};

    impl utoipa::PartialSchema for super::Base64Url {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Byte)))
                .description(Some("bytes in base64url without padding"))
                .into()
        }
    }

    impl utoipa::ToSchema for super::Base64Url {}
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_spelling_is_read() {
        for text in ["-_8", "-_8=", "+/8", "+/8="] {
            assert_eq!(Base64Url::parse(text).unwrap().0, [0xfb, 0xff], "{text}");
        }
        for text in ["+_8", "-_8===", "?", "-_9", "a", "=a"] {
            assert!(Base64Url::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn credential_ids_with_padding_count() {
        let id = Base64Url::parse_credential_id("7ebzDmVTSreLsJkrjm1mNA2").unwrap();
        assert_eq!(id.0.len(), 16);
        assert_eq!(id.to_string(), "7ebzDmVTSreLsJkrjm1mNA");
        assert_eq!(
            Base64Url::parse_credential_id("7ebzDmVTSreLsJkrjm1mNA").unwrap(),
            id
        );
        assert!(Base64Url::parse_credential_id("7ebzDmVTSreLsJkrjm1mNA7").is_err());
    }

    proptest! {
        #[test]
        fn bytes_round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..70)) {
            let value = Base64Url(bytes);
            prop_assert_eq!(&Base64Url::parse(&value.to_string()).unwrap(), &value);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
            let _ = Base64Url::parse_credential_id(&text);
        }
    }
}
