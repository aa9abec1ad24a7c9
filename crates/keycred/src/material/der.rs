//! DER keys: RSAPublicKey (RFC 8017 A.1.1) and SubjectPublicKeyInfo (RFC 5280 4.1.2.7).
//!
//! A reader of its own, for four tags: it borrows, and it reads keys whose numbers carry a superfluous zero, which a
//! strict one refuses.

use std::borrow::Cow;

use super::public_key::{EcCurve, EcPublicKey, PublicKey, RsaPublicKey};
use super::{KeyMaterial, MaterialError};

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_ID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;

/// 1.2.840.113549.1.1.1
const RSA_ENCRYPTION: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
/// 1.2.840.10045.2.1
const EC_PUBLIC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
/// 1.3.101.112
const ED25519: &[u8] = &[0x2B, 0x65, 0x70];
/// 1.2.840.10045.3.1.7
const P256: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
/// 1.3.132.0.34
const P384: &[u8] = &[0x2B, 0x81, 0x04, 0x00, 0x22];
/// 1.3.132.0.35
const P521: &[u8] = &[0x2B, 0x81, 0x04, 0x00, 0x23];

/// Reads either form; the tag inside the outer sequence tells which.
pub(super) fn decode(bytes: &[u8]) -> Result<KeyMaterial<'_>, MaterialError> {
    let broken = |what: &str| MaterialError::broken("DER", what);
    let (body, rest) = take(bytes, SEQUENCE).ok_or(broken("truncated outer sequence"))?;
    if !rest.is_empty() {
        return Err(broken("bytes after the key"));
    }
    match body.first() {
        Some(&INTEGER) => rsa_public_key(body)
            .map(KeyMaterial::Pkcs1)
            .ok_or(broken("not an RSAPublicKey")),
        Some(&SEQUENCE) => spki(body)
            .map(KeyMaterial::Spki)
            .ok_or(broken("not a SubjectPublicKeyInfo of a known algorithm")),
        _ => Err(broken("neither RSAPublicKey nor SubjectPublicKeyInfo")),
    }
}

fn rsa_public_key(body: &[u8]) -> Option<RsaPublicKey<'_>> {
    let (modulus, rest) = take(body, INTEGER)?;
    let (exponent, rest) = take(rest, INTEGER)?;
    let negative = |number: &[u8]| number.first().is_none_or(|byte| byte & 0x80 != 0);
    if !rest.is_empty() || negative(modulus) || negative(exponent) {
        return None;
    }
    Some(RsaPublicKey::new(modulus, exponent))
}

fn spki(body: &[u8]) -> Option<PublicKey<'_>> {
    let (algorithm, rest) = take(body, SEQUENCE)?;
    let (bits, rest) = take(rest, BIT_STRING)?;
    // The first byte counts unused bits, of which a key has none.
    let (0, key) = bits.split_first().map(|(unused, key)| (*unused, key))? else {
        return None;
    };
    let (algorithm, parameters) = take(algorithm, OBJECT_ID)?;
    if !rest.is_empty() {
        return None;
    }
    match algorithm {
        RSA_ENCRYPTION => {
            let (body, rest) = take(key, SEQUENCE)?;
            rest.is_empty()
                .then(|| rsa_public_key(body))
                .flatten()
                .map(PublicKey::Rsa)
        }
        EC_PUBLIC_KEY => {
            let curve = match take(parameters, OBJECT_ID)?.0 {
                P256 => EcCurve::P256,
                P384 => EcCurve::P384,
                P521 => EcCurve::P521,
                _ => return None,
            };
            point(curve, key).map(PublicKey::Ec)
        }
        ED25519 if key.len() == 32 => Some(PublicKey::Ed25519(Cow::Borrowed(key))),
        _ => None,
    }
}

/// An uncompressed point (SEC 1 2.3.3).
fn point(curve: EcCurve, key: &[u8]) -> Option<EcPublicKey<'_>> {
    let (4, point) = key.split_first().map(|(form, point)| (*form, point))? else {
        return None;
    };
    let (x, y) = point.split_at_checked(curve.coordinate_bytes())?;
    (x.len() == y.len()).then_some(EcPublicKey {
        curve,
        x: Cow::Borrowed(x),
        y: Cow::Borrowed(y),
    })
}

/// The content of one element with this tag, and what follows it.
fn take(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[found, short], rest) = bytes.split_first_chunk::<2>()?;
    if found != tag {
        return None;
    }
    let (length, rest) = match short {
        0..=0x7F => (usize::from(short), rest),
        0x81 => {
            let (&[a], rest) = rest.split_first_chunk::<1>()?;
            (usize::from(a), rest)
        }
        0x82 => {
            let (&[a, b], rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes([a, b])), rest)
        }
        // Indefinite, or longer than an entry can be.
        _ => return None,
    };
    rest.split_at_checked(length)
}
