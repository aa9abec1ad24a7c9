//! What the engine needs from the two systems it connects: [`Source`] and [`Target`].
//!
//! A cloud is a [`Source`]; a directory is a [`Target`], which is a source that can also be asked about its
//! schema and its permissions, read back, and written. The modules `http` and `ldap` implement them for remote
//! parties, [`crate::memory`] for tests and benchmarks.
//!
//! Deliberately absent: what any attribute means. Values are octets here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use types::Sid;

/// One of the two connected systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Connector {
    /// The on-premises directory.
    Ad,
    /// The cloud directory.
    Cloud,
}

impl Connector {
    /// The word for it in rules, tables and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ad => "ad",
            Self::Cloud => "cloud",
        }
    }
}

impl fmt::Display for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of an object that never changes: the text of `objectGUID` in a directory, the id in the cloud.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Anchor(String);

impl Anchor {
    /// From its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Anchor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The octets of one value. Text is UTF-8; of a DN-Binary value only the binary part is kept.
pub type Value = Vec<u8>;

/// All values of one attribute.
pub type Values = BTreeSet<Value>;

/// Attributes of one object, by the name that the rules use.
pub type Attributes = BTreeMap<String, Values>;

/// One object as a connected system shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StagedObject {
    /// Its lasting name.
    pub anchor: Anchor,
    /// Its kind: `user`, `computer`, `device`, `kerberosServer`.
    pub kind: String,
    /// The name that people know it by: a distinguished name, or a user principal name.
    pub name: String,
    /// The attributes that were asked for and that it has.
    pub attributes: Attributes,
}

/// One line of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The object is there and looks like this, whole.
    Upsert(StagedObject),
    /// The object is gone.
    Delete(Anchor),
    /// All objects of this kind have been given in this import; any other that was known is gone.
    Whole(String),
}

/// Where an import ended, in the connected system's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// What to import.
#[derive(Debug, Clone, Copy)]
pub struct ImportRequest<'a> {
    /// Only what changed after this point; everything where it is `None`.
    pub since: Option<&'a Cursor>,
    /// The attributes that the rules read, for each kind of object that they want.
    pub kinds: &'a Kinds,
}

/// Kinds of objects, and the attributes that are wanted of each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kinds(pub BTreeMap<String, BTreeSet<String>>);

impl Kinds {
    /// Whether objects of this kind are wanted.
    pub fn has(&self, kind: &str) -> bool {
        self.0.contains_key(kind)
    }

    /// Whether an attribute of a kind is wanted.
    pub fn wants(&self, kind: &str, attribute: &str) -> bool {
        self.0
            .get(kind)
            .is_some_and(|attributes| attributes.contains(attribute))
    }

    /// The attributes of all kinds.
    pub fn attributes(&self) -> BTreeSet<&str> {
        self.0.values().flatten().map(String::as_str).collect()
    }
}

/// All of it in one line, to notice when the rules want something else.
impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (kind, attributes) in &self.0 {
            let attributes: Vec<&str> = attributes.iter().map(String::as_str).collect();
            write!(f, "{kind}:{};", attributes.join(","))?;
        }
        Ok(())
    }
}

/// The engine does not want more; it knows why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop;

/// Takes the lines of an import.
pub type Sink<'a> = dyn FnMut(Change) -> Result<(), Stop> + 'a;

/// A system that can be imported from.
pub trait Source {
    /// Gives every object, or every change after a cursor, and the new cursor.
    ///
    /// The cursor must be one that was true *before* the first object was read, so that what changes meanwhile
    /// comes again.
    fn import(
        &mut self,
        request: ImportRequest<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Cursor, ConnectorError>;

    /// Its address, for receipts and messages.
    fn url(&self) -> String;
}

/// A cloud that takes objects of the ground: devices and Kerberos server objects.
pub trait ObjectTarget: Source {
    /// Makes an object be as it is said, or be gone. Saying it twice does no harm.
    fn put(&mut self, write: &ObjectWrite) -> Result<(), WriteError>;
}

/// An object as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectWrite {
    /// What it is.
    pub kind: String,
    /// Its lasting name there.
    pub anchor: Anchor,
    /// All that it should have; `None` where it should be gone.
    pub attributes: Option<Attributes>,
}

/// A directory that can be written to.
pub trait Target: Source {
    /// Which of these attributes the schema knows.
    fn schema(&mut self, attributes: &BTreeSet<String>) -> Result<SchemaProbe, ConnectorError>;

    /// Whether the connector account may write `attribute` of these objects.
    fn permissions(
        &mut self,
        anchors: &[Anchor],
        attribute: &str,
    ) -> Result<BTreeMap<Anchor, Permission>, ConnectorError>;

    /// The values of one attribute right now; `None` where the object is gone.
    fn read(&mut self, anchor: &Anchor, attribute: &str) -> Result<Option<Values>, ConnectorError>;

    /// Adds and deletes single values, all or none.
    fn write(&mut self, write: &ValueWrite) -> Result<(), WriteError>;

    /// Who we are there, for the lines that mend a missing right.
    fn account(&mut self) -> Result<Account, ConnectorError>;
}

/// What a directory says of its schema.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaProbe {
    /// The attributes that exist there.
    pub present: BTreeSet<String>,
    /// `objectVersion` of the schema (87 is Server 2016), where it can be read.
    pub version: Option<u32>,
}

/// What a directory says of our rights on one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// `allowedAttributesEffective` names the attribute.
    Granted,
    /// It does not.
    Denied,
    /// It does not, and the object is protected by AdminSDHolder (`adminCount` is 1).
    DeniedByProtection,
    /// The object is gone.
    Gone,
    /// The directory does not compute `allowedAttributesEffective`.
    Unknown,
}

/// The connector account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its distinguished name.
    pub dn: String,
    /// `DOMAIN\sAMAccountName`.
    pub name: String,
    /// Its security identifier.
    pub sid: Option<Sid>,
    /// The distinguished name of its domain.
    pub domain_dn: String,
    /// Where the directory listens.
    pub url: String,
}

/// Values to add to and delete from one attribute of one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValueWrite {
    /// The object.
    pub anchor: Anchor,
    /// The attribute.
    pub attribute: String,
    /// Values to add.
    pub add: Values,
    /// Values to delete.
    pub remove: Values,
}

/// A connected system did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectorError {
    /// The cursor is too old, or belongs to a copy of the database that was restored: import everything.
    #[error("{0} wants a full import: {1}")]
    ResyncRequired(String, String),
    /// Nobody answers, or not now.
    #[error("{url} is unavailable: {why}; it is tried again with the next cycle")]
    Unavailable {
        /// The address.
        url: String,
        /// What happened.
        why: String,
    },
    /// The credentials, or the right to read, are missing.
    #[error("{url} refuses: {why}")]
    Refused {
        /// The address.
        url: String,
        /// What it says.
        why: String,
    },
    /// The answer cannot be understood.
    #[error("{url} answered nonsense: {why}")]
    Nonsense {
        /// The address.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The sink said [`Stop`].
    #[error("the import was stopped")]
    Stopped,
}

impl From<Stop> for ConnectorError {
    fn from(Stop: Stop) -> Self {
        Self::Stopped
    }
}

/// Why a write failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct WriteError {
    /// What to do about it.
    pub class: WriteErrorClass,
    /// The LDAP result code, where there is one.
    pub code: Option<u32>,
    /// What the directory says.
    pub message: String,
}

/// What to do about a failed write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WriteErrorClass {
    /// The account may not (Win32 8344, LDAP 50).
    Denied,
    /// The object is gone (LDAP 32).
    Gone,
    /// The schema does not know the attribute (LDAP 16, 17 or 65 with that meaning).
    Schema,
    /// A value to add is there, or one to delete is not (LDAP 20, 16): read back and decide.
    AlreadySo,
    /// Busy, unavailable, or out of time: the next cycle tries again.
    Retry,
    /// A property that is set once has another value already.
    Immutable,
    /// Anything else; trying again will not help.
    Permanent,
}
