//! `tombolo softkey`: a software security key, served to other programs and looked after.
//!
//! Every subcommand but `serve` and `attestation-root` speaks CTAP to the key, so it works on a state
//! file and on a key that is being served alike.

pub(crate) mod pin;
mod serve;
pub(crate) mod show;
pub(crate) mod target;

use crate::io::{EXIT_CODES, Exit, Failure, Shell};
use crate::key::act::{self, CredentialId, Names};

use pin::{NewPin, ShownPin};
use target::{StateFile, Target};

const EXAMPLES: &str = "\
Examples:
  tombolo softkey serve --state key.json                     serve a key on 127.0.0.1:8690
  tombolo softkey serve --state key.json --unix key.sock     serve it on a unix socket
  tombolo softkey serve --state key.json --reader            lay it on pcscd's virtual reader
  tombolo softkey set-pin --connect 127.0.0.1:8690           set its PIN (asked for on the terminal)
  TOMBOLO_PIN=123456 tombolo softkey list --state key.json   what it holds
  tombolo softkey attestation-root --state key.json          what a relying party has to trust

PINs come from the terminal, from TOMBOLO_PIN, or from a file; never from the command line, where
other users of the machine could read them.

The key is meant for laboratories and tests: its secrets lie unencrypted in the state file, and with
`--touch auto` whoever reaches the socket can use what needs no PIN.";

/// A software security key: serve it, set its PIN, see what it holds
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Serve the key as raw 64-byte CTAPHID reports until the process is stopped
    Serve(serve::Serve),
    /// Show what the key is and whether its PIN is set
    Info(Show),
    /// Set the first PIN, or change it
    SetPin(SetPin),
    /// List the credentials on the key; needs the PIN
    List(List),
    /// Change the names in a credential; needs the PIN
    Rename(Rename),
    /// Delete one credential; needs the PIN
    Delete(Delete),
    /// Forget all credentials and the PIN
    Reset(Reset),
    /// Print the root certificate (PEM) of the key's attestation
    AttestationRoot(StateFile),
}

#[derive(Debug, clap::Args)]
struct Show {
    #[command(flatten)]
    target: Target,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct SetPin {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    pins: NewPin,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    pin: ShownPin,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Delete {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    pin: ShownPin,
    #[command(flatten)]
    credential: CredentialId,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Rename {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    pin: ShownPin,
    #[command(flatten)]
    credential: CredentialId,
    #[command(flatten)]
    names: Names,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Reset {
    #[command(flatten)]
    target: Target,
    /// Do it: everything on the key is lost
    #[arg(long)]
    yes: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Does what was asked.
pub(crate) fn run(command: Command, shell: &mut Shell) -> Result<Exit, Failure> {
    match command.action {
        Action::Serve(serve) => serve::run(serve, shell),
        Action::Info(show) => act::info(show.target.open()?, show.json, shell),
        Action::SetPin(set) => act::set_pin(set.target.open_or_make()?, &set.pins, set.json, shell),
        Action::List(list) => act::list(list.target.open()?, &list.pin, list.json, shell),
        Action::Rename(rename) => act::rename(
            rename.target.open()?,
            &rename.credential,
            &rename.names,
            &rename.pin,
            rename.json,
            shell,
        ),
        Action::Delete(delete) => act::delete(
            delete.target.open()?,
            &delete.credential,
            &delete.pin,
            delete.json,
            shell,
        ),
        Action::Reset(reset) => self::reset(&reset, shell),
        Action::AttestationRoot(file) => {
            let key = file.open_existing()?;
            shell.bytes(key.attestation_root_pem().as_bytes())?;
            Ok(Exit::Good)
        }
    }
}

fn reset(reset: &Reset, shell: &mut Shell) -> Result<Exit, Failure> {
    if !reset.yes {
        return Err(Failure::new("the key was not reset")
            .why("a reset deletes every credential, every secret and the PIN")
            .next("add --yes to do it"));
    }
    reset.target.reset()?;
    show::done(
        shell,
        reset.json,
        "reset",
        "the key is empty; its attestation stays",
    )?;
    Ok(Exit::Good)
}
