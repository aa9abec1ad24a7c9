//! Public keys as numbers, whatever format they came in.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// An RSA public key, numbers big-endian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RsaPublicKey<'a> {
    /// Without leading zeros, so that the same key is the same bytes whoever wrote it.
    pub modulus: Cow<'a, [u8]>,
    /// Without leading zeros.
    pub exponent: Cow<'a, [u8]>,
}

/// A point on a curve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcPublicKey<'a> {
    /// The curve.
    pub curve: EcCurve,
    /// Big-endian, as long as the curve's field.
    pub x: Cow<'a, [u8]>,
    /// Big-endian, as long as the curve's field.
    pub y: Cow<'a, [u8]>,
}

/// The NIST curves, which are all that Windows, TPMs and FIDO keys use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are the curves' names")]
pub enum EcCurve {
    P256,
    P384,
    P521,
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PublicKey<'a> {
    /// RSA.
    Rsa(RsaPublicKey<'a>),
    /// A point on a NIST curve.
    Ec(EcPublicKey<'a>),
    /// Ed25519 (RFC 8032).
    Ed25519(Cow<'a, [u8]>),
}

impl EcCurve {
    /// Bytes of a coordinate.
    pub fn coordinate_bytes(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }

    /// The curve's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }
}

impl<'a> RsaPublicKey<'a> {
    /// From big-endian numbers with or without leading zeros.
    pub fn new(modulus: &'a [u8], exponent: &'a [u8]) -> Self {
        Self {
            modulus: Cow::Borrowed(trim(modulus)),
            exponent: Cow::Borrowed(trim(exponent)),
        }
    }

    pub(crate) fn owned(modulus: &[u8], exponent: &[u8]) -> RsaPublicKey<'static> {
        RsaPublicKey {
            modulus: Cow::Owned(trim(modulus).to_vec()),
            exponent: Cow::Owned(trim(exponent).to_vec()),
        }
    }

    /// The key as Windows Hello writes it into a blob: BCRYPT_RSAKEY_BLOB with the magic `RSA1`. `None` where a number
    /// does not fit the header's words.
    pub fn to_bcrypt_blob(&self) -> Option<Vec<u8>> {
        let word = |length: usize| u32::try_from(length).ok().map(u32::to_le_bytes);
        let mut blob = b"RSA1".to_vec();
        blob.extend(word(self.bits())?);
        blob.extend(word(self.exponent.len())?);
        blob.extend(word(self.modulus.len())?);
        blob.extend([0; 8]);
        blob.extend_from_slice(&self.exponent);
        blob.extend_from_slice(&self.modulus);
        Some(blob)
    }

    /// Size of the modulus in bits.
    pub fn bits(&self) -> usize {
        let top = self.modulus.first().map_or(0, |byte| byte.leading_zeros());
        (self.modulus.len().saturating_mul(8))
            .saturating_sub(usize::try_from(top).unwrap_or_default())
    }

    /// The exponent as a number, where it fits 64 bits.
    pub fn exponent_number(&self) -> Option<u64> {
        if self.exponent.len() > 8 {
            return None;
        }
        Some(
            self.exponent
                .iter()
                .fold(0, |number, byte| number << 8 | u64::from(*byte)),
        )
    }

    /// The modulus modulo a small number.
    pub fn modulus_mod(&self, small: u32) -> u32 {
        let small = u64::from(small.max(1));
        let rest = self
            .modulus
            .iter()
            .fold(0_u64, |rest, byte| (rest << 8 | u64::from(*byte)) % small);
        // A remainder of a 32-bit number has 32 bits.
        u32::try_from(rest).unwrap_or_default()
    }
}

impl PublicKey<'_> {
    /// Algorithm and size for people: `RSA-2048`, `P-256`, `Ed25519`.
    pub fn describe(&self) -> String {
        match self {
            Self::Rsa(key) => format!("RSA-{}", key.bits()),
            Self::Ec(key) => key.curve.name().to_owned(),
            Self::Ed25519(_) => "Ed25519".to_owned(),
        }
    }

    /// The same for the same key in every format: SHA-256 over kind and numbers. A comparison aid of our own; no
    /// other program computes it.
    pub fn fingerprint(&self) -> [u8; 32] {
        let hash = Sha256::new();
        let hash = match self {
            Self::Rsa(key) => hash
                .chain_update(b"rsa\0")
                .chain_update(&key.exponent)
                .chain_update(b"\0")
                .chain_update(&key.modulus),
            Self::Ec(key) => hash
                .chain_update(key.curve.name())
                .chain_update(b"\0")
                .chain_update(&key.x)
                .chain_update(&key.y),
            Self::Ed25519(key) => hash.chain_update(b"ed25519\0").chain_update(key),
        };
        hash.finalize().into()
    }

    /// The same key, borrowing nothing.
    pub fn into_owned(self) -> PublicKey<'static> {
        fn own(bytes: Cow<'_, [u8]>) -> Cow<'static, [u8]> {
            Cow::Owned(bytes.into_owned())
        }
        match self {
            Self::Rsa(key) => PublicKey::Rsa(RsaPublicKey {
                modulus: own(key.modulus),
                exponent: own(key.exponent),
            }),
            Self::Ec(key) => PublicKey::Ec(EcPublicKey {
                curve: key.curve,
                x: own(key.x),
                y: own(key.y),
            }),
            Self::Ed25519(key) => PublicKey::Ed25519(own(key)),
        }
    }
}

/// A big-endian number without leading zeros.
fn trim(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        let key = RsaPublicKey::new(&[0, 0x7F, 0xFF], &[1, 0, 1]);
        assert_eq!(key.bits(), 15);
        assert_eq!(key.exponent_number(), Some(65537));
        assert_eq!(key.modulus_mod(10), 0x7FFF % 10);
        assert_eq!(key.modulus_mod(0), 0);
        assert_eq!(RsaPublicKey::new(&[], &[]).bits(), 0);
        assert_eq!(RsaPublicKey::new(&[], &[1; 9]).exponent_number(), None);
    }

    #[test]
    fn a_bcrypt_blob_reads_back() {
        let modulus = [0xC1; 256];
        let key = RsaPublicKey::new(&modulus, &[1, 0, 1]);
        let blob = key.to_bcrypt_blob().unwrap();
        assert_eq!(blob.len(), 24 + 3 + 256);
        let read = crate::KeyMaterial::decode(&blob).unwrap();
        assert_eq!(read, crate::KeyMaterial::BcryptRsa(key));
    }

    #[test]
    fn a_leading_zero_does_not_change_the_fingerprint() {
        let one = PublicKey::Rsa(RsaPublicKey::new(&[0, 0x80, 1], &[1, 0, 1]));
        let two = PublicKey::Rsa(RsaPublicKey::new(&[0x80, 1], &[0, 1, 0, 1]));
        assert_eq!(one.fingerprint(), two.fingerprint());
    }
}
