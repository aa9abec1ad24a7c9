//! The command line: a table of commands, each a module with `Command` and `run`.
//!
//! Together with `lab` this is the top floor: the only place that reads the clock, asks for randomness,
//! opens files and sockets, and looks at the environment.

#![expect(
    clippy::disallowed_methods,
    reason = "the top floor: time, randomness, files and the environment come in here"
)]

mod cloud;
mod completions;
mod detect;
mod io;
mod key;
mod keys;
mod lab;
mod softkey;
mod sync;
mod trust;
mod workstation;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::io::{Exit, Failure, Shell};

const ABOUT: &str =
    "Passkeys in the cloud, Kerberos on the ground, and the sand bar between them, in the open.";

const LONG_ABOUT: &str = "\
Passkeys in the cloud, Kerberos on the ground, and the sand bar between them, in the open.

Tombolo is the whole hybrid passwordless system (cloud identity provider, key writeback, AD-like
directory, security key, audit and detection) as real, interoperable software. Every part speaks the
real protocols, so real clients, real domain controllers and real logs can stand in for any of them.";

const EXAMPLES: &str = "\
Examples:
  tombolo lab                                   play the story and check every step
  tombolo lab run --all                         claims about signing in, each from more than one side
  tombolo lab up                                leave the house running, to try by hand
  tombolo signin --cloud https://… --hidraw …    a passkey signs in, and the domain's tickets come with it
  tombolo key find                              security keys that are plugged in, and whether they can be used
  tombolo keys show 'B:854:0002…:CN=Ada,DC=…'   decode one msDS-KeyCredentialLink value
  ldapsearch … | tombolo keys show -            decode all values in any text
  tombolo detect scan changes.jsonl             planted key or legitimate writeback, and why

Every command has its own --help with its exit codes; --json gives stable output for programs.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "tombolo", version, about = ABOUT, long_about = LONG_ABOUT, after_help = EXAMPLES)]
#[command(
    max_term_width = 110,
    disable_help_subcommand = true,
    arg_required_else_help = false
)]
pub(crate) struct Cli {
    /// Say more on stderr; twice for everything (or set TOMBOLO_LOG, for example `sync=debug`)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,

    /// No progress on stderr
    #[arg(short, long, global = true)]
    quiet: bool,

    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[cfg(unix)]
    Agent(workstation::agent::Command),
    Cloud(cloud::Command),
    Completions(completions::Command),
    #[command(subcommand)]
    Device(workstation::reseal::Command),
    Detect(detect::Command),
    Key(key::Command),
    Keys(keys::Command),
    Lab(lab::Command),
    #[cfg(target_os = "linux")]
    LoginHelper(workstation::login_helper::Command),
    NtHash(workstation::nt_hash::Command),
    Signin(workstation::signin::Command),
    Signout(workstation::signout::Command),
    Softkey(softkey::Command),
    Status(workstation::status::Command),
    Sync(sync::Command),
    Trust(trust::Command),
    Unlock(workstation::unlock::Command),
}

fn main() -> ExitCode {
    let cli = match parse() {
        Ok(cli) => cli,
        Err(exit) => return exit.into(),
    };
    start_log(cli.verbose);
    io::keep_files_private();
    let mut shell = Shell::new(!cli.quiet);
    let ended = run(cli, &mut shell).and_then(|exit| shell.flush().map(|()| exit));
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            // What was found before the failure still reaches the reader.
            drop(shell.flush());
            shell.note(failure);
            Exit::Failed.into()
        }
    }
}

fn run(cli: Cli, shell: &mut Shell) -> Result<Exit, Failure> {
    match cli.command {
        #[cfg(unix)]
        Some(Command::Agent(command)) => workstation::agent::run(&command, shell),
        Some(Command::Cloud(command)) => cloud::run(command, shell),
        Some(Command::Completions(command)) => completions::run(command, shell),
        Some(Command::Device(command)) => workstation::reseal::run(&command, shell),
        Some(Command::Detect(command)) => detect::run(command, shell),
        Some(Command::Key(command)) => key::run(command, shell),
        Some(Command::Keys(command)) => keys::run(command, shell),
        Some(Command::Lab(command)) => lab::run(command, shell),
        #[cfg(target_os = "linux")]
        Some(Command::LoginHelper(command)) => workstation::login_helper::run(&command, shell),
        Some(Command::NtHash(command)) => workstation::nt_hash::run(&command, shell),
        Some(Command::Signin(command)) => workstation::signin::run(&command, shell),
        Some(Command::Signout(command)) => workstation::signout::run(&command, shell),
        Some(Command::Status(command)) => workstation::status::run(&command, shell),
        Some(Command::Softkey(command)) => softkey::run(command, shell),
        Some(Command::Sync(command)) => sync::run(command, shell),
        Some(Command::Unlock(command)) => workstation::unlock::run(&command, shell),
        Some(Command::Trust(command)) => trust::run(command, shell),
        None => {
            shell.line(Cli::command().render_long_help())?;
            Ok(Exit::Good)
        }
    }
}

/// Reads the command line. Clap would end with 2 on wrong usage, which here means a planted key; and 3, which stands
/// for wrong usage elsewhere, means a guard under `sync`.
fn parse() -> Result<Cli, Exit> {
    let parsed = command()
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    parsed.map_err(|error| {
        // Nothing is left to do when even this cannot be printed.
        drop(error.print());
        if error.use_stderr() {
            usage_exit(std::env::args_os().skip(1))
        } else {
            Exit::Good
        }
    })
}

fn usage_exit(arguments: impl Iterator<Item = std::ffi::OsString>) -> Exit {
    let mut words = arguments.filter(|argument| !argument.as_encoded_bytes().starts_with(b"-"));
    if words.next().is_some_and(|word| word == "sync") {
        Exit::Code(sync::WRONG)
    } else {
        Exit::Failed
    }
}

/// The command line with the exit codes under each command's help.
fn command() -> clap::Command {
    Cli::command().mut_subcommands(|sub| {
        if sub.get_after_help().is_none() {
            sub.after_help(io::EXIT_CODES)
        } else {
            sub
        }
    })
}

/// Logs go to stderr: warnings only, unless asked for more.
fn start_log(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = io::environment("TOMBOLO_LOG").unwrap_or_else(|| level.to_owned());
    let filter = tracing_subscriber::EnvFilter::try_new(&filter)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(true)
        .compact()
        .init();
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_sound() {
        super::command().debug_assert();
    }
}
