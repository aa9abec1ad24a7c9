//! `tombolo keys`: what the values of `msDS-KeyCredentialLink` say, and who gets and loses one.

mod certificate;
mod change;
mod enroll;
mod owner;
mod public_key;
mod revoke;
mod rows;
mod show;

use crate::io::{Exit, Failure, Shell};

/// Decode, enrol and revoke key credentials (msDS-KeyCredentialLink, searchableDeviceKey)
#[derive(Debug, clap::Args)]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Enroll(enroll::Command),
    Revoke(revoke::Command),
    Show(show::Command),
}

/// Runs the chosen subcommand.
pub(crate) fn run(command: Command, shell: &mut Shell) -> Result<Exit, Failure> {
    match command.action {
        Action::Enroll(command) => enroll::run(&command, shell),
        Action::Revoke(command) => revoke::run(&command, shell),
        Action::Show(command) => show::run(command, shell),
    }
}
