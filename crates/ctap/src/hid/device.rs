//! The key's end of CTAPHID: channels, INIT, PING, WINK and errors are answered here, so that whoever
//! holds the credentials sees whole requests only (CTAP 2.1, sections 11.2.5 and 11.2.9).

use std::collections::VecDeque;

use super::{Assembler, Channel, Command, ErrorCode, Message, Report};

/// Channels that one connection may hold; the oldest is forgotten first.
const CHANNELS_MAX: usize = 64;
/// Version of CTAPHID.
const PROTOCOL_VERSION: u8 = 2;

/// What a key says in its reply to INIT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// Major, minor, build.
    pub version: [u8; 3],
    /// Flags of [`super::capability`].
    pub capabilities: u8,
}

/// One connection's end of the wire.
#[derive(Debug)]
pub struct Device {
    identity: Identity,
    channels: VecDeque<Channel>,
    assembler: Assembler,
}

/// What a report led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Nothing yet.
    Quiet,
    /// To be sent as it is.
    Reply(Message),
    /// A CTAP2 request (CBOR) to be answered.
    Request(Message),
    /// The request of this channel is to be given up.
    Cancel(Channel),
}

impl Device {
    /// A connection without channels.
    pub fn new(identity: Identity) -> Self {
        Self {
            identity,
            channels: VecDeque::new(),
            assembler: Assembler::default(),
        }
    }

    /// Takes a report. `allocate` gives a channel that no other connection has.
    pub fn receive(&mut self, report: &Report, allocate: impl FnOnce() -> Channel) -> Event {
        match self.assembler.receive(report) {
            Ok(None) => Event::Quiet,
            Ok(Some(message)) => self.dispatch(message, allocate),
            Err(fault) if self.knows(fault.channel) => {
                Event::Reply(Message::error(fault.channel, fault.code))
            }
            Err(fault) => Event::Reply(Message::error(fault.channel, ErrorCode::INVALID_CHANNEL)),
        }
    }

    fn knows(&self, channel: Channel) -> bool {
        self.channels.contains(&channel)
    }

    fn dispatch(&mut self, message: Message, allocate: impl FnOnce() -> Channel) -> Event {
        let channel = message.channel;
        let error = |code| Event::Reply(Message::error(channel, code));
        if message.command == Command::INIT && channel == Channel::BROADCAST {
            let allocated = allocate();
            return self.initialize(message, allocated);
        }
        if !self.knows(channel) {
            return match message.command {
                // There is nobody to cancel for, and CANCEL is never answered.
                Command::CANCEL => Event::Quiet,
                _ => error(ErrorCode::INVALID_CHANNEL),
            };
        }
        match message.command {
            Command::INIT => self.initialize(message, channel),
            Command::PING => Event::Reply(message),
            Command::WINK if message.payload.is_empty() => Event::Reply(message),
            Command::WINK => error(ErrorCode::INVALID_LEN),
            Command::CBOR if message.payload.is_empty() => error(ErrorCode::INVALID_LEN),
            Command::CBOR => Event::Request(message),
            Command::CANCEL => Event::Cancel(channel),
            _ => error(ErrorCode::INVALID_CMD),
        }
    }

    fn initialize(&mut self, message: Message, channel: Channel) -> Event {
        if message.payload.len() != 8 {
            return Event::Reply(Message::error(message.channel, ErrorCode::INVALID_LEN));
        }
        if !self.knows(channel) {
            if self.channels.len() == CHANNELS_MAX {
                self.channels.pop_front();
            }
            self.channels.push_back(channel);
        }
        let mut payload = message.payload;
        payload.extend(channel.0.to_be_bytes());
        payload.push(PROTOCOL_VERSION);
        payload.extend(self.identity.version);
        payload.push(self.identity.capabilities);
        Event::Reply(Message {
            payload,
            ..Message::new(message.channel, Command::INIT, vec![])
        })
    }
}
