//! RC4-HMAC (RFC 4757), and the HMAC-MD5 checksum that MS-SFU uses with keys of every type.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use rc4::{Rc4, StreamCipher};
use zeroize::Zeroizing;

use super::{CryptoError, KeyUsage};

const CHECKSUM_BYTES: usize = 16;
/// The confounder of RC4-HMAC.
pub(crate) const CONFOUNDER_BYTES: usize = 8;

/// What both directions need for one usage: K1 of RFC 4757 5.
pub(crate) fn usage_key(key: &[u8], usage: KeyUsage) -> Zeroizing<[u8; 16]> {
    hmac(key, &[&message_type(usage).to_le_bytes()])
}

/// Encrypts confounder and plaintext, which `bytes` holds, and puts the checksum before them.
pub(crate) fn encrypt(k1: &[u8; 16], bytes: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let checksum = hmac(k1, &[bytes]);
    let mut sealed = checksum.to_vec();
    sealed.extend_from_slice(bytes);
    if let Some(tail) = sealed.get_mut(CHECKSUM_BYTES..) {
        key_stream(k1, &checksum, tail)?;
    }
    Ok(sealed)
}

/// Gives confounder and plaintext.
pub(crate) fn decrypt(k1: &[u8; 16], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let Some((checksum, tail)) = sealed
        .split_first_chunk::<CHECKSUM_BYTES>()
        .filter(|(_, tail)| tail.len() >= CONFOUNDER_BYTES)
    else {
        return Err(CryptoError::TooShort {
            need: CHECKSUM_BYTES + CONFOUNDER_BYTES,
            have: sealed.len(),
        });
    };
    let mut plain = Zeroizing::new(tail.to_vec());
    key_stream(k1, checksum, &mut plain)?;
    let mut mac = mac(k1);
    mac.update(&plain);
    mac.verify_slice(checksum)
        .map_err(|_| CryptoError::Integrity)?;
    Ok(plain)
}

/// KERB_CHECKSUM_HMAC_MD5 (RFC 4757 4), with any key: PA-FOR-USER (MS-SFU 2.2.1) uses it whatever the key's type.
pub fn hmac_md5_checksum(key: &[u8], usage: KeyUsage, data: &[u8]) -> [u8; 16] {
    let signing = hmac(key, &[b"signaturekey\0"]);
    let mut digest = Md5::new();
    digest.update(message_type(usage).to_le_bytes());
    digest.update(data);
    *hmac(&*signing, &[&digest.finalize()])
}

/// RFC 4757 3 renumbers some usages, as Windows does.
fn message_type(usage: KeyUsage) -> u32 {
    match usage {
        KeyUsage::AS_REP_ENC_PART | KeyUsage::TGS_REP_SUBKEY => 8,
        KeyUsage::GSS_ACCEPTOR_SIGN => 13,
        KeyUsage(other) => other,
    }
}

fn key_stream(k1: &[u8; 16], checksum: &[u8; 16], bytes: &mut [u8]) -> Result<(), CryptoError> {
    let k3 = hmac(k1, &[checksum]);
    let mut cipher = Rc4::new_from_slice(&*k3).map_err(|_| CryptoError::Integrity)?;
    cipher
        .try_apply_keystream(bytes)
        .map_err(|_| CryptoError::Integrity)
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 16]> {
    let mut mac = mac(key);
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

fn mac(key: &[u8]) -> Hmac<Md5> {
    #[expect(clippy::expect_used, reason = "HMAC takes keys of every length")]
    <Hmac<Md5> as KeyInit>::new_from_slice(key).expect("any length")
}
