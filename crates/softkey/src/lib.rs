//! A software security key: a FIDO2 authenticator whose secrets live in one file.
//!
//! The authenticator is `opensk`; this crate gives it a state file that survives a kill at any moment
//! ([`Softkey::open`]), a batch attestation with a certificate that names this model ([`Attestation`]),
//! a touch ([`Touch`]), and the wire: raw 64-byte CTAPHID reports over any stream
//! ([`Softkey::serve`], [`Server`]) or without one ([`Softkey::connect`]), and ISO 7816 for a virtual smart-card reader
//! ([`Softkey::serve_reader`]).
//!
//! ```
//! use std::sync::Arc;
//! use softkey::{Options, Softkey, Touch};
//! use types::{SeededEntropy, Timestamp, VirtualClock};
//!
//! let clock = Arc::new(VirtualClock::new(Timestamp::parse_rfc3339("2026-06-10T00:00:00Z")?));
//! let options = Options::new(clock, Box::new(SeededEntropy::new(1)));
//! let key = Softkey::in_memory(options)?;
//! let client = ctap::Client::open(key.connect(), Box::new(SeededEntropy::new(2)))?;
//! assert!(client.info().has_extension("hmac-secret"));
//! assert_eq!(client.info().aaguid, softkey::AAGUID);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! **A key for laboratories and tests.** Its secrets lie unencrypted in a file; whoever copies the file
//! has the key. Deliberately absent: U2F, built-in user verification.

mod attestation;
mod environment;
mod key;
mod loopback;
mod reader;
mod serve;
mod store;
mod touch;
mod without;

pub use attestation::{Attestation, AttestationAuthority, AttestationError};
pub use key::{Options, Softkey, Summary};
pub use loopback::Loopback;
pub use serve::{Closer, Duplex, Server};
pub use store::StateError;
pub use touch::{Answer, Touch};

/// This model's AAGUID: the ASCII text `tombolo-softkey1`, that is
/// `746f6d62-6f6c-6f2d-736f-66746b657931`.
pub const AAGUID: [u8; 16] = *b"tombolo-softkey1";

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The state file.
    #[error(transparent)]
    State(#[from] StateError),
    /// The attestation key or certificate.
    #[error(transparent)]
    Attestation(#[from] AttestationError),
    /// The authenticator refused.
    #[error("the software key cannot {what}: {status}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Its answer.
        status: ctap::Status,
    },
}
