//! `tombolo nt-hash`: hands the NT hash of a session to programs that speak NTLM, and writes down that it did.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use data_encoding::{HEXLOWER, HEXUPPER};
use workstation::offline::NtHash;
use workstation::session::Session;
use zeroize::Zeroizing;

use super::agent;
use super::journal;
use super::state::{State, StateArgs};
use crate::io::{Exit, Failure, NewFile, Shell};

const HELP: &str = "\
The hash came with a key list (KERB-KEY-LIST), where the domain's policy and this device's allow it. It is as good as the
password: the file is its owner's alone, nothing is overwritten, and the device's journal says when it was handed out.

Examples:
  tombolo nt-hash --file hash                         smbclient --pw-nt-hash -U testuser%$(cat hash) //files/share
  tombolo nt-hash --file smbpasswd --form smbpasswd   NTLM_USER_FILE=smbpasswd curl --negotiate -u : http://old.corp/

Exit codes:
  0  written
  3  not written: no agent, no session, or the policy let no hash be kept";

/// Hand the session's NT hash to programs that know NTLM alone
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Command {
    /// The new file
    #[arg(long, value_name = "FILE")]
    file: PathBuf,

    /// How it is written
    #[arg(long, value_enum, default_value_t = Form::Hex)]
    form: Form,

    /// Whose, where the agent holds several sessions
    #[arg(long, value_name = "UPN")]
    user: Option<String>,

    #[command(flatten)]
    state: StateArgs,
}

/// How the file is written.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// 32 digits: what `smbclient --pw-nt-hash` takes for a password
    Hex,
    /// A line of smbpasswd(5): what gss-ntlmssp reads
    Smbpasswd,
}

/// Runs `tombolo nt-hash`.
pub(crate) fn run(command: &Command, shell: &mut Shell) -> Result<Exit, Failure> {
    let state = command.state.open(None)?;
    let purpose = format!("to {}", command.file.display());
    let (user, hash) = agent::nt_hash(&state, command.user.as_deref(), &purpose)?;
    let text = match command.form {
        Form::Hex => line(&hash),
        Form::Smbpasswd => {
            let account = user.split('@').next().unwrap_or(&user);
            let no_lm_hash = "X".repeat(32);
            let hash = Zeroizing::new(HEXUPPER.encode(hash.expose()));
            Zeroizing::new(format!(
                "{account}:0:{no_lm_hash}:{}:[U          ]:LCT-00000000:\n",
                *hash
            ))
        }
    };
    let path = NewFile::write(&command.file, text.as_bytes())?.keep();
    shell.line(format_args!(
        "the NT hash of {user} is in {}",
        path.display()
    ))?;
    Ok(Exit::Good)
}

/// Writes the hash of a session that has just begun.
pub(super) fn write(state: &State, session: &Session, path: &Path) -> Result<(), Failure> {
    let Some(hash) = session.nt_hash() else {
        return Ok(());
    };
    let detail = format!("to {}", path.display());
    let file = NewFile::write(path, line(hash).as_bytes())?;
    journal::tell(
        state.folder(),
        "ntHashReleased",
        &session.user().to_string(),
        &detail,
    )?;
    file.keep();
    Ok(())
}

fn line(hash: &NtHash) -> Zeroizing<String> {
    let hex = Zeroizing::new(HEXLOWER.encode(hash.expose()));
    Zeroizing::new(format!("{}\n", *hex))
}
