//! What a device keeps for itself: its half of every cache key, its salt, and how far each cache has come.
//!
//! The whole of it is sealed by [`Seal`]; without it no cache of this device opens, and an older copy of a cache is told
//! from the newest.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use types::{Entropy, Guid, Secret, Timestamp};
use zeroize::{Zeroize, Zeroizing};

use crate::offline::{CredentialTag, Salt};
use crate::{Seal, SealError, bytes};

/// A device's own secrets.
#[derive(Debug)]
pub struct Device {
    id: Guid,
    secret: Secret<[u8; 32]>,
    salt: Salt,
    salt_since: Timestamp,
    /// The number of the newest cache of each credential.
    newest: BTreeMap<CredentialTag, u64>,
}

impl Device {
    /// A device that has just joined.
    pub fn new(id: Guid, now: Timestamp, entropy: &mut dyn Entropy) -> Self {
        Self {
            id,
            secret: Secret::filled_by(|secret: &mut [u8; 32]| entropy.fill(secret)),
            salt: Salt::random(entropy),
            salt_since: now,
            newest: BTreeMap::new(),
        }
    }

    /// The id that the cloud gave it.
    pub fn id(&self) -> Guid {
        self.id
    }

    /// The salt under which new caches are written.
    pub fn salt(&self) -> &Salt {
        &self.salt
    }

    /// Whether the salt has been in use for longer than `age_max_s`.
    pub fn is_salt_due(&self, age_max_s: i64, now: Timestamp) -> bool {
        now.seconds_since(self.salt_since) > age_max_s
    }

    /// Moves to a salt under which the caches have already been written. The caches of other credentials keep theirs
    /// until they are written next: each names its own.
    pub fn rotate_salt(&mut self, next: Salt, now: Timestamp) {
        self.salt = next;
        self.salt_since = now;
    }

    pub(crate) fn secret(&self) -> &Secret<[u8; 32]> {
        &self.secret
    }

    pub(crate) fn newest(&self, credential: &CredentialTag) -> u64 {
        self.newest.get(credential).copied().unwrap_or_default()
    }

    /// The number for the next cache of a credential.
    pub(crate) fn next_number(&self, credential: &CredentialTag) -> u64 {
        self.newest(credential).saturating_add(1)
    }

    /// Remembers that a cache is on the disk. Call it after the write, and seal the device anew: a device that is sealed
    /// first would refuse the old cache if the write then failed.
    pub fn wrote(&mut self, credential: CredentialTag, number: u64) {
        let newest = self.newest.entry(credential).or_default();
        *newest = number.max(*newest);
    }

    /// Outdates whatever was written for a credential, so that no copy of its cache opens again. Seal the device before the
    /// file goes.
    pub fn destroyed(&mut self, credential: CredentialTag) {
        let number = self.next_number(&credential);
        self.newest.insert(credential, number);
    }

    /// The device as sealed bytes.
    pub fn seal(&self, seal: &dyn Seal) -> Result<Vec<u8>, SealError> {
        seal.seal(&self.to_cbor()?)
    }

    /// Opens what [`Device::seal`] gave.
    pub fn unseal(sealed: &[u8], seal: &dyn Seal) -> Result<Self, SealError> {
        Self::from_cbor(&seal.unseal(sealed)?)
    }

    pub(crate) fn to_cbor(&self) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let stored = Stored {
            version: VERSION,
            id: self.id,
            secret: *self.secret.expose(),
            salt: self.salt,
            salt_since: self.salt_since,
            newest: self.newest.clone().into_iter().collect(),
        };
        // Room for everything, so that no copy is left behind by a vector that grows.
        let mut plain = Zeroizing::new(Vec::with_capacity(1024 + 64 * self.newest.len()));
        ciborium::into_writer(&stored, &mut *plain)
            .map_err(|error| SealError::Unavailable(error.to_string()))?;
        Ok(plain)
    }

    pub(crate) fn from_cbor(plain: &[u8]) -> Result<Self, SealError> {
        let stored: Stored = ciborium::de::from_reader_with_recursion_limit(plain, DEPTH_MAX)
            .map_err(|_| SealError::NotOurs)?;
        if stored.version != VERSION {
            return Err(SealError::NotOurs);
        }
        Ok(Self {
            id: stored.id,
            secret: Secret::filled_by(|secret| *secret = stored.secret),
            salt: stored.salt,
            salt_since: stored.salt_since,
            newest: stored.newest.iter().copied().collect(),
        })
    }
}

const VERSION: u8 = 1;
const DEPTH_MAX: usize = 8;

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u8,
    id: Guid,
    #[serde(with = "bytes")]
    secret: [u8; 32],
    salt: Salt,
    salt_since: Timestamp,
    newest: Vec<(CredentialTag, u64)>,
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}
