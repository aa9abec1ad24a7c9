//! Who did what: a small `directoryAudit`, a small `signIn`, and how long their records are kept.

use serde::{Deserialize, Serialize};
use types::{Guid, Timestamp};

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
    /// The address that the request came from; absent for what was done at the cloud's own machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
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

/// One sign-in, renewal or refusal, or one issued or refused ticket or token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignInRecord {
    /// Rises with each record of the audit log, of which this is one.
    pub id: u64,
    /// When.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_date_time: Timestamp,
    /// What, such as `signIn` or `issueTicket`. Our own member.
    pub activity: String,
    /// The user, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "uuid"))]
    pub user_id: Option<Guid>,
    /// The user's present sign-in name; absent when the user is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_principal_name: Option<String>,
    /// The device, where one has proven itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "uuid"))]
    pub device_id: Option<Guid>,
    /// The device's present name; absent when the device is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_display_name: Option<String>,
    /// The application, for those that are not the device itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// How the user proved itself: `fido`, `hwk` (Windows Hello) or `tap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_method: Option<String>,
    /// The address that the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<String>,
    /// How it ended.
    pub status: SignInStatus,
}

/// How a sign-in ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignInStatus {
    /// 0 for granted, 1 for refused.
    pub error_code: u32,
    /// Why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// More, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional_details: Option<String>,
}

/// A page of sign-ins or tickets, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignInPage {
    /// The records.
    pub value: Vec<SignInRecord>,
    /// Where older ones are; absent when there are none.
    #[serde(
        rename = "@odata.nextLink",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub next_link: Option<String>,
}

/// How long records of the audit log are kept; `null` keeps them for ever. Of two limits, the one that removes more holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditRetention {
    /// Days, 1 to 36,500.
    #[serde(default)]
    pub days: Option<u32>,
    /// So many of the newest records, 1,000 or more. A record takes about 300 bytes of the file.
    #[serde(default)]
    pub records: Option<u64>,
}
