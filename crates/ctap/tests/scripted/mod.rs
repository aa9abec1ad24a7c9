//! A key that says what a script says, on the wire of a real one.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex};

use ctap::attendant::Attendant;
use ctap::command::User;
use ctap::hid::{Channel, Command, Device, ErrorCode, Event, Identity, KeepaliveStatus, Message};
use ctap::{Client, Status};
use types::SeededEntropy;

/// One thing that the key says.
#[derive(Clone)]
pub(crate) enum Say {
    Busy,
    TouchMe,
    Reply(Vec<u8>),
    Refuse(Status),
    TransportError(ErrorCode),
    /// It is unplugged.
    Gone,
    /// It is silent until the reader gives up.
    Nothing,
}

type Script = Box<dyn FnMut(&[u8]) -> Vec<Say> + Send>;

pub(crate) struct Scripted {
    device: Device,
    script: Script,
    half: Vec<u8>,
    to_say: VecDeque<Say>,
    bytes: VecDeque<u8>,
    channel: Channel,
    pub(crate) requests: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Scripted {
    pub(crate) fn new(script: impl FnMut(&[u8]) -> Vec<Say> + Send + 'static) -> Self {
        let identity = Identity {
            version: [0, 0, 1],
            capabilities: 0x0C,
        };
        Self {
            device: Device::new(identity),
            script: Box::new(script),
            half: Vec::new(),
            to_say: VecDeque::new(),
            bytes: VecDeque::new(),
            channel: Channel(7),
            requests: Arc::default(),
        }
    }

    fn queue(&mut self, message: &Message) {
        let reports = message.to_reports().unwrap();
        self.bytes.extend(reports.as_flattened());
    }

    fn report(&mut self, report: [u8; 64]) {
        match self.device.receive(&report, || Channel(7)) {
            Event::Reply(reply) => self.queue(&reply),
            Event::Request(request) => {
                self.requests.lock().unwrap().push(request.payload.clone());
                self.channel = request.channel;
                self.to_say = (self.script)(&request.payload).into();
            }
            // As a real key: the touch is given up, and the request ends.
            Event::Cancel(_) => self.to_say = [Say::Refuse(Status::KEEPALIVE_CANCEL)].into(),
            Event::Quiet => (),
        }
    }

    fn speak(&mut self) -> io::Result<bool> {
        let Some(say) = self.to_say.pop_front() else {
            return Err(io::ErrorKind::TimedOut.into());
        };
        let channel = self.channel;
        let message = match say {
            Say::Busy => Message::keepalive(channel, KeepaliveStatus::PROCESSING),
            Say::TouchMe => Message::keepalive(channel, KeepaliveStatus::UP_NEEDED),
            Say::Reply(body) => Message::new(channel, Command::CBOR, [&[0][..], &body].concat()),
            Say::Refuse(status) => Message::new(channel, Command::CBOR, vec![status.0]),
            Say::TransportError(code) => Message::error(channel, code),
            Say::Gone => return Ok(false),
            Say::Nothing => return Err(io::ErrorKind::TimedOut.into()),
        };
        self.queue(&message);
        Ok(true)
    }
}

impl Write for Scripted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            self.half.push(*byte);
            if let Ok(report) = <[u8; 64]>::try_from(&self.half[..]) {
                self.half.clear();
                self.report(report);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Scripted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.bytes.is_empty() {
            if !self.speak()? {
                return Ok(0);
            }
        }
        self.bytes.read(buffer)
    }
}

/// `{1: [versions], 2: [extensions], 3: aaguid, 4: {options}}` in CBOR by hand.
pub(crate) fn info(versions: &[&str], extensions: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0xA5, 0x01];
    let list = |bytes: &mut Vec<u8>, items: &[&str]| {
        bytes.push(0x80 | u8::try_from(items.len()).unwrap());
        for item in items {
            bytes.push(0x60 | u8::try_from(item.len()).unwrap());
            bytes.extend(item.as_bytes());
        }
    };
    list(&mut bytes, versions);
    bytes.push(0x02);
    list(&mut bytes, extensions);
    bytes.extend([0x03, 0x50]);
    bytes.extend([9; 16]);
    bytes.extend(b"\x04\xA2\x68credMgmt\xF5\x69clientPin\xF5");
    bytes.extend([0x06, 0x82, 0x02, 0x01]);
    bytes
}

/// A client of a key that says `info` to getInfo and the script to everything else.
pub(crate) fn client(
    info: Vec<u8>,
    mut script: impl FnMut(&[u8]) -> Vec<Say> + Send + 'static,
) -> Client<Scripted> {
    let key = Scripted::new(move |request| match request {
        [0x04] => vec![Say::Reply(info.clone())],
        other => script(other),
    });
    Client::open(key, Box::new(SeededEntropy::new(1))).unwrap()
}

/// What a person was told, and when they have had enough.
#[derive(Clone, Default)]
pub(crate) struct Notes {
    pub(crate) told: Arc<Mutex<Vec<String>>>,
    pub(crate) patience: Option<usize>,
    pub(crate) choice: Option<usize>,
    pub(crate) asked: usize,
}

impl Attendant for Notes {
    fn touch_wanted(&mut self) {
        self.told.lock().unwrap().push("touch".to_owned());
    }

    fn touch_over(&mut self) {
        self.told.lock().unwrap().push("over".to_owned());
    }

    fn gives_up(&mut self) -> bool {
        self.asked += 1;
        self.patience.is_some_and(|patience| self.asked > patience)
    }

    fn choose(&mut self, accounts: &[User]) -> Option<usize> {
        let names: Vec<_> = accounts.iter().map(ToString::to_string).collect();
        self.told.lock().unwrap().push(names.join(" "));
        self.choice
    }
}
