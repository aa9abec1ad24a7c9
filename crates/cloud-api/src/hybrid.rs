//! Hybrid join: a computer of a domain on the ground joins the tenant that its object was synced to.
//!
//! The sync brings the computer's object with the certificate of its `userCertificate` ([`crate::ground::SyncDevice`]);
//! from then on the device is known and pending. The computer itself then sends a [`HybridJoin`] without a token: it
//! proves that it is the one by signing its SID and the time with the key of that certificate ([`ClientIdentity`]).
//! Names and the form of the proof are those of the clients in the field; the exchange has no public specification.
//!
//! The proof covers the SID and the time and nothing else, as theirs does: what stands beside it is protected by TLS.

use serde::{Deserialize, Serialize};
use types::{Guid, Sid, Timestamp};

use crate::base64::Base64Url;
use crate::devices::CertificateRequest;

/// `PUT /EnrollmentServer/device/{id}`: the device's id is the computer's `objectGUID`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HybridJoin {
    /// The request for the device's certificate, by a new key.
    pub certificate_request: CertificateRequest,
    /// What a computer of a domain says of itself.
    pub server_ad_join_data: ServerAdJoinData,
    /// [`crate::devices::JoinType::HYBRID`].
    pub join_type: u8,
}

/// What a computer of a domain says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServerAdJoinData {
    /// The transport key: BCRYPT_RSAKEY_BLOB, or a JSON Web Key.
    pub transport_key: Base64Url,
    /// The tenant, by id or domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_domain: Option<String>,
    /// What the device is: `Linux`, `Windows`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_type: Option<String>,
    /// The version of its system.
    #[serde(default, rename = "OSVersion", skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_display_name: Option<String>,
    /// The proof.
    pub client_identity: ClientIdentity,
}

/// The proof: a text with the computer's SID and the time, signed with the key of its synced certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ClientIdentity {
    /// [`ClientIdentity::SHA256_SIGNED`].
    #[serde(rename = "Type")]
    pub kind: String,
    /// `S-1-5-21-....2026-06-10 05:06:07Z`: the signed text.
    pub sid: String,
    /// RSASSA-PKCS1-v1_5 with SHA-256 over the text.
    pub signed_blob: Base64Url,
}

impl ClientIdentity {
    /// The only kind of proof.
    pub const SHA256_SIGNED: &str = "sha256signed";

    /// The text to sign. Whole seconds; `None` beyond the years that the form can say.
    pub fn text(sid: &Sid, now: Timestamp) -> Option<String> {
        let time = now.to_rfc3339()?;
        let (date, time) = time.split_once('T')?;
        Some(format!("{sid}.{date} {}Z", time.get(..8)?))
    }

    /// What the text says; `None` where it is none.
    pub fn said(&self) -> Option<(Sid, Timestamp)> {
        let (sid, time) = self.sid.split_once('.')?;
        let (date, time) = time.split_once(' ')?;
        let when = Timestamp::parse_rfc3339(&format!("{date}T{time}")).ok()?;
        Some((sid.parse().ok()?, when))
    }
}

/// `GET .../Discover`: where everything about devices is. Clients take all addresses from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Discovery {
    /// Where devices join.
    pub device_join_service: DeviceJoinService,
    /// Where Windows Hello keys are registered.
    pub key_provisioning_service: KeyProvisioningService,
    /// Where nonces for certificate requests come from.
    pub nonce_service: NonceService,
    /// Where users sign in.
    pub authentication_service: AuthenticationService,
    /// Whose all this is.
    pub tenant_info: TenantInfo,
}

/// Where devices join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceJoinService {
    /// The address.
    pub join_endpoint: String,
    /// The audience of a token for it.
    pub join_resource_id: String,
    /// `2.0`.
    pub service_version: String,
}

/// Where Windows Hello keys are registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KeyProvisioningService {
    /// The address.
    pub key_provision_endpoint: String,
    /// The audience of a token for it.
    pub key_provision_resource_id: String,
    /// `1.0`.
    pub service_version: String,
}

/// Where nonces for certificate requests come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NonceService {
    /// The address.
    pub endpoint: String,
    /// `1.0`.
    pub service_version: String,
}

/// Where users sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuthenticationService {
    /// By OAuth 2.0.
    #[serde(rename = "OAuth2")]
    pub oauth2: OAuth2Endpoints,
}

/// The two addresses of OAuth 2.0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OAuth2Endpoints {
    /// The sign-in page.
    pub auth_code_endpoint: String,
    /// Tokens.
    pub token_endpoint: String,
}

/// Whose all this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TenantInfo {
    /// For people.
    pub display_name: String,
    /// Its id.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
    pub tenant_id: Guid,
    /// Its name.
    pub tenant_name: String,
}

/// A nonce for a certificate request (OID 1.2.840.113556.1.5.284.2.1): it works once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EnrollmentNonce {
    /// The nonce.
    pub value: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(sid: &str) -> ClientIdentity {
        ClientIdentity {
            kind: ClientIdentity::SHA256_SIGNED.to_owned(),
            sid: sid.to_owned(),
            signed_blob: Base64Url(Vec::new()),
        }
    }

    #[test]
    fn the_signed_text_says_who_and_when() {
        let sid: Sid = "S-1-5-21-1-2-3-1105".parse().unwrap();
        let now = Timestamp::parse_rfc3339("2026-06-10T05:06:07.5Z").unwrap();
        let text = ClientIdentity::text(&sid, now).unwrap();
        assert_eq!(text, "S-1-5-21-1-2-3-1105.2026-06-10 05:06:07Z");
        let second = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap();
        assert_eq!(identity(&text).said(), Some((sid, second)));
        for text in [
            "",
            "S-1-5-21-1-2-3-1105",
            "S-1-5-21-1-2-3-1105.",
            "S-1-5-21-1-2-3-1105.2026-06-10",
            "S-1-5-21-1-2-3-1105.2026-06-10 05:06:07",
            "somebody.2026-06-10 05:06:07Z",
        ] {
            assert_eq!(identity(text).said(), None, "{text}");
        }
    }
}
