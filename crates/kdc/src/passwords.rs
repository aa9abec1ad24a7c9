//! What the password service (RFC 3244) asks of a directory: [`Passwords`].
//!
//! The trait is declared here and implemented by an adapter of the top floor, or by [`crate::MemoryAccounts`].
//! Deliberately absent: proving who asks. By the time a method is called, a ticket has done so.

use types::{Secret, Sid, Timestamp};

/// The passwords of a directory. Counting, history, quality and access rights are its business.
pub trait Passwords: Send + Sync {
    /// The account changes its own password. That it knew the old one is proven: its ticket came from a sign-in, with
    /// less than two minutes to live. The rules for changes hold: length, quality, history, minimum age.
    fn change(
        &self,
        account: &Sid,
        new: &Secret<String>,
        now: Timestamp,
    ) -> Result<(), PasswordRefused>;

    /// Somebody sets another account's password, if the directory lets that writer do so (the right Reset Password).
    /// History and minimum age do not matter.
    fn set(
        &self,
        writer: &Sid,
        account: &Sid,
        new: &Secret<String>,
        now: Timestamp,
    ) -> Result<(), PasswordRefused>;
}

/// Why a password stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PasswordRefused {
    /// The account is gone, or has no password of this kind.
    #[error("there is no such account")]
    NoSuchAccount,
    /// The writer may not do this.
    #[error("access denied")]
    AccessDenied,
    /// The domain's rules for passwords do not let it in.
    #[error("{breach}")]
    Policy {
        /// Which rule.
        breach: PolicyBreach,
        /// What the rules are; clients explain them to their users.
        rules: PasswordRules,
    },
    /// The directory cannot write now.
    #[error("the directory cannot be written: {0}")]
    Unavailable(String),
}

/// Which rule a new password breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyBreach {
    /// `minPwdLength`.
    #[error("the password is too short")]
    TooShort,
    /// `pwdProperties`, bit 0.
    #[error("the password is not complex enough")]
    NotComplex,
    /// `pwdHistoryLength`.
    #[error("the password was used before")]
    InHistory,
    /// `minPwdAge`.
    #[error("the password was changed too recently")]
    TooYoung,
}

/// The domain's rules as its root object holds them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PasswordRules {
    /// `minPwdLength`, in characters.
    pub length_min: u32,
    /// `pwdHistoryLength`.
    pub history: u32,
    /// `pwdProperties`, bit 0: three kinds of characters.
    pub must_be_complex: bool,
    /// `maxPwdAge`; 0 for no end.
    pub age_s_max: i64,
    /// `minPwdAge`.
    pub age_s_min: i64,
}
