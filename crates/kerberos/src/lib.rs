//! Kerberos: what is said between a client, a KDC and a service, as codecs and cryptography without any I/O.
//!
//! [`crypto`] holds the encryption types (RFC 3961, 3962, 8009, and 4757 by policy), [`messages`] RFC 4120 and
//! what Windows added to it; [`ticket`] seals and opens, [`pac`] is what Windows says about an account inside a
//! ticket, [`files`] are credential caches, keytabs and `.kirbi`, [`pkinit`] puts public keys in the
//! place of passwords, [`gss`] wraps it all for LDAP and HTTP, and [`client`] asks a KDC for tickets.
//!
//! ```
//! use kerberos::crypto::{EncryptionType, Key, KeyUsage, string_to_key};
//! use types::SeededEntropy;
//!
//! let key = string_to_key(
//!     EncryptionType::AES256_CTS_HMAC_SHA1_96, b"password", b"CORP.CONTOSO.COMtestuser", None)?;
//! let sealed = key.encrypt(KeyUsage::AS_REQ_TIMESTAMP, b"now", &mut SeededEntropy::new(1))?;
//! assert_eq!(key.decrypt(KeyUsage::AS_REQ_TIMESTAMP, &sealed)?.as_slice(), b"now");
//! # Ok::<(), kerberos::crypto::CryptoError>(())
//! ```
//!
//! Deliberately absent: sockets, files, the clock, and every decision that a KDC takes.

pub mod client;
pub mod crypto;
mod der;
pub mod files;
pub mod gss;
pub mod messages;
pub mod pac;
pub mod pkinit;
pub mod ticket;
