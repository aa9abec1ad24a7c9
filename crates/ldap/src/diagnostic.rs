//! The diagnosticMessage texts of AD, which clients search for Win32 codes and problem names.
//!
//! The form is AD's: eight hex digits of the Win32 error, the kind of error, a DSID, the problem by number
//! and name. A DSID names a line in the server's source; ours are our own (`DSID-0546xxxx`), so that nobody
//! takes one of our texts for a real domain controller's. Directory errors end in "\n\0", LdapErr in "\0".

use std::fmt::Write as _;

/// A place in our own code, in the form in which AD gives a place in its code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dsid(pub u32);

impl Dsid {
    /// The place where credentials are judged.
    pub const BIND: Self = Self(0x0546_0001);
    /// The place where a session is asked whether it may do anything at all.
    pub const SESSION: Self = Self(0x0546_0002);
    /// The place where controls are read.
    pub const CONTROLS: Self = Self(0x0546_0003);
    /// The place where messages are read.
    pub const DECODE: Self = Self(0x0546_0004);
    /// The place where names are resolved.
    pub const NAME: Self = Self(0x0546_0101);
    /// The place where access is judged.
    pub const ACCESS: Self = Self(0x0546_0102);
    /// The place where values are checked against the schema.
    pub const SCHEMA: Self = Self(0x0546_0103);
    /// The place where entries are added, moved and deleted.
    pub const UPDATE: Self = Self(0x0546_0104);
    /// The place where the server says no for reasons of its own.
    pub const SERVICE: Self = Self(0x0546_0105);
}

/// Win32 codes that lead a diagnostic message (MS-ERREF 2.2).
pub mod win32 {
    #![allow(
        missing_docs,
        reason = "the constants are the names of the specification"
    )]
    pub const ERROR_ACCESS_DENIED: u32 = 0x5;
    pub const ERROR_NOT_SUPPORTED: u32 = 0x32;
    pub const ERROR_INVALID_PARAMETER: u32 = 0x57;
    pub const ERROR_NOT_AUTHENTICATED: u32 = 0x4DC;
    pub const ERROR_DS_NO_ATTRIBUTE_OR_VALUE: u32 = 0x200A;
    pub const ERROR_DS_INVALID_ATTRIBUTE_SYNTAX: u32 = 0x200B;
    pub const ERROR_DS_ATTRIBUTE_TYPE_UNDEFINED: u32 = 0x200C;
    pub const ERROR_DS_ATTRIBUTE_OR_VALUE_EXISTS: u32 = 0x200D;
    pub const ERROR_DS_OBJ_CLASS_VIOLATION: u32 = 0x2014;
    pub const ERROR_DS_CANT_ON_NON_LEAF: u32 = 0x2015;
    pub const ERROR_DS_CANT_ON_RDN: u32 = 0x2016;
    pub const ERROR_DS_STRONG_AUTH_REQUIRED: u32 = 0x2028;
    pub const ERROR_DS_CONSTRAINT_VIOLATION: u32 = 0x202F;
    pub const ERROR_DS_UNWILLING_TO_PERFORM: u32 = 0x2035;
    pub const ERROR_DS_ATT_NOT_DEF_IN_SCHEMA: u32 = 0x206F;
    pub const ERROR_DS_OBJ_STRING_NAME_EXISTS: u32 = 0x2071;
    pub const ERROR_DS_ATT_NOT_DEF_FOR_CLASS: u32 = 0x207D;
    pub const ERROR_DS_SINGLE_VALUE_CONSTRAINT: u32 = 0x2081;
    pub const ERROR_DS_RANGE_CONSTRAINT: u32 = 0x2082;
    pub const ERROR_DS_ATT_VAL_ALREADY_EXISTS: u32 = 0x2083;
    pub const ERROR_DS_CANT_REM_MISSING_ATT_VAL: u32 = 0x2085;
    pub const ERROR_DS_CHILDREN_EXIST: u32 = 0x208C;
    pub const ERROR_DS_OBJ_NOT_FOUND: u32 = 0x208D;
    pub const ERROR_DS_BAD_NAME_SYNTAX: u32 = 0x208F;
    pub const ERROR_DS_INSUFF_ACCESS_RIGHTS: u32 = 0x2098;
    pub const ERROR_DS_CANT_MOD_SYSTEM_ONLY: u32 = 0x209A;
    pub const ERROR_DS_ILLEGAL_MOD_OPERATION: u32 = 0x20E7;
    /// SEC_E_INVALID_TOKEN.
    pub const SEC_E_INVALID_TOKEN: u32 = 0x8009_0308;
    /// SEC_E_LOGON_DENIED.
    pub const SEC_E_LOGON_DENIED: u32 = 0x8009_030C;
}

types::open_enum! {
    /// `data` of a refused bind: the Win32 error of the logon, MS-ERREF 2.2.
    pub struct LogonError(u32) {
        NO_SUCH_USER = 0x525,
        LOGON_FAILURE = 0x52E,
        INVALID_LOGON_HOURS = 0x530,
        INVALID_WORKSTATION = 0x531,
        PASSWORD_EXPIRED = 0x532,
        ACCOUNT_DISABLED = 0x533,
        ACCOUNT_EXPIRED = 0x701,
        PASSWORD_MUST_CHANGE = 0x773,
        ACCOUNT_LOCKED_OUT = 0x775,
    }
}

/// The build number that ends an LdapErr; one of a real server, kept constant.
const VERSION: &str = "v4563";

/// Result 49: `80090308: LdapErr: ..., comment: AcceptSecurityContext error, data 52e, v4563`.
pub fn logon_failed(data: LogonError) -> String {
    let code = win32::SEC_E_INVALID_TOKEN;
    let comment = format!("AcceptSecurityContext error, data {:x}", data.0);
    format!(
        "{code:08X}: LdapErr: DSID-{:08X}, comment: {comment}, {VERSION}\0",
        Dsid::BIND.0
    )
}

/// An error of the LDAP head rather than of the directory.
pub fn ldap_error(win32: u32, place: Dsid, comment: &str) -> String {
    format!(
        "{win32:08X}: LdapErr: DSID-{:08X}, comment: {comment}, data 0, {VERSION}\0",
        place.0
    )
}

/// Result 50: `00002098: SecErr: ..., problem 4003 (INSUFF_ACCESS_RIGHTS), data 0`.
pub fn access_denied(win32: u32) -> String {
    problem(win32, "SecErr", Dsid::ACCESS, 4003, "INSUFF_ACCESS_RIGHTS")
}

/// Result 53: `000020E7: SvcErr: ..., problem 5003 (WILL_NOT_PERFORM), data 0`.
pub fn unwilling(win32: u32) -> String {
    problem(win32, "SvcErr", Dsid::SERVICE, 5003, "WILL_NOT_PERFORM")
}

/// Result 68: `00002071: UpdErr: ..., problem 6005 (ENTRY_EXISTS), data 0`.
pub fn entry_exists() -> String {
    update_error(win32::ERROR_DS_OBJ_STRING_NAME_EXISTS, 6005, "ENTRY_EXISTS")
}

/// Results 64 to 69: `UpdErr` with a problem of the 6000s (MS-ADTS 3.1.1.3.1.9 names them).
pub fn update_error(win32: u32, number: u32, name: &str) -> String {
    problem(win32, "UpdErr", Dsid::UPDATE, number, name)
}

/// Result 32: `0000208D: NameErr: ..., problem 2001 (NO_OBJECT), data 0, best match of:\n\t'...'`.
pub fn no_object(best_match: &str) -> String {
    let code = win32::ERROR_DS_OBJ_NOT_FOUND;
    format!(
        "{code:08X}: NameErr: DSID-{:08X}, problem 2001 (NO_OBJECT), data 0, best match of:\n\t'{best_match}'\n\0",
        Dsid::NAME.0
    )
}

/// Result 34: a name that is none.
pub fn bad_name() -> String {
    let code = win32::ERROR_DS_BAD_NAME_SYNTAX;
    format!(
        "{code:08X}: NameErr: DSID-{:08X}, problem 2006 (BAD_NAME), data 8350, best match of:\n\t''\n\0",
        Dsid::NAME.0
    )
}

/// Results 16 to 21: `AtrErr` about one attribute, given by its number and name.
///
/// `problem` is the number and name, such as `(1006, "ATT_OR_VALUE_EXISTS")`.
pub fn attribute_error(
    win32: u32,
    (number, name): (u32, &str),
    attribute_id: u32,
    attribute: &str,
) -> String {
    let place = Dsid::SCHEMA.0;
    let mut text = format!("{win32:08X}: AtrErr: DSID-{place:08X}, #1:\n");
    let _infallible = write!(
        text,
        "\t0: {win32:08X}: DSID-{place:08X}, problem {number} ({name}), data 0, Att {attribute_id:x} ({attribute})\n\0",
    );
    text
}

/// Problems of [`attribute_error`].
pub mod attribute_problem {
    /// Result 16.
    pub const NO_ATTRIBUTE_OR_VALUE: (u32, &str) = (1001, "NO_ATTRIBUTE_OR_VAL");
    /// Result 21.
    pub const INVALID_SYNTAX: (u32, &str) = (1002, "INVALID_ATTRIBUTE_SYNTAX");
    /// Result 17.
    pub const UNDEFINED_ATTRIBUTE_TYPE: (u32, &str) = (1003, "UNDEFINED_ATT_TYPE");
    /// Result 18.
    pub const INAPPROPRIATE_MATCHING: (u32, &str) = (1004, "INAPPROPRIATE_MATCHING");
    /// Result 19.
    pub const CONSTRAINT_VIOLATION: (u32, &str) = (1005, "CONSTRAINT_ATT_TYPE");
    /// Result 20.
    pub const VALUE_EXISTS: (u32, &str) = (1006, "ATT_OR_VALUE_EXISTS");
}

fn problem(win32: u32, kind: &str, place: Dsid, number: u32, name: &str) -> String {
    format!(
        "{win32:08X}: {kind}: DSID-{:08X}, problem {number} ({name}), data 0\n\0",
        place.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_form_that_clients_search() {
        assert_eq!(
            logon_failed(LogonError::LOGON_FAILURE),
            "80090308: LdapErr: DSID-05460001, comment: AcceptSecurityContext error, data 52e, v4563\0"
        );
        assert_eq!(
            access_denied(win32::ERROR_DS_INSUFF_ACCESS_RIGHTS),
            "00002098: SecErr: DSID-05460102, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0\n\0"
        );
        assert_eq!(
            no_object("DC=corp,DC=contoso,DC=com"),
            "0000208D: NameErr: DSID-05460101, problem 2001 (NO_OBJECT), data 0, best match of:\n\t'DC=corp,DC=contoso,DC=com'\n\0"
        );
        assert_eq!(
            attribute_error(
                win32::ERROR_DS_ATT_VAL_ALREADY_EXISTS,
                attribute_problem::VALUE_EXISTS,
                0x1F,
                "member"
            ),
            "00002083: AtrErr: DSID-05460103, #1:\n\t0: 00002083: DSID-05460103, problem 1006 (ATT_OR_VALUE_EXISTS), data 0, Att 1f (member)\n\0"
        );
    }
}
