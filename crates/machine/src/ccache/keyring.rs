//! KEYRING: caches in the kernel's persistent keyring of a user.
//!
//! The layout is that of MIT's programs (`cc_keyring.c`), which read and write the same keys: in the persistent keyring a
//! keyring `_krb`, the collection; in it a keyring for each cache, and a key that names the primary one; in a cache a key for
//! its principal and one for each credential, written as in files of version 4. A credential's key ends with its ticket.
//!
//! A cache is made beside the old one, where nobody looks, and then linked into the collection: a link displaces the one of
//! the same name in one step. Deliberately absent: the keyrings of other users and the keyrings of a session.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kerberos::files::{Credential, CredentialCache, Principal};
use keyutils::keytypes::{BigKey, User};
use keyutils::{Key, Keyring, SpecialKeyring};

use super::name::own_uid;
use super::{CacheError, CacheName};

const COLLECTION: &str = "_krb";
const PRIMARY: &str = "krb_ccache:primary";
const PRIMARY_VERSION: u32 = 1;
const PRINCIPAL: &str = "__krb5_princ__";
const TIME_OFFSETS: &str = "__krb5_time_offsets__";

/// What the kernel says of a key that is not there, or not any more.
const NOT_THERE: [i32; 3] = [errno::ENOKEY, errno::EKEYEXPIRED, errno::EKEYREVOKED];

/// A cache that is replaced while it is read falls apart under the reader, who then looks again.
const LOOKS_MAX: usize = 16;

pub(super) fn load(name: Option<&str>) -> Result<Option<CredentialCache>, CacheError> {
    let ring = || -> Result<Option<Keyring>, CacheError> {
        Ok(Place::find(name, false)?.and_then(|place| place.ring))
    };
    let mut before = ring()?;
    let mut looks = 0;
    loop {
        let Some(looked_at) = &before else {
            return Ok(None);
        };
        let read = Content::read(looked_at);
        let after = ring()?;
        looks += 1;
        if before == after || looks == LOOKS_MAX {
            return Ok(read?.map(|content| content.cache));
        }
        before = after;
    }
}

pub(super) fn store(name: Option<&str>, cache: &CredentialCache) -> Result<(), CacheError> {
    let Some(mut place) = Place::find(name, true)? else {
        return Err(CacheError::NoKeyrings);
    };
    let mut process = process_keyring()?;
    let mut fresh = process
        .add_keyring(place.name.as_str())
        .map_err(refused("make a keyring"))?;
    let filled = fill(&mut fresh, cache).and_then(|()| {
        place
            .collection
            .link_keyring(&fresh)
            .map_err(refused("link the new cache"))
    });
    // Whether it went well or not: what is only in this process is of no use to anybody.
    let _ = process.unlink_keyring(&fresh);
    filled
}

/// Renews credentials in place. A key is updated in one step, and no room for a second cache is needed.
pub(super) fn put(name: Option<&str>, renewed: &[Credential]) -> Result<(), CacheError> {
    let gone = || {
        CacheError::Gone(CacheName::Keyring {
            cache: name.map(str::to_owned),
        })
    };
    let place = Place::find(name, false)?.ok_or_else(gone)?;
    let mut ring = place.ring.ok_or_else(gone)?;
    let before = Content::read(&ring)?.ok_or_else(gone)?;
    for credential in renewed {
        let key = add(&mut ring, credential)?;
        let replaced = before.keys.iter().zip(&before.cache.credentials);
        for (old, _) in replaced.filter(|(_, held)| held.is_renewed_by(credential)) {
            if *old != key {
                ring.unlink_key(old)
                    .map_err(refused("remove the old ticket"))?;
            }
        }
    }
    if let Some(after) = Content::read(&ring)? {
        let ends = after
            .cache
            .ends()
            .and_then(|ends| seconds_until(ends.unix_seconds()));
        set_timeout(&mut ring, ends)?;
    }
    Ok(())
}

pub(super) fn destroy(name: Option<&str>) -> Result<bool, CacheError> {
    let Some(mut place) = Place::find(name, false)? else {
        return Ok(false);
    };
    let Some(mut ring) = place.ring else {
        return Ok(false);
    };
    let act = "remove the cache";
    ring.clear().map_err(refused(act))?;
    place
        .collection
        .unlink_keyring(&ring)
        .map_err(refused(act))?;
    Ok(true)
}

/// A cache's place in the collection.
struct Place {
    collection: Keyring,
    name: String,
    ring: Option<Keyring>,
}

impl Place {
    /// Finds it, or makes the collection.
    fn find(name: Option<&str>, make: bool) -> Result<Option<Self>, CacheError> {
        let mut process = process_keyring()?;
        let mut persistent = process.attach_persistent().map_err(|error| match error.0 {
            errno::EOPNOTSUPP | errno::ENOSYS => CacheError::NoKeyrings,
            _ => refused("give the persistent keyring")(error),
        })?;
        // Linked into this process, so that its keys are possessed, which is what gives the right to read them.
        let found = persistent.search_for_keyring(COLLECTION, Some(&mut process));
        let mut collection = match there(found).map_err(refused("search the keyring"))? {
            Some(collection) => collection,
            None if make => {
                let act = "make the collection of caches";
                let made = process.add_keyring(COLLECTION).map_err(refused(act))?;
                persistent.link_keyring(&made).map_err(refused(act))?;
                made
            }
            None => return Ok(None),
        };
        let name = match name {
            Some(name) => name.to_owned(),
            None => match primary(&collection)? {
                Some(name) => name,
                None if make => name_primary(&mut collection)?,
                None => return Ok(None),
            },
        };
        let ring = there(collection.search_for_keyring(name.as_str(), None));
        let ring = ring.map_err(refused("search the collection"))?;
        Ok(Some(Self {
            collection,
            name,
            ring,
        }))
    }
}

/// What is in a cache; the keys in the order of the credentials.
struct Content {
    cache: CredentialCache,
    keys: Vec<Key>,
}

impl Content {
    /// Nothing, where it has no principal: a cache that somebody is just making.
    fn read(ring: &Keyring) -> Result<Option<Self>, CacheError> {
        let act = "read the cache";
        let own = |name| there(ring.search_for_key::<User, _, _>(name, None)).map_err(refused(act));
        let (Some(principal), offsets) = (own(PRINCIPAL)?, own(TIME_OFFSETS)?) else {
            return Ok(None);
        };
        let malformed = |source| CacheError::Malformed {
            what: format!("KEYRING:persistent:{}", own_uid()),
            source,
        };
        let payload = principal.read().map_err(refused(act))?;
        let of = Principal::from_bytes(&payload).map_err(malformed)?;
        let mut content = Self {
            cache: CredentialCache::new(of),
            keys: Vec::new(),
        };
        for key in members(ring)? {
            if key == principal || offsets.as_ref() == Some(&key) {
                continue;
            }
            // A key that ended since the keyring was listed.
            let Some(payload) = there(key.read()).map_err(refused(act))? else {
                continue;
            };
            let credential = Credential::from_bytes(&payload).map_err(malformed)?;
            content.cache.credentials.push(credential);
            content.keys.push(key);
        }
        Ok(Some(content))
    }
}

/// The keys in a keyring. The library below panics at names that are no UTF-8, which a principal's name may be.
fn members(ring: &Keyring) -> Result<Vec<Key>, CacheError> {
    let act = "list the cache";
    let read = std::panic::catch_unwind(|| ring.read());
    let (keys, _) = read
        .map_err(|_| CacheError::Keyring {
            act,
            source: std::io::Error::other("a key's name is no text"),
        })?
        .map_err(refused(act))?;
    Ok(keys)
}

fn process_keyring() -> Result<Keyring, CacheError> {
    Keyring::attach_or_create(SpecialKeyring::Process)
        .map_err(refused("give this process a keyring"))
}

fn primary(collection: &Keyring) -> Result<Option<String>, CacheError> {
    let act = "read the name of the primary cache";
    let found = there(collection.search_for_key::<User, _, _>(PRIMARY, None));
    let Some(key) = found.map_err(refused(act))? else {
        return Ok(None);
    };
    let payload = key.read().map_err(refused(act))?;
    let unreadable = |why: &str| CacheError::Keyring {
        act,
        source: std::io::Error::other(why.to_owned()),
    };
    let (version, rest) = payload
        .split_first_chunk()
        .ok_or_else(|| unreadable("it is too short"))?;
    match u32::from_be_bytes(*version) {
        PRIMARY_VERSION => {}
        version => return Err(CacheError::KeyringVersion(version)),
    }
    let (length, name) = rest
        .split_first_chunk()
        .ok_or_else(|| unreadable("it is too short"))?;
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    let name = name
        .get(..length)
        .ok_or_else(|| unreadable("it is too short"))?;
    let name = std::str::from_utf8(name).map_err(|_| unreadable("it is no text"))?;
    Ok(Some(name.to_owned()))
}

/// The first cache of a collection has the user's number for a name.
fn name_primary(collection: &mut Keyring) -> Result<String, CacheError> {
    let name = own_uid().to_string();
    let length = u32::try_from(name.len()).unwrap_or_default();
    let mut payload = PRIMARY_VERSION.to_be_bytes().to_vec();
    payload.extend(length.to_be_bytes());
    payload.extend_from_slice(name.as_bytes());
    collection
        .add_key::<User, _, _>(PRIMARY, payload.as_slice())
        .map_err(refused("name the primary cache"))?;
    Ok(name)
}

fn fill(ring: &mut Keyring, cache: &CredentialCache) -> Result<(), CacheError> {
    let principal = cache.default_principal.to_bytes();
    let principal = principal.map_err(CacheError::Unwritable)?;
    ring.add_key::<User, _, _>(PRINCIPAL, principal.as_slice())
        .map_err(refused("keep the principal"))?;
    for credential in &cache.credentials {
        add(ring, credential)?;
    }
    let ends = cache
        .ends()
        .and_then(|ends| seconds_until(ends.unix_seconds()));
    set_timeout(ring, ends)
}

/// Adds a credential, or updates the one of that name. Big keys may be swapped out and count little; not every kernel has
/// them, and then MIT's programs take ordinary ones as well.
fn add(ring: &mut Keyring, credential: &Credential) -> Result<Key, CacheError> {
    let bytes = credential.to_bytes().map_err(CacheError::Unwritable)?;
    let name = key_name(&credential.server);
    let mut added = ring.add_key::<BigKey, _, _>(name.as_str(), bytes.as_slice());
    if let Err(error) = added
        && matches!(error.0, errno::EINVAL | errno::ENODEV)
    {
        added = ring.add_key::<User, _, _>(name.as_str(), bytes.as_slice());
    }
    let mut key = added.map_err(refused("keep a ticket"))?;
    if let Some(ends) = seconds_until(credential.endtime.unix_seconds()) {
        key.set_timeout(ends).map_err(refused("let a ticket end"))?;
    }
    Ok(key)
}

/// A keyring ends with its last ticket. Zero would mean never.
fn set_timeout(ring: &mut Keyring, ends: Option<Duration>) -> Result<(), CacheError> {
    match ends {
        Some(ends) => ring.set_timeout(ends).map_err(refused("let the cache end")),
        None => Ok(()),
    }
}

/// Nothing for a configuration entry, which does not end.
fn seconds_until(ends: i64) -> Option<Duration> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let ends = u64::try_from(ends).ok().filter(|ends| *ends > 0)?;
    Some(Duration::from_secs(
        ends.saturating_sub(now.as_secs()).max(1),
    ))
}

/// The service's name as MIT's library spells it (`krb5_unparse_name`).
fn key_name(server: &Principal) -> String {
    let mut name = String::new();
    for (place, part) in server.name.name_string.iter().enumerate() {
        if place > 0 {
            name.push('/');
        }
        spell(&mut name, part.as_bytes());
    }
    name.push('@');
    spell(&mut name, server.realm.as_bytes());
    name
}

fn spell(name: &mut String, part: &[u8]) {
    for letter in String::from_utf8_lossy(part).chars() {
        match letter {
            '/' | '@' | '\\' => name.extend(['\\', letter]),
            '\n' => name.push_str("\\n"),
            '\t' => name.push_str("\\t"),
            '\u{8}' => name.push_str("\\b"),
            '\0' => name.push_str("\\0"),
            _ => name.push(letter),
        }
    }
}

/// Not there is no failure.
fn there<T>(found: keyutils::Result<T>) -> keyutils::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if NOT_THERE.contains(&error.0) => Ok(None),
        Err(error) => Err(error),
    }
}

fn refused(act: &'static str) -> impl Fn(keyutils::Error) -> CacheError {
    move |error| match error.0 {
        errno::EDQUOT => CacheError::KeyQuota,
        _ => CacheError::Keyring {
            act,
            source: std::io::Error::from_raw_os_error(error.0),
        },
    }
}

/// Linux' numbers (`errno.h`), by rustix' names.
mod errno {
    use rustix::io::Errno;

    pub(super) const EINVAL: i32 = Errno::INVAL.raw_os_error();
    pub(super) const ENODEV: i32 = Errno::NODEV.raw_os_error();
    pub(super) const ENOSYS: i32 = Errno::NOSYS.raw_os_error();
    pub(super) const EOPNOTSUPP: i32 = Errno::OPNOTSUPP.raw_os_error();
    pub(super) const EDQUOT: i32 = Errno::DQUOT.raw_os_error();
    pub(super) const ENOKEY: i32 = Errno::NOKEY.raw_os_error();
    pub(super) const EKEYEXPIRED: i32 = Errno::KEYEXPIRED.raw_os_error();
    pub(super) const EKEYREVOKED: i32 = Errno::KEYREVOKED.raw_os_error();
}
