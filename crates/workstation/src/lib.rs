//! The workstation: what a device keeps of a sign-in, and what opens it again when the cloud cannot be reached.
//!
//! - [`joined`], [`keys`]: the device, once it belongs to a cloud
//! - [`cloud`], [`sign_in`]: signing in with a security key, and renewing without one
//! - [`offline`]: the cache that only the key's hmac-secret opens, on this device and no other
//! - [`device`]: what the device itself keeps secret, sealed by [`Seal`]
//! - [`connection`]: online, or offline until the next look; what a failed refresh does to the cache
//! - [`tickets`], [`domain`]: from the cloud's partial ticket to the domain's full one, and on to services
//! - [`session`]: what a signed-in user holds, what is due next, and what an answer changes
//! - [`policy`]: how long a cache is good for, and where an NT hash may live
//!
//! Pure: bytes, `now` and randomness are arguments. Files, sockets and keys are the caller's.

pub mod cloud;
pub mod connection;
pub mod device;
pub mod domain;
pub mod hybrid;
pub mod joined;
pub mod keys;
pub mod offline;
pub mod policy;
pub mod session;
pub mod sign_in;
pub mod tickets;

mod bytes;
mod seal;
mod signature;

pub use seal::{Seal, SealError};
