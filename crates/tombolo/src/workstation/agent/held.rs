//! The sessions in an agent's memory, and the work on them.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use machine::ccache::CacheName;
use types::{Clock, Timestamp};
use workstation::connection::CacheFate;
use workstation::session::{Done, Happened, Job, Session};

use super::protocol::SessionStatus;
use crate::io::{Failure, OsEntropy, Shell, SystemClock};
use crate::workstation::keep;
use crate::workstation::settings::Settings;
use crate::workstation::state::State;

/// A session, where it is kept fresh, and where its tickets go.
pub(super) struct Held {
    number: u64,
    pub(super) session: Session,
    settings: Settings,
    pub(super) cache: CacheName,
    /// What has changed is not on the disk yet.
    is_unwritten: bool,
    /// Somebody waits for a refresh that is not due.
    is_wanted: bool,
    /// Its credential cache was there once; if it is gone, somebody removed it.
    has_cache: bool,
    last: Option<String>,
}

/// What all threads of an agent share.
pub(super) struct Sessions {
    folder: PathBuf,
    held: Mutex<Vec<Held>>,
    changed: Condvar,
}

impl Sessions {
    pub(super) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            held: Mutex::new(Vec::new()),
            changed: Condvar::new(),
        }
    }

    /// The device's directory.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn held(&self) -> MutexGuard<'_, Vec<Held>> {
        // Each step leaves a session whole, so that another thread's panic breaks none.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a session, in the place of the one of the same user and cache.
    pub(super) fn hold(&self, session: Session, settings: Settings, cache: CacheName) {
        let mut held = self.held();
        held.retain(|other| {
            other.cache != cache
                || other.session.user().user_principal_name != session.user().user_principal_name
        });
        let number = held
            .iter()
            .map(|held| held.number)
            .max()
            .unwrap_or_default()
            + 1;
        held.push(Held {
            number,
            has_cache: session.tickets().is_some(),
            session,
            settings,
            cache,
            is_unwritten: false,
            is_wanted: false,
            last: None,
        });
        drop(held);
        self.changed.notify_all();
    }

    /// Asks the cloud and the domain at once, for all sessions.
    pub(super) fn look(&self) {
        for held in self.held().iter_mut() {
            held.session.hurry();
            held.is_wanted = true;
        }
        self.changed.notify_all();
    }

    /// What is held.
    pub(super) fn status(&self) -> Vec<SessionStatus> {
        let now = SystemClock.now();
        self.held()
            .iter()
            .map(|held| {
                let last = held.last.as_deref();
                SessionStatus::of(&held.session, &held.cache.to_string(), last, now)
            })
            .collect()
    }

    /// Does what is due, and waits for more, as long as the process lives.
    pub(super) fn work(&self, state: &State, shell: &Shell) -> ! {
        loop {
            let mut held = self.held();
            let now = SystemClock.now();
            if let Some((number, job, settings)) = due(&mut held, now) {
                drop(held);
                // Nobody waits for the sessions while the wires are slow.
                let done = run(job, &settings);
                match done {
                    Ok(done) => self.apply(number, done, state, shell),
                    Err(failure) => shell.note(failure),
                }
                continue;
            }
            let unwritten = held.iter().find(|held| held.is_unwritten);
            if let Some(number) = unwritten.map(|held| held.number) {
                drop(held);
                self.write_again(number, state, shell);
                let held = self.held();
                drop(self.wait(held, Some(WRITE_AGAIN)));
                continue;
            }
            let next = held.iter().map(|held| held.session.next_look(now)).min();
            let pause = next.map(|next| {
                let seconds = next.seconds_since(now).max(1);
                Duration::from_secs(u64::try_from(seconds).unwrap_or(1))
            });
            drop(self.wait(held, pause));
        }
    }

    fn wait<'a>(
        &self,
        held: MutexGuard<'a, Vec<Held>>,
        pause: Option<Duration>,
    ) -> MutexGuard<'a, Vec<Held>> {
        match pause {
            Some(pause) => {
                let woken = self.changed.wait_timeout(held, pause);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let woken = self.changed.wait(held);
                woken.unwrap_or_else(PoisonError::into_inner)
            }
        }
    }

    fn apply(&self, number: u64, done: Done, state: &State, shell: &Shell) {
        let mut all = self.held();
        // Signed out meanwhile: what came is nobody's.
        let Some(held) = all.iter_mut().find(|held| held.number == number) else {
            return;
        };
        let happened = held.session.apply(done, SystemClock.now());
        let user = held.session.user().to_string();
        shell.note(format_args!("{user}: {happened}"));
        held.last = Some(happened.to_string());
        let kept = match happened.cache_fate() {
            CacheFate::Kept => Ok(()),
            CacheFate::Renewed => held.write(state),
            CacheFate::Destroyed => destroy(state, held, &happened, shell),
        };
        held.is_unwritten = kept.is_err();
        if let Err(failure) = kept {
            shell.note(failure);
        }
    }

    fn write_again(&self, number: u64, state: &State, shell: &Shell) {
        let mut all = self.held();
        let Some(held) = all.iter_mut().find(|held| held.number == number) else {
            return;
        };
        match held.write(state) {
            Ok(()) => held.is_unwritten = false,
            Err(failure) => shell.note(failure),
        }
    }
}

/// After the cloud's no.
fn destroy(state: &State, held: &Held, happened: &Happened, shell: &Shell) -> Result<(), Failure> {
    let Happened::Ended(refusal, _) = happened else {
        return Ok(());
    };
    let credential = held.session.key().map(|key| &key.credential_id[..]);
    let user = held.session.user().to_string();
    keep::destroy(state, *refusal, credential, &user, shell).map(drop)
}

/// A full disk is looked at again after so long.
const WRITE_AGAIN: Duration = Duration::from_secs(60);

impl Held {
    /// Puts what has changed on the disk: the tickets, and the offline cache.
    fn write(&mut self, state: &State) -> Result<(), Failure> {
        if self.has_cache {
            keep::renewed(&self.cache, &mut self.session)?;
        } else if let Some(tickets) = self.session.tickets() {
            keep::tickets(&self.cache, tickets)?;
            self.has_cache = true;
        }
        keep::offline(state, &self.session, None).map(drop)
    }
}

fn due(all: &mut [Held], now: Timestamp) -> Option<(u64, Job, Settings)> {
    all.iter_mut().find_map(|held| {
        let wanted = std::mem::take(&mut held.is_wanted);
        let wanted = wanted.then(|| held.session.refresh_now()).flatten();
        let job = wanted.or_else(|| held.session.due(now))?;
        Some((held.number, job, held.settings.clone()))
    })
}

fn run(job: Job, settings: &Settings) -> Result<Done, Failure> {
    let mut cloud = settings.cloud()?;
    let realm = match &job {
        Job::Exchange { partial, .. } => Some(partial.realm().to_owned()),
        Job::Renew { granting } => granting.client.realm.as_str().map(str::to_owned),
        Job::Refresh { .. } => None,
    };
    let mut domain = settings.domain(realm.as_deref());
    Ok(job.run(&mut cloud, &mut domain, SystemClock.now(), &mut OsEntropy))
}
