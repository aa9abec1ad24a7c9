//! The offline cache: a sign-in that opens again without the cloud, by the same key, on the same device.
//!
//! ```text
//! "TOMBOLO-OFFLINE\0" 16 | version u8 | header length u32 | header, CBOR | nonce 12 | AES-256-GCM(record, CBOR) | tag 16
//! key = HKDF-SHA-256(hmac-secret output || device secret, salt = the header's random bytes,
//!                    "tombolo offline-cache v1" || device id || rp id hash || credential id)
//! ```
//! Everything before the nonce is authenticated. **Decryption is the gate**: nothing is compared, and nobody without the
//! key, its user verification and this device's secret has anything to compare with. The salt of hmac-secret and the
//! times stand in the header in clear, as they must be known before the key is touched; they are believed only after
//! decryption.
//!
//! The format is Tombolo's own. What the original system keeps of a FIDO2 sign-in is not publicly documented.

mod file;
mod header;
mod key;
mod record;
#[cfg(test)]
mod tests;
mod touched;

pub use file::{NewCache, Notice, OfflineCache, Refused, SealedCache, Unlocked, Unsealable};
pub use header::{CredentialTag, Header, Salt};
pub use record::{NtHash, PrimaryRefreshToken, Record, User};
pub use touched::TouchedKey;

/// The bytes are no offline cache.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Another file, or the beginning is damaged.
    #[error("this is no offline cache; sign in online once to write a new one")]
    NotACache,
    /// Written by a later version.
    #[error(
        "the offline cache has version {0}, this program knows version 1; sign in online once to write a new one"
    )]
    Version(u8),
    /// Cut short, or the header is damaged.
    #[error("the offline cache is damaged at byte {at}; sign in online once to write a new one")]
    Damaged {
        /// Where reading stopped.
        at: usize,
    },
}
