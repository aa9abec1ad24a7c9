//! Paged results (RFC 2696), the same in requests and responses.

use super::{Control, PAGED_RESULTS};
use crate::DecodeError;
use crate::ber::{INTEGER, OCTET_STRING, Reader, SEQUENCE, Writer};

/// A page wanted, or the place where the next one begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PagedResults {
    /// Entries wanted; in a response the estimated total, zero where unknown.
    pub size: u32,
    /// Where to go on; empty at the start, and empty in the last response.
    pub cookie: Vec<u8>,
}

impl PagedResults {
    /// Reads the control's value.
    pub fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(value).expect(SEQUENCE, "paged results")?;
        Ok(Self {
            size: reader.count(INTEGER, "page size")?,
            cookie: reader.octets(OCTET_STRING, "page cookie")?,
        })
    }

    /// The control that carries this.
    pub fn to_control(&self) -> Control {
        let mut value = Vec::new();
        Writer(&mut value).constructed(SEQUENCE, |writer| {
            writer.integer(INTEGER, self.size.into());
            writer.octets(OCTET_STRING, &self.cookie);
        });
        Control::new(PAGED_RESULTS).with_value(value)
    }
}
