//! From passwords to keys: RFC 3962 4, RFC 8009 4, and the NT hash of RC4-HMAC.

use md4::{Digest, Md4};
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Sha256, Sha384};
use types::Secret;
use zeroize::Zeroizing;

use super::{CryptoError, EncryptionType, Key, aes_sha1, aes_sha2};

/// The largest iteration count that is computed: about four times what MIT calls extreme.
pub(crate) const ITERATIONS_MAX: u32 = 1 << 24;

/// The key of a password. Without `iterations` the standard number of the type is used.
///
/// The salt is the realm and the parts of the name, for computers in the form of MS-KILE 3.1.1.2.
pub fn string_to_key(
    etype: EncryptionType,
    password: &[u8],
    salt: &[u8],
    iterations: Option<u32>,
) -> Result<Key, CryptoError> {
    let length = etype
        .key_bytes()
        .ok_or(CryptoError::UnsupportedEncryptionType(etype))?;
    if let Some(count) = iterations.filter(|count| !(1..=ITERATIONS_MAX).contains(count)) {
        return Err(CryptoError::Iterations(count));
    }
    let mut seed = Zeroizing::new(vec![0; length]);
    match etype {
        EncryptionType::AES128_CTS_HMAC_SHA1_96 | EncryptionType::AES256_CTS_HMAC_SHA1_96 => {
            pbkdf2_hmac::<Sha1>(password, salt, iterations.unwrap_or(4096), &mut seed);
            Key::new(etype, &aes_sha1::derive(&seed, b"kerberos"))
        }
        EncryptionType::AES128_CTS_HMAC_SHA256_128 => {
            let salt = [b"aes128-cts-hmac-sha256-128\0", salt].concat();
            pbkdf2_hmac::<Sha256>(password, &salt, iterations.unwrap_or(32768), &mut seed);
            let key = aes_sha2::derive(etype, &seed, b"kerberos", &[], length);
            Key::new(etype, &key)
        }
        EncryptionType::AES256_CTS_HMAC_SHA384_192 => {
            let salt = [b"aes256-cts-hmac-sha384-192\0", salt].concat();
            pbkdf2_hmac::<Sha384>(password, &salt, iterations.unwrap_or(32768), &mut seed);
            let key = aes_sha2::derive(etype, &seed, b"kerberos", &[], length);
            Key::new(etype, &key)
        }
        other => Err(CryptoError::UnsupportedEncryptionType(other)),
    }
}

/// MD4 over UTF-16LE: the NT hash, which is also the RC4-HMAC key.
pub fn nt_hash(password: &[u8]) -> Result<Secret<[u8; 16]>, CryptoError> {
    let text = std::str::from_utf8(password).map_err(|_| CryptoError::PasswordEncoding)?;
    let wide: Zeroizing<Vec<u8>> =
        Zeroizing::new(text.encode_utf16().flat_map(u16::to_le_bytes).collect());
    Ok(Secret::filled_by(|hash: &mut [u8; 16]| {
        *hash = Md4::digest(&*wide).into();
    }))
}
