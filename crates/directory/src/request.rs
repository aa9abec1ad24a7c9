//! What a client asks for and what it gets, after the wire and before the store.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ldap::{Filter, Scope};
use types::{Dn, Guid, Rdn, Sid};

use crate::Error;

/// How a request names an object (MS-ADTS 3.1.1.3.1.2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// By distinguished name.
    Dn(Dn),
    /// `<GUID=...>`
    Guid(Guid),
    /// `<SID=...>`
    Sid(Sid),
    /// `<WKGUID=...,DC=...>`: by its role below another object.
    WellKnown(Guid, Dn),
}

impl From<Dn> for Name {
    fn from(dn: Dn) -> Self {
        Self::Dn(dn)
    }
}

impl From<Guid> for Name {
    fn from(guid: Guid) -> Self {
        Self::Guid(guid)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dn(dn) => dn.fmt(f),
            Self::Guid(guid) => write!(f, "<GUID={guid}>"),
            Self::Sid(sid) => write!(f, "<SID={sid}>"),
            Self::WellKnown(guid, dn) => write!(f, "<WKGUID={guid},{dn}>"),
        }
    }
}

impl FromStr for Name {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = || Error::BadName {
            name: text.chars().take(200).collect(),
        };
        let Some(inner) = text.trim().strip_prefix('<') else {
            return text.parse().map(Self::Dn).map_err(|_| bad());
        };
        // Extended forms may carry more parts, `<GUID=..>;<SID=..>;CN=..`: the first one decides.
        let (inner, _) = inner.split_once('>').ok_or_else(bad)?;
        let (kind, value) = inner.split_once('=').ok_or_else(bad)?;
        match kind.trim().to_ascii_uppercase().as_str() {
            "GUID" => guid(value).map(Self::Guid).ok_or_else(bad),
            "SID" => sid(value).map(Self::Sid).ok_or_else(bad),
            "WKGUID" => {
                let (role, dn) = value.split_once(',').ok_or_else(bad)?;
                let role = role_guid(role).ok_or_else(bad)?;
                Ok(Self::WellKnown(role, dn.parse().map_err(|_| bad())?))
            }
            _ => Err(bad()),
        }
    }
}

/// Text with hyphens, or 32 hex digits in the order of the wire.
fn guid(text: &str) -> Option<Guid> {
    if let Ok(guid) = text.trim().parse() {
        return Some(guid);
    }
    let bytes = data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.trim().as_bytes())
        .ok()?;
    Some(Guid::from_bytes_le(bytes.try_into().ok()?))
}

/// Roles are written as their octets stand in `wellKnownObjects`, which read like the text form without hyphens.
fn role_guid(text: &str) -> Option<Guid> {
    if let Ok(guid) = text.trim().parse() {
        return Some(guid);
    }
    let bytes = data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.trim().as_bytes())
        .ok()?;
    Some(Guid::from_bytes_be(bytes.try_into().ok()?))
}

fn sid(text: &str) -> Option<Sid> {
    if let Ok(sid) = text.trim().parse() {
        return Some(sid);
    }
    let bytes = data_encoding::HEXLOWER_PERMISSIVE
        .decode(text.trim().as_bytes())
        .ok()?;
    Sid::from_bytes(&bytes).ok()
}

/// A change to the directory.
#[derive(Debug, Clone)]
pub enum Operation {
    /// A new object.
    Add(AddRequest),
    /// Other values.
    Modify(ModifyRequest),
    /// One object, or a tree, less.
    Delete(DeleteRequest),
    /// Another name or place.
    Rename(RenameRequest),
}

/// A new object.
#[derive(Debug, Clone, Default)]
pub struct AddRequest {
    /// Its name.
    pub dn: Dn,
    /// Its attributes, as the client wrote them.
    pub attributes: Vec<(String, Vec<Vec<u8>>)>,
    /// The SD flags control, where it was given.
    pub descriptor_flags: Option<u32>,
    /// The RODC promotion control: a ticket granting account with a number that the directory chooses.
    pub makes_read_only_krbtgt: bool,
}

impl AddRequest {
    /// An object of this name, without attributes yet.
    pub fn new(dn: Dn) -> Self {
        Self {
            dn,
            ..Self::default()
        }
    }

    /// Adds an attribute.
    pub fn with<V: Into<Vec<u8>>>(
        mut self,
        attribute: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.attributes.push((
            attribute.into(),
            values.into_iter().map(Into::into).collect(),
        ));
        self
    }
}

/// How the values of one attribute change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ModificationKind {
    /// More values.
    Add,
    /// Fewer values; all of them when none is named.
    Delete,
    /// These values and no others.
    Replace,
    /// A number more (RFC 4525).
    Increment,
}

/// One step of a modify.
#[derive(Debug, Clone)]
pub struct Modification {
    /// What to do.
    pub kind: ModificationKind,
    /// With which attribute.
    pub attribute: String,
    /// And which values.
    pub values: Vec<Vec<u8>>,
}

impl Modification {
    /// One step.
    pub fn new<V: Into<Vec<u8>>>(
        kind: ModificationKind,
        attribute: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        Self {
            kind,
            attribute: attribute.into(),
            values: values.into_iter().map(Into::into).collect(),
        }
    }
}

/// Other values; all steps or none.
#[derive(Debug, Clone)]
pub struct ModifyRequest {
    /// The object.
    pub name: Name,
    /// The steps, in order.
    pub modifications: Vec<Modification>,
    /// Control 1.2.840.113556.1.4.1413: what is there already, or gone already, is no error.
    pub permissive: bool,
    /// The SD flags control, where it was given.
    pub descriptor_flags: Option<u32>,
    /// Control 1.2.840.113556.1.4.417: deleted objects may be named.
    pub show_deleted: bool,
}

impl ModifyRequest {
    /// A modify without controls.
    pub fn new(name: impl Into<Name>, modifications: Vec<Modification>) -> Self {
        Self {
            name: name.into(),
            modifications,
            permissive: false,
            descriptor_flags: None,
            show_deleted: false,
        }
    }
}

/// One object, or a tree, less.
#[derive(Debug, Clone)]
pub struct DeleteRequest {
    /// The object.
    pub name: Name,
    /// Control 1.2.840.113556.1.4.805: with all below.
    pub tree: bool,
}

/// Another name or place.
#[derive(Debug, Clone)]
pub struct RenameRequest {
    /// The object.
    pub name: Name,
    /// Its new relative name.
    pub new_rdn: Rdn,
    /// AD demands true.
    pub delete_old_rdn: bool,
    /// Its new parent, where it moves.
    pub new_parent: Option<Name>,
}

/// What a committed operation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The object.
    pub guid: Guid,
    /// The update sequence number it got; 0 where nothing changed.
    pub usn: u64,
    /// Shared by the operation's audit records.
    pub operation_id: Guid,
}

/// A search, its controls included.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// Where. The empty name means the root of all: only with [`Self::all_naming_contexts`].
    pub base: Name,
    /// How deep.
    pub scope: Scope,
    /// Which.
    pub filter: Filter,
    /// What of them, as on the wire: names, OIDs, `*`, `+`, `1.1`, `member;range=0-99`; none means `*`.
    pub attributes: Vec<String>,
    /// Names of attributes without values.
    pub types_only: bool,
    /// At most so many; 0 for no limit.
    pub size_limit: usize,
    /// Paged results.
    pub page: Option<Page>,
    /// Controls 1.2.840.113556.1.4.417 and .2064.
    pub show_deleted: bool,
    /// Control 1.2.840.113556.1.4.801.
    pub descriptor_flags: Option<u32>,
    /// Control 1.2.840.113556.1.4.529.
    pub extended_dn: Option<ldap::controls::ExtendedDn>,
    /// Control 1.2.840.113556.1.4.1340 with the phantom root: below the base, naming contexts do not end a search.
    pub all_naming_contexts: bool,
    /// Set by the caller when the answer is no longer wanted: the search ends at the next look.
    pub stop: Option<Arc<AtomicBool>>,
}

impl SearchRequest {
    /// A search without controls.
    pub fn new(base: impl Into<Name>, scope: Scope, filter: Filter) -> Self {
        Self {
            base: base.into(),
            scope,
            filter,
            attributes: Vec::new(),
            types_only: false,
            size_limit: 0,
            page: None,
            show_deleted: false,
            descriptor_flags: None,
            extended_dn: None,
            all_naming_contexts: false,
            stop: None,
        }
    }

    /// Asks for these attributes alone.
    pub fn with_attributes<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.attributes = names.into_iter().map(Into::into).collect();
        self
    }
}

/// One page of a search.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// At most so many entries.
    pub size: usize,
    /// Empty for the first page, else what the page before gave.
    pub cookie: Vec<u8>,
}

/// One found object, as the client may see it.
#[derive(Debug)]
pub struct Entry<'a> {
    /// Its name, in the form asked for.
    pub dn: Cow<'a, str>,
    /// Its attributes.
    pub attributes: Vec<EntryAttribute<'a>>,
}

/// One attribute of a found object.
#[derive(Debug)]
pub struct EntryAttribute<'a> {
    /// Its name, with a range option where there is one.
    pub name: Cow<'a, str>,
    /// Its values.
    pub values: Vec<Cow<'a, [u8]>>,
}

/// How a search ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchDone {
    /// Where the next page starts; `None` at the end.
    pub cookie: Option<Vec<u8>>,
    /// There was more than the size limit allows.
    pub size_limit_reached: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: Option<&str>) {
        assert_eq!(
            text.parse::<Name>()
                .ok()
                .map(|name| name.to_string())
                .as_deref(),
            shown,
            "{text}"
        );
    }

    #[test]
    fn names_of_all_kinds() {
        check("CN=a,DC=x", Some("CN=a,DC=x"));
        check(
            "<GUID=5b47d60f-6090-40b2-9f37-2a4de88f3063>",
            Some("<GUID=5b47d60f-6090-40b2-9f37-2a4de88f3063>"),
        );
        check(
            "<guid=0fd6475b9060b2409f372a4de88f3063>",
            Some("<GUID=5b47d60f-6090-40b2-9f37-2a4de88f3063>"),
        );
        check("<SID=S-1-5-18>;CN=x", Some("<SID=S-1-5-18>"));
        check("<SID=010100000000000512000000>", Some("<SID=S-1-5-18>"));
        check(
            "<WKGUID=a9d1ca15768811d1aded00c04fd8d5cd,DC=x>",
            Some("<WKGUID=a9d1ca15-7688-11d1-aded-00c04fd8d5cd,DC=x>"),
        );
        check("<GUID=1>", None);
        check("<SID=S-1-5-18", None);
        check("nonsense", None);
    }
}
