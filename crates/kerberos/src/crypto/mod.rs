//! Encryption types 17, 18 (RFC 3962), 19, 20 (RFC 8009) and, by policy alone, 23 (RFC 4757).
//!
//! A [`Key`] keeps what it derived for each key usage, so that a KDC pays for a derivation once in the life of a
//! key. Checksums are keyed and compared in constant time.
//!
//! Deliberately absent: DES, triple DES and the RC4 types with 56 bits or unkeyed checksums. They stay numbers.

mod aes_sha1;
mod aes_sha2;
mod cipher;
mod key;
mod n_fold;
mod numbers;
mod password;
mod prf;
mod rc4_hmac;
mod usage_keys;

pub use key::{AllowRc4, Key};
pub use n_fold::n_fold;
pub use numbers::{ChecksumType, EncryptionType, KeyUsage};
pub use password::{nt_hash, string_to_key};
pub use prf::{combine, prf, prf_plus};
pub use rc4_hmac::hmac_md5_checksum;

/// Why something cannot be encrypted, decrypted or verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CryptoError {
    /// The number names nothing that this crate computes, or RC4 without the policy's consent.
    #[error("encryption type {0} is not supported; use 17 to 20, or 23 where policy allows RC4")]
    UnsupportedEncryptionType(EncryptionType),
    /// The key does not have the length of its type.
    #[error("a key of type {etype} has {need} bytes, not {have}")]
    KeyLength {
        /// The key's encryption type.
        etype: EncryptionType,
        /// The length of such keys.
        need: usize,
        /// The length that was given.
        have: usize,
    },
    /// The ciphertext cannot hold a confounder and a checksum.
    #[error("ciphertext of {have} bytes; the least is {need}")]
    TooShort {
        /// The least length.
        need: usize,
        /// The length that was given.
        have: usize,
    },
    /// Wrong key, wrong key usage, or somebody changed the bytes.
    #[error("the checksum does not hold: wrong key, or the bytes were changed")]
    Integrity,
    /// A checksum type that does not belong to the key, or that needs no key at all.
    #[error("checksum type {have} does not belong to the key, which makes {need}")]
    ChecksumType {
        /// What the key makes.
        need: ChecksumType,
        /// What was given.
        have: ChecksumType,
    },
    /// The iteration count of string-to-key is 0 or would keep the processor busy for minutes.
    #[error("string-to-key with {0} iterations; the limits are 1 and {max}", max = password::ITERATIONS_MAX)]
    Iterations(u32),
    /// The password is not UTF-8, so that it has no UTF-16 form for the NT hash.
    #[error("the password is not UTF-8")]
    PasswordEncoding,
}
