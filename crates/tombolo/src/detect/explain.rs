//! `tombolo detect explain`: the whole reasoning of one change, or the table of weights.

use std::path::PathBuf;

use ::detect::WEIGHTS;

use super::evidence::Evidence;
use super::{scan, show};
use crate::io::{self, Exit, Failure, Shell};

/// Show every reason of one change, or, without files, the table of weights
#[derive(Debug, clap::Args)]
#[command(after_help = scan::EXIT_CODES)]
pub(super) struct Command {
    /// Change logs, as for `scan`; none shows the table of weights
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Only the change with this record number
    #[arg(long, value_name = "NUMBER")]
    record: Option<u64>,

    #[command(flatten)]
    evidence: Evidence,

    /// Print one JSON document instead: tombolo-detect/1, or the rules
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    if command.files.is_empty() {
        return weights(command, shell);
    }
    let mut report = command.evidence.judge(&command.files, shell)?;
    // All changes were judged, since they explain each other; only the wanted ones are shown.
    report.verdicts.retain(|verdict| {
        command.record.is_none() || verdict.change.origin.record_id == command.record
    });
    if report.verdicts.is_empty() {
        let what = match command.record {
            Some(number) => format!("no change of a key credential has record number {number}"),
            None => "no change of a key credential in these files".to_owned(),
        };
        return Err(
            Failure::new(what).next("`tombolo detect scan --json` lists the record numbers")
        );
    }
    if command.json {
        shell.json(&report)?;
        return Ok(scan::exit(&report));
    }
    for (index, verdict) in report.verdicts.iter().enumerate() {
        if index > 0 {
            shell.line("")?;
        }
        show::verdict(verdict, shell)?;
    }
    show::broken(&report, shell);
    Ok(scan::exit(&report))
}

fn weights(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    if command.json {
        shell.json(&WEIGHTS)?;
        return Ok(Exit::Good);
    }
    let mut table = io::table(["Rule", "Weight", "Decides", "Meaning"]);
    for rule in WEIGHTS {
        let decides = rule
            .decides
            .map_or_else(String::new, |word| word.to_string());
        table.add_row([
            rule.id.to_owned(),
            format!("{:+}", rule.weight),
            decides,
            rule.meaning.to_owned(),
        ]);
    }
    shell.line(table)?;
    shell.line("From 60 on a change is planted, from 25 on suspicious, down to -40 unknown, and legitimate below.")?;
    Ok(Exit::Good)
}
