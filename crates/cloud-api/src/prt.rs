//! The primary refresh token (MS-OAPXBC 3.2.5.1): how a device signs its user in, and what it gets.
//!
//! ```text
//! POST /{tenant}/oauth2/token  grant_type=srv_challenge                                -> Challenge
//! POST /{tenant}/oauth2/token  windows_api_version=2.2, grant_type=…:jwt-bearer,
//!                              request=<JWS of TokenRequest>, tgt=true                  -> TokenAnswer
//! ```
//! The first request of a device is signed RS256 with its device key, and its answer is plain JSON whose session key only
//! the transport key opens. Later ones are signed HS256 with a key derived from the session key, and so are their answers
//! sealed ([`crate::jose::seal`]).
//!
//! A sign-in with a FIDO2 key goes in the same round trip by [`FidoAssertion`]. That message is Tombolo's own: what the
//! original system sends is not publicly documented.

use std::fmt;

use serde::{Deserialize, Serialize};
use types::Guid;

use crate::base64::Base64Url;
use crate::jose::{Header, JoseError, Jws};

/// `grant_type` that asks for a nonce.
pub const GRANT_CHALLENGE: &str = "srv_challenge";
/// `grant_type` of a signed request, and inside one of an assertion by key.
pub const GRANT_JWT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// `grant_type` inside a request that renews.
pub const GRANT_REFRESH: &str = "refresh_token";
/// The only algorithm of a device's first request.
pub const RS256: &str = "RS256";
/// The only algorithm of later requests.
pub const HS256: &str = "HS256";

/// A nonce: it works once, for a few minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Challenge {
    /// Opaque.
    pub nonce: String,
}

/// The payload of a signed request.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TokenRequest {
    /// The program that asks.
    #[serde(default)]
    pub client_id: String,
    /// A nonce of the cloud.
    #[serde(default)]
    pub request_nonce: String,
    /// Contains `openid` and `aza` where a primary refresh token is asked for.
    #[serde(default)]
    pub scope: String,
    /// [`GRANT_JWT`], [`GRANT_REFRESH`] or `password`.
    #[serde(default)]
    pub grant_type: String,
    /// By key: a [`FidoAssertion`] as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assertion: Option<String>,
    /// The user's name, where the proof does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// To renew: the primary refresh token. In a first request: the user's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// For an access token: the service that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

/// What a request on the strength of a primary refresh token asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted<'a> {
    /// The primary refresh token renewed.
    Primary,
    /// An access token for this service.
    Service(&'a str),
    /// Tokens for the application that asks.
    Application,
}

impl TokenRequest {
    /// What is asked for. `aza` in the scope asks for a primary refresh token; otherwise a service is named by `resource`
    /// or, since protocol 3, by a scope that ends in `/.default`. An application may name itself.
    pub fn wanted(&self) -> Wanted<'_> {
        let mut scopes = self.scope.split(' ');
        if scopes.any(|scope| scope == "aza") {
            return Wanted::Primary;
        }
        let mut scopes = self.scope.split(' ');
        let by_scope = scopes.find_map(|scope| scope.strip_suffix("/.default"));
        let resource = self.resource.as_deref().filter(|text| !text.is_empty());
        match resource.or(by_scope) {
            Some(service) if service != self.client_id => Wanted::Service(service),
            _ => Wanted::Application,
        }
    }
}

impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest")
            .field("client_id", &self.client_id)
            .field("grant_type", &self.grant_type)
            .finish_non_exhaustive()
    }
}

/// What a security key signed (WebAuthn Level 3, 7.2), over the request's own nonce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FidoAssertion {
    /// The relying party's id.
    pub rp_id: String,
    /// The client data; its challenge is the request's nonce.
    #[serde(rename = "clientDataJSON")]
    pub client_data_json: Base64Url,
    /// The authenticator data.
    pub authenticator_data: Base64Url,
    /// The signature over both.
    pub signature: Base64Url,
    /// The user's handle, from a discoverable credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_handle: Option<Base64Url>,
}

impl FidoAssertion {
    /// `typ` of its text.
    pub const TYPE: &str = "webauthn+jwt";
    /// `use` of its text.
    pub const USE: &str = "fido";

    /// As text: a compact JWS without a signature of its own, because the one that counts is the key's.
    pub fn to_text(&self, credential_id: &[u8]) -> Result<String, JoseError> {
        let header = Header {
            alg: "none".to_owned(),
            typ: Some(Self::TYPE.to_owned()),
            key_use: Some(Self::USE.to_owned()),
            kid: Some(Base64Url(credential_id.to_vec()).to_string()),
            ..Header::default()
        };
        Ok(Jws::text(&Jws::signing_input(&header, self)?, b""))
    }

    /// Reads the text: the credential's id, and what it signed.
    pub fn of_text(text: &str) -> Result<(Vec<u8>, Self), JoseError> {
        let jws = Jws::parse(text)?;
        let header = &jws.header;
        let is_ours = header.typ.as_deref() == Some(Self::TYPE)
            && header.key_use.as_deref() == Some(Self::USE)
            && header.alg == "none"
            && jws.signature.is_empty();
        let kid = header.kid.as_deref().filter(|_| is_ours);
        let id = kid.and_then(|kid| Base64Url::parse(kid).ok());
        let id = id.ok_or(JoseError::Form("an assertion of a FIDO2 key"))?;
        Ok((id.0, jws.claims()?))
    }
}

/// What a browser shows of a primary refresh token, in the header or cookie [`BrowserCredential::NAME`]: the payload of a
/// compact JWS that is signed as requests are (MS-OAPXBC 2.2.1.1).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrowserCredential {
    /// The primary refresh token.
    pub refresh_token: String,
    /// A nonce of the cloud. A browser that has none yet is sent for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_nonce: Option<String>,
}

impl BrowserCredential {
    /// Of the header and of the cookie.
    pub const NAME: &str = "x-ms-RefreshTokenCredential";
    /// The query's member that brings the nonce.
    pub const NONCE: &str = "sso_nonce";
}

impl fmt::Debug for BrowserCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BrowserCredential(..)")
    }
}

/// What a granted request gets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenAnswer {
    /// `Bearer`.
    pub token_type: String,
    /// Seconds, as text.
    pub expires_in: String,
    /// Seconds, as text.
    pub ext_expires_in: String,
    /// Unix time, as text.
    pub expires_on: String,
    /// The primary refresh token: opaque, with a dot in it.
    pub refresh_token: String,
    /// Seconds.
    pub refresh_token_expires_in: i64,
    /// The session key for the transport key: a compact JWE of which only the encrypted key matters. Only in the first answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_key_jwe: Option<String>,
    /// Who signed in.
    pub id_token: String,
    /// `{"uid","utid"}` in base64url.
    pub client_info: String,
    /// The tenant of the device.
    pub device_tenant_id: Guid,
    /// A [`TicketField`] as text: the ticket for the domain on the ground.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tgt_ad: Option<String>,
    /// The same in its older form, for readers that know no other; an answer has one form. The key that opens the message, as
    /// [`TicketField::client_key`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tgt_client_key: Option<String>,
    /// The key's type: 18.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tgt_key_type: Option<u32>,
    /// An AS-REP in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tgt_message_buffer: Option<String>,
    /// A [`TicketField`] as text: the ticket for a realm of the cloud's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tgt_cloud: Option<String>,
    /// After a sign-in by security key: the public key that the cloud knows of it (COSE key, base64url), so that the device can
    /// check the key's signature when the cloud is not there. Tombolo's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential_public_key: Option<Base64Url>,
    /// The DNS suffixes of the domain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kerberos_top_level_names: Option<String>,
}

impl fmt::Debug for TokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenAnswer(..)")
    }
}

/// The claims of an id token that devices read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdClaims {
    /// Display name.
    pub name: String,
    /// The user's id.
    pub oid: Guid,
    /// The tenant's id.
    pub tid: Guid,
    /// User principal name.
    pub preferred_username: String,
    /// User principal name, as older clients look for it.
    pub upn: String,
}

/// The partial ticket granting ticket in an answer: JSON inside a JSON text.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TicketField {
    /// The key that opens the message: a [`crate::jose::seal`] in the first answer, plain base64 in a renewal, whose answer
    /// is sealed as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key: Option<String>,
    /// The client key's type: 18, or 0 where there is no ticket.
    pub key_type: u32,
    /// Why there is no ticket.
    pub error: Option<String>,
    /// An AS-REP in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_buffer: Option<String>,
    /// The realm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// `krbtgt/REALM`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sn: Option<String>,
    /// The account's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cn: Option<String>,
    /// The session key's type.
    pub session_key_type: u32,
    /// What kind of account; clients only want a number.
    pub account_type: u32,
}

impl fmt::Debug for TicketField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TicketField")
            .field("key_type", &self.key_type)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

/// A refusal, as OAuth 2.0 shapes it (RFC 6749 section 5.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TokenError {
    /// `invalid_request`, `invalid_grant`, `invalid_client`, `interaction_required`, `unsupported_grant_type`, `server_error`.
    pub error: String,
    /// What happened, to which object, and what to do next.
    pub error_description: String,
    /// Finer than `error`: `userDisabled`, `deviceDisabled`, `keyRemoved`, `nonce`, `expired`, `policy`, `claims`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suberror: Option<String>,
    /// With `interaction_required`: what to ask for at the next sign-in, as the parameter `claims`
    /// ([`crate::claims::ClaimsRequest`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assertions_are_read_back() {
        let assertion = FidoAssertion {
            rp_id: "login.corp.contoso.com".to_owned(),
            client_data_json: Base64Url(b"{}".to_vec()),
            authenticator_data: Base64Url(vec![1; 37]),
            signature: Base64Url(vec![2; 70]),
            user_handle: None,
        };
        let text = assertion.to_text(b"id").unwrap();
        assert_eq!(
            FidoAssertion::of_text(&text).unwrap(),
            (b"id".to_vec(), assertion)
        );
        assert!(FidoAssertion::of_text(&format!("{text}AA")).is_err());
        let ngc = Jws::signing_input(&Header::default(), &serde_json::json!({})).unwrap();
        assert!(FidoAssertion::of_text(&Jws::text(&ngc, b"")).is_err());
    }

    #[test]
    fn what_is_wanted_is_read_from_scope_and_resource() {
        let check = |scope: &str, resource: Option<&str>, expected: Wanted<'_>| {
            let request = TokenRequest {
                client_id: "app".to_owned(),
                scope: scope.to_owned(),
                resource: resource.map(str::to_owned),
                ..TokenRequest::default()
            };
            assert_eq!(request.wanted(), expected, "{scope} {resource:?}");
        };
        check("openid aza ugs", Some("mail"), Wanted::Primary);
        check("openid", Some("mail"), Wanted::Service("mail"));
        check("openid mail/.default", None, Wanted::Service("mail"));
        check(
            "openid mail/.default",
            Some("files"),
            Wanted::Service("files"),
        );
        check("openid", None, Wanted::Application);
        check("openid", Some(""), Wanted::Application);
        check("openid", Some("app"), Wanted::Application);
        check("app/.default offline_access", None, Wanted::Application);
        check("", None, Wanted::Application);
    }

    #[test]
    fn a_missing_ticket_says_why() {
        let field = TicketField {
            error: Some("no Kerberos server object".to_owned()),
            ..TicketField::default()
        };
        let json = serde_json::to_value(&field).unwrap();
        assert_eq!(json["keyType"], 0);
        assert!(json.get("messageBuffer").is_none());
    }
}
