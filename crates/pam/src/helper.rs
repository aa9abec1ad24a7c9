//! The helper as a process: nothing of the login program goes with it, its lines have an end, and so has the patience with it.

use std::io::{self, ErrorKind, Read};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::border::{self, ChildSignal};
use crate::conversation::{Broken, Wire};
use crate::options::Options;
use crate::protocol::{BadLine, FromHelper, LINE_MAX, ToHelper};

/// A helper at work. It is gone when this is.
pub struct Helper {
    child: Child,
    stream: UnixStream,
    /// What was heard and not read yet. Its memory is taken once, so that no copy of a session stays behind.
    heard: Zeroizing<Vec<u8>>,
    patience: Duration,
    // After the child has been waited for, the login program gets its own way with its children back.
    _signal: ChildSignal,
}

impl Helper {
    /// Starts the helper.
    pub fn start(options: &Options) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_write_timeout(Some(options.patience))?;
        let mut command = Command::new(&options.helper);
        command
            .arg("login-helper")
            .arg("--config")
            .arg(&options.config)
            .arg("--state")
            .arg(&options.state)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs.try_clone()?)))
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::null());
        // A program that root's power was lent to (su, sudo) is still somebody else's; the helper is wholly root's.
        if border::is_root() {
            command.uid(0).gid(0);
        }
        border::close_files_of_others(&mut command);
        let signal = ChildSignal::ours();
        let child = command.spawn()?;
        // `command` holds their end of the pair: with it, the end of the helper would not be heard.
        drop(command);
        Ok(Self {
            child,
            stream: ours,
            heard: Zeroizing::new(Vec::with_capacity(LINE_MAX + CHUNK)),
            patience: options.patience,
            _signal: signal,
        })
    }

    /// Hears more. `false` is the end.
    fn hear_more(&mut self, until: Instant) -> Result<bool, Broken> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Broken::Silent);
            }
            let unreachable = |error: io::Error| Broken::Unreachable(error.kind());
            self.stream
                .set_read_timeout(Some(left))
                .map_err(unreachable)?;
            match read_into(&mut self.stream, &mut self.heard) {
                Ok(count) => return Ok(count > 0),
                // The login program's own signals are no reason to stop.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return Err(Broken::Silent);
                }
                // It went away with something of ours unread.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ok(false),
                Err(error) => return Err(unreachable(error)),
            }
        }
    }
}

/// Bytes that are heard at once.
const CHUNK: usize = 8 * 1024;
/// A helper that has said its last line may clean up so long.
const FAREWELL: Duration = Duration::from_secs(2);

/// Reads behind what is there, without growing the memory.
fn read_into(stream: &mut UnixStream, heard: &mut Vec<u8>) -> io::Result<usize> {
    let old = heard.len();
    heard.resize(old + CHUNK, 0);
    let read = stream.read(heard.get_mut(old..).unwrap_or_default());
    heard.truncate(old + read.as_ref().map_or(0, |count| *count));
    read
}

impl Wire for Helper {
    fn hear(&mut self) -> Result<FromHelper, Broken> {
        let until = Instant::now() + self.patience;
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line = self.heard.get(..end).unwrap_or_default();
                let said = FromHelper::parse(line).map_err(Broken::Bad);
                let rest = self.heard.len() - end - 1;
                self.heard.copy_within(end + 1.., 0);
                self.heard.truncate(rest);
                return said;
            }
            if self.heard.len() > LINE_MAX {
                return Err(Broken::Bad(BadLine("a line that does not end")));
            }
            if !self.hear_more(until)? {
                return Err(Broken::Ended);
            }
        }
    }

    fn say(&mut self, line: &ToHelper) -> Result<(), Broken> {
        let mut left = line.expose().as_bytes();
        while !left.is_empty() {
            match border::send(self.stream.as_fd(), left) {
                Ok(count) => left = left.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Err(Broken::Silent),
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return Err(Broken::Ended),
                Err(error) => return Err(Broken::Unreachable(error.kind())),
            }
        }
        Ok(())
    }

    /// Its result is known; it may still take its files with it, and is ended if it does not.
    fn finish(mut self: Box<Self>) {
        let _ = self.stream.shutdown(Shutdown::Write);
        let until = Instant::now() + FAREWELL;
        self.heard.clear();
        while let Ok(true) = self.hear_more(until) {
            self.heard.clear();
        }
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // Both fail only where it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
