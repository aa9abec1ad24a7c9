//! The cloud identity provider: users, registration of security keys, policy, and the feed of keys.
//!
//! | module | what |
//! |---|---|
//! | `core` | decisions without I/O: the registration ceremony, attestation, policy, tokens, delta tokens, rates |
//! | `store` | one SQLite file: users, keys, the append-only change log and audit log |
//! | `service` | [`Cloud`]: each operation as one method, each change as one transaction |
//! | `serve` | HTTPS: [`router`] and [`serve`] over a listener that the caller opened |
//!
//! A key travels so: [`Cloud::begin_registration`] hands out a challenge that works once and for one user;
//! [`Cloud::finish_registration`] verifies what the key answered, asks the policy, and commits the key together
//! with a line of the change log; `GET /devicekeys/v1/delta` reads that log by a cursor. What the feed has said is on disk
//! before the registration is acknowledged.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let state = tempfile::tempdir()?;
//! use std::sync::Arc;
//! use cloud::{Caller, Cloud, NewTenant, Surroundings};
//! use cloud_api::users::NewUser;
//! use types::{SeededEntropy, Timestamp, VirtualClock};
//!
//! let clock = Arc::new(VirtualClock::new(Timestamp::parse_rfc3339("2026-06-10T05:06:07Z")?));
//! let surroundings = Surroundings::new(clock, Box::new(SeededEntropy::new(1)));
//! let tenant = NewTenant::new("contoso.example", "login.contoso.example");
//! let (cloud, _admin_token) = Cloud::create(&state.path().join("cloud.sqlite"), &tenant, surroundings)?;
//!
//! let user = cloud.create_user(&Caller::operator(), &NewUser {
//!     user_principal_name: "testuser@corp.contoso.com".into(),
//!     display_name: "Test User".into(),
//!     account_enabled: true,
//! })?;
//! let options = cloud.begin_registration(&Caller::operator(), user.id)?;
//! assert_eq!(options.public_key.rp.id, "login.contoso.example");
//! # Ok(()) }
//! ```
//!
//! A sign-in goes so: [`Cloud::join_device`] certifies a device's key; [`Cloud::token`] takes a request that the device
//! and the user's security key have signed, and answers with a primary refresh token and, where the user's domain has
//! published its Kerberos server object ([`Cloud::publish_server`]), with a partial ticket granting ticket for it.
//!
//! Deliberately absent: any clock, randomness or listener, which come from the caller.

mod caller;
mod config;
mod core;
mod error;
mod serve;
mod service;
mod store;

pub use caller::{Caller, Role};
pub use config::{Compatibility, Limits, NewTenant, Rate, RelyingParty, Tenant, TicketForm};
pub use core::application_token::ApplicationError;
pub use core::assertion::AssertionFailure;
pub use core::attestation::{AttestationObject, MalformedAttestation};
pub use core::ceremony::VerificationFailure;
pub use core::conditional_access::PolicyRefused;
pub use core::delta::{DeltaToken, StaleToken};
pub use core::device_ca::RequestedKey;
pub use core::hybrid::NotProven;
pub use core::policy::PolicyViolation;
pub use core::refusal::SignInError;
pub use error::Error;
pub use serve::{device_certificates, open_api, router, serve};
pub use service::{Cloud, Granted, Registrar, Surroundings, TokenForm, Trimmed};
pub use store::{AuditQuery, SignInLog};
