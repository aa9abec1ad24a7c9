//! Big-endian numbers and counted bytes, with the place where they end too early.

use super::FileError;

pub(super) const FILE_BYTES_MAX: usize = 64 << 20;

#[derive(Clone)]
pub(super) struct Reader<'a> {
    file: &'static str,
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Reader<'a> {
    /// Checks the size and the first two bytes.
    pub(super) fn new(
        file: &'static str,
        bytes: &'a [u8],
        need: [u8; 2],
    ) -> Result<Self, FileError> {
        let mut reader = Self::without_version(file, bytes)?;
        let have = reader.array("version")?;
        if have != need {
            return Err(FileError::Version { file, need, have });
        }
        Ok(reader)
    }

    /// Checks the size alone.
    pub(super) fn without_version(file: &'static str, bytes: &'a [u8]) -> Result<Self, FileError> {
        if bytes.len() > FILE_BYTES_MAX {
            return Err(FileError::TooLarge {
                file,
                have: bytes.len(),
                max: FILE_BYTES_MAX,
            });
        }
        Ok(Self {
            file,
            bytes,
            offset: 0,
        })
    }

    /// What is left must be nothing.
    pub(super) fn end(&self) -> Result<(), FileError> {
        match self.left() {
            0 => Ok(()),
            left => Err(FileError::Surplus {
                file: self.file,
                left,
            }),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.offset >= self.bytes.len()
    }

    pub(super) fn left(&self) -> usize {
        self.bytes.len().saturating_sub(self.offset)
    }

    pub(super) fn take(&mut self, what: &'static str, need: usize) -> Result<&'a [u8], FileError> {
        let rest = self.bytes.get(self.offset..).unwrap_or_default();
        let taken = rest.get(..need).ok_or(FileError::Truncated {
            file: self.file,
            what,
            offset: self.offset,
            need,
            have: rest.len(),
        })?;
        self.offset += need;
        Ok(taken)
    }

    /// A reader of the next `need` bytes alone.
    pub(super) fn part(&mut self, what: &'static str, need: usize) -> Result<Self, FileError> {
        let offset = self.offset;
        self.take(what, need)?;
        Ok(Self {
            file: self.file,
            bytes: self.bytes.get(..offset + need).unwrap_or_default(),
            offset,
        })
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N], FileError> {
        let (offset, have) = (self.offset, self.left());
        self.take(what, N)?
            .try_into()
            .map_err(|_| FileError::Truncated {
                file: self.file,
                what,
                offset,
                need: N,
                have,
            })
    }

    pub(super) fn u8(&mut self, what: &'static str) -> Result<u8, FileError> {
        self.array(what).map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self, what: &'static str) -> Result<u16, FileError> {
        self.array(what).map(u16::from_be_bytes)
    }

    pub(super) fn i16(&mut self, what: &'static str) -> Result<i16, FileError> {
        self.array(what).map(i16::from_be_bytes)
    }

    pub(super) fn u32(&mut self, what: &'static str) -> Result<u32, FileError> {
        self.array(what).map(u32::from_be_bytes)
    }

    pub(super) fn i32(&mut self, what: &'static str) -> Result<i32, FileError> {
        self.array(what).map(i32::from_be_bytes)
    }

    /// Bytes with their length in 32 bits before them.
    pub(super) fn long(&mut self, what: &'static str) -> Result<&'a [u8], FileError> {
        let length = usize::try_from(self.u32(what)?).unwrap_or(usize::MAX);
        self.take(what, length)
    }

    /// Bytes with their length in 16 bits before them.
    pub(super) fn short(&mut self, what: &'static str) -> Result<&'a [u8], FileError> {
        let length = usize::from(self.u16(what)?);
        self.take(what, length)
    }

    /// As many elements as a count before them says. Each has at least one byte, so a count cannot outgrow the file.
    pub(super) fn list<T>(
        &mut self,
        what: &'static str,
        mut element: impl FnMut(&mut Self) -> Result<T, FileError>,
    ) -> Result<Vec<T>, FileError> {
        let count = usize::try_from(self.u32(what)?).unwrap_or(usize::MAX);
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(element(self)?);
        }
        Ok(list)
    }
}
