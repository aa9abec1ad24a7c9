//! The two ways in which a session begins, one touch each: at the cloud, or at what this device kept of the last time.

use std::io::{Read, Write};

use ctap::Pin;
use ctap::hmac_secret::Salts;
use types::{Entropy, Secret, Timestamp};

use super::Session;
use crate::cloud::Cloud;
use crate::joined::Joined;
use crate::offline::{Notice, OfflineCache, Refused, Salt, TouchedKey};
use crate::policy::OfflinePolicy;
use crate::sign_in::{self, SignInError, Touch};

/// A session that has begun at the cloud.
#[derive(Debug)]
pub struct Begun {
    /// The session. What is due at the domain is still to be done.
    pub session: Session,
    /// Whether the key has hmac-secret; without it nothing can be kept for a time without the cloud.
    pub can_be_kept: bool,
    /// The salt that the device moves to, once the cache is on the disk under it ([`crate::device::Device::rotate_salt`]).
    pub next_salt: Option<Salt>,
}

/// Signs in at the cloud. Where the device's salt is old, the same touch yields the secret for the next one.
pub fn sign_in<S: Read + Write>(
    joined: &Joined,
    cloud: &mut dyn Cloud,
    key: &mut ctap::Client<S>,
    pin: &Pin,
    policy: OfflinePolicy,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Result<Begun, SignInError> {
    let current = *joined.device.salt();
    let is_due = joined.device.is_salt_due(policy.salt_age_max_s, now);
    let next = is_due.then(|| Salt::random(entropy));
    let salts = Salts {
        first: *current.octets(),
        second: next.map(|salt| *salt.octets()),
    };
    let (signed, touch) = sign_in::sign_in(joined, cloud, key, pin, Some(salts))?;
    let key = touch.secrets.map(|secrets| {
        // A key that gives one output where two were asked for keeps the salt that is in use.
        let (salt, output) = match (next, secrets.second) {
            (Some(next), Some(second)) => (next, second),
            _ => (current, secrets.first),
        };
        TouchedKey {
            rp_id_hash: joined.rp_id_hash(),
            credential_id: touch.credential_id,
            public_key: signed.credential_public_key.clone().unwrap_or_default(),
            display_name: signed.who.name.clone(),
            salt,
            output,
        }
    });
    let used = key.as_ref().map(|key| key.salt);
    Ok(Begun {
        can_be_kept: key.is_some(),
        next_salt: next.filter(|next| used == Some(*next)),
        session: Session::signed_in(signed, key, policy, now),
    })
}

/// A session that has begun without the cloud.
#[derive(Debug)]
pub struct Opened {
    /// The session.
    pub session: Session,
    /// What its user should know.
    pub notices: Vec<Notice>,
}

/// Why this device does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotOpened {
    /// Nobody has signed in here with a key that could open it.
    #[error("nothing is kept on this device that a security key could open; sign in online")]
    NothingKept,
    /// The key.
    #[error(transparent)]
    Touch(#[from] SignInError),
    /// It gives no secrets.
    #[error("this security key has no hmac-secret; it opens nothing without the cloud")]
    NoSecret,
    /// It is none of those that signed in here.
    #[error("nobody has signed in on this device with this security key; sign in online")]
    OtherKey,
    /// The signature is not of the key that the cache was written for.
    #[error("the touch was not signed by the security key that signed in here; sign in online")]
    NotItsSignature,
    /// The cache itself stays shut.
    #[error(transparent)]
    Shut(#[from] Refused),
}

/// Opens one of the caches of this device with the key that it was written for.
pub fn open<S: Read + Write>(
    joined: &Joined,
    caches: &[OfflineCache],
    key: &mut ctap::Client<S>,
    pin: &Pin,
    policy: OfflinePolicy,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Result<Opened, NotOpened> {
    let (salts, allow) = wanted(caches).ok_or(NotOpened::NothingKept)?;
    if !key.info().has_extension(ctap::hmac_secret::NAME) {
        return Err(NotOpened::NoSecret);
    }
    // Of a list a key signs with one credential of its own choice and tells no names (CTAP 2.1, section 6.2.2). Where
    // several people's caches are here it is asked for all that it holds, and the person says which.
    let allow = if allow.len() > 1 { Vec::new() } else { allow };
    let mut challenge = [0; 32];
    entropy.fill(&mut challenge);
    let touch = sign_in::touch(joined, key, pin, &challenge, allow, salts)?;
    open_touched(joined, caches, touch, salts, policy, now)
}

/// Opens a cache with a touch that was meant for the cloud, which fell silent after it: nobody touches twice.
pub fn open_after_touch(
    joined: &Joined,
    caches: &[OfflineCache],
    touch: Touch,
    policy: OfflinePolicy,
    now: Timestamp,
) -> Result<Opened, NotOpened> {
    let salts = Salts::one(*joined.device.salt().octets());
    open_touched(joined, caches, touch, salts, policy, now)
}

fn open_touched(
    joined: &Joined,
    caches: &[OfflineCache],
    touch: Touch,
    salts: Salts,
    policy: OfflinePolicy,
    now: Timestamp,
) -> Result<Opened, NotOpened> {
    let its_own = |cache: &&OfflineCache| cache.header().credential_id == touch.credential_id;
    let cache = caches.iter().find(its_own).ok_or(NotOpened::OtherKey)?;
    let header = cache.header();
    if !header.public_key.is_empty() && !touch.is_signed_by(&header.public_key) {
        return Err(NotOpened::NotItsSignature);
    }
    let outputs = touch.secrets.ok_or(NotOpened::NoSecret)?;
    let salt = header.salt.octets();
    let output: Secret<[u8; 32]> = if *salt == salts.first {
        outputs.first
    } else {
        let is_second = salts.second.as_ref() == Some(salt);
        let second = outputs.second.filter(|_| is_second);
        second.ok_or(NotOpened::OtherKey)?
    };
    let unlocked = cache.unlock(&output, &joined.device, now)?;
    let notices = unlocked.notices.clone();
    let key = TouchedKey::of(header, output);
    Ok(Opened {
        session: Session::unlocked(unlocked, key, policy, now),
        notices,
    })
}

/// The salts of the newest caches, two at most as one touch gives no more, and whose keys may open them.
fn wanted(caches: &[OfflineCache]) -> Option<(Salts, Vec<Vec<u8>>)> {
    let mut headers: Vec<_> = caches.iter().map(OfflineCache::header).collect();
    headers.sort_by_key(|header| std::cmp::Reverse(header.written_at));
    let first = headers.first()?.salt;
    let second = headers.iter().map(|header| header.salt);
    let second = second.into_iter().find(|salt| *salt != first);
    let salts = Salts {
        first: *first.octets(),
        second: second.map(|salt| *salt.octets()),
    };
    let allow = headers.iter().map(|header| header.credential_id.clone());
    Some((salts, allow.collect()))
}
