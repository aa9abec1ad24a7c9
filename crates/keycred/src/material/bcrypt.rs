//! BCRYPT_RSAKEY_BLOB and BCRYPT_ECCKEY_BLOB (Windows SDK, bcrypt.h): little-endian header, big-endian numbers.
//!
//! A modulus of 257 bytes with a leading zero occurs on phone sign-in keys. It stays in the bytes that KeyID covers;
//! the numbers are given without it.

use std::borrow::Cow;

use super::MaterialError;
use super::public_key::{EcCurve, EcPublicKey, RsaPublicKey};

/// RSA keys of 16384 bits are the largest that Windows makes.
const NUMBER_BYTES_MAX: usize = 2049;

/// Magic "RSA1", bits, length of exponent, length of modulus, two lengths that are zero in a public key.
pub(super) fn rsa(bytes: &[u8]) -> Result<RsaPublicKey<'_>, MaterialError> {
    let broken = |what: &str| MaterialError::broken("BCRYPT RSA", what);
    let ([_, bits, exponent, modulus, prime1, prime2], rest) =
        words(bytes).ok_or(broken("shorter than its header"))?;
    if (prime1, prime2) != (0, 0) {
        return Err(broken("it names primes, so it is not a public key"));
    }
    if exponent > NUMBER_BYTES_MAX || modulus > NUMBER_BYTES_MAX {
        return Err(broken("numbers longer than 16384 bits"));
    }
    let (exponent, rest) = rest
        .split_at_checked(exponent)
        .ok_or(broken("truncated exponent"))?;
    let (modulus, rest) = rest
        .split_at_checked(modulus)
        .ok_or(broken("truncated modulus"))?;
    if !rest.is_empty() {
        return Err(broken("bytes after the modulus"));
    }
    let key = RsaPublicKey::new(modulus, exponent);
    if key.bits() > bits {
        return Err(broken("modulus longer than the header says"));
    }
    Ok(key)
}

/// Magic "ECS1" (ECDSA P-256), "ECK1" (ECDH P-256) and the like, length of a coordinate, X, Y.
pub(super) fn ecc(bytes: &[u8]) -> Result<EcPublicKey<'_>, MaterialError> {
    let broken = |what: &str| MaterialError::broken("BCRYPT ECC", what);
    let ([_, length], rest) = words(bytes).ok_or(broken("shorter than its header"))?;
    let curve = match bytes.get(3) {
        Some(b'1') => EcCurve::P256,
        Some(b'3') => EcCurve::P384,
        Some(b'5') => EcCurve::P521,
        _ => return Err(broken("unknown curve")),
    };
    if length != curve.coordinate_bytes() {
        return Err(broken("coordinates do not have the curve's length"));
    }
    match rest.split_at_checked(length) {
        Some((x, y)) if y.len() == length => Ok(EcPublicKey {
            curve,
            x: Cow::Borrowed(x),
            y: Cow::Borrowed(y),
        }),
        _ => Err(broken("not two coordinates")),
    }
}

/// The first `N` little-endian words and what follows them.
pub(super) fn words<const N: usize>(bytes: &[u8]) -> Option<([usize; N], &[u8])> {
    let mut rest = bytes;
    let mut words = [0; N];
    for word in &mut words {
        let (head, tail) = rest.split_first_chunk::<4>()?;
        *word = usize::try_from(u32::from_le_bytes(*head)).ok()?;
        rest = tail;
    }
    Some((words, rest))
}
