//! What a device keeps on its disk: its sealed keys, and the offline caches.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use machine::seal::{self, SealName};
use workstation::Seal;
use workstation::joined::Joined;
use workstation::offline::{CredentialTag, Header, OfflineCache, SealedCache};

use crate::io::{Failure, OsEntropy, Shell, Tell, environment};

/// Which device.
#[derive(Debug, clap::Args)]
pub(super) struct StateArgs {
    /// Where the device keeps its state; below XDG_STATE_HOME without it
    #[arg(long, value_name = "DIR", env = "TOMBOLO_WORKSTATION_STATE")]
    state: Option<PathBuf>,
}

impl StateArgs {
    /// Opens the state of a device that has joined, or that may join.
    pub(super) fn open(&self, seal: Option<&SealName>) -> Result<State, Failure> {
        State::open(self.state.as_deref(), seal)
    }
}

/// The directory of a device's state.
pub(super) struct State {
    folder: PathBuf,
    seal: Box<dyn Seal>,
}

const JOINED: &str = "device.sealed";
const OFFLINE: &str = "offline-";
const CACHE: &str = ".cache";
const LOCK: &str = "lock";

impl State {
    /// Opens the directory, or makes it. A device that has joined knows its seal; `wanted` is for one that has not.
    pub(super) fn open(folder: Option<&Path>, wanted: Option<&SealName>) -> Result<Self, Failure> {
        let folder = match folder {
            Some(folder) => folder.to_owned(),
            None => default_folder()?,
        };
        let what = || format!("the device's state in {} cannot be used", folder.display());
        std::fs::create_dir_all(&folder).tell(what())?;
        let sealed = sealed(&folder)?;
        let seal = seal::open(&folder, sealed.as_deref(), wanted, &mut OsEntropy)
            .map_err(|error| Failure::new(what()).why(&error).next(error.next()))?;
        Ok(Self { folder, seal })
    }

    /// Seals the device anew, by another seal of this machine. Whether that changed anything.
    pub(super) fn reseal(mut self, to: &SealName) -> Result<bool, Failure> {
        let what = || format!("the device in {} keeps its seal", self.folder.display());
        let tell = |error: seal::SealOpenError| Failure::new(what()).why(&error).next(error.next());
        let Some(joined) = self.joined()? else {
            return Err(Failure::new(what())
                .why("no device has joined here")
                .next("join one with `tombolo signin --seal`"));
        };
        let before = sealed(&self.folder)?.unwrap_or_default();
        let changes = seal::of(&before) != to.kind();
        if changes {
            self.seal = seal::next(&self.folder, to, &mut OsEntropy).map_err(tell)?;
            self.keep(&joined)?;
        }
        // What opened the state before opens every copy of it that somebody has; it goes last, when nothing needs it.
        let after = sealed(&self.folder)?.unwrap_or_default();
        seal::forget_others(&self.folder, &after).map_err(tell)?;
        Ok(changes)
    }

    /// The device, where it has joined.
    pub(super) fn joined(&self) -> Result<Option<Joined>, Failure> {
        let path = self.folder.join(JOINED);
        if !path.exists() {
            return Ok(None);
        }
        let what = || format!("the device in {} cannot be opened", path.display());
        let sealed = std::fs::read(&path).tell(what())?;
        Joined::unseal(&sealed, &*self.seal).map(Some).tell(what())
    }

    /// Its directory.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Changes the device, alone among all programs that use this directory: what `act` writes is on the disk before the
    /// device remembers it.
    pub(super) fn change<T>(
        &self,
        act: impl FnOnce(&mut Joined) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let _alone = self.lock()?;
        let mut joined = self.joined()?.ok_or_else(not_joined)?;
        let changed = act(&mut joined)?;
        self.keep(&joined)?;
        Ok(changed)
    }

    /// Held while the device changes; the kernel lets go of it when its holder dies.
    fn lock(&self) -> Result<File, Failure> {
        let path = self.folder.join(LOCK);
        let what = || format!("{} cannot be locked", path.display());
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .tell(what())?;
        file.lock().tell(what())?;
        Ok(file)
    }

    /// Keeps the device.
    pub(super) fn keep(&self, joined: &Joined) -> Result<(), Failure> {
        let sealed = joined
            .seal(&*self.seal)
            .tell("the device's state cannot be sealed")?;
        self.replace(JOINED, &sealed)
    }

    /// Puts an offline cache in the place of the one before.
    pub(super) fn keep_offline(&self, sealed: &SealedCache) -> Result<(), Failure> {
        self.replace(&offline_name(sealed.credential), &sealed.bytes)
    }

    /// Removes the offline caches that are meant. Until they are gone, the device has forgotten how to open them. How many
    /// there were.
    pub(super) fn destroy_offline(
        &self,
        is_meant: impl Fn(&Header) -> bool,
        shell: &Shell,
    ) -> Result<usize, Failure> {
        let caches = self.offline_caches(shell)?;
        let meant: Vec<_> = caches
            .iter()
            .map(OfflineCache::header)
            .filter(|header| is_meant(header))
            .collect();
        if meant.is_empty() {
            return Ok(0);
        }
        self.change(|joined| {
            for header in &meant {
                joined.device.destroyed(header.credential());
            }
            Ok(())
        })?;
        for header in &meant {
            let path = self.folder.join(offline_name(header.credential()));
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    let what = format!("{} cannot be removed; it opens no more", path.display());
                    return Err(Failure::new(what).why(error));
                }
                _ => (),
            }
        }
        Ok(meant.len())
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

    /// What seals this device.
    pub(super) fn seal(&self) -> &dyn Seal {
        &*self.seal
    }

    /// A file of the directory, where there is one.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Failure> {
        let path = self.folder.join(name);
        match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(Failure::new(format!("{} cannot be read", path.display())).why(error))
            }
        }
    }

    /// Puts a whole new file into the directory, in the place of the old one.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), Failure> {
        replace(&self.folder.join(name), bytes)
    }
}

/// Puts a whole new file in the place of an old one, which stays as it is if anything goes wrong on the way.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
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
    file.persist(path).tell(what())?;
    // The names too: what is written next relies on this one being there.
    #[cfg(unix)]
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .tell(what())?;
    Ok(())
}

fn offline_name(credential: CredentialTag) -> String {
    format!("{OFFLINE}{}{CACHE}", credential.short())
}

/// Nothing has joined here.
pub(super) fn not_joined() -> Failure {
    Failure::new("this device has not joined the cloud yet")
        .next("give --user UPN and --pass-file FILE with a temporary access pass, once, to `tombolo signin`")
}

fn sealed(folder: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let path = folder.join(JOINED);
    match std::fs::read(&path) {
        Ok(sealed) => Ok(Some(sealed)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).tell(format!("{} cannot be read", path.display())),
    }
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
