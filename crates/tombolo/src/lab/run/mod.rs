//! `tombolo lab run`: claims, each shown from more than one side.

mod experiment;
mod stage;

use std::time::Instant;

use comfy_table::Cell;
use serde::Serialize;

use crate::io::{Exit, Failure, Shell, table};
use experiment::{Experiment, SHIPPED};
use stage::Stage;

const AFTER_HELP: &str = "\
Each case gets a house of its own in which everything works: a security key is registered and synced, the Kerberos
server object is made and published, a device has joined. Then what the case says is done, by the commands that an
administrator would use, and the sign-in is tried.

An experiment is a file of TOML; those of the folder experiments/ come with the program, and a path names your own.

Examples:
  tombolo lab run                          the names of the experiments
  tombolo lab run synced-entry             one of them
  tombolo lab run --all                    all of them
  tombolo lab run --all --json             a list of objects: claim, direction, expected, seen

Exit codes:
  0  everything was as expected
  1  something was not
  3  an experiment could not be carried out";

/// Run experiments: claims about signing in, each shown from more than one side
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Command {
    /// Experiments, by name or file
    #[arg(value_name = "EXPERIMENT", conflicts_with = "all")]
    experiments: Vec<String>,

    /// All that come with the program
    #[arg(long)]
    all: bool,

    /// Print a JSON list
    #[arg(long)]
    json: bool,
}

/// One case as it was seen.
#[derive(Serialize)]
struct Outcome {
    experiment: String,
    claim: String,
    measured: String,
    direction: String,
    expected: String,
    seen: String,
    /// The sentence behind `seen`.
    detail: String,
    passed: bool,
    milliseconds: u64,
}

pub(super) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let names: Vec<&str> = match command.all {
        true => SHIPPED.iter().map(|(name, _)| *name).collect(),
        false => command.experiments.iter().map(String::as_str).collect(),
    };
    if names.is_empty() {
        return list(shell);
    }
    let progress = shell.progress("reading the experiments", None);
    let mut outcomes = Vec::new();
    for name in names {
        let experiment = Experiment::find(name)?;
        for case in &experiment.cases {
            progress.label(format!("{name}: {}", case.direction));
            let began = Instant::now();
            let mut stage = Stage::new()?;
            for step in &case.given {
                stage.take(*step)?;
            }
            let (seen, detail) = stage.attempt(case.attempt)?;
            outcomes.push(Outcome {
                experiment: name.to_owned(),
                claim: experiment.claim.clone(),
                measured: experiment.measured.clone(),
                direction: case.direction.clone(),
                expected: case.expected.clone(),
                passed: seen == case.expected,
                seen,
                detail,
                milliseconds: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            });
        }
    }
    drop(progress);
    match command.json {
        true => shell.json(&outcomes)?,
        false => tell(&outcomes, shell)?,
    }
    Ok(match outcomes.iter().all(|outcome| outcome.passed) {
        true => Exit::Good,
        false => Exit::Look,
    })
}

fn list(shell: &mut Shell) -> Result<Exit, Failure> {
    let mut rows = table(["experiment", "claim"]);
    for (name, _) in SHIPPED {
        rows.add_row([Cell::new(name), Cell::new(Experiment::find(name)?.claim)]);
    }
    shell.line(rows)?;
    shell.line("run one by its name, or all with --all")?;
    Ok(Exit::Good)
}

fn tell(outcomes: &[Outcome], shell: &mut Shell) -> Result<(), Failure> {
    let mut rows = table(["claim", "direction", "expected", "seen", ""]);
    let mut before = "";
    for outcome in outcomes {
        // A claim is said once.
        let claim = match outcome.claim == before {
            true => "",
            false => outcome.claim.as_str(),
        };
        before = &outcome.claim;
        let word = if outcome.passed { "ok" } else { "FAILED" };
        rows.add_row([
            claim,
            outcome.direction.as_str(),
            outcome.expected.as_str(),
            outcome.seen.as_str(),
            word,
        ]);
    }
    shell.line(rows)?;
    for outcome in outcomes.iter().filter(|outcome| !outcome.passed) {
        let (name, direction) = (&outcome.experiment, &outcome.direction);
        shell.line(format_args!("{name}, {direction}: {}", outcome.detail))?;
    }
    let passed = outcomes.iter().filter(|outcome| outcome.passed).count();
    let failed = outcomes.len() - passed;
    shell.line(format_args!("{passed} passed, {failed} failed"))
}
