//! One report, and a message cut into reports (CTAP 2.1, section 11.2.4).

use super::{
    CONTINUATION_DATA_LENGTH, Channel, Command, Error, ErrorCode, INITIAL_DATA_LENGTH,
    KeepaliveStatus, MESSAGE_LENGTH_MAX, REPORT_LENGTH, Report,
};

const INITIAL: u8 = 0x80;

/// A report taken apart. Every 64 bytes are one or the other, so reading cannot fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Starts a message.
    Initial {
        /// Whose message it is.
        channel: Channel,
        /// What it is.
        command: Command,
        /// How long the whole message is.
        length: u16,
        /// Its first bytes, padded.
        data: &'a [u8; INITIAL_DATA_LENGTH],
    },
    /// Goes on with a message.
    Continuation {
        /// Whose message it is.
        channel: Channel,
        /// Counts from zero.
        sequence: u8,
        /// Its next bytes, padded.
        data: &'a [u8; CONTINUATION_DATA_LENGTH],
    },
}

impl<'a> Packet<'a> {
    /// Reads a report.
    pub fn read(report: &'a Report) -> Self {
        let [a, b, c, d, kind, rest @ ..] = report;
        let channel = Channel(u32::from_be_bytes([*a, *b, *c, *d]));
        if kind & INITIAL == 0 {
            return Self::Continuation {
                channel,
                sequence: *kind,
                data: rest,
            };
        }
        let [high, low, data @ ..] = rest;
        Self::Initial {
            channel,
            command: Command(kind & !INITIAL),
            length: u16::from_be_bytes([*high, *low]),
            data,
        }
    }
}

/// A whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Whose it is.
    pub channel: Channel,
    /// What it is.
    pub command: Command,
    /// What it says.
    pub payload: Vec<u8>,
}

impl Message {
    /// A message.
    pub fn new(channel: Channel, command: Command, payload: Vec<u8>) -> Self {
        Self {
            channel,
            command,
            payload,
        }
    }

    /// An ERROR message.
    pub fn error(channel: Channel, code: ErrorCode) -> Self {
        Self::new(channel, Command::ERROR, vec![code.0])
    }

    /// A KEEPALIVE message.
    pub fn keepalive(channel: Channel, status: KeepaliveStatus) -> Self {
        Self::new(channel, Command::KEEPALIVE, vec![status.0])
    }

    /// Cuts the message into reports.
    pub fn to_reports(&self) -> Result<Vec<Report>, Error> {
        let too_long = Error::TooLong {
            length: self.payload.len(),
        };
        if self.payload.len() > MESSAGE_LENGTH_MAX {
            return Err(too_long);
        }
        let length = u16::try_from(self.payload.len()).map_err(|_| too_long)?;
        let (first, rest) = self
            .payload
            .split_at_checked(INITIAL_DATA_LENGTH)
            .unwrap_or((self.payload.as_slice(), &[]));
        let channel = self.channel.0.to_be_bytes();
        let command = self.command.0 | INITIAL;
        let mut reports = vec![report(&[
            &channel,
            &[command],
            &length.to_be_bytes(),
            first,
        ])];
        // INVARIANT: the length check above leaves at most 128 continuation packets.
        for (sequence, data) in (0..INITIAL).zip(rest.chunks(CONTINUATION_DATA_LENGTH)) {
            reports.push(report(&[&channel, &[sequence], data]));
        }
        Ok(reports)
    }
}

fn report(parts: &[&[u8]]) -> Report {
    let mut report = [0; REPORT_LENGTH];
    let bytes = parts.iter().copied().flatten();
    for (to, from) in report.iter_mut().zip(bytes) {
        *to = *from;
    }
    report
}
