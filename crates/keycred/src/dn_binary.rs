//! DN-Binary, the string form of LDAP syntax 1.2.840.113556.1.4.903: `B:<hex digits>:<hex>:<DN>`
//! (MS-ADTS 3.1.1.2.2.2.3).
//!
//! The DN is not escaped and may hold colons, so the text is cut at its first three colons and no further.
//! Directories answer in upper-case hex, tools write lower case: both are read, upper case is written.

use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER_PERMISSIVE, HEXUPPER};

use crate::blob::BLOB_BYTES_MAX;

/// A DN-Binary value: bytes, and the object that they are linked to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DnBinary {
    /// The bytes.
    pub binary: Vec<u8>,
    /// The object, as written; [`types::Dn`] reads it where it is a DN.
    pub dn: String,
}

/// The text is not a DN-Binary value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidDnBinary {
    /// It does not have the shape `B:<n>:<hex>:<DN>`.
    #[error("not a DN-Binary value; it is written as B:<hex digits>:<hex>:<DN>")]
    NotDnBinary,
    /// The count is not a number, or larger than any value.
    #[error("'{0}' is not a count of hex digits")]
    Count(String),
    /// The value was cut, as terminals and PowerShell's default view do.
    #[error(
        "the value says {says} hex digits and has {has}; it was cut or edited, export it whole"
    )]
    CountDiffers {
        /// What the count says.
        says: usize,
        /// What is there.
        has: usize,
    },
    /// Something other than hex digits stands between the second and the third colon.
    #[error("not hex at digit {0}")]
    NotHex(usize),
}

impl DnBinary {
    /// These bytes, linked to this object.
    pub fn new(binary: impl Into<Vec<u8>>, dn: impl Into<String>) -> Self {
        Self {
            binary: binary.into(),
            dn: dn.into(),
        }
    }
}

impl FromStr for DnBinary {
    type Err = InvalidDnBinary;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(4, ':');
        let (Some("B" | "b"), Some(count), Some(hex), Some(dn)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidDnBinary::NotDnBinary);
        };
        let invalid_count = || InvalidDnBinary::Count(count.chars().take(32).collect());
        let only_digits = !count.is_empty() && count.bytes().all(|b| b.is_ascii_digit());
        let says: usize = match only_digits {
            true => count.parse().map_err(|_| invalid_count())?,
            false => return Err(invalid_count()),
        };
        if says > 2 * BLOB_BYTES_MAX {
            return Err(invalid_count());
        }
        if says != hex.len() {
            return Err(InvalidDnBinary::CountDiffers {
                says,
                has: hex.len(),
            });
        }
        let binary = HEXLOWER_PERMISSIVE
            .decode(hex.as_bytes())
            .map_err(|error| InvalidDnBinary::NotHex(error.position))?;
        Ok(Self {
            binary,
            dn: dn.to_owned(),
        })
    }
}

impl fmt::Display for DnBinary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.binary.len().saturating_mul(2);
        write!(
            f,
            "B:{digits}:{}:{}",
            HEXUPPER.encode(&self.binary),
            self.dn
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, expect: Result<(&[u8], &str), &str>) {
        let got = text.parse::<DnBinary>();
        match (got, expect) {
            (Ok(got), Ok((binary, dn))) => {
                assert_eq!((&got.binary[..], &got.dn[..]), (binary, dn), "{text}");
                let upper = got.to_string();
                assert_eq!(upper.parse(), Ok(got), "{text}");
            }
            (Err(got), Err(part)) => {
                assert!(got.to_string().contains(part), "{text}: {got}");
            }
            (got, _) => panic!("{text}: {got:?}"),
        }
    }

    #[test]
    fn texts() {
        check("B:4:00fF:CN=a,DC=b", Ok((&[0, 255], "CN=a,DC=b")));
        check("B:4:00ff:CN=a:b:c,DC=b", Ok((&[0, 255], "CN=a:b:c,DC=b")));
        check("B:0::", Ok((&[], "")));
        check("B:4:00f:CN=a", Err("says 4 hex digits and has 3"));
        check("B:4:00...:CN=a", Err("says 4 hex digits and has 5"));
        check("B:4:00fg:CN=a", Err("not hex at digit"));
        check("B:3:00f:CN=a", Err("not hex"));
        check("B:+4:00ff:CN=a", Err("count"));
        check("B:99999999999999999999:00ff:CN=a", Err("count"));
        check("B:4:00ff", Err("not a DN-Binary"));
        check("S:4:00ff:CN=a", Err("not a DN-Binary"));
        check("", Err("not a DN-Binary"));
        check("B:828::CN = Admin,CN=Users,DC=contoso,DC=com", Err("828"));
        check("B:8:%%14672:CN=a", Err("says 8"));
    }

    proptest! {
        #[test]
        fn round_trip(binary: Vec<u8>, dn: String) {
            let value = DnBinary { binary, dn };
            prop_assert_eq!(value.to_string().parse(), Ok(value));
        }

        #[test]
        fn never_panics(text: String) {
            let _ = text.parse::<DnBinary>();
        }
    }
}
