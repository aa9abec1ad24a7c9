//! Finds the foreign programs: system tools on the `PATH`, Python with its packages in `.peers/venv`.

use std::path::{Path, PathBuf};

/// The program of that name: one that `cargo xtask peers` put into `.peers/bin`, or the system's.
///
/// # Panics
/// When it is not installed; the message says how to get it.
pub fn program(name: &str) -> PathBuf {
    find(name).unwrap_or_else(|| missing(name))
}

/// A program of a package that is unpacked below `.peers`, because it cannot be installed beside another judge:
/// `unpacked("heimdal/usr/bin/kinit.heimdal")`.
///
/// # Panics
/// When it is not there; the message says how to get it.
pub fn unpacked(path: &str) -> PathBuf {
    let program = root().join(".peers").join(path);
    if program.is_file() {
        program
    } else {
        missing(path)
    }
}

/// A Node.js that is new enough for its judges.
///
/// # Panics
/// When there is none; the message says how to get it.
pub fn node() -> PathBuf {
    let shipped = root().join(".peers/venv/bin/node");
    if shipped.is_file() {
        return shipped;
    }
    program("node")
}

/// What `require` starts from to find a package of `.peers/node`.
///
/// # Panics
/// When the package is not there; the message says how to get it.
pub fn node_package(name: &str) -> PathBuf {
    let path = root().join(".peers/node/node_modules").join(name);
    if path.is_dir() {
        path.join("package.json")
    } else {
        missing(name)
    }
}

/// The Python that has ldap3, python-fido2, pydsinternals and cryptography.
///
/// # Panics
/// When the virtual environment is not there; the message says how to make it.
pub fn python() -> PathBuf {
    let path = root().join(".peers/venv/bin/python");
    if path.is_file() {
        path
    } else {
        missing("Python with the judges' packages")
    }
}

/// The root of the checkout.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

/// Where system programs live; `sbin` is not on everybody's `PATH`.
const SYSTEM_DIRECTORIES: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(root().join(".peers/bin"))
        .chain(std::env::split_paths(&path))
        .chain(SYSTEM_DIRECTORIES.iter().map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

#[expect(clippy::panic, reason = "a missing judge fails the test that needs it")]
fn missing(what: &str) -> ! {
    panic!(
        "a judge is missing: {what}\n\
         next: run `cargo xtask peers`, which installs it or says how to get it"
    )
}
