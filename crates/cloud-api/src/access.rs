//! Temporary access passes and sessions.
//!
//! An administrator makes a pass for a user (`POST .../temporaryAccessPassMethods`); the user trades it once for a
//! session, with which it registers its first key.

use serde::{Deserialize, Serialize};
use types::Timestamp;

/// A pass to make.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewTemporaryAccessPass {
    /// Minutes until it ends, 10 to 43200; 60 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_in_minutes: Option<u32>,
}

/// A pass, shown once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TemporaryAccessPass {
    /// Names the pass in the audit log.
    pub id: String,
    /// The pass itself.
    pub temporary_access_pass: String,
    /// Always true: it works once.
    pub is_usable_once: bool,
    /// From when it works.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub start_date_time: Timestamp,
    /// Minutes until it ends.
    pub lifetime_in_minutes: u32,
}

/// Trades a pass for a session: `POST /signin/v1/temporaryAccessPass`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SignIn {
    /// Who signs in.
    pub user_principal_name: String,
    /// The pass.
    pub temporary_access_pass: String,
}

/// A session (RFC 6749 section 5.1).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    /// For the `Authorization: Bearer` header.
    pub access_token: String,
    /// `Bearer`.
    pub token_type: String,
    /// Seconds until it ends.
    pub expires_in: u32,
}

// The three types above hold secrets: their `Debug` shows none.
macro_rules! hide {
    ($($name:ident),*) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}
hide!(TemporaryAccessPass, SignIn, Session);
