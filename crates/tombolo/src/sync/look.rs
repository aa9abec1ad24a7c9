//! The subcommands that only look at the state: status, explain, receipts.

use std::path::Path;

use serde::Serialize;
use sync::{AttemptRow, Census, Outcome};
use types::Timestamp;

use super::config::Config;
use super::work::in_words;
use super::{EXIT_CODES, Versioned, show};
use crate::io::{Exit, Failure, Shell, Tell, counted};

/// Show how the last cycle ended and what is open
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Status {}

/// Show where each value of a person comes from, and what the rules make of it
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Explain {
    /// Distinguished name, account name, principal name, GUID, SID or source anchor
    #[arg(value_name = "USER")]
    who: String,
}

/// Print the receipts of written values as JSON Lines, for detection
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Receipts {
    /// The sequence number of the last receipt that you have
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    after: u64,

    /// At most so many
    #[arg(long, value_name = "COUNT", default_value_t = u32::MAX, hide_default_value = true)]
    limit: u32,
}

#[derive(Serialize)]
struct StatusReport {
    #[serde(flatten)]
    census: Census,
    last_cycle: Option<LastCycle>,
    failures: Vec<AttemptRow>,
}

#[derive(Serialize)]
struct LastCycle {
    cycle: u64,
    started: Timestamp,
    outcome: Outcome,
    added: u64,
    removed: u64,
    refused: u64,
}

pub(super) fn status(
    _: &Status,
    config: &Path,
    json: bool,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    let state = Config::read(config)?.state_to_read()?;
    let unreadable = "the sync state cannot be read";
    let last = state
        .last_report()
        .tell(unreadable)?
        .map(|report| LastCycle {
            cycle: report.cycle,
            started: report.started,
            outcome: report.outcome,
            added: report.apply.added,
            removed: report.apply.removed,
            refused: report.apply.refused + report.plan.summary.blocked,
        });
    let status = StatusReport {
        census: state.census().tell(unreadable)?,
        last_cycle: last,
        failures: state.failures().tell(unreadable)?,
    };
    if json {
        shell.json(&Versioned {
            format: "tombolo-sync-status/1",
            value: &status,
        })?;
    } else {
        told(&status, shell)?;
    }
    let refused = status
        .last_cycle
        .is_some_and(|last| last.outcome == Outcome::Refused);
    Ok(Exit::Code(if refused { 4 } else { 0 }))
}

fn told(status: &StatusReport, shell: &mut Shell) -> Result<(), Failure> {
    let census = &status.census;
    match &status.last_cycle {
        Some(last) => shell.line(format!(
            "cycle {} at {}: {}",
            last.cycle,
            last.started,
            in_words(last.outcome)
        ))?,
        None => shell.line("no cycle has ended yet")?,
    }
    shell.line(format!(
        "{} directory objects, {} cloud objects, {} persons, {} of them not in order",
        census.ad_objects, census.cloud_objects, census.persons, census.pending
    ))?;
    shell.line(format!(
        "{} receipts, {} writes not seen by an import yet, {} cloud objects that found nobody",
        census.receipts, census.unconfirmed, census.waiting
    ))?;
    for failure in &status.failures {
        shell.line(format!(
            "failing: {} of {}, {} in a row ({}): {}",
            failure.attribute,
            failure.anchor,
            counted(failure.failures, "time"),
            failure.reason,
            failure.message
        ))?;
    }
    Ok(())
}

pub(super) fn explain(
    command: &Explain,
    config: &Path,
    json: bool,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    let config = Config::read(config)?;
    let explained = sync::explain(&config.state_to_read()?, &config.rules()?, &command.who);
    let explained = explained.tell(format!("'{}' cannot be explained", command.who))?;
    if json {
        shell.json(&Versioned {
            format: "tombolo-sync-explanation/1",
            value: &explained,
        })?;
    } else {
        show::explanation(&explained, shell)?;
    }
    Ok(Exit::Code(0))
}

pub(super) fn receipts(
    command: &Receipts,
    config: &Path,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    let state = Config::read(config)?.state_to_read()?;
    let (mut after, mut left) = (command.after, command.limit);
    while left > 0 {
        let page = state
            .receipts(after, left.min(1000))
            .tell("the receipts cannot be read")?;
        let Some(last) = page.last() else { break };
        after = last.sequence;
        left = left.saturating_sub(u32::try_from(page.len()).unwrap_or(u32::MAX));
        for receipt in &page {
            shell.json_line(receipt)?;
        }
    }
    Ok(Exit::Code(0))
}
