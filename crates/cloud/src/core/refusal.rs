//! Why a sign-in at a device is refused, in the words of OAuth 2.0 (RFC 6749 section 5.2) and finer.

use cloud_api::jose::JoseError;
use cloud_api::prt::TokenError;

use super::assertion::AssertionFailure;
use super::conditional_access::PolicyRefused;
use crate::error::Error;

/// Why a sign-in is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignInError {
    /// The request is not what it must be.
    #[error("{0}")]
    Request(String),
    /// A text in it cannot be read, or has another algorithm.
    #[error(transparent)]
    Jose(#[from] JoseError),
    /// Another kind of proof.
    #[error("grant_type '{0}' is not taken here")]
    GrantType(String),
    /// Not one of our devices, or not its signature. One text for both.
    #[error("the request is not signed by a device of this tenant; join the device first")]
    Device,
    /// Used, stale or strange.
    #[error("the nonce is used, stale, or not of this server; ask for a new one")]
    Nonce,
    /// No key of this tenant has the credential id, or it is another user's.
    #[error("this security key is not registered in this tenant")]
    KeyUnknown,
    /// The key's signature does not count.
    #[error("the security key's answer does not verify: {0}")]
    Assertion(#[from] AssertionFailure),
    /// The Windows Hello key's assertion does not count.
    #[error("the Windows Hello key's assertion {0}")]
    Hello(&'static str),
    /// A service that this cloud issues no tokens for.
    #[error("no tokens are issued for the resource '{0}'")]
    Resource(String),
    /// The primary refresh token is no good.
    #[error("the primary refresh token {0}")]
    Token(&'static str),
    /// No session of a user, or it has ended.
    #[error("the session has ended, or is not one of a user; sign in again")]
    Session,
    /// The user may not sign in.
    #[error("the user is disabled")]
    UserDisabled,
    /// The user is gone.
    #[error("the user is gone")]
    UserGone,
    /// The device may not be used.
    #[error("the device is disabled")]
    DeviceDisabled,
    /// The device is gone.
    #[error("the device is gone; join it again")]
    DeviceGone,
    /// The key with which the user signed in was removed.
    #[error("the security key with which the user signed in was removed; sign in with another one")]
    KeyRemoved,
    /// A Conditional Access policy refuses.
    #[error("policy '{}' refuses this sign-in: {}", .0.name, .0.why)]
    Policy(PolicyRefused),
    /// The server's own fault.
    #[error(transparent)]
    Inside(#[from] Error),
}

impl SignInError {
    /// As it is sent. What failed inside is for the log, not for the caller.
    pub fn to_wire(&self) -> TokenError {
        let (error, suberror) = match self {
            Self::Request(_) | Self::Jose(_) => ("invalid_request", None),
            Self::GrantType(_) => ("unsupported_grant_type", None),
            Self::Device => ("invalid_client", None),
            Self::Nonce => ("invalid_grant", Some("nonce")),
            Self::KeyUnknown => ("invalid_grant", Some("keyUnknown")),
            Self::Assertion(_) | Self::Hello(_) => ("invalid_grant", Some("assertion")),
            Self::Resource(_) => ("invalid_resource", None),
            Self::Token(_) | Self::Session => ("invalid_grant", Some("token")),
            Self::UserDisabled | Self::UserGone => ("invalid_grant", Some("userDisabled")),
            Self::DeviceDisabled | Self::DeviceGone => ("invalid_grant", Some("deviceDisabled")),
            Self::KeyRemoved => ("invalid_grant", Some("keyRemoved")),
            Self::Policy(refused) if refused.is_blocked => ("access_denied", Some("policy")),
            Self::Policy(_) => ("interaction_required", Some("policy")),
            Self::Inside(_) => ("server_error", None),
        };
        let error_description = match self {
            Self::Inside(_) => "the server could not do this; its log says why".to_owned(),
            other => other.to_string(),
        };
        let claims = match self {
            Self::Policy(refused) => refused.claims(),
            _ => None,
        };
        TokenError {
            error: error.to_owned(),
            error_description,
            suberror: suberror.map(str::to_owned),
            claims,
        }
    }
}
