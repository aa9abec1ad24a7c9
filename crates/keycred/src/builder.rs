//! Makes blobs: entry by entry ([`BlobBuilder`]) or from a description in the usual order ([`Draft`]).

use sha2::{Digest, Sha256};
use types::Guid;

use crate::blob::Blob;
use crate::error::BuildError;
use crate::key_time::KeyTime;
use crate::numbers::{EntryId, KeySource, KeyUsage, Version};

/// Writes entries in the order they are given. No order, id or length is enforced beyond what fits.
#[derive(Debug, Clone)]
pub struct BlobBuilder {
    version: Version,
    bytes: Vec<u8>,
    hash_at: Option<usize>,
}

impl BlobBuilder {
    /// An empty blob of this version.
    pub fn new(version: Version) -> Self {
        Self {
            version,
            bytes: version.0.to_le_bytes().to_vec(),
            hash_at: None,
        }
    }

    /// Appends an entry.
    pub fn entry(mut self, id: EntryId, value: &[u8]) -> Result<Self, BuildError> {
        let length = u16::try_from(value.len()).map_err(|_| BuildError::EntryTooLong {
            what: id.label(),
            have: value.len(),
        })?;
        self.bytes.extend_from_slice(&length.to_le_bytes());
        self.bytes.push(id.0);
        self.bytes.extend_from_slice(value);
        if self.version == Version::V0 {
            let padded = value.len().next_multiple_of(4);
            self.bytes
                .extend(std::iter::repeat_n(0, padded - value.len()));
        }
        Ok(self)
    }

    /// Appends an entry where there is a value.
    pub fn entry_if(self, id: EntryId, value: Option<&[u8]>) -> Result<Self, BuildError> {
        match value {
            Some(value) => self.entry(id, value),
            None => Ok(self),
        }
    }

    /// Appends a KeyHash whose value [`Self::build`] computes over all that follows.
    pub fn key_hash(self) -> Result<Self, BuildError> {
        let mut builder = self.entry(EntryId::KEY_HASH, &[0; 32])?;
        builder.hash_at = builder.bytes.len().checked_sub(32);
        Ok(builder)
    }

    /// The finished blob.
    pub fn build(mut self) -> Blob<'static> {
        if let Some((hash, tail)) = self
            .hash_at
            .and_then(|at| self.bytes.get_mut(at..))
            .and_then(|rest| rest.split_at_mut_checked(32))
        {
            hash.copy_from_slice(&Sha256::digest(tail));
        }
        Blob::trusted(self.version, self.bytes)
    }
}

/// A key in words, to be written as a version 2 blob with its entries in the order of their ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// Entry 1; [`Draft::new`] takes it as given, [`Draft::rsa`] computes it.
    pub key_id: Vec<u8>,
    /// Entry 3.
    pub key_material: Vec<u8>,
    /// Entry 4.
    pub usage: KeyUsage,
    /// Entry 5, `None` for writers that leave it out.
    pub source: Option<KeySource>,
    /// Entry 6.
    pub device_id: Option<Guid>,
    /// Entry 7, raw.
    pub custom_key_information: Option<Vec<u8>>,
    /// Entry 8, raw: see [`KeyTime::filetime`] and [`KeyTime::dotnet_utc`].
    pub last_logon: Option<u64>,
    /// Entry 9, raw.
    pub created: Option<u64>,
}

impl Draft {
    /// A key with only the four entries that nobody leaves out.
    pub fn new(
        key_id: impl Into<Vec<u8>>,
        key_material: impl Into<Vec<u8>>,
        usage: KeyUsage,
        source: KeySource,
    ) -> Self {
        Self {
            key_id: key_id.into(),
            key_material: key_material.into(),
            usage,
            source: Some(source),
            device_id: None,
            custom_key_information: None,
            last_logon: None,
            created: None,
        }
    }

    /// A key whose KeyID is the SHA-256 of its material, as it is for every RSA key.
    pub fn hashed(key_material: impl Into<Vec<u8>>, usage: KeyUsage, source: KeySource) -> Self {
        let key_material = key_material.into();
        Self::new(
            Sha256::digest(&key_material).to_vec(),
            key_material,
            usage,
            source,
        )
    }

    /// A Windows Hello key as a domain-joined Windows registers it in AD: an RSA key with both times equal.
    pub fn registered_in_ad(
        rsa_key_material: impl Into<Vec<u8>>,
        device_id: Guid,
        created: types::Timestamp,
    ) -> Self {
        let created = KeyTime::filetime(created);
        Self {
            device_id: Some(device_id),
            custom_key_information: Some(vec![1, 0]),
            last_logon: created,
            created,
            ..Self::hashed(rsa_key_material, KeyUsage::NGC, KeySource::AD)
        }
    }

    /// The blob, with KeyHash.
    pub fn to_blob(&self) -> Result<Blob<'static>, BuildError> {
        self.write(true)
    }

    /// The blob without KeyHash, as a cloud hands it to its sync.
    pub fn to_raw_blob(&self) -> Result<Blob<'static>, BuildError> {
        self.write(false)
    }

    fn write(&self, hashed: bool) -> Result<Blob<'static>, BuildError> {
        let source = self.source.map(|source| [source.0]);
        let device_id = self.device_id.map(Guid::to_bytes_le);
        let last_logon = self.last_logon.map(u64::to_le_bytes);
        let created = self.created.map(u64::to_le_bytes);
        let builder = BlobBuilder::new(Version::V2).entry(EntryId::KEY_ID, &self.key_id)?;
        let builder = match hashed {
            true => builder.key_hash()?,
            false => builder,
        };
        let blob = builder
            .entry(EntryId::KEY_MATERIAL, &self.key_material)?
            .entry(EntryId::KEY_USAGE, &[self.usage.0])?
            .entry_if(EntryId::KEY_SOURCE, source.as_ref().map(|s| &s[..]))?
            .entry_if(EntryId::DEVICE_ID, device_id.as_ref().map(|d| &d[..]))?
            .entry_if(
                EntryId::CUSTOM_KEY_INFORMATION,
                self.custom_key_information.as_deref(),
            )?
            .entry_if(EntryId::LAST_LOGON, last_logon.as_ref().map(|t| &t[..]))?
            .entry_if(EntryId::CREATED, created.as_ref().map(|t| &t[..]))?
            .build();
        Ok(blob)
    }
}
