//! Refresh tokens of applications, and why an application is refused (RFC 6749 section 5.2, RFC 8628 section 3.5).
//!
//! A refresh token works once. Each one names its family and generation, so that a stolen one that is used beside the
//! rightful one ends the whole family (RFC 9700 section 4.14.2).

use cloud_api::Base64Url;
use cloud_api::prt::TokenError;
use serde::{Deserialize, Serialize};
use types::{Entropy, Guid, Secret, Timestamp};

use super::refusal::SignInError;
use super::sealed_text::SealedText;

/// Seconds after the user's touch until a family ends.
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

/// Who touched which key, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proof {
    pub(crate) user: Guid,
    pub(crate) credential: Base64Url,
    pub(crate) signed_in: Timestamp,
}

const TEXT: SealedText = SealedText {
    prefix: "app.",
    purpose: b"tombolo application refresh token",
};

impl ApplicationToken {
    pub(crate) fn ends(&self) -> Timestamp {
        self.proof.signed_in.plus_seconds(FAMILY_S)
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
        };
        TokenError {
            error: error.to_owned(),
            error_description: self.to_string(),
            suberror: None,
        }
    }
}
