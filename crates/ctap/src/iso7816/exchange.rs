//! The platform's end: one request in a chain of short commands, and its reply in as many pieces as the card likes
//! (CTAP 2.1, section 11.3.5).

use super::{
    AID, Apdu, CLASS_CHAIN, CLASS_FIDO, Error, INS_GET_RESPONSE, INS_NFCCTAP_GETRESPONSE,
    INS_NFCCTAP_MSG, INS_SELECT, P1_CANCEL, P1_MAY_WAIT, StatusWord,
};
use crate::hid::{KeepaliveStatus, MESSAGE_LENGTH_MAX};

/// Bytes that a short command carries.
const PIECE: usize = 255;

/// The command that selects the FIDO applet.
pub fn select() -> Vec<u8> {
    const NAME: u8 = 0x04;
    short(&Apdu::new(0, INS_SELECT, NAME, &AID))
}

/// Reads the answer to [`select`]: the applet's version.
pub fn selected(response: &[u8]) -> Result<&[u8], Error> {
    match StatusWord::split(response) {
        Some((version, StatusWord::OK)) => Ok(version),
        Some((_, StatusWord::NOT_FOUND)) => Err(Error::NoApplet),
        Some((_, word)) => Err(Error::Refused(word)),
        None => Err(Error::Short(response.len())),
    }
}

/// What an answer led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// There is another command to send.
    More,
    /// The card is busy, or waits for a touch; there is another command to send.
    Waiting(KeepaliveStatus),
    /// The whole reply.
    Done(Vec<u8>),
}

/// One request under way.
#[derive(Debug)]
pub struct Exchange {
    request: Vec<u8>,
    sent: usize,
    next: Next,
    reply: Vec<u8>,
    is_cancelled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The next piece of the request.
    Piece,
    /// So many bytes of the reply.
    Rest(usize),
    /// Whether the card is ready.
    Poll,
}

impl Exchange {
    /// Begins with a request of CTAP2.
    pub fn new(request: Vec<u8>) -> Self {
        Self {
            request,
            sent: 0,
            next: Next::Piece,
            reply: Vec::new(),
            is_cancelled: false,
        }
    }

    /// Gives the request up. It has an effect only while the card says that it is not ready.
    pub fn cancel(&mut self) {
        self.is_cancelled = true;
    }

    /// The command to send now.
    pub fn command(&self) -> Vec<u8> {
        let apdu = match self.next {
            Next::Piece => {
                let rest = self.request.get(self.sent..).unwrap_or_default();
                let (piece, rest) = rest.split_at_checked(PIECE).unwrap_or((rest, &[]));
                let mut apdu = Apdu::new(CLASS_FIDO, INS_NFCCTAP_MSG, P1_MAY_WAIT, piece);
                if !rest.is_empty() {
                    apdu.cla |= CLASS_CHAIN;
                    apdu.expected = None;
                }
                apdu
            }
            Next::Rest(length) => Apdu {
                expected: Some(length),
                ..Apdu::new(0, INS_GET_RESPONSE, 0, &[])
            },
            Next::Poll => {
                let p1 = if self.is_cancelled { P1_CANCEL } else { 0 };
                Apdu::new(CLASS_FIDO, INS_NFCCTAP_GETRESPONSE, p1, &[])
            }
        };
        short(&apdu)
    }

    /// Takes the card's answer to [`Exchange::command`].
    pub fn receive(&mut self, response: &[u8]) -> Result<Progress, Error> {
        let (data, word) = StatusWord::split(response).ok_or(Error::Short(response.len()))?;
        if self.next == Next::Piece {
            self.sent = self.sent.saturating_add(PIECE).min(self.request.len());
            if self.sent < self.request.len() {
                return match word {
                    StatusWord::OK => Ok(Progress::More),
                    refused => Err(Error::Refused(refused)),
                };
            }
        }
        if word == StatusWord::NOT_READY {
            self.next = Next::Poll;
            let status = data.first().copied().unwrap_or_default();
            return Ok(Progress::Waiting(KeepaliveStatus(status)));
        }
        self.reply.extend(data);
        if self.reply.len() > MESSAGE_LENGTH_MAX {
            return Err(Error::Endless);
        }
        match (word, word.waiting()) {
            (StatusWord::OK, _) => Ok(Progress::Done(std::mem::take(&mut self.reply))),
            (_, Some(length)) if !data.is_empty() || self.next == Next::Piece => {
                self.next = Next::Rest(length);
                Ok(Progress::More)
            }
            // A card that promises bytes and gives none would go on for ever.
            (_, Some(_)) => Err(Error::Endless),
            (refused, None) => Err(Error::Refused(refused)),
        }
    }
}

fn short(apdu: &Apdu) -> Vec<u8> {
    // INVARIANT: every command here has at most 255 bytes of data and wants at most 256.
    apdu.to_short().unwrap_or_default()
}
