//! Decisions without I/O: bytes, requests, the present moment and randomness come in; replies and proofs go out.

pub(crate) mod access_token;
pub(crate) mod application_token;
pub(crate) mod asked;
pub(crate) mod assertion;
pub(crate) mod attestation;
pub(crate) mod authorization;
pub(crate) mod ceremony;
pub(crate) mod conditional_access;
pub(crate) mod delta;
pub(crate) mod device_ca;
pub(crate) mod device_key;
pub(crate) mod expiring;
pub(crate) mod hello;
pub(crate) mod hybrid;
pub(crate) mod nonce;
pub(crate) mod partial_ticket;
pub(crate) mod policy;
pub(crate) mod primary_token;
pub(crate) mod rate;
pub(crate) mod refusal;
pub(crate) mod retention;
mod sealed_text;
pub(crate) mod token;
pub(crate) mod wrapping;
