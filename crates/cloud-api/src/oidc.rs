//! OAuth 2.0 and OpenID Connect for applications: discovery, keys, tokens, device codes.
//!
//! Sources: OpenID Connect Core 1.0 and Discovery 1.0, RFC 6749, RFC 7517, RFC 7636 (PKCE), RFC 8252 (native
//! applications), RFC 8628 (device codes).

use std::fmt;

use serde::{Deserialize, Serialize};
use types::Guid;

use crate::base64::Base64Url;

/// `grant_type` that redeems a code.
pub const GRANT_CODE: &str = "authorization_code";
/// `grant_type` that polls for a device code (RFC 8628 section 3.4).
pub const GRANT_DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// The same as one client in the field says it, from before the RFC.
pub const GRANT_DEVICE_CODE_SHORT: &str = "device_code";

/// Where an application finds everything (Discovery section 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Discovery {
    /// Who signs the tokens.
    pub issuer: String,
    /// Where a user signs in.
    pub authorization_endpoint: String,
    /// Where codes and refresh tokens are redeemed.
    pub token_endpoint: String,
    /// Where a device without a browser begins.
    pub device_authorization_endpoint: String,
    /// The keys of the signatures.
    pub jwks_uri: String,
    /// `code` only.
    pub response_types_supported: Vec<String>,
    /// `query` only.
    pub response_modes_supported: Vec<String>,
    /// What may be redeemed.
    pub grant_types_supported: Vec<String>,
    /// One subject for all applications.
    pub subject_types_supported: Vec<String>,
    /// `RS256`.
    pub id_token_signing_alg_values_supported: Vec<String>,
    /// `S256` only.
    pub code_challenge_methods_supported: Vec<String>,
    /// `none`: the applications are public clients.
    pub token_endpoint_auth_methods_supported: Vec<String>,
    /// Known scopes.
    pub scopes_supported: Vec<String>,
    /// Claims of an id token.
    pub claims_supported: Vec<String>,
    /// Whether [`crate::claims`] is read.
    pub claims_parameter_supported: bool,
    /// What `prompt` may say.
    pub prompt_values_supported: Vec<String>,
    /// What devices may use: `kdf_ver2`, the second derivation of keys (MS-OIDCE 2.2.3.2).
    #[serde(default)]
    pub capabilities: Vec<String>,
}

/// A set of keys (RFC 7517 section 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeySet {
    /// The keys.
    pub keys: Vec<SigningKey>,
}

/// An RSA key that signs tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SigningKey {
    /// `RSA`.
    pub kty: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub key_use: String,
    /// `RS256`.
    pub alg: String,
    /// Which key.
    pub kid: String,
    /// Modulus.
    pub n: Base64Url,
    /// Exponent.
    pub e: Base64Url,
}

/// The claims of an application's tokens. An access token has `scp`, an id token has `nonce`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationClaims {
    /// Who signed it.
    pub iss: String,
    /// The user.
    pub sub: Guid,
    /// The application.
    pub aud: String,
    /// Unix time.
    pub iat: i64,
    /// Unix time.
    pub exp: i64,
    /// When the user proved itself, in Unix time.
    pub auth_time: i64,
    /// The application's own nonce.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    /// What an access token is good for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scp: Option<String>,
    /// The user.
    pub oid: Guid,
    /// The tenant.
    pub tid: Guid,
    /// Display name.
    pub name: String,
    /// User principal name: for display, never for decisions.
    pub preferred_username: String,
    /// How the user proved itself (RFC 8176).
    pub amr: Vec<String>,
    /// The strengths that the proof has, by the ids of [`crate::conditional_access`].
    #[serde(default)]
    pub acrs: Vec<String>,
    /// The device that proved itself with the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deviceid: Option<Guid>,
}

/// What an application gets (RFC 6749 section 5.1).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApplicationAnswer {
    /// `Bearer`.
    pub token_type: String,
    /// Seconds.
    pub expires_in: i64,
    /// What was granted.
    pub scope: String,
    /// [`ApplicationClaims`] as compact JWS.
    pub access_token: String,
    /// The same; with scope `openid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id_token: Option<String>,
    /// Works once; with scope `offline_access`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// `{"uid","utid"}` in base64url, which some clients want.
    pub client_info: String,
}

impl fmt::Debug for ApplicationAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApplicationAnswer(..)")
    }
}

/// What a device without a browser gets first (RFC 8628 section 3.2).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceAuthorization {
    /// For the device itself.
    pub device_code: String,
    /// For the user's eyes.
    pub user_code: String,
    /// Where the user types it.
    pub verification_uri: String,
    /// Seconds.
    pub expires_in: i64,
    /// Seconds between polls.
    pub interval: i64,
    /// All of it as a sentence.
    pub message: String,
}

impl fmt::Debug for DeviceAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceAuthorization(..)")
    }
}
