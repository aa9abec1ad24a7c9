//! `tombolo sync`: carry registered keys from the cloud to the directory, and devices the other way, under rules, with a plan.

mod config;
mod doctor;
mod look;
mod rules;
mod show;
mod work;

use std::path::PathBuf;

use crate::io::{Exit, Failure, Shell};

const EXIT_CODES: &str = "\
Exit codes:
  0  done, or nothing to do
  1  an error: bad input, wrong usage, or something could not be reached
  2  changes are pending (plan), or there is drift (drift)
  3  a guard stopped the plan: it would delete more values than the rule allows
  4  a write was refused or is blocked; each is named, with the line that mends it";

const EXAMPLES: &str = "\
Examples:
  tombolo sync plan                     what would be written, what not, and why
  tombolo sync plan -o plan.json        the same, kept for review
  tombolo sync apply plan.json          exactly that plan
  tombolo sync run                      import, plan, apply and confirm in one go
  tombolo sync explain testuser         where each value of a person comes from
  tombolo sync doctor permissions       who could not be written, and the line that mends it
  tombolo sync receipts --after 120     what was written since, for detection

The configuration (sync.toml, --config or TOMBOLO_SYNC_CONFIG):
  [cloud]
  url = \"https://login.contoso.example:8443\"
  token_file = \"sync.token\"
  ca_file = \"ca.pem\"
  [directory]
  url = \"ldaps://dc1.corp.contoso.com\"
  bind_dn = \"CN=MSOL_sync,CN=Users,DC=corp,DC=contoso,DC=com\"
  password_file = \"sync.password\"
  ca_file = \"ca.pem\"
  [state]
  path = \"sync.sqlite\"
";

/// Carry registered keys to the directory and devices to the cloud, with a plan
#[derive(Debug, clap::Args)]
#[command(after_help = const_help())]
pub(crate) struct Command {
    /// The configuration; paths in it are relative to it
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        default_value = "sync.toml",
        env = "TOMBOLO_SYNC_CONFIG"
    )]
    config: PathBuf,

    /// Stable output for programs
    #[arg(long, global = true)]
    json: bool,

    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Run(work::Run),
    Plan(work::Plan),
    Apply(work::Apply),
    Status(look::Status),
    Explain(look::Explain),
    Drift(work::Drift),
    Doctor(doctor::Command),
    Receipts(look::Receipts),
    Rules(rules::Command),
}

fn const_help() -> String {
    format!("{EXAMPLES}\n{EXIT_CODES}")
}

/// The exit code of errors, wrong usage included: the codes above it each mean something else here.
pub(crate) const WRONG: u8 = 1;

/// Runs the chosen subcommand.
pub(crate) fn run(command: Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let ended = act(command, shell);
    ended.or_else(|failure| {
        shell.flush()?;
        shell.note(failure);
        Ok(Exit::Code(WRONG))
    })
}

fn act(command: Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let Command {
        config,
        json,
        action,
    } = command;
    match action {
        Action::Run(command) => work::run(&command, &config, json, shell),
        Action::Plan(command) => work::plan(&command, &config, json, shell),
        Action::Apply(command) => work::apply(&command, &config, json, shell),
        Action::Drift(command) => work::drift(&command, &config, json, shell),
        Action::Status(command) => look::status(&command, &config, json, shell),
        Action::Explain(command) => look::explain(&command, &config, json, shell),
        Action::Receipts(command) => look::receipts(&command, &config, shell),
        Action::Doctor(command) => doctor::run(&command, &config, json, shell),
        Action::Rules(command) => rules::run(&command, &config, json, shell),
    }
}

/// A result with the name of its format, so that programs notice when it changes.
#[derive(serde::Serialize)]
struct Versioned<'a, T: serde::Serialize> {
    format: &'static str,
    #[serde(flatten)]
    value: &'a T,
}
