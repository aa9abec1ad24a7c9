//! The messages themselves (RFC 4511 4.1.1 to 4.14), as plain structs.
//!
//! Names are text as the peer spelt it: AD also takes `<GUID=...>`, `<SID=...>` and `<WKGUID=...>` where a
//! distinguished name belongs (MS-ADTS 3.1.1.3.1.2.4), so parsing them is the server's business.

use std::fmt;

use types::Secret;

use crate::{Control, DecodeError, Filter, LdapResult, decode, encode};

/// One LDAPMessage.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// The number that ties replies to a request. Zero is accepted: some clients begin there.
    pub id: u32,
    /// What is asked or answered.
    pub operation: Operation,
    /// Extensions to it.
    pub controls: Vec<Control>,
}

/// A request or a response.
#[derive(Debug, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "the variants are the names of the specification"
)]
pub enum Operation {
    BindRequest(BindRequest),
    BindResponse(BindResponse),
    UnbindRequest,
    SearchRequest(SearchRequest),
    SearchResultEntry(SearchResultEntry),
    SearchResultReference(Vec<String>),
    SearchResultDone(LdapResult),
    ModifyRequest(ModifyRequest),
    ModifyResponse(LdapResult),
    AddRequest(AddRequest),
    AddResponse(LdapResult),
    DelRequest(String),
    DelResponse(LdapResult),
    ModifyDnRequest(ModifyDnRequest),
    ModifyDnResponse(LdapResult),
    CompareRequest(CompareRequest),
    CompareResponse(LdapResult),
    AbandonRequest(u32),
    ExtendedRequest(ExtendedRequest),
    ExtendedResponse(ExtendedResponse),
    IntermediateResponse(IntermediateResponse),
}

/// Who the client says it is (RFC 4511 4.2).
#[derive(Debug, PartialEq, Eq)]
pub struct BindRequest {
    /// 3 for LDAP v3; the server refuses others.
    pub version: u8,
    /// The name: a DN, a UPN, `DOMAIN\account`, or empty.
    pub name: String,
    /// The proof.
    pub authentication: Authentication,
}

/// AuthenticationChoice (RFC 4511 4.2), with the Sicily choices of MS-ADTS 5.1.1.1.3.
#[derive(Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Authentication {
    /// A password; octets, for it need not be UTF-8.
    Simple(Secret<Vec<u8>>),
    /// A SASL mechanism and its token.
    Sasl {
        /// Such as `GSS-SPNEGO`.
        mechanism: String,
        /// The token; absent is not the same as empty.
        credentials: Option<Secret<Vec<u8>>>,
    },
    /// Sicily [9]: which packages are there?
    SicilyPackageDiscovery(Vec<u8>),
    /// Sicily [10]: the NTLM NEGOTIATE message.
    SicilyNegotiate(Vec<u8>),
    /// Sicily [11]: the NTLM AUTHENTICATE message.
    SicilyResponse(Secret<Vec<u8>>),
    /// A choice without a name here; the server answers authMethodNotSupported.
    Other {
        /// The identifier octet.
        tag: u8,
        /// Its content.
        content: Secret<Vec<u8>>,
    },
}

/// The answer to a bind.
#[derive(Debug, PartialEq, Eq)]
pub struct BindResponse {
    /// How it ended.
    pub result: LdapResult,
    /// The server's SASL token.
    pub server_credentials: Option<Vec<u8>>,
}

/// How far below the base a search looks (RFC 4511 4.5.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// The base alone.
    BaseObject,
    /// The children of the base.
    SingleLevel,
    /// The base and everything below.
    WholeSubtree,
}

/// A search (RFC 4511 4.5.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchRequest {
    /// Where to begin; empty for the rootDSE.
    pub base: String,
    /// How far to look.
    pub scope: Scope,
    /// neverDerefAliases (0) to derefAlways (3); AD has no aliases.
    pub deref_aliases: u32,
    /// Most entries wanted; zero for no wish.
    pub size_limit: u32,
    /// Most seconds wanted; zero for no wish.
    pub time_limit_s: u32,
    /// Names of attributes without values.
    pub types_only: bool,
    /// Which entries.
    pub filter: Filter,
    /// Which attributes; none means all user attributes, as `*` does; `1.1` means none.
    pub attributes: Vec<String>,
}

impl SearchRequest {
    /// A search for all attributes without limits.
    pub fn new(base: impl Into<String>, scope: Scope, filter: Filter) -> Self {
        Self {
            base: base.into(),
            scope,
            deref_aliases: 0,
            size_limit: 0,
            time_limit_s: 0,
            types_only: false,
            filter,
            attributes: Vec::new(),
        }
    }

    /// The same search for these attributes alone.
    pub fn with_attributes<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.attributes = names.into_iter().map(Into::into).collect();
        self
    }
}

/// A found entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchResultEntry {
    /// Its name.
    pub dn: String,
    /// Its attributes, as far as asked for and readable.
    pub attributes: Vec<PartialAttribute>,
}

/// An attribute description and values, maybe none.
///
/// `Debug` hides the values of attributes that hold passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct PartialAttribute {
    /// The attribute description, options included (`member;range=0-1499`).
    pub name: String,
    /// The values, as they stand on the wire.
    pub values: Vec<Vec<u8>>,
}

impl PartialAttribute {
    /// An attribute with these values.
    pub fn new<V: Into<Vec<u8>>>(
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        Self {
            name: name.into(),
            values: values.into_iter().map(Into::into).collect(),
        }
    }
}

impl fmt::Debug for PartialAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        let secret = PASSWORD_ATTRIBUTES
            .iter()
            .any(|name| self.name.eq_ignore_ascii_case(name));
        if secret {
            return write!(f, "[{} hidden]", self.values.len());
        }
        let escaped = self
            .values
            .iter()
            .map(|value| value.escape_ascii().to_string());
        f.debug_list().entries(escaped).finish()
    }
}

const PASSWORD_ATTRIBUTES: [&str; 5] = [
    "unicodePwd",
    "userPassword",
    "clearTextPassword",
    "ntPwdHistory",
    "supplementalCredentials",
];

types::open_enum! {
    /// ModifyRequest.changes.operation, RFC 4511 4.6 and RFC 4525 (increment).
    pub struct ModifyOperation(u32) { ADD = 0, DELETE = 1, REPLACE = 2, INCREMENT = 3 }
}

/// One change of a modify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modification {
    /// Add, delete, replace or increment.
    pub operation: ModifyOperation,
    /// The attribute and the values of the change.
    pub attribute: PartialAttribute,
}

impl Modification {
    /// A change of one attribute.
    pub fn new(operation: ModifyOperation, attribute: PartialAttribute) -> Self {
        Self {
            operation,
            attribute,
        }
    }
}

/// Changes to one entry, all or none (RFC 4511 4.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModifyRequest {
    /// The entry.
    pub dn: String,
    /// The changes, in order.
    pub changes: Vec<Modification>,
}

/// A new entry (RFC 4511 4.7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddRequest {
    /// Its name.
    pub dn: String,
    /// Its attributes.
    pub attributes: Vec<PartialAttribute>,
}

/// A rename or a move (RFC 4511 4.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModifyDnRequest {
    /// The entry.
    pub dn: String,
    /// Its new last part.
    pub new_rdn: String,
    /// Whether the old naming value goes. AD takes only true.
    pub delete_old_rdn: bool,
    /// Its new parent, if it moves.
    pub new_superior: Option<String>,
}

/// A question for one value (RFC 4511 4.10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompareRequest {
    /// The entry.
    pub dn: String,
    /// The attribute description.
    pub attribute: String,
    /// The value asked for.
    pub value: Vec<u8>,
}

/// An operation by OID (RFC 4511 4.12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendedRequest {
    /// Which operation; see [`crate::extended`].
    pub oid: String,
    /// Its argument.
    pub value: Option<Vec<u8>>,
}

/// The answer to an extended operation, or a notice without a request (RFC 4511 4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendedResponse {
    /// How it ended.
    pub result: LdapResult,
    /// Which response this is.
    pub oid: Option<String>,
    /// Its value.
    pub value: Option<Vec<u8>>,
}

/// News before the end of an operation (RFC 4511 4.13).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IntermediateResponse {
    /// Which kind.
    pub oid: Option<String>,
    /// Its value.
    pub value: Option<Vec<u8>>,
}

/// How much of a message we are ready to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest message in bytes. AD's MaxReceiveBuffer is 10 MiB.
    pub message_length_max: usize,
    /// Deepest nesting of a filter.
    pub filter_depth_max: usize,
    /// Most values, attributes, filter parts, controls and URLs together. An empty element takes two
    /// bytes on the wire and more than ten times that in memory, so their number has its own bound.
    pub elements_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_length_max: 10 << 20,
            filter_depth_max: 128,
            elements_max: 200_000,
        }
    }
}

impl Limits {
    /// For a peer that has not yet said who it is: enough for any bind with a Kerberos ticket.
    pub fn before_bind() -> Self {
        Self {
            message_length_max: 256 << 10,
            filter_depth_max: 32,
            elements_max: 1_000,
        }
    }
}

impl Message {
    /// A message without controls.
    pub fn new(id: u32, operation: Operation) -> Self {
        Self {
            id,
            operation,
            controls: Vec::new(),
        }
    }

    /// The same message with controls.
    pub fn with_controls(mut self, controls: Vec<Control>) -> Self {
        self.controls = controls;
        self
    }

    /// Reads one whole message; `bytes` is what [`crate::Framer`] cut out.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, DecodeError> {
        decode::message(bytes, limits)
    }

    /// The message in BER.
    pub fn encode(&self) -> Vec<u8> {
        let mut buffer = Vec::with_capacity(128);
        self.encode_into(&mut buffer);
        buffer
    }

    /// Appends the message in BER.
    pub fn encode_into(&self, buffer: &mut Vec<u8>) {
        encode::message(self, buffer);
    }
}
