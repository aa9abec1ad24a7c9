//! Small builders of replies.

use ldap::diagnostic::{self, Dsid};
use ldap::{BindResponse, Control, ExtendedResponse, LdapResult, Message, Operation, ResultCode};

use crate::Error;

/// Appends a reply to message `id`.
pub(super) fn send(out: &mut Vec<u8>, id: u32, operation: Operation) {
    Message::new(id, operation).encode_into(out);
}

/// Appends a reply with controls.
pub(super) fn send_with(out: &mut Vec<u8>, id: u32, operation: Operation, controls: Vec<Control>) {
    Message::new(id, operation)
        .with_controls(controls)
        .encode_into(out);
}

/// The directory's refusal as a result.
pub(super) fn refusal(error: &Error) -> LdapResult {
    LdapResult::new(error.code())
        .with_message(error.diagnostic())
        .with_matched_dn(error.matched_dn())
}

/// A refusal by the LDAP head itself.
pub(super) fn head_refusal(code: ResultCode, win32: u32, place: Dsid, comment: &str) -> LdapResult {
    LdapResult::new(code).with_message(diagnostic::ldap_error(win32, place, comment))
}

/// A bind's answer without a token.
pub(super) fn bind_response(result: LdapResult) -> Operation {
    Operation::BindResponse(BindResponse {
        result,
        server_credentials: None,
    })
}

/// An extended operation's answer.
pub(super) fn extended_response(
    result: LdapResult,
    oid: Option<&str>,
    value: Option<Vec<u8>>,
) -> Operation {
    Operation::ExtendedResponse(ExtendedResponse {
        result,
        oid: oid.map(str::to_owned),
        value,
    })
}

/// Notice of disconnection (RFC 4511 4.4.1): the last thing a client hears.
pub(super) fn disconnection(code: ResultCode, comment: &str) -> Vec<u8> {
    let result = LdapResult::new(code).with_message(comment);
    let oid = Some(ldap::extended::NOTICE_OF_DISCONNECTION);
    Message::new(0, extended_response(result, oid, None)).encode()
}
