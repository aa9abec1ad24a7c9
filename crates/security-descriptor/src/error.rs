//! What can be wrong with a security descriptor, and where.

use types::sid::InvalidSid;

/// The bytes are not a self-relative security descriptor.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// Fewer bytes than announced.
    #[error("{what} at byte {offset} needs {need} bytes, but {have} are left")]
    Truncated {
        /// The structure that was being read.
        what: &'static str,
        /// Where it starts.
        offset: usize,
        /// Bytes it needs.
        need: usize,
        /// Bytes that are there.
        have: usize,
    },
    /// Only revision 1 exists.
    #[error("security descriptor revision {0} is unknown")]
    Revision(u8),
    /// The pointers of an absolute descriptor mean nothing outside the process that made it.
    #[error("security descriptor is not self-relative")]
    NotSelfRelative,
    /// Longer than any directory stores.
    #[error("security descriptor of {0} bytes; at most 262144 are read")]
    TooLong(usize),
    /// A size field that is smaller than the header it stands in.
    #[error("{what} at byte {offset} claims {size} bytes, less than its own header")]
    Size {
        /// The structure that was being read.
        what: &'static str,
        /// Where it starts.
        offset: usize,
        /// The size it claims.
        size: usize,
    },
    /// Not a SID where one is due.
    #[error("SID at byte {offset}: {why}")]
    Sid {
        /// Where it starts.
        offset: usize,
        /// What is wrong with it.
        why: InvalidSid,
    },
}

/// An ACL or ACE that does not fit its 16-bit size field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} of {size} bytes does not fit the 65535 of its size field; remove some entries")]
pub struct TooLong {
    pub(crate) what: &'static str,
    pub(crate) size: usize,
}

/// The text is not SDDL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("SDDL is wrong at byte {offset}: {why}")]
pub struct InvalidSddl {
    pub(crate) offset: usize,
    pub(crate) why: String,
}

/// The descriptor holds something for which SDDL has no text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} cannot be written as SDDL")]
pub struct NotExpressible(pub(crate) String);
