//! What a cache keeps, once it is open.

use std::fmt;

use serde::{Deserialize, Serialize};
use types::{Secret, Sid, Timestamp};
use zeroize::{Zeroize, Zeroizing};

use crate::bytes;

/// Who signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// `objectSid` of the on-premises account.
    pub sid: Option<Sid>,
    /// The name in the cloud.
    pub user_principal_name: String,
    /// `sAMAccountName` of the on-premises account.
    pub account: Option<String>,
    /// The realm of the on-premises account.
    pub realm: Option<String>,
    /// Groups, as the cloud told them.
    pub groups: Vec<Sid>,
}

/// The primary refresh token and the key that proves its possession.
#[derive(Debug)]
pub struct PrimaryRefreshToken {
    /// The token, opaque.
    pub token: Secret<String>,
    /// The session key.
    pub session_key: Secret<[u8; 32]>,
    /// When the cloud stops to renew it.
    pub expires: Timestamp,
}

/// MD4 of a password that nobody types.
pub type NtHash = Secret<[u8; 16]>;

/// The secret content of a cache.
#[derive(Debug)]
pub struct Record {
    /// Who signed in.
    pub user: User,
    /// The primary refresh token.
    pub prt: Option<PrimaryRefreshToken>,
    /// The tickets, as a credential cache file of version 4.
    pub tickets: Secret<Vec<u8>>,
    /// The NT hash, where the policy lets it be kept.
    pub nt_hash: Option<NtHash>,
    /// The last contact with the cloud.
    pub last_online: Timestamp,
    /// The latest time that this device has seen; a clock that shows less was set back.
    pub last_seen: Timestamp,
}

const DEPTH_MAX: usize = 8;

impl Record {
    pub(crate) fn to_cbor(&self) -> Zeroizing<Vec<u8>> {
        self.stored(self.nt_hash.as_ref())
    }

    /// For a policy that does not let the hash be kept.
    pub(super) fn without_nt_hash(&self) -> Zeroizing<Vec<u8>> {
        self.stored(None)
    }

    fn stored(&self, nt_hash: Option<&NtHash>) -> Zeroizing<Vec<u8>> {
        let stored = Stored {
            user: self.user.clone(),
            prt: self.prt.as_ref().map(|prt| StoredToken {
                token: prt.token.expose().clone(),
                session_key: *prt.session_key.expose(),
                expires: prt.expires,
            }),
            tickets: self.tickets.expose().clone(),
            nt_hash: nt_hash.map(|hash| StoredHash(*hash.expose())),
            last_online: self.last_online,
            last_seen: self.last_seen,
        };
        // Room for everything, so that no copy is left behind by a vector that grows.
        let room = stored.tickets.len() + 64 * self.user.groups.len() + 16 * 1024;
        let mut plain = Zeroizing::new(Vec::with_capacity(room));
        // INVARIANT: writing to a `Vec` cannot fail.
        let written = ciborium::into_writer(&stored, &mut *plain);
        debug_assert!(written.is_ok());
        plain
    }

    pub(crate) fn from_cbor(plain: &[u8]) -> Option<Self> {
        let mut stored: Stored =
            ciborium::de::from_reader_with_recursion_limit(plain, DEPTH_MAX).ok()?;
        Some(Self {
            user: stored.user.clone(),
            prt: stored.prt.as_mut().map(|prt| PrimaryRefreshToken {
                token: Secret::new(std::mem::take(&mut prt.token)),
                session_key: Secret::filled_by(|key| *key = prt.session_key),
                expires: prt.expires,
            }),
            tickets: Secret::new(std::mem::take(&mut stored.tickets)),
            nt_hash: stored
                .nt_hash
                .as_ref()
                .map(|hash| Secret::filled_by(|octets| *octets = hash.0)),
            last_online: stored.last_online,
            last_seen: stored.last_seen,
        })
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    user: User,
    prt: Option<StoredToken>,
    #[serde(with = "bytes")]
    tickets: Vec<u8>,
    nt_hash: Option<StoredHash>,
    last_online: Timestamp,
    last_seen: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct StoredToken {
    token: String,
    #[serde(with = "bytes")]
    session_key: [u8; 32],
    expires: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct StoredHash(#[serde(with = "bytes")] [u8; 16]);

impl Drop for Stored {
    fn drop(&mut self) {
        self.tickets.zeroize();
        if let Some(StoredHash(hash)) = &mut self.nt_hash {
            hash.zeroize();
        }
        if let Some(prt) = &mut self.prt {
            prt.token.zeroize();
            prt.session_key.zeroize();
        }
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.user_principal_name)
    }
}
