//! The state file: everything that must outlive the process, replaced as a whole or not at all.
//!
//! A new state is written beside the old one, flushed to disk and renamed over it, so a process killed
//! at any moment leaves the old state or the new. A lock file beside it keeps a second process out.
//!
//! Deliberately absent: encryption. This is a key for laboratories.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use data_encoding::BASE64;
use opensk::api::persist::{Persist, PersistIter, keys};
use opensk::ctap::status_code::{Ctap2StatusCode, CtapResult};
use serde::{Deserialize, Serialize};
use types::Secret;

use crate::AAGUID;

const FORMAT: &str = "tombolo-softkey";
const VERSION: u32 = 1;
/// A full key has about 150 KB.
const FILE_LENGTH_MAX: u64 = 4 * 1024 * 1024;

/// The state file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// Another process has it.
    #[error("{path} is in use by another process; stop it, or talk to it over its socket")]
    InUse {
        /// The state file.
        path: PathBuf,
    },
    /// It is not a state file of this format.
    #[error(
        "{path} is not a software key's state file: {why}; restore a copy, or move it away to start \
         with an empty key"
    )]
    Corrupt {
        /// The state file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The file system refused.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// What is kept, and where.
pub(crate) struct Store {
    pub(crate) entries: BTreeMap<usize, Vec<u8>>,
    pub(crate) attestation_root: Vec<u8>,
    place: Option<Place>,
}

#[derive(Debug)]
struct Place {
    path: PathBuf,
    /// Held open as long as the key lives; the lock goes with it.
    _lock: File,
}

/// The JSON in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    format: String,
    version: u32,
    attestation_root: String,
    entries: BTreeMap<usize, String>,
}

/// The entries are private keys and the PIN's hash.
impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("place", &self.place)
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}

impl Store {
    pub(crate) fn in_memory() -> Self {
        Self {
            entries: BTreeMap::new(),
            attestation_root: Vec::new(),
            place: None,
        }
    }

    /// Opens the file, or starts an empty key where there is none.
    pub(crate) fn open(path: &Path) -> Result<Self, StateError> {
        let lock = lock(path)?;
        let mut store = Self::in_memory();
        if let Some(bytes) = read(path)? {
            let corrupt = |why: String| StateError::Corrupt {
                path: path.to_owned(),
                why,
            };
            store.load(bytes.expose()).map_err(corrupt)?;
        }
        store.place = Some(Place {
            path: path.to_owned(),
            _lock: lock,
        });
        Ok(store)
    }

    /// Puts the state on disk. When this fails, the file still holds the state before.
    pub(crate) fn commit(&self) -> Result<(), StateError> {
        let Some(Place { path, .. }) = &self.place else {
            return Ok(());
        };
        let temporary = beside(path, ".new");
        let at = |what, path: &Path| {
            let path = path.to_owned();
            move |source| StateError::Io { what, path, source }
        };
        let mut file = private_file()
            .open(&temporary)
            .map_err(at("create", &temporary))?;
        let contents = self.contents().map_err(at("write", &temporary))?;
        file.write_all(contents.expose())
            .map_err(at("write", &temporary))?;
        file.sync_all().map_err(at("write", &temporary))?;
        std::fs::rename(&temporary, path).map_err(at("replace", path))?;
        sync_directory_of(path).map_err(at("replace", path))
    }

    fn load(&mut self, bytes: &[u8]) -> Result<(), String> {
        let contents: Contents = serde_json::from_slice(bytes).map_err(|error| {
            // The error's own text may quote a value.
            format!(
                "its JSON breaks at line {}, column {}",
                error.line(),
                error.column()
            )
        })?;
        if (contents.format.as_str(), contents.version) != (FORMAT, VERSION) {
            return Err(format!(
                "it has format {:?} {}",
                contents.format, contents.version
            ));
        }
        let decode = |text: &str| BASE64.decode(text.as_bytes()).ok();
        self.attestation_root =
            decode(&contents.attestation_root).ok_or("its attestation root is not base64")?;
        for (key, text) in &contents.entries {
            let value = decode(text).ok_or_else(|| format!("its entry {key} is not base64"))?;
            self.entries.insert(*key, value);
        }
        Ok(())
    }

    fn contents(&self) -> io::Result<Secret<Vec<u8>>> {
        let entries = self
            .entries
            .iter()
            .map(|(key, value)| (*key, BASE64.encode(value)));
        let contents = Contents {
            format: FORMAT.to_owned(),
            version: VERSION,
            attestation_root: BASE64.encode(&self.attestation_root),
            entries: entries.collect(),
        };
        Ok(Secret::new(serde_json::to_vec_pretty(&contents)?))
    }
}

impl Persist for Store {
    fn find(&self, key: usize) -> CtapResult<Option<Vec<u8>>> {
        Ok(self.entries.get(&key).cloned())
    }

    fn insert(&mut self, key: usize, value: &[u8]) -> CtapResult<()> {
        self.entries.insert(key, value.to_vec());
        Ok(())
    }

    fn remove(&mut self, key: usize) -> CtapResult<()> {
        self.entries.remove(&key);
        Ok(())
    }

    fn iter(&self) -> CtapResult<PersistIter<'_>> {
        Ok(Box::new(self.entries.keys().map(|key| Ok(*key))))
    }

    // The default writes the counter in the machine's own byte order; a file may move.
    fn global_signature_counter(&self) -> CtapResult<u32> {
        match self
            .entries
            .get(&keys::GLOBAL_SIGNATURE_COUNTER)
            .map(Vec::as_slice)
        {
            None => Ok(1),
            Some(bytes) => bytes
                .try_into()
                .map(u32::from_le_bytes)
                .map_err(|_| Ctap2StatusCode::CTAP2_ERR_VENDOR_INTERNAL_ERROR),
        }
    }

    fn incr_global_signature_counter(&mut self, increment: u32) -> CtapResult<()> {
        let counter = self.global_signature_counter()?.wrapping_add(increment);
        self.insert(keys::GLOBAL_SIGNATURE_COUNTER, &counter.to_le_bytes())
    }

    fn aaguid(&self) -> CtapResult<[u8; 16]> {
        Ok(AAGUID)
    }
}

/// The lock cannot be on the state file itself, which is replaced at each change.
fn lock(path: &Path) -> Result<File, StateError> {
    let lock_path = beside(path, ".lock");
    let io_error = |source| StateError::Io {
        what: "lock",
        path: lock_path.clone(),
        source,
    };
    let file = private_file().open(&lock_path).map_err(io_error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StateError::InUse {
            path: path.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(io_error(source)),
    }
}

fn read(path: &Path) -> Result<Option<Secret<Vec<u8>>>, StateError> {
    let io_error = |source| StateError::Io {
        what: "read",
        path: path.to_owned(),
        source,
    };
    let file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        other => other.map_err(io_error)?,
    };
    let mut bytes = Vec::new();
    file.take(FILE_LENGTH_MAX)
        .read_to_end(&mut bytes)
        .map_err(io_error)?;
    Ok(Some(Secret::new(bytes)))
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Only its owner may read what is written here.
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A rename is on disk when its directory is.
#[cfg(unix)]
fn sync_directory_of(path: &Path) -> io::Result<()> {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_directory_of(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_secret() {
        // Bug: the derived form printed every entry, private keys included.
        let mut store = Store::in_memory();
        store.entries.insert(1, vec![0xAB; 3]);
        assert!(!format!("{store:?}").contains("171"));
    }
}
