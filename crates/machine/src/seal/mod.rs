//! Seals: what binds a device's secrets to this machine.
//!
//! A device's directory has its sealed state in one file, and beside it what opens it: `seal.key`, a key file, or `seal.tpm`,
//! keys that only this machine's TPM can use. The sealed state says itself which of the two it needs, so a change from one
//! to the other that is interrupted leaves a state that opens. Nothing falls back: a state that needs the TPM opens by the
//! TPM or not at all.

mod error;
mod key_file;
#[cfg(feature = "tpm")]
mod tpm;

pub use error::SealOpenError;
pub use key_file::KeyFileSeal;
#[cfg(feature = "tpm")]
pub use tpm::TpmSeal;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use types::Entropy;
use workstation::Seal;

/// Which seal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealName {
    /// A key in a file that only its owner reads.
    KeyFile,
    /// A TPM 2.0, by the name that TSS has for the way to it: `device:/dev/tpmrm0`.
    Tpm(String),
}

/// The kernel's own door to the TPM, which shares it among programs.
const TPM_DEVICE: &str = "device:/dev/tpmrm0";

/// The file of a key file seal.
pub const KEY_FILE: &str = "seal.key";
/// The file of a TPM's keys; of no use to another TPM.
pub const TPM_FILE: &str = "seal.tpm";

/// How a state begins that a TPM sealed. A key file's begins with twelve random bytes.
const TPM_MAGIC: &[u8] = b"TOMBOLO-TPM\0\x01";

/// The seal of the device whose state is in `folder`. `sealed` is that state, where there is one. Where there is none, the
/// wanted seal is made; without a wish a key file.
pub fn open(
    folder: &Path,
    sealed: Option<&[u8]>,
    wanted: Option<&SealName>,
    entropy: &mut dyn Entropy,
) -> Result<Box<dyn Seal>, SealOpenError> {
    let has = match sealed {
        Some(sealed) => sealed.starts_with(TPM_MAGIC),
        // Keys of a TPM and no state yet: a first sign-in that did not come to its end.
        None => folder.join(TPM_FILE).exists(),
    };
    let is_new = sealed.is_none();
    match (has, wanted) {
        (true, Some(SealName::KeyFile)) => Err(SealOpenError::Other { has: "tpm" }),
        (false, Some(SealName::Tpm(_))) if !is_new => Err(SealOpenError::Other { has: "key-file" }),
        (true, Some(SealName::Tpm(at))) => open_tpm(folder, Some(at), is_new, entropy),
        (true, None) => open_tpm(folder, None, is_new, entropy),
        (false, Some(SealName::Tpm(at))) => open_tpm(folder, Some(at), true, entropy),
        (false, _) => open_key_file(folder, is_new, entropy),
    }
}

/// The seal that a device moves to. Its keys are made where they are not there; keys of a TPM that does not know them any
/// more, which no state needs, are made anew.
pub fn next(
    folder: &Path,
    to: &SealName,
    entropy: &mut dyn Entropy,
) -> Result<Box<dyn Seal>, SealOpenError> {
    match to {
        SealName::KeyFile => open_key_file(folder, true, entropy),
        SealName::Tpm(at) => match open_tpm(folder, Some(at), true, entropy) {
            Err(SealOpenError::Forgotten { .. } | SealOpenError::OtherMachine { .. }) => {
                let path = folder.join(TPM_FILE);
                std::fs::remove_file(&path).map_err(|source| error::file(path, source))?;
                open_tpm(folder, Some(at), true, entropy)
            }
            opened => opened,
        },
    }
}

/// Which seal a state needs.
pub fn of(sealed: &[u8]) -> &'static str {
    match sealed.starts_with(TPM_MAGIC) {
        true => "tpm",
        false => "key-file",
    }
}

/// Removes what the state does not need any more: the keys of the seal that it had before.
pub fn forget_others(folder: &Path, sealed: &[u8]) -> Result<(), SealOpenError> {
    let path: PathBuf = folder.join(match sealed.starts_with(TPM_MAGIC) {
        true => KEY_FILE,
        false => TPM_FILE,
    });
    match std::fs::remove_file(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(error::file(path, source))
        }
        _ => Ok(()),
    }
}

fn open_key_file(
    folder: &Path,
    make: bool,
    entropy: &mut dyn Entropy,
) -> Result<Box<dyn Seal>, SealOpenError> {
    let path = folder.join(KEY_FILE);
    if !make && !path.exists() {
        return Err(SealOpenError::KeyGone);
    }
    let opened = KeyFileSeal::open(&path, entropy).map_err(|source| error::file(path, source));
    Ok(Box::new(opened?))
}

#[cfg(feature = "tpm")]
fn open_tpm(
    folder: &Path,
    at: Option<&str>,
    make: bool,
    entropy: &mut dyn Entropy,
) -> Result<Box<dyn Seal>, SealOpenError> {
    let opened = TpmSeal::open(&folder.join(TPM_FILE), at, make, entropy);
    Ok(Box::new(opened?))
}

#[cfg(not(feature = "tpm"))]
fn open_tpm(
    _: &Path,
    _: Option<&str>,
    _: bool,
    _: &mut dyn Entropy,
) -> Result<Box<dyn Seal>, SealOpenError> {
    Err(SealOpenError::NotBuilt)
}

impl SealName {
    /// Its kind, as [`of`] says it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::KeyFile => "key-file",
            Self::Tpm(_) => "tpm",
        }
    }
}

/// It is no seal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is none of key-file, tpm, tpm:device:/dev/tpmrm0, tpm:swtpm:host=HOST,port=PORT")]
pub struct NoSeal;

impl FromStr for SealName {
    type Err = NoSeal;

    fn from_str(text: &str) -> Result<Self, NoSeal> {
        match text.split_once(':') {
            None if text == "key-file" => Ok(Self::KeyFile),
            None if text == "tpm" => Ok(Self::Tpm(TPM_DEVICE.to_owned())),
            Some(("tpm", at)) if !at.is_empty() => Ok(Self::Tpm(at.to_owned())),
            _ => Err(NoSeal),
        }
    }
}

impl fmt::Display for SealName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KeyFile => f.write_str("key-file"),
            Self::Tpm(at) => write!(f, "tpm:{at}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use types::SeededEntropy;

    use super::*;

    #[test]
    fn names() {
        let check = |text: &str, expected: &str| {
            assert_eq!(text.parse::<SealName>().unwrap().to_string(), expected);
        };
        check("key-file", "key-file");
        check("tpm", "tpm:device:/dev/tpmrm0");
        check("tpm:swtpm:host=a,port=1", "tpm:swtpm:host=a,port=1");
        for text in ["", "tpm:", "key", "swtpm:host=a"] {
            assert_eq!(text.parse::<SealName>(), Err(NoSeal), "{text}");
        }
    }

    #[test]
    fn nothing_falls_back() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let tpm = SealName::Tpm("swtpm:host=127.0.0.1,port=1".to_owned());
        let mut entropy = SeededEntropy::new(1);
        let mut check = |sealed: Option<&[u8]>, wanted: Option<&SealName>| {
            open(folder, sealed, wanted, &mut entropy).map(drop)
        };
        // A first device gets a key file without a wish.
        check(None, None).unwrap();
        assert!(folder.join(KEY_FILE).exists());
        let by_key_file: &[u8] = &[7; 40];
        let by_tpm = [TPM_MAGIC, by_key_file].concat();
        // A state that a TPM sealed opens by no key file, although there is one.
        for wanted in [None, Some(&tpm)] {
            let refused = check(Some(&by_tpm), wanted).unwrap_err();
            assert!(!matches!(refused, SealOpenError::Other { .. }), "{refused}");
        }
        for (sealed, wanted, has) in [
            (by_tpm.as_slice(), SealName::KeyFile, "tpm"),
            (by_key_file, tpm, "key-file"),
        ] {
            let refused = check(Some(sealed), Some(&wanted)).unwrap_err();
            assert!(
                matches!(refused, SealOpenError::Other { has: found } if found == has),
                "{refused}"
            );
        }
        check(Some(by_key_file), Some(&SealName::KeyFile)).unwrap();
        // And no new key is made for a state that exists.
        forget_others(folder, &by_tpm).unwrap();
        assert!(matches!(
            check(Some(by_key_file), None),
            Err(SealOpenError::KeyGone)
        ));
        assert!(!folder.join(KEY_FILE).exists());
    }
}
