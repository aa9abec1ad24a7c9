//! The sync's word for a write of its own: the baseline of every later verdict.

use serde::{Deserialize, Serialize};
use types::{Guid, Sid, Timestamp};

use crate::{Operation, ReceiptFormat};

/// One value that the sync added or deleted in a directory, under a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The name and version of the form; a line without one is read as this version.
    #[serde(default)]
    pub format: ReceiptFormat,
    /// The receipt's number in its feed, rising by one.
    pub sequence: u64,
    /// When the directory said yes.
    pub time: Timestamp,
    /// The sync cycle that did it.
    pub cycle: u64,
    /// The account that the sync was bound as.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connector: Option<Sid>,
    /// The directory that was written to, as a URL.
    pub target: String,
    /// `objectGUID` of the object.
    pub object_guid: Guid,
    /// Its distinguished name at that moment.
    pub object_dn: String,
    /// `lDAPDisplayName` of the attribute.
    pub attribute: String,
    /// What was done to the value.
    pub operation: Operation,
    /// SHA-256 of the value's octets (without a name), lower-case hex.
    pub value_sha256: String,
    /// How many octets.
    pub value_length: usize,
    /// The outbound rule that wanted it.
    pub rule: String,
    /// The cloud object that the value came from, or that no longer has it.
    pub cloud_object: String,
    /// How sure the sync is.
    pub state: ReceiptState,
}

/// How sure the sync is that the write is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptState {
    /// The directory accepted it.
    Written,
    /// A later import saw it.
    Confirmed,
}
