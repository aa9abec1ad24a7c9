//! `tombolo signout`: the tickets go, the agent lets go of the session, and on demand what this device kept.

use machine::ccache::CacheName;
use serde::Serialize;

use super::state::StateArgs;
use super::{agent, journal};
use crate::io::{CacheArgs, Exit, Failure, Shell, cache_failure};

const HELP: &str = "\
What is signed out: the session in the agent's memory (primary refresh token, NT hash) and the tickets in the credential
cache. The offline cache stays, so that the same key opens this device again without the cloud; --forget destroys it.

Examples:
  tombolo signout
  tombolo signout --forget                        nothing that a key could open stays on this device
  tombolo signout --user testuser@corp.contoso.com

Exit codes:
  0  signed out
  1  nobody was signed in";

/// Let go of the session and its tickets
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Command {
    /// Whose session, where the agent holds several; all without it
    #[arg(long, value_name = "UPN")]
    user: Option<String>,

    /// Destroy the offline caches of this device too
    #[arg(long, conflicts_with = "user")]
    forget: bool,

    #[command(flatten)]
    state: StateArgs,

    #[command(flatten)]
    cache: CacheArgs,

    /// Print JSON, format tombolo-signout/1
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    format: &'static str,
    sessions: Vec<String>,
    caches: Vec<String>,
    offline_caches_destroyed: usize,
}

/// Runs `tombolo signout`.
pub(crate) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let state = command.state.open(None)?;
    let sessions = agent::sign_out(&state, command.user.as_deref())?;
    let mut names: Vec<CacheName> = Vec::new();
    for (_, cache) in &sessions {
        names.extend(CacheName::parse(cache).ok());
    }
    // Without an agent, or without a name, the caller's own cache is meant.
    if command.user.is_none() {
        names.push(command.cache.name()?);
    }
    let mut caches = Vec::new();
    for name in names {
        let destroyed = name.destroy();
        let what = || format!("the tickets in {name} could not be removed");
        if destroyed.map_err(|error| cache_failure(what(), &error))? {
            caches.push(name.to_string());
        }
    }
    let mut offline_caches_destroyed = 0;
    if command.forget {
        offline_caches_destroyed = state.destroy_offline(|_| true, shell)?;
        if offline_caches_destroyed > 0 {
            journal::tell(
                state.folder(),
                "offlineCacheDestroyed",
                "",
                "by `tombolo signout --forget`",
            )?;
        }
    }
    let report = Report {
        format: "tombolo-signout/1",
        sessions: sessions.into_iter().map(|(user, _)| user).collect(),
        caches,
        offline_caches_destroyed,
    };
    tell(&report, command.json, shell)
}

fn tell(report: &Report, json: bool, shell: &mut Shell) -> Result<Exit, Failure> {
    let is_empty = report.sessions.is_empty()
        && report.caches.is_empty()
        && report.offline_caches_destroyed == 0;
    let exit = if is_empty { Exit::Look } else { Exit::Good };
    if json {
        shell.json(report)?;
        return Ok(exit);
    }
    if is_empty {
        shell.line("nobody was signed in")?;
    }
    for user in &report.sessions {
        shell.line(format_args!("signed out {user}"))?;
    }
    for cache in &report.caches {
        shell.line(format_args!("removed the tickets in {cache}"))?;
    }
    match report.offline_caches_destroyed {
        0 => (),
        count => shell.line(format_args!(
            "destroyed {count} offline cache(s): without the cloud, no key opens this device any more"
        ))?,
    }
    Ok(exit)
}
