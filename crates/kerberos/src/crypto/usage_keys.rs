//! What a key becomes for one usage: Ke, Ki and Kc of RFC 3961 5.3 and RFC 8009 3, set up and ready to use.

use std::sync::OnceLock;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Sha256, Sha384};
use types::Entropy;
use zeroize::Zeroizing;

use super::cipher::{Aes, BLOCK_BYTES};
use super::{CryptoError, EncryptionType, KeyUsage, aes_sha1, aes_sha2, rc4_hmac};

/// Each half is derived when it is first asked for: many keys are only ever used for one of them.
pub(crate) struct UsageKeys {
    etype: EncryptionType,
    usage: KeyUsage,
    sealing: OnceLock<Sealing>,
    checking: OnceLock<Check>,
}

enum Sealing {
    // Round keys and the state of the MAC take most of a kilobyte.
    Aes(Box<(Aes, Check)>),
    Rc4 { k1: Zeroizing<[u8; 16]> },
}

#[derive(Clone)]
enum Check {
    Sha1(Hmac<Sha1>),
    Sha256(Hmac<Sha256>),
    Sha384(Hmac<Sha384>),
    HmacMd5(Zeroizing<Vec<u8>>, KeyUsage),
}

impl UsageKeys {
    pub(crate) fn new(etype: EncryptionType, usage: KeyUsage) -> Self {
        Self {
            etype,
            usage,
            sealing: OnceLock::new(),
            checking: OnceLock::new(),
        }
    }

    pub(crate) fn encrypt(
        &self,
        key: &[u8],
        plain: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, CryptoError> {
        match self.sealing(key)? {
            Sealing::Rc4 { k1 } => {
                let bytes = confounded::<{ rc4_hmac::CONFOUNDER_BYTES }>(plain, entropy);
                rc4_hmac::encrypt(k1, &bytes)
            }
            Sealing::Aes(keys) => {
                let (cipher, mac) = &**keys;
                let mut bytes = confounded::<BLOCK_BYTES>(plain, entropy);
                if self.is_sha1() {
                    let tag = mac.compute(&[&bytes]);
                    cipher.encrypt(&mut bytes)?;
                    bytes.extend_from_slice(&tag);
                } else {
                    cipher.encrypt(&mut bytes)?;
                    // RFC 8009 5: the MAC covers the initial vector and the ciphertext.
                    let tag = mac.compute(&[&[0; BLOCK_BYTES], &bytes]);
                    bytes.extend_from_slice(&tag);
                }
                Ok(std::mem::take(&mut *bytes))
            }
        }
    }

    pub(crate) fn decrypt(
        &self,
        key: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let (mut bytes, confounder) = match self.sealing(key)? {
            Sealing::Rc4 { k1 } => (rc4_hmac::decrypt(k1, sealed)?, rc4_hmac::CONFOUNDER_BYTES),
            Sealing::Aes(keys) => {
                let (cipher, mac) = &**keys;
                let tag_bytes = mac.tag_bytes();
                let (body, tag) = sealed
                    .len()
                    .checked_sub(tag_bytes)
                    .filter(|body| *body >= BLOCK_BYTES)
                    .and_then(|body| sealed.split_at_checked(body))
                    .ok_or(CryptoError::TooShort {
                        need: BLOCK_BYTES + tag_bytes,
                        have: sealed.len(),
                    })?;
                let mut bytes = Zeroizing::new(body.to_vec());
                if self.is_sha1() {
                    cipher.decrypt(&mut bytes)?;
                    mac.verify(&[&bytes], tag)?;
                } else {
                    mac.verify(&[&[0; BLOCK_BYTES], body], tag)?;
                    cipher.decrypt(&mut bytes)?;
                }
                (bytes, BLOCK_BYTES)
            }
        };
        let confounder = confounder.min(bytes.len());
        bytes.drain(..confounder);
        Ok(bytes)
    }

    pub(crate) fn checksum(&self, key: &[u8], parts: &[&[u8]]) -> Result<Vec<u8>, CryptoError> {
        Ok(self.checking(key)?.compute(parts))
    }

    pub(crate) fn verify(
        &self,
        key: &[u8],
        parts: &[&[u8]],
        tag: &[u8],
    ) -> Result<(), CryptoError> {
        self.checking(key)?.verify(parts, tag)
    }

    fn is_sha1(&self) -> bool {
        matches!(
            self.etype,
            EncryptionType::AES128_CTS_HMAC_SHA1_96 | EncryptionType::AES256_CTS_HMAC_SHA1_96
        )
    }

    fn sealing(&self, key: &[u8]) -> Result<&Sealing, CryptoError> {
        if self.sealing.get().is_none() {
            let made = if self.etype == EncryptionType::RC4_HMAC {
                let k1 = rc4_hmac::usage_key(key, self.usage);
                Sealing::Rc4 { k1 }
            } else {
                let cipher = Aes::new(&self.derive(key, 0xAA, key.len()))
                    .ok_or(CryptoError::UnsupportedEncryptionType(self.etype))?;
                let mac = self.mac(&self.derive(key, 0x55, self.mac_key_bytes(key)))?;
                Sealing::Aes(Box::new((cipher, mac)))
            };
            // When two threads meet here both made the same thing.
            let _ = self.sealing.set(made);
        }
        self.sealing
            .get()
            .ok_or(CryptoError::UnsupportedEncryptionType(self.etype))
    }

    fn checking(&self, key: &[u8]) -> Result<&Check, CryptoError> {
        if self.checking.get().is_none() {
            let made = if self.etype == EncryptionType::RC4_HMAC {
                Check::HmacMd5(Zeroizing::new(key.to_vec()), self.usage)
            } else {
                self.mac(&self.derive(key, 0x99, self.mac_key_bytes(key)))?
            };
            let _ = self.checking.set(made);
        }
        self.checking
            .get()
            .ok_or(CryptoError::UnsupportedEncryptionType(self.etype))
    }

    /// RFC 8009 5: Kc and Ki of type 20 have 192 bits.
    fn mac_key_bytes(&self, key: &[u8]) -> usize {
        match self.etype {
            EncryptionType::AES256_CTS_HMAC_SHA384_192 => 24,
            _ => key.len(),
        }
    }

    fn derive(&self, key: &[u8], purpose: u8, bytes: usize) -> Zeroizing<Vec<u8>> {
        let [a, b, c, d] = self.usage.0.to_be_bytes();
        let constant = [a, b, c, d, purpose];
        if self.is_sha1() {
            aes_sha1::derive(key, &constant)
        } else {
            aes_sha2::derive(self.etype, key, &constant, &[], bytes)
        }
    }

    fn mac(&self, key: &[u8]) -> Result<Check, CryptoError> {
        let unsupported = || CryptoError::UnsupportedEncryptionType(self.etype);
        if self.is_sha1() {
            let mac = <Hmac<Sha1> as KeyInit>::new_from_slice(key);
            mac.map(Check::Sha1).map_err(|_| unsupported())
        } else if self.etype == EncryptionType::AES256_CTS_HMAC_SHA384_192 {
            let mac = <Hmac<Sha384> as KeyInit>::new_from_slice(key);
            mac.map(Check::Sha384).map_err(|_| unsupported())
        } else {
            let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key);
            mac.map(Check::Sha256).map_err(|_| unsupported())
        }
    }
}

impl Check {
    fn tag_bytes(&self) -> usize {
        match self {
            Self::Sha1(_) => 12,
            Self::Sha256(_) | Self::HmacMd5(..) => 16,
            Self::Sha384(_) => 24,
        }
    }

    fn compute(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut tag = match self {
            Self::Sha1(mac) => finish(mac.clone(), parts),
            Self::Sha256(mac) => finish(mac.clone(), parts),
            Self::Sha384(mac) => finish(mac.clone(), parts),
            Self::HmacMd5(key, usage) => {
                rc4_hmac::hmac_md5_checksum(key, *usage, &parts.concat()).to_vec()
            }
        };
        tag.truncate(self.tag_bytes());
        tag
    }

    fn verify(&self, parts: &[&[u8]], tag: &[u8]) -> Result<(), CryptoError> {
        use subtle::ConstantTimeEq;
        if bool::from(self.compute(parts).ct_eq(tag)) {
            Ok(())
        } else {
            Err(CryptoError::Integrity)
        }
    }
}

fn finish<M: Mac>(mut mac: M, parts: &[&[u8]]) -> Vec<u8> {
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

fn confounded<const N: usize>(plain: &[u8], entropy: &mut dyn Entropy) -> Zeroizing<Vec<u8>> {
    // Room for the checksum too, so that no copy of the plaintext is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(N + plain.len() + 24));
    bytes.resize(N, 0);
    entropy.fill(&mut bytes);
    bytes.extend_from_slice(plain);
    bytes
}
