//! Controls (RFC 4511 4.1.11): the general form, and those of AD (MS-ADTS 3.1.1.3.4.1) as types.
//!
//! Reading a control says what it means; whether an unknown critical one ends the operation
//! (unavailableCriticalExtension) is the server's decision.

mod dir_sync;
mod paged;
mod sort;
mod values;

pub use dir_sync::{DirSyncFlags, DirSyncRequest, DirSyncResponse};
pub use paged::PagedResults;
pub use sort::SortKey;
pub use values::{ExtendedDn, SdFlags, SearchOptions};

use crate::DecodeError;

/// Paged results, RFC 2696.
pub const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// Notification of changes.
pub const NOTIFICATION: &str = "1.2.840.113556.1.4.528";
/// Which parts of a security descriptor.
pub const SD_FLAGS: &str = "1.2.840.113556.1.4.801";
/// Deleted objects as well.
pub const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";
/// Sort request, RFC 2891.
pub const SORT_REQUEST: &str = "1.2.840.113556.1.4.473";
/// Sort response, RFC 2891.
pub const SORT_RESPONSE: &str = "1.2.840.113556.1.4.474";
/// Names with GUID and SID.
pub const EXTENDED_DN: &str = "1.2.840.113556.1.4.529";
/// A subtree at once.
pub const TREE_DELETE: &str = "1.2.840.113556.1.4.805";
/// Changes since a cookie.
pub const DIR_SYNC: &str = "1.2.840.113556.1.4.841";
/// Move between domains.
pub const CROSS_DOMAIN_MOVE_TARGET: &str = "1.2.840.113556.1.4.521";
/// No fsync per change.
pub const LAZY_COMMIT: &str = "1.2.840.113556.1.4.619";
/// Which server verifies names.
pub const VERIFY_NAME: &str = "1.2.840.113556.1.4.1338";
/// No referrals.
pub const DOMAIN_SCOPE: &str = "1.2.840.113556.1.4.1339";
/// Domain scope and phantom root as flags.
pub const SEARCH_OPTIONS: &str = "1.2.840.113556.1.4.1340";
/// Makes the ticket granting account of a read-only domain controller.
pub const RODC_PROMOTION: &str = "1.2.840.113556.1.4.1341";
/// Adding what is there, deleting what is not: no error.
pub const PERMISSIVE_MODIFY: &str = "1.2.840.113556.1.4.1413";
/// Recycled objects as well.
pub const SHOW_RECYCLED: &str = "1.2.840.113556.1.4.2064";
/// Links to deleted objects as well.
pub const SHOW_DEACTIVATED_LINK: &str = "1.2.840.113556.1.4.2065";
/// No quota for this one.
pub const BYPASS_QUOTA: &str = "1.2.840.113556.1.4.2256";

/// A control as it stands in a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Control {
    /// Which control.
    pub oid: String,
    /// Whether the operation must fail where the control is unknown.
    pub critical: bool,
    /// Its argument.
    pub value: Option<Vec<u8>>,
}

impl Control {
    /// A control without an argument that may be ignored.
    pub fn new(oid: impl Into<String>) -> Self {
        Self {
            oid: oid.into(),
            critical: false,
            value: None,
        }
    }

    /// The same control with an argument.
    pub fn with_value(mut self, value: Vec<u8>) -> Self {
        self.value = Some(value);
        self
    }

    /// The same control, not to be ignored.
    pub fn critical(mut self) -> Self {
        self.critical = true;
        self
    }
}

/// A control of a request, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
#[allow(
    missing_docs,
    reason = "the variants are the names of the specification"
)]
pub enum RequestControl {
    PagedResults(PagedResults),
    SdFlags(SdFlags),
    ShowDeleted,
    ShowRecycled,
    ShowDeactivatedLink,
    ExtendedDn(ExtendedDn),
    PermissiveModify,
    DomainScope,
    SearchOptions(SearchOptions),
    DirSync(DirSyncRequest),
    Notification,
    Sort(Vec<SortKey>),
    TreeDelete,
    VerifyName(String),
    LazyCommit,
    BypassQuota,
    RodcPromotion,
    /// Not one of these; see [`Control::critical`].
    Unknown,
}

impl RequestControl {
    /// Reads what the control asks for. An argument that cannot be read is the client's protocol error.
    pub fn parse(control: &Control) -> Result<Self, DecodeError> {
        let value = control.value.as_deref();
        Ok(match control.oid.as_str() {
            PAGED_RESULTS => Self::PagedResults(PagedResults::decode(needed(value)?)?),
            SD_FLAGS => Self::SdFlags(SdFlags::decode(needed(value)?)?),
            SHOW_DELETED => Self::ShowDeleted,
            SHOW_RECYCLED => Self::ShowRecycled,
            SHOW_DEACTIVATED_LINK => Self::ShowDeactivatedLink,
            EXTENDED_DN => Self::ExtendedDn(ExtendedDn::decode(value)?),
            PERMISSIVE_MODIFY => Self::PermissiveModify,
            DOMAIN_SCOPE => Self::DomainScope,
            SEARCH_OPTIONS => Self::SearchOptions(SearchOptions::decode(needed(value)?)?),
            DIR_SYNC => Self::DirSync(DirSyncRequest::decode(needed(value)?)?),
            NOTIFICATION => Self::Notification,
            SORT_REQUEST => Self::Sort(SortKey::decode_list(needed(value)?)?),
            TREE_DELETE => Self::TreeDelete,
            VERIFY_NAME => Self::VerifyName(values::decode_verify_name(needed(value)?)?),
            LAZY_COMMIT => Self::LazyCommit,
            BYPASS_QUOTA => Self::BypassQuota,
            RODC_PROMOTION => Self::RodcPromotion,
            _ => Self::Unknown,
        })
    }
}

fn needed(value: Option<&[u8]>) -> Result<&[u8], DecodeError> {
    value.ok_or(DecodeError::Invalid {
        what: "control",
        offset: 0,
        why: "this control needs a value",
    })
}
