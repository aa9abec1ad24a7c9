//! PAM's own numbers, as Linux-PAM's `_pam_types.h` names them.

types::open_enum! {
    /// What a PAM function returns.
    pub struct Code(i32) {
        SUCCESS = 0,
        SERVICE_ERR = 3,
        SYSTEM_ERR = 4,
        BUF_ERR = 5,
        AUTH_ERR = 7,
        AUTHINFO_UNAVAIL = 9,
        USER_UNKNOWN = 10,
        MAXTRIES = 11,
        ACCT_EXPIRED = 13,
        CRED_ERR = 17,
        CONV_ERR = 19,
        IGNORE = 25,
        ABORT = 26,
        CONV_AGAIN = 30,
        INCOMPLETE = 31,
    }
}

/// The flags of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags(pub i32);

impl Flags {
    const SILENT: i32 = 0x8000;
    const DELETE_CRED: i32 = 0x0004;

    /// Whether nothing may be shown that is no question.
    pub fn is_silent(self) -> bool {
        self.0 & Self::SILENT != 0
    }

    /// Whether `pam_setcred` is to take the tickets away. The other three (establish, reinitialize, refresh) write them.
    pub fn deletes(self) -> bool {
        self.0 & Self::DELETE_CRED != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read() {
        for (flags, is_silent, deletes) in [
            (0, false, false),
            (0x8000, true, false),
            (0x8002, true, false),
            (0x0004, false, true),
            (0x8004, true, true),
            (0x0010, false, false),
        ] {
            let read = Flags(flags);
            assert_eq!((read.is_silent(), read.deletes()), (is_silent, deletes));
        }
    }
}
