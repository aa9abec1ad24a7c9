//! The privilege attribute certificate, MS-PAC: what a domain controller says about an account inside a ticket.
//!
//! [`Pac`] is the container with its buffers as bytes; [`Signing`] makes one with all its signatures in the order
//! of Windows; a check of signatures leaves a [`VerifiedPac`] behind, the only thing whose content a decision
//! should rest on. [`LogonInfo`] and its neighbours are the buffers' content.
//!
//! Deliberately absent: claims and device information, which are carried as bytes.

mod container;
mod credentials;
mod delegation;
mod logon_info;
mod ndr;
mod numbers;
mod sign;
mod small;
mod verify;

pub use container::{Buffer, Pac};
pub use credentials::{CredentialInfo, NtlmCredential, SupplementalCredential};
pub use delegation::DelegationInfo;
pub use logon_info::{ExtraSid, GroupMembership, LogonInfo};
pub use numbers::{BufferType, GroupAttributes, PacAttributes, UserFlags};
pub use sign::{Signing, TicketKind};
pub use small::{ClientInfo, UpnDnsInfo, requestor, requestor_from};
pub use verify::{Evidence, VerifiedPac};

use crate::crypto::CryptoError;
use crate::messages::Malformed;

/// Why a PAC is not read, not made, or not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PacError {
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
    /// The bytes have a form that nothing of this kind has.
    #[error("invalid {what}: {why}")]
    Invalid {
        /// The name of the thing.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A buffer occurs twice, so that two readers could see two different PACs.
    #[error("buffer {0} occurs twice")]
    Duplicate(BufferType),
    /// A buffer that must be there is not.
    #[error("buffer {0} is missing")]
    Missing(BufferType),
    /// A signature does not hold.
    #[error("signature {which}: {why}")]
    Signature {
        /// Which one.
        which: BufferType,
        /// Why it does not hold.
        why: CryptoError,
    },
    /// A signature names another read-only domain controller than the key that made it.
    #[error("signature {which} names RODC {have}, but its key is that of RODC {need}")]
    WrongRodc {
        /// Which one.
        which: BufferType,
        /// The number of the key.
        need: u16,
        /// The number in the signature.
        have: u16,
    },
    /// Something cannot be encrypted or signed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The ticket around the PAC is not well formed.
    #[error(transparent)]
    Ticket(#[from] Malformed),
}
