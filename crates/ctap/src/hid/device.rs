//! The key's end of CTAPHID: channels, INIT, PING, WINK and errors are answered here, so that whoever
//! holds the credentials sees whole requests only (CTAP 2.1, sections 11.2.5 and 11.2.9).

use std::collections::VecDeque;

use super::{Assembler, Channel, Command, ErrorCode, Message, Packet, Report};

/// Channels that one connection may hold; the oldest is forgotten first.
const CHANNELS_MAX: usize = 64;
/// Version of CTAPHID.
const PROTOCOL_VERSION: u8 = 2;
/// The nonce of INIT.
const INIT_LENGTH: u16 = 8;

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
        if let Some(event) = self.turn_away(Packet::read(report)) {
            return event;
        }
        match self.assembler.receive(report) {
            Ok(None) => Event::Quiet,
            Ok(Some(message)) => self.dispatch(message, allocate),
            Err(fault) => Event::Reply(Message::error(fault.channel, fault.code)),
        }
    }

    fn knows(&self, channel: Channel) -> bool {
        self.channels.contains(&channel)
    }

    /// Strangers never reach the assembler, where they could begin a message and block everybody else.
    fn turn_away(&self, packet: Packet<'_>) -> Option<Event> {
        let (channel, command, length) = match packet {
            Packet::Initial {
                channel,
                command,
                length,
                ..
            } => (channel, command, length),
            Packet::Continuation { channel, .. } => {
                return (!self.knows(channel)).then_some(Event::Quiet);
            }
        };
        let error = |code| Some(Event::Reply(Message::error(channel, code)));
        match command {
            Command::INIT if length != INIT_LENGTH => error(ErrorCode::INVALID_LEN),
            Command::INIT if channel == Channel::BROADCAST => None,
            _ if self.knows(channel) => None,
            // There is nobody to cancel for, and CANCEL is never answered.
            Command::CANCEL => Some(Event::Quiet),
            _ => error(ErrorCode::INVALID_CHANNEL),
        }
    }

    fn dispatch(&mut self, message: Message, allocate: impl FnOnce() -> Channel) -> Event {
        let channel = message.channel;
        let error = |code| Event::Reply(Message::error(channel, code));
        match message.command {
            Command::INIT if channel == Channel::BROADCAST => self.initialize(message, allocate()),
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
