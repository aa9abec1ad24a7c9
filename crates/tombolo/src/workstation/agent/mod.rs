//! `tombolo agent`: holds the sessions of this device in its memory, and keeps them fresh.
//!
//! Tickets are renewed and the cloud is asked in the background, the credential cache and the offline cache are written anew
//! with each answer. A wire that is silent costs nothing; the cloud's no destroys the offline cache. What is in memory ends
//! with the process: after it, a touch opens the device again.

mod held;
mod protocol;
mod serve;

use std::os::unix::net::UnixStream;
use std::time::Duration;

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use machine::ccache::CacheName;
use types::Secret;
use workstation::offline::NtHash;
use workstation::session::Session;

pub(super) use protocol::SessionStatus;
use protocol::{Answer, Request};

use super::settings::Settings;
use super::state::{State, StateArgs};
use crate::io::{Exit, Failure, Shell, Tell};

const HELP: &str = "\
`tombolo signin` and `tombolo unlock` hand their sessions to the agent of the same state directory. It renews the tickets at
half of their life and asks the cloud every four hours; while a wire is silent it tries again after 15 s, and less and less
often, up to 5 minutes. It wakes up for nothing else than that and its clock (every 5 minutes at most).

Examples:
  tombolo agent                     in the foreground, as a service manager wants it
  tombolo agent &                   beside a shell
  tombolo status                    what it holds, until when, and what works now
  tombolo agent --look              have the running agent ask the cloud and the domain at once

Exit codes:
  0  asked to look, and it does
  3  not started: another agent serves this directory, or the directory cannot be used";

/// Hold sessions, and keep their tickets fresh in the background
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Command {
    #[command(flatten)]
    state: StateArgs,

    /// Have the running agent ask the cloud and the domain at once, without waiting until that is due
    #[arg(long)]
    look: bool,
}

/// The socket, below the device's state.
const SOCKET: &str = "agent.sock";
/// An agent answers from its memory; one that does not in this time is in trouble.
const PATIENCE: Duration = Duration::from_secs(5);

/// Runs `tombolo agent`.
pub(crate) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let state = command.state.open(None)?;
    if !command.look {
        return serve::serve(&state, shell);
    }
    match ask(&state, &Request::Look)? {
        Some(_) => Ok(Exit::Good),
        None => Err(no_agent()),
    }
}

/// Hands a session to the agent. Whether there is one.
pub(super) fn hold(
    state: &State,
    session: &Session,
    settings: &Settings,
    cache: &CacheName,
) -> Result<bool, Failure> {
    let request = Request::Hold {
        session: BASE64.encode(&session.to_bytes()),
        settings: Box::new(settings.clone()),
        cache: cache.to_string(),
    };
    Ok(ask(state, &request)?.is_some())
}

/// What the agent holds; `None` where there is none.
pub(super) fn status(state: &State) -> Result<Option<Vec<SessionStatus>>, Failure> {
    Ok(match ask(state, &Request::Status)? {
        Some(Answer::Status { sessions }) => Some(sessions),
        _ => None,
    })
}

/// Has the agent let go of sessions; the user and the credential cache of each.
pub(super) fn sign_out(
    state: &State,
    user: Option<&str>,
) -> Result<Vec<(String, String)>, Failure> {
    let user = user.map(str::to_owned);
    Ok(match ask(state, &Request::SignOut { user })? {
        Some(Answer::SignedOut { sessions }) => sessions,
        _ => Vec::new(),
    })
}

/// The NT hash of a session, and whose it is.
pub(super) fn nt_hash(
    state: &State,
    user: Option<&str>,
    purpose: &str,
) -> Result<(String, NtHash), Failure> {
    let request = Request::NtHash {
        user: user.map(str::to_owned),
        purpose: purpose.to_owned(),
    };
    match ask(state, &request)? {
        Some(Answer::NtHash { user, hash }) => {
            let octets = Secret::new(
                HEXLOWER_PERMISSIVE
                    .decode(hash.as_bytes())
                    .unwrap_or_default(),
            );
            let octets: &[u8; 16] = octets
                .expose()
                .as_slice()
                .try_into()
                .tell("the agent's answer is no NT hash")?;
            let hash = Secret::filled_by(|hash: &mut [u8; 16]| hash.copy_from_slice(octets));
            Ok((user, hash))
        }
        Some(_) => Err(Failure::new("the agent's answer is no NT hash")),
        None => Err(no_agent()),
    }
}

fn no_agent() -> Failure {
    Failure::new("no agent holds the sessions of this device")
        .next("start `tombolo agent`, then sign in")
}

/// Asks the agent; `None` where there is none.
fn ask(state: &State, request: &Request) -> Result<Option<Answer>, Failure> {
    let path = state.folder().join(SOCKET);
    let what = || format!("the agent at {} does not answer", path.display());
    let mut stream = match UnixStream::connect(&path) {
        Ok(stream) => stream,
        Err(error) if is_nobody(&error) => return Ok(None),
        Err(error) => return Err(Failure::new(what()).why(error)),
    };
    stream.set_read_timeout(Some(PATIENCE)).tell(what())?;
    stream.set_write_timeout(Some(PATIENCE)).tell(what())?;
    protocol::write(&mut stream, request).tell(what())?;
    match protocol::read(&mut stream).tell(what())? {
        Answer::No { why } => Err(Failure::new("the agent refused").why(why)),
        answer => Ok(Some(answer)),
    }
}

/// No agent, or one that is gone and left its socket behind.
fn is_nobody(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    matches!(error.kind(), NotFound | ConnectionRefused)
}
