//! `tombolo sync rules`: check rules, and print those that are shipped.

use std::path::{Path, PathBuf};

use serde::Serialize;
use sync::rules::{Rule, RuleSet, SHIPPED};

use super::config::{Config, read_rules};
use super::{EXIT_CODES, Versioned};
use crate::io::{Exit, Failure, Shell, table};

/// Check rules, list them, or print those that are shipped
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Check the rules and list them in order
    Lint {
        /// A file or a folder of rules; without it, what the configuration names
        path: Option<PathBuf>,
    },
    /// Print the shipped rules, to be copied and changed
    Shipped,
}

#[derive(Serialize)]
struct Linted<'a> {
    fingerprint: &'a str,
    rules: Vec<Listed<'a>>,
}

#[derive(Serialize)]
struct Listed<'a> {
    id: &'a str,
    description: &'a str,
    direction: sync::rules::Direction,
    connector: sync::Connector,
    precedence: u32,
    enabled: bool,
    flows: Vec<String>,
}

pub(super) fn run(
    command: &Command,
    config: &Path,
    json: bool,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    match &command.action {
        Action::Shipped => {
            for file in SHIPPED {
                shell.line(file.text.trim_end())?;
            }
        }
        Action::Lint { path } => {
            let folder = match path {
                Some(path) => Some(path.clone()),
                None if config.exists() => Config::read(config)?.rules_folder(),
                None => None,
            };
            list(&read_rules(folder.as_deref())?, json, shell)?;
        }
    }
    Ok(Exit::Code(0))
}

fn list(rules: &RuleSet, json: bool, shell: &mut Shell) -> Result<(), Failure> {
    let listed: Vec<Listed<'_>> = rules.rules().iter().map(listed).collect();
    if json {
        let linted = Linted {
            fingerprint: rules.fingerprint(),
            rules: listed,
        };
        return shell.json(&Versioned {
            format: "tombolo-sync-rules/1",
            value: &linted,
        });
    }
    let mut rows = table(["Rule", "Direction", "Precedence", "Flows", ""]);
    for rule in &listed {
        let direction = format!("{:?} {}", rule.direction, rule.connector).to_lowercase();
        let state = if rule.enabled { "" } else { "disabled" };
        let precedence = rule.precedence.to_string();
        rows.add_row([
            rule.id,
            direction.as_str(),
            &precedence,
            &rule.flows.join("\n"),
            state,
        ]);
    }
    shell.line(rows)?;
    shell.line(format!(
        "{} rules hold together (fingerprint {})",
        listed.len(),
        rules.fingerprint()
    ))
}

fn listed(rule: &Rule) -> Listed<'_> {
    let flows = rule.flows.iter().map(|flow| {
        let from = flow.transform.reads().join(", ");
        format!("{from} -> {}", flow.to)
    });
    Listed {
        id: &rule.id,
        description: &rule.description,
        direction: rule.direction,
        connector: rule.connector,
        precedence: rule.precedence,
        enabled: rule.enabled,
        flows: flows.collect(),
    }
}
