//! A KDC: the AS and TGS exchanges (RFC 4120, MS-KILE) over accounts that somebody else keeps.
//!
//! [`Kdc`] is the core: bytes of a request, the time and randomness go in, the bytes of an answer and [`Event`]s come
//! out. [`Accounts`] is all it asks of a directory, [`Lockout`] what it shares with other doors to the same passwords.
//! [`serve`] drives it over UDP and TCP.
//!
//! ```
//! use std::sync::Arc;
//!
//! use kdc::{Kdc, LockoutPolicy, MemoryAccounts, MemoryLockout, Settings};
//! use types::{SeededEntropy, Sid, Timestamp};
//!
//! let mut entropy = SeededEntropy::new(1);
//! let accounts = MemoryAccounts::new("CORP.CONTOSO.COM", Sid::nt(&[21, 1, 2, 3]), &mut entropy)?;
//! accounts.add("testuser", "Correct-Horse-2026", &[], |_| {})?;
//! let settings = Settings::new("CORP.CONTOSO.COM", "CORP", "DC1");
//! let lockout = Arc::new(MemoryLockout::new(LockoutPolicy::default()));
//! let kdc = Kdc::new(settings, Arc::new(accounts), lockout);
//!
//! let now = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z")?;
//! let answer = kdc.answer(b"no request at all", now, &mut entropy);
//! assert_eq!(answer.reply, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Deliberately absent: opening sockets, the clock, storing anything, and the protocol's bytes, which are `kerberos`'s.

mod accounts;
mod as_exchange;
mod delegation;
mod encryption;
mod event;
mod fast;
mod freshness;
mod kdc;
mod key_list;
pub mod key_trust;
mod key_trust_login;
mod kpasswd;
mod lockout;
mod memory;
mod memory_passwords;
mod names;
mod nt_hash;
mod pac;
mod password_login;
mod passwords;
mod pkinit_reply;
pub mod policy;
mod rate;
mod read_only_server;
mod recent;
mod refusal;
mod s4u_proxy;
mod s4u_self;
pub mod serve;
mod settings;
mod tgs_exchange;
mod tgs_proof;
mod tickets;

pub use accounts::{Account, AccountKind, AccountPolicy, Accounts, KeySet, Lookup, Unavailable};
pub use event::{Event, Proof};
pub use kdc::{Answer, Kdc};
pub use key_list::KeyListPolicy;
pub use key_trust_login::KeyTrust;
pub use kpasswd::Ends;
pub use lockout::{Lockout, LockoutPolicy, MemoryLockout};
pub use memory::MemoryAccounts;
pub use memory_passwords::MemoryPasswords;
pub use passwords::{PasswordRefused, PasswordRules, Passwords, PolicyBreach};
pub use read_only_server::{NotAllowed, ReadOnlyServer};
pub use settings::{NtHashRelease, Settings};
