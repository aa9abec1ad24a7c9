//! Speaks LDAP for a [`Directory`](crate::Directory) (RFC 4511; MS-ADTS 3.1.1.3).
//!
//! - [`Server`] takes listeners and connections that the top floor opened, and drives one conversation on each.
//! - `conversation` is the core: messages in, replies and [`work`] out, no sockets and no clock.
//! - `connection` is the shell: framing, TLS, time-outs, and the threads that do the work.
//!
//! - `sasl` signs in with Kerberos, and signs or seals what follows.
//!
//! Deliberately absent: opening sockets; Sicily binds and NTLM; the SASL mechanism EXTERNAL; server side sorting, DirSync and notifications, so the rootDSE does not offer them.

mod connection;
mod controls;
mod conversation;
mod options;
mod reply;
mod root_dse;
mod sasl;
mod search;
mod server;
mod subschema;
mod throttle;
mod work;
mod write;

#[cfg(test)]
mod tests;

pub use options::Options;
pub use sasl::KerberosRules;
pub use server::{Server, Transport};
