//! Decisions without I/O: bytes, requests, the present moment and randomness come in; replies and proofs go out.

pub(crate) mod attestation;
pub(crate) mod ceremony;
pub(crate) mod delta;
pub(crate) mod device_key;
pub(crate) mod policy;
pub(crate) mod rate;
pub(crate) mod token;
