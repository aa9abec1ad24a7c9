//! What keys a tenant accepts: Graph's `fido2AuthenticationMethodConfiguration`, and the roots of attestation,
//! which the original takes from a metadata service.

use serde::{Deserialize, Serialize};
use types::Guid;

/// What keys a tenant accepts. PATCH changes the members that are present.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Fido2Policy {
    /// Only keys whose attestation leads to one of the roots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_attestation_enforced: Option<bool>,
    /// Whether users may register keys themselves; administrators always may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_self_service_registration_allowed: Option<bool>,
    /// Which models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_restrictions: Option<KeyRestrictions>,
    /// Roots of attestation in PEM, one certificate per text. Our own member.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation_roots: Option<Vec<String>>,
}

/// Which models of keys.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyRestrictions {
    /// Whether the list counts.
    pub is_enforced: bool,
    /// Whether the list is of the allowed or of the blocked.
    pub enforcement_type: EnforcementType,
    /// The models.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub aa_guids: Vec<Guid>,
}

/// Whether a list is of the allowed or of the blocked.
///
/// A key without trusted attestation may claim any model. So an allow list accepts only attested keys; a block list
/// also looks at the claim of the others, which stops the honest ones alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum EnforcementType {
    /// Only these, and only attested.
    #[default]
    Allow,
    /// All but these.
    Block,
}
