//! `tombolo key`: any security key, seen and looked after.

pub(crate) mod act;

use serde::Serialize;

use crate::io::{EXIT_CODES, Exit, Failure, Shell, table};
use crate::softkey::pin::NewPin;
use crate::softkey::show;
use crate::workstation::key::KeyArgs;
use crate::workstation::key::register::{self, Register};
use act::{CredentialId, Names, Opened, refused};

const EXAMPLES: &str = "\
Examples:
  tombolo key find                              what is plugged in, and whether it can unlock without the cloud
  tombolo key touch                             all keys blink: the touched one is named
  tombolo key register --user testuser@corp.contoso.com --pass-file pass --cloud https://…
  tombolo key list --pin-file pin               which accounts are on the key
  tombolo key rename 0a1b… --name ada@corp.contoso.com --pin-file pin
  tombolo key list --softkey 127.0.0.1:8690     a software key that is served

Without --hidraw and --softkey every key on USB is looked at; of several, touch the one that is meant.";

/// Any security key: find it, see what it holds, set its PIN
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"))]
pub(crate) struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// List the keys on USB; nothing is asked of them
    Find(Find),
    /// Wait for a touch, and say which key was touched
    Touch(Key),
    /// Show what the key is and what it can do
    Info(Key),
    Register(Register),
    /// List the credentials on the key; needs the PIN
    List(Key),
    /// Change the names in a credential; needs the PIN
    Rename(Rename),
    /// Delete one credential; needs the PIN
    Delete(Delete),
    /// Set the first PIN, or change it
    SetPin(SetPin),
    /// Forget all credentials and the PIN; possible only within ten seconds of inserting the key
    Reset(Reset),
}

#[derive(Debug, clap::Args)]
struct Find {
    /// Look below this directory instead of /sys
    #[arg(long, value_name = "DIR", default_value = "/sys")]
    sys: std::path::PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Key {
    #[command(flatten)]
    key: KeyArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Rename {
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    credential: CredentialId,
    #[command(flatten)]
    names: Names,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Delete {
    #[command(flatten)]
    key: KeyArgs,
    #[command(flatten)]
    credential: CredentialId,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct SetPin {
    #[command(flatten)]
    which: crate::workstation::key::Which,
    #[command(flatten)]
    pins: NewPin,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Reset {
    #[command(flatten)]
    which: crate::workstation::key::Which,
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
        Action::Find(find) => self::find(&find, shell),
        Action::Touch(touch) => self::touch(&touch, shell),
        Action::Info(show) => act::info(opened(&show.key)?, show.json, shell),
        Action::Register(command) => register::run(&command, shell),
        Action::List(list) => act::list(opened(&list.key)?, list.key.shown_pin(), list.json, shell),
        Action::Rename(rename) => act::rename(
            opened(&rename.key)?,
            &rename.credential,
            &rename.names,
            rename.key.shown_pin(),
            rename.json,
            shell,
        ),
        Action::Delete(delete) => act::delete(
            opened(&delete.key)?,
            &delete.credential,
            delete.key.shown_pin(),
            delete.json,
            shell,
        ),
        Action::SetPin(set) => {
            let (name, client) = set.which.open_named(None)?;
            act::set_pin((client, name), &set.pins, set.json, shell)
        }
        Action::Reset(reset) => self::reset(&reset, shell),
    }
}

fn opened(key: &KeyArgs) -> Result<Opened, Failure> {
    let (name, client) = key.open_named(None)?;
    Ok((client, name))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct FoundJson {
    device: String,
    name: String,
}

#[cfg(unix)]
fn find(find: &Find, shell: &mut Shell) -> Result<Exit, Failure> {
    let keys = crate::workstation::key::hidraw::find(&find.sys, std::path::Path::new("/dev"));
    if find.json {
        let keys: Vec<_> = keys
            .into_iter()
            .map(|key| FoundJson {
                device: key.node.display().to_string(),
                name: key.name,
            })
            .collect();
        shell.json(&serde_json::json!({ "format": "tombolo-key-find/1", "keys": keys }))?;
    } else if keys.is_empty() {
        shell.line("no security key is plugged in")?;
    } else {
        let mut rows = table(["Device", "Name", "State"]);
        for key in keys {
            let state = match key.open() {
                Ok(_) => "can be used".to_owned(),
                Err(failure) => failure.to_string(),
            };
            rows.add_row([key.node.display().to_string(), key.name, state]);
        }
        shell.line(rows)?;
    }
    Ok(Exit::Good)
}

#[cfg(not(unix))]
fn find(_: &Find, _: &mut Shell) -> Result<Exit, Failure> {
    Err(Failure::new("keys are found on Linux alone").next("name the key"))
}

fn touch(touch: &Key, shell: &mut Shell) -> Result<Exit, Failure> {
    let (name, mut client, is_touched) = touch.key.open_touched()?;
    if !is_touched {
        client
            .select()
            .map_err(refused(format!("{name} was not touched")))?;
    }
    match touch.json {
        true => shell.json(&serde_json::json!({ "format": "tombolo-key-touch/1", "key": name }))?,
        false => shell.line(name)?,
    }
    Ok(Exit::Good)
}

fn reset(reset: &Reset, shell: &mut Shell) -> Result<Exit, Failure> {
    if !reset.yes {
        return Err(Failure::new("the key was not reset")
            .why("a reset deletes every credential, every secret and the PIN")
            .next("add --yes to do it"));
    }
    let (name, mut client) = reset.which.open_named(None)?;
    client
        .reset()
        .map_err(refused(format!("could not reset {name}")))?;
    show::done(shell, reset.json, "reset", "the key is empty")?;
    Ok(Exit::Good)
}
