//! LDAP v3 (RFC 4511) as Active Directory speaks it: messages, filters, controls, result codes, framing.
//!
//! The wire form is read and written by a small decoder of our own; `docs/decisions/ldap-codec.md` says why
//! and gives the figures. Values stay octets: a filter may hold a binary `objectSid`, a bind reply may carry
//! an NTLM challenge where a name belongs.
//!
//! ```
//! use ldap::{Filter, Limits, Message, Operation, Scope, SearchRequest};
//!
//! let filter: Filter = "(&(objectCategory=person)(sAMAccountName=testuser))".parse()?;
//! let search = SearchRequest::new("DC=corp,DC=contoso,DC=com", Scope::WholeSubtree, filter);
//! let bytes = Message::new(1, Operation::SearchRequest(search)).encode();
//! assert_eq!(ldap::frame_length(&bytes)?, Some(bytes.len()));
//! let message = Message::decode(&bytes, &Limits::default())?;
//! assert_eq!(message.id, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Deliberately absent: sockets, sessions, the evaluation of filters (the directory does that), SASL
//! mechanisms (their tokens are octets here), and any LDAP v2 operation.

mod ber;
pub mod controls;
mod decode;
pub mod diagnostic;
mod encode;
mod error;
pub mod extended;
mod filter;
mod filter_text;
mod frame;
mod message;
mod result;

pub use controls::{Control, RequestControl};
pub use encode::EntryEncoder;
pub use error::{DecodeError, InvalidFilter};
pub use filter::{AttributeAssertion, ExtensibleMatch, Filter, Substrings};
pub use frame::{Framer, frame_length};
pub use message::{
    AddRequest, Authentication, BindRequest, BindResponse, CompareRequest, ExtendedRequest,
    ExtendedResponse, IntermediateResponse, Limits, Message, Modification, ModifyDnRequest,
    ModifyOperation, ModifyRequest, Operation, PartialAttribute, Scope, SearchRequest,
    SearchResultEntry,
};
pub use result::{LdapResult, ResultCode};
