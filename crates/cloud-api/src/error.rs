//! The body of every refusal, shaped as Graph shapes it: `{"error":{"code","message","innerError"}}`.

use serde::{Deserialize, Serialize};
use types::Timestamp;

/// What a refused request gets back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorBody {
    /// The refusal.
    pub error: ErrorDetail,
}

/// The refusal itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ErrorDetail {
    /// For programs.
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "syncStateNotFound"))]
    pub code: ErrorCode,
    /// For people: what happened, to which object, what to do next.
    pub message: String,
    /// Helps to find the request again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner_error: Option<InnerError>,
}

/// Helps to find the request again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct InnerError {
    /// When it was refused.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub date: Timestamp,
    /// Also in the server's log and in the reply's `request-id` header.
    #[serde(rename = "request-id")]
    pub request_id: String,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Why a request was refused. Codes that this version does not know survive as [`ErrorCode::Other`].
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        #[non_exhaustive]
        pub enum ErrorCode {
            $($(#[$doc])* $name,)*
            /// A code of a newer server.
            Other(String),
        }

        impl ErrorCode {
            /// The code as it is sent.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl From<String> for ErrorCode {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$name,)*
                    _ => Self::Other(text),
                }
            }
        }
    };
}

codes! {
    /// 400: the request does not say what it must.
    InvalidRequest = "invalidRequest",
    /// 401: no token, or one that is unknown, used up or expired.
    Unauthenticated = "unauthenticated",
    /// 403: the token's role may not do this.
    AccessDenied = "accessDenied",
    /// 404: no such object.
    NotFound = "itemNotFound",
    /// 409: another object has this name or identity already.
    NameAlreadyExists = "nameAlreadyExists",
    /// 409: the on-premises SID, account name or source anchor was set before and never changes.
    ImmutableProperty = "immutableProperty",
    /// 409: the security key is registered already.
    CredentialAlreadyExists = "credentialAlreadyExists",
    /// 400: the registration's challenge is unknown, used up, expired or another user's.
    ChallengeNotFound = "challengeNotFound",
    /// 400: the attestation or the client data does not verify.
    VerificationFailed = "verificationFailed",
    /// 403: the tenant's policy does not accept this key.
    PolicyViolation = "policyViolation",
    /// 405: the path is right, the method is not.
    MethodNotAllowed = "methodNotAllowed",
    /// 410: the delta token is too old or from elsewhere: start again at the `Location`.
    SyncStateNotFound = "syncStateNotFound",
    /// 413: the body is too large.
    RequestTooLarge = "requestEntityTooLarge",
    /// 415: the body must be `application/json`.
    UnsupportedMediaType = "unsupportedMediaType",
    /// 429: too many requests: come back after `Retry-After` seconds.
    TooManyRequests = "tooManyRequests",
    /// 500: the server's own fault.
    InternalError = "internalError",
}

impl From<ErrorCode> for String {
    fn from(code: ErrorCode) -> Self {
        code.as_str().to_owned()
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_codes_survive() {
        for text in ["syncStateNotFound", "someNewCode"] {
            let code: ErrorCode = serde_json::from_str(&format!("\"{text}\"")).unwrap();
            assert_eq!(code.as_str(), text);
            assert_eq!(serde_json::to_string(&code).unwrap(), format!("\"{text}\""));
        }
    }
}
