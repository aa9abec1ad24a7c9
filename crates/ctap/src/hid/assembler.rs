//! Reports put together to messages, one transaction at a time (CTAP 2.1, section 11.2.5).

use super::{Channel, Command, ErrorCode, MESSAGE_LENGTH_MAX, Message, Packet, Report};

/// Puts the reports of one transaction together.
///
/// Memory is bounded by the longest message that CTAPHID can carry.
#[derive(Debug, Default)]
pub struct Assembler {
    partial: Option<Partial>,
}

#[derive(Debug)]
struct Partial {
    message: Message,
    length: usize,
    sequence: u8,
}

/// A report that breaks the rules, and who is told which error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The channel that is told.
    pub channel: Channel,
    /// The error.
    pub code: ErrorCode,
}

impl Assembler {
    /// Takes a report; gives a message when this one completes it.
    pub fn receive(&mut self, report: &Report) -> Result<Option<Message>, Fault> {
        match Packet::read(report) {
            Packet::Initial {
                channel,
                command,
                length,
                data,
            } => self.start(channel, command, usize::from(length), data),
            Packet::Continuation {
                channel,
                sequence,
                data,
            } => self.go_on(channel, sequence, data),
        }
    }

    /// The channel whose message is incomplete.
    pub fn busy_with(&self) -> Option<Channel> {
        self.partial.as_ref().map(|partial| partial.message.channel)
    }

    fn start(
        &mut self,
        channel: Channel,
        command: Command,
        length: usize,
        data: &[u8],
    ) -> Result<Option<Message>, Fault> {
        if length > MESSAGE_LENGTH_MAX {
            return Err(Fault {
                channel,
                code: ErrorCode::INVALID_LEN,
            });
        }
        let fits = data.get(..length);
        // INIT resynchronises its own channel and may be asked for at any time; CANCEL too.
        let urgent = matches!(command, Command::INIT | Command::CANCEL) && fits.is_some();
        match self.busy_with() {
            Some(busy) if busy == channel => {
                self.partial = None;
                if !urgent {
                    let code = ErrorCode::INVALID_SEQ;
                    return Err(Fault { channel, code });
                }
            }
            Some(_) if !urgent => {
                let code = ErrorCode::CHANNEL_BUSY;
                return Err(Fault { channel, code });
            }
            _ => (),
        }
        if let Some(payload) = fits {
            return Ok(Some(Message::new(channel, command, payload.to_vec())));
        }
        let message = Message::new(channel, command, data.to_vec());
        self.partial = Some(Partial {
            message,
            length,
            sequence: 0,
        });
        Ok(None)
    }

    fn go_on(
        &mut self,
        channel: Channel,
        sequence: u8,
        data: &[u8],
    ) -> Result<Option<Message>, Fault> {
        // A continuation without a start is ignored: it may follow an error already answered.
        let Some(mut partial) = self.partial.take_if(|p| p.message.channel == channel) else {
            return Ok(None);
        };
        if sequence != partial.sequence {
            return Err(Fault {
                channel,
                code: ErrorCode::INVALID_SEQ,
            });
        }
        let missing = partial.length.saturating_sub(partial.message.payload.len());
        partial.message.payload.extend(data.iter().take(missing));
        if partial.message.payload.len() >= partial.length {
            return Ok(Some(partial.message));
        }
        // INVARIANT: the longest message ends at sequence 127.
        partial.sequence = partial.sequence.saturating_add(1);
        self.partial = Some(partial);
        Ok(None)
    }
}
