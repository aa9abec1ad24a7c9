//! The ticket granting account of a read-only domain controller (LDAP_SERVER_RODC_DCPROMO_OID, MS-ADTS 3.1.1.3.4.1.23):
//! its number is `msDS-SecondaryKrbTgtNumber`, which no client can write, and its name follows from it.
//!
//! Whoever may make one can, with its key, sign in everybody that its domain controller may reveal. So the right to create
//! users is not enough: AD asks for a control access right on the domain's head, which Administrators alone hold.

use ldap::diagnostic::win32;
use types::Sid;

use super::{NewPassword, Refused, account};
use crate::access::Denied;
use crate::model::{Object, ObjectBuilder, Transaction};
use crate::{Error, Session};

/// RID of BUILTIN\Administrators.
const ADMINISTRATORS: u32 = 544;
/// RIGHT_DS_CONTROL_ACCESS, MS-ADTS 5.1.3.2.
const CONTROL_ACCESS: u32 = 0x100;
/// Numbers that are drawn before the directory gives up; half of all 65,535 would have to be taken for one in a billion
/// to need so many.
const DRAWS_MAX: usize = 32;

/// Whether the caller may make such an account, and this is one.
pub(super) fn check(
    transaction: &Transaction<'_>,
    session: &Session,
    kind: Option<account::Kind>,
    parent: Option<&Object>,
    password: Option<&NewPassword>,
) -> Result<(), Refused> {
    let is_administrator =
        session.is_system() || session.token().contains(&Sid::builtin(ADMINISTRATORS));
    if let (false, Some(parent)) = (is_administrator, parent) {
        let denied = Denied {
            right: CONTROL_ACCESS,
            attribute: None,
            attribute_name: None,
            on: parent.guid(),
            win32: 5,
        };
        return Err(Refused::denied(transaction, session, parent, denied));
    }
    if kind != Some(account::Kind::User) {
        return Err(unwilling("only a user can be a ticket granting account").into());
    }
    // Its keys are salted with a name that the caller cannot know yet.
    if password.is_some() {
        return Err(unwilling("the password is set once the account has its number").into());
    }
    Ok(())
}

/// Draws a number that is not taken, and names the account by it.
pub(super) fn number(
    transaction: &Transaction<'_>,
    object: &mut ObjectBuilder,
) -> Result<(), Error> {
    let known = transaction.schema.known();
    let attribute = transaction
        .schema
        .attribute_by_id(known.secondary_krbtgt_number);
    let reader = transaction.reader();
    for _ in 0..DRAWS_MAX {
        let number = u16::from_le_bytes(transaction.random());
        let text = number.to_string();
        let key = attribute.syntax.key(text.as_bytes());
        if number == 0 || !reader.indexed(attribute.id, &key, 1)?.is_empty() {
            continue;
        }
        object.set_text(attribute.id, number);
        object.set_text(known.sam_account_name, format!("krbtgt_{number}"));
        return Ok(());
    }
    Err(unwilling("no number is free; try again"))
}

fn unwilling(why: &str) -> Error {
    Error::unwilling(win32::ERROR_DS_UNWILLING_TO_PERFORM, why)
}
