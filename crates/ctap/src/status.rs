//! Status codes of CTAP 2.1, section 8.2, with words for people.

types::open_enum! {
    /// The first byte of each reply.
    pub struct Status(u8) {
        OK = 0x00,
        INVALID_COMMAND = 0x01,
        INVALID_PARAMETER = 0x02,
        INVALID_LENGTH = 0x03,
        INVALID_SEQ = 0x04,
        TIMEOUT = 0x05,
        CHANNEL_BUSY = 0x06,
        LOCK_REQUIRED = 0x0A,
        INVALID_CHANNEL = 0x0B,
        CBOR_UNEXPECTED_TYPE = 0x11,
        INVALID_CBOR = 0x12,
        MISSING_PARAMETER = 0x14,
        LIMIT_EXCEEDED = 0x15,
        FP_DATABASE_FULL = 0x17,
        LARGE_BLOB_STORAGE_FULL = 0x18,
        CREDENTIAL_EXCLUDED = 0x19,
        PROCESSING = 0x21,
        INVALID_CREDENTIAL = 0x22,
        USER_ACTION_PENDING = 0x23,
        OPERATION_PENDING = 0x24,
        NO_OPERATIONS = 0x25,
        UNSUPPORTED_ALGORITHM = 0x26,
        OPERATION_DENIED = 0x27,
        KEY_STORE_FULL = 0x28,
        UNSUPPORTED_OPTION = 0x2B,
        INVALID_OPTION = 0x2C,
        KEEPALIVE_CANCEL = 0x2D,
        NO_CREDENTIALS = 0x2E,
        USER_ACTION_TIMEOUT = 0x2F,
        NOT_ALLOWED = 0x30,
        PIN_INVALID = 0x31,
        PIN_BLOCKED = 0x32,
        PIN_AUTH_INVALID = 0x33,
        PIN_AUTH_BLOCKED = 0x34,
        PIN_NOT_SET = 0x35,
        PUAT_REQUIRED = 0x36,
        PIN_POLICY_VIOLATION = 0x37,
        REQUEST_TOO_LARGE = 0x39,
        ACTION_TIMEOUT = 0x3A,
        UP_REQUIRED = 0x3B,
        UV_BLOCKED = 0x3C,
        INTEGRITY_FAILURE = 0x3D,
        INVALID_SUBCOMMAND = 0x3E,
        UV_INVALID = 0x3F,
        UNAUTHORIZED_PERMISSION = 0x40,
        OTHER = 0x7F,
    }
}

impl Status {
    /// What happened and what to do next.
    pub fn words(self) -> &'static str {
        match self {
            Self::OK => "it worked",
            Self::CREDENTIAL_EXCLUDED => "this key already holds a credential of that account",
            Self::OPERATION_DENIED => "the request was declined on the key",
            Self::KEY_STORE_FULL => "the key has no room left; delete a credential first",
            Self::UNSUPPORTED_ALGORITHM => "the key knows none of the algorithms asked for",
            Self::UNSUPPORTED_OPTION | Self::INVALID_OPTION => "the key cannot do that option",
            Self::KEEPALIVE_CANCEL => "the request was cancelled",
            Self::NO_CREDENTIALS => "the key holds no credential for this relying party",
            Self::USER_ACTION_TIMEOUT | Self::ACTION_TIMEOUT => {
                "nobody touched the key in time; try again"
            }
            Self::NOT_ALLOWED => {
                "not allowed now; a reset works only in the first seconds after plugging in"
            }
            Self::PIN_INVALID => "the PIN is wrong",
            Self::PIN_BLOCKED => {
                "the PIN is blocked after too many wrong ones; only a reset, which deletes all credentials, makes the key usable again"
            }
            Self::PIN_AUTH_INVALID => "the proof of the PIN or of a salt does not verify",
            Self::PIN_AUTH_BLOCKED => {
                "three wrong PINs in a row; remove the key and insert it before the next try"
            }
            Self::PIN_NOT_SET => "the key has no PIN yet; set one first",
            Self::PUAT_REQUIRED => "the key wants its PIN for this",
            Self::PIN_POLICY_VIOLATION => "the new PIN is too short or not allowed by the key",
            Self::UNAUTHORIZED_PERMISSION => "the PIN token was not issued for this action",
            Self::UV_BLOCKED => "built-in user verification is blocked; use the PIN",
            Self::CHANNEL_BUSY => "the key is busy with another program; try again",
            _ if self.0 >= 0xF0 => "the key reports a fault of its own",
            _ if self.0 >= 0xE0 => "an extension refused",
            _ => "the key did not accept the request",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_words() {
        for byte in 0..=u8::MAX {
            let words = Status(byte).words();
            assert!(!words.is_empty() && !words.ends_with('.'), "{byte:#04x}");
        }
    }
}
