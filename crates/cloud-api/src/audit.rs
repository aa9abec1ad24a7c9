//! Who did what: a small `directoryAudit`.

use serde::{Deserialize, Serialize};
use types::Timestamp;

/// One thing that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditRecord {
    /// Rises with each record.
    pub id: u64,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub activity_date_time: Timestamp,
    /// What, such as `registerSecurityKey`.
    pub activity: String,
    /// By whom: a role and the name of its token, or a user's id.
    pub initiated_by: String,
    /// To which object, mostly a user's id.
    pub target: String,
    /// More, for people.
    #[serde(default)]
    pub detail: String,
}

/// A page of records, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditPage {
    /// The records.
    pub value: Vec<AuditRecord>,
    /// Where older ones are; absent when there are none.
    #[serde(
        rename = "@odata.nextLink",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub next_link: Option<String>,
}
