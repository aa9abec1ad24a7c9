//! `tombolo softkey serve`: the key on a socket until the process is stopped.

use std::io::{BufRead, IsTerminal};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use ::softkey::{Answer, Softkey, Touch};

use super::show;
use super::target::{self, StateFile};
use crate::io::{Exit, Failure, Shell, Tell};

/// Where the key is served unless told otherwise.
const LISTEN: &str = "127.0.0.1:8690";
/// Where vpcd waits for cards.
const READER: &str = "127.0.0.1:35963";

/// Serve the key.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    file: StateFile,
    /// Listen on this TCP address; port 0 takes a free one
    #[arg(long, value_name = "HOST:PORT", default_value = LISTEN)]
    listen: String,
    /// Listen on this unix socket instead
    #[cfg(unix)]
    #[arg(long, value_name = "PATH", conflicts_with = "listen")]
    unix: Option<PathBuf>,
    /// Lay the key on the virtual smart-card reader at this address instead (vsmartcard's vpcd, a driver of pcscd)
    #[arg(
        long,
        value_name = "HOST:PORT",
        num_args = 0..=1,
        default_missing_value = READER,
        conflicts_with = "listen"
    )]
    reader: Option<String>,
    /// Serve a key that does not know hmac-secret: it signs in, and cannot unlock anything without the cloud
    #[arg(long)]
    without_hmac_secret: bool,
    /// Who touches the key
    #[arg(long, value_enum, default_value_t = Toucher::Auto)]
    touch: Toucher,
    /// Print the address as one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Toucher {
    /// Every request counts as touched
    Auto,
    /// The Enter key of this terminal; `n` and Enter declines
    Enter,
}

pub(crate) fn run(serve: Serve, shell: &mut Shell) -> Result<Exit, Failure> {
    let touch = match serve.touch {
        Toucher::Auto => Touch::Auto,
        Toucher::Enter => touch_by_enter(shell)?,
    };
    let options = target::options()
        .touch(touch)
        .hmac_secret(!serve.without_hmac_secret);
    let key = target::open(&serve.file.state, options)?;
    if let Some(address) = &serve.reader {
        return serve_reader(&key, address, serve.json, shell);
    }
    #[cfg(unix)]
    if let Some(path) = serve.unix {
        return serve_unix(&key, &path, serve.json, shell);
    }
    let what = format!("could not listen on {}", serve.listen);
    let listener = TcpListener::bind(&serve.listen).tell(what.clone())?;
    let address = listener.local_addr().tell(what)?;
    if !address.ip().is_loopback() {
        shell.note(format!(
            "warning: {address} can be reached from other machines"
        ));
    }
    show::listening(shell, &address.to_string(), &key, serve.json)?;
    key.serve_all(
        || listener.accept().map(|(stream, _)| stream),
        &AtomicBool::new(false),
    )
    .tell(format!("could not go on listening on {address}"))?;
    Ok(Exit::Good)
}

fn serve_reader(
    key: &Softkey,
    address: &str,
    json: bool,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    let stream = TcpStream::connect(address).map_err(|error| {
        Failure::new(format!("there is no virtual reader at {address}"))
            .why(error)
            .next("start pcscd, with the package vsmartcard-vpcd installed")
    })?;
    let what = format!("the reader at {address} is gone");
    stream.set_nodelay(true).tell(what.clone())?;
    let mut said = Ok(());
    let mut is_noticed = false;
    let noticed = || {
        if !std::mem::replace(&mut is_noticed, true) {
            said = show::listening(shell, address, key, json);
        }
    };
    key.serve_reader(stream, noticed).tell(what)?;
    said?;
    Ok(Exit::Good)
}

#[cfg(unix)]
fn serve_unix(
    key: &Softkey,
    path: &std::path::Path,
    json: bool,
    shell: &mut Shell,
) -> Result<Exit, Failure> {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::{UnixListener, UnixStream};

    let what = format!("could not listen on {}", path.display());
    // A socket that nobody answers is left over from a process that was killed. The state file's lock
    // says that it was not serving this key.
    if path.exists() && UnixStream::connect(path).is_err() {
        std::fs::remove_file(path).tell(what.clone())?;
    }
    let listener = UnixListener::bind(path).tell(what.clone())?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).tell(what.clone())?;
    show::listening(shell, &path.display().to_string(), key, json)?;
    key.serve_all(
        || listener.accept().map(|(stream, _)| stream),
        &AtomicBool::new(false),
    )
    .tell(what)?;
    Ok(Exit::Good)
}

/// Lines of the terminal become touches. Lines typed before a touch was asked for do not count.
fn touch_by_enter(shell: &Shell) -> Result<Touch, Failure> {
    if !std::io::stdin().is_terminal() {
        shell.note("note: stdin is no terminal; each line of it counts as a touch");
    }
    let (lines, typed) = channel();
    std::thread::Builder::new()
        .name("softkey-touch".to_owned())
        .spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                if lines.send(line).is_err() {
                    return;
                }
            }
        })
        .tell("could not listen to the terminal")?;
    let mut asking = false;
    Ok(Touch::Ask(Box::new(move |patience| {
        if !std::mem::replace(&mut asking, true) {
            while typed.try_recv().is_ok() {}
            eprintln!("touch the key: press Enter, or type n and Enter to decline");
        }
        let answer = wait(&typed, patience);
        asking = answer == Answer::NotYet;
        answer
    })))
}

fn wait(typed: &Receiver<String>, patience: Duration) -> Answer {
    match typed.recv_timeout(patience) {
        Ok(line) if line.trim().eq_ignore_ascii_case("n") => Answer::Declined,
        Ok(_) => Answer::Touched,
        Err(RecvTimeoutError::Timeout) => Answer::NotYet,
        // Nobody is left at the terminal.
        Err(RecvTimeoutError::Disconnected) => Answer::Declined,
    }
}
