//! Key derivation of the AES types with SHA-1: DK of RFC 3961 5.1 over the block cipher.

use zeroize::Zeroizing;

use super::cipher::{Aes, BLOCK_BYTES};
use super::n_fold;
use super::n_fold::fold_constant;

/// DK(key, constant), as long as the key. Empty where the key has no AES length.
pub(crate) fn derive(key: &[u8], constant: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut derived = Zeroizing::new(Vec::with_capacity(key.len()));
    let Some(cipher) = Aes::new(key) else {
        return derived;
    };
    let mut block = match (<[u8; BLOCK_BYTES]>::try_from(constant), constant.try_into()) {
        (Ok(whole), _) => whole,
        (_, Ok(usage)) => fold_constant(usage),
        _ => n_fold(constant),
    };
    while derived.len() < key.len() {
        cipher.encrypt_block(&mut block);
        derived.extend_from_slice(&block);
    }
    derived.truncate(key.len());
    derived
}
