//! Why the cloud refuses, and whose fault it is.

use types::Guid;

use crate::core::ceremony::VerificationFailure;
use crate::core::delta::StaleToken;
use crate::core::hybrid::NotProven;
use crate::core::policy::PolicyViolation;

/// Why the cloud refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request does not say what it must.
    #[error("{0}")]
    Invalid(String),
    /// No token, or one that is unknown, used up or expired. One text for all, so that guessing teaches nothing.
    #[error("no valid token; send 'Authorization: Bearer' with one that has not expired")]
    Unauthenticated,
    /// The token's role may not do this.
    #[error("{who} may not do this; it needs the role {need}")]
    Denied {
        /// The caller.
        who: String,
        /// The role that may.
        need: &'static str,
    },
    /// A user who may not act at present.
    #[error("user {0} is disabled; enable the account first")]
    Disabled(Guid),
    /// Self-service is off.
    #[error("users may not register keys themselves in this tenant; ask an administrator")]
    SelfServiceOff,
    /// No such object.
    #[error("no {what} '{id}'")]
    NotFound {
        /// The kind of the object.
        what: &'static str,
        /// What was asked for.
        id: String,
    },
    /// Another object has this name.
    #[error("{what} '{value}' belongs to user {holder} already")]
    Taken {
        /// The property.
        what: &'static str,
        /// Its value.
        value: String,
        /// The user that has it.
        holder: Guid,
    },
    /// A property that is set once.
    #[error(
        "{property} of user {user} is set and never changes; delete the user and bring it anew if it is another person"
    )]
    Immutable {
        /// The user.
        user: Guid,
        /// The property.
        property: &'static str,
    },
    /// The same of a device of the ground.
    #[error(
        "{property} of device {device} is set and never changes; delete the device and bring it anew if it is another computer"
    )]
    ImmutableDevice {
        /// The device.
        device: Guid,
        /// The property.
        property: &'static str,
    },
    /// Another device has it.
    #[error("{what} belongs to device {holder} already; remove that one first")]
    DeviceTaken {
        /// What.
        what: &'static str,
        /// The device that has it.
        holder: Guid,
    },
    /// A computer of the ground that is disabled there.
    #[error("device {0} is disabled; enable the computer's account first")]
    DeviceDisabled(Guid),
    /// A computer did not prove that it is the one.
    #[error("the device did not prove itself: {0}")]
    NotProven(#[from] NotProven),
    /// The client certificate is not the device's. One text for all reasons, so that guessing teaches nothing.
    #[error("the connection has no client certificate of this device")]
    NotTheDevice,
    /// Another key has this version.
    #[error(
        "version {version} of the key of {domain} is here with another key; publish the next version"
    )]
    KeyVersionExists {
        /// The domain.
        domain: String,
        /// The version.
        version: u16,
    },
    /// The security key is registered already.
    #[error("this security key is registered already; remove the old registration first")]
    CredentialExists,
    /// The user has enough keys.
    #[error(
        "user {user} has {max} security keys already, the most a user may have; remove one first"
    )]
    TooManyKeys {
        /// The user.
        user: Guid,
        /// The limit.
        max: usize,
    },
    /// The challenge is unknown, used, expired, or another user's.
    #[error(
        "the challenge is unknown, used, expired, or another user's; ask for new creation options"
    )]
    ChallengeNotFound,
    /// The key's answer does not verify.
    #[error("the security key's answer does not verify: {0}")]
    Verification(#[from] VerificationFailure),
    /// The tenant's policy does not accept the key.
    #[error("the tenant does not accept this security key: {0}")]
    Policy(#[from] PolicyViolation),
    /// A Conditional Access policy refuses.
    #[error("policy '{policy}' refuses this: {why}")]
    ConditionalAccess {
        /// The policy's name.
        policy: String,
        /// What it misses.
        why: String,
    },
    /// The feed must be read anew.
    #[error("the delta token cannot be followed: {0}; read the feed from its beginning")]
    SyncStateNotFound(#[from] StaleToken),
    /// The store says no.
    #[error("the store failed: {0}")]
    Store(#[from] rusqlite::Error),
    /// The store is not one of ours, or of a newer version.
    #[error("{0}")]
    StoreFormat(String),
    /// The server's own fault.
    #[error("{0}")]
    Internal(&'static str),
}

impl Error {
    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::Invalid(text.into())
    }

    pub(crate) fn no_user(id: impl ToString) -> Self {
        Self::NotFound {
            what: "user",
            id: id.to_string(),
        }
    }
}
