//! Secrets and certificates in files, files for their owner alone, and new files that never replace another.

use std::io::Write;
use std::path::{Path, PathBuf};
#[cfg(unix)]
use std::sync::OnceLock;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use types::Secret;

use super::{Failure, Tell, read_input};

/// The mode bits that the caller's own files lose.
#[cfg(unix)]
static CALLERS_UMASK: OnceLock<rustix::fs::Mode> = OnceLock::new();

/// Whatever a command writes (state, tokens, plans, receipts) is for its owner alone.
pub(crate) fn keep_files_private() {
    #[cfg(unix)]
    CALLERS_UMASK
        .get_or_init(|| rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO));
}

/// Does something with the caller's own umask, as starting a program that the caller asked for.
#[cfg(target_os = "linux")]
pub(crate) fn as_the_caller<T>(act: impl FnOnce() -> T) -> T {
    let Some(umask) = CALLERS_UMASK.get() else {
        return act();
    };
    let private = rustix::process::umask(*umask);
    let result = act();
    rustix::process::umask(private);
    result
}

/// The first line of a file (`-` is stdin): a password or a token.
pub(crate) fn first_line(path: &Path) -> Result<Secret<String>, Failure> {
    let what = || format!("the secret in {} cannot be used", path.display());
    let text = String::from_utf8(read_input(path)?).tell(what())?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(Failure::new(what()).why("its first line is empty"));
    }
    Ok(Secret::new(line.to_owned()))
}

/// The certificates of a PEM file; at least one.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let what = || format!("the certificates in {} cannot be used", path.display());
    let pem = read_input(path)?;
    let found: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .tell(what())?;
    if found.is_empty() {
        return Err(Failure::new(what())
            .why("there is no certificate in it")
            .next("give a PEM file"));
    }
    Ok(found)
}

/// A file that was made now. It is removed again unless it is kept.
#[derive(Debug)]
pub(crate) struct NewFile {
    path: PathBuf,
    is_kept: bool,
}

impl NewFile {
    /// Makes a file that only its owner may read. One that is there already is an error: it may hold the only copy of
    /// a key.
    pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<Self, Failure> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let what = || format!("could not write {}", path.display());
        let mut file = options.open(path).map_err(|error| {
            let failure = Failure::new(what()).why(&error);
            match error.kind() {
                std::io::ErrorKind::AlreadyExists => {
                    failure.next("move it away, or name another file: nothing is ever overwritten")
                }
                _ => failure,
            }
        })?;
        let made = Self {
            path: path.to_owned(),
            is_kept: false,
        };
        file.write_all(bytes)
            .and_then(|()| file.sync_all())
            .tell(what())?;
        Ok(made)
    }

    /// Keeps it.
    pub(crate) fn keep(mut self) -> PathBuf {
        self.is_kept = true;
        self.path.clone()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_kept {
            // What was not needed in the end; if it cannot be removed, it is in nobody's way.
            drop(std::fs::remove_file(&self.path));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_private_and_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.pem");
        drop(NewFile::write(&path, b"one").unwrap());
        assert!(!path.exists());
        NewFile::write(&path, b"two").unwrap().keep();
        let refused = NewFile::write(&path, b"three").unwrap_err();
        assert!(refused.to_string().contains("nothing is ever overwritten"));
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}
