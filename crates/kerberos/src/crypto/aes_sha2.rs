//! Key derivation of the AES types with SHA-2: KDF-HMAC-SHA2 of RFC 8009 3.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Sha256, Sha384};
use zeroize::Zeroizing;

use super::EncryptionType;

/// The first `bytes` bytes of HMAC(key, 1 | label | 0 | context | bits), with the hash of the type.
pub(crate) fn derive(
    etype: EncryptionType,
    key: &[u8],
    label: &[u8],
    context: &[u8],
    bytes: usize,
) -> Zeroizing<Vec<u8>> {
    let bits = u32::try_from(bytes * 8).unwrap_or(u32::MAX).to_be_bytes();
    let parts: [&[u8]; 5] = [&[0, 0, 0, 1], label, &[0], context, &bits];
    let mut derived = if etype == EncryptionType::AES256_CTS_HMAC_SHA384_192 {
        digest::<Hmac<Sha384>>(key, &parts)
    } else {
        digest::<Hmac<Sha256>>(key, &parts)
    };
    derived.truncate(bytes);
    derived
}

fn digest<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    // HMAC takes keys of every length, so the empty answer is never seen.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else {
        return Zeroizing::default();
    };
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}
