//! Conditional Access: which sign-ins are let through, in the names of Graph's `conditionalAccessPolicy`, so that policies
//! can be carried from one system to the other.
//!
//! Only conditions that this cloud can know are here. A document with another one (risk, location, platform, client type,
//! roles, device filter) is refused as a whole: a policy that is kept and half evaluated protects nobody.

use serde::{Deserialize, Serialize};
use types::Guid;

use crate::tokens::{DEVICE_REGISTRATION, OWN_KEYS};

/// Everybody, or every application.
pub const ALL: &str = "All";
/// The application behind a primary refresh token.
pub const APP_SIGN_IN: &str = "urn:tombolo:app:sign-in";
/// The application behind a ticket for the ground.
pub const APP_KERBEROS: &str = "urn:tombolo:app:kerberos";
/// The application behind a token of the device registration service.
pub const APP_DEVICES: &str = DEVICE_REGISTRATION;
/// The application behind a token for users' own keys.
pub const APP_OWN_KEYS: &str = OWN_KEYS;
/// A user registers a security key or a Windows Hello key.
pub const ACTION_REGISTER_KEY: &str = "urn:user:registersecurityinfo";
/// A user joins a device.
pub const ACTION_REGISTER_DEVICE: &str = "urn:user:registerdevice";
/// The built-in strength: any two factors, a temporary access pass among them.
pub const STRENGTH_MFA: &str = "00000000-0000-0000-0000-000000000002";
/// The built-in strength: without a password or a pass.
pub const STRENGTH_PASSWORDLESS: &str = "00000000-0000-0000-0000-000000000003";
/// The built-in strength: FIDO2 and Windows Hello keys.
pub const STRENGTH_PHISHING_RESISTANT: &str = "00000000-0000-0000-0000-000000000004";

/// A policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessPolicy {
    /// The cloud gives it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
    pub id: Guid,
    /// For people.
    pub display_name: String,
    /// Whether it is in force.
    pub state: PolicyState,
    /// When it applies.
    pub conditions: Conditions,
    /// What it asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_controls: Option<GrantControls>,
    /// How long a proof lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_controls: Option<SessionControls>,
}

/// Whether a policy is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum PolicyState {
    /// It is.
    Enabled,
    /// It is not.
    Disabled,
    /// It is evaluated and told in the audit log, and stops nobody.
    EnabledForReportingButNotEnforced,
}

/// When a policy applies: all of it must fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Conditions {
    /// To whom.
    pub users: UserCondition,
    /// Where to.
    pub applications: ApplicationCondition,
}

/// To whom a policy applies. An exclusion beats an inclusion.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UserCondition {
    /// Ids of users, or [`ALL`].
    pub include_users: Vec<String>,
    /// Ids of users.
    pub exclude_users: Vec<String>,
    /// Ids of groups.
    pub include_groups: Vec<String>,
    /// Ids of groups.
    pub exclude_groups: Vec<String>,
}

/// What a user wants when a policy applies. An exclusion beats an inclusion.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApplicationCondition {
    /// [`ALL`], or applications by name.
    pub include_applications: Vec<String>,
    /// Applications by name.
    pub exclude_applications: Vec<String>,
    /// Actions by name; they are no applications, so [`ALL`] has none of them.
    pub include_user_actions: Vec<String>,
}

/// What a policy asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GrantControls {
    /// Whether all of it, or one of it.
    pub operator: Operator,
    /// The list.
    #[serde(default)]
    pub built_in_controls: Vec<Control>,
    /// And a strength, as one more of the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_strength: Option<StrengthRef>,
}

/// How controls go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Operator {
    /// All.
    And,
    /// One.
    Or,
}

/// One thing that a policy asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Control {
    /// The impossible.
    Block,
    /// Two factors.
    Mfa,
    /// A device that an administrator has marked as compliant.
    CompliantDevice,
    /// A device of a domain on the ground (`trustType` is `ServerAd`).
    DomainJoinedDevice,
}

/// A built-in strength.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct StrengthRef {
    /// One of the three.
    pub id: String,
}

/// How long a proof lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SessionControls {
    /// How often users sign in anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in_frequency: Option<SignInFrequency>,
}

/// How often users sign in anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignInFrequency {
    /// How many.
    pub value: u16,
    /// Of what.
    #[serde(rename = "type")]
    pub unit: FrequencyUnit,
    /// Whether it counts.
    pub is_enabled: bool,
}

impl SignInFrequency {
    /// In seconds.
    pub fn seconds(&self) -> i64 {
        let unit = match self.unit {
            FrequencyUnit::Hours => 3600,
            FrequencyUnit::Days => 24 * 3600,
        };
        i64::from(self.value) * unit
    }
}

/// The unit of a frequency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum FrequencyUnit {
    /// Hours.
    Hours,
    /// Days.
    Days,
}

/// All policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessPolicyList {
    /// In the order of their ids.
    pub value: Vec<AccessPolicy>,
}

/// How a sign-in is strong, in the words of Graph's `authenticationMethodModes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum Method {
    /// A FIDO2 key.
    Fido2,
    /// A Windows Hello key.
    WindowsHelloForBusiness,
    /// A temporary access pass.
    TemporaryAccessPassOneTime,
}

/// What would happen: `POST .../conditionalAccess/evaluate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WhatIf {
    /// Who.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
    pub user: Guid,
    /// An application or an action by name.
    pub target: String,
    /// By what proof.
    pub method: Method,
    /// At which device; its state is looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<String>, format = "uuid"))]
    pub device: Option<Guid>,
    /// How many seconds ago the user proved itself.
    #[serde(default)]
    pub proof_age_seconds: u32,
    /// A policy that is not there yet, evaluated beside the others; with the id of one that is, in its place. Our own
    /// member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<AccessPolicy>,
}

/// What would happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WhatIfReply {
    /// Whether it would be granted.
    pub granted: bool,
    /// Each policy.
    pub value: Vec<PolicyVerdict>,
}

/// What one policy says of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PolicyVerdict {
    /// The policy.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
    pub id: Guid,
    /// Its name.
    pub display_name: String,
    /// Whether it is in force.
    pub state: PolicyState,
    /// Whether it applies.
    pub policy_applies: bool,
    /// Why it does not apply, or what is missing; empty where it applies and is content.
    pub reasons: Vec<String>,
    /// Whether nothing can content it.
    pub is_blocked: bool,
}

/// A group of users, for policies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Group {
    /// The cloud gives it.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
    pub id: Guid,
    /// For people.
    pub display_name: String,
    /// Ids of its users; groups have no groups in them.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub members: Vec<Guid>,
}

/// A user who becomes a member of a group: `POST .../groups/{id}/members/$ref`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MemberRef {
    /// A link whose last part is the user's id.
    #[serde(rename = "@odata.id")]
    pub id: String,
}

impl MemberRef {
    /// Of a user.
    pub fn new(user: Guid) -> Self {
        Self {
            id: crate::paths::user(user),
        }
    }

    /// The user's id.
    pub fn user(&self) -> Option<Guid> {
        self.id.rsplit('/').next()?.parse().ok()
    }
}

/// All groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct GroupList {
    /// In the order of their ids.
    pub value: Vec<Group>,
}
