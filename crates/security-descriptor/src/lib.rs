//! Windows security descriptors: bytes, SDDL text, inheritance, and the access check of Active Directory.
//!
//! - [`SecurityDescriptor`], [`Acl`], [`Ace`] are the self-relative form of MS-DTYP 2.4.6, read and written byte for
//!   byte: ACE types without a meaning here, revisions, reserved bytes and slack survive a round trip.
//! - [`SecurityDescriptor::from_sddl`] and [`SecurityDescriptor::to_sddl`] are the text form of MS-DTYP 2.5.1.
//! - [`CompiledDescriptor`] and [`Rights`] are the access check of MS-ADTS 5.1.3.3, made for the hot path of a
//!   search: compile a descriptor once, ask for the [`Rights`] of a [`Token`] once, then ask per attribute.
//! - [`inherit`] is what a child receives from its parent (MS-DTYP 2.5.3.4).
//! - [`audits`] tells whether a SACL wants a record of an access.
//!
//! ```
//! use security_descriptor::{AccessMask, Domains, SecurityDescriptor, Token, check};
//! let domain: types::Sid = "S-1-5-21-1-2-3".parse()?;
//! let keys: types::Guid = "5b47d60f-6090-40b2-9f37-2a4de88f3063".parse()?;
//! let descriptor = SecurityDescriptor::from_sddl(
//!     "O:DAG:DAD:(OA;CI;RPWP;5b47d60f-6090-40b2-9f37-2a4de88f3063;;KA)(A;;RPLCLORC;;;AU)",
//!     Domains::single(&domain),
//! )?;
//! let key_admin = Token::new([domain.with_rid(1104), domain.with_rid(526)]);
//! assert!(check(&descriptor, &key_admin, None, AccessMask::WRITE_PROPERTY, &[keys]));
//! assert!(!check(&descriptor, &key_admin, None, AccessMask::WRITE_PROPERTY, &[]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Deliberately absent: conditional expressions of callback ACEs (kept as opaque bytes, never evaluated), mandatory
//! labels and central access policies, and any idea of who is in which group: a [`Token`] is given.

mod ace;
mod acl;
mod audit;
mod check;
mod descriptor;
mod error;
mod inherit;
mod mask;
mod sddl;

pub use ace::{Ace, AceBody, AceFlags, AceType, Entry, ObjectTypes};
pub use acl::Acl;
pub use audit::{Outcome, audits};
pub use check::{CompiledDescriptor, Rights, Token, check};
pub use descriptor::{Control, SecurityDescriptor};
pub use error::{InvalidSddl, Malformed, NotExpressible, TooLong};
pub use inherit::{Creation, inherit, merge, reinherit};
pub use mask::AccessMask;
pub use sddl::Domains;
