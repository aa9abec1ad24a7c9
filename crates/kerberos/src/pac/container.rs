//! PACTYPE, MS-PAC 2.3: a table of typed buffers.

use super::{BufferType, PacError};

/// The largest PAC that is read. Windows stops at 64 KiB of token; resource groups and claims need some more.
pub(super) const PAC_BYTES_MAX: usize = 1 << 20;
/// More buffers than MS-PAC has types for, with room for new ones.
const BUFFERS_MAX: usize = 64;

/// One buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buffer {
    /// What it holds.
    pub kind: BufferType,
    /// Its content.
    pub data: Vec<u8>,
}

/// A PAC as it came: nothing in it has been believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pac {
    bytes: Vec<u8>,
    // INVARIANT: every range lies within `bytes`.
    places: Vec<(BufferType, std::ops::Range<usize>)>,
}

impl Pac {
    /// Reads the table. Buffers must lie within the bytes behind it, eight-byte aligned, apart from each other, and
    /// each type may occur once.
    pub fn decode(bytes: &[u8]) -> Result<Self, PacError> {
        let invalid = |why| PacError::Invalid {
            what: "PACTYPE",
            why,
        };
        if bytes.len() > PAC_BYTES_MAX {
            return Err(invalid("larger than 1 MiB"));
        }
        let (count, version) = match bytes.as_chunks::<4>() {
            ([count, version, ..], _) => (u32::from_le_bytes(*count), u32::from_le_bytes(*version)),
            _ => return Err(truncated("PACTYPE", 0, HEADER_BYTES, bytes.len())),
        };
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if version != 0 {
            return Err(invalid("version is not 0"));
        }
        if count > BUFFERS_MAX {
            return Err(invalid("more than 64 buffers"));
        }
        let table_end = HEADER_BYTES + count * ENTRY_BYTES;
        let table = bytes.get(HEADER_BYTES..table_end).ok_or_else(|| {
            truncated(
                "PAC_INFO_BUFFER",
                HEADER_BYTES,
                count * ENTRY_BYTES,
                bytes.len(),
            )
        })?;
        let mut places: Vec<(BufferType, std::ops::Range<usize>)> = Vec::with_capacity(count);
        for entry in table.as_chunks::<ENTRY_BYTES>().0 {
            let [t0, t1, t2, t3, s0, s1, s2, s3, offset @ ..] = *entry;
            let kind = BufferType(u32::from_le_bytes([t0, t1, t2, t3]));
            let size = usize::try_from(u32::from_le_bytes([s0, s1, s2, s3])).unwrap_or(usize::MAX);
            let offset = usize::try_from(u64::from_le_bytes(offset)).unwrap_or(usize::MAX);
            let end = offset.checked_add(size).filter(|end| *end <= bytes.len());
            let Some(end) = end else {
                return Err(truncated("PAC buffer", offset, size, bytes.len()));
            };
            if offset < table_end || offset % ALIGNMENT != 0 {
                return Err(invalid("a buffer is not aligned, or lies in the table"));
            }
            if places.iter().any(|(known, _)| *known == kind) {
                return Err(PacError::Duplicate(kind));
            }
            if places
                .iter()
                .any(|(_, other)| other.start < end && offset < other.end)
            {
                return Err(invalid("two buffers overlap"));
            }
            places.push((kind, offset..end));
        }
        Ok(Self {
            bytes: bytes.to_vec(),
            places,
        })
    }

    /// Lays buffers out as Windows does: in order, each padded to eight bytes.
    pub fn from_buffers(buffers: &[Buffer]) -> Result<Self, PacError> {
        let mut bytes = Vec::new();
        let count = u32::try_from(buffers.len()).unwrap_or(u32::MAX);
        bytes.extend(count.to_le_bytes());
        bytes.extend(0u32.to_le_bytes());
        let mut offset = HEADER_BYTES + buffers.len() * ENTRY_BYTES;
        for buffer in buffers {
            let size = u32::try_from(buffer.data.len()).unwrap_or(u32::MAX);
            bytes.extend(buffer.kind.0.to_le_bytes());
            bytes.extend(size.to_le_bytes());
            bytes.extend(u64::try_from(offset).unwrap_or(u64::MAX).to_le_bytes());
            offset += buffer.data.len().next_multiple_of(ALIGNMENT);
        }
        for buffer in buffers {
            bytes.extend_from_slice(&buffer.data);
            bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
        }
        Self::decode(&bytes)
    }

    /// The bytes, exactly as they came or were laid out.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The types in the order of the table.
    pub fn kinds(&self) -> impl Iterator<Item = BufferType> + '_ {
        self.places.iter().map(|(kind, _)| *kind)
    }

    /// The content of a buffer.
    pub fn buffer(&self, wanted: BufferType) -> Option<&[u8]> {
        self.bytes.get(self.place(wanted)?)
    }

    /// The content of a buffer that must be there.
    pub fn need(&self, wanted: BufferType) -> Result<&[u8], PacError> {
        self.buffer(wanted).ok_or(PacError::Missing(wanted))
    }

    /// All buffers, to build another PAC from.
    pub fn to_buffers(&self) -> Vec<Buffer> {
        self.kinds()
            .map(|kind| Buffer {
                kind,
                data: self.buffer(kind).unwrap_or_default().to_vec(),
            })
            .collect()
    }

    /// Overwrites a buffer from `skip` bytes on; what does not fit is left out.
    pub(super) fn overwrite(&mut self, kind: BufferType, skip: usize, with: &[u8]) {
        let Some(place) = self.place(kind) else {
            return;
        };
        if let Some(target) = self
            .bytes
            .get_mut(place)
            .and_then(|buffer| buffer.get_mut(skip..))
        {
            for (to, from) in target.iter_mut().zip(with) {
                *to = *from;
            }
        }
    }

    /// A signature without its value, as it stood when others were made: only the type of the checksum is left.
    pub(super) fn blank(&mut self, kind: BufferType) {
        let zeros = vec![0; self.buffer(kind).map_or(0, <[u8]>::len)];
        self.overwrite(kind, 4, &zeros);
    }

    fn place(&self, wanted: BufferType) -> Option<std::ops::Range<usize>> {
        self.places
            .iter()
            .find(|(kind, _)| *kind == wanted)
            .map(|(_, place)| place.clone())
    }
}

fn truncated(what: &'static str, offset: usize, need: usize, have: usize) -> PacError {
    PacError::Truncated {
        what,
        offset,
        need,
        have,
    }
}

const HEADER_BYTES: usize = 8;
const ENTRY_BYTES: usize = 16;
const ALIGNMENT: usize = 8;
