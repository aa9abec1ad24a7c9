//! Users and their on-premises identity.
//!
//! `onPremisesSecurityIdentifier`, `onPremisesSamAccountName` and `onPremisesImmutableId` are set once and
//! never change: whoever could rewrite them would get tickets for another account.

use serde::{Deserialize, Serialize};
use types::{Guid, Sid, Timestamp};

use crate::base64::Base64Url;

/// A user of the tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    /// The cloud's own identity of the user.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
    pub id: Guid,
    /// Sign-in name, such as `testuser@corp.contoso.com`.
    pub user_principal_name: String,
    /// Name for people.
    pub display_name: String,
    /// A disabled user keeps keys, but may not register or sign in.
    pub account_enabled: bool,
    /// When the user was made.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_date_time: Timestamp,
    /// Who the user is on the ground; empty for a user of the cloud alone.
    #[serde(flatten)]
    pub on_premises: OnPremisesIdentity,
}

/// Who a user is in the on-premises directory.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OnPremisesIdentity {
    /// The source anchor: base64 of the on-premises object's GUID ([`source_anchor`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_premises_immutable_id: Option<String>,
    /// `objectSid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub on_premises_security_identifier: Option<Sid>,
    /// `distinguishedName`; follows moves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_premises_distinguished_name: Option<String>,
    /// DNS name of the domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_premises_domain_name: Option<String>,
    /// `sAMAccountName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_premises_sam_account_name: Option<String>,
}

/// A page of users.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserPage {
    /// The users, in the order of their ids.
    pub value: Vec<User>,
    /// Where the next page is; absent on the last.
    #[serde(
        rename = "@odata.nextLink",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub next_link: Option<String>,
}

/// A new user of the cloud alone, made by an administrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewUser {
    /// Sign-in name; must be free.
    pub user_principal_name: String,
    /// Name for people.
    pub display_name: String,
    /// Whether the user may sign in; true when absent.
    #[serde(default = "yes")]
    pub account_enabled: bool,
}

/// A change by an administrator; absent members stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserChange {
    /// New sign-in name; must be free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_principal_name: Option<String>,
    /// New name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Enables or disables the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_enabled: Option<bool>,
}

/// A user as the sync brings it: `POST /sync/v1/users` with the whole, `PATCH /sync/v1/users/{id}` with what
/// changed. A second value for a member that never changes is refused with `immutableProperty`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SyncUser {
    /// Sign-in name. Required in POST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_principal_name: Option<String>,
    /// Name for people. The sign-in name when absent in POST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whether the user may sign in; true when absent in POST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_enabled: Option<bool>,
    /// The source anchor. Required in POST; never changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_premises_immutable_id: Option<String>,
    /// `objectSid`. Never changes once set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>))]
    pub on_premises_security_identifier: Option<Sid>,
    /// `distinguishedName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_premises_distinguished_name: Option<String>,
    /// DNS name of the domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_premises_domain_name: Option<String>,
    /// `sAMAccountName`. Never changes once set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_premises_sam_account_name: Option<String>,
}

fn yes() -> bool {
    true
}

/// The source anchor of an on-premises object: plain, padded base64 of `objectGUID` in the order of its wire.
pub fn source_anchor(object_guid: Guid) -> String {
    data_encoding::BASE64.encode(&object_guid.to_bytes_le())
}

/// The object that a source anchor names; `None` when it is not the base64 of a GUID.
pub fn object_guid(source_anchor: &str) -> Option<Guid> {
    let bytes = Base64Url::parse(source_anchor).ok()?;
    <[u8; 16]>::try_from(bytes.0).ok().map(Guid::from_bytes_le)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_anchors_name_objects() {
        let guid: Guid = "5b47d60f-6090-40b2-9f37-2a4de88f3063".parse().unwrap();
        let anchor = source_anchor(guid);
        assert_eq!(anchor, "D9ZHW5BgskCfNypN6I8wYw==");
        assert_eq!(object_guid(&anchor), Some(guid));
        assert_eq!(object_guid("D9ZH"), None);
    }

    #[test]
    fn a_cloud_user_shows_no_on_premises_members() {
        let user: User = serde_json::from_str(
            r#"{"id":"5b47d60f-6090-40b2-9f37-2a4de88f3063","userPrincipalName":"a@b","displayName":"A",
                "accountEnabled":true,"createdDateTime":"2026-06-10T05:06:07Z"}"#,
        )
        .unwrap();
        assert_eq!(user.on_premises, OnPremisesIdentity::default());
        assert!(!serde_json::to_string(&user).unwrap().contains("onPremises"));
    }
}
