//! Key agreement, RFC 4556 3.2.3.1 and RFC 5349: MODP groups 2, 14 and 16, P-256 and P-384.
//!
//! A client's group is recognised by its prime and generator. What it says about `q` is not looked at: real clients
//! send the right one, none, or zero.

use std::sync::OnceLock;

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use types::{Entropy, Secret};
use zeroize::Zeroizing;

use super::fixed_base::FixedBase;
use super::rsa::fit;
use super::{PkinitError, Policy, primes};
use crate::der::{self, Reader};

/// A group that keys can be agreed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say all")]
pub enum Group {
    /// 1024 bits: only where the policy says so.
    Modp2,
    Modp14,
    Modp16,
    P256,
    P384,
}

/// The other side's public value, checked to be one of its group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicValue {
    group: Group,
    bytes: Vec<u8>,
}

/// An ephemeral key pair.
#[derive(Debug)]
pub struct KeyPair {
    group: Group,
    secret: Secret<Vec<u8>>,
    public: Vec<u8>,
}

impl PublicValue {
    /// Reads a client's SubjectPublicKeyInfo.
    pub fn from_spki(spki: &[u8], policy: Policy) -> Result<Self, PkinitError> {
        let mut outer = Reader::new("clientPublicValue", spki);
        let mut info = outer.enter(der::SEQUENCE)?;
        outer.end()?;
        let mut algorithm = info.enter(der::SEQUENCE)?;
        let oid = algorithm.expect(der::OID)?.content;
        let group = if oid == DH_PUBLIC_NUMBER {
            modp_group(algorithm.enter(der::SEQUENCE)?)?
        } else if oid == EC_PUBLIC_KEY {
            match algorithm.expect(der::OID)?.content {
                PRIME256V1 => Group::P256,
                SECP384R1 => Group::P384,
                _ => {
                    return Err(PkinitError::NotAccepted(
                        "an elliptic curve other than P-256 and P-384",
                    ));
                }
            }
        } else {
            return Err(PkinitError::NotAccepted(
                "a public value that is neither DH nor ECDH",
            ));
        };
        if group == Group::Modp2 && !policy.allow_modp_2 {
            return Err(PkinitError::NotAccepted("the 1024-bit group 2"));
        }
        let [0, bits @ ..] = info.expect(der::BIT_STRING)?.content else {
            return Err(info.invalid("the value is not made of whole bytes").into());
        };
        Self::from_bits(group, bits)
    }

    /// Reads the content of KDCDHKeyInfo's subjectPublicKey.
    pub fn from_bits(group: Group, bits: &[u8]) -> Result<Self, PkinitError> {
        let bytes = match group.prime() {
            None => bits.to_vec(),
            Some(_) => {
                let mut reader = Reader::new("DHPublicKey", bits);
                let content = reader.expect(der::INTEGER)?.content;
                der::unsigned_content(content)
                    .ok_or(PkinitError::PublicValue)?
                    .to_vec()
            }
        };
        group.check(&bytes)?;
        Ok(Self { group, bytes })
    }

    /// Its group.
    pub fn group(&self) -> Group {
        self.group
    }
}

impl KeyPair {
    /// A fresh key pair.
    pub fn generate(group: Group, entropy: &mut dyn Entropy) -> Result<Self, PkinitError> {
        let mut secret = Zeroizing::new(vec![0; group.secret_bytes()]);
        // A random number is no scalar of a curve once in 2^32 times at most.
        for _ in 0..8 {
            entropy.fill(&mut secret);
            if let Some(public) = group.public(&secret) {
                return Ok(Self {
                    group,
                    secret: Secret::new(secret.to_vec()),
                    public,
                });
            }
        }
        Err(PkinitError::NotAccepted("randomness that gives no key"))
    }

    /// A key pair for a client's value, and the shared secret.
    ///
    /// Neither the public value nor the secret starts with a zero byte: clients in Python drop such bytes, and would
    /// fail once in 128 times.
    pub fn answer(
        peer: &PublicValue,
        entropy: &mut dyn Entropy,
    ) -> Result<(Self, Secret<Vec<u8>>), PkinitError> {
        loop {
            let pair = Self::generate(peer.group, entropy)?;
            let shared = pair.agree(peer)?;
            let starts_full = |bytes: &[u8]| bytes.first().is_some_and(|first| *first != 0);
            if starts_full(&pair.public) && starts_full(shared.expose()) {
                return Ok((pair, shared));
            }
        }
    }

    /// The shared secret, as long as the prime (RFC 4556 3.2.3.1).
    pub fn agree(&self, peer: &PublicValue) -> Result<Secret<Vec<u8>>, PkinitError> {
        if self.group != peer.group {
            return Err(PkinitError::PublicValue);
        }
        let secret = self.secret.expose();
        let shared = match self.group {
            Group::P256 => {
                let secret =
                    p256::SecretKey::from_slice(secret).map_err(|_| PkinitError::PrivateKey)?;
                let peer = p256::PublicKey::from_sec1_bytes(&peer.bytes)
                    .map_err(|_| PkinitError::PublicValue)?;
                p256::ecdh::diffie_hellman(secret.to_nonzero_scalar(), peer.as_affine())
                    .raw_secret_bytes()
                    .to_vec()
            }
            Group::P384 => {
                let secret =
                    p384::SecretKey::from_slice(secret).map_err(|_| PkinitError::PrivateKey)?;
                let peer = p384::PublicKey::from_sec1_bytes(&peer.bytes)
                    .map_err(|_| PkinitError::PublicValue)?;
                p384::ecdh::diffie_hellman(secret.to_nonzero_scalar(), peer.as_affine())
                    .raw_secret_bytes()
                    .to_vec()
            }
            group => group
                .power(&peer.bytes, secret)
                .ok_or(PkinitError::PublicValue)?,
        };
        Ok(Secret::new(shared))
    }

    /// The group.
    pub fn group(&self) -> Group {
        self.group
    }

    /// The content of subjectPublicKey in KDCDHKeyInfo: an INTEGER, or a point.
    pub fn public_bits(&self) -> Vec<u8> {
        match self.group.prime() {
            Some(_) => der::unsigned(&self.public),
            None => self.public.clone(),
        }
    }

    /// SubjectPublicKeyInfo, as a client sends it.
    pub fn spki(&self) -> Vec<u8> {
        der::tlv(
            der::SEQUENCE,
            &[
                &self.group.algorithm(),
                &der::tlv(der::BIT_STRING, &[&[0], &self.public_bits()]),
            ],
        )
    }
}

impl Group {
    /// AlgorithmIdentifier of a public value in this group, DER.
    pub fn algorithm(self) -> Vec<u8> {
        let algorithm = match (self.prime(), self) {
            (Some(prime), _) => {
                let domain = [
                    der::unsigned(prime),
                    der::unsigned(&[2]),
                    der::unsigned(&half(prime)),
                ]
                .concat();
                [
                    der::tlv(der::OID, &[DH_PUBLIC_NUMBER]),
                    der::tlv(der::SEQUENCE, &[&domain]),
                ]
                .concat()
            }
            (None, Group::P384) => [EC_PUBLIC_KEY, SECP384R1]
                .map(|oid| der::tlv(der::OID, &[oid]))
                .concat(),
            (None, _) => [EC_PUBLIC_KEY, PRIME256V1]
                .map(|oid| der::tlv(der::OID, &[oid]))
                .concat(),
        };
        der::tlv(der::SEQUENCE, &[&algorithm])
    }

    /// TD-DH-PARAMETERS (RFC 4556 3.1.3): the groups that a KDC takes, the best first.
    pub fn td_dh_parameters(accepted: &[Self]) -> Vec<u8> {
        let algorithms: Vec<Vec<u8>> = accepted.iter().map(|group| group.algorithm()).collect();
        der::tlv(der::SEQUENCE, &[&algorithms.concat()])
    }

    fn prime(self) -> Option<&'static [u8]> {
        match self {
            Self::Modp2 => Some(&primes::MODP_2),
            Self::Modp14 => Some(&primes::MODP_14),
            Self::Modp16 => Some(&primes::MODP_16),
            Self::P256 | Self::P384 => None,
        }
    }

    /// In the MODP groups 256 bits (group 16: 384) are twice the strength of the group, and far cheaper than an
    /// exponent as long as the prime.
    fn secret_bytes(self) -> usize {
        match self {
            Self::Modp2 | Self::Modp14 | Self::P256 => 32,
            Self::Modp16 | Self::P384 => 48,
        }
    }

    fn public(self, secret: &[u8]) -> Option<Vec<u8>> {
        use p256::elliptic_curve::sec1::ToSec1Point;
        match self {
            Self::P256 => {
                let secret = p256::SecretKey::from_slice(secret).ok()?;
                Some(secret.public_key().to_sec1_point(false).as_bytes().to_vec())
            }
            Self::P384 => {
                let secret = p384::SecretKey::from_slice(secret).ok()?;
                Some(secret.public_key().to_sec1_point(false).as_bytes().to_vec())
            }
            modp => {
                let power = modp.generator()?.power(secret)?.retrieve();
                fit(&power.to_be_bytes(), modp.prime()?.len())
            }
        }
    }

    /// 1 < y < p - 1; or a point of the curve that is not its zero.
    fn check(self, value: &[u8]) -> Result<(), PkinitError> {
        let is_good = match self {
            Self::P256 => p256::PublicKey::from_sec1_bytes(value).is_ok(),
            Self::P384 => p384::PublicKey::from_sec1_bytes(value).is_ok(),
            modp => modp.prime().is_some_and(|prime| {
                let value: Vec<u8> = value
                    .iter()
                    .copied()
                    .skip_while(|byte| *byte == 0)
                    .collect();
                let mut last = prime.to_vec();
                // The primes are odd, so one less changes the last bit alone.
                if let Some(byte) = last.last_mut() {
                    *byte &= 0xFE;
                }
                let is_small =
                    value.len() < last.len() || (value.len() == last.len() && value < last);
                is_small && !value.is_empty() && value != [1]
            }),
        };
        if is_good {
            Ok(())
        } else {
            Err(PkinitError::PublicValue)
        }
    }

    /// `base ^ exponent`, as long as the prime.
    fn power(self, base: &[u8], exponent: &[u8]) -> Option<Vec<u8>> {
        let prime = self.prime()?;
        let params = self.params()?;
        let bits = u32::try_from(prime.len() * 8).ok()?;
        let base: Vec<u8> = base.iter().copied().skip_while(|byte| *byte == 0).collect();
        let base = BoxedUint::from_be_slice(&base, bits).ok()?;
        let exponent = Zeroizing::new(BoxedUint::from_be_slice_vartime(exponent));
        let power = Zeroizing::new(BoxedMontyForm::new(base, params).pow(&exponent).retrieve());
        fit(&power.to_be_bytes(), prime.len())
    }

    /// The table of the generator's powers, made once for each group.
    fn generator(self) -> Option<&'static FixedBase> {
        static TABLES: [OnceLock<Option<FixedBase>>; 3] =
            [OnceLock::new(), OnceLock::new(), OnceLock::new()];
        let [second, fourteenth, sixteenth] = &TABLES;
        let cell = match self {
            Self::Modp2 => second,
            Self::Modp14 => fourteenth,
            Self::Modp16 => sixteenth,
            Self::P256 | Self::P384 => return None,
        };
        cell.get_or_init(|| {
            let bits = u32::try_from(self.prime()?.len() * 8).ok()?;
            let two = BoxedUint::from_be_slice(&[2], bits).ok()?;
            let params = self.params()?;
            let base = BoxedMontyForm::new(two, params);
            Some(FixedBase::new(base, params, self.secret_bytes()))
        })
        .as_ref()
    }

    /// Computed once for each group.
    fn params(self) -> Option<&'static BoxedMontyParams> {
        static PARAMS: [OnceLock<Option<BoxedMontyParams>>; 3] =
            [OnceLock::new(), OnceLock::new(), OnceLock::new()];
        let [second, fourteenth, sixteenth] = &PARAMS;
        let cell = match self {
            Self::Modp2 => second,
            Self::Modp14 => fourteenth,
            Self::Modp16 => sixteenth,
            Self::P256 | Self::P384 => return None,
        };
        cell.get_or_init(|| {
            let prime: Option<Odd<BoxedUint>> =
                Odd::new(BoxedUint::from_be_slice_vartime(self.prime()?)).into();
            prime.map(BoxedMontyParams::new_vartime)
        })
        .as_ref()
    }
}

/// DomainParameters (RFC 3279 2.3.3): p, g, and what follows.
fn modp_group(mut parameters: Reader<'_>) -> Result<Group, PkinitError> {
    let prime = der::unsigned_content(parameters.expect(der::INTEGER)?.content);
    let generator = parameters.expect(der::INTEGER)?.content;
    [Group::Modp2, Group::Modp14, Group::Modp16]
        .into_iter()
        .find(|group| group.prime() == prime && generator == [2])
        .ok_or(PkinitError::NotAccepted(
            "a DH group other than MODP 2, 14 and 16",
        ))
}

/// (p - 1) / 2
fn half(prime: &[u8]) -> Vec<u8> {
    let mut carry = 0;
    prime
        .iter()
        .map(|byte| {
            let shifted = (byte >> 1) | (carry << 7);
            carry = byte & 1;
            shifted
        })
        .collect()
}

/// 1.2.840.10046.2.1
const DH_PUBLIC_NUMBER: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3E, 0x02, 0x01];
/// 1.2.840.10045.2.1
const EC_PUBLIC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
/// 1.2.840.10045.3.1.7
const PRIME256V1: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07];
/// 1.3.132.0.34
const SECP384R1: &[u8] = &[0x2B, 0x81, 0x04, 0x00, 0x22];
