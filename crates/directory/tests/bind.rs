//! Names and passwords: who gets in, by which name, and who may write whose password.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, which clippy does not take for tests"
)]

mod small;

use directory::ModificationKind::{Add, Delete, Replace};
use directory::provision::{Plan, provision};
use directory::{Directory, Error, Modification, ModifyRequest, Name, Operation, Session};
use ldap::ResultCode;
use ldap::diagnostic::LogonError;
use small::options;

const PASSWORD: &str = "Correct-Horse-2026";
const TEST_USER: &str = "CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com";

fn domain() -> Directory {
    let directory = Directory::in_memory(options()).unwrap();
    provision(&directory, &Plan::example(PASSWORD)).unwrap();
    directory
}

fn quoted(password: &str) -> Vec<u8> {
    format!("\"{password}\"")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect()
}

fn modify(steps: Vec<Modification>) -> Operation {
    let name: Name = TEST_USER.parse().unwrap();
    Operation::Modify(ModifyRequest::new(name, steps))
}

fn set(directory: &Directory, attribute: &str, value: &str) {
    let step = Modification::new(Replace, attribute, [value]);
    directory
        .apply(&Session::system(), modify(vec![step]))
        .unwrap();
}

#[test]
fn every_form_of_a_name_leads_to_the_account() {
    let directory = domain();
    set(&directory, "displayName", "Testing Tester");
    let object = directory
        .snapshot()
        .find(&TEST_USER.parse().unwrap(), false)
        .unwrap();
    for name in [
        TEST_USER,
        "cn=test user,ou=users,dc=CORP,dc=contoso,dc=com",
        "testuser@corp.contoso.com",
        "TESTUSER@CORP",
        "CORP\\testuser",
        "corp.contoso.com\\TestUser",
        "corp.contoso.com/Users/Test User",
        "Testing Tester",
        &object.guid().to_string(),
        &format!("<GUID={}>", object.guid()),
        &object.sid().unwrap().to_string(),
    ] {
        let session = directory
            .simple_bind(name, PASSWORD.as_bytes())
            .unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(session.who_am_i(), "u:CORP\\testuser", "{name}");
        assert_eq!(session.token().user(), object.sid());
    }
}

#[test]
fn refusals_say_why_in_ads_words() {
    let directory = domain();
    let check = |name: &str, password: &str, expected: LogonError| match directory
        .simple_bind(name, password.as_bytes())
    {
        Err(Error::Credentials(data)) => assert_eq!(data, expected, "{name}"),
        other => panic!("{name}: {other:?}"),
    };
    check("CORP\\nobody", PASSWORD, LogonError::NO_SUCH_USER);
    check("OTHER\\testuser", PASSWORD, LogonError::NO_SUCH_USER);
    check("CORP\\testuser", "wrong", LogonError::LOGON_FAILURE);
    check("CORP\\testuser", "", LogonError::LOGON_FAILURE);
    set(&directory, "userAccountControl", "514");
    check("CORP\\testuser", PASSWORD, LogonError::ACCOUNT_DISABLED);
    check("CORP\\testuser", "wrong", LogonError::LOGON_FAILURE);
    set(&directory, "userAccountControl", "512");
    set(&directory, "accountExpires", "1000");
    check("CORP\\testuser", PASSWORD, LogonError::ACCOUNT_EXPIRED);
    set(&directory, "accountExpires", "0");
    set(&directory, "pwdLastSet", "0");
    check("CORP\\testuser", PASSWORD, LogonError::PASSWORD_MUST_CHANGE);
}

#[test]
fn a_user_changes_the_own_password_by_knowing_the_old_one() {
    let directory = domain();
    let session = directory
        .simple_bind("CORP\\testuser", PASSWORD.as_bytes())
        .unwrap();
    let change = |old: &str, new: &str| {
        modify(vec![
            Modification::new(Delete, "unicodePwd", [quoted(old)]),
            Modification::new(Add, "unicodePwd", [quoted(new)]),
        ])
    };
    let in_clear = directory
        .apply(&session, change(PASSWORD, "New-Horse-2026"))
        .unwrap_err();
    assert_eq!(
        in_clear.code(),
        ResultCode::UNWILLING_TO_PERFORM,
        "only over an encrypted connection"
    );
    let session = session.with_secure(true);
    let wrong = directory
        .apply(&session, change("wrong", "New-Horse-2026"))
        .unwrap_err();
    assert_eq!(wrong.code(), ResultCode::CONSTRAINT_VIOLATION);
    let reset = modify(vec![Modification::new(
        Replace,
        "unicodePwd",
        [quoted("New-Horse-2026")],
    )]);
    let denied = directory.apply(&session, reset).unwrap_err();
    assert_eq!(denied.code(), ResultCode::INSUFFICIENT_ACCESS_RIGHTS);
    directory
        .apply(&session, change(PASSWORD, "New-Horse-2026"))
        .unwrap();
    assert!(
        directory
            .simple_bind("CORP\\testuser", PASSWORD.as_bytes())
            .is_err()
    );
    directory
        .simple_bind("CORP\\testuser", b"New-Horse-2026")
        .unwrap();
}

#[test]
fn passwords_cannot_be_read_or_asked_for() {
    let directory = domain();
    for filter in ["(unicodePwd=*)", "(cn=Test User)"] {
        let found = small::find(&directory, &Session::system(), filter, &["*", "unicodePwd"]);
        assert!(
            found
                .iter()
                .all(|entry| entry.values("unicodePwd").is_empty()),
            "{filter}"
        );
    }
    let session = directory
        .simple_bind("CORP\\testuser", PASSWORD.as_bytes())
        .unwrap();
    let name: Name = TEST_USER.parse().unwrap();
    assert!(
        directory
            .compare(&session, &name, "unicodePwd", &quoted(PASSWORD))
            .is_err()
    );
    assert!(
        directory
            .compare(&session, &name, "cn", b"test user")
            .unwrap()
    );
    assert!(!directory.compare(&session, &name, "cn", b"other").unwrap());
}
