//! The part of NDR (C706 14, MS-RPCE 2.2.6) that the PAC uses: type serialisation version 1, little-endian,
//! 32-bit pointers.
//!
//! A pointer is a number that is zero or not; what it points to follows after the structure, in order. Reader and
//! writer know that order because their callers do.

use types::{Sid, Timestamp};

use super::PacError;

/// MS-RPCE 2.2.6.1 and 2.2.6.2.
const HEADER_BYTES: usize = 16;
const COMMON_HEADER: [u8; 8] = [0x01, 0x10, 0x08, 0x00, 0xCC, 0xCC, 0xCC, 0xCC];

pub(super) struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Skips the headers and the pointer to the outermost structure.
    pub(super) fn new(what: &'static str, bytes: &'a [u8]) -> Result<Self, PacError> {
        if bytes.len() > super::container::PAC_BYTES_MAX {
            return Err(PacError::Invalid {
                what,
                why: "larger than 1 MiB",
            });
        }
        let mut reader = Self {
            what,
            bytes,
            offset: 0,
        };
        let header = reader.take(HEADER_BYTES)?;
        if header.get(..4) != COMMON_HEADER.get(..4) {
            return Err(reader.invalid("not NDR type serialisation version 1, little-endian"));
        }
        if !reader.pointer()? {
            return Err(reader.invalid("the outermost pointer is null"));
        }
        Ok(reader)
    }

    pub(super) fn invalid(&self, why: &'static str) -> PacError {
        PacError::Invalid {
            what: self.what,
            why,
        }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], PacError> {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let taken = rest.get(..count).ok_or(PacError::Truncated {
            what: self.what,
            offset: self.offset,
            need: count,
            have: rest.len(),
        })?;
        self.offset += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PacError> {
        let offset = self.offset;
        let taken = self.take(N)?;
        taken.try_into().map_err(|_| PacError::Truncated {
            what: self.what,
            offset,
            need: N,
            have: taken.len(),
        })
    }

    fn align(&mut self, to: usize) -> Result<(), PacError> {
        self.take(self.offset.next_multiple_of(to) - self.offset)
            .map(drop)
    }

    pub(super) fn u16(&mut self) -> Result<u16, PacError> {
        self.align(2)?;
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, PacError> {
        self.align(4)?;
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn bytes16(&mut self) -> Result<[u8; 16], PacError> {
        self.array()
    }

    /// Whether there is something behind the pointer.
    pub(super) fn pointer(&mut self) -> Result<bool, PacError> {
        Ok(self.u32()? != 0)
    }

    /// FILETIME: two 32-bit halves, so aligned to four.
    pub(super) fn time(&mut self) -> Result<Timestamp, PacError> {
        self.align(4)?;
        self.array()
            .map(i64::from_le_bytes)
            .map(Timestamp::from_ticks)
    }

    /// The length of a conformant array; it must agree with the number that the structure named, and fit.
    pub(super) fn count(&mut self, named: u32, element_bytes: usize) -> Result<usize, PacError> {
        let count = self.u32()?;
        if count != named {
            return Err(self.invalid("two lengths of one array disagree"));
        }
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let have = self.bytes.len().saturating_sub(self.offset);
        let need = count.saturating_mul(element_bytes);
        if need > have {
            return Err(PacError::Truncated {
                what: self.what,
                offset: self.offset,
                need,
                have,
            });
        }
        Ok(count)
    }

    /// RPC_UNICODE_STRING: gives the length in bytes, and whether there is something behind the pointer.
    pub(super) fn string_head(&mut self) -> Result<StringHead, PacError> {
        self.align(4)?;
        let (length, maximum) = (self.u16()?, self.u16()?);
        if length > maximum || !length.is_multiple_of(2) {
            return Err(
                self.invalid("RPC_UNICODE_STRING is longer than its room, or has half a character")
            );
        }
        Ok(StringHead {
            length,
            is_there: self.pointer()?,
        })
    }

    /// What a string's pointer points to: a conformant and varying array.
    pub(super) fn string(&mut self, head: StringHead) -> Result<String, PacError> {
        if !head.is_there {
            return if head.length == 0 {
                Ok(String::new())
            } else {
                Err(self.invalid("a string has a length but no content"))
            };
        }
        let (maximum, offset, actual) = (self.u32()?, self.u32()?, self.u32()?);
        if offset != 0 || actual > maximum || actual != u32::from(head.length) / 2 {
            return Err(self.invalid("the lengths of a string disagree"));
        }
        let bytes = self.take(usize::from(head.length))?;
        Ok(utf16(bytes))
    }

    /// A SID behind a pointer.
    pub(super) fn sid(&mut self) -> Result<Sid, PacError> {
        let count = self.u32()?;
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let (sid, after) = Sid::take(rest).map_err(|_| self.invalid("a SID is not one"))?;
        if u32::try_from(sid.sub_authorities().len()) != Ok(count) {
            return Err(self.invalid("two lengths of a SID disagree"));
        }
        self.offset += rest.len() - after.len();
        Ok(sid)
    }
}

#[derive(Clone, Copy)]
pub(super) struct StringHead {
    length: u16,
    is_there: bool,
}

/// UTF-16LE; half characters become U+FFFD, as Windows shows them.
pub(super) fn utf16(bytes: &[u8]) -> String {
    let units = bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_le_bytes(*pair));
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// UTF-16LE of at most 65534 bytes.
pub(super) fn utf16_bytes(text: &str) -> Vec<u8> {
    text.encode_utf16()
        .take(32767)
        .flat_map(u16::to_le_bytes)
        .collect()
}

pub(super) struct Writer {
    bytes: Vec<u8>,
    referent: u32,
}

impl Writer {
    pub(super) fn new() -> Self {
        let mut writer = Self {
            bytes: vec![0; HEADER_BYTES],
            referent: 0x0002_0000,
        };
        writer.pointer(true);
        writer
    }

    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.align(2);
        self.bytes.extend(value.to_le_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.align(4);
        self.bytes.extend(value.to_le_bytes());
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn time(&mut self, moment: Timestamp) {
        self.align(4);
        self.bytes.extend(moment.ticks().to_le_bytes());
    }

    /// Referents are numbered in steps of four, as Windows does.
    pub(super) fn pointer(&mut self, is_there: bool) {
        let referent = if is_there { self.referent } else { 0 };
        self.u32(referent);
        if is_there {
            self.referent = self.referent.wrapping_add(4);
        }
    }

    pub(super) fn count(&mut self, count: usize) {
        self.u32(u32::try_from(count).unwrap_or(u32::MAX));
    }

    pub(super) fn string_head(&mut self, text: &str) {
        self.align(4);
        let length = u16::try_from(utf16_bytes(text).len()).unwrap_or(u16::MAX);
        self.u16(length);
        self.u16(length);
        self.pointer(true);
    }

    pub(super) fn string(&mut self, text: &str) {
        let bytes = utf16_bytes(text);
        self.count(bytes.len() / 2);
        self.u32(0);
        self.count(bytes.len() / 2);
        self.raw(&bytes);
    }

    pub(super) fn sid(&mut self, sid: &Sid) {
        self.count(sid.sub_authorities().len());
        self.raw(&sid.to_bytes());
    }

    /// Fills the headers in.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.align(8);
        let length =
            u32::try_from(self.bytes.len().saturating_sub(HEADER_BYTES)).unwrap_or(u32::MAX);
        let header = [COMMON_HEADER.as_slice(), &length.to_le_bytes(), &[0; 4]].concat();
        for (to, from) in self.bytes.iter_mut().zip(header) {
            *to = from;
        }
        self.bytes
    }
}
