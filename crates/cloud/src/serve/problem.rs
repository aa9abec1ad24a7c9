//! Refusals as JSON.
//!
//! A handler answers with a [`Problem`], which travels as an extension of an empty response; the outermost layer
//! ([`super::router`]) adds the request's id and writes the body. So the refusals of axum itself look the same.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use cloud_api::ErrorCode;
use cloud_api::paths;

use crate::error::Error;

/// A refusal that is not written yet.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    pub(super) code: ErrorCode,
    pub(super) message: String,
    /// Seconds, for `Retry-After`.
    retry_after: Option<u64>,
    /// For `Location`.
    location: Option<String>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: ErrorCode, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            retry_after: None,
            location: None,
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest, message)
    }

    pub(super) fn too_many(seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                ErrorCode::TooManyRequests,
                format!("too many requests; come back in {seconds} s"),
            )
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let (status, code) = match &error {
            Error::Invalid(_) => (StatusCode::BAD_REQUEST, ErrorCode::InvalidRequest),
            Error::Unauthenticated => (StatusCode::UNAUTHORIZED, ErrorCode::Unauthenticated),
            Error::Denied { .. }
            | Error::Disabled(_)
            | Error::DeviceDisabled(_)
            | Error::NotProven(_)
            | Error::NotTheDevice
            | Error::SelfServiceOff => (StatusCode::FORBIDDEN, ErrorCode::AccessDenied),
            Error::NotFound { .. } => (StatusCode::NOT_FOUND, ErrorCode::NotFound),
            Error::KeyVersionExists { .. } => (StatusCode::CONFLICT, ErrorCode::ImmutableProperty),
            Error::Taken { .. } | Error::DeviceTaken { .. } => {
                (StatusCode::CONFLICT, ErrorCode::NameAlreadyExists)
            }
            Error::Immutable { .. } | Error::ImmutableDevice { .. } => {
                (StatusCode::CONFLICT, ErrorCode::ImmutableProperty)
            }
            Error::CredentialExists => (StatusCode::CONFLICT, ErrorCode::CredentialAlreadyExists),
            Error::TooManyKeys { .. } | Error::Policy(_) | Error::ConditionalAccess { .. } => {
                (StatusCode::FORBIDDEN, ErrorCode::PolicyViolation)
            }
            Error::ChallengeNotFound => (StatusCode::BAD_REQUEST, ErrorCode::ChallengeNotFound),
            Error::Verification(_) => (StatusCode::BAD_REQUEST, ErrorCode::VerificationFailed),
            Error::SyncStateNotFound(_) => (StatusCode::GONE, ErrorCode::SyncStateNotFound),
            Error::Store(_) | Error::StoreFormat(_) | Error::Internal(_) => {
                // What failed inside is for the log, not for the caller.
                tracing::error!(%error, "Request failed");
                return Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    ErrorCode::InternalError,
                    "the server could not do this; its log says why under this request id",
                );
            }
        };
        let location = matches!(error, Error::SyncStateNotFound(_))
            .then(|| paths::DEVICE_KEY_DELTA.to_owned());
        Self {
            location,
            ..Self::new(status, code, error.to_string())
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(value) = self
            .location
            .as_deref()
            .and_then(|location| HeaderValue::from_str(location).ok())
        {
            headers.insert(header::LOCATION, value);
        }
        response.extensions_mut().insert(self);
        response
    }
}
