//! Access tokens of the cloud's own services: device registration, and users' own keys.
//!
//! They are JWTs (RFC 9068 in spirit), signed RS256 with the tenant's token key, because clients of this protocol look
//! into them before they use them.

use std::fmt;

use serde::{Deserialize, Serialize};
use types::Guid;

/// The device registration service as an audience, in the words of the clients in the field.
pub const DEVICE_REGISTRATION: &str = "urn:ms-drs:enterpriseregistration.windows.net";
/// The service of users' own keys as an audience: `/graph/v1.0/me` and below.
pub const OWN_KEYS: &str = "urn:tombolo:app:own-keys";
/// In [`AccessClaims::amr`]: more than one factor.
pub const AMR_MFA: &str = "mfa";
/// In [`AccessClaims::amr`]: the user proved itself just now, so that a key may be registered (MS-KPP 3.1.5.1.1.1).
pub const AMR_FRESH: &str = "ngcmfa";

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// For which service.
    pub aud: String,
    /// Which tenant says so.
    pub iss: String,
    /// Unix time.
    pub iat: i64,
    /// Unix time.
    pub exp: i64,
    /// When the user proved itself, in Unix time.
    pub auth_time: i64,
    /// The user.
    pub oid: Guid,
    /// The tenant.
    pub tid: Guid,
    /// User principal name.
    pub upn: String,
    /// How the user proved itself (RFC 8176).
    pub amr: Vec<String>,
    /// At which device; absent before there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviceid: Option<Guid>,
}

/// What a token request gets that asks for an access token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AccessAnswer {
    /// `Bearer`.
    pub token_type: String,
    /// Seconds, as text.
    pub expires_in: String,
    /// Seconds, as text.
    pub ext_expires_in: String,
    /// Unix time, as text.
    pub expires_on: String,
    /// For which service.
    pub resource: String,
    /// [`AccessClaims`] as compact JWS.
    pub access_token: String,
    /// What asked for it.
    pub refresh_token: String,
}

impl fmt::Debug for AccessAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessAnswer(..)")
    }
}
