//! `tombolo lab`: the story, experiments, the house left running, and a command inside a network of its own.

mod files;
mod outage;
mod run;
mod shell;
mod show;
mod up;

use ::lab::story::{self, Moment};

use crate::io::{Exit, Failure, Shell, Tell};

const AFTER_HELP: &str = "\
Examples:
  tombolo lab                  play the story: 30 steps over real protocols, each checked, and the claims they show
  tombolo lab --json           the same as one JSON document (tombolo-lab/1)
  tombolo lab up               leave it running: addresses, credentials, commands to try
  tombolo lab up --ports auto  on free ports, beside whatever else runs here
  tombolo lab run --all        experiments: claims, each shown from more than one side
  tombolo lab outage           what works when the cloud or the domain controller is away, cell by cell
  tombolo lab shell            a shell in a network of its own: real ports, real names, kinit and ldapsearch just work

Exit codes:
  0  every step went as it should
  1  a step did not
  3  the house could not be built";

/// Play the story of written-back keys over real protocols and check every step
///
/// Starts a directory, a KDC, a cloud and a security key on loopback sockets of this machine, and does what an
/// administrator, a user and an intruder would do. Nothing is left behind.
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Option<Action>,

    /// Print one JSON document (tombolo-lab/1) instead of the narrated report
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Outage(outage::Command),
    Run(run::Command),
    Shell(shell::Command),
    Up(up::Command),
}

/// Runs the chosen subcommand; without one, plays the story.
pub(crate) fn run(command: Command, shell: &mut Shell) -> Result<Exit, Failure> {
    match command.action {
        Some(Action::Outage(outage)) => outage::run(&outage, shell),
        Some(Action::Run(run)) => run::run(&run, shell),
        Some(Action::Shell(inside)) => shell::run(&inside, shell),
        Some(Action::Up(up)) => up::run(&up, shell),
        None => play(command.json, shell),
    }
}

fn play(json: bool, shell: &mut Shell) -> Result<Exit, Failure> {
    let progress = shell.progress("building the house", None);
    let mut printed = Ok(());
    let report = story::play(&mut |moment| match moment {
        Moment::Building => (),
        Moment::Before { number, of, scene } => {
            progress.label(format!("step {number} of {of}: {}", scene.title));
        }
        Moment::After(step) if !json && printed.is_ok() => {
            printed = show::step(step, shell);
        }
        Moment::After(_) => (),
    });
    drop(progress);
    printed?;
    let report = report.tell("the house could not be built")?;
    if json {
        shell.json(&report)?;
    } else {
        show::summary(&report, shell)?;
    }
    Ok(if report.all_passed() {
        Exit::Good
    } else {
        Exit::Look
    })
}
