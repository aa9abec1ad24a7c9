//! Result codes and the result that most responses share (RFC 4511 4.1.9).

types::open_enum! {
    /// LDAPResult.resultCode, RFC 4511 appendix A.1, in the order of their numbers.
    pub struct ResultCode(u32) {
        SUCCESS = 0,
        OPERATIONS_ERROR = 1,
        PROTOCOL_ERROR = 2,
        TIME_LIMIT_EXCEEDED = 3,
        SIZE_LIMIT_EXCEEDED = 4,
        COMPARE_FALSE = 5,
        COMPARE_TRUE = 6,
        AUTH_METHOD_NOT_SUPPORTED = 7,
        STRONGER_AUTH_REQUIRED = 8,
        REFERRAL = 10,
        ADMIN_LIMIT_EXCEEDED = 11,
        UNAVAILABLE_CRITICAL_EXTENSION = 12,
        CONFIDENTIALITY_REQUIRED = 13,
        SASL_BIND_IN_PROGRESS = 14,
        NO_SUCH_ATTRIBUTE = 16,
        UNDEFINED_ATTRIBUTE_TYPE = 17,
        INAPPROPRIATE_MATCHING = 18,
        CONSTRAINT_VIOLATION = 19,
        ATTRIBUTE_OR_VALUE_EXISTS = 20,
        INVALID_ATTRIBUTE_SYNTAX = 21,
        NO_SUCH_OBJECT = 32,
        ALIAS_PROBLEM = 33,
        INVALID_DN_SYNTAX = 34,
        ALIAS_DEREFERENCING_PROBLEM = 36,
        INAPPROPRIATE_AUTHENTICATION = 48,
        INVALID_CREDENTIALS = 49,
        INSUFFICIENT_ACCESS_RIGHTS = 50,
        BUSY = 51,
        UNAVAILABLE = 52,
        UNWILLING_TO_PERFORM = 53,
        LOOP_DETECT = 54,
        NAMING_VIOLATION = 64,
        OBJECT_CLASS_VIOLATION = 65,
        NOT_ALLOWED_ON_NON_LEAF = 66,
        NOT_ALLOWED_ON_RDN = 67,
        ENTRY_ALREADY_EXISTS = 68,
        OBJECT_CLASS_MODS_PROHIBITED = 69,
        AFFECTS_MULTIPLE_DSAS = 71,
        OTHER = 80,
        // RFC 3909 and RFC 4511's registry
        CANCELED = 118,
        NO_SUCH_OPERATION = 119,
    }
}

/// How an operation ended (RFC 4511 4.1.9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdapResult {
    /// Success, or why not.
    pub code: ResultCode,
    /// The nearest entry that exists. Octets: a Sicily bind reply carries a token here (MS-ADTS 5.1.1.1.3).
    pub matched_dn: Vec<u8>,
    /// The text for people; see [`crate::diagnostic`].
    pub message: String,
    /// Other servers to ask.
    pub referrals: Vec<String>,
}

impl LdapResult {
    /// A result of this code, without words.
    pub fn new(code: ResultCode) -> Self {
        Self {
            code,
            matched_dn: Vec::new(),
            message: String::new(),
            referrals: Vec::new(),
        }
    }

    /// Done.
    pub fn success() -> Self {
        Self::new(ResultCode::SUCCESS)
    }

    /// Adds the diagnostic message.
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = message.into();
        self
    }

    /// Adds the name of the nearest entry that exists.
    pub fn with_matched_dn(mut self, dn: impl Into<Vec<u8>>) -> Self {
        self.matched_dn = dn.into();
        self
    }

    /// Whether the code is [`ResultCode::SUCCESS`].
    pub fn is_success(&self) -> bool {
        self.code == ResultCode::SUCCESS
    }
}
