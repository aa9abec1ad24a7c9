//! `tombolo detect`: a planted key or a legitimate writeback, and why.

mod evidence;
mod explain;
mod scan;
mod show;

use crate::io::{Exit, Failure, Shell};

/// Tell a legitimate writeback from a planted key, and say why
#[derive(Debug, clap::Args)]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Scan(scan::Command),
    Explain(explain::Command),
}

/// Runs the chosen subcommand.
pub(crate) fn run(command: Command, shell: &mut Shell) -> Result<Exit, Failure> {
    match command.action {
        Action::Scan(command) => scan::run(&command, shell),
        Action::Explain(command) => explain::run(&command, shell),
    }
}
