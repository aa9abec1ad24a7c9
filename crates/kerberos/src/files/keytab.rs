//! Keytabs, version 2 (MIT `keytab_file_format.rst`): the keys of services.

use types::Timestamp;

use super::reader::Reader;
use super::{FileError, Principal};
use crate::crypto::EncryptionType;
use crate::messages::{EncryptionKey, KerberosString, NameType, PrincipalName, SecretBytes};

const FILE: &str = "keytab";
const VERSION: [u8; 2] = [5, 2];

/// A keytab.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Keytab {
    /// Its keys, in the order of the file. Holes that deleted entries left are not kept.
    pub entries: Vec<KeytabEntry>,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeytabEntry {
    /// Whose key it is.
    pub principal: Principal,
    /// When it was written.
    pub timestamp: Timestamp,
    /// Its version.
    pub kvno: u32,
    /// The key.
    pub key: EncryptionKey,
}

impl Keytab {
    /// Reads a file.
    pub fn decode(bytes: &[u8]) -> Result<Self, FileError> {
        let mut r = Reader::new(FILE, bytes, VERSION)?;
        let mut entries = Vec::new();
        while !r.is_empty() {
            let size = r.i32("entry size")?;
            let length = usize::try_from(size.unsigned_abs()).unwrap_or(usize::MAX);
            let part = r.part("entry", length)?;
            match size {
                // MIT: a size of zero ends the file early.
                0 => break,
                ..0 => {}
                _ => entries.push(KeytabEntry::read(part)?),
            }
        }
        Ok(Self { entries })
    }

    /// Writes a file.
    pub fn encode(&self) -> Result<Vec<u8>, FileError> {
        let mut bytes = VERSION.to_vec();
        for entry in &self.entries {
            let entry = entry.write()?;
            let size = i32::try_from(entry.len()).map_err(|_| too_long("entry"))?;
            bytes.extend(size.to_be_bytes());
            bytes.extend_from_slice(&entry);
        }
        Ok(bytes)
    }

    /// The key of a type with the highest version.
    pub fn find(
        &self,
        principal: &Principal,
        etype: EncryptionType,
        kvno: Option<u32>,
    ) -> Option<&KeytabEntry> {
        self.entries
            .iter()
            .filter(|entry| entry.principal.realm == principal.realm)
            .filter(|entry| entry.principal.name.is_same_name(&principal.name))
            .filter(|entry| entry.key.keytype == etype)
            .filter(|entry| kvno.is_none_or(|kvno| entry.kvno == kvno))
            .max_by_key(|entry| entry.kvno)
    }
}

impl KeytabEntry {
    fn read(mut r: Reader<'_>) -> Result<Self, FileError> {
        let count = r.u16("name")?;
        let realm = KerberosString::new(r.short("realm")?);
        let mut name_string = Vec::new();
        for _ in 0..count {
            name_string.push(KerberosString::new(r.short("name")?));
        }
        let name_type = NameType(r.i32("name type")?);
        let timestamp = Timestamp::from_unix_seconds(i64::from(r.u32("time")?));
        let short_kvno = u32::from(r.u8("key version")?);
        let key = EncryptionKey {
            keytype: EncryptionType(i32::from(r.i16("key type")?)),
            keyvalue: SecretBytes::new(r.short("key")?.to_vec()),
        };
        // A wide version follows where the writer knew of it; zero means that the short one counts.
        let long_kvno = if r.left() >= 4 {
            r.u32("key version")?
        } else {
            0
        };
        Ok(Self {
            principal: Principal {
                name: PrincipalName {
                    name_type,
                    name_string,
                },
                realm,
            },
            timestamp,
            kvno: if long_kvno == 0 {
                short_kvno
            } else {
                long_kvno
            },
            key,
        })
    }

    fn write(&self) -> Result<zeroize::Zeroizing<Vec<u8>>, FileError> {
        let mut bytes = zeroize::Zeroizing::new(Vec::with_capacity(512));
        let parts = &self.principal.name.name_string;
        bytes.extend(
            u16::try_from(parts.len())
                .map_err(|_| too_long("name"))?
                .to_be_bytes(),
        );
        short(&mut bytes, "realm", self.principal.realm.as_bytes())?;
        for part in parts {
            short(&mut bytes, "name", part.as_bytes())?;
        }
        bytes.extend(self.principal.name.name_type.0.to_be_bytes());
        let seconds = u32::try_from(self.timestamp.unix_seconds().max(0)).unwrap_or(u32::MAX);
        bytes.extend(seconds.to_be_bytes());
        let [.., low] = self.kvno.to_be_bytes();
        bytes.push(low);
        let kind = i16::try_from(self.key.keytype.0).map_err(|_| too_long("key type"))?;
        bytes.extend(kind.to_be_bytes());
        short(&mut bytes, "key", self.key.keyvalue.expose())?;
        bytes.extend(self.kvno.to_be_bytes());
        Ok(bytes)
    }
}

fn short(bytes: &mut Vec<u8>, what: &'static str, value: &[u8]) -> Result<(), FileError> {
    bytes.extend(
        u16::try_from(value.len())
            .map_err(|_| too_long(what))?
            .to_be_bytes(),
    );
    bytes.extend_from_slice(value);
    Ok(())
}

fn too_long(what: &'static str) -> FileError {
    FileError::TooLong { file: FILE, what }
}
