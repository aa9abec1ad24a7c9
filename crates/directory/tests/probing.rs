//! A refusal tells nothing about what the caller may not see.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "helpers of tests, which clippy does not take for tests"
)]

mod small;

use directory::{AddRequest, DeleteRequest, Directory, Operation, RenameRequest, Session};
use directory::{Modification, ModificationKind::Replace, ModifyRequest};
use ldap::ResultCode;
use small::{dn, new, system, user};

/// Everybody sees what stands below the domain, and Administrators alone what stands below OU=Users.
fn closed() -> (Directory, Session) {
    let directory = new("O:BAG:BAD:(A;CI;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;CI;RPLCLORC;;;WD)");
    for operation in [user("Ada"), user("Eve")] {
        system(&directory, operation).unwrap();
    }
    let visible = AddRequest::new(dn("CN=Visible")).with("objectClass", ["container"]);
    system(&directory, Operation::Add(visible)).unwrap();
    let mut close = ModifyRequest::new(
        dn("OU=Users"),
        vec![Modification::new(
            Replace,
            "nTSecurityDescriptor",
            [small::descriptor(
                "D:P(A;CI;CCDCLCRPWP;;;BA)(A;CI;RPRC;;;WD)",
            )],
        )],
    );
    close.descriptor_flags = Some(4);
    system(&directory, Operation::Modify(close)).unwrap();
    let found = small::find(
        &directory,
        &Session::system(),
        "(sAMAccountName=eve)",
        &["objectSid"],
    );
    let sid = types::Sid::from_bytes(&found[0].values("objectSid")[0]).unwrap();
    let eve = directory.session_of(&sid).unwrap();
    (directory, eve)
}

#[test]
fn names_that_are_not_listed_are_not_told_by_errors() {
    // Bug: add and rename said "there already", delete "not a leaf", to whoever had no right to do it: a user could
    // try names in a container that may not be listed. The attempts were not audited either.
    let (directory, eve) = closed();
    let check = |what: &str, operation: Operation| {
        let error = directory.apply(&eve, operation).unwrap_err();
        assert_eq!(
            error.code(),
            ResultCode::INSUFFICIENT_ACCESS_RIGHTS,
            "{what}: {error}"
        );
    };
    for name in ["Ada", "Nobody"] {
        let add = AddRequest::new(dn(&format!("CN={name},OU=Users")))
            .with("objectClass", ["user"])
            .with("sAMAccountName", ["x"]);
        check(&format!("add {name}"), Operation::Add(add));
        let rename = RenameRequest {
            name: dn("CN=Visible").into(),
            new_rdn: types::Rdn::new("CN", name),
            delete_old_rdn: true,
            new_parent: Some(dn("OU=Users").into()),
        };
        check(&format!("move to {name}"), Operation::Rename(rename));
    }
    let delete = DeleteRequest {
        name: dn("OU=Users").into(),
        tree: false,
    };
    check("delete", Operation::Delete(delete));
}

#[test]
fn a_second_password_of_an_add_is_not_kept_as_a_value() {
    // Bug: only the first was taken out of the request; one under another spelling was stored as it came.
    let (directory, _) = closed();
    let password: Vec<u8> = "\"Winter-2026\""
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let add = AddRequest::new(dn("CN=Twice,OU=Users"))
        .with("objectClass", ["user"])
        .with("sAMAccountName", ["twice"])
        .with("unicodePwd", [password.clone()])
        .with("1.2.840.113556.1.4.90", [password]);
    let refused = system(&directory, Operation::Add(add)).unwrap_err();
    assert_eq!(refused.code(), ResultCode::UNWILLING_TO_PERFORM);
}
