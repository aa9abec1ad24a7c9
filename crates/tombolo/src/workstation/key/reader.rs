//! Security keys on smart-card and NFC readers, through the system's own PC/SC service (feature `pcsc`).

use std::ffi::CString;
use std::io;
use std::time::Duration;

use ctap::iso7816::{Card, CardStream};
use pcsc::{Context, MAX_BUFFER_SIZE, Protocols, Scope, ShareMode};

use super::person::say;
use super::touched::Opened;
use crate::io::{Failure, OsEntropy, Tell};
use crate::softkey::target::Stream;

/// A person has half a minute; a reader needs a moment to notice a card that lies there already.
const LOOKS_MAX: u32 = 120;
const SILENT_LOOKS: u32 = 2;
const BETWEEN_LOOKS: Duration = Duration::from_millis(250);

/// A card in a reader.
struct PcscCard(pcsc::Card);

impl Card for PcscCard {
    fn transmit(&mut self, command: &[u8]) -> io::Result<Vec<u8>> {
        let mut buffer = [0; MAX_BUFFER_SIZE];
        match self.0.transmit(command, &mut buffer) {
            Ok(answer) => Ok(answer.to_vec()),
            Err(
                error @ (pcsc::Error::RemovedCard
                | pcsc::Error::NoSmartcard
                | pcsc::Error::ResetCard
                | pcsc::Error::ReaderUnavailable),
            ) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, error)),
            Err(error) => Err(io::Error::other(error)),
        }
    }
}

/// The key on each reader whose name contains `part`. Where all of them are empty, a person gets the time to lay one
/// there.
pub(super) fn open(part: &str) -> Result<Vec<Opened>, Failure> {
    let what = "the smart-card readers cannot be asked";
    let context = Context::establish(Scope::User).map_err(|error| {
        Failure::new(what)
            .why(error)
            .next("is pcscd running? start it, or name a key with --hidraw")
    })?;
    let readers = context.list_readers_owned().tell(what)?;
    let is_meant = |name: &&CString| name.to_string_lossy().contains(part);
    let meant: Vec<&CString> = readers.iter().filter(is_meant).collect();
    if meant.is_empty() {
        let names: Vec<_> = readers.iter().map(|name| name.to_string_lossy()).collect();
        return Err(Failure::new(format!("there is no reader '{part}'"))
            .why(format!("the readers are: {}", names.join(", "))));
    }
    for look in 0..LOOKS_MAX {
        let mut opened = Vec::new();
        for name in &meant {
            opened.extend(key_on(&context, name)?);
        }
        if !opened.is_empty() {
            return Ok(opened);
        }
        if look == SILENT_LOOKS {
            say("lay your security key on the reader");
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
    Err(Failure::new(format!(
        "no security key was laid on a reader '{part}'"
    )))
}

/// The key on a reader; `None` where it is empty.
fn key_on(context: &Context, name: &CString) -> Result<Option<Opened>, Failure> {
    let shown = name.to_string_lossy().into_owned();
    let what = format!("the card on {shown} cannot be used");
    let card = match context.connect(name, ShareMode::Shared, Protocols::ANY) {
        Ok(card) => card,
        Err(pcsc::Error::NoSmartcard | pcsc::Error::RemovedCard) => return Ok(None),
        Err(error) => return Err(Failure::new(what).why(error)),
    };
    let stream = CardStream::open(PcscCard(card)).tell(what.clone())?;
    let stream: Box<dyn Stream> = Box::new(stream);
    let client = ctap::Client::open(stream, Box::new(OsEntropy)).tell(what)?;
    Ok(Some((shown, client)))
}
