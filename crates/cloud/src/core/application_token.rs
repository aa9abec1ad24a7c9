//! Refresh tokens of applications, and why an application is refused (RFC 6749 section 5.2, RFC 8628 section 3.5).
//!
//! A refresh token works once. Each one names its family and generation, so that a stolen one that is used beside the
//! rightful one ends the whole family (RFC 9700 section 4.14.2).

use cloud_api::Base64Url;
use cloud_api::prt::TokenError;
use serde::{Deserialize, Serialize};
use types::{Entropy, Guid, Secret, Timestamp};

use super::primary_token::{PrimaryToken, Strength};
use super::refusal::SignInError;
use super::sealed_text::SealedText;

/// Seconds after the sign-in at an application until a family ends.
pub(crate) const FAMILY_S: i64 = 24 * 3600;

/// What a refresh token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ApplicationToken {
    pub(crate) family: Guid,
    pub(crate) generation: u32,
    pub(crate) client_id: String,
    pub(crate) scope: String,
    pub(crate) proof: Proof,
}

/// Who proved itself, by which key or pass, when, and at which device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proof {
    pub(crate) user: Guid,
    /// Empty where no registered key stands behind it.
    pub(crate) credential: Base64Url,
    pub(crate) strength: Strength,
    /// The device whose primary refresh token it was; a touch in a browser proves none.
    pub(crate) device: Option<Guid>,
    /// When that device joined.
    pub(crate) device_since: Option<Timestamp>,
    pub(crate) signed_in: Timestamp,
    /// When what stands on it ends at the latest.
    pub(crate) ends: Timestamp,
}

impl Proof {
    /// A touch on the page, just now.
    pub(crate) fn by_touch(user: Guid, credential: &[u8], now: Timestamp) -> Self {
        Self {
            user,
            credential: Base64Url(credential.to_vec()),
            strength: Strength::Fido2,
            device: None,
            device_since: None,
            signed_in: now,
            ends: now.plus_seconds(FAMILY_S),
        }
    }

    /// A primary refresh token that its device has shown just now.
    pub(crate) fn by_token(token: &PrimaryToken, now: Timestamp) -> Self {
        Self {
            user: token.user,
            credential: Base64Url(token.credential.clone()),
            strength: token.strength,
            device: Some(token.device),
            device_since: token.device_since,
            signed_in: token.signed_in,
            ends: now.plus_seconds(FAMILY_S).min(token.expires),
        }
    }
}

const TEXT: SealedText = SealedText {
    prefix: "app.",
    purpose: b"tombolo application refresh token",
};

impl ApplicationToken {
    pub(crate) fn ends(&self) -> Timestamp {
        self.proof.ends
    }

    pub(crate) fn seal(&self, key: &Secret<[u8; 32]>, entropy: &mut dyn Entropy) -> Option<String> {
        TEXT.seal(&serde_json::to_vec(self).ok()?, key, entropy)
    }

    pub(crate) fn open(text: &str, key: &Secret<[u8; 32]>) -> Option<Self> {
        serde_json::from_slice(&TEXT.open(text, key)?).ok()
    }
}

/// Why an application gets nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplicationError {
    /// The request is not what it must be.
    #[error("{0}")]
    Request(String),
    /// A code or token is no good. One text for unknown, used, ended and another application's.
    #[error("the {0} is unknown, used, ended, or another application's; begin again")]
    Grant(&'static str),
    /// The user has not typed the code yet.
    #[error("the user has not signed in yet; ask again")]
    Pending,
    /// Asked sooner than the interval allows.
    #[error("asked too soon; wait for the interval")]
    SlowDown,
    /// The device code has ended.
    #[error("the device code has ended, was used, or is another application's; begin again")]
    DeviceCode,
    /// The user must sign in on the page: to prove more, or to be the one who is expected.
    #[error("the user must sign in on the page: {why}")]
    Page {
        /// What is missing.
        why: &'static str,
        /// What to ask for there, as `claims`.
        claims: Option<String>,
    },
    /// The user may not, or did not prove itself.
    #[error(transparent)]
    SignIn(#[from] SignInError),
}

impl From<crate::error::Error> for ApplicationError {
    fn from(error: crate::error::Error) -> Self {
        Self::SignIn(error.into())
    }
}

impl ApplicationError {
    /// As it is sent.
    pub fn to_wire(&self) -> TokenError {
        let error = match self {
            Self::SignIn(error) => return error.to_wire(),
            Self::Request(_) => "invalid_request",
            Self::Grant(_) => "invalid_grant",
            Self::Pending => "authorization_pending",
            Self::SlowDown => "slow_down",
            Self::DeviceCode => "expired_token",
            Self::Page { .. } => "interaction_required",
        };
        let (suberror, claims) = match self {
            Self::Page { claims, .. } => (Some("claims".to_owned()), claims.clone()),
            _ => (None, None),
        };
        TokenError {
            error: error.to_owned(),
            error_description: self.to_string(),
            suberror,
            claims,
        }
    }
}
