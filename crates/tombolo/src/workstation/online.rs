//! Signing in at the cloud, and on to the domain.

use std::io::{Read, Write};

use ctap::Pin;
use types::Clock;
use workstation::connection::Attempt;
use workstation::offline::{Salt, User};
use workstation::session::{self, Happened, Job, Session};
use workstation::sign_in::{SignInError, Touch};

use super::keep;
use super::settings::Settings;
use super::state::{State, not_joined};
use crate::io::{Failure, OsEntropy, Shell, SystemClock};

/// Signed in.
pub(super) struct Online {
    /// The session, with what the domain gave.
    pub(super) session: Session,
    /// The salt that the device moves to when the session is kept.
    pub(super) next_salt: Option<Salt>,
    /// Whether the key can open this device later.
    pub(super) can_be_kept: bool,
    /// Why the domain gave nothing, in words.
    pub(super) no_ticket: Option<String>,
}

/// Why nobody is signed in at the cloud.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSignedIn {
    /// The cloud cannot be reached. The touch, where there was one already, may still open this device.
    #[error("{why}")]
    Silent {
        why: String,
        touch: Option<Box<Touch>>,
    },
    /// The cloud said no; what had to go is gone.
    #[error("{why}")]
    Refused { why: String, destroyed: usize },
    /// The key.
    #[error("security key: {0}")]
    Key(ctap::Error),
    /// No credential of this cloud on it.
    #[error("{0}")]
    NoCredential(String),
    /// It is somebody else. Nothing of the sign-in was kept.
    #[error("{0}")]
    NotWanted(String),
    /// This machine.
    #[error("{0}")]
    Failed(Failure),
}

impl From<Failure> for NotSignedIn {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<NotSignedIn> for Failure {
    fn from(error: NotSignedIn) -> Self {
        let nobody = Self::new("nobody is signed in").why(&error);
        match error {
            NotSignedIn::Failed(failure) => failure,
            NotSignedIn::Silent { .. } => {
                nobody.next("`tombolo unlock` opens this device without the cloud")
            }
            NotSignedIn::Refused { destroyed, .. } if destroyed > 0 => {
                nobody.next("what this device kept for a time without the cloud is destroyed; ask an administrator")
            }
            _ => nobody,
        }
    }
}

/// One touch: the cloud, then the domain. `is_wanted` looks at who it is before anything is kept or asked of the domain.
pub(super) fn sign_in<S: Read + Write>(
    state: &State,
    settings: &Settings,
    key: &mut ctap::Client<S>,
    pin: &Pin,
    is_wanted: &dyn Fn(&User) -> Result<(), String>,
    shell: &Shell,
) -> Result<Online, NotSignedIn> {
    let joined = state.joined()?.ok_or_else(not_joined)?;
    let mut cloud = settings.cloud()?;
    let now = SystemClock.now();
    let begun = session::sign_in(
        &joined,
        &mut cloud,
        key,
        pin,
        settings.policy,
        now,
        &mut OsEntropy,
    );
    let begun = begun.map_err(|error| not_signed_in(state, error, shell))?;
    let mut session = begun.session;
    is_wanted(session.user()).map_err(NotSignedIn::NotWanted)?;
    let happened = ask_domain(&mut session, settings);
    let no_ticket = session.granting(SystemClock.now()).is_none().then(|| {
        let last = happened.last().map(ToString::to_string);
        let why = session.no_partial().map(str::to_owned);
        why.or(last).unwrap_or_default()
    });
    Ok(Online {
        session,
        next_salt: begun.next_salt,
        can_be_kept: begun.can_be_kept,
        no_ticket,
    })
}

/// Does what is due at the domain, and nothing else.
pub(super) fn ask_domain(session: &mut Session, settings: &Settings) -> Vec<Happened> {
    let mut happened = Vec::new();
    let mut domain = settings.domain(session.user().realm.as_deref());
    while let Some(job) = session.due(SystemClock.now()) {
        if matches!(job, Job::Refresh { .. }) {
            break;
        }
        let Ok(mut cloud) = settings.cloud() else {
            break;
        };
        let done = job.run(&mut cloud, &mut domain, SystemClock.now(), &mut OsEntropy);
        happened.push(session.apply(done, SystemClock.now()));
    }
    happened
}

fn not_signed_in(state: &State, error: SignInError, shell: &Shell) -> NotSignedIn {
    let attempt = error.attempt();
    let why = error.to_string();
    let touch = match error {
        SignInError::AfterTouch { touch, .. } => Some(touch),
        SignInError::Key(error) => return NotSignedIn::Key(error),
        SignInError::NoCredential(_) => return NotSignedIn::NoCredential(why),
        _ => None,
    };
    match attempt {
        Attempt::Refused(refusal) => {
            let credential = touch.as_ref().map(|touch| &touch.credential_id[..]);
            let user = "";
            match keep::destroy(state, refusal, credential, user, shell) {
                Ok(destroyed) => NotSignedIn::Refused { why, destroyed },
                Err(failure) => NotSignedIn::Failed(failure),
            }
        }
        Attempt::Succeeded | Attempt::Unreachable => NotSignedIn::Silent { why, touch },
    }
}
