//! What can be wrong with a message or a filter's text.

/// The bytes are not an LDAP message, or not one that we are ready to hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// The bytes end too early.
    #[error("{what} at offset {offset} needs {need} bytes, {have} are left")]
    Truncated {
        /// The element that is cut short.
        what: &'static str,
        /// Where it begins.
        offset: usize,
        /// Bytes announced.
        need: usize,
        /// Bytes present.
        have: usize,
    },
    /// Another element stands where this one belongs.
    #[error("{what} at offset {offset} has tag {found:#04x}")]
    UnexpectedTag {
        /// The element expected here.
        what: &'static str,
        /// Where.
        offset: usize,
        /// The tag found.
        found: u8,
    },
    /// The element is there, but its content is not allowed.
    #[error("{what} at offset {offset}: {why}")]
    Invalid {
        /// The element.
        what: &'static str,
        /// Where its content begins.
        offset: usize,
        /// The broken rule.
        why: &'static str,
    },
    /// More than [`crate::Limits`] allow.
    #[error("the message has more {what} than the limit of {limit}")]
    Limit {
        /// What there is too much of.
        what: &'static str,
        /// How much is allowed.
        limit: usize,
    },
}

/// The text is not a filter (RFC 4515).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an LDAP filter: {why} at byte {offset}")]
pub struct InvalidFilter {
    /// Where reading stopped.
    pub offset: usize,
    /// The broken rule.
    pub why: &'static str,
}
