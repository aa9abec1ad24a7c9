//! Why bytes are not a key credential, and why a key credential cannot be built.

use crate::numbers::Version;

/// The bytes are not a KEYCREDENTIALLINK_BLOB.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// The bytes end inside something.
    #[error("truncated {what} at byte {offset}: needs {need} bytes, has {have}")]
    Truncated {
        /// The name of the thing that is cut.
        what: &'static str,
        /// Where it starts.
        offset: usize,
        /// How long it says it is.
        need: usize,
        /// How much of it is there.
        have: usize,
    },
    /// The first four bytes name a layout that nobody is known to write.
    #[error("unknown blob version {0}; versions 0x00, 0x100 and 0x200 are known")]
    UnknownVersion(Version),
    /// No directory holds values of this size.
    #[error("blob of {have} bytes; the limit is {max}")]
    TooLarge {
        /// Its size.
        have: usize,
        /// The limit.
        max: usize,
    },
}

/// An entry cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The length field of an entry has 16 bits.
    #[error("{what} of {have} bytes does not fit an entry; the limit is 65535")]
    EntryTooLong {
        /// The entry's name.
        what: &'static str,
        /// Its length.
        have: usize,
    },
    /// The time is outside what the blob's clock can say.
    #[error(
        "creation time {0} cannot be written as a .NET time; it must lie between the years 1 and 9999"
    )]
    TimeOutOfRange(types::Timestamp),
    /// The blob has no such entry, and the cloud form needs it.
    #[error("the blob has no {0}, which the cloud form needs")]
    Missing(&'static str),
}
