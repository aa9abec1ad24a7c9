//! Replication stamps of attributes: who changed what last, by version, USN and time (MS-ADTS 3.1.1.1.9).
//!
//! An attribute without a stamp of its own has that of the object's creation, so that a new object needs no row.

use types::Timestamp;

use crate::schema::AttributeId;

/// The stamp of one attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) attribute: AttributeId,
    pub(crate) version: u32,
    pub(crate) usn: u64,
    pub(crate) time: Timestamp,
}

const LENGTH: usize = 22;

impl Stamp {
    /// Reads a row.
    pub(crate) fn decode_all(bytes: &[u8]) -> Vec<Self> {
        bytes
            .as_chunks::<LENGTH>()
            .0
            .iter()
            .filter_map(Self::decode)
            .collect()
    }

    fn decode(bytes: &[u8; LENGTH]) -> Option<Self> {
        let (attribute, rest) = bytes.split_first_chunk::<2>()?;
        let (version, rest) = rest.split_first_chunk::<4>()?;
        let (usn, rest) = rest.split_first_chunk::<8>()?;
        let (time, _) = rest.split_first_chunk::<8>()?;
        Some(Self {
            attribute: AttributeId(u16::from_le_bytes(*attribute)),
            version: u32::from_le_bytes(*version),
            usn: u64::from_le_bytes(*usn),
            time: Timestamp::from_ticks(i64::from_le_bytes(*time)),
        })
    }

    /// Writes a row.
    pub(crate) fn encode_all(stamps: &[Self]) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(stamps.len().saturating_mul(LENGTH));
        for stamp in stamps {
            bytes.extend(stamp.attribute.0.to_le_bytes());
            bytes.extend(stamp.version.to_le_bytes());
            bytes.extend(stamp.usn.to_le_bytes());
            bytes.extend(stamp.time.ticks().to_le_bytes());
        }
        bytes
    }
}
