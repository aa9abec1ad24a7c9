//! `tombolo trust show`: what is there, and what is wrong with it.

use std::path::PathBuf;

use cloud_api::trust::PublishedServer;
use serde::Serialize;
use types::Clock;

use super::cloud::CloudArgs;
use super::findings::{self, Finding, Severity, Surroundings};
use super::key::ServerKey;
use super::privileged;
use super::probe::{Verdict, probe};
use super::server_object::ServerObject;
use super::work::Kdc;
use crate::io::{DirectoryArgs, Exit, Failure, Shell, SystemClock, table};

const HELP: &str = "\
Examples:
  tombolo trust show
  tombolo trust show --cloud https://login.contoso.example:8443 --cloud-token-file admin.token
  tombolo trust show --keytab krbtgt.keytab --kdc dc1.corp.contoso.com:88     and ask the KDC for the key
  tombolo trust show --json | jq '.findings[] | select(.severity != \"note\")'

Exit codes:
  0  nothing is wrong
  1  something is broken or dangerous: each line says what to do
  3  not done: wrong password, or something could not be reached";

/// Show the Kerberos server object, and what is wrong with it
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(super) struct Command {
    /// Days after which a key is too old
    #[arg(long, value_name = "DAYS", default_value_t = 180)]
    max_age: i64,

    /// Ask the KDC whether it has this key
    #[arg(long, value_name = "FILE")]
    keytab: Option<PathBuf>,

    #[command(flatten)]
    kdc: Kdc,

    /// Print JSON, format tombolo-trust/1
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    directory: DirectoryArgs,

    #[command(flatten)]
    cloud: CloudArgs,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    format: &'static str,
    #[serde(flatten)]
    object: ServerObject,
    /// What the cloud has; null where it has nothing, absent where none was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    cloud: Option<Option<PublishedServer>>,
    verdict: Option<Verdict>,
    findings: Vec<Finding>,
}

pub(super) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let progress = shell.progress("asking the directory", None);
    let mut connection = command.directory.connect()?;
    let object = ServerObject::read(&mut connection)?;
    let cloud = match command.cloud.connect(&command.directory)? {
        Some(cloud) => Some(cloud.published(&object.domain.dns_name)?),
        None => None,
    };
    let privileged = match &object.computer {
        Some(computer) => privileged::accounts(&mut connection, &object.domain, computer)?,
        None => Vec::new(),
    };
    let verdict = match &command.keytab {
        Some(path) => {
            progress.label("asking the KDC");
            let key = ServerKey::of_keytab(path, &object)?;
            let computer = object.computer.as_ref();
            let account = computer.map_or("", |computer| computer.account_name.as_str());
            let kdc = command.kdc.address(&connection);
            Some(probe(&kdc, &object.domain.realm, account, &key))
        }
        None => None,
    };
    drop(progress);
    let around = Surroundings {
        now: SystemClock.now(),
        age_days_max: command.max_age,
        privileged: &privileged,
        cloud: cloud.as_ref().map(Option::as_ref),
        verdict: verdict.as_ref(),
    };
    let findings = findings::judge(&object, &around);
    let is_well = findings
        .iter()
        .all(|finding| finding.severity == Severity::Note);
    let shown = Shown {
        format: "tombolo-trust/1",
        object,
        cloud,
        verdict,
        findings,
    };
    match command.json {
        true => shell.json(&shown)?,
        false => tell(&shown, shell)?,
    }
    Ok(if is_well { Exit::Good } else { Exit::Look })
}

fn tell(shown: &Shown, shell: &mut Shell) -> Result<(), Failure> {
    let object = &shown.object;
    shell.line(format!(
        "domain:   {} ({}, {})",
        object.domain.dns_name, object.domain.netbios_name, object.domain.sid
    ))?;
    if let Some(computer) = &object.computer {
        shell.line(format!("computer: {}", computer.dn))?;
        shell.line(format!(
            "          userAccountControl {:#x}",
            computer.account_control
        ))?;
        for (word, list) in [("allowed", &computer.allowed), ("denied", &computer.denied)] {
            for dn in list {
                shell.line(format!("{:<9} {dn}", format!("{word}:")))?;
            }
        }
    }
    if let Some(krbtgt) = &object.krbtgt {
        let number = |number: Option<u16>| number.map_or("none".to_owned(), |n| n.to_string());
        let set = krbtgt.key_set.and_then(types::Timestamp::to_rfc3339);
        shell.line(format!("account:  {} ({})", krbtgt.dn, krbtgt.account_name))?;
        shell.line(format!(
            "key:      number {}, version {}, set {}",
            number(krbtgt.number),
            number(krbtgt.version),
            set.unwrap_or_else(|| "never".to_owned())
        ))?;
    }
    match &shown.cloud {
        Some(Some(published)) => {
            let versions: Vec<String> = published
                .versions
                .iter()
                .map(|version| version.version.to_string())
                .collect();
            shell.line(format!(
                "cloud:    number {}, versions {}",
                published.server.number,
                versions.join(", ")
            ))?;
        }
        Some(None) => shell.line("cloud:    knows nothing of it")?,
        None => {}
    }
    if shown.verdict == Some(Verdict::Right) {
        shell.line("KDC:      opens tickets of the key at hand")?;
    }
    if shown.findings.is_empty() {
        return shell.line("nothing is wrong");
    }
    let mut rows = table(["", "What", "Next"]);
    for finding in &shown.findings {
        rows.add_row([
            finding.severity.word().to_owned(),
            finding.sentence.clone(),
            finding.next.clone(),
        ]);
    }
    shell.line(rows)
}
