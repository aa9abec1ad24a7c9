//! The agent's socket: who may ask, and what is answered.

use std::fs::{File, TryLockError};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER};
use machine::ccache::CacheName;
use workstation::session::Session;
use zeroize::{Zeroize, Zeroizing};

use super::held::Sessions;
use super::protocol::{self, Answer, Request};
use super::{PATIENCE, SOCKET};
use crate::io::{Failure, Shell, Tell};
use crate::workstation::journal;
use crate::workstation::state::State;

const LOCK: &str = "agent.lock";

/// Serves until the process ends.
pub(super) fn serve(state: &State, shell: &mut Shell) -> Result<crate::io::Exit, Failure> {
    let _alone = alone(state)?;
    let path = state.folder().join(SOCKET);
    let what = || format!("the agent cannot listen at {}", path.display());
    // Left behind by an agent that was killed: this one has the lock.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Failure::new(what()).why(error));
        }
        _ => (),
    }
    let listener = UnixListener::bind(&path).map_err(|error| {
        Failure::new(what())
            .why(error)
            .next("a path of more than 107 bytes cannot be listened at; give a shorter --state")
    })?;
    shell.note(format_args!("the agent listens at {}", path.display()));
    let sessions = Arc::new(Sessions::new(state.folder()));
    let worker = Arc::clone(&sessions);
    std::thread::Builder::new()
        .name("refresh".to_owned())
        .spawn(move || {
            let shell = Shell::new(false);
            // A seal of its own: that of a TPM stays with the thread that opened it.
            match State::open(Some(worker.folder()), None) {
                Ok(state) => worker.work(&state, &shell),
                Err(failure) => shell.note(failure),
            }
        })
        .tell("the agent cannot start a thread")?;
    for stream in listener.incoming() {
        // One at a time: answers come from memory, and nobody keeps the agent longer than its patience.
        if let Err(error) = stream.and_then(|stream| answer(&sessions, stream)) {
            shell.note(format_args!("a question was not answered: {error}"));
        }
    }
    Ok(crate::io::Exit::Good)
}

/// One agent for each directory; the kernel lets go of the lock when its holder dies.
fn alone(state: &State) -> Result<File, Failure> {
    let path = state.folder().join(LOCK);
    let what = || format!("{} cannot be locked", path.display());
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .tell(what())?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::new(format!(
            "another agent serves {}",
            state.folder().display()
        ))
        .next("ask it with `tombolo status`, or end it first")),
        Err(TryLockError::Error(error)) => Err(Failure::new(what()).why(error)),
    }
}

fn answer(sessions: &Sessions, mut stream: UnixStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let peer = rustix::net::sockopt::socket_peercred(&stream)?.uid;
    // The directory is its owner's alone already; this holds where somebody opened it up.
    if !peer.is_root() && peer != rustix::process::geteuid() {
        return protocol::write(&mut stream, &no("this agent is another user's"));
    }
    let request = protocol::read(&mut stream)?;
    let mut answer = act(sessions, request);
    let written = protocol::write(&mut stream, &answer);
    if let Answer::NtHash { hash, .. } = &mut answer {
        hash.zeroize();
    }
    written
}

fn act(sessions: &Sessions, request: Request) -> Answer {
    match request {
        Request::Hold {
            mut session,
            settings,
            cache,
        } => {
            let bytes = BASE64.decode(session.as_bytes()).map(Zeroizing::new);
            session.zeroize();
            let session = bytes
                .map_err(|error| error.to_string())
                .and_then(|bytes| Session::of_bytes(&bytes).map_err(|error| error.to_string()));
            let cache = CacheName::parse(&cache).map_err(|error| error.to_string());
            match (session, cache) {
                (Ok(session), Ok(cache)) => {
                    sessions.hold(session, *settings, cache);
                    Answer::Done
                }
                (Err(why), _) | (_, Err(why)) => no(why),
            }
        }
        Request::Status => Answer::Status {
            sessions: sessions.status(),
        },
        Request::SignOut { user } => {
            let mut held = sessions.held();
            let is_meant = |name: &str| user.as_deref().is_none_or(|user| user == name);
            let gone = held
                .extract_if(.., |held| {
                    is_meant(&held.session.user().user_principal_name)
                })
                .map(|held| (held.session.user().to_string(), held.cache.to_string()));
            Answer::SignedOut {
                sessions: gone.collect(),
            }
        }
        Request::NtHash { user, purpose } => nt_hash(sessions, user.as_deref(), &purpose),
        Request::Look => {
            sessions.look();
            Answer::Done
        }
    }
}

/// No hash leaves without its line in the journal.
fn nt_hash(sessions: &Sessions, user: Option<&str>, purpose: &str) -> Answer {
    let all = sessions.held();
    let is_meant = |name: &str| user.is_none_or(|user| user == name);
    let mut meant = all
        .iter()
        .filter(|held| is_meant(&held.session.user().user_principal_name));
    let (Some(held), None) = (meant.next(), meant.next()) else {
        return no("there is no such session, or more than one; say whose with --user");
    };
    let Some(hash) = held.session.nt_hash() else {
        return no(
            "this session has no NT hash: the policy of this device or of the domain gives none (--nt-hash)",
        );
    };
    let user = held.session.user().to_string();
    match journal::tell(sessions.folder(), "ntHashReleased", &user, purpose) {
        Ok(()) => Answer::NtHash {
            user,
            hash: HEXLOWER.encode(hash.expose()),
        },
        Err(failure) => no(failure.to_string()),
    }
}

fn no(why: impl Into<String>) -> Answer {
    Answer::No { why: why.into() }
}
