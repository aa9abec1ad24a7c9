//! A key of one encryption type, with everything that was derived from it so far.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use types::{Entropy, Secret};
use zeroize::Zeroizing;

use super::usage_keys::UsageKeys;
use super::{ChecksumType, CryptoError, EncryptionType, KeyUsage};

/// The policy's consent to RC4-HMAC. Without one no RC4 key comes into being.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllowRc4(());

impl AllowRc4 {
    /// To be called where an account's or a realm's policy was read and says yes, and nowhere else.
    pub fn by_policy() -> Self {
        Self(())
    }
}

/// A long-term or session key.
///
/// Derived keys are kept with it, one set for each usage, so a KDC that keeps its keys derives once. The key is
/// shared by reference; making a new [`Key`] of the same bytes starts with an empty cache.
pub struct Key {
    etype: EncryptionType,
    value: Secret<Vec<u8>>,
    // A key sees a handful of usages in its life, so a row is searched faster than a map.
    derived: RwLock<Vec<(KeyUsage, Arc<UsageKeys>)>>,
}

impl Key {
    /// A key of types 17 to 20.
    pub fn new(etype: EncryptionType, value: &[u8]) -> Result<Self, CryptoError> {
        if etype == EncryptionType::RC4_HMAC {
            return Err(CryptoError::UnsupportedEncryptionType(etype));
        }
        Self::of_any_type(etype, value)
    }

    /// A key of types 17 to 20, or of type 23.
    pub fn with_rc4(
        etype: EncryptionType,
        value: &[u8],
        _consent: AllowRc4,
    ) -> Result<Self, CryptoError> {
        Self::of_any_type(etype, value)
    }

    /// A fresh key of types 17 to 20.
    pub fn generate(etype: EncryptionType, entropy: &mut dyn Entropy) -> Result<Self, CryptoError> {
        let length = etype
            .key_bytes()
            .ok_or(CryptoError::UnsupportedEncryptionType(etype))?;
        let mut value = Zeroizing::new(vec![0; length]);
        entropy.fill(&mut value);
        Self::new(etype, &value)
    }

    pub(crate) fn of_any_type(etype: EncryptionType, value: &[u8]) -> Result<Self, CryptoError> {
        let need = etype
            .key_bytes()
            .ok_or(CryptoError::UnsupportedEncryptionType(etype))?;
        if value.len() != need {
            return Err(CryptoError::KeyLength {
                etype,
                need,
                have: value.len(),
            });
        }
        Ok(Self {
            etype,
            value: Secret::new(value.to_vec()),
            derived: RwLock::default(),
        })
    }

    /// The encryption type.
    pub fn etype(&self) -> EncryptionType {
        self.etype
    }

    /// The bytes.
    pub fn value(&self) -> &Secret<Vec<u8>> {
        &self.value
    }

    /// The same key with nothing derived yet.
    pub fn duplicate(&self) -> Self {
        Self {
            etype: self.etype,
            value: Secret::new(self.value.expose().clone()),
            derived: RwLock::default(),
        }
    }

    /// Encrypts with a fresh confounder and a checksum.
    pub fn encrypt(
        &self,
        usage: KeyUsage,
        plain: &[u8],
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, CryptoError> {
        self.for_usage(usage)
            .encrypt(self.value.expose(), plain, entropy)
    }

    /// Decrypts, and refuses what was made with another key or for another usage.
    pub fn decrypt(
        &self,
        usage: KeyUsage,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.for_usage(usage).decrypt(self.value.expose(), sealed)
    }

    /// The checksum type that this key makes.
    pub fn checksum_type(&self) -> ChecksumType {
        match self.etype {
            EncryptionType::AES128_CTS_HMAC_SHA1_96 => ChecksumType::HMAC_SHA1_96_AES128,
            EncryptionType::AES256_CTS_HMAC_SHA1_96 => ChecksumType::HMAC_SHA1_96_AES256,
            EncryptionType::AES128_CTS_HMAC_SHA256_128 => ChecksumType::HMAC_SHA256_128_AES128,
            EncryptionType::AES256_CTS_HMAC_SHA384_192 => ChecksumType::HMAC_SHA384_192_AES256,
            _ => ChecksumType::HMAC_MD5,
        }
    }

    /// A keyed checksum over the parts, one after the other.
    pub fn checksum(&self, usage: KeyUsage, parts: &[&[u8]]) -> Result<Vec<u8>, CryptoError> {
        self.for_usage(usage).checksum(self.value.expose(), parts)
    }

    /// Compares in constant time. A type other than the key's own is refused, so unkeyed checksums never pass.
    pub fn verify_checksum(
        &self,
        usage: KeyUsage,
        have: ChecksumType,
        parts: &[&[u8]],
        checksum: &[u8],
    ) -> Result<(), CryptoError> {
        let need = self.checksum_type();
        if have != need {
            return Err(CryptoError::ChecksumType { need, have });
        }
        self.for_usage(usage)
            .verify(self.value.expose(), parts, checksum)
    }

    fn for_usage(&self, usage: KeyUsage) -> Arc<UsageKeys> {
        // A panic elsewhere cannot leave the row half written, so a poisoned lock is as good as any.
        let row = self.derived.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, keys)) = row.iter().find(|(known, _)| *known == usage) {
            return Arc::clone(keys);
        }
        drop(row);
        let keys = Arc::new(UsageKeys::new(self.etype, usage));
        let mut row = self.derived.write().unwrap_or_else(PoisonError::into_inner);
        if row.len() < USAGES_KEPT_MAX {
            row.push((usage, Arc::clone(&keys)));
        }
        keys
    }
}

/// More usages than a protocol has for one key; beyond it nothing is kept.
const USAGES_KEPT_MAX: usize = 32;

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.etype == other.etype && self.value == other.value
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, ..)", self.etype)
    }
}
