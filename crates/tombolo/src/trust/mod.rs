//! `tombolo trust`: the Kerberos server object, by which a domain takes the cloud's tickets (cloud Kerberos trust).
//!
//! It is made of two directory objects: a computer that looks like a read-only domain controller, and its ticket granting
//! account, whose key the cloud mints with.

mod cloud;
mod create;
mod findings;
mod key;
mod names;
mod privileged;
mod probe;
mod publish;
mod remove;
mod rotate;
mod server_object;
mod show;
mod steps;
mod work;

use crate::io::{Exit, Failure, Shell};

/// Make, show, rotate and end the trust between a domain's KDC and the cloud
#[derive(Debug, clap::Args)]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    Create(create::Command),
    Show(show::Command),
    Rotate(rotate::Command),
    Publish(publish::Command),
    Remove(remove::Command),
}

/// Runs the chosen subcommand.
pub(crate) fn run(command: Command, shell: &mut Shell) -> Result<Exit, Failure> {
    match command.action {
        Action::Create(command) => create::run(&command, shell),
        Action::Show(command) => show::run(&command, shell),
        Action::Rotate(command) => rotate::run(&command, shell),
        Action::Publish(command) => publish::run(&command, shell),
        Action::Remove(command) => remove::run(&command, shell),
    }
}
