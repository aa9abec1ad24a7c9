//! `searchableDeviceKey` per user, and the delta feed that a sync follows.
//!
//! The feed works as Graph's delta queries do. Without a token it begins a full enumeration; each page but the
//! last has an `@odata.nextLink`, the last an `@odata.deltaLink`. Asking the delta link later gives the users that
//! changed since, each once, with **all** of their keys: a key that is gone is a key that is not listed. A user
//! that is gone comes with `@removed`. A token lives seven days; an older one, or one of another tenant or of a
//! store that was put back from a backup, gets 410 `syncStateNotFound` with a `Location` that begins anew.
//!
//! ```text
//! GET /devicekeys/v1/delta                    -> page, nextLink ...$skiptoken=A
//! GET /devicekeys/v1/delta?$skiptoken=A       -> page, deltaLink ...$deltatoken=B
//! GET /devicekeys/v1/delta?$deltatoken=B      -> what changed since, deltaLink ...$deltatoken=C
//! ```
//!
//! `$deltatoken=latest` gives an empty page with a delta link of now; `$top=N` sets the size of the pages (1 to
//! 999) and is kept in the tokens.

use keycred::SearchableDeviceKey;
use serde::{Deserialize, Serialize};
use types::Guid;

use crate::users::OnPremisesIdentity;

/// One page of the feed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeltaPage {
    /// Users that changed, in the order of their last change.
    pub value: Vec<DeltaUser>,
    /// Ask here at once: the enumeration goes on.
    #[serde(
        rename = "@odata.nextLink",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub next_link: Option<String>,
    /// Keep this and ask here later: all changes up to now have been given.
    #[serde(
        rename = "@odata.deltaLink",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub delta_link: Option<String>,
}

/// A user as the feed tells it: the present state, or that it is gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeltaUser {
    /// The user. Text, so that a foreign feed's ids survive; our own are GUIDs.
    pub id: String,
    /// Present when the user is gone; then nothing else is.
    #[serde(rename = "@removed", default, skip_serializing_if = "Option::is_none")]
    pub removed: Option<Removed>,
    /// Sign-in name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_principal_name: Option<String>,
    /// Name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// Whether the user may sign in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_enabled: Option<bool>,
    /// Who the user is on the ground.
    #[serde(flatten)]
    pub on_premises: OnPremisesIdentity,
    /// All keys of the user, whatever their usage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Vec<Object>>))]
    pub searchable_device_key: Option<Vec<SearchableDeviceKey>>,
}

impl DeltaUser {
    /// Says that a user is gone.
    pub fn gone(id: Guid, reason: RemovedReason) -> Self {
        Self {
            id: id.to_string(),
            removed: Some(Removed { reason }),
            user_principal_name: None,
            display_name: None,
            account_enabled: None,
            on_premises: OnPremisesIdentity::default(),
            searchable_device_key: None,
        }
    }

    /// Whether the user is gone.
    pub fn is_removed(&self) -> bool {
        self.removed.is_some()
    }
}

/// Why a user is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Removed {
    /// The reason.
    pub reason: RemovedReason,
}

/// Why a user is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum RemovedReason {
    /// May come back.
    Changed,
    /// Gone for good.
    Deleted,
}

/// The keys of one user: `GET /devicekeys/v1/users/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserDeviceKeys {
    /// The user.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
    pub id: Guid,
    /// Sign-in name.
    pub user_principal_name: String,
    /// All keys, in the order of their creation.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<Object>))]
    pub searchable_device_key: Vec<SearchableDeviceKey>,
}

/// A Windows Hello key for a user: `POST /devicekeys/v1/users/{id}/ngc`, for administrators.
///
/// DRAFT: stands in for key provisioning by a registered device (MS-KPP), which needs devices first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewNgcKey {
    /// Base64 of the BCRYPT_RSAPUBLIC_BLOB (`RSA1`), as `kngc` in MS-KPP 3.1.5.1.1.1.
    pub key_material: String,
    /// The device that holds the private key.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
    pub device_id: Guid,
}

/// Path and query of a link, without scheme and host: a client asks the origin that it was configured with, never
/// one that a page names. `None` when the link has no path.
pub fn request_target(link: &str) -> Option<&str> {
    if link.starts_with('/') {
        return Some(link);
    }
    let after_scheme = link.find("://").map_or(0, |at| at + 3);
    let path_at = after_scheme + link.get(after_scheme..)?.find('/')?;
    link.get(path_at..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_become_request_targets() {
        let check = |link, target| assert_eq!(request_target(link), target, "{link}");
        check(
            "https://a:8443/devicekeys/v1/delta?x=1",
            Some("/devicekeys/v1/delta?x=1"),
        );
        check(
            "/devicekeys/v1/delta?x=http://b/",
            Some("/devicekeys/v1/delta?x=http://b/"),
        );
        check("/devicekeys/v1/delta?x=1", Some("/devicekeys/v1/delta?x=1"));
        check("https://a", None);
        check("", None);
    }

    #[test]
    fn a_removed_user_is_only_an_id() {
        let gone = DeltaUser::gone(Guid::ZERO, RemovedReason::Deleted);
        assert_eq!(
            serde_json::to_string(&gone).unwrap(),
            r#"{"id":"00000000-0000-0000-0000-000000000000","@removed":{"reason":"deleted"}}"#
        );
    }
}
