//! Windows Hello keys: provisioning at the cloud (MS-KPP 3.1.5.1.1), and what such a key signs at a sign-in
//! (MS-OAPXBC 3.2.5.1.2.1).

use serde::{Deserialize, Serialize};

use crate::base64::Base64Url;

/// `use` in the header of an assertion that a Windows Hello key signed.
pub const USE: &str = "ngc";

/// What the key signs, RS256. Its header's `kid` is the base64 of the SHA-256 of the public key's blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelloAssertion {
    /// The user principal name.
    pub iss: String,
    /// Unix time.
    pub iat: i64,
    /// Unix time.
    pub exp: i64,
    /// The request's nonce.
    pub request_nonce: String,
}

/// Registers a key of the device that asks: `POST /drs/key`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProvisionKey {
    /// BCRYPT_RSAKEY_BLOB.
    pub kngc: Base64Url,
}

/// The key as it was registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProvisionedKey {
    /// Base64 of the key's identifier.
    pub kid: String,
    /// Whose key it is.
    pub upn: String,
}
