//! Sealing by a key file: what only its owner can read binds a secret to this machine's disk. A TPM does better.

use std::io::Write as _;
use std::path::Path;

use aes_gcm::aead::{Aead, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use types::{Entropy, Secret};
use workstation::{Seal, SealError};
use zeroize::Zeroizing;

/// A key of 256 bits in a file.
pub struct KeyFileSeal(Secret<[u8; 32]>);

const NONCE_LENGTH: usize = 12;

impl KeyFileSeal {
    /// Reads the key, or makes one where there is none. The file is its owner's alone.
    pub fn open(path: &Path, entropy: &mut dyn Entropy) -> std::io::Result<Self> {
        if !path.exists() {
            let mut key = Zeroizing::new([0; 32]);
            entropy.fill(key.as_mut_slice());
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(path)?;
            file.write_all(key.as_slice())?;
            file.sync_all()?;
        }
        let octets = Zeroizing::new(std::fs::read(path)?);
        let octets: &[u8; 32] = octets.as_slice().try_into().map_err(|_| {
            std::io::Error::other(format!(
                "{} has not 32 octets: it is no key, or was cut short",
                path.display()
            ))
        })?;
        Ok(Self(Secret::filled_by(|key: &mut [u8; 32]| {
            key.copy_from_slice(octets);
        })))
    }
}

impl Seal for KeyFileSeal {
    fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let mut nonce = [0; NONCE_LENGTH];
        getrandom::fill(&mut nonce).map_err(|error| SealError::Unavailable(error.to_string()))?;
        let sealed = Aes256Gcm::new(self.0.expose().into())
            .encrypt(&Nonce::from(nonce), plain)
            .map_err(|error| SealError::Unavailable(error.to_string()))?;
        Ok([&nonce[..], &sealed].concat())
    }

    fn unseal(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (nonce, sealed) = sealed
            .split_first_chunk::<NONCE_LENGTH>()
            .ok_or(SealError::NotOurs)?;
        Aes256Gcm::new(self.0.expose().into())
            .decrypt(&Nonce::from(*nonce), sealed)
            .map(Zeroizing::new)
            .map_err(|_| SealError::NotOurs)
    }
}
