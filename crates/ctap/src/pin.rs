//! PIN/UV auth protocols one and two (CTAP 2.1, sections 6.5.6 and 6.5.7), and the PIN itself.
//!
//! Deliberately absent: Unicode normalisation. CTAP wants PINs in form NFC; whoever reads the keyboard
//! hands them in that way.

use aes::Aes256;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use ciborium::Value;
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use p256::{PublicKey, SecretKey};
use sha2::{Digest, Sha256};
use types::{Entropy, Secret};
use zeroize::Zeroize;

use crate::cbor::{self, Fields};
use crate::error::{Error, Malformed};

/// The two ways of protecting a PIN and a salt between platform and key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinProtocol {
    /// SHA-256 of the shared point, zero IV, shortened proofs.
    One,
    /// HKDF into two keys, random IV, full proofs.
    Two,
}

impl PinProtocol {
    /// The number on the wire.
    pub fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// From the number on the wire; `None` for a protocol that this crate does not know.
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::One),
            2 => Some(Self::Two),
            _ => None,
        }
    }

    fn authenticate(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let mut tag = hmac_sha256(key, &[message]).to_vec();
        if self == Self::One {
            tag.truncate(16);
        }
        tag
    }
}

/// A point of P-256 as COSE carries it in key agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicPoint {
    /// The x coordinate.
    pub x: [u8; 32],
    /// The y coordinate.
    pub y: [u8; 32],
}

impl PublicPoint {
    pub(crate) fn to_cose(self) -> Value {
        // RFC 9053 7.1.1: kty EC2, alg ECDH-ES+HKDF-256 (CTAP says so, though no HKDF of COSE is run).
        cbor::map([
            (1, Some(Value::from(2))),
            (3, Some(Value::from(-25))),
            (-1, Some(Value::from(1))),
            (-2, Some(Value::from(self.x.to_vec()))),
            (-3, Some(Value::from(self.y.to_vec()))),
        ])
    }

    pub(crate) fn from_cose(value: Value) -> Result<Self, Malformed> {
        let mut fields = Fields::of(value, "the key agreement key")?;
        Ok(Self {
            x: fields.require(-2, "32 bytes", cbor::bytes_of)?,
            y: fields.require(-3, "32 bytes", cbor::bytes_of)?,
        })
    }

    fn to_public_key(self) -> Result<PublicKey, Malformed> {
        let sec1 = [&[4_u8][..], &self.x, &self.y].concat();
        PublicKey::from_sec1_bytes(&sec1).map_err(|_| Malformed::Form {
            what: "the key agreement key",
            wanted: "a point of P-256",
        })
    }

    fn of(key: &PublicKey) -> Option<Self> {
        let sec1 = key.as_affine();
        let sec1 = p256::elliptic_curve::sec1::ToSec1Point::to_sec1_point(sec1, false);
        let (x, y) = sec1.as_bytes().get(1..)?.split_at_checked(32)?;
        Some(Self {
            x: x.try_into().ok()?,
            y: y.try_into().ok()?,
        })
    }
}

/// What platform and key share after one key agreement.
#[derive(Debug)]
pub struct SharedSecret {
    protocol: PinProtocol,
    platform_key: PublicPoint,
    hmac_key: Secret<[u8; 32]>,
    aes_key: Secret<[u8; 32]>,
}

impl SharedSecret {
    /// Makes an ephemeral key and agrees with the key's own.
    pub fn agree(
        protocol: PinProtocol,
        peer: PublicPoint,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, Error> {
        let peer = peer.to_public_key()?;
        let ephemeral = ephemeral_key(entropy)?;
        let platform_key = PublicPoint::of(&ephemeral.public_key()).ok_or(Error::Entropy)?;
        let shared = ephemeral.diffie_hellman(&peer);
        let x = shared.raw_secret_bytes();
        let (hmac_key, aes_key) = match protocol {
            PinProtocol::One => (sha256_secret(x), sha256_secret(x)),
            PinProtocol::Two => (expand(x, b"CTAP2 HMAC key"), expand(x, b"CTAP2 AES key")),
        };
        Ok(Self {
            protocol,
            platform_key,
            hmac_key,
            aes_key,
        })
    }

    /// The protocol that was agreed on.
    pub fn protocol(&self) -> PinProtocol {
        self.protocol
    }

    /// The platform's half of the agreement, which the key needs to follow it.
    pub fn platform_key(&self) -> PublicPoint {
        self.platform_key
    }

    /// Encrypts whole blocks of 16 bytes.
    pub fn encrypt(&self, plain: &[u8], entropy: &mut dyn Entropy) -> Result<Vec<u8>, Error> {
        let mut iv = [0; 16];
        if self.protocol == PinProtocol::Two {
            entropy.fill(&mut iv);
        }
        let mut buffer = plain.to_vec();
        let length = buffer.len();
        cbc::Encryptor::<Aes256>::new(self.aes_key.expose().into(), &iv.into())
            .encrypt_padded::<NoPadding>(&mut buffer, length)
            .map_err(|_| Error::Caller("only whole blocks of 16 bytes can be encrypted"))?;
        Ok(match self.protocol {
            PinProtocol::One => buffer,
            PinProtocol::Two => [&iv[..], &buffer].concat(),
        })
    }

    /// Decrypts what the key encrypted.
    pub fn decrypt(&self, sealed: &[u8]) -> Result<Secret<Vec<u8>>, Malformed> {
        const WRONG: Malformed = Malformed::Form {
            what: "an encrypted value",
            wanted: "whole blocks of 16 bytes",
        };
        let (iv, blocks) = match self.protocol {
            PinProtocol::One => ([0; 16], sealed),
            PinProtocol::Two => {
                let (iv, blocks) = sealed.split_first_chunk::<16>().ok_or(WRONG)?;
                (*iv, blocks)
            }
        };
        let mut buffer = blocks.to_vec();
        let outcome = cbc::Decryptor::<Aes256>::new(self.aes_key.expose().into(), &iv.into())
            .decrypt_padded::<NoPadding>(&mut buffer)
            .map(<[u8]>::len);
        let plain = Secret::new(buffer);
        outcome.map_err(|_| WRONG)?;
        Ok(plain)
    }

    /// Proves knowledge of the shared secret over `message`.
    pub fn authenticate(&self, message: &[u8]) -> Vec<u8> {
        self.protocol.authenticate(self.hmac_key.expose(), message)
    }
}

/// The key's leave to act for some time, got by showing the PIN.
#[derive(Debug)]
pub struct PinToken {
    protocol: PinProtocol,
    token: Secret<Vec<u8>>,
}

/// Proof of a PIN token over one message, with the protocol it was made under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinProof {
    /// The protocol.
    pub protocol: PinProtocol,
    /// The tag.
    pub tag: Vec<u8>,
}

impl PinToken {
    pub(crate) fn unseal(shared: &SharedSecret, sealed: &[u8]) -> Result<Self, Malformed> {
        let token = shared.decrypt(sealed)?;
        match (shared.protocol, token.expose().len()) {
            (PinProtocol::One, 16 | 32) | (PinProtocol::Two, 32) => Ok(Self {
                protocol: shared.protocol,
                token,
            }),
            _ => Err(Malformed::Form {
                what: "the PIN token",
                wanted: "of 16 or 32 bytes",
            }),
        }
    }

    /// Proves the token over `message`.
    pub fn prove(&self, message: &[u8]) -> PinProof {
        let tag = self.protocol.authenticate(self.token.expose(), message);
        PinProof {
            protocol: self.protocol,
            tag,
        }
    }
}

/// A PIN as CTAP can carry it.
pub struct Pin(Secret<String>);

/// Why a PIN cannot be used; the text does not say what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPin {
    /// CTAP 2.1, section 6.5.5.5 asks for four characters.
    #[error("a PIN has at least 4 characters")]
    TooShort,
    /// There is room for 63 bytes of UTF-8.
    #[error("a PIN has at most 63 bytes in UTF-8")]
    TooLong,
    /// A zero byte ends the PIN inside its padding.
    #[error("a PIN holds no zero byte")]
    ZeroByte,
}

const PADDED_LENGTH: usize = 64;

impl Pin {
    /// Checks the form of a PIN.
    pub fn new(pin: String) -> Result<Self, InvalidPin> {
        let pin = Secret::new(pin);
        let text = pin.expose();
        if text.len() >= PADDED_LENGTH {
            Err(InvalidPin::TooLong)
        } else if text.contains('\0') {
            Err(InvalidPin::ZeroByte)
        } else if text.chars().count() < 4 {
            Err(InvalidPin::TooShort)
        } else {
            Ok(Self(pin))
        }
    }

    /// `LEFT(SHA-256(pin), 16)`.
    pub(crate) fn hash(&self) -> Secret<[u8; 16]> {
        let mut digest: [u8; 32] = Sha256::digest(self.0.expose().as_bytes()).into();
        let hash = Secret::filled_by(|hash: &mut [u8; 16]| {
            for (to, from) in hash.iter_mut().zip(digest) {
                *to = from;
            }
        });
        digest.zeroize();
        hash
    }

    /// Padded with zeros, so that its length stays hidden.
    pub(crate) fn padded(&self) -> Secret<Vec<u8>> {
        let mut padded = Vec::with_capacity(PADDED_LENGTH);
        padded.extend_from_slice(self.0.expose().as_bytes());
        padded.resize(PADDED_LENGTH, 0);
        Secret::new(padded)
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin(..)")
    }
}

/// A random number is a P-256 key unless it is zero or at least the group order: once in 2^32.
fn ephemeral_key(entropy: &mut dyn Entropy) -> Result<SecretKey, Error> {
    for _ in 0..16 {
        let candidate = Secret::filled_by(|bytes: &mut [u8; 32]| entropy.fill(bytes));
        if let Ok(key) = SecretKey::from_slice(candidate.expose()) {
            return Ok(key);
        }
    }
    Err(Error::Entropy)
}

fn sha256_secret(bytes: &[u8]) -> Secret<[u8; 32]> {
    Secret::filled_by(|out| *out = Sha256::digest(bytes).into())
}

fn expand(ikm: &[u8], info: &[u8]) -> Secret<[u8; 32]> {
    Secret::filled_by(|out: &mut [u8; 32]| {
        // INVARIANT: HKDF-SHA-256 gives up to 8160 bytes, so 32 never fail.
        Hkdf::<Sha256>::new(Some(&[0; 32]), ikm)
            .expand(info, out)
            .unwrap_or_default();
    })
}

pub(crate) fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // INVARIANT: HMAC takes keys of every length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use types::SeededEntropy;

    use super::*;

    fn shared(protocol: PinProtocol, seed: u64) -> SharedSecret {
        let peer = ephemeral_key(&mut SeededEntropy::new(99))
            .unwrap()
            .public_key();
        let peer = PublicPoint::of(&peer).unwrap();
        SharedSecret::agree(protocol, peer, &mut SeededEntropy::new(seed)).unwrap()
    }

    #[test]
    fn sizes_are_those_of_the_specification() {
        let check = |protocol, plain: usize, sealed: usize, tag: usize| {
            let shared = shared(protocol, 1);
            let bytes = shared
                .encrypt(&vec![0; plain], &mut SeededEntropy::new(2))
                .unwrap();
            assert_eq!(
                (bytes.len(), shared.authenticate(&bytes).len()),
                (sealed, tag)
            );
        };
        check(PinProtocol::One, 32, 32, 16);
        check(PinProtocol::One, 64, 64, 16);
        check(PinProtocol::Two, 32, 48, 32);
        check(PinProtocol::Two, 64, 80, 32);
    }

    #[test]
    fn pins_are_checked() {
        let check = |pin: &str, expect| assert_eq!(Pin::new(pin.to_owned()).err(), expect, "{pin}");
        check("1234", None);
        check("äöüß", None);
        check("äöü", Some(InvalidPin::TooShort));
        check(&"x".repeat(63), None);
        check(&"x".repeat(64), Some(InvalidPin::TooLong));
        check("12\u{0}34", Some(InvalidPin::ZeroByte));
        assert_eq!(format!("{:?}", Pin::new("1234".to_owned())), "Ok(Pin(..))");
    }

    #[test]
    fn points_off_the_curve_are_refused() {
        for (x, y) in [
            ([0; 32], [0; 32]),
            ([1; 32], [2; 32]),
            ([0xFF; 32], [0xFF; 32]),
        ] {
            let point = PublicPoint { x, y };
            let entropy = &mut SeededEntropy::new(1);
            assert!(SharedSecret::agree(PinProtocol::Two, point, entropy).is_err());
        }
    }

    #[test]
    fn a_broken_source_of_randomness_is_noticed() {
        struct Zeros;
        impl Entropy for Zeros {
            fn fill(&mut self, bytes: &mut [u8]) {
                bytes.fill(0);
            }
        }
        assert!(matches!(ephemeral_key(&mut Zeros), Err(Error::Entropy)));
    }

    proptest! {
        #[test]
        fn what_is_sealed_can_be_opened(blocks in 0_usize..6, seed: u64, two: bool) {
            let protocol = if two { PinProtocol::Two } else { PinProtocol::One };
            let mut plain = vec![0; 16 * blocks];
            SeededEntropy::new(seed).fill(&mut plain);
            let shared = shared(protocol, seed);
            let sealed = shared.encrypt(&plain, &mut SeededEntropy::new(seed)).unwrap();
            let opened = shared.decrypt(&sealed).unwrap();
            prop_assert_eq!(opened.expose(), &plain);
        }

        #[test]
        fn opening_never_panics(sealed in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = shared(PinProtocol::One, 1).decrypt(&sealed);
            let _ = PinToken::unseal(&shared(PinProtocol::Two, 1), &sealed);
        }
    }
}
