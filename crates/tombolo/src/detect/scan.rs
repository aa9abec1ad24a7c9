//! `tombolo detect scan`: verdicts on everything that change logs tell.

use std::path::PathBuf;

use ::detect::{Report, Word};

use super::evidence::Evidence;
use super::show;
use crate::io::{Exit, Failure, Shell};

/// Read change logs and judge every written, deleted or refused key credential
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Command {
    /// Change logs: the directory's own records, or Windows events as JSON or XML; `-` is stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    evidence: Evidence,

    /// Show legitimate changes as well, however many
    #[arg(long)]
    all: bool,

    /// Print one JSON document (tombolo-detect/1) instead of tables
    #[arg(long)]
    json: bool,
}

/// The exit codes of every command that gives verdicts.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0  nothing suspicious
  1  something suspicious
  2  a planted key
  3  input could not be read, or wrong usage";

/// More legitimate changes than this are counted instead of listed.
const LEGITIMATE_SHOWN_MAX: usize = 50;

pub(super) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let report = command.evidence.judge(&command.files, shell)?;
    if command.json {
        shell.json(&report)?;
    } else {
        for_people(command, &report, shell)?;
    }
    Ok(exit(&report))
}

/// The worst verdict decides; a scan that could read nothing is no clean bill of health.
pub(super) fn exit(report: &Report) -> Exit {
    match report.worst() {
        Some(Word::Planted) => Exit::Bad,
        Some(Word::Suspicious) => Exit::Look,
        _ if report.summary.broken_records > 0 => Exit::Failed,
        _ => Exit::Good,
    }
}

fn for_people(command: &Command, report: &Report, shell: &mut Shell) -> Result<(), Failure> {
    let is_short = command.all || report.summary.legitimate <= LEGITIMATE_SHOWN_MAX;
    let shown = report.verdicts.iter().filter(|verdict| {
        is_short || verdict.verdict.is_alarming() || verdict.verdict == Word::Unknown
    });
    if !report.verdicts.is_empty() {
        shell.line(show::table(shown))?;
    }
    for verdict in report
        .verdicts
        .iter()
        .filter(|verdict| verdict.verdict.is_alarming())
    {
        shell.line("")?;
        show::verdict(verdict, shell)?;
    }
    if !report.verdicts.is_empty() {
        shell.line("")?;
    }
    shell.line(show::summary(report))?;
    show::broken(report, shell);
    if !is_short {
        shell.note("legitimate changes are not listed; --all lists them");
    }
    Ok(())
}
