//! `tombolo completions SHELL`: what a shell needs to complete the command line.

use clap::CommandFactory;

use crate::Cli;
use crate::io::{Exit, Failure, Shell};

/// Print completions for a shell.
///
/// For example: `tombolo completions bash > ~/.local/share/bash-completion/completions/tombolo`
#[derive(Debug, clap::Args)]
pub(crate) struct Command {
    /// The shell to print them for
    shell: clap_complete::Shell,
}

/// Prints the completions.
pub(crate) fn run(command: Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(command.shell, &mut Cli::command(), "tombolo", &mut script);
    shell.bytes(&script)?;
    Ok(Exit::Good)
}
