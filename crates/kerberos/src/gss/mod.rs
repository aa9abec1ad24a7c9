//! GSS-API tokens of Kerberos (RFC 4121) and SPNEGO (RFC 4178), as LDAP, HTTP and SMB carry them.
//!
//! [`MechToken`] frames AP-REQ and AP-REP, [`NegToken`] negotiates, [`GssChecksum`] is what an initiator says in its
//! authenticator, [`Accepted`] is the context that comes of it, [`PerMessage`] wraps and signs after that, [`SaslLayer`]
//! is the last word of SASL GSSAPI.
//!
//! Deliberately absent: per-message tokens with RC4 keys (RFC 4757), NTLM, and DCE style.

mod acceptor;
mod bindings;
mod checksum;
mod framing;
mod per_message;
mod sasl;
mod spnego;

pub use acceptor::Accepted;
pub use bindings::tls_server_end_point;
pub use checksum::{GssChecksum, GssFlags};
pub use framing::{Mech, MechToken, TokenKind};
pub use per_message::{PerMessage, Protection, Role};
pub use sasl::SaslLayer;
pub use spnego::{NegState, NegToken, NegTokenInit, NegTokenResp};

use crate::crypto::CryptoError;

/// Why a token is not read or not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GssError {
    /// The bytes are not the token.
    #[error("invalid {what}: {why}")]
    Invalid {
        /// The token.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A message that was lost, repeated or put in another place.
    #[error("message {have} came when {need} was due")]
    Sequence {
        /// The number that was due.
        need: u64,
        /// The number that came.
        have: u64,
    },
    /// The checksum does not hold, or the key cannot do that.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl From<crate::der::InvalidDer> for GssError {
    fn from(error: crate::der::InvalidDer) -> Self {
        Self::Invalid {
            what: error.what,
            why: error.why,
        }
    }
}
