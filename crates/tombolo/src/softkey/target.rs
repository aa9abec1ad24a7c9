//! Which key is meant: a state file, or one that is being served.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ctap::Client;

use ::softkey::{Options, Softkey};

use crate::io::{Failure, OsEntropy, SystemClock, Tell};

/// A key may wait half a minute for a touch.
const PATIENCE: Duration = Duration::from_secs(60);

/// Bytes to and from a key.
pub(crate) trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

/// A state file.
#[derive(Debug, clap::Args)]
pub(crate) struct StateFile {
    /// The key's state file
    #[arg(long, value_name = "FILE", env = "TOMBOLO_SOFTKEY")]
    pub(crate) state: PathBuf,
}

/// A key, wherever it is.
#[derive(Debug, clap::Args)]
#[group(id = "key", required = true, multiple = false)]
pub(crate) struct Target {
    /// The key's state file; nobody else may be serving it
    #[arg(long, value_name = "FILE", group = "key")]
    state: Option<PathBuf>,
    /// The address of a key that is being served
    #[arg(long, value_name = "HOST:PORT", group = "key")]
    connect: Option<String>,
    /// The unix socket of a key that is being served
    #[cfg(unix)]
    #[arg(long, value_name = "PATH", group = "key")]
    unix: Option<PathBuf>,
}

impl StateFile {
    /// The key in an existing file.
    pub(crate) fn open_existing(&self) -> Result<Softkey, Failure> {
        must_exist(&self.state)?;
        open(&self.state, options())
    }
}

impl Target {
    /// Talks to a key that is there already; gives its name, too.
    pub(crate) fn open(&self) -> Result<(Client<Box<dyn Stream>>, String), Failure> {
        if let Some(path) = &self.state {
            must_exist(path)?;
        }
        self.open_or_make()
    }

    /// Talks to a key; a state file that is not there becomes an empty key.
    pub(crate) fn open_or_make(&self) -> Result<(Client<Box<dyn Stream>>, String), Failure> {
        let name = self.name();
        let stream = self.stream()?;
        let client = Client::open(stream, Box::new(OsEntropy))
            .tell(format!("could not talk to the key at {name}"))?;
        Ok((client, name))
    }

    /// Empties the key. A state file can be emptied at any time, a served key only right after its start.
    pub(crate) fn reset(&self) -> Result<(), Failure> {
        if let Some(path) = &self.state {
            must_exist(path)?;
            let what = format!("could not reset {}", path.display());
            return open(path, options())?.wipe().tell(what);
        }
        let (mut client, name) = self.open()?;
        client
            .reset()
            .tell(format!("could not reset the key at {name}"))
    }

    fn stream(&self) -> Result<Box<dyn Stream>, Failure> {
        if let Some(path) = &self.state {
            return Ok(Box::new(open(path, options())?.connect()));
        }
        let what = || {
            let served = "is the key being served? start it with `tombolo softkey serve`";
            move |error: std::io::Error| {
                Failure::new(format!("could not reach the key at {}", self.name()))
                    .why(error)
                    .next(served)
            }
        };
        #[cfg(unix)]
        if let Some(path) = &self.unix {
            let stream = std::os::unix::net::UnixStream::connect(path).map_err(what())?;
            stream.set_read_timeout(Some(PATIENCE)).map_err(what())?;
            return Ok(Box::new(stream));
        }
        let stream =
            TcpStream::connect(self.connect.as_deref().unwrap_or_default()).map_err(what())?;
        stream.set_nodelay(true).map_err(what())?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(what())?;
        Ok(Box::new(stream))
    }

    fn name(&self) -> String {
        let path = self.state.as_ref();
        #[cfg(unix)]
        let path = path.or(self.unix.as_ref());
        match path {
            Some(path) => path.display().to_string(),
            None => self.connect.clone().unwrap_or_default(),
        }
    }
}

/// The real clock and randomness, and automatic touches.
pub(crate) fn options() -> Options {
    Options::new(Arc::new(SystemClock), Box::new(OsEntropy))
}

/// Opens a state file.
pub(crate) fn open(path: &Path, options: Options) -> Result<Softkey, Failure> {
    Softkey::open(path, options).tell(format!("could not open the key in {}", path.display()))
}

fn must_exist(path: &Path) -> Result<(), Failure> {
    if path.is_file() {
        return Ok(());
    }
    Err(
        Failure::new(format!("there is no key in {}", path.display())).next(
            "name an existing state file, or make a key with `tombolo softkey serve --state FILE`",
        ),
    )
}
