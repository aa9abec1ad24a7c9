//! An AD-like directory: objects, schema, access control, change log and audit records, kept in one file.
//!
//! - [`Directory`] is the whole: it answers searches from snapshots and commits changes through one writer.
//! - [`schema`] knows attributes and classes; [`access`] decides; [`Session`] says who asks.
//! - [`serve`] speaks LDAP for it; [`provision`] fills a new one; [`Principals`] shows its accounts to a KDC.
//!
//! Deliberately absent: replication between directories, issuing tickets (the `kdc` room), and reading the clock:
//! time, randomness and the path come in with [`Options`].

pub mod access;
mod directory;
mod error;
mod kerberos_keys;
mod model;
mod operations;
pub mod provision;
mod request;
pub mod schema;
pub mod serve;
mod session;
mod sign_ins;
mod store;

pub use directory::{Directory, Found, Naming, Options};
pub use error::{AttributeProblem, Error};
pub use kerberos_keys::{KeyPolicy, KeySet};
pub use model::{Descriptor, DescriptorId, Dnt, Object, Snapshot};
pub use operations::{
    KeyHolder, KeyHolders, Principal, PrincipalName, Principals, ReadOnlyController,
};
pub use request::{
    AddRequest, Applied, DeleteRequest, Entry, EntryAttribute, Modification, ModificationKind,
    ModifyRequest, Name, Operation, Page, RenameRequest, SearchDone, SearchRequest,
};
pub use session::Session;
pub use sign_ins::SignIns;
