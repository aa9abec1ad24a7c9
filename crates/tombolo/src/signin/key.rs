//! The security key: a hidraw device, or a software key on a socket.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use ctap::Pin;

use crate::io::{Failure, OsEntropy, Shell, Tell};
use crate::softkey::pin::ShownPin;
use crate::softkey::target::Stream;

/// Which key, and its PIN.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Security key")]
pub(super) struct KeyArgs {
    /// A security key on USB: /dev/hidraw3
    #[arg(long, value_name = "DEVICE", conflicts_with = "softkey")]
    hidraw: Option<PathBuf>,

    /// A software key that `tombolo softkey serve` or the lab serves: 127.0.0.1:8690
    #[arg(long, value_name = "ADDRESS", env = "TOMBOLO_SOFTKEY_ADDRESS")]
    softkey: Option<String>,

    #[command(flatten)]
    pin: ShownPin,
}

/// A person has so long to touch the key.
const TOUCH: Duration = Duration::from_secs(60);

impl KeyArgs {
    /// Opens the key.
    pub(super) fn open(&self) -> Result<ctap::Client<Box<dyn Stream>>, Failure> {
        let (name, stream): (String, Box<dyn Stream>) = match (&self.hidraw, &self.softkey) {
            (Some(path), _) => {
                let what = format!("the security key at {} cannot be opened", path.display());
                let file = File::options().read(true).write(true).open(path);
                (
                    path.display().to_string(),
                    Box::new(Hidraw(file.tell(what)?)),
                )
            }
            (None, Some(address)) => {
                let stream = TcpStream::connect(address.as_str()).and_then(|stream| {
                    stream.set_nodelay(true)?;
                    stream.set_read_timeout(Some(TOUCH))?;
                    Ok(stream)
                });
                let what = format!("the security key at {address} cannot be reached");
                (address.clone(), Box::new(stream.tell(what)?))
            }
            (None, None) => {
                return Err(Failure::new("no security key is named")
                    .next("give --hidraw /dev/hidrawN, or --softkey ADDRESS"));
            }
        };
        ctap::Client::open(stream, Box::new(OsEntropy))
            .tell(format!("the security key at {name} does not answer"))
    }

    /// The PIN: user verification is always wanted, because the offline cache depends on it.
    pub(super) fn pin(&self, shell: &Shell) -> Result<Pin, Failure> {
        self.pin.read(shell)
    }
}

/// Linux wants the number of a report before each report that is written, and gives none when it reads (hidraw.rst).
struct Hidraw(File);

impl Read for Hidraw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Hidraw {
    fn write(&mut self, report: &[u8]) -> io::Result<usize> {
        self.0.write_all(&[&[0], report].concat())?;
        Ok(report.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
