//! What a device keeps on its disk: its sealed keys, and the offline caches.

use std::io::Write;
use std::path::{Path, PathBuf};

use ::lab::KeyFileSeal;
use workstation::joined::Joined;
use workstation::offline::{OfflineCache, SealedCache};

use crate::io::{Failure, OsEntropy, Shell, Tell, environment};

/// The directory of a device's state.
pub(super) struct State {
    folder: PathBuf,
    seal: KeyFileSeal,
}

const JOINED: &str = "device.sealed";
const OFFLINE: &str = "offline-";
const CACHE: &str = ".cache";
const SEAL_KEY: &str = "seal.key";

impl State {
    /// Opens the directory, or makes it.
    pub(super) fn open(folder: Option<&Path>) -> Result<Self, Failure> {
        let folder = match folder {
            Some(folder) => folder.to_owned(),
            None => default_folder()?,
        };
        let what = || format!("the device's state in {} cannot be used", folder.display());
        std::fs::create_dir_all(&folder).tell(what())?;
        if folder.join(JOINED).exists() && !folder.join(SEAL_KEY).exists() {
            return Err(Failure::new(what())
                .why(format!(
                    "{SEAL_KEY} is gone, and nothing else opens {JOINED}"
                ))
                .next("bring it back, or join this device again with another --state"));
        }
        let seal = KeyFileSeal::open(&folder.join(SEAL_KEY), &mut OsEntropy).tell(what())?;
        Ok(Self { folder, seal })
    }

    /// The device, where it has joined.
    pub(super) fn joined(&self) -> Result<Option<Joined>, Failure> {
        let path = self.folder.join(JOINED);
        if !path.exists() {
            return Ok(None);
        }
        let what = || format!("the device in {} cannot be opened", path.display());
        let sealed = std::fs::read(&path).tell(what())?;
        Joined::unseal(&sealed, &self.seal).map(Some).tell(what())
    }

    /// Keeps the device.
    pub(super) fn keep(&self, joined: &Joined) -> Result<(), Failure> {
        let sealed = joined
            .seal(&self.seal)
            .tell("the device's state cannot be sealed")?;
        self.replace(JOINED, &sealed)
    }

    /// Puts an offline cache in the place of the one before.
    pub(super) fn keep_offline(&self, sealed: &SealedCache) -> Result<(), Failure> {
        let name = format!("{OFFLINE}{}{CACHE}", sealed.credential.short());
        self.replace(&name, &sealed.bytes)
    }

    /// The offline caches that can be read; what cannot is named and passed over.
    pub(super) fn offline_caches(&self, shell: &Shell) -> Result<Vec<OfflineCache>, Failure> {
        let what = || {
            format!(
                "the device's state in {} cannot be read",
                self.folder.display()
            )
        };
        let mut caches = Vec::new();
        for entry in std::fs::read_dir(&self.folder).tell(what())? {
            let path = entry.tell(what())?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !name.starts_with(OFFLINE) || !name.ends_with(CACHE) {
                continue;
            }
            match OfflineCache::read(&std::fs::read(&path).tell(what())?) {
                Ok(cache) => caches.push(cache),
                Err(error) => shell.note(format_args!("{}: {error}", path.display())),
            }
        }
        Ok(caches)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        replace(&self.folder.join(name), bytes)
    }
}

/// Puts a whole new file in the place of an old one, which stays as it is if anything goes wrong on the way.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let what = || {
        format!(
            "{} cannot be written; what was there is still there",
            path.display()
        )
    };
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".tombolo-")
        .tempfile_in(folder)
        .tell(what())?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .tell(what())?;
    file.persist(path).map(drop).tell(what())
}

fn default_folder() -> Result<PathBuf, Failure> {
    let base = environment("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| environment("HOME").map(|home| PathBuf::from(home).join(".local/state")));
    let base = base.ok_or_else(|| {
        Failure::new("it is not known where to keep the device's state").next("give --state DIR")
    })?;
    Ok(base.join("tombolo/workstation"))
}
