//! Joining a device (shaped as MS-DVRJ 3.1.5.1.1 shapes it).
//!
//! The device brings a certificate request for its device key and the public half of its transport key, and gets a
//! certificate of the tenant's own CA, whose common name is the device's id. The transport key receives session keys.

use serde::{Deserialize, Serialize};
use types::Guid;

use crate::base64::Base64Url;

/// `POST /drs/device`, with the bearer token of the user who joins it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JoinDevice {
    /// The request for the device's certificate.
    pub certificate_request: CertificateRequest,
    /// The transport key: BCRYPT_RSAKEY_BLOB, or a JSON Web Key.
    pub transport_key: Base64Url,
    /// The domain that the user signs in at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_domain: Option<String>,
    /// What the device is: `Linux`, `Windows`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_type: Option<String>,
    /// The version of its system.
    #[serde(default, rename = "OSVersion", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Its name for people.
    pub device_display_name: String,
    /// [`JoinType`].
    pub join_type: u8,
}

/// How a device belongs to the tenant: values of [`JoinDevice::join_type`].
#[derive(Debug)]
pub struct JoinType;

impl JoinType {
    /// Joined: it belongs to the organization.
    pub const JOIN: u8 = 0;
    /// Registered: it belongs to its user.
    pub const REGISTER: u8 = 4;
    /// Hybrid: it belongs to a domain on the ground, and the sync brought its object.
    pub const HYBRID: u8 = 6;
    /// Joined, as newer clients say it.
    pub const JOIN_NEWER: u8 = 8;
}

/// A PKCS #10 request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CertificateRequest {
    /// `pkcs10`.
    #[serde(rename = "Type")]
    pub kind: String,
    /// DER.
    pub data: Base64Url,
}

/// The device as it was joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JoinedDevice {
    /// Its certificate.
    pub certificate: DeviceCertificate,
    /// Who joined it; absent where the device joined by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<JoinedBy>,
    /// Groups of the device that the user becomes a member of.
    pub membership_changes: Vec<MembershipChange>,
}

/// A certificate of the tenant's CA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceCertificate {
    /// SHA-1 of the certificate, in capitals.
    pub thumbprint: String,
    /// DER in plain base64.
    pub raw_body: String,
}

/// The user of a join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JoinedBy {
    /// User principal name.
    pub upn: String,
}

/// A change to the device's own groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MembershipChange {
    /// The group.
    #[serde(rename = "LocalSID")]
    pub local_sid: String,
    /// Who is added.
    #[serde(rename = "AddSIDs")]
    pub add_sids: Vec<String>,
}

/// A device as administrators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Device {
    /// Its id, the common name of its certificate.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
    pub id: Guid,
    /// Its name for people.
    pub display_name: String,
    /// Whether it may be used.
    pub account_enabled: bool,
    /// Whether an administrator has marked it as compliant.
    #[serde(default)]
    pub is_compliant: bool,
    /// `AzureAd` (joined), `Workplace` (registered) or `ServerAd` (hybrid).
    pub trust_type: String,
    /// The user who joined it; a device of the ground has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "uuid"))]
    pub registered_owner: Option<Guid>,
    /// When it joined; absent while a device of the ground is pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = DateTime))]
    pub registration_date_time: Option<types::Timestamp>,
    /// Whether the sync brought it.
    #[serde(default)]
    pub on_premises_sync_enabled: bool,
    /// `objectSid` of the computer on the ground.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub on_premises_security_identifier: Option<types::Sid>,
}
