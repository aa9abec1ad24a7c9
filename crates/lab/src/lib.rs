//! The whole house in one process, and the story it tells.
//!
//! - [`House`] starts everything: directory, KDC, cloud and security key on loopback sockets, speaking their real
//!   protocols. The command line, the judges and the benchmarks all start it from here.
//! - [`outage`] tries what works while the cloud or the domain controller is away; [`wire`] takes them away.
//! - [`story`] plays the writeback half of the story and checks each step.
//!
//! Deliberately absent: any protocol of its own. What the house shows, it shows over the wire.

#![expect(
    clippy::disallowed_methods,
    reason = "the top floor: time, randomness, files and sockets come in here"
)]

pub mod accounts;
pub mod cloud_client;
pub mod device;
mod domain;
mod error;
mod ground;
mod hello_key;
mod house;
mod intruder;
pub mod kdc_log;
pub mod kerberos_client;
mod key_index;
pub mod ldap_client;
mod lockout;
mod member;
#[cfg(target_os = "linux")]
pub mod namespace;
pub mod outage;
mod passwords;
pub mod people;
mod pki;
mod ports;
mod realm;
pub mod registration;
pub mod report;
#[cfg(target_os = "linux")]
mod responder;
mod rooms;
mod service;
#[cfg(target_os = "linux")]
pub mod shell;
pub mod story;
pub mod trust;
pub mod wire;
pub mod wires;

pub use error::Error;
pub use ground::{OsEntropy, SystemClock};
pub use hello_key::HelloKey;
pub use house::{House, Lifetimes, Options};
pub use pki::{KdcSigner, Pki, provider};
pub use ports::{Addresses, Ports};
pub use report::Report;
