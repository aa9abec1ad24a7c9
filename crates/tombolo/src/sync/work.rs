//! The subcommands that work: run, plan, apply, drift.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use sync::plan::{Action, Coverage, ExportAction};
use sync::{CycleReport, Engine, Options, Outcome, Step};
use types::Clock;

use super::config::Config;
use super::{EXIT_CODES, Versioned, show};
use crate::io::{Exit, Failure, Shell, SystemClock, Tell, read_file, write_file};

/// Import, plan, apply and confirm
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Run {
    #[command(flatten)]
    import: Import,

    /// Overrule the guards on deleted values, for this run
    #[arg(long)]
    accept_deletes: bool,

    /// Do not ask for permissions first: let the directory refuse
    #[arg(long)]
    no_preflight: bool,
}

/// Import and plan; nothing is written to the directory
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Plan {
    #[command(flatten)]
    import: Import,

    /// Look at every person, not only at those that changed
    #[arg(long)]
    all: bool,

    /// Keep the plan in a file, for review and `sync apply`
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Apply a kept plan, exactly
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Apply {
    /// What `sync plan -o` wrote
    #[arg(value_name = "FILE")]
    plan: PathBuf,

    /// Overrule the guards on deleted values, for this run
    #[arg(long)]
    accept_deletes: bool,
}

/// Show values that nobody planned, and writes that no import has seen
#[derive(Debug, clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(super) struct Drift {
    #[command(flatten)]
    import: Import,
}

#[derive(Debug, clap::Args)]
struct Import {
    /// Read everything, not only changes
    #[arg(long)]
    full: bool,

    /// Believe a full import that misses many objects
    #[arg(long)]
    accept_missing: bool,
}

impl Import {
    fn options(&self) -> Options {
        Options {
            holder: format!("tombolo sync, process {}", std::process::id()),
            full: self.full,
            accept_missing: self.accept_missing,
            ..Options::default()
        }
    }
}

pub(super) fn run(
    command: &Run,
    config: &Path,
    json: bool,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    let options = Options {
        accept_deletes: command.accept_deletes,
        preflight: !command.no_preflight,
        ..command.import.options()
    };
    let mut engine = watched(Config::read(config)?.engine(options)?, shell);
    let report = engine.cycle(SystemClock.now());
    drop(engine);
    finish(&report.tell("the sync could not finish")?, json, shell)
}

pub(super) fn plan(
    command: &Plan,
    config: &Path,
    json: bool,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    let mut engine = watched(
        Config::read(config)?.engine(command.import.options())?,
        shell,
    );
    let coverage = if command.all {
        Coverage::All
    } else {
        Coverage::Pending
    };
    let report = engine.plan(coverage, SystemClock.now());
    drop(engine);
    let report = report.tell("the sync could not plan")?;
    if let Some(path) = &command.output {
        let mut text =
            serde_json::to_string_pretty(&report.plan).tell("could not write the plan")?;
        text.push('\n');
        write_file(path, text.as_bytes())?;
        shell.note(format!(
            "the plan is in {}; `tombolo sync apply {0}` applies exactly it",
            path.display()
        ));
    }
    finish(&report, json, shell)
}

pub(super) fn apply(
    command: &Apply,
    config: &Path,
    json: bool,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    let what = || format!("could not read the plan {}", command.plan.display());
    let text = String::from_utf8(read_file(&command.plan)?).tell(what())?;
    let plan = sync::Plan::from_json(&text).tell(what())?;
    let import = Import {
        full: false,
        accept_missing: false,
    };
    let options = Options {
        accept_deletes: command.accept_deletes,
        ..import.options()
    };
    let mut engine = watched(Config::read(config)?.engine(options)?, shell);
    let report = engine.apply(plan, SystemClock.now());
    drop(engine);
    finish(&report.tell("the plan could not be applied")?, json, shell)
}

pub(super) fn drift(
    command: &Drift,
    config: &Path,
    json: bool,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    let mut engine = watched(
        Config::read(config)?.engine(command.import.options())?,
        shell,
    );
    let report = engine
        .plan(Coverage::All, SystemClock.now())
        .tell("the sync could not plan")?;
    let census = engine
        .state()
        .census()
        .tell("the sync state cannot be read")?;
    drop(engine);
    let mut plan = report.plan;
    for object in &mut plan.objects {
        object.items.retain(|item| item.action == Action::Drift);
    }
    plan.objects.retain(|object| !object.items.is_empty());
    plan.exports
        .retain(|export| export.action == ExportAction::Drift);
    if json {
        #[derive(serde::Serialize)]
        struct Found<'a> {
            objects: &'a [sync::plan::ObjectPlan],
            #[serde(skip_serializing_if = "<[_]>::is_empty")]
            exports: &'a [sync::plan::ObjectExport],
            unconfirmed: u64,
        }
        let found = Found {
            objects: &plan.objects,
            exports: &plan.exports,
            unconfirmed: census.unconfirmed,
        };
        shell.json(&Versioned {
            format: "tombolo-sync-drift/1",
            value: &found,
        })?;
    } else {
        show::drift(&plan, census.unconfirmed, shell)?;
    }
    Ok(Exit::Code(if plan.is_empty() && census.unconfirmed == 0 {
        0
    } else {
        2
    }))
}

fn finish(report: &CycleReport, json: bool, shell: &mut Shell) -> Result<Exit, Failure> {
    if json {
        shell.json(&Versioned {
            format: "tombolo-sync-report/1",
            value: report,
        })?;
    } else {
        show::report(report, shell)?;
    }
    Ok(Exit::Code(report.outcome.exit_code()))
}

/// Has the engine say on stderr where it is.
pub(super) fn watched(mut engine: Engine, shell: &Shell) -> Engine {
    engine.set_clock(std::sync::Arc::new(SystemClock));
    let progress = shell.progress("connecting", None);
    engine.observe(Box::new(move |step| {
        if let Some(text) = told(step) {
            progress.label(text);
        }
        ControlFlow::Continue(())
    }));
    engine
}

fn told(step: Step<'_>) -> Option<String> {
    Some(match step {
        Step::Importing(connector) => format!("importing {connector}"),
        Step::Importing1000(connector, seen) => format!("importing {connector}: {seen} objects"),
        Step::Imported(connector, count) => {
            format!("{connector}: {} objects changed", count.changed)
        }
        Step::Synchronised(count) => format!("{} persons changed", count.changed),
        Step::Probing(objects) => format!("asking for permissions on {objects} objects"),
        Step::Planned(objects) => format!("planned: {objects} objects to write"),
        Step::Sent(done, total, name) => format!("{done}/{total} {name}"),
        Step::Confirmed(values) => format!("{values} values confirmed"),
        Step::Intent | Step::Outcome => return None,
    })
}

/// The outcome in words.
pub(super) const fn in_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unchanged => "nothing to do",
        Outcome::Applied => "done",
        Outcome::Pending => "changes are pending; `tombolo sync run` or `sync apply` writes them",
        Outcome::GuardStopped => "stopped by a guard; nothing was written",
        Outcome::Refused => "not everything could be written",
    }
}
