//! AES with its round keys set up, in CBC mode with ciphertext stealing (RFC 3962 5) and a zero initial vector.

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt, InnerIvInit, KeyInit};
use aes::{Aes128, Aes256, Block};
use cts::{CbcCs3, Decrypt, Encrypt};

use super::CryptoError;

/// The block and the confounder of AES.
pub(crate) const BLOCK_BYTES: usize = 16;

#[derive(Clone)]
pub(crate) enum Aes {
    Short(Aes128),
    Long(Aes256),
}

impl Aes {
    /// `None` unless `key` has 16 or 32 bytes.
    pub(crate) fn new(key: &[u8]) -> Option<Self> {
        match key.len() {
            16 => Aes128::new_from_slice(key).ok().map(Self::Short),
            32 => Aes256::new_from_slice(key).ok().map(Self::Long),
            _ => None,
        }
    }

    pub(crate) fn encrypt_block(&self, block: &mut [u8; BLOCK_BYTES]) {
        let mut array = Block::from(*block);
        match self {
            Self::Short(aes) => aes.encrypt_block(&mut array),
            Self::Long(aes) => aes.encrypt_block(&mut array),
        }
        *block = array.into();
    }

    fn decrypt_block(&self, block: &mut [u8; BLOCK_BYTES]) {
        let mut array = Block::from(*block);
        match self {
            Self::Short(aes) => aes.decrypt_block(&mut array),
            Self::Long(aes) => aes.decrypt_block(&mut array),
        }
        *block = array.into();
    }

    /// In place; needs at least one block.
    pub(crate) fn encrypt(&self, bytes: &mut [u8]) -> Result<(), CryptoError> {
        // One block has nothing to steal from: CBC with a zero vector is the bare cipher.
        if let Ok(block) = <&mut [u8; BLOCK_BYTES]>::try_from(&mut *bytes) {
            self.encrypt_block(block);
            return Ok(());
        }
        let (iv, have) = (Block::default(), bytes.len());
        match self {
            Self::Short(aes) => CbcCs3::inner_iv_init(aes.clone(), &iv).encrypt(bytes),
            Self::Long(aes) => CbcCs3::inner_iv_init(aes.clone(), &iv).encrypt(bytes),
        }
        .map_err(|_| too_short(have))
    }

    /// In place; needs at least one block.
    pub(crate) fn decrypt(&self, bytes: &mut [u8]) -> Result<(), CryptoError> {
        if let Ok(block) = <&mut [u8; BLOCK_BYTES]>::try_from(&mut *bytes) {
            self.decrypt_block(block);
            return Ok(());
        }
        let (iv, have) = (Block::default(), bytes.len());
        match self {
            Self::Short(aes) => CbcCs3::inner_iv_init(aes.clone(), &iv).decrypt(bytes),
            Self::Long(aes) => CbcCs3::inner_iv_init(aes.clone(), &iv).decrypt(bytes),
        }
        .map_err(|_| too_short(have))
    }
}

fn too_short(have: usize) -> CryptoError {
    CryptoError::TooShort {
        need: BLOCK_BYTES,
        have,
    }
}
