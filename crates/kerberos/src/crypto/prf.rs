//! Pseudo-random functions (RFC 3961, 8009, 4757), PRF+ and KRB-FX-CF2 (RFC 6113 5.1).

use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use super::cipher::Aes;
use super::{CryptoError, EncryptionType, Key, aes_sha1, aes_sha2};

/// The pseudo-random function of the key's type; 16, 20, 32 or 48 bytes.
pub fn prf(key: &Key, input: &[u8]) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let (etype, value) = (key.etype(), key.value().expose());
    match etype {
        EncryptionType::AES128_CTS_HMAC_SHA1_96 | EncryptionType::AES256_CTS_HMAC_SHA1_96 => {
            let cipher = Aes::new(&aes_sha1::derive(value, b"prf"))
                .ok_or(CryptoError::UnsupportedEncryptionType(etype))?;
            let digest: [u8; 20] = Sha1::digest(input).into();
            let [block @ .., _, _, _, _] = digest;
            let mut block: [u8; 16] = block;
            cipher.encrypt_block(&mut block);
            Ok(Zeroizing::new(block.to_vec()))
        }
        EncryptionType::AES128_CTS_HMAC_SHA256_128 => {
            Ok(aes_sha2::derive(etype, value, b"prf", input, 32))
        }
        EncryptionType::AES256_CTS_HMAC_SHA384_192 => {
            Ok(aes_sha2::derive(etype, value, b"prf", input, 48))
        }
        _ => {
            let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(value)
                .map_err(|_| CryptoError::UnsupportedEncryptionType(etype))?;
            mac.update(input);
            Ok(Zeroizing::new(mac.finalize().into_bytes().to_vec()))
        }
    }
}

/// PRF+: `bytes` bytes out of the key and the pepper. At most 255 rounds, which no key needs.
pub fn prf_plus(key: &Key, pepper: &[u8], bytes: usize) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
    let mut stream = Zeroizing::new(Vec::with_capacity(bytes + 48));
    for round in 1..=u8::MAX {
        if stream.len() >= bytes {
            break;
        }
        stream.extend_from_slice(&prf(key, &[&[round], pepper].concat())?);
    }
    stream.truncate(bytes);
    Ok(stream)
}

/// KRB-FX-CF2: a key of the first key's type that nobody makes without both.
pub fn combine(
    first: &Key,
    pepper1: &[u8],
    second: &Key,
    pepper2: &[u8],
) -> Result<Key, CryptoError> {
    let bytes = first.value().expose().len();
    let mut mixed = prf_plus(first, pepper1, bytes)?;
    let other = prf_plus(second, pepper2, bytes)?;
    for (a, b) in mixed.iter_mut().zip(other.iter()) {
        *a ^= b;
    }
    Key::of_any_type(first.etype(), &mixed)
}
