//! FILE and DIR: caches that are files.
//!
//! A cache is written beside the old one and renamed over it: a reader has the old file or the new one. MIT's programs append
//! service tickets in place; one that does so in the moment of the rename loses its ticket and gets it again.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use kerberos::files::CredentialCache;

use super::{CacheError, CacheName};

/// The file of a directory that says which of the others is meant (MIT `ccache_file_format`, collections of type DIR).
const PRIMARY: &str = "primary";
/// How the others must begin.
const PREFIX: &str = "tkt";

pub(super) fn load(name: &CacheName, path: &Path) -> Result<Option<CredentialCache>, CacheError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(path, "read", source)),
    };
    // MIT's programs make an empty file before they fill it.
    if bytes.is_empty() {
        return Ok(None);
    }
    let malformed = |source| CacheError::Malformed {
        what: name.to_string(),
        source,
    };
    CredentialCache::decode(&bytes).map(Some).map_err(malformed)
}

pub(super) fn store(path: &Path, cache: &CredentialCache) -> Result<(), CacheError> {
    let bytes = cache.encode().map_err(CacheError::Unwritable)?;
    write(path, &bytes)
}

/// Writes a cache of a directory; both are made where they are not there.
pub(super) fn store_in(
    folder: &Path,
    name: Option<&str>,
    cache: &CredentialCache,
) -> Result<(), CacheError> {
    if !folder.exists() {
        make(folder).map_err(|source| failed(folder, "made", source))?;
    }
    let primary = folder.join(PRIMARY);
    match place(folder, name)? {
        Some(path) => store(&path, cache),
        None => {
            store(&folder.join(PREFIX), cache)?;
            write(&primary, format!("{PREFIX}\n").as_bytes())
        }
    }
}

/// The file of a directory that is meant; nothing, where the primary was never said.
pub(super) fn place(folder: &Path, name: Option<&str>) -> Result<Option<PathBuf>, CacheError> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => match std::fs::read_to_string(folder.join(PRIMARY)) {
            Ok(line) => line.trim_end_matches('\n').to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(failed(&folder.join(PRIMARY), "read", source)),
        },
    };
    if !name.starts_with(PREFIX) || name.contains(['/', '\n']) {
        return Err(CacheError::Name {
            name: format!("DIR::{}", folder.join(name).display()),
            why: "files of such a directory begin with tkt",
        });
    }
    Ok(Some(folder.join(name)))
}

pub(super) fn destroy(path: &Path) -> Result<bool, CacheError> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(failed(path, "removed", source)),
    }
}

/// The new file is its owner's alone, whatever the old one was, and a link is replaced, not followed.
fn write(path: &Path, bytes: &[u8]) -> Result<(), CacheError> {
    let failed = |source| failed(path, "written", source);
    let folder = path.parent().filter(|path| !path.as_os_str().is_empty());
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix(".tombolo-");
    let file = builder.tempfile_in(folder.unwrap_or_else(|| Path::new(".")));
    let mut file = file.map_err(failed)?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(failed)?;
    file.persist(path)
        .map_err(|error| failed(error.error))
        .map(drop)
}

fn make(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn failed(path: &Path, act: &'static str, source: io::Error) -> CacheError {
    CacheError::File {
        path: path.to_owned(),
        act,
        source,
    }
}
