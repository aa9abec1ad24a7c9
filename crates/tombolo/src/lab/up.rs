//! `tombolo lab up`: the house stays up until it is interrupted.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use ::lab::people::{self, CONNECTOR, INTRUDER, TEST_USER};
use ::lab::{House, Options, Ports};
use serde_json::json;
use types::Secret;

use crate::io::{Exit, Failure, Shell, SystemClock, Tell};
use crate::lab::files::{Files, append_records};

const AFTER_HELP: &str = "\
Leaves a directory, a KDC, a cloud and a security key running on loopback. The story's user has registered a key in
the cloud; no sync has run yet. The house's files (CA certificate, krb5.conf, tokens, the sync's configuration, the
logs of directory and KDC as they grow) are in a directory that is printed and that disappears when the house goes
down.

Examples:
  tombolo lab up                   LDAP 3890, LDAPS 6360, cloud 8443, security key 8450,
                                   KDC 8800, kpasswd 4640, KDC proxy 8844
  tombolo lab up --ports auto      free ports
  tombolo lab up --json            addresses and credentials as one JSON document

Ends with Ctrl-C or SIGTERM.";

/// Leave the house running: addresses, credentials, and commands to try
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Command {
    /// Which ports to listen on, on loopback
    #[arg(long, value_enum, default_value_t = PortChoice::Standard)]
    ports: PortChoice,

    /// Print addresses and credentials as one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum PortChoice {
    /// The documented ones
    Standard,
    /// Free ones
    Auto,
}

pub(super) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let progress = shell.progress("building the house", None);
    let options = Options {
        ports: match command.ports {
            PortChoice::Standard => Ports::STANDARD,
            PortChoice::Auto => Ports::AUTO,
        },
        ..Options::new(Arc::new(SystemClock))
    };
    let house = House::start(options).tell("the house could not be built")?;
    house
        .register_first_key()
        .tell("the first key could not be registered")?;
    let files = Files::write(&house)?;
    drop(progress);
    if command.json {
        shell.json(&document(&house, &files)?)?;
    } else {
        tell(&house, &files, shell)?;
    }
    shell.flush()?;
    stay(&house, &files, shell)
}

/// The commands that the last lines of the report show, in the order in which they tell something.
fn commands(house: &House, files: &Files) -> Result<[(&'static str, String); 5], Failure> {
    let user = house.account(TEST_USER).tell("the user is missing")?;
    let sync = files.sync.display();
    let tombolo = crate::io::own_name();
    Ok([
        (
            "carry the key to the directory",
            format!("{tombolo} sync run --config {sync}"),
        ),
        (
            "read it back and decode it",
            format!(
                "LDAPTLS_CACERT={} ldapsearch -LLL -x -H {} -D {} -w '{}' -b '{}' {} | {tombolo} keys show -",
                files.ca.display(),
                house.addresses().ldaps,
                TEST_USER.upn(house.dns_domain()),
                user.password.expose(),
                user.dn,
                "msDS-KeyCredentialLink"
            ),
        ),
        (
            "judge who wrote it",
            format!(
                "{tombolo} detect scan {} --connector {} --receipts <({tombolo} sync receipts --json --config {sync})",
                files.log.display(),
                house
                    .account(CONNECTOR)
                    .tell("the connector account is missing")?
                    .sid,
            ),
        ),
        (
            "sign in at the domain controller, and get a ticket for its LDAP service",
            format!(
                "export KRB5_CONFIG={} KRB5CCNAME={}; echo '{}' | kinit {} && kvno ldap/{} && klist",
                house.krb5_conf().display(),
                house.state().join("tickets").display(),
                user.password.expose(),
                TEST_USER.account,
                house.server(),
            ),
        ),
        (
            "read what the KDC said of it",
            format!("cat {}", house.kdc_log().path().display()),
        ),
    ])
}

fn credentials(house: &House) -> Result<Vec<(String, &Secret<String>)>, Failure> {
    let mut all = vec![house.administrator()];
    for person in people::PEOPLE {
        let account = house.account(person).tell("an account is missing")?;
        all.push((person.upn(house.dns_domain()), &account.password));
    }
    Ok(all)
}

fn tell(house: &House, files: &Files, shell: &mut Shell) -> Result<(), Failure> {
    let addresses = house.addresses();
    shell.line(format!(
        "The house is up: {}",
        house.dns_domain().to_uppercase()
    ))?;
    shell.line("")?;
    for (what, where_) in [
        ("directory", addresses.ldap.as_str()),
        ("", addresses.ldaps.as_str()),
        ("cloud", addresses.cloud.as_str()),
        ("security key", addresses.key.to_string().as_str()),
        ("CA certificate", files.ca.display().to_string().as_str()),
        ("KDC", addresses.kdc.to_string().as_str()),
        ("password change", addresses.kpasswd.to_string().as_str()),
        ("KDC proxy", addresses.kdc_proxy.as_str()),
        (
            "krb5.conf",
            house.krb5_conf().display().to_string().as_str(),
        ),
        ("audit log", files.log.display().to_string().as_str()),
        (
            "KDC's log",
            house.kdc_log().path().display().to_string().as_str(),
        ),
    ] {
        shell.line(format!("  {what:<16}{where_}"))?;
    }
    shell.line(format!("  {:<16}{}", "key's PIN", house.key_pin().expose()))?;
    shell.line("")?;
    for (name, password) in credentials(house)? {
        shell.line(format!("  {name:<34}{}", password.expose()))?;
    }
    let tokens = house.state().join("*.token");
    shell.line(format!(
        "  {:<34}{}",
        "cloud bearer tokens",
        tokens.display()
    ))?;
    let intruder = INTRUDER.account;
    shell.line(format!(
        "  ({intruder} may write keys, and nobody's sync should: plant one and see)"
    ))?;
    shell.line("")?;
    shell.line("Commands to try:")?;
    for (what, line) in commands(house, files)? {
        shell.line(format!("  # {what}\n  {line}"))?;
    }
    shell.line("")?;
    shell.line("Ctrl-C takes the house down.")
}

fn document(house: &House, files: &Files) -> Result<serde_json::Value, Failure> {
    let accounts: serde_json::Map<String, serde_json::Value> = credentials(house)?
        .into_iter()
        .map(|(name, password)| (name, json!(password.expose())))
        .collect();
    let commands = commands(house, files)?;
    Ok(json!({
        "format": "tombolo-lab-up/1",
        "realm": house.dns_domain().to_uppercase(),
        "addresses": house.addresses(),
        "caFile": files.ca,
        "stateDirectory": house.state(),
        "syncConfiguration": files.sync,
        "auditLog": files.log,
        "krb5Conf": house.krb5_conf(),
        "kdcLog": house.kdc_log().path(),
        "keyPin": house.key_pin().expose(),
        "accounts": accounts,
        "administratorToken": house.administrator_token().expose(),
        "syncToken": house.sync_token().expose(),
        "commands": commands.iter().map(|(_, line)| line).collect::<Vec<_>>(),
    }))
}

/// How often the audit log on disk catches up with the directory.
const LOG_EVERY: Duration = Duration::from_millis(500);

/// Appends the directory's audit records to the log file until the house is told to go down.
fn stay(house: &House, files: &Files, shell: &Shell) -> Result<Exit, Failure> {
    let (told, ends) = channel();
    house.on_interrupt(move || {
        // Nobody listens any more only when the house is going down already.
        let _ = told.send(());
    });
    let mut cursor = 0;
    loop {
        cursor = append_records(house, &files.log, cursor)?;
        match ends.recv_timeout(LOG_EVERY) {
            Err(RecvTimeoutError::Timeout) => (),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    shell.note("the house goes down");
    Ok(Exit::Good)
}
