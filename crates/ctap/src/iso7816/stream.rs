//! A card behind the seam of all transports: it looks like a key on USB.

use std::collections::VecDeque;
use std::io::{self, Read, Write};

use super::exchange::{self, Exchange, Progress};
use crate::error::Error;
use crate::hid::{Channel, Device, Event, Identity, Message, REPORT_LENGTH, Report, capability};

const IDENTITY: Identity = Identity {
    version: [0, 0, 0],
    capabilities: capability::CBOR | capability::NO_MSG,
};
/// Nobody else speaks through this stream.
const CHANNEL: Channel = Channel(1);

/// Something that carries commands to a card and brings its answers.
pub trait Card {
    /// Sends one command and waits for its answer, with its status word.
    fn transmit(&mut self, command: &[u8]) -> io::Result<Vec<u8>>;
}

/// Reports in, commands out. What is written is taken at once; the card works while the stream is read, so a request
/// can be given up between two of its answers.
#[derive(Debug)]
pub struct CardStream<C> {
    card: C,
    device: Device,
    half_report: Vec<u8>,
    outgoing: VecDeque<u8>,
    under_way: Option<Exchange>,
}

impl<C: Card> CardStream<C> {
    /// Selects the FIDO applet.
    pub fn open(mut card: C) -> Result<Self, Error> {
        let answer = card.transmit(&exchange::select())?;
        exchange::selected(&answer)?;
        Ok(Self {
            card,
            device: Device::new(IDENTITY),
            half_report: Vec::new(),
            outgoing: VecDeque::new(),
            under_way: None,
        })
    }

    fn receive(&mut self, report: &Report) -> io::Result<()> {
        match self.device.receive(report, || CHANNEL) {
            Event::Quiet => Ok(()),
            Event::Reply(reply) => self.queue(&reply),
            Event::Request(request) => {
                self.under_way = Some(Exchange::new(request.payload));
                Ok(())
            }
            Event::Cancel(_) => {
                if let Some(exchange) = &mut self.under_way {
                    exchange.cancel();
                }
                Ok(())
            }
        }
    }

    /// One command of the request under way.
    fn go_on(&mut self) -> io::Result<()> {
        let Some(exchange) = &mut self.under_way else {
            // Nothing will ever come without another request, so waiting would hang.
            return Err(io::Error::new(
                io::ErrorKind::WouldBlock,
                "the card has nothing to say",
            ));
        };
        let answer = self.card.transmit(&exchange.command())?;
        let message = match exchange.receive(&answer).map_err(io::Error::other)? {
            Progress::More => return Ok(()),
            Progress::Waiting(status) => Message::keepalive(CHANNEL, status),
            Progress::Done(payload) => {
                self.under_way = None;
                Message::new(CHANNEL, crate::hid::Command::CBOR, payload)
            }
        };
        self.queue(&message)
    }

    fn queue(&mut self, message: &Message) -> io::Result<()> {
        let reports = message.to_reports().map_err(io::Error::other)?;
        self.outgoing.extend(reports.as_flattened());
        Ok(())
    }
}

impl<C: Card> Write for CardStream<C> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for byte in bytes {
            self.half_report.push(*byte);
            if let Ok(report) = <[u8; REPORT_LENGTH]>::try_from(self.half_report.as_slice()) {
                self.half_report.clear();
                self.receive(&report)?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<C: Card> Read for CardStream<C> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.outgoing.is_empty() && !buffer.is_empty() {
            self.go_on()?;
        }
        self.outgoing.read(buffer)
    }
}
