//! Registration of security keys, shaped as Graph's `fido2Methods`.
//!
//! 1. `GET .../fido2Methods/creationOptions` gives [`CreationOptionsReply`]; its `publicKey` goes to
//!    `navigator.credentials.create` or to a CTAP client.
//! 2. `POST .../fido2Methods` with [`NewFido2Method`] gives [`Fido2Method`] with status 201.
//!
//! `enforceCredentialProtectionPolicy: true` together with `userVerificationOptional` is what the original sends;
//! Chromium refuses that pair, so a web page drops the two members before it calls the browser.

use serde::{Deserialize, Serialize};
use types::Timestamp;

use crate::base64::Base64Url;

/// What a registration starts with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreationOptionsReply {
    /// When the challenge ends.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub challenge_timeout_date_time: Timestamp,
    /// For the client, as WebAuthn Level 3 section 5.1.8 writes it in JSON.
    pub public_key: CreationOptions,
}

/// PublicKeyCredentialCreationOptionsJSON (WebAuthn Level 3, section 5.1.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreationOptions {
    /// The relying party.
    pub rp: RelyingParty,
    /// The account that the key is for.
    pub user: CredentialUser,
    /// To be signed; valid once.
    pub challenge: Base64Url,
    /// Algorithms, best first.
    pub pub_key_cred_params: Vec<CredentialParameters>,
    /// Milliseconds that the client waits for the key.
    pub timeout: u32,
    /// Keys that are registered already.
    #[serde(default)]
    pub exclude_credentials: Vec<CredentialDescriptor>,
    /// What the key must be able to do.
    pub authenticator_selection: AuthenticatorSelection,
    /// `direct`: the key's own attestation is wanted.
    pub attestation: String,
    /// Extensions of CTAP.
    #[serde(default)]
    pub extensions: CreationExtensions,
}

/// The relying party.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RelyingParty {
    /// The domain that the key binds to.
    pub id: String,
    /// For people.
    pub name: String,
}

/// The account that the key is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CredentialUser {
    /// The user handle: `OF:`, 16 bytes of tenant, 32 bytes of user.
    pub id: Base64Url,
    /// Sign-in name.
    pub name: String,
    /// Name for people.
    pub display_name: String,
}

/// One algorithm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CredentialParameters {
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// COSE algorithm: -7 ES256, -257 RS256, -8 EdDSA.
    pub alg: i64,
}

/// A key that exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CredentialDescriptor {
    /// `public-key`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The credential id.
    pub id: Base64Url,
    /// How the key is reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transports: Vec<String>,
}

/// What the key must be able to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuthenticatorSelection {
    /// `cross-platform`, `platform`, or any when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authenticator_attachment: Option<String>,
    /// True: sign-in starts without a name.
    pub require_resident_key: bool,
    /// The newer spelling of the same, `required`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_key: Option<String>,
    /// `required`: PIN or biometrics.
    pub user_verification: String,
}

/// Extensions asked for at creation (CTAP 2.1 sections 12.1 and 12.5).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreationExtensions {
    /// Makes the secret that unlocks a cached sign-in without network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hmac_create_secret: Option<bool>,
    /// Whether to fail rather than ignore the policy below.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enforce_credential_protection_policy: Option<bool>,
    /// `userVerificationOptional` and its siblings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_protection_policy: Option<String>,
}

/// A key to register: what the client got from the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewFido2Method {
    /// The user's name for the key, 1 to 30 characters.
    pub display_name: String,
    /// The credential.
    pub public_key_credential: PublicKeyCredential,
}

/// The public key credential of a registration (WebAuthn Level 3, section 5.1.8, `RegistrationResponseJSON`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublicKeyCredential {
    /// The credential id in base64url; must be the one in the attestation.
    pub id: String,
    /// The key's answer.
    pub response: AttestationResponse,
    /// What the client says of extensions; not signed, so nothing depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub client_extension_results: Option<serde_json::Value>,
}

/// The key's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttestationResponse {
    /// What the client signed for: type, challenge, origin.
    #[serde(rename = "clientDataJSON")]
    pub client_data_json: Base64Url,
    /// CBOR of format, statement and authenticator data.
    #[serde(rename = "attestationObject")]
    pub attestation_object: Base64Url,
    /// How the key is reached.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transports: Vec<String>,
}

/// A registered security key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Fido2Method {
    /// The credential id in base64url.
    pub id: String,
    /// The user's name for the key.
    pub display_name: String,
    /// When it was registered.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub created_date_time: Timestamp,
    /// Model identity, as a GUID.
    pub aa_guid: String,
    /// Model name, where it is known.
    #[serde(default)]
    pub model: Option<String>,
    /// SHA-1 thumbprints of the attestation certificates, in hex.
    #[serde(default)]
    pub attestation_certificates: Vec<String>,
    /// Whether the attestation leads to a root that the tenant trusts.
    pub attestation_level: AttestationLevel,
    /// Whether the key can unlock a cached sign-in (hmac-secret). Our own member.
    #[serde(default, rename = "hmacSecret")]
    pub has_hmac_secret: bool,
}

/// How much is known of the key's maker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AttestationLevel {
    /// The chain leads to a root that the tenant trusts.
    Attested,
    /// No attestation, self attestation, or an unknown root.
    NotAttested,
}

/// The security keys of a user.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Fido2MethodList {
    /// The keys, in the order of their creation.
    pub value: Vec<Fido2Method>,
}
