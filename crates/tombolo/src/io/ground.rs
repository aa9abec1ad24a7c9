//! The environment, and files with their names in the error.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Failure, Tell};

/// A variable of the environment, if it is set and not empty.
pub(crate) fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// How a shell calls this program: by its name where PATH leads to it, by its path elsewhere (as after `cargo run`).
pub(crate) fn own_name() -> String {
    let Ok(own) = std::env::current_exe() else {
        return "tombolo".to_owned();
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .map(|folder| folder.join("tombolo"))
        .find(|file| file.is_file());
    let is_own = |file: PathBuf| file.canonicalize().ok() == own.canonicalize().ok();
    if found.is_some_and(is_own) {
        return "tombolo".to_owned();
    }
    let own = own.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if own.chars().all(is_plain) {
        own
    } else {
        format!("'{}'", own.replace('\'', r"'\''"))
    }
}

/// Input larger than this is refused rather than read into memory.
const INPUT_BYTES_MAX: u64 = 4 << 30;

/// A whole file; `-` is stdin.
pub(crate) fn read_input(path: &Path) -> Result<Vec<u8>, Failure> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin()
            .lock()
            .take(INPUT_BYTES_MAX)
            .read_to_end(&mut bytes)
            .tell("could not read stdin")?;
        return Ok(bytes);
    }
    read_file(path)
}

/// A whole file.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let what = || format!("could not read {}", path.display());
    let length = std::fs::metadata(path).tell(what())?.len();
    if length > INPUT_BYTES_MAX {
        return Err(Failure::new(what())
            .why(format!(
                "it has {length} bytes, and at most {INPUT_BYTES_MAX} are read"
            ))
            .next("split the file, or pipe the part that matters into `-`"));
    }
    std::fs::read(path).tell(what())
}

/// Writes a whole file, replacing what was there.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).tell(format!("could not write {}", path.display()))
}
