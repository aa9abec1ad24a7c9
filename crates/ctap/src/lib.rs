//! The platform side of CTAP 2.1: what a computer says to a security key, and what it hears.
//!
//! Nothing here does I/O or knows a device. A [`Request`] becomes bytes and reads its own reply
//! ([`command`], [`client_pin`], [`credential_management`]), [`hid`] cuts both into 64-byte reports,
//! [`pin`] and [`hmac_secret`] hold the cryptography, and [`client::Client`] joins all of it over any
//! `Read + Write` that the caller hands in; [`attendant`] is what a person is told and asked meanwhile. [`iso7816`] puts
//! a smart card behind the same seam. [`webauthn`] builds what a relying party wants to see.
//!
//! ```
//! use ctap::Request;
//! assert_eq!(ctap::command::GetInfo.to_bytes(), [0x04]);
//! assert_eq!(ctap::Status(0x31).to_string(), "PIN_INVALID");
//! ```
//!
//! Deliberately absent: finding devices, the authenticator's side (that is `softkey`), U2F, and the WebAuthn `prf`
//! extension. Salts are sent **raw**, so a web page, whose `prf` input is
//! hashed first, can never obtain the secrets of a sign-in.

pub mod attendant;
pub mod auth_data;
mod cbor;
pub mod client;
pub mod client_pin;
pub mod command;
pub mod credential_management;
mod error;
pub mod get_info;
pub mod hid;
pub mod hmac_secret;
pub mod iso7816;
pub mod pin;
pub mod status;
pub mod webauthn;

pub use attendant::Attendant;
pub use auth_data::AuthData;
pub use client::Client;
pub use command::{Algorithm, Request};
pub use error::{Error, Malformed};
pub use pin::{Pin, PinProtocol, PinToken};
pub use status::Status;
