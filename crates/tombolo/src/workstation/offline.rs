//! Opening this device without the cloud.

use std::io::{Read, Write};

use ctap::Pin;
use types::Clock;
use workstation::offline::OfflineCache;
use workstation::policy::OfflinePolicy;
use workstation::session::{self, NotOpened, Opened};
use workstation::sign_in::Touch;

use super::settings::Settings;
use super::state::{State, not_joined};
use crate::io::{Failure, OsEntropy, Shell, SystemClock};

/// Why this device did not open.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotUnlocked {
    /// The key, or what is kept.
    #[error(transparent)]
    Shut(#[from] NotOpened),
    /// This machine.
    #[error("{0}")]
    Failed(Failure),
}

impl From<Failure> for NotUnlocked {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<NotUnlocked> for Failure {
    fn from(error: NotUnlocked) -> Self {
        match error {
            NotUnlocked::Failed(failure) => failure,
            NotUnlocked::Shut(NotOpened::NothingKept) => {
                Self::new("nothing is kept here that could be unlocked")
                    .next("sign in once with `tombolo signin`, with a key that has hmac-secret")
            }
            NotUnlocked::Shut(why) => Self::new("nobody is signed in").why(why),
        }
    }
}

/// One touch opens what the key's last sign-in left. Nothing is asked of anybody, and nothing is written.
pub(super) fn unlock<S: Read + Write>(
    state: &State,
    key: &mut ctap::Client<S>,
    pin: &Pin,
    shell: &Shell,
) -> Result<Opened, NotUnlocked> {
    let joined = state.joined()?.ok_or_else(not_joined)?;
    let caches = state.offline_caches(shell)?;
    let policy = policy(state)?;
    let now = SystemClock.now();
    Ok(session::open(
        &joined,
        &caches,
        key,
        pin,
        policy,
        now,
        &mut OsEntropy,
    )?)
}

/// The same with a touch that the cloud should have had.
pub(super) fn unlock_with(
    state: &State,
    touch: Touch,
    shell: &Shell,
) -> Result<Opened, NotUnlocked> {
    let joined = state.joined()?.ok_or_else(not_joined)?;
    let caches: Vec<OfflineCache> = state.offline_caches(shell)?;
    let policy = policy(state)?;
    let now = SystemClock.now();
    Ok(session::open_after_touch(
        &joined, &caches, touch, policy, now,
    )?)
}

fn policy(state: &State) -> Result<OfflinePolicy, Failure> {
    let settings = Settings::remembered(state)?;
    Ok(settings.map_or_else(OfflinePolicy::default, |settings| settings.policy))
}
