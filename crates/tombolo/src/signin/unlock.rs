//! `tombolo unlock`: the same key opens what a sign-in left here, without the cloud.

use std::path::PathBuf;

use comfy_table::Cell;
use kerberos::files::CredentialCache;
use serde::Serialize;
use types::{Clock, Entropy, Timestamp};
use workstation::joined::Joined;
use workstation::offline::{NewCache, Notice, OfflineCache, Unlocked};
use workstation::policy::{NtHashPolicy, OfflinePolicy};
use workstation::sign_in;

use super::cache_path;
use super::key::KeyArgs;
use super::state::{self, State};
use crate::io::{Exit, Failure, OsEntropy, Shell, SystemClock, Tell, table};

const HELP: &str = "\
One touch: the key computes the secret of the cache again (hmac-secret), and with this device's half it opens. Nothing is
asked of the cloud or the domain. Tickets that have not ended work as before; new ones need a domain controller.

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

    /// Where the device keeps its state; below XDG_STATE_HOME without it
    #[arg(long, value_name = "DIR", env = "TOMBOLO_WORKSTATION_STATE")]
    state: Option<PathBuf>,

    /// The credential cache; KRB5CCNAME, or FILE:/tmp/krb5cc_UID without it
    #[arg(long, value_name = "FILE")]
    cache: Option<PathBuf>,

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
    cache: Option<PathBuf>,
    nt_hash: bool,
    /// By so many seconds the clock was set back.
    clock_went_back_s: Option<i64>,
}

/// Runs `tombolo unlock`.
pub(crate) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let pin = command.key.pin(shell)?;
    let progress = shell.progress("touch your security key", None);
    let state = State::open(command.state.as_deref())?;
    let nothing = || {
        Failure::new("nothing is kept here that could be unlocked")
            .next("sign in once with `tombolo signin`, with a key that has hmac-secret")
    };
    let mut joined = state.joined()?.ok_or_else(nothing)?;
    let caches = state.offline_caches(shell)?;
    let newest = caches.iter().max_by_key(|cache| cache.header().written_at);
    let salt = newest.ok_or_else(nothing)?.header().salt;
    let allow = caches
        .iter()
        .map(|cache| cache.header().credential_id.clone());
    let mut challenge = [0; 32];
    OsEntropy.fill(&mut challenge);
    let mut key = command.key.open()?;
    let touch = sign_in::touch(&joined, &mut key, &pin, &challenge, allow.collect(), &salt)
        .tell("nobody is signed in")?;
    drop(progress);
    let no_secret =
        || Failure::new("nobody is signed in").why("this security key has no hmac-secret");
    let output = touch.secrets.ok_or_else(no_secret)?.first;
    let cache = caches
        .into_iter()
        .find(|cache| {
            cache.header().credential_id == touch.credential_id && cache.header().salt == salt
        })
        .ok_or_else(nothing)?;
    let now = SystemClock.now();
    let mut unlocked = cache
        .unlock(&output, &joined.device, now)
        .tell("nobody is signed in")?;
    let tickets = unlocked.record.tickets.expose();
    let path = command.cache.clone().unwrap_or_else(cache_path);
    let ends = ticket_ends(tickets).filter(|ends| *ends > now);
    if ends.is_some() {
        state::replace(&path, tickets)?;
    }
    // What this device has seen of time is kept, so that a clock that is set back later buys nothing.
    unlocked.record.last_seen = unlocked.record.last_seen.max(now);
    keep(&state, &mut joined, &cache, &unlocked, &output)?;
    let mut notices = unlocked.notices.iter();
    let report = Report {
        format: "tombolo-unlock/1",
        user: unlocked.record.user.to_string(),
        last_online: unlocked.record.last_online,
        usable_until: unlocked.usable_until,
        ticket_ends: ends,
        cache: ends.map(|_| path),
        nt_hash: unlocked.record.nt_hash.is_some(),
        clock_went_back_s: notices.next().map(|Notice::ClockWentBack { by_s }| *by_s),
    };
    tell(&report, command.json, shell)
}

/// When the ticket granting ticket of a cache ends.
fn ticket_ends(tickets: &[u8]) -> Option<Timestamp> {
    let cache = CredentialCache::decode(tickets).ok()?;
    let granting = cache.tickets().find(|ticket| {
        let parts = ticket.server.name.parts();
        matches!(parts.as_deref(), Some(["krbtgt", _]))
    });
    granting.map(|ticket| ticket.endtime)
}

/// Writes the cache again under the same secret, with the same end.
fn keep(
    state: &State,
    joined: &mut Joined,
    cache: &OfflineCache,
    unlocked: &Unlocked,
    output: &types::Secret<[u8; 32]>,
) -> Result<(), Failure> {
    let header = cache.header();
    let record = &unlocked.record;
    let policy = OfflinePolicy {
        usable_for_s: unlocked.usable_until.seconds_since(record.last_online),
        nt_hash: match record.nt_hash {
            Some(_) => NtHashPolicy::Sealed,
            None => NtHashPolicy::Never,
        },
        ..OfflinePolicy::default()
    };
    let new = NewCache {
        rp_id_hash: header.rp_id_hash,
        credential_id: &header.credential_id,
        public_key: &header.public_key,
        display_name: &header.display_name,
        salt: header.salt,
        record,
    };
    let now = record.last_seen;
    let sealed = new
        .seal(output, &joined.device, &policy, now, &mut OsEntropy)
        .tell("the offline cache cannot be written anew")?;
    state.keep_offline(&sealed)?;
    joined.device.wrote(sealed.credential, sealed.number);
    state.keep(joined)
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
    let time = |at: Timestamp| at.to_rfc3339().unwrap_or_default();
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
        Some(cache) => shell.line(format_args!("tickets in FILE:{}", cache.display()))?,
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
