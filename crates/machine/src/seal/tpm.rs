//! Sealing by a TPM 2.0.
//!
//! Below the TPM's owner hierarchy a storage key is made once; `seal.tpm` keeps it as the TPM wrapped it, with the value that
//! the TPM wants before the key is used. A state is encrypted with a key of its own that this storage key seals, so its length
//! does not matter. Each use opens the way to the TPM anew: a TPM that was reset in the meantime is no trouble, and other
//! programs find it free where it serves one at a time.
//!
//! Deliberately absent: measurements of what was booted (PCR policies). Whoever has the whole machine, and may start
//! another system on it, has the TPM's help.

use std::io::Write as _;
use std::path::Path;

use data_encoding::HEXLOWER;
use kanidm_hsm_crypto::provider::{Tpm as _, TssTpm};
use kanidm_hsm_crypto::structures::{LoadableStorageKey, SealedData, StorageKey};
use kanidm_hsm_crypto::{AuthValue, TpmError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use types::{Entropy, Secret};
use workstation::{Seal, SealError};
use zeroize::{Zeroize, Zeroizing};

use super::{SealOpenError, TPM_MAGIC, error};

/// Keys that a TPM made, and the way to it.
pub struct TpmSeal {
    at: String,
    authorisation: Secret<[u8; 32]>,
    key: LoadableStorageKey,
}

const FORMAT: &str = "tombolo-seal-tpm/1";

/// `seal.tpm`.
#[derive(Serialize, Deserialize)]
struct Stored {
    format: String,
    /// The way to the TPM when the keys were made.
    at: String,
    /// Tells a TPM that was cleared from a directory that was copied; says nothing about the machine to anybody else.
    machine: Option<String>,
    /// What the TPM wants before it uses the key.
    authorisation: String,
    key: LoadableStorageKey,
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.authorisation.zeroize();
    }
}

impl TpmSeal {
    /// Reads the keys, or makes them where there are none and `make` says so. The TPM must know them.
    pub(super) fn open(
        path: &Path,
        at: Option<&str>,
        make: bool,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, SealOpenError> {
        let bytes = match std::fs::read(path) {
            Ok(bytes) => Zeroizing::new(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return match (make, at) {
                    (true, Some(at)) => Self::make(path, at, entropy),
                    _ => Err(SealOpenError::TpmKeysGone),
                };
            }
            Err(source) => return Err(error::file(path.to_owned(), source)),
        };
        let malformed = |why: String| SealOpenError::Malformed {
            path: path.to_owned(),
            why,
        };
        let stored: Stored =
            serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        if stored.format != FORMAT {
            return Err(malformed(format!("its format is {}", stored.format)));
        }
        let mut octets = Zeroizing::new([0; 32]);
        let decoded = HEXLOWER.decode_mut(stored.authorisation.as_bytes(), octets.as_mut_slice());
        if decoded != Ok(32) {
            return Err(malformed("its authorisation is cut short".to_owned()));
        }
        let seal = Self {
            at: at.unwrap_or(&stored.at).to_owned(),
            authorisation: Secret::new(*octets),
            key: stored.key.clone(),
        };
        match seal.load() {
            Ok(_) => Ok(seal),
            Err(error) => Err(seal.unopened(&error, stored.machine.as_deref())),
        }
    }

    fn make(path: &Path, at: &str, entropy: &mut dyn Entropy) -> Result<Self, SealOpenError> {
        let mut tpm = TssTpm::new(at).map_err(|error| unreachable_at(at, &error))?;
        let authorisation = Secret::filled_by(|octets: &mut [u8; 32]| entropy.fill(octets));
        let key = tpm
            .root_storage_key_create(&AuthValue::from(*authorisation.expose()))
            .map_err(|error| SealOpenError::NoKeys {
                at: at.to_owned(),
                why: format!("{error:?}"),
            })?;
        let stored = Stored {
            format: FORMAT.to_owned(),
            at: at.to_owned(),
            machine: this_machine(),
            authorisation: HEXLOWER.encode(authorisation.expose()),
            key: key.clone(),
        };
        let failed = |source| error::file(path.to_owned(), source);
        let text = serde_json::to_vec_pretty(&stored).map_err(|error| failed(error.into()))?;
        write(path, &Zeroizing::new(text)).map_err(failed)?;
        Ok(Self {
            at: at.to_owned(),
            authorisation,
            key,
        })
    }

    fn load(&self) -> Result<(TssTpm, StorageKey), TpmError> {
        let mut tpm = TssTpm::new(&self.at)?;
        let authorisation = AuthValue::from(*self.authorisation.expose());
        let key = tpm.root_storage_key_load(&authorisation, &self.key)?;
        Ok((tpm, key))
    }

    /// A TPM that answers and refuses the key does not know it.
    fn unopened(&self, error: &TpmError, made_on: Option<&str>) -> SealOpenError {
        let why = format!("{error:?}");
        let at = self.at.clone();
        match error {
            TpmError::TssStorageKeyLoad | TpmError::TssKeyLoad => match (made_on, this_machine()) {
                (Some(made_on), Some(here)) if made_on != here => {
                    SealOpenError::OtherMachine { why }
                }
                _ => SealOpenError::Forgotten { at, why },
            },
            _ => unreachable_at(&self.at, error),
        }
    }

    fn unavailable(&self, error: &TpmError) -> SealError {
        SealError::Unavailable(format!("the TPM at {}: {error:?}", self.at))
    }
}

impl Seal for TpmSeal {
    fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let (mut tpm, key) = self.load().map_err(|error| self.unavailable(&error))?;
        let sealed = tpm
            .seal_data(&key, Zeroizing::new(plain.to_vec()))
            .map_err(|error| self.unavailable(&error))?;
        let mut bytes = TPM_MAGIC.to_vec();
        serde_json::to_writer(&mut bytes, &sealed)
            .map_err(|error| SealError::Unavailable(error.to_string()))?;
        Ok(bytes)
    }

    fn unseal(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let sealed = sealed.strip_prefix(TPM_MAGIC).ok_or(SealError::NotOurs)?;
        let sealed: SealedData = serde_json::from_slice(sealed).map_err(|_| SealError::NotOurs)?;
        let (mut tpm, key) = self.load().map_err(|error| self.unavailable(&error))?;
        tpm.unseal_data(&key, &sealed).map_err(|error| match error {
            TpmError::TssContextLoad | TpmError::TssContextFlushObject => self.unavailable(&error),
            _ => SealError::NotOurs,
        })
    }
}

fn unreachable_at(at: &str, error: &TpmError) -> SealOpenError {
    SealOpenError::Unreachable {
        at: at.to_owned(),
        why: format!("{error:?}"),
    }
}

/// Eight bytes of a hash of the system's own number for this installation, as `machine-id(5)` wants it.
fn this_machine() -> Option<String> {
    let id = std::fs::read_to_string("/etc/machine-id").ok()?;
    let id = id.trim();
    if id.is_empty() {
        return None;
    }
    let hash: [u8; 32] = Sha256::digest(format!("tombolo seal\0{id}")).into();
    let (short, _) = hash.split_first_chunk::<8>()?;
    Some(HEXLOWER.encode(short))
}

/// A whole new file, its owner's alone.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(".tombolo-")
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
