//! `tombolo status`: what is held, until when, and what works now.

use comfy_table::Cell;
use kerberos::client::{PasswordSignIn, Principal};
use machine::ccache::CacheName;
use serde::Serialize;
use types::{Clock, Guid, Secret, Timestamp};
use workstation::cloud;
use workstation::domain::DomainController as _;

use super::agent::{self, SessionStatus};
use super::settings::Settings;
use super::state::StateArgs;
use super::time;
use crate::io::{CacheArgs, Exit, Failure, OsEntropy, Shell, SystemClock, table};

const HELP: &str = "\
The cloud is asked for a nonce and the domain controller what a sign-in would need, to see whether they answer; --no-probe
leaves them alone. Everything else is read here: the agent's memory, the credential cache, the device's directory.

Examples:
  tombolo status
  tombolo status --json --no-probe | jq .works

Exit codes:
  0  signed in, and tickets for services can be had now
  1  something is missing: no ticket, or nobody who gives one
  3  the state cannot be read";

/// Show what is held, until when, and what works now
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Command {
    /// Do not ask the cloud and the domain controller whether they are there
    #[arg(long)]
    no_probe: bool,

    #[command(flatten)]
    state: StateArgs,

    #[command(flatten)]
    cache: CacheArgs,

    /// Print JSON, format tombolo-status/1
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    format: &'static str,
    at: Timestamp,
    device: Option<Guid>,
    /// What the agent holds; absent where there is none.
    agent: Option<Vec<SessionStatus>>,
    cache: String,
    /// The tickets in the credential cache that still work.
    tickets: Vec<Ticket>,
    offline: Vec<Offline>,
    /// Absent where nobody asked, or nobody knows where it is.
    cloud_answers: Option<bool>,
    domain_answers: Option<bool>,
    works: Vec<Works>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ticket {
    service: String,
    ends: Timestamp,
    renewable_until: Option<Timestamp>,
    /// A ticket granting ticket.
    is_granting: bool,
}

/// What a key can open here.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Offline {
    user: String,
    written: Timestamp,
    usable_until: Timestamp,
}

/// Something that a user may want to do.
#[derive(Serialize)]
struct Works {
    what: &'static str,
    now: bool,
    why: String,
}

/// Runs `tombolo status`.
pub(crate) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let state = command.state.open(None)?;
    let name = command.cache.name()?;
    let joined = state.joined()?;
    let settings = Settings::remembered(&state)?;
    let now = SystemClock.now();
    let mut report = Report {
        format: "tombolo-status/1",
        at: now,
        device: joined.map(|joined| joined.device.id()),
        agent: agent::status(&state)?,
        cache: name.to_string(),
        tickets: tickets(&name, now, shell),
        offline: Vec::new(),
        cloud_answers: None,
        domain_answers: None,
        works: Vec::new(),
    };
    for cache in state.offline_caches(shell)? {
        let header = cache.header();
        report.offline.push(Offline {
            user: header.display_name.clone(),
            written: header.written_at,
            usable_until: header.usable_until,
        });
    }
    if let Some(settings) = settings.filter(|_| !command.no_probe) {
        let progress = shell.progress("asking the cloud and the domain controller", None);
        let mut wire = settings.cloud()?;
        report.cloud_answers = Some(cloud::nonce(&mut wire).is_ok());
        let principal = name.load().ok().flatten();
        if let Some(principal) = principal.map(|cache| cache.default_principal) {
            report.domain_answers = Some(domain_answers(&settings, &principal));
        }
        drop(progress);
    }
    report.works = works(&report, now);
    tell(&report, command.json, shell)
}

fn tickets(name: &CacheName, now: Timestamp, shell: &Shell) -> Vec<Ticket> {
    let cache = match name.load() {
        Ok(cache) => cache,
        Err(error) => {
            shell.note(format_args!("{name}: {error}"));
            None
        }
    };
    let Some(cache) = cache else {
        return Vec::new();
    };
    let realm = &cache.default_principal.realm;
    let works = cache.tickets().filter(|ticket| ticket.endtime > now);
    works
        .map(|ticket| Ticket {
            service: ticket.server.name.to_string(),
            ends: ticket.endtime,
            renewable_until: (ticket.renew_till > ticket.endtime).then_some(ticket.renew_till),
            is_granting: ticket.is_granting(realm),
        })
        .collect()
}

/// Asks as `kinit` does first, without a proof: the answer is a demand for one, or any other.
fn domain_answers(settings: &Settings, principal: &Principal) -> bool {
    let nothing = Secret::new(String::new());
    let now = SystemClock.now();
    let begun = PasswordSignIn::begin(principal, nothing, now, &mut OsEntropy);
    let mut wire = settings.domain(principal.realm.as_str());
    begun.is_ok_and(|(_, request)| wire.ask(&request).is_ok())
}

fn works(report: &Report, now: Timestamp) -> Vec<Works> {
    let sessions = report.agent.as_deref().unwrap_or_default();
    let granting = report.tickets.iter().find(|ticket| ticket.is_granting);
    let services = report
        .tickets
        .iter()
        .filter(|ticket| !ticket.is_granting)
        .count();
    let offline = report.offline.iter().find(|it| it.usable_until > now);
    let answers = |answers: Option<bool>, who: &str| match answers {
        Some(true) => format!("{who} answers"),
        Some(false) => format!("{who} does not answer"),
        None => format!("{who} was not asked"),
    };
    let cloud = report.cloud_answers.unwrap_or(true);
    let domain = report.domain_answers.unwrap_or(true);
    let token = sessions.iter().find(|session| {
        session
            .primary_refresh_token_expires
            .is_some_and(|at| at > now)
    });
    let hash = sessions.iter().any(|session| session.nt_hash);
    vec![
        Works {
            what: "sign-in with a key, at the cloud",
            now: report.device.is_some() && cloud,
            why: answers(report.cloud_answers, "the cloud"),
        },
        Works {
            what: "sign-in with a key, without the cloud",
            now: offline.is_some(),
            why: match offline {
                Some(offline) => format!(
                    "the offline cache opens until {}",
                    time(offline.usable_until)
                ),
                None => "no offline cache that still opens".to_owned(),
            },
        },
        Works {
            what: "services whose tickets are at hand",
            now: services > 0,
            why: format!("{services} in the cache"),
        },
        Works {
            what: "tickets for other services",
            now: granting.is_some() && domain,
            why: match granting {
                Some(_) => answers(report.domain_answers, "the domain controller"),
                None => "no ticket granting ticket".to_owned(),
            },
        },
        Works {
            what: "a fresh ticket granting ticket, without a touch",
            now: token.is_some() && cloud && domain,
            why: match token {
                Some(_) => format!(
                    "{}, {}",
                    answers(report.cloud_answers, "the cloud"),
                    answers(report.domain_answers, "the domain controller")
                ),
                None => "no session in an agent".to_owned(),
            },
        },
        Works {
            what: "servers that know NTLM alone",
            now: hash,
            why: match hash {
                true => "the session has the NT hash (`tombolo nt-hash`)".to_owned(),
                false => "no NT hash is held".to_owned(),
            },
        },
    ]
}

fn tell(report: &Report, json: bool, shell: &mut Shell) -> Result<Exit, Failure> {
    let can = report
        .works
        .iter()
        .find(|it| it.what == "tickets for other services");
    let exit = match can {
        Some(works) if works.now => Exit::Good,
        _ => Exit::Look,
    };
    if json {
        shell.json(report)?;
        return Ok(exit);
    }
    match report.device {
        Some(device) => shell.line(format_args!("device {device}"))?,
        None => shell.line("this device has not joined a cloud")?,
    }
    let mut rows = table(["what is held", "until", "how"]);
    for session in report.agent.as_deref().unwrap_or_default() {
        let how = match (&session.why, session.cloud_silent_until, &session.last) {
            (Some(why), _, _) => why.clone(),
            (None, Some(_), _) => {
                format!("the cloud is silent since {}", time(session.last_online))
            }
            (None, None, Some(last)) => last.clone(),
            (None, None, None) => "held by the agent".to_owned(),
        };
        rows.add_row([
            Cell::new(format!("session of {}", session.user)),
            Cell::new(
                session
                    .primary_refresh_token_expires
                    .map(time)
                    .unwrap_or_default(),
            ),
            Cell::new(how),
        ]);
    }
    for ticket in &report.tickets {
        let how = match ticket.renewable_until {
            Some(until) => format!("renewable until {}", time(until)),
            None => String::new(),
        };
        rows.add_row([
            Cell::new(&ticket.service),
            Cell::new(time(ticket.ends)),
            Cell::new(how),
        ]);
    }
    for offline in &report.offline {
        rows.add_row([
            Cell::new(format!("offline cache of {}", offline.user)),
            Cell::new(time(offline.usable_until)),
            Cell::new(format!(
                "opened by a touch; written {}",
                time(offline.written)
            )),
        ]);
    }
    shell.line(rows)?;
    let mut works = table(["what works now", "", "because"]);
    for row in &report.works {
        let mark = if row.now { "yes" } else { "no" };
        works.add_row([Cell::new(row.what), Cell::new(mark), Cell::new(&row.why)]);
    }
    shell.line(works)?;
    if report.agent.is_none() {
        shell.line("no agent runs: nothing is renewed in the background (`tombolo agent`)")?;
    }
    Ok(exit)
}
