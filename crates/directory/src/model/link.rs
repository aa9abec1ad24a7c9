//! Link values: rows of their own between two objects (MS-ADTS 3.1.1.1.6, 3.1.1.1.9).
//!
//! The octets of a DN-Binary value stand in the row, the other object by its number: a rename touches nothing.
//! A removed value stays as an absent row with its stamps, so that `msDS-ReplValueMetaData` can tell of it.

use sha2::{Digest, Sha256};
use types::Timestamp;

use super::Dnt;
use crate::schema::AttributeId;
use crate::store::keys::{self, DIGEST_LENGTH};

/// One value of a link attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) source: Dnt,
    pub(crate) attribute: AttributeId,
    pub(crate) target: Dnt,
    /// The octets of DN-Binary, or the text of DN-String; empty for a plain name.
    pub(crate) payload: Vec<u8>,
}

/// What is stored for a link value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LinkRow {
    pub(crate) is_present: bool,
    pub(crate) version: u32,
    pub(crate) usn: u64,
    pub(crate) created: Timestamp,
    pub(crate) changed: Timestamp,
    pub(crate) payload: Vec<u8>,
}

impl Link {
    /// Tells values with the same ends apart; zeros for a plain name.
    pub(crate) fn digest(&self) -> [u8; DIGEST_LENGTH] {
        digest(&self.payload)
    }

    pub(crate) fn key(&self) -> Vec<u8> {
        keys::link(self.source, self.attribute, self.target, &self.digest())
    }

    /// The row by which the target finds the source.
    pub(crate) fn back_key(&self) -> Vec<u8> {
        keys::link(self.target, self.attribute, self.source, &self.digest())
    }
}

fn digest(payload: &[u8]) -> [u8; DIGEST_LENGTH] {
    if payload.is_empty() {
        return [0; DIGEST_LENGTH];
    }
    let full = Sha256::digest(payload);
    full.as_slice()
        .first_chunk::<DIGEST_LENGTH>()
        .copied()
        .unwrap_or_default()
}

impl LinkRow {
    /// Reads a row.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let ([present], rest) = bytes.split_first_chunk::<1>()?;
        let (version, rest) = rest.split_first_chunk::<4>()?;
        let (usn, rest) = rest.split_first_chunk::<8>()?;
        let (created, rest) = rest.split_first_chunk::<8>()?;
        let (changed, payload) = rest.split_first_chunk::<8>()?;
        Some(Self {
            is_present: *present == 1,
            version: u32::from_le_bytes(*version),
            usn: u64::from_le_bytes(*usn),
            created: Timestamp::from_ticks(i64::from_le_bytes(*created)),
            changed: Timestamp::from_ticks(i64::from_le_bytes(*changed)),
            payload: payload.to_vec(),
        })
    }

    /// Writes a row.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.payload.len().saturating_add(29));
        bytes.push(u8::from(self.is_present));
        bytes.extend(self.version.to_le_bytes());
        bytes.extend(self.usn.to_le_bytes());
        bytes.extend(self.created.ticks().to_le_bytes());
        bytes.extend(self.changed.ticks().to_le_bytes());
        bytes.extend(&self.payload);
        bytes
    }
}
