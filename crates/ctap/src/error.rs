//! What can go wrong, and whose fault it is.

use crate::hid;
use crate::iso7816;
use crate::pin::InvalidPin;
use crate::status::Status;

/// An exchange with a security key failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The key understood and said no.
    #[error("the security key answered {0} ({code:#04x}): {words}", code = .0.0, words = .0.words())]
    Status(Status),
    /// The key's reply is not what CTAP says it should be.
    #[error("the security key sent a reply that cannot be read: {0}")]
    Malformed(#[from] Malformed),
    /// The CTAPHID layer failed.
    #[error(transparent)]
    Hid(#[from] hid::Error),
    /// The card on a reader.
    #[error(transparent)]
    Card(#[from] iso7816::Error),
    /// The PIN was refused, or may not be tried any more.
    #[error("{words}{tries}", words = .status.words(), tries = tries(*.left))]
    PinRefused {
        /// What the key said.
        status: Status,
        /// Tries left before the PIN is blocked for good, where the key tells.
        left: Option<u32>,
    },
    /// The key gives no token under the PIN that it has.
    #[error("the security key wants its PIN changed before anything else")]
    PinMustChange,
    /// The key is gone: it was unplugged, taken off the reader, or its program has ended.
    #[error("the security key was removed; insert it and try again")]
    Removed,
    /// The key says nothing, not even that it is busy.
    #[error("the security key does not answer; remove it, insert it and try again")]
    Silent,
    /// The stream to the key broke.
    #[error("the connection to the security key broke: {0}")]
    Io(std::io::Error),
    /// The PIN cannot be sent at all.
    #[error(transparent)]
    Pin(#[from] InvalidPin),
    /// The request needs something that this key does not have.
    #[error("the security key does not support {0}; its getInfo does not list it")]
    Unsupported(&'static str),
    /// The request is longer than the key takes.
    #[error("the request has {length} bytes, but the security key takes {longest}")]
    TooLong {
        /// Its length.
        length: usize,
        /// The longest that the key takes.
        longest: usize,
    },
    /// The key signed, but not what was asked for.
    #[error("the security key's answer is not the one asked for: {0}")]
    Unproven(&'static str),
    /// None of the accounts that fit was chosen.
    #[error("the security key holds {} here, and none of them was chosen", .0.join(", "))]
    NotChosen(Vec<String>),
    /// The caller asked for something that contradicts itself.
    #[error("{0}")]
    Caller(&'static str),
    /// The source of randomness gave no usable key.
    #[error("the source of randomness is broken: it gave no usable P-256 key")]
    Entropy,
}

impl Error {
    /// The status byte, where the key itself refused.
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Status(status) | Self::PinRefused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::UnexpectedEof
            | ErrorKind::BrokenPipe
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::NotConnected => Self::Removed,
            ErrorKind::WouldBlock | ErrorKind::TimedOut => Self::Silent,
            _ => Self::Io(error),
        }
    }
}

fn tries(left: Option<u32>) -> String {
    match left {
        None | Some(0) => String::new(),
        Some(1) => " (one try is left)".to_owned(),
        Some(left) => format!(" ({left} tries are left)"),
    }
}

/// Bytes that are not what they claim to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Fewer bytes than the structure needs.
    #[error("{what} needs {need} bytes at offset {offset}, but {have} are left")]
    Truncated {
        /// The structure.
        what: &'static str,
        /// Where the missing part starts.
        offset: usize,
        /// Bytes needed there.
        need: usize,
        /// Bytes left there.
        have: usize,
    },
    /// Bytes after the end of the structure.
    #[error("{what} ends at offset {offset}, but more bytes follow")]
    Trailing {
        /// The structure.
        what: &'static str,
        /// Where it ends.
        offset: usize,
    },
    /// Not CBOR, or nested too deeply.
    #[error("{what} is not readable as CBOR")]
    Cbor {
        /// The structure.
        what: &'static str,
    },
    /// A field that must be there is missing.
    #[error("{what} has no field {field}")]
    Missing {
        /// The structure.
        what: &'static str,
        /// The field's number or name.
        field: String,
    },
    /// A field has the wrong type or an impossible value.
    #[error("field {field} of {what} is not {wanted}")]
    Field {
        /// The structure.
        what: &'static str,
        /// The field's number or name.
        field: String,
        /// What it should have been.
        wanted: &'static str,
    },
    /// A value does not have the form that its place demands.
    #[error("{what} is not {wanted}")]
    Form {
        /// The value.
        what: &'static str,
        /// What it should have been.
        wanted: &'static str,
    },
}
