//! What a session leaves on this machine: tickets in a credential cache, an offline cache in the device's directory, and
//! nothing of either after the cloud's no.

use kerberos::files::CredentialCache;
use machine::ccache::{CacheError, CacheName};
use types::{Clock, Timestamp};
use workstation::connection::Refusal;
use workstation::offline::Salt;
use workstation::session::Session;

use super::journal;
use super::state::State;
use crate::io::{Failure, OsEntropy, Shell, SystemClock, Tell, cache_failure};

/// Writes the offline cache; the old one is in its place until the new one is on the disk. `next_salt` is the salt that the
/// device moves to with it. Until when it opens; `None` where nothing can be kept.
pub(super) fn offline(
    state: &State,
    session: &Session,
    next_salt: Option<Salt>,
) -> Result<Option<Timestamp>, Failure> {
    let Some(until) = session.usable_until() else {
        return Ok(None);
    };
    state.change(|joined| {
        let Some(sealed) = session.seal(&joined.device, &mut OsEntropy) else {
            return Ok(None);
        };
        let sealed = sealed.tell("nothing is kept for a time without the cloud")?;
        state.keep_offline(&sealed)?;
        joined.device.wrote(sealed.credential, sealed.number);
        if let Some(salt) = next_salt {
            joined.device.rotate_salt(salt, SystemClock.now());
        }
        Ok(Some(until))
    })
}

/// Puts the tickets of a session that begins into a credential cache, in the place of whatever is there.
pub(super) fn tickets(cache: &CacheName, tickets: &CredentialCache) -> Result<(), Failure> {
    let kept = cache.store(&tickets.default_principal, &tickets.credentials);
    kept.map_err(|error| no_tickets(cache, &error))
}

/// Puts a renewed ticket into the cache of a session that goes on; what other programs put there stays, and is taken into the
/// session. A cache that was removed meanwhile is left alone: whoever removed it wants no tickets.
pub(super) fn renewed(cache: &CacheName, session: &mut Session) -> Result<(), Failure> {
    let Some(own) = session.tickets() else {
        return Ok(());
    };
    let granting: Vec<_> = own.granting().into_iter().cloned().collect();
    match cache.renew(&own.default_principal, &granting) {
        Ok(()) | Err(CacheError::Gone(_)) => (),
        Err(error) => return Err(no_tickets(cache, &error)),
    }
    if let Ok(Some(found)) = cache.load() {
        session.take_in(&found, SystemClock.now());
    }
    Ok(())
}

fn no_tickets(cache: &CacheName, error: &CacheError) -> Failure {
    cache_failure(format!("no tickets in {cache}"), error)
}

/// What goes after the cloud's no: the caches of the credential, or of the whole device. How many there were.
pub(super) fn destroy(
    state: &State,
    refusal: Refusal,
    credential_id: Option<&[u8]>,
    user: &str,
    shell: &Shell,
) -> Result<usize, Failure> {
    let is_whole = refusal == Refusal::Device;
    if refusal == Refusal::Interaction {
        return Ok(0);
    }
    let destroyed = state.destroy_offline(
        |header| is_whole || credential_id == Some(&header.credential_id),
        shell,
    )?;
    if destroyed > 0 {
        let detail = match refusal {
            Refusal::User => "the cloud says that the user is disabled or gone",
            Refusal::Key => "the cloud says that the security key was removed",
            Refusal::Device | Refusal::Interaction => {
                "the cloud says that this device was removed or disabled"
            }
        };
        journal::tell(state.folder(), "offlineCacheDestroyed", user, detail)?;
    }
    Ok(destroyed)
}
