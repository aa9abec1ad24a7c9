//! The key of one write of one cache.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::KeyInit;
use hkdf::Hkdf;
use sha2::Sha256;
use types::Secret;
use zeroize::Zeroizing;

use super::Header;
use crate::device::Device;

const INFO: &[u8] = b"tombolo offline-cache v1";

/// Joins the security key's half and the device's half; neither alone is worth anything.
pub(super) fn cipher(output: &Secret<[u8; 32]>, device: &Device, header: &Header) -> Aes256Gcm {
    let mut halves = Zeroizing::new([0; 64]);
    let (first, second) = halves.split_at_mut(32);
    first.copy_from_slice(output.expose());
    second.copy_from_slice(device.secret().expose());
    let mut key = Zeroizing::new([0; 32]);
    let info: [&[u8]; 4] = [
        INFO,
        &header.device.to_bytes_be(),
        &header.rp_id_hash,
        &header.credential_id,
    ];
    let derived = Hkdf::<Sha256>::new(Some(&header.write_salt), halves.as_slice())
        .expand_multi_info(&info, key.as_mut_slice());
    // INVARIANT: HKDF-SHA-256 gives up to 8,160 bytes; 32 never fail.
    debug_assert!(derived.is_ok());
    Aes256Gcm::new(&(*key).into())
}
