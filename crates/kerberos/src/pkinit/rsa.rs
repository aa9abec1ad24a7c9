//! RSA with public keys only: PKCS #1 v1.5 signatures verified, short secrets encrypted (RFC 8017 7.2.1, 8.2.2).
//!
//! A signature is compared whole with the encoding that it should have, so there is no padding to be lenient about.

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use subtle::ConstantTimeEq;
use types::Entropy;

use super::PkinitError;
use super::cms::Digest;
use crate::der::{self, Reader};

/// The public half of an RSA key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RsaPublicKey {
    modulus: Vec<u8>,
    exponent: Vec<u8>,
    spki: Vec<u8>,
}

impl RsaPublicKey {
    /// Reads SubjectPublicKeyInfo. Keys under 2048 bits are refused, and keys so large that they only cost time.
    pub fn from_spki(spki: &[u8]) -> Result<Self, PkinitError> {
        let mut outer = Reader::new("SubjectPublicKeyInfo", spki);
        let mut info = outer.enter(der::SEQUENCE)?;
        outer.end()?;
        let mut algorithm = info.enter(der::SEQUENCE)?;
        if algorithm.expect(der::OID)?.content != RSA_ENCRYPTION {
            return Err(PkinitError::NotAccepted("a public key that is not RSA"));
        }
        let bits = info.expect(der::BIT_STRING)?.content;
        let [0, key @ ..] = bits else {
            return Err(info.invalid("the key is not made of whole bytes").into());
        };
        let mut key = Reader::new("RSAPublicKey", key).enter(der::SEQUENCE)?;
        let negative = key.invalid("a negative number");
        let modulus = der::unsigned_content(key.expect(der::INTEGER)?.content).ok_or(negative)?;
        let exponent = der::unsigned_content(key.expect(der::INTEGER)?.content).ok_or(negative)?;
        Self::new(modulus, exponent)
    }

    /// A key of big-endian numbers.
    pub fn new(modulus: &[u8], exponent: &[u8]) -> Result<Self, PkinitError> {
        let trimmed = |bytes: &[u8]| -> Vec<u8> {
            bytes
                .iter()
                .copied()
                .skip_while(|byte| *byte == 0)
                .collect()
        };
        let (modulus, exponent) = (trimmed(modulus), trimmed(exponent));
        let bits = u32::try_from(modulus.len() * 8).unwrap_or(u32::MAX)
            - modulus.first().map_or(0, |first| first.leading_zeros());
        if !(2048..=8192).contains(&bits) {
            return Err(PkinitError::KeySize(bits));
        }
        let is_odd = |bytes: &[u8]| bytes.last().is_some_and(|last| last & 1 == 1);
        if !is_odd(&modulus) || !is_odd(&exponent) || exponent.len() > 8 || exponent == [1] {
            return Err(PkinitError::NotAccepted(
                "an RSA key with an even number or an odd exponent",
            ));
        }
        let key = der::tlv(
            der::SEQUENCE,
            &[&der::unsigned(&modulus), &der::unsigned(&exponent)],
        );
        let spki = der::tlv(
            der::SEQUENCE,
            &[
                &der::algorithm(RSA_ENCRYPTION),
                &der::tlv(der::BIT_STRING, &[&[0], &key]),
            ],
        );
        Ok(Self {
            modulus,
            exponent,
            spki,
        })
    }

    /// SubjectPublicKeyInfo in its one canonical form, to be compared byte for byte.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The modulus, big-endian.
    pub fn modulus(&self) -> &[u8] {
        &self.modulus
    }

    /// The public exponent, big-endian.
    pub fn exponent(&self) -> &[u8] {
        &self.exponent
    }

    /// Whether the signature is that of a message with this hash.
    pub fn verify(&self, digest: Digest, hash: &[u8], signature: &[u8]) -> Result<(), PkinitError> {
        let info = der::tlv(
            der::SEQUENCE,
            &[
                &der::algorithm(digest.oid()),
                &der::tlv(der::OCTET_STRING, &[hash]),
            ],
        );
        let padding = self.modulus.len().saturating_sub(info.len() + 3);
        if signature.len() != self.modulus.len() || padding < 8 {
            return Err(PkinitError::Signature);
        }
        let expected = [&[0, 1], vec![0xFF; padding].as_slice(), &[0], &info].concat();
        let found = self.power(signature).ok_or(PkinitError::Signature)?;
        if bool::from(found.ct_eq(&expected)) {
            Ok(())
        } else {
            Err(PkinitError::Signature)
        }
    }

    /// RSAES-PKCS1-v1_5 of a short secret.
    pub fn encrypt(
        &self,
        secret: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, PkinitError> {
        let padding = self.modulus.len().saturating_sub(secret.len() + 3);
        if padding < 8 {
            return Err(PkinitError::NotAccepted("a secret longer than the key"));
        }
        let mut filler = vec![0; padding];
        for byte in &mut filler {
            while *byte == 0 {
                entropy.fill(std::slice::from_mut(byte));
            }
        }
        let block = zeroize::Zeroizing::new([&[0, 2], filler.as_slice(), &[0], secret].concat());
        self.power(&block)
            .ok_or(PkinitError::NotAccepted("a secret longer than the key"))
    }

    /// `base ^ exponent mod modulus`, as long as the modulus; `None` unless `base` is smaller than the modulus.
    fn power(&self, base: &[u8]) -> Option<Vec<u8>> {
        let bits = u32::try_from(self.modulus.len() * 8).ok()?;
        let base = BoxedUint::from_be_slice(base, bits).ok()?;
        let modulus = BoxedUint::from_be_slice(&self.modulus, bits).ok()?;
        if base >= modulus {
            return None;
        }
        let modulus: Option<Odd<BoxedUint>> = Odd::new(modulus).into();
        let params = BoxedMontyParams::new_vartime(modulus?);
        let base = BoxedMontyForm::new(base, &params);
        // The exponent is public and short: bit by bit is 17 squarings for the usual 65537.
        let bits = self
            .exponent
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
        let power = bits
            .skip_while(|bit| *bit == 0)
            .skip(1)
            .fold(base.clone(), |power, bit| {
                let square = power.square();
                if bit == 1 { square.mul(&base) } else { square }
            });
        fit(&power.retrieve().to_be_bytes(), self.modulus.len())
    }
}

/// The last `length` bytes; `None` if anything before them is not zero.
pub(super) fn fit(bytes: &[u8], length: usize) -> Option<Vec<u8>> {
    let (extra, kept) = bytes.split_at_checked(bytes.len().checked_sub(length)?)?;
    extra.iter().all(|byte| *byte == 0).then(|| kept.to_vec())
}

/// 1.2.840.113549.1.1.1
pub(super) const RSA_ENCRYPTION: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01];
