//! Ordered byte tables with one writer and snapshots: all that the directory asks of a store.
//!
//! `engine` does it with redb; `overlay` lets one operation among many in a commit fail without a trace.
//! Keys and their order are in `keys`.

mod engine;
pub(crate) mod keys;
mod overlay;

use std::ops::ControlFlow;

pub(crate) use engine::{Engine, ReadView, WriteView};
pub(crate) use overlay::Overlay;

use crate::Error;

/// The tables, in the order of their names in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Table {
    /// `dnt -> record`.
    Object,
    /// `parent dnt, folded rdn -> dnt`.
    Name,
    /// `attribute, value, dnt -> ()`.
    Index,
    /// `source dnt, attribute, target dnt, digest -> stamps and payload`.
    Link,
    /// `target dnt, forward attribute, source dnt, digest -> ()`.
    Back,
    /// `usn -> dnt`, the current one of each object.
    Usn,
    /// `dnt -> stamps of attributes changed since the object's creation`.
    Stamp,
    /// `descriptor id -> bytes`.
    Descriptor,
    /// `SHA-256 of the bytes -> descriptor id`.
    DescriptorDigest,
    /// `dnt -> password verifier`.
    Secret,
    /// `dnt -> Kerberos keys`.
    Key,
    /// `record id -> audit record`.
    Audit,
    /// Counters and facts about the store itself.
    State,
}

impl Table {
    pub(crate) const ALL: [Self; 13] = [
        Self::Object,
        Self::Name,
        Self::Index,
        Self::Link,
        Self::Back,
        Self::Usn,
        Self::Stamp,
        Self::Descriptor,
        Self::DescriptorDigest,
        Self::Secret,
        Self::Key,
        Self::Audit,
        Self::State,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Object => "object",
            Self::Name => "name",
            Self::Index => "index",
            Self::Link => "link",
            Self::Back => "back",
            Self::Usn => "usn",
            Self::Stamp => "stamp",
            Self::Descriptor => "descriptor",
            Self::DescriptorDigest => "descriptor_digest",
            Self::Secret => "secret",
            Self::Key => "key",
            Self::Audit => "audit",
            Self::State => "state",
        }
    }
}

/// What a visitor of rows does next.
pub(crate) type Visit<'v> = &'v mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// A consistent view of all tables.
pub(crate) trait View {
    /// The value of a key.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, Error>;

    /// Visits rows from `start` on in ascending order, up to but not including `end`.
    fn scan(
        &self,
        table: Table,
        start: &[u8],
        end: Option<&[u8]>,
        visit: Visit<'_>,
    ) -> Result<(), Error>;
}

/// Visits the rows whose keys begin with `prefix`.
pub(crate) fn scan_prefix(
    view: &dyn View,
    table: Table,
    prefix: &[u8],
    visit: Visit<'_>,
) -> Result<(), Error> {
    view.scan(table, prefix, keys::after_prefix(prefix).as_deref(), visit)
}

/// Whether any key begins with `prefix`.
pub(crate) fn has_prefix(view: &dyn View, table: Table, prefix: &[u8]) -> Result<bool, Error> {
    let mut found = false;
    scan_prefix(view, table, prefix, &mut |_, _| {
        found = true;
        ControlFlow::Break(())
    })?;
    Ok(found)
}
