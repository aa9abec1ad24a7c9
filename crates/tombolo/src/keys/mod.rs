//! `tombolo keys`: what the values of `msDS-KeyCredentialLink` say.

mod rows;
mod show;

use crate::io::{Exit, Failure, Shell};

/// Decode and examine key credentials (msDS-KeyCredentialLink, searchableDeviceKey)
#[derive(Debug, clap::Args)]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Show(show::Command),
}

/// Runs the chosen subcommand.
pub(crate) fn run(command: Command, shell: &mut Shell) -> Result<Exit, Failure> {
    match command.action {
        Action::Show(command) => show::run(command, shell),
    }
}
