//! The security key: one that is plugged in, one on a reader, or a software key on a socket; of several, the one that is
//! touched.

#[cfg(unix)]
pub(crate) mod hidraw;
mod interrupt;
mod person;
#[cfg(feature = "pcsc")]
mod reader;
pub(crate) mod register;
mod touched;

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ctap::hid::{self, ErrorCode};
use ctap::{Client, Error, Pin};

use crate::io::{Failure, OsEntropy, Shell, Tell};
use crate::softkey::pin::ShownPin;
use crate::softkey::target::Stream;
use person::Person;
use touched::Opened;

/// A conversation with any key.
pub(crate) type KeyClient = Client<Box<dyn Stream>>;

/// Which key, and its PIN.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Security key")]
pub(crate) struct KeyArgs {
    #[command(flatten)]
    which: Which,

    #[command(flatten)]
    pin: ShownPin,
}

/// Which key.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Security key")]
pub(crate) struct Which {
    /// A security key on USB: /dev/hidraw3 (again for more). Without any, all that are plugged in; of several, the one
    /// that is touched
    #[arg(long, value_name = "DEVICE")]
    hidraw: Vec<PathBuf>,

    /// A software key that `tombolo softkey serve` or the lab serves: 127.0.0.1:8690 (again for more)
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "TOMBOLO_SOFTKEY_ADDRESS",
        value_delimiter = ','
    )]
    softkey: Vec<String>,

    /// A security key on a smart-card or NFC reader whose name contains this (again for more)
    #[cfg(feature = "pcsc")]
    #[arg(long, value_name = "NAME")]
    reader: Vec<String>,
}

/// A software key that is waiting for its touch says so every 100 ms; this long none is silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// So often, and with such pauses, a key that is busy with another program is asked again.
const BUSY_MAX: u32 = 10;
const BUSY: Duration = Duration::from_millis(200);

impl KeyArgs {
    /// Opens the key, and says at once what it cannot do. `user` is the account that was named; of several accounts
    /// without a name the person is asked.
    pub(crate) fn open_for(&self, user: Option<&str>) -> Result<KeyClient, Failure> {
        let (_, client) = self.open_named(user)?;
        if !client.info().has_extension(ctap::hmac_secret::NAME) {
            person::say(
                "this security key has no hmac-secret: it signs in, and cannot unlock this device without the cloud",
            );
        }
        Ok(client)
    }

    /// Opens the key, and tells its name.
    pub(crate) fn open_named(&self, user: Option<&str>) -> Result<Opened, Failure> {
        self.which.open_named(user)
    }

    /// Opens the key, and tells its name and whether it was touched to tell it from others.
    pub(crate) fn open_touched(&self) -> Result<(String, KeyClient, bool), Failure> {
        self.which.open_touched(None)
    }

    /// The PIN: user verification is always wanted, because the offline cache depends on it.
    pub(crate) fn pin(&self, shell: &Shell) -> Result<Pin, Failure> {
        self.pin.read(shell)
    }

    /// Where the PIN comes from.
    pub(crate) fn shown_pin(&self) -> &ShownPin {
        &self.pin
    }
}

impl Which {
    /// Those of a configuration.
    #[cfg(unix)]
    pub(crate) fn of(hidraw: Vec<PathBuf>, softkey: Vec<String>) -> Self {
        Self {
            hidraw,
            softkey,
            #[cfg(feature = "pcsc")]
            reader: Vec::new(),
        }
    }

    /// Opens the key, and tells its name.
    pub(crate) fn open_named(&self, user: Option<&str>) -> Result<Opened, Failure> {
        let (name, client, _) = self.open_touched(user)?;
        Ok((name, client))
    }

    fn open_touched(&self, user: Option<&str>) -> Result<(String, KeyClient, bool), Failure> {
        interrupt::watch();
        let mut keys = self.all()?;
        let several = keys.len() > 1;
        let (name, mut client) = match keys.pop() {
            Some(last) if several => {
                keys.push(last);
                touched::touched(keys)?
            }
            Some(only) => only,
            None => return Err(none()),
        };
        client.attend(Person::new(user));
        Ok((name, client, several))
    }

    /// Every key that was named; where none was, every key that is plugged in.
    fn all(&self) -> Result<Vec<Opened>, Failure> {
        let mut keys = Vec::new();
        for address in &self.softkey {
            keys.push(served(address)?);
        }
        #[cfg(unix)]
        for node in &self.hidraw {
            let device = hidraw::Found::named(node, Path::new(hidraw::SYS));
            keys.push(plugged_in(&device)?);
        }
        #[cfg(feature = "pcsc")]
        for part in &self.reader {
            keys.extend(reader::open(part)?);
        }
        #[cfg(unix)]
        if keys.is_empty() {
            return all_plugged_in();
        }
        Ok(keys)
    }
}

fn none() -> Failure {
    Failure::new("there is no security key")
        .why("none is plugged in, and none is named")
        .next("insert one, or give --hidraw /dev/hidrawN or --softkey ADDRESS")
}

/// Every key that can be opened; where that is none, why.
#[cfg(unix)]
fn all_plugged_in() -> Result<Vec<Opened>, Failure> {
    let found = hidraw::find(Path::new(hidraw::SYS), Path::new(hidraw::DEV));
    let mut keys = Vec::new();
    let mut failure = None;
    for device in &found {
        match plugged_in(device) {
            Ok(key) => keys.push(key),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        Some(failure) if keys.is_empty() => Err(failure),
        _ => Ok(keys),
    }
}

#[cfg(unix)]
fn plugged_in(device: &hidraw::Found) -> Result<Opened, Failure> {
    let name = format!("{} at {}", device.name, device.node.display());
    answering(name, || Ok(Box::new(device.open()?)))
}

fn served(address: &str) -> Result<Opened, Failure> {
    answering(address.to_owned(), || {
        let stream = TcpStream::connect(address).and_then(|stream| {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(stream)
        });
        let stream = stream.map_err(|error| {
            Failure::new(format!("the security key at {address} cannot be reached"))
                .why(error)
                .next("is it being served? start it with `tombolo softkey serve`")
        })?;
        Ok(Box::new(stream))
    })
}

/// Begins to speak with a key. Browsers look at each key now and then; a moment later it has time for us.
fn answering(
    name: String,
    open: impl Fn() -> Result<Box<dyn Stream>, Failure>,
) -> Result<Opened, Failure> {
    let what = format!("the security key {name} does not answer as one");
    for _ in 1..BUSY_MAX {
        match Client::open(open()?, Box::new(OsEntropy)) {
            Err(Error::Hid(hid::Error::Device(ErrorCode::CHANNEL_BUSY))) => {
                std::thread::sleep(BUSY);
            }
            other => return Ok((name, other.tell(what)?)),
        }
    }
    let client = Client::open(open()?, Box::new(OsEntropy)).tell(what)?;
    Ok((name, client))
}
