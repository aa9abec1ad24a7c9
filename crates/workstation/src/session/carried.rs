//! A session on its way from the program that was touched to the one that keeps it fresh: bytes between two processes of the
//! same user on the same machine, never on a disk.

use kerberos::client::Credentials;
use kerberos::files::CredentialCache;
use serde::{Deserialize, Serialize};
use types::{Secret, Timestamp};
use zeroize::{Zeroize, Zeroizing};

use super::{Session, Standing};
use crate::bytes;
use crate::offline::{PrimaryRefreshToken, Record, Salt, TouchedKey};
use crate::policy::OfflinePolicy;
use crate::tickets::PartialTicket;

/// The bytes are no session of this version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are no session of this version of the program")]
pub struct NotCarried;

const VERSION: u8 = 1;
const DEPTH_MAX: usize = 16;

impl Session {
    /// As bytes for [`Session::of_bytes`]. The NT hash goes along whatever the policy says of files: this is none.
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let record = Record {
            user: self.user.clone(),
            prt: self.prt.as_ref().map(PrimaryRefreshToken::again),
            tickets: Secret::new(encode(self.tickets.as_ref())),
            nt_hash: self
                .nt_hash
                .as_ref()
                .map(|hash| Secret::new(*hash.expose())),
            last_online: self.last_online,
            last_seen: self.last_seen,
        };
        let partial = self.partial.as_ref().and_then(|partial| {
            let held = partial.credentials();
            let mut cache = CredentialCache::new(held.client.clone());
            cache.put(held.to_credential().ok()?);
            Some(cache)
        });
        let carried = Carried {
            version: VERSION,
            record: record.to_cbor().to_vec(),
            partial: encode(partial.as_ref()),
            no_partial: self.no_partial.clone(),
            key: self.key.as_ref().map(|key| CarriedKey {
                rp_id_hash: key.rp_id_hash,
                credential_id: key.credential_id.clone(),
                public_key: key.public_key.clone(),
                display_name: key.display_name.clone(),
                salt: key.salt,
                output: *key.output.expose(),
            }),
            policy: self.policy,
            refreshed_at: self.refreshed_at,
            usable_until: self.usable_until,
        };
        // Room for everything, so that no copy is left behind by a vector that grows.
        let room = carried.record.len() + carried.partial.len() + 16 * 1024;
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        // INVARIANT: writing to a `Vec` cannot fail.
        let written = ciborium::into_writer(&carried, &mut *bytes);
        debug_assert!(written.is_ok());
        bytes
    }

    /// From the bytes of [`Session::to_bytes`].
    pub fn of_bytes(bytes: &[u8]) -> Result<Self, NotCarried> {
        let mut carried: Carried = ciborium::de::from_reader_with_recursion_limit(bytes, DEPTH_MAX)
            .map_err(|_| NotCarried)?;
        if carried.version != VERSION {
            return Err(NotCarried);
        }
        let record = Record::from_cbor(&carried.record).ok_or(NotCarried)?;
        let partial = CredentialCache::decode(&carried.partial).ok();
        let partial = partial.and_then(|cache| {
            let held = Credentials::of_credential(cache.credentials.first()?).ok()?;
            Some(PartialTicket::held(held))
        });
        let mut session = Self::empty(record.user, carried.policy, record.last_online);
        session.standing = Standing::Good;
        session.prt = record.prt;
        session.tickets = CredentialCache::decode(record.tickets.expose()).ok();
        session.nt_hash = record.nt_hash;
        session.partial = partial;
        session.no_partial = carried.no_partial.take();
        session.key = carried.key.take().map(|mut key| TouchedKey {
            rp_id_hash: key.rp_id_hash,
            credential_id: std::mem::take(&mut key.credential_id),
            public_key: std::mem::take(&mut key.public_key),
            display_name: std::mem::take(&mut key.display_name),
            salt: key.salt,
            output: Secret::filled_by(|output: &mut [u8; 32]| *output = key.output),
        });
        session.refreshed_at = carried.refreshed_at;
        session.usable_until = carried.usable_until;
        session.last_seen = record.last_seen;
        Ok(session)
    }
}

fn encode(cache: Option<&CredentialCache>) -> Vec<u8> {
    cache
        .and_then(|cache| cache.encode().ok())
        .unwrap_or_default()
}

#[derive(Serialize, Deserialize)]
struct Carried {
    version: u8,
    #[serde(with = "bytes")]
    record: Vec<u8>,
    #[serde(with = "bytes")]
    partial: Vec<u8>,
    no_partial: Option<String>,
    key: Option<CarriedKey>,
    policy: OfflinePolicy,
    refreshed_at: Timestamp,
    usable_until: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct CarriedKey {
    #[serde(with = "bytes")]
    rp_id_hash: [u8; 32],
    #[serde(with = "bytes")]
    credential_id: Vec<u8>,
    #[serde(with = "bytes")]
    public_key: Vec<u8>,
    display_name: String,
    salt: Salt,
    #[serde(with = "bytes")]
    output: [u8; 32],
}

impl Drop for Carried {
    fn drop(&mut self) {
        self.record.zeroize();
        self.partial.zeroize();
    }
}

impl Drop for CarriedKey {
    fn drop(&mut self) {
        self.output.zeroize();
    }
}
