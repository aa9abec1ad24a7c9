//! What is said to the cloud over HTTPS: the JSON of each request and reply, and the paths.
//!
//! | module | what |
//! |---|---|
//! | [`paths`] | where things are |
//! | [`users`] | users and their on-premises identity, as administrators and the sync write them |
//! | [`fido2`] | registration of security keys: creation options, request, result |
//! | [`devicekeys`] | `searchableDeviceKey` per user and the delta feed that a sync follows |
//! | [`access`] | temporary access passes and sessions |
//! | [`policy`] | what keys a tenant accepts |
//! | [`audit`] | who did what |
//! | [`devices`], [`hybrid`] | joining a device; a computer of the ground joins by its synced certificate |
//! | [`ground`] | computers and Kerberos server objects, as the sync brings them |
//! | [`claims`] | what a sign-in is asked to prove |
//! | [`oidc`] | OAuth 2.0 and OpenID Connect for applications |
//! | [`prt`] | the primary refresh token and the partial ticket in its answer |
//! | [`session`], [`jose`] | the session key, what is derived from it, and the texts that are signed and sealed with it |
//! | [`trust`] | the Kerberos server object of a domain, and its sealed key |
//! | [`error`] | the body of every refusal |
//!
//! Names and shapes follow the public Graph API where it has them; the device key feed and the sync's data
//! plane are our own, because theirs are not publicly documented.
//!
//! ```
//! use cloud_api::devicekeys::{DeltaPage, request_target};
//! let page: DeltaPage = serde_json::from_str(
//!     r#"{"value":[{"id":"9c3e…","@removed":{"reason":"deleted"}}],
//!         "@odata.deltaLink":"https://login.contoso.example/devicekeys/v1/delta?$deltatoken=abc"}"#,
//! )?;
//! assert!(page.value[0].is_removed());
//! assert_eq!(
//!     page.delta_link.as_deref().and_then(request_target),
//!     Some("/devicekeys/v1/delta?$deltatoken=abc"),
//! );
//! # Ok::<(), serde_json::Error>(())
//! ```
//!
//! Deliberately absent: HTTP itself, on either side.

pub mod access;
pub mod audit;
pub mod base64;
pub mod claims;
pub mod conditional_access;
pub mod devicekeys;
pub mod devices;
pub mod error;
pub mod fido2;
pub mod ground;
pub mod hello;
pub mod hybrid;
pub mod jose;
pub mod oidc;
pub mod paths;
pub mod policy;
pub mod prt;
pub mod session;
pub mod tokens;
pub mod trust;
pub mod users;

pub use base64::Base64Url;
pub use devicekeys::{DeltaPage, DeltaUser};
pub use error::{ErrorBody, ErrorCode};
