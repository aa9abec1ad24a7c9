//! Why a request is not granted: the code that the client gets, and the words that only the audit log gets.

use kerberos::crypto::CryptoError;
use kerberos::messages::{ErrorCode, Malformed, PaData};

use crate::accounts::Unavailable;
use crate::policy::Restriction;

/// A refusal on its way to becoming a KRB-ERROR.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) code: ErrorCode,
    pub(crate) why: String,
    /// METHOD-DATA for the client's next attempt.
    pub(crate) method_data: Vec<PaData>,
    /// The first answer of every password sign-in is a refusal, which is worth no event.
    pub(crate) is_routine: bool,
    /// The method data is TYPED-DATA, as RFC 4556 3.1.3 wants it outside of an armour.
    pub(crate) is_typed: bool,
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, why: impl Into<String>) -> Self {
        Self {
            code,
            why: why.into(),
            method_data: Vec::new(),
            is_routine: false,
            is_typed: false,
        }
    }

    /// With data that tells the client what would be taken.
    pub(crate) fn with_typed_data(mut self, data: PaData) -> Self {
        self.method_data.push(data);
        self.is_typed = true;
        self
    }

    /// "Prove who you are, for example so."
    pub(crate) fn preauthentication_required(method_data: Vec<PaData>) -> Self {
        Self {
            method_data,
            is_routine: true,
            ..Self::new(
                ErrorCode::KDC_ERR_PREAUTH_REQUIRED,
                "no pre-authentication yet",
            )
        }
    }
}

impl From<Restriction> for Refusal {
    fn from(restriction: Restriction) -> Self {
        let code = match restriction {
            Restriction::PasswordExpired => ErrorCode::KDC_ERR_KEY_EXPIRED,
            Restriction::SmartcardRequired => ErrorCode::KDC_ERR_POLICY,
            Restriction::Disabled
            | Restriction::Expired
            | Restriction::Locked
            | Restriction::Hours => ErrorCode::KDC_ERR_CLIENT_REVOKED,
        };
        Self::new(code, restriction.to_string())
    }
}

impl From<Unavailable> for Refusal {
    fn from(error: Unavailable) -> Self {
        Self::new(ErrorCode::KDC_ERR_SVC_UNAVAILABLE, error.to_string())
    }
}

/// Bytes inside a request that cannot be read. What cannot be written is the KDC's own fault and never comes here by a
/// client's doing.
impl From<Malformed> for Refusal {
    fn from(error: Malformed) -> Self {
        Self::new(ErrorCode::KRB_ERR_GENERIC, error.to_string())
    }
}

/// Encrypting with keys that the KDC chose; decrypting is told apart where it happens.
impl From<CryptoError> for Refusal {
    fn from(error: CryptoError) -> Self {
        Self::new(ErrorCode::KDC_ERR_ETYPE_NOSUPP, error.to_string())
    }
}
