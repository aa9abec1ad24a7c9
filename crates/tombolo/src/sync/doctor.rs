//! `tombolo sync doctor`: what would go wrong, before anything is written.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use sync::connector::{Account, Permission, SchemaProbe};
use sync::mend::{Mend, Reason};
use sync::{Engine, Options};

use super::config::Config;
use super::{EXIT_CODES, Versioned, show};
use crate::io::{Exit, Failure, Shell, Tell, table};

/// Check permissions and schema, and show the lines that mend them
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Command {
    /// What to check; both without it
    what: Option<What>,

    /// Ask for everybody's permissions, not only for those who have a user in the cloud
    #[arg(long)]
    everybody: bool,

    /// Ask for the permissions on at most so many objects
    #[arg(long, value_name = "COUNT", default_value_t = 1000)]
    limit: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// May the connector account write what the rules fill?
    Permissions,
    /// Does the schema have what the rules fill?
    Schema,
}

#[derive(Serialize)]
struct Findings {
    account: Account,
    schema: SchemaProbe,
    lacks: Vec<String>,
    checked: usize,
    denied: Vec<Denied>,
    mends: Vec<Mend>,
}

#[derive(Serialize)]
struct Denied {
    name: String,
    attribute: String,
    reason: Reason,
}

pub(super) fn run(
    command: &Command,
    config: &Path,
    json: bool,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    let mut engine = Config::read(config)?.engine(Options::default())?;
    let progress = shell.progress("asking the directory", None);
    let findings = examine(command, &mut engine)?;
    drop(progress);
    if json {
        shell.json(&Versioned {
            format: "tombolo-sync-doctor/1",
            value: &findings,
        })?;
    } else {
        told(&findings, shell)?;
    }
    let healthy = findings.denied.is_empty() && findings.lacks.is_empty();
    Ok(Exit::Code(if healthy { 0 } else { 4 }))
}

fn examine(command: &Command, engine: &mut Engine) -> Result<Findings, Failure> {
    let (schema, account) = engine
        .probe_schema()
        .tell("the directory's schema cannot be read")?;
    let wanted = engine.rules().target_attributes();
    let mut findings = Findings {
        lacks: wanted.difference(&schema.present).cloned().collect(),
        account,
        schema,
        checked: 0,
        denied: Vec::new(),
        mends: Vec::new(),
    };
    if command.what == Some(What::Schema) {
        findings.denied.clear();
    } else {
        permissions(command, engine, &mut findings)?;
    }
    if command.what == Some(What::Permissions) {
        findings.lacks.clear();
    }
    let denied = findings
        .denied
        .iter()
        .map(|denied| (denied.reason, denied.attribute.clone()));
    let lacks = findings
        .lacks
        .iter()
        .map(|name| (Reason::SchemaTooOld, name.clone()));
    let mut reasons: Vec<(Reason, String)> = denied.chain(lacks).collect();
    reasons.sort();
    reasons.dedup();
    let mends = reasons
        .iter()
        .filter_map(|(reason, name)| Mend::of(*reason, name, &findings.account));
    findings.mends = mends.collect();
    Ok(findings)
}

fn permissions(
    command: &Command,
    engine: &mut Engine,
    findings: &mut Findings,
) -> Result<(), Failure> {
    let objects = engine
        .state()
        .directory_objects(!command.everybody, command.limit)
        .tell("the sync state cannot be read")?;
    let names: BTreeMap<_, _> = objects.iter().cloned().collect();
    let anchors: Vec<_> = names.keys().cloned().collect();
    findings.checked = anchors.len();
    let present: Vec<String> = findings.schema.present.iter().cloned().collect();
    for attribute in present {
        let answers = engine
            .probe_permissions(&anchors, &attribute)
            .tell("the permissions cannot be read")?;
        for (anchor, answer) in answers {
            let reason = match answer {
                Permission::Denied => Reason::NoRight,
                Permission::DeniedByProtection => Reason::ProtectedByAdminSdHolder,
                Permission::Granted | Permission::Gone | Permission::Unknown => continue,
            };
            let name = names
                .get(&anchor)
                .cloned()
                .unwrap_or_else(|| anchor.to_string());
            findings.denied.push(Denied {
                name,
                attribute: attribute.clone(),
                reason,
            });
        }
    }
    findings.denied.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(())
}

fn told(findings: &Findings, shell: &mut Shell) -> Result<(), Failure> {
    let sid = findings
        .account
        .sid
        .as_ref()
        .map_or_else(String::new, |sid| format!(" ({sid})"));
    shell.line(format!(
        "account: {}{sid}, {}",
        findings.account.name, findings.account.dn
    ))?;
    let version = findings
        .schema
        .version
        .map_or_else(|| "unknown".to_owned(), |v| v.to_string());
    let present: Vec<&str> = findings.schema.present.iter().map(String::as_str).collect();
    shell.line(format!(
        "schema: version {version}, has {}",
        present.join(", ")
    ))?;
    for name in &findings.lacks {
        shell.line(format!("schema: has no {name}"))?;
    }
    if findings.checked == 0 {
        shell.line(
            "permissions: no users are known in both systems yet; run `tombolo sync plan` first",
        )?;
    } else {
        let denied = findings.denied.len();
        shell.line(format!(
            "permissions: asked for {} objects, {denied} cannot be written",
            findings.checked
        ))?;
    }
    if !findings.denied.is_empty() {
        let mut rows = table(["Object", "Attribute", "Why not"]);
        for denied in &findings.denied {
            rows.add_row([
                denied.name.clone(),
                denied.attribute.clone(),
                denied.reason.to_string(),
            ]);
        }
        shell.line(rows)?;
    }
    findings
        .mends
        .iter()
        .try_for_each(|mend| show::mended(mend, shell))
}
