//! The card's end: selection, chains, and replies in pieces are handled here, so that whoever holds the credentials
//! sees whole requests only.

use super::{
    AID, Apdu, CLASS_CHAIN, CLASS_FIDO, INS_GET_RESPONSE, INS_NFCCTAP_CONTROL, INS_NFCCTAP_MSG,
    INS_SELECT, P1_END, StatusWord, VERSION,
};
use crate::hid::MESSAGE_LENGTH_MAX;

/// What a command led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// To be sent as it is.
    Reply(Vec<u8>),
    /// A request of CTAP2; its reply goes through [`Applet::answer`].
    Request(Vec<u8>),
}

/// One card in one reader.
#[derive(Debug, Default)]
pub struct Applet {
    is_selected: bool,
    incoming: Vec<u8>,
    outgoing: Vec<u8>,
    /// What the command under way wants to hear at most.
    expected: usize,
}

impl Applet {
    /// The card was put on the reader, or its power was cut.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Takes a command.
    pub fn receive(&mut self, command: &[u8]) -> Event {
        let Some(apdu) = Apdu::read(command) else {
            return plain(StatusWord::WRONG_LENGTH);
        };
        self.expected = apdu.expected.unwrap_or(0);
        let is_chained = apdu.cla & CLASS_CHAIN != 0;
        if apdu.ins != INS_GET_RESPONSE {
            self.outgoing.clear();
        }
        match (apdu.cla & !CLASS_CHAIN, apdu.ins) {
            (0, INS_SELECT) => self.select(&apdu),
            (0 | CLASS_FIDO, INS_GET_RESPONSE) if !self.outgoing.is_empty() => {
                Event::Reply(self.piece())
            }
            (0 | CLASS_FIDO, INS_GET_RESPONSE) => plain(StatusWord::CONDITIONS),
            _ if !self.is_selected => plain(StatusWord::CONDITIONS),
            (CLASS_FIDO, INS_NFCCTAP_MSG) => self.message(&apdu.data, is_chained),
            (CLASS_FIDO, INS_NFCCTAP_CONTROL) if apdu.p1 == P1_END => {
                self.reset();
                plain(StatusWord::OK)
            }
            (0 | CLASS_FIDO, _) => plain(StatusWord::WRONG_INSTRUCTION),
            _ => plain(StatusWord::WRONG_CLASS),
        }
    }

    /// The first piece of a reply; the platform asks for the others.
    pub fn answer(&mut self, reply: Vec<u8>) -> Vec<u8> {
        self.outgoing = reply;
        self.piece()
    }

    fn select(&mut self, apdu: &Apdu) -> Event {
        self.incoming.clear();
        self.is_selected = apdu.data == AID;
        if !self.is_selected {
            return plain(StatusWord::NOT_FOUND);
        }
        Event::Reply(StatusWord::OK.after(VERSION))
    }

    fn message(&mut self, piece: &[u8], is_chained: bool) -> Event {
        if self.incoming.len().saturating_add(piece.len()) > MESSAGE_LENGTH_MAX {
            self.incoming.clear();
            return plain(StatusWord::WRONG_LENGTH);
        }
        self.incoming.extend(piece);
        if is_chained {
            return plain(StatusWord::OK);
        }
        match std::mem::take(&mut self.incoming) {
            empty if empty.is_empty() => plain(StatusWord::WRONG_LENGTH),
            request => Event::Request(request),
        }
    }

    fn piece(&mut self) -> Vec<u8> {
        let length = self.expected.clamp(1, 65_536).min(self.outgoing.len());
        let rest = self.outgoing.split_off(length);
        let piece = std::mem::replace(&mut self.outgoing, rest);
        match self.outgoing.len() {
            0 => StatusWord::OK.after(&piece),
            left => StatusWord::more(left).after(&piece),
        }
    }
}

fn plain(word: StatusWord) -> Event {
    Event::Reply(word.after(&[]))
}
