//! DN-Binary, the string form of LDAP syntax 1.2.840.113556.1.4.903: `B:<hex digits>:<hex>:<DN>`
//! (MS-ADTS 3.1.1.2.2.2.3).
//!
//! The DN is not escaped and may hold colons, so the text is cut at its first three colons and no further.
//! Directories answer in upper-case hex, tools write lower case: both are read, upper case is written.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXUPPER;

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
        let (count, rest) = text
            .strip_prefix(['B', 'b'])
            .and_then(|rest| rest.strip_prefix(':'))
            .and_then(|rest| rest.split_once(':'))
            .ok_or(InvalidDnBinary::NotDnBinary)?;
        let says = digits(count)?;
        // The count says where the hex ends, so its digits need no search for a colon.
        let (hex, dn) = match rest.split_at_checked(says) {
            Some((hex, dn)) if dn.starts_with(':') => (hex, dn.get(1..).unwrap_or_default()),
            _ => rest.split_once(':').ok_or(InvalidDnBinary::NotDnBinary)?,
        };
        if says != hex.len() {
            return Err(InvalidDnBinary::CountDiffers {
                says,
                has: hex.len(),
            });
        }
        Ok(Self {
            binary: from_hex(hex.as_bytes())?,
            dn: dn.to_owned(),
        })
    }
}

fn digits(count: &str) -> Result<usize, InvalidDnBinary> {
    let invalid = || InvalidDnBinary::Count(count.chars().take(32).collect());
    // `parse` would take a sign as well.
    if count.is_empty() || !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid());
    }
    match count.parse() {
        Ok(says) if says <= 2 * BLOB_BYTES_MAX => Ok(says),
        _ => Err(invalid()),
    }
}

/// Hex of any case. Two plain passes that the compiler turns into vector instructions: reading an inventory is
/// mostly this.
fn from_hex(hex: &[u8]) -> Result<Vec<u8>, InvalidDnBinary> {
    let (pairs, odd) = hex.as_chunks::<2>();
    let is_hex = hex
        .iter()
        .fold(true, |all, digit| all & is_hex_digit(*digit));
    if !is_hex || !odd.is_empty() {
        let position = hex.iter().position(|digit| !is_hex_digit(*digit));
        return Err(InvalidDnBinary::NotHex(
            position.unwrap_or(hex.len().saturating_sub(1)),
        ));
    }
    let mut bytes = vec![0; pairs.len()];
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = pair_value(*pair);
    }
    Ok(bytes)
}

fn is_hex_digit(digit: u8) -> bool {
    (digit.wrapping_sub(b'0') < 10) | ((digit | 0x20).wrapping_sub(b'a') < 6)
}

/// The byte of two hex digits, both at once: letters have bit 6 set and count from 1 in their low bits.
fn pair_value(pair: [u8; 2]) -> u8 {
    let digits = u16::from_le_bytes(pair);
    let nibbles = (digits & 0x0F0F).wrapping_add(((digits >> 6) & 0x0101).wrapping_mul(9));
    let [byte, _] = (nibbles << 4 | nibbles >> 8).to_le_bytes();
    byte
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
        check("B:3:00f:CN=a", Err("not hex at digit 2"));
        check("B:4:0é:CN=a", Err("says 4 hex digits and has 3"));
        check("B:4:00/g:CN=a", Err("not hex at digit 2"));
        check("B:4:@`:G:CN=a", Err("not hex at digit 0"));
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
        fn hex_is_what_hex_is(hex: Vec<u8>) {
            let expect = data_encoding::HEXLOWER_PERMISSIVE.decode(&hex).ok();
            prop_assert_eq!(from_hex(&hex).ok(), expect);
        }

        #[test]
        fn every_pair_of_digits(high in "[0-9a-fA-F]", low in "[0-9a-fA-F]") {
            let hex = format!("{high}{low}");
            prop_assert_eq!(from_hex(hex.as_bytes()), Ok(vec![u8::from_str_radix(&hex, 16).unwrap()]));
        }

        #[test]
        fn never_panics(text: String) {
            let _ = text.parse::<DnBinary>();
        }
    }
}
