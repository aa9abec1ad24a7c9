//! `tombolo signin`: a security key signs in to the cloud, and the domain's ticket comes with it.

use std::path::PathBuf;

use comfy_table::Cell;
use kerberos::client::Credentials;
use serde::Serialize;
use types::{Clock, Guid, Timestamp};
use workstation::domain;
use workstation::offline::User;
use workstation::policy::NtHashPolicy;

use super::online::Online;
use super::settings::{Settings, SettingsArgs};
use super::{agent, device, keep, key, nt_hash, online, time};
use crate::io::{CacheArgs, Exit, Failure, OsEntropy, Shell, SystemClock, table};

const HELP: &str = "\
One touch of the key signs the cloud's nonce and, where the key has hmac-secret, opens the offline cache. The cloud
answers with a primary refresh token and a partial ticket; a domain controller exchanges that for the domain's own, which
goes into an ordinary credential cache: klist, kvno, smbclient, curl --negotiate and ldapsearch -Y GSSAPI use it.

The first time, the device joins the cloud: give the user's temporary access pass with --user and --pass-file, and where the
cloud is. The device remembers that. Where `tombolo agent` runs, it keeps the session fresh from then on.

Examples:
  tombolo signin --cloud https://login.corp.contoso.com --cloud-ca-file ca.pem --hidraw /dev/hidraw3 --pin-file pin \\
      --user testuser@corp.contoso.com --pass-file pass        join this device, and sign in
  tombolo signin                                           from then on: asks for the PIN, and for a touch
  tombolo signin --service cifs/files.corp.contoso.com     with a ticket for a service
  tombolo signin ... --key-list --nt-hash-file nt-hash         for servers that know NTLM alone, where the domain allows it

Exit codes:
  0  signed in, and the domain's ticket is in the cache
  1  signed in, but without a ticket of the domain: the last line says why
  3  not signed in: the cloud refused or cannot be reached, wrong PIN, no such key";

/// Sign in with a security key, and get the domain's tickets
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Command {
    #[command(flatten)]
    settings: SettingsArgs,

    #[command(flatten)]
    key: key::KeyArgs,

    #[command(flatten)]
    join: device::JoinArgs,

    /// A service to get a ticket for as well (again for more)
    #[arg(long, value_name = "CLASS/HOST")]
    service: Vec<String>,

    /// Ask the domain controller for the NT hash (KERB-KEY-LIST), this time: as `--nt-hash session`
    #[arg(long)]
    key_list: bool,

    /// Write the NT hash to this file, in hex; it is never shown
    #[arg(long, value_name = "FILE")]
    nt_hash_file: Option<PathBuf>,

    #[command(flatten)]
    cache: CacheArgs,

    /// Print JSON, format tombolo-signin/1
    #[arg(long)]
    json: bool,
}

/// What came of a sign-in.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    format: &'static str,
    user: String,
    device: Guid,
    joined_now: bool,
    primary_refresh_token_expires: Timestamp,
    /// The ticket granting ticket; absent where there is none.
    ticket: Option<Granted>,
    /// Why there is none.
    no_ticket: Option<String>,
    services: Vec<Granted>,
    /// Whether the NT hash came; never the hash.
    nt_hash: bool,
    cache: Option<String>,
    /// Until when the same key signs in here without the cloud.
    offline_until: Option<Timestamp>,
    /// Why it will not.
    no_offline: Option<String>,
    /// Whether an agent keeps the session fresh.
    agent: bool,
}

/// A ticket that was granted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Granted {
    service: String,
    ends: Timestamp,
}

/// Runs `tombolo signin`.
pub(crate) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let cache = command.cache.name()?;
    let state = command.join.state.open(command.join.seal.as_ref())?;
    let remembered = Settings::of(&state, &command.settings)?;
    let mut settings = remembered.clone();
    if command.key_list && settings.policy.nt_hash == NtHashPolicy::Never {
        settings.policy.nt_hash = NtHashPolicy::Session;
    }
    let pin = command.key.pin(shell)?;
    let progress = shell.progress("asking the cloud", None);
    let mut cloud = settings.cloud()?;
    let (joined, joined_now) =
        device::joined(&state, &command.join, &mut cloud, settings.origin())?;
    progress.label("asking the security key");
    let mut key = command.key.open_for(command.join.user())?;
    let is_wanted = |user: &User| match command.join.user() {
        Some(named) if !named.eq_ignore_ascii_case(&user.user_principal_name) => {
            Err(format!("the key signed in {user}, not {named}"))
        }
        _ => Ok(()),
    };
    let online = online::sign_in(&state, &settings, &mut key, &pin, &is_wanted, shell)?;
    progress.label("asking the domain controller");
    let Online {
        mut session,
        next_salt,
        can_be_kept,
        no_ticket,
    } = online;
    let now = SystemClock.now();
    let mut report = Report {
        format: "tombolo-signin/1",
        user: session.user().to_string(),
        device: joined.device.id(),
        joined_now,
        primary_refresh_token_expires: session.renewable_until().unwrap_or(now),
        ticket: None,
        no_ticket,
        services: Vec::new(),
        nt_hash: session.nt_hash().is_some(),
        cache: None,
        offline_until: None,
        no_offline: None,
        agent: false,
    };
    if let Some(granting) = session.granting(now) {
        report.ticket = Some(granted(&granting));
        let mut wire = settings.domain(session.user().realm.as_deref());
        for service in &command.service {
            let ticket = domain::service_ticket(&granting, service, &mut wire, now, &mut OsEntropy);
            match ticket {
                Ok(ticket) => {
                    report.services.push(granted(&ticket));
                    session.put(&ticket);
                }
                Err(error) => report.no_ticket = Some(format!("no ticket for {service}: {error}")),
            }
        }
    }
    if let Some(tickets) = session.tickets() {
        keep::tickets(&cache, tickets)?;
        report.cache = Some(cache.to_string());
    }
    if let (Some(path), Some(_)) = (&command.nt_hash_file, session.nt_hash()) {
        nt_hash::write(&state, &session, path)?;
    }
    match keep::offline(&state, &session, next_salt) {
        Ok(Some(until)) => report.offline_until = Some(until),
        Ok(None) => {
            debug_assert!(!can_be_kept);
            let why =
                "the security key has no hmac-secret; it cannot open this device without the cloud";
            report.no_offline = Some(why.to_owned());
        }
        Err(failure) => report.no_offline = Some(failure.to_string()),
    }
    remembered.keep(&state)?;
    report.agent = agent::hold(&state, &session, &settings, &cache)?;
    drop(progress);
    tell(&report, command.json, shell)
}

fn granted(credentials: &Credentials) -> Granted {
    Granted {
        service: credentials.part.sname.to_string(),
        ends: credentials.part.endtime.timestamp(),
    }
}

fn tell(report: &Report, json: bool, shell: &mut Shell) -> Result<Exit, Failure> {
    let exit = match report.no_ticket {
        None => Exit::Good,
        Some(_) => Exit::Look,
    };
    if json {
        shell.json(report)?;
        return Ok(exit);
    }
    let mut rows = table(["what", "until"]);
    rows.add_row([
        Cell::new("primary refresh token"),
        Cell::new(time(report.primary_refresh_token_expires)),
    ]);
    for ticket in report.ticket.iter().chain(&report.services) {
        rows.add_row([Cell::new(&ticket.service), Cell::new(time(ticket.ends))]);
    }
    if let Some(until) = report.offline_until {
        rows.add_row([
            Cell::new("sign-in here without the cloud"),
            Cell::new(time(until)),
        ]);
    }
    shell.line(format_args!("signed in as {}", report.user))?;
    shell.line(rows)?;
    if let Some(cache) = &report.cache {
        shell.line(format_args!("tickets in {cache}"))?;
    }
    if let Some(why) = &report.no_offline {
        shell.line(format_args!("no sign-in without the cloud: {why}"))?;
    }
    if report.agent {
        shell.line("the agent keeps all of it fresh")?;
    }
    if let Some(why) = &report.no_ticket {
        shell.line(format_args!("no ticket of the domain: {why}"))?;
    }
    Ok(exit)
}
