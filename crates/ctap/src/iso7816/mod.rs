//! CTAP over ISO 7816 (CTAP 2.1, section 11.3): what NFC and smart-card readers carry, for both ends of the wire.
//!
//! [`apdu`] is one command, [`exchange`] sends a request and fetches its reply piece by piece, [`applet`] is the card's
//! end, and [`CardStream`] puts a card behind the seam of all transports, raw CTAPHID reports, so that one client
//! speaks to both.
//!
//! Deliberately absent: readers and drivers, U2F, and extended length on the platform's side: chains of short commands
//! work with every card and reader.

pub mod apdu;
pub mod applet;
pub mod exchange;
mod stream;

pub use apdu::{Apdu, StatusWord};
pub use applet::{Applet, Event};
pub use exchange::{Exchange, Progress};
pub use stream::{Card, CardStream};

/// The FIDO applet's name (CTAP 2.1, section 11.3.3).
pub const AID: [u8; 8] = [0xA0, 0x00, 0x00, 0x06, 0x47, 0x2F, 0x00, 0x01];
/// What an applet without U2F says when it is selected.
pub const VERSION: &[u8] = b"FIDO_2_0";

/// Class byte of FIDO's own commands; the chain bit of ISO 7816-4 is added to it.
const CLASS_FIDO: u8 = 0x80;
const CLASS_CHAIN: u8 = 0x10;
const INS_SELECT: u8 = 0xA4;
const INS_GET_RESPONSE: u8 = 0xC0;
const INS_NFCCTAP_MSG: u8 = 0x10;
const INS_NFCCTAP_GETRESPONSE: u8 = 0x11;
const INS_NFCCTAP_CONTROL: u8 = 0x12;
/// Parameter of NFCCTAP_MSG: the platform understands "not ready yet".
const P1_MAY_WAIT: u8 = 0x80;
/// Parameter of NFCCTAP_GETRESPONSE: the request is given up.
const P1_CANCEL: u8 = 0x11;
/// Parameter of NFCCTAP_CONTROL: the conversation is over.
const P1_END: u8 = 0x01;

/// A card's answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The card has no FIDO applet.
    #[error("the card on the reader is no security key: it has no FIDO applet")]
    NoApplet,
    /// The card refused.
    #[error("the card refused the command with {0}")]
    Refused(StatusWord),
    /// Not even a status word.
    #[error("the card's answer has {0} bytes, too few for a status")]
    Short(usize),
    /// The reply is longer than CTAP's longest message.
    #[error("the card's reply is longer than any message of CTAP")]
    Endless,
}
