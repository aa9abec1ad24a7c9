//! `tombolo unlock`: the same key opens what a sign-in left here, without the cloud.

use std::path::PathBuf;

use comfy_table::Cell;
use serde::Serialize;
use types::{Clock, Timestamp};
use workstation::offline::Notice;
use workstation::session::NotOpened;

use super::key::KeyArgs;
use super::offline::{self, NotUnlocked};
use super::settings::Settings;
use super::state::StateArgs;
use super::{agent, journal, keep, nt_hash, time};
use crate::io::{CacheArgs, Exit, Failure, Shell, SystemClock, table};

const HELP: &str = "\
One touch: the key computes the secret of the cache again (hmac-secret), and with this device's half it opens. Nothing is
asked of the cloud or the domain. Tickets that have not ended work as before; new ones need a domain controller. Where
`tombolo agent` runs, it brings fresh ones as soon as the cloud and the domain are back.

Examples:
  tombolo unlock --hidraw /dev/hidraw3 --pin-file pin
  tombolo unlock --hidraw /dev/hidraw3 --json

Exit codes:
  0  unlocked, and the ticket of the domain still works
  1  unlocked, but there is no ticket that still works
  3  not unlocked: another key, another device, too long ago, or nothing was kept";

/// Open this device's offline cache with the security key, without the cloud
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Command {
    #[command(flatten)]
    key: KeyArgs,

    #[command(flatten)]
    state: StateArgs,

    /// Who signs in, where the key holds several accounts
    #[arg(long, value_name = "UPN")]
    user: Option<String>,

    /// Write the NT hash to this file, in hex, where the policy let it be kept; it is never shown
    #[arg(long, value_name = "FILE")]
    nt_hash_file: Option<PathBuf>,

    #[command(flatten)]
    cache: CacheArgs,

    /// Print JSON, format tombolo-unlock/1
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    format: &'static str,
    user: String,
    last_online: Timestamp,
    usable_until: Timestamp,
    /// The end of the last ticket granting ticket that still works.
    ticket_ends: Option<Timestamp>,
    cache: Option<String>,
    nt_hash: bool,
    /// By so many seconds the clock was set back.
    clock_went_back_s: Option<i64>,
    /// Whether an agent keeps the session fresh.
    agent: bool,
}

/// Runs `tombolo unlock`.
pub(crate) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let name = command.cache.name()?;
    let pin = command.key.pin(shell)?;
    let progress = shell.progress("asking the security key", None);
    let state = command.state.open(None)?;
    if state.joined()?.is_none() || state.offline_caches(shell)?.is_empty() {
        return Err(NotUnlocked::Shut(NotOpened::NothingKept).into());
    }
    let mut key = command.key.open_for(command.user.as_deref())?;
    let opened = offline::unlock(&state, &mut key, &pin, shell)?;
    drop(progress);
    let session = opened.session;
    let user = session.user().to_string();
    journal::tell(
        state.folder(),
        "unlockedWithoutCloud",
        &user,
        "by a security key",
    )?;
    let ends = session.granting(SystemClock.now());
    let ends = ends.map(|granting| granting.part.endtime.timestamp());
    if let (Some(tickets), Some(_)) = (session.tickets(), ends) {
        keep::tickets(&name, tickets)?;
    }
    // What this device has seen of time is kept, so that a clock that is set back later buys nothing.
    keep::offline(&state, &session, None)?;
    let agent = match Settings::remembered(&state)? {
        Some(settings) => agent::hold(&state, &session, &settings, &name)?,
        None => false,
    };
    if let (Some(path), Some(_)) = (&command.nt_hash_file, session.nt_hash()) {
        nt_hash::write(&state, &session, path)?;
    }
    let mut notices = opened.notices.iter();
    let report = Report {
        format: "tombolo-unlock/1",
        user,
        last_online: session.last_online(),
        usable_until: session.usable_until().unwrap_or(session.last_online()),
        ticket_ends: ends,
        cache: ends.map(|_| name.to_string()),
        nt_hash: session.nt_hash().is_some(),
        clock_went_back_s: notices.next().map(|Notice::ClockWentBack { by_s }| *by_s),
        agent,
    };
    tell(&report, command.json, shell)
}

fn tell(report: &Report, json: bool, shell: &mut Shell) -> Result<Exit, Failure> {
    let exit = match report.ticket_ends {
        Some(_) => Exit::Good,
        None => Exit::Look,
    };
    if json {
        shell.json(report)?;
        return Ok(exit);
    }
    let mut rows = table(["what", "until"]);
    rows.add_row([
        Cell::new("sign-in here without the cloud"),
        Cell::new(time(report.usable_until)),
    ]);
    if let Some(ends) = report.ticket_ends {
        rows.add_row([Cell::new("ticket of the domain"), Cell::new(time(ends))]);
    }
    shell.line(format_args!(
        "unlocked for {}, last online {}",
        report.user,
        time(report.last_online)
    ))?;
    shell.line(rows)?;
    match &report.cache {
        Some(cache) => shell.line(format_args!("tickets in {cache}"))?,
        None => shell.line(
            "no ticket still works: a domain controller and the cloud are needed for a new one",
        )?,
    }
    if let Some(by_s) = report.clock_went_back_s {
        shell.line(format_args!(
            "the clock was set back by {by_s} s; the later time counts"
        ))?;
    }
    Ok(exit)
}
