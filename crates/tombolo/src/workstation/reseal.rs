//! `tombolo device reseal`: the same device, sealed by something else of the same machine.

use machine::seal::SealName;

use super::state::StateArgs;
use crate::io::{Exit, Failure, Shell};

const HELP: &str = "\
The device's keys, and its half of every offline cache, lie on the disk under a seal. A key file is a file beside them, so a
copy of the disk is a copy of the device; a TPM opens them on this machine alone. The old seal opens the state once more, the
new one closes it, and then the old seal's key is removed. What lay on the disk before may still be found on it: where that
matters, remove the device in the cloud and join again with `tombolo signin --seal tpm`.

A tombolo that was built with --features tombolo/tpm is needed for a TPM.

Examples:
  tombolo device reseal --seal tpm                                     by /dev/tpmrm0
  tombolo device reseal --seal tpm:swtpm:host=127.0.0.1,port=2321      by an emulator
  tombolo device reseal --seal key-file                                back, before a new mainboard

Exit codes:
  0  the device has that seal
  3  it keeps the one that it had";

/// This device, apart from who signs in
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    HybridJoin(Box<super::hybrid::HybridJoin>),
    Reseal(Reseal),
}

/// Seal this device by something else: a TPM, or a key file
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Reseal {
    /// The new seal: key-file, tpm, tpm:device:/dev/tpmrm0, tpm:swtpm:host=HOST,port=PORT
    #[arg(long, value_name = "SEAL")]
    seal: SealName,

    #[command(flatten)]
    state: StateArgs,
}

/// Runs `tombolo device`.
pub(crate) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let command = match command {
        Command::HybridJoin(command) => return super::hybrid::run(command, shell),
        Command::Reseal(command) => command,
    };
    let state = command.state.open(None)?;
    match state.reseal(&command.seal)? {
        true => shell.line(format_args!("sealed by {}", command.seal))?,
        false => shell.line(format_args!(
            "this device is sealed by its {} already",
            command.seal.kind()
        ))?,
    }
    Ok(Exit::Good)
}
