//! What the sync brings from the ground beside users: computers that may join, and Kerberos server objects.
//!
//! ```text
//! GET    /sync/v1/ground?version=V          -> GroundPage, or only the version where nothing changed since V
//! PUT    /sync/v1/devices/{objectGUID}      SyncDevice -> 204; made or changed
//! DELETE /sync/v1/devices/{objectGUID}      the device, joined or not
//! PUT    /sync/v1/kerberosServers/{domain}  SyncKerberosServer -> 204
//! DELETE /sync/v1/kerberosServers/{domain}
//! ```
//! PUT says the same thing twice without harm, so a sync that was interrupted sends it again. The SID and the account
//! name of a device are set once. Nothing here is secret: the key of a Kerberos server object takes the way of
//! [`crate::trust`].

use serde::{Deserialize, Serialize};
use types::{Guid, Sid};

/// A computer of the ground: its device's id is its `objectGUID`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SyncDevice {
    /// Name for people.
    pub display_name: String,
    /// Whether the computer's account is enabled.
    pub account_enabled: bool,
    /// `objectSid`. Never changes.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub on_premises_security_identifier: Sid,
    /// `sAMAccountName`. Never changes.
    pub on_premises_sam_account_name: String,
    /// `distinguishedName`; follows moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_premises_distinguished_name: Option<String>,
    /// DNS name of the domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_premises_domain_name: Option<String>,
    /// `operatingSystem`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operating_system: Option<String>,
    /// `operatingSystemVersion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operating_system_version: Option<String>,
    /// Self-signed certificates of `userCertificate` whose subject is the computer's `objectGUID`: DER in base64.
    pub certificates: Vec<String>,
}

/// A computer of the ground as the cloud has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroundDevice {
    /// `objectGUID`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
    pub id: Guid,
    /// What the sync said.
    pub device: SyncDevice,
}

/// The Kerberos server object of a domain, as the sync sees it: `PUT /sync/v1/kerberosServers/{domain}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SyncKerberosServer {
    /// `objectSid` of the domain. Never changes.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub domain_sid: Sid,
    /// `msDS-SecondaryKrbTgtNumber`.
    pub number: u16,
    /// `msDS-KeyVersionNumber`.
    pub key_version: u16,
    /// `sAMAccountName` of the ticket granting account.
    pub krbtgt_name: String,
    /// `distinguishedName` of the computer object, by the account's link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub computer_dn: Option<String>,
}

/// A Kerberos server object as the sync saw it last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroundServer {
    /// DNS name of the domain, in lower case.
    pub domain_dns_name: String,
    /// What the sync said.
    pub server: SyncKerberosServer,
}

/// What the cloud has of the ground.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroundPage {
    /// Changes whenever anything of this does. Compare it, and nothing else.
    pub version: String,
    /// Devices in the order of their ids; absent where the reader has this version already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devices: Option<Vec<GroundDevice>>,
    /// All Kerberos server objects; on the first page alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kerberos_servers: Vec<GroundServer>,
    /// Where the next page is; absent on the last.
    #[serde(
        rename = "@odata.nextLink",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub next_link: Option<String>,
}
