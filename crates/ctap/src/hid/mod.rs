//! CTAPHID (CTAP 2.1, section 11.2): messages cut into reports of 64 bytes, for both ends of the wire.
//!
//! [`packet`] is one report, [`assembler`] puts reports together, [`device`] is the key's end with its
//! channels, and [`Message::to_reports`] cuts a message up again. [`descriptor`] tells a security key from other
//! devices.
//!
//! Deliberately absent: timers. A half message costs its sender's own connection and nobody else; the
//! 100 ms rule of some keys makes them fail on busy machines.

pub mod assembler;
pub mod descriptor;
pub mod device;
pub mod packet;

pub use assembler::{Assembler, Fault};
pub use descriptor::{Interface, fido_interface};
pub use device::{Device, Event, Identity};
pub use packet::{Message, Packet};

/// Bytes of a report.
pub const REPORT_LENGTH: usize = 64;
/// One report.
pub type Report = [u8; REPORT_LENGTH];
/// Payload of an initialization packet.
pub const INITIAL_DATA_LENGTH: usize = REPORT_LENGTH - 7;
/// Payload of a continuation packet.
pub const CONTINUATION_DATA_LENGTH: usize = REPORT_LENGTH - 5;
/// Longest message: one initialization and 128 continuation packets.
pub const MESSAGE_LENGTH_MAX: usize = INITIAL_DATA_LENGTH + 128 * CONTINUATION_DATA_LENGTH;

/// A logical channel: one per program that talks to the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Channel(pub u32);

impl Channel {
    /// Where channels are asked for.
    pub const BROADCAST: Self = Self(0xFFFF_FFFF);
    /// Never used.
    pub const RESERVED: Self = Self(0);
}

types::open_enum! {
    /// CTAPHID commands (CTAP 2.1, section 11.2.9).
    pub struct Command(u8) {
        PING = 0x01,
        MSG = 0x03,
        LOCK = 0x04,
        INIT = 0x06,
        WINK = 0x08,
        CBOR = 0x10,
        CANCEL = 0x11,
        KEEPALIVE = 0x3B,
        ERROR = 0x3F,
    }
}

types::open_enum! {
    /// Codes inside an ERROR message (CTAP 2.1, section 11.2.9.1.6).
    pub struct ErrorCode(u8) {
        INVALID_CMD = 0x01,
        INVALID_PAR = 0x02,
        INVALID_LEN = 0x03,
        INVALID_SEQ = 0x04,
        MSG_TIMEOUT = 0x05,
        CHANNEL_BUSY = 0x06,
        LOCK_REQUIRED = 0x0A,
        INVALID_CHANNEL = 0x0B,
        OTHER = 0x7F,
    }
}

impl ErrorCode {
    /// What happened and what to do next.
    pub fn words(self) -> &'static str {
        match self {
            Self::CHANNEL_BUSY => {
                "another program is using the key; end that first, or wait until it is done"
            }
            Self::INVALID_CHANNEL => {
                "the key does not know this conversation; it was removed and inserted meanwhile, so try again"
            }
            Self::MSG_TIMEOUT => "a message came too slowly; try again",
            Self::LOCK_REQUIRED => "another program has locked the key; wait until it is done",
            Self::INVALID_CMD => "the key does not know that command",
            Self::INVALID_LEN | Self::INVALID_PAR | Self::INVALID_SEQ => {
                "the key could not read the message; try again"
            }
            _ => "the key reports a fault of its own; remove it and insert it",
        }
    }
}

types::open_enum! {
    /// Why a reply takes its time (CTAP 2.1, section 11.2.9.1.7).
    pub struct KeepaliveStatus(u8) {
        PROCESSING = 0x01,
        UP_NEEDED = 0x02,
    }
}

/// Capability flags in the reply to INIT (CTAP 2.1, section 11.2.9.1.3).
pub mod capability {
    /// The key can blink.
    pub const WINK: u8 = 0x01;
    /// The key speaks CTAP2.
    pub const CBOR: u8 = 0x04;
    /// The key does **not** speak U2F.
    pub const NO_MSG: u8 = 0x08;
}

/// The CTAPHID layer failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The message does not fit.
    #[error("a message of {length} bytes does not fit; CTAPHID carries {MESSAGE_LENGTH_MAX}")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// The key sent an ERROR message.
    #[error("the security key reports a transport error, {0}: {words}", words = .0.words())]
    Device(ErrorCode),
    /// The key broke the rules of the transport.
    #[error("the security key broke the CTAPHID rules: {0}")]
    Misbehaved(&'static str),
}
