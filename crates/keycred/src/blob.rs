//! KEYCREDENTIALLINK_BLOB, MS-ADTS 2.2.20.2: a version and a row of entries, kept exactly as they came.
//!
//! A [`Blob`] is a walk over checked bytes: decoding allocates nothing, and unknown ids, odd lengths, repeated
//! entries and their order survive because nothing is ever rewritten. Version 0 pads each value to four bytes;
//! the pads are part of the bytes and of the hash.
//!
//! Deliberately absent: judging the content, see [`crate::findings`].

use std::borrow::Cow;
use std::fmt;

use crate::credential::KeyCredential;
use crate::error::Malformed;
use crate::numbers::{EntryId, Version};

/// The longest blob that is read. The longest real ones (FIDO with a certificate chain) have about 4 KiB.
pub const BLOB_BYTES_MAX: usize = 1 << 20;

/// A decoded KEYCREDENTIALLINK_BLOB that remembers its bytes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Blob<'a> {
    version: Version,
    // INVARIANT: `Walk` reaches the end of these bytes without an error.
    bytes: Cow<'a, [u8]>,
}

/// One entry of a blob, as it stands in the bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Entry<'b> {
    /// What the entry holds.
    pub id: EntryId,
    /// Its value, without length, id and padding.
    pub value: &'b [u8],
    /// Where its length field starts in the blob.
    pub offset: usize,
    /// Where the next entry starts: what KeyHash covers begins at the end of the KeyHash entry.
    pub end: usize,
}

impl<'a> Blob<'a> {
    /// Reads a blob of version 0, 1 or 2. Every entry must lie within the bytes, down to the last one.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let version = check(bytes)?;
        Ok(Self {
            version,
            bytes: Cow::Borrowed(bytes),
        })
    }

    /// Reads a blob and keeps the bytes.
    pub fn decode_owned(bytes: Vec<u8>) -> Result<Blob<'static>, Malformed> {
        let version = check(&bytes)?;
        Ok(Blob {
            version,
            bytes: Cow::Owned(bytes),
        })
    }

    /// The blob's layout.
    pub fn version(&self) -> Version {
        self.version
    }

    /// The entries in the order of the bytes.
    pub fn entries(&self) -> Entries<'_> {
        Entries(Walk::new(self.version, &self.bytes))
    }

    /// The first entry with this id.
    pub fn entry(&self, id: EntryId) -> Option<Entry<'_>> {
        self.entries().find(|entry| entry.id == id)
    }

    /// The typed view.
    pub fn credential(&self) -> KeyCredential<'_> {
        KeyCredential::new(self)
    }

    /// The bytes as they came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The bytes as they came: encoding is byte for byte.
    pub fn encode(&self) -> Vec<u8> {
        self.bytes.to_vec()
    }

    /// The bytes as they came, without a copy where the blob owns them.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.into_owned()
    }

    /// For bytes that [`crate::BlobBuilder`] has just written.
    pub(crate) fn trusted(version: Version, bytes: Vec<u8>) -> Blob<'static> {
        debug_assert!(
            check(&bytes).is_ok() || version.name().is_none() || bytes.len() > BLOB_BYTES_MAX
        );
        Blob {
            version,
            bytes: Cow::Owned(bytes),
        }
    }

    /// A blob that borrows nothing.
    pub fn into_owned(self) -> Blob<'static> {
        Blob {
            version: self.version,
            bytes: Cow::Owned(self.bytes.into_owned()),
        }
    }
}

impl fmt::Debug for Blob<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blob")
            .field("version", &self.version)
            .field("entries", &self.entries().collect::<Vec<_>>())
            .finish()
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = data_encoding::HEXLOWER.encode(self.value);
        write!(f, "{}({:#04x}): {hex}", self.id.label(), self.id.0)
    }
}

fn check(bytes: &[u8]) -> Result<Version, Malformed> {
    if bytes.len() > BLOB_BYTES_MAX {
        return Err(Malformed::TooLarge {
            have: bytes.len(),
            max: BLOB_BYTES_MAX,
        });
    }
    let Some((version, _)) = bytes.split_first_chunk::<4>() else {
        return Err(Malformed::Truncated {
            what: "version",
            offset: 0,
            need: 4,
            have: bytes.len(),
        });
    };
    let version = Version(u32::from_le_bytes(*version));
    if version.name().is_none() {
        return Err(Malformed::UnknownVersion(version));
    }
    Walk::new(version, bytes).try_for_each(|entry| entry.map(drop))?;
    Ok(version)
}

/// The entries of a blob, in the order of its bytes.
#[derive(Debug, Clone)]
pub struct Entries<'b>(Walk<'b>);

impl<'b> Iterator for Entries<'b> {
    type Item = Entry<'b>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'b>> {
        self.0.next()?.ok()
    }
}

/// Steps through the entries; stops for good at the first one that does not fit.
#[derive(Debug, Clone)]
struct Walk<'b> {
    version: Version,
    bytes: &'b [u8],
    offset: usize,
    failed: bool,
}

impl<'b> Walk<'b> {
    fn new(version: Version, bytes: &'b [u8]) -> Self {
        Self {
            version,
            bytes,
            offset: 4,
            failed: false,
        }
    }

    fn read(&self, rest: &'b [u8]) -> Result<Entry<'b>, Malformed> {
        let Some((head, rest)) = rest.split_first_chunk::<3>() else {
            return Err(Malformed::Truncated {
                what: "entry header",
                offset: self.offset,
                need: 3,
                have: rest.len(),
            });
        };
        let [low, high, id] = *head;
        let id = EntryId(id);
        let length = usize::from(u16::from_le_bytes([low, high]));
        // Only version 0 pads, each value to a multiple of four bytes.
        let padded = match self.version {
            Version::V0 => length.next_multiple_of(4),
            _ => length,
        };
        let value = rest
            .get(..padded)
            .and_then(|padded| padded.get(..length))
            .ok_or(Malformed::Truncated {
                what: id.label(),
                offset: self.offset,
                need: padded,
                have: rest.len(),
            })?;
        Ok(Entry {
            id,
            value,
            offset: self.offset,
            end: self.offset + 3 + padded,
        })
    }
}

impl<'b> Iterator for Walk<'b> {
    type Item = Result<Entry<'b>, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = self
            .bytes
            .get(self.offset..)
            .filter(|rest| !rest.is_empty())?;
        if self.failed {
            return None;
        }
        let entry = self.read(rest);
        match &entry {
            Ok(entry) => self.offset = entry.end,
            Err(_) => self.failed = true,
        }
        Some(entry)
    }
}
