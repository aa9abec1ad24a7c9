//! The cloud as a workstation sees it: a wire that carries requests, and what an answer means.

use cloud_api::devices::{CertificateRequest, JoinDevice, JoinType, JoinedDevice};
use cloud_api::error::ErrorBody;
use cloud_api::prt::{Challenge, GRANT_CHALLENGE, TokenError};
use cloud_api::{Base64Url, paths};
use serde::de::DeserializeOwned;
use types::Secret;

use crate::connection::{Attempt, Refusal};
use crate::keys::{DeviceKeys, KeyError};

/// The wire to the cloud. Whoever implements it has proven, by its certificate, that it is the cloud's.
pub trait Cloud {
    /// Sends a POST and brings the answer back, whatever its status.
    fn post(&mut self, request: Post<'_>) -> Result<Reply, Unreachable>;
}

/// A request.
#[derive(Debug)]
pub struct Post<'a> {
    /// Path on the cloud's origin.
    pub path: &'a str,
    /// Media type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Vec<u8>,
    /// A bearer token.
    pub bearer: Option<&'a Secret<String>>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// No answer came, or not from the cloud.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cloud cannot be reached: {0}")]
pub struct Unreachable(pub String);

/// Why the cloud gave nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CloudError {
    /// No answer.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
    /// An answer that is none: garbage, or of a proxy in between.
    #[error("the cloud's answer is not what it must be: {0}")]
    Nonsense(String),
    /// A no to a sign-in.
    #[error("the cloud refused: {}", .0.error_description)]
    Refused(Box<TokenError>),
    /// A no to anything else.
    #[error("the cloud refused {path}: {message}")]
    Denied {
        /// The path.
        path: String,
        /// The cloud's words.
        message: String,
    },
    /// The device's own keys do not work.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl CloudError {
    /// What it says about the connection, and about whoever signs in. Only words of the cloud itself speak against a user.
    pub fn attempt(&self) -> Attempt {
        let Self::Refused(error) = self else {
            return Attempt::Unreachable;
        };
        match (error.error.as_str(), error.suberror.as_deref()) {
            ("server_error" | "temporarily_unavailable", _) => Attempt::Unreachable,
            (_, Some("userDisabled")) => Attempt::Refused(Refusal::User),
            (_, Some("deviceDisabled")) | ("invalid_client", _) => {
                Attempt::Refused(Refusal::Device)
            }
            (_, Some("keyRemoved" | "keyUnknown")) => Attempt::Refused(Refusal::Key),
            _ => Attempt::Refused(Refusal::Interaction),
        }
    }
}

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// Asks for a nonce.
pub fn nonce(cloud: &mut dyn Cloud) -> Result<String, CloudError> {
    let body = format!("grant_type={GRANT_CHALLENGE}").into_bytes();
    let reply = token_endpoint(cloud, body)?;
    let challenge: Challenge = json(&reply)?;
    Ok(challenge.nonce)
}

/// Sends a form to the token endpoint; a refusal becomes an error.
pub(crate) fn token_endpoint(cloud: &mut dyn Cloud, body: Vec<u8>) -> Result<Vec<u8>, CloudError> {
    let reply = cloud.post(Post {
        path: paths::TOKEN,
        content_type: FORM,
        body,
        bearer: None,
    })?;
    if reply.status == 200 {
        return Ok(reply.body);
    }
    match serde_json::from_slice::<TokenError>(&reply.body) {
        Ok(error) => Err(CloudError::Refused(Box::new(error))),
        Err(_) => Err(CloudError::Nonsense(format!(
            "status {} without a reason",
            reply.status
        ))),
    }
}

/// Joins this device for the user whose session the bearer token is.
pub fn join(
    cloud: &mut dyn Cloud,
    keys: &DeviceKeys,
    display_name: &str,
    bearer: &Secret<String>,
) -> Result<JoinedDevice, CloudError> {
    let request = JoinDevice {
        certificate_request: CertificateRequest {
            kind: "pkcs10".to_owned(),
            data: Base64Url(keys.certificate_request()?),
        },
        transport_key: Base64Url(keys.transport_blob().to_vec()),
        target_domain: None,
        device_type: Some("Linux".to_owned()),
        os_version: None,
        device_display_name: display_name.to_owned(),
        join_type: JoinType::JOIN,
    };
    let body =
        serde_json::to_vec(&request).map_err(|error| CloudError::Nonsense(error.to_string()))?;
    let reply = cloud.post(Post {
        path: paths::JOIN_DEVICE,
        content_type: JSON,
        body,
        bearer: Some(bearer),
    })?;
    if reply.status == 200 {
        return json(&reply.body);
    }
    let message = serde_json::from_slice::<ErrorBody>(&reply.body).map_or_else(
        |_| format!("status {} without a reason", reply.status),
        |body| body.error.message,
    );
    Err(CloudError::Denied {
        path: paths::JOIN_DEVICE.to_owned(),
        message,
    })
}

pub(crate) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, CloudError> {
    serde_json::from_slice(body).map_err(|error| CloudError::Nonsense(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::CacheFate;

    #[test]
    fn only_the_clouds_own_words_destroy_a_cache() {
        let refused = |error: &str, suberror: Option<&str>| {
            CloudError::Refused(Box::new(TokenError {
                error: error.to_owned(),
                error_description: String::new(),
                suberror: suberror.map(str::to_owned),
                claims: None,
            }))
        };
        for (error, fate) in [
            (
                CloudError::Unreachable(Unreachable("no route".to_owned())),
                CacheFate::Kept,
            ),
            (CloudError::Nonsense("<html>".to_owned()), CacheFate::Kept),
            (refused("server_error", None), CacheFate::Kept),
            (refused("invalid_grant", Some("nonce")), CacheFate::Kept),
            (refused("invalid_grant", Some("policy")), CacheFate::Kept),
            (
                refused("invalid_grant", Some("userDisabled")),
                CacheFate::Destroyed,
            ),
            (
                refused("invalid_grant", Some("keyRemoved")),
                CacheFate::Destroyed,
            ),
            (refused("invalid_client", None), CacheFate::Destroyed),
        ] {
            assert_eq!(error.attempt().cache_fate(), fate, "{error}");
        }
    }
}
