//! Security identifiers (MS-DTYP 2.4.2).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A security identifier: an authority and up to 15 sub-authorities.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid {
    authority: u64,
    sub_authorities: Vec<u32>,
}

/// The bytes or the text are not a SID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidSid {
    /// The text does not read `S-1-authority-sub-...`.
    #[error("'{0}' is not a SID; write it as S-1-5-21-...")]
    Text(String),
    /// Only revision 1 exists.
    #[error("SID revision {0} is unknown")]
    Revision(u8),
    /// More than 15 sub-authorities.
    #[error("a SID has at most 15 sub-authorities, not {0}")]
    TooManySubAuthorities(usize),
    /// The length does not fit the number of sub-authorities.
    #[error("SID of {have} bytes, but its header announces {need}")]
    Length {
        /// Bytes announced by the header.
        need: usize,
        /// Bytes given.
        have: usize,
    },
}

const SUB_AUTHORITIES_MAX: usize = 15;
const AUTHORITY_MAX: u64 = 0xFFFF_FFFF_FFFF;

impl Sid {
    /// A SID of the given 48-bit authority; `None` where it would not be one.
    pub fn new(authority: u64, sub_authorities: &[u32]) -> Option<Self> {
        (authority <= AUTHORITY_MAX && sub_authorities.len() <= SUB_AUTHORITIES_MAX).then(|| Self {
            authority,
            sub_authorities: sub_authorities.to_vec(),
        })
    }

    /// Everyone, `S-1-1-0`.
    pub fn everyone() -> Self {
        Self {
            authority: 1,
            sub_authorities: vec![0],
        }
    }

    /// A well-known SID of the NT authority, such as `S-1-5-18` for `nt(&[18])`.
    pub fn nt(sub_authorities: &[u32]) -> Self {
        let kept = sub_authorities
            .iter()
            .copied()
            .take(SUB_AUTHORITIES_MAX)
            .collect();
        Self {
            authority: 5,
            sub_authorities: kept,
        }
    }

    /// An alias of BUILTIN, such as Administrators for 544.
    pub fn builtin(rid: u32) -> Self {
        Self::nt(&[32, rid])
    }

    /// The account with this relative identifier in the domain that `self` names.
    pub fn with_rid(&self, rid: u32) -> Self {
        let mut sid = self.clone();
        sid.sub_authorities.push(rid);
        sid
    }

    /// The last sub-authority.
    pub fn rid(&self) -> Option<u32> {
        self.sub_authorities.last().copied()
    }

    /// The SID without its last sub-authority: the domain of an account.
    pub fn domain(&self) -> Option<Self> {
        let (_, rest) = self.sub_authorities.split_last()?;
        Some(Self {
            authority: self.authority,
            sub_authorities: rest.to_vec(),
        })
    }

    /// The identifier authority.
    pub fn authority(&self) -> u64 {
        self.authority
    }

    /// The sub-authorities, the relative identifier last.
    pub fn sub_authorities(&self) -> &[u32] {
        &self.sub_authorities
    }

    /// Reads a SID that fills `bytes` exactly.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidSid> {
        let (sid, rest) = Self::take(bytes)?;
        if rest.is_empty() {
            Ok(sid)
        } else {
            Err(InvalidSid::Length {
                need: bytes.len() - rest.len(),
                have: bytes.len(),
            })
        }
    }

    /// Reads a SID from the front of `bytes` and gives what follows.
    pub fn take(bytes: &[u8]) -> Result<(Self, &[u8]), InvalidSid> {
        let short = |need| InvalidSid::Length {
            need,
            have: bytes.len(),
        };
        let Some((&[revision, count, a, b, c, d, e, f], rest)) = bytes.split_first_chunk::<8>()
        else {
            return Err(short(8));
        };
        if revision != 1 {
            return Err(InvalidSid::Revision(revision));
        }
        let count = usize::from(count);
        if count > SUB_AUTHORITIES_MAX {
            return Err(InvalidSid::TooManySubAuthorities(count));
        }
        let (subs, rest) = rest
            .split_at_checked(count * 4)
            .ok_or_else(|| short(8 + count * 4))?;
        let sub_authorities = subs
            .as_chunks::<4>()
            .0
            .iter()
            .map(|chunk| u32::from_le_bytes(*chunk))
            .collect();
        let authority = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        Ok((
            Self {
                authority,
                sub_authorities,
            },
            rest,
        ))
    }

    /// The binary form.
    pub fn to_bytes(&self) -> Vec<u8> {
        // INVARIANT: every constructor keeps at most 15 sub-authorities.
        let count = u8::try_from(self.sub_authorities.len()).unwrap_or(u8::MAX);
        let mut bytes = Vec::with_capacity(8 + 4 * self.sub_authorities.len());
        bytes.extend([1, count]);
        bytes.extend(self.authority.to_be_bytes().iter().skip(2));
        for sub in &self.sub_authorities {
            bytes.extend(sub.to_le_bytes());
        }
        bytes
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // MS-DTYP 2.4.2.1: authorities from 2^32 on are written in hex.
        if self.authority > u64::from(u32::MAX) {
            write!(f, "S-1-{:#014x}", self.authority)?;
        } else {
            write!(f, "S-1-{}", self.authority)?;
        }
        self.sub_authorities
            .iter()
            .try_for_each(|sub| write!(f, "-{sub}"))
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Sid {
    type Err = InvalidSid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidSid::Text(text.chars().take(200).collect());
        let mut parts = text.trim().split('-');
        if !parts.next().is_some_and(|s| s.eq_ignore_ascii_case("s")) || parts.next() != Some("1") {
            return Err(invalid());
        }
        let authority = parts.next().ok_or_else(invalid)?;
        let authority = match authority
            .strip_prefix("0x")
            .or_else(|| authority.strip_prefix("0X"))
        {
            Some(hex) => u64::from_str_radix(hex, 16),
            None => authority.parse(),
        }
        .map_err(|_| invalid())?;
        let sub_authorities: Vec<u32> = parts
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|_| invalid())?;
        if sub_authorities.len() > SUB_AUTHORITIES_MAX {
            return Err(InvalidSid::TooManySubAuthorities(sub_authorities.len()));
        }
        Self::new(authority, &sub_authorities).ok_or_else(invalid)
    }
}

impl Serialize for Sid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_and_bytes_agree() {
        let sid: Sid = "S-1-5-21-1-2-3-526".parse().unwrap();
        assert_eq!(sid.rid(), Some(526));
        assert_eq!(sid.domain().unwrap().with_rid(526), sid);
        assert_eq!(Sid::from_bytes(&sid.to_bytes()).unwrap(), sid);
        assert_eq!(
            "S-1-0x0123456789ab-1".parse::<Sid>().unwrap().to_string(),
            "S-1-0x0123456789ab-1"
        );
    }

    proptest! {
        #[test]
        fn bytes_round_trip_or_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(sid) = Sid::from_bytes(&bytes) {
                prop_assert_eq!(sid.to_bytes(), bytes);
                prop_assert_eq!(sid.to_string().parse::<Sid>().unwrap(), sid);
            }
        }
    }
}
