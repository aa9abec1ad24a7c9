//! Writing a cache, reading its header, opening it.

use aes_gcm::Nonce;
use aes_gcm::aead::{Aead, Payload};
use types::{Entropy, Secret, Timestamp};
use zeroize::Zeroizing;

use super::{CredentialTag, Header, Malformed, Record, Salt, key};
use crate::device::Device;
use crate::policy::OfflinePolicy;

const MAGIC: &[u8; 16] = b"TOMBOLO-OFFLINE\0";
const VERSION: u8 = 1;
const HEADER_BYTES_MAX: usize = 64 * 1024;
const NONCE_LENGTH: usize = 12;
const DEPTH_MAX: usize = 8;

/// Clocks of machines differ by so much without anybody having set them.
const CLOCK_TOLERANCE_S: i64 = 300;

/// What is known of a sign-in when its cache is written.
#[derive(Debug)]
pub struct NewCache<'a> {
    /// SHA-256 of the relying party's id.
    pub rp_id_hash: [u8; 32],
    /// The credential that signed in.
    pub credential_id: &'a [u8],
    /// Its public key as a COSE key.
    pub public_key: &'a [u8],
    /// How the user is called at the prompt.
    pub display_name: &'a str,
    /// The salt that gave the output.
    pub salt: Salt,
    /// What to keep. An NT hash that the policy does not let be kept is left out.
    pub record: &'a Record,
}

/// A cache to be put on the disk, whole, in place of the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedCache {
    /// The file's content.
    pub bytes: Vec<u8>,
    /// Whose it is, for [`Device::wrote`].
    pub credential: CredentialTag,
    /// Which write it is, for [`Device::wrote`].
    pub number: u64,
}

impl NewCache<'_> {
    /// Seals the record under an output of hmac-secret that was given with user verification.
    pub fn seal(
        &self,
        output: &Secret<[u8; 32]>,
        device: &Device,
        policy: &OfflinePolicy,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<SealedCache, Unsealable> {
        let credential = CredentialTag::of(self.credential_id);
        let mut write_salt = [0; 32];
        entropy.fill(&mut write_salt);
        let header = Header {
            device: device.id(),
            rp_id_hash: self.rp_id_hash,
            credential_id: self.credential_id.to_vec(),
            public_key: self.public_key.to_vec(),
            salt: self.salt,
            display_name: self.display_name.to_owned(),
            written_at: now,
            usable_until: self.record.last_online.plus_seconds(policy.usable_for_s),
            number: device.next_number(&credential),
            write_salt,
        };
        let mut bytes = front(&header).ok_or(Unsealable)?;
        let mut nonce = [0; NONCE_LENGTH];
        entropy.fill(&mut nonce);
        let plain = match self.record.nt_hash {
            Some(_) if !policy.nt_hash.is_cached() => self.record.without_nt_hash(),
            _ => self.record.to_cbor(),
        };
        let sealed = key::cipher(output, device, &header)
            .encrypt(
                &Nonce::from(nonce),
                Payload {
                    msg: &plain,
                    aad: &bytes,
                },
            )
            .map_err(|_| Unsealable)?;
        bytes.extend(nonce);
        bytes.extend(sealed);
        Ok(SealedCache {
            bytes,
            credential,
            number: header.number,
        })
    }
}

/// The record is longer than any cipher takes, or a name in it longer than a header may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the sign-in is too large to be kept for offline use")]
pub struct Unsealable;

fn front(header: &Header) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    ciborium::into_writer(header, &mut text).ok()?;
    let length = u32::try_from(text.len()).ok()?;
    if text.len() > HEADER_BYTES_MAX {
        return None;
    }
    let mut bytes = MAGIC.to_vec();
    bytes.push(VERSION);
    bytes.extend(length.to_be_bytes());
    bytes.extend(text);
    Some(bytes)
}

/// A cache as it was read: its header is known, its record still locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfflineCache {
    header: Header,
    front: Vec<u8>,
    nonce: [u8; NONCE_LENGTH],
    sealed: Vec<u8>,
}

/// What opened, and what to tell the user about it.
#[derive(Debug)]
pub struct Unlocked {
    /// The content.
    pub record: Record,
    /// From then on it would not have opened.
    pub usable_until: Timestamp,
    /// What the user should know.
    pub notices: Vec<Notice>,
}

/// Something that is no reason to refuse, and should be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// The clock shows less than this device has already seen; the later time counts.
    ClockWentBack {
        /// By so many seconds.
        by_s: i64,
    },
}

/// Why a cache does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another device wrote it.
    #[error("this offline cache belongs to another device; sign in online")]
    OtherDevice,
    /// Another key, no user verification, another device secret, or a changed file: they cannot be told apart.
    #[error(
        "this key does not open the offline cache; use the key that signed in here, or sign in online"
    )]
    DoesNotOpen,
    /// A newer cache was written since.
    #[error(
        "this offline cache is an old copy (write {found}, the newest is {newest}); sign in online"
    )]
    OldCopy {
        /// The number of the file.
        found: u64,
        /// The number that the device remembers.
        newest: u64,
    },
    /// Too long since the last contact with the cloud.
    #[error("offline sign-in ended {ago_s} s ago; sign in online")]
    Ended {
        /// Seconds since the end.
        ago_s: i64,
    },
}

impl OfflineCache {
    /// Reads the parts of a file.
    pub fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(Malformed::NotACache)?;
        let damaged = |rest: &[u8]| Malformed::Damaged {
            at: bytes.len().saturating_sub(rest.len()),
        };
        let (version, rest) = rest.split_first().ok_or_else(|| damaged(rest))?;
        if *version != VERSION {
            return Err(Malformed::Version(*version));
        }
        let (length, after) = rest.split_first_chunk().ok_or_else(|| damaged(rest))?;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length > HEADER_BYTES_MAX {
            return Err(damaged(rest));
        }
        let (text, sealed) = after
            .split_at_checked(length)
            .ok_or_else(|| damaged(after))?;
        let mut unread = text;
        let header: Header = ciborium::de::from_reader_with_recursion_limit(&mut unread, DEPTH_MAX)
            .map_err(|_| damaged(after))?;
        if !unread.is_empty() {
            return Err(damaged(sealed));
        }
        let front = bytes
            .get(..bytes.len().saturating_sub(sealed.len()))
            .unwrap_or_default();
        let (nonce, sealed) = sealed.split_first_chunk().ok_or_else(|| damaged(sealed))?;
        Ok(Self {
            header,
            front: front.to_vec(),
            nonce: *nonce,
            sealed: sealed.to_vec(),
        })
    }

    /// What it says in clear; believed only after [`OfflineCache::unlock`].
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Opens it with the output that the key gave for the header's salt, with user verification.
    pub fn unlock(
        &self,
        output: &Secret<[u8; 32]>,
        device: &Device,
        now: Timestamp,
    ) -> Result<Unlocked, Refused> {
        let header = &self.header;
        if header.device != device.id() {
            return Err(Refused::OtherDevice);
        }
        let payload = Payload {
            msg: &self.sealed,
            aad: &self.front,
        };
        let plain = key::cipher(output, device, header)
            .decrypt(&Nonce::from(self.nonce), payload)
            .map_err(|_| Refused::DoesNotOpen)?;
        let record = Record::from_cbor(&Zeroizing::new(plain)).ok_or(Refused::DoesNotOpen)?;
        let newest = device.newest(&header.credential());
        if header.number < newest {
            return Err(Refused::OldCopy {
                found: header.number,
                newest,
            });
        }
        let seen = record.last_seen.max(header.written_at);
        let latest = now.max(seen);
        if latest >= header.usable_until {
            return Err(Refused::Ended {
                ago_s: latest.seconds_since(header.usable_until),
            });
        }
        let by_s = seen.seconds_since(now);
        let notices = (by_s > CLOCK_TOLERANCE_S).then_some(Notice::ClockWentBack { by_s });
        Ok(Unlocked {
            record,
            usable_until: header.usable_until,
            notices: notices.into_iter().collect(),
        })
    }
}
