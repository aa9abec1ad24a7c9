//! Many RSA keys in little time: each of two primes that other keys have as well. To whoever verifies or encrypts they are as
//! any other, and they are worth nothing.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa;
use crypto_bigint::{BoxedUint, ConcatenatingMul as _, Odd};

use crate::Failure;
use crate::der::{element, written};

const PRIME_BYTES: usize = 128;
const EXPONENT: u64 = 65_537;

/// Primes of half the length of a key.
pub(crate) struct Primes(Vec<Vec<u8>>);

impl Primes {
    /// Enough for so many keys.
    pub(crate) fn for_keys(keys: usize) -> Result<Self, Failure> {
        let mut primes = Vec::new();
        while primes.len() * primes.len().saturating_sub(1) / 2 < keys {
            let key = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(|_| "no RSA key")?;
            let pkcs8: Pkcs8V1Der<'_> = key.as_der().map_err(|_| "no RSA key")?;
            primes.extend(primes_of(pkcs8.as_ref()).ok_or("an RSA key without primes")?);
        }
        Ok(Self(primes))
    }

    /// The key of this number, as PKCS #8; no other number has its modulus.
    pub(crate) fn key(&self, number: usize) -> Option<Vec<u8>> {
        let (mut smaller, mut larger) = (number, 1);
        while smaller >= larger {
            smaller -= larger;
            larger += 1;
        }
        let (one, other) = (self.0.get(smaller)?, self.0.get(larger)?);
        key_of(one.max(other), one.min(other))
    }
}

/// RFC 8017 A.1.2 inside RFC 5208 5.
fn primes_of(pkcs8: &[u8]) -> Option<[Vec<u8>; 2]> {
    let (_, info, _) = element(pkcs8)?;
    let (_, _, info) = element(info)?;
    let (_, _, info) = element(info)?;
    let (_, octets, _) = element(info)?;
    let (_, mut numbers, _) = element(octets)?;
    for _ in 0..4 {
        (_, _, numbers) = element(numbers)?;
    }
    let (_, p, numbers) = element(numbers)?;
    let (_, q, _) = element(numbers)?;
    let padded = |number: &[u8]| {
        number
            .get(number.len().checked_sub(PRIME_BYTES)?..)
            .map(<[u8]>::to_vec)
    };
    Some([padded(p)?, padded(q)?])
}

fn key_of(p: &[u8], q: &[u8]) -> Option<Vec<u8>> {
    let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, bits(bytes)).ok();
    let (p_less, q_less) = (less_one(p), less_one(q));
    let modulus = number(p)?.concatenating_mul(&number(q)?).to_be_bytes();
    let phi = number(&p_less)?
        .concatenating_mul(&number(&q_less)?)
        .to_be_bytes();
    let odd: Odd<BoxedUint> = Option::from(Odd::new(number(p)?))?;
    let coefficient: BoxedUint = Option::from(number(q)?.invert_odd_mod(&odd))?;
    let numbers = [
        &[0][..],
        &modulus,
        &[1, 0, 1],
        &inverse(&phi)?,
        p,
        q,
        &inverse(&p_less)?,
        &inverse(&q_less)?,
        &coefficient.to_be_bytes(),
    ];
    let numbers: Vec<u8> = numbers.into_iter().flat_map(integer).collect();
    let algorithm = written(0x30, &[RSA_ENCRYPTION, &[0x05, 0x00]].concat());
    let key = written(0x04, &written(0x30, &numbers));
    Some(written(
        0x30,
        &[&[0x02, 0x01, 0x00], &*algorithm, &key].concat(),
    ))
}

fn bits(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len() * 8).unwrap_or(u32::MAX)
}

/// An odd number less one.
fn less_one(odd: &[u8]) -> Vec<u8> {
    let mut even = odd.to_vec();
    if let Some(last) = even.last_mut() {
        *last &= 0xFE;
    }
    even
}

/// The inverse of the public exponent: `(1 + k * modulus) / exponent` for the `k` that leaves no rest.
fn inverse(modulus: &[u8]) -> Option<Vec<u8>> {
    let rest = modulus
        .iter()
        .fold(0, |rest, byte| (rest * 256 + u64::from(*byte)) % EXPONENT);
    let k = (1..EXPONENT).find(|k| (1 + k * rest) % EXPONENT == 0)?;
    // From the right: the product, with the one as first carry.
    let mut product = Vec::with_capacity(modulus.len() + 8);
    let mut carry = 1;
    for byte in modulus.iter().rev() {
        carry += u64::from(*byte) * k;
        product.push(low(carry));
        carry >>= 8;
    }
    while carry > 0 {
        product.push(low(carry));
        carry >>= 8;
    }
    // From the left: the quotient.
    let mut rest = 0;
    let quotient = product.iter().rev().map(|byte| {
        rest = rest * 256 + u64::from(*byte);
        let digit = rest / EXPONENT;
        rest %= EXPONENT;
        low(digit)
    });
    Some(quotient.collect())
}

fn low(number: u64) -> u8 {
    let [.., low] = number.to_be_bytes();
    low
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    let significant: Vec<u8> = bytes
        .iter()
        .copied()
        .skip_while(|byte| *byte == 0)
        .collect();
    let sign: &[u8] = match significant.first() {
        Some(0..=0x7F) => &[],
        _ => &[0],
    };
    written(0x02, &[sign, &significant].concat())
}

/// 1.2.840.113549.1.1.1
const RSA_ENCRYPTION: &[u8] = &[
    0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_shared_primes_are_keys_and_differ() {
        let primes = Primes::for_keys(6).unwrap();
        let moduli: std::collections::HashSet<Vec<u8>> = (0..6)
            .map(|number| {
                let key = rsa::KeyPair::from_pkcs8(&primes.key(number).unwrap()).unwrap();
                assert_eq!(key.public_modulus_len(), 256);
                let spki: aws_lc_rs::encoding::PublicKeyX509Der<'_> =
                    aws_lc_rs::signature::KeyPair::public_key(&key)
                        .as_der()
                        .unwrap();
                spki.as_ref().to_vec()
            })
            .collect();
        assert_eq!(moduli.len(), 6);
        assert!(primes.key(6).is_none(), "four primes make six keys");
    }
}
