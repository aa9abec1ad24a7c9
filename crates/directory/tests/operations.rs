//! Adds, modifies, renames and deletes, as clients see them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "helpers of tests, which clippy does not take for tests"
)]

mod small;

use directory::ModificationKind::{Add, Delete, Increment, Replace};
use directory::{DeleteRequest, Error, Operation, RenameRequest, Session};
use ldap::ResultCode;
use small::{dn, find, group, modify, names, new, system, user, values};
use types::Rdn;

/// An operation on a fresh directory with users Ada and Bob: its result code, and the start of its text.
fn check(operation: Operation, code: ResultCode, text: &str) {
    let directory = new(small::OPEN);
    system(&directory, user("Ada")).unwrap();
    system(&directory, user("Bob")).unwrap();
    let account = directory.session_of(&sid(&directory, "ada")).unwrap();
    let result = directory.apply(&account, operation);
    let got = result
        .as_ref()
        .map_or_else(Error::code, |_| ResultCode::SUCCESS);
    assert_eq!(got, code, "{result:?}");
    if let Err(error) = result {
        assert!(
            error.diagnostic().starts_with(text),
            "{}",
            error.diagnostic()
        );
    }
}

fn sid(directory: &directory::Directory, account: &str) -> types::Sid {
    let found = find(
        directory,
        &Session::system(),
        &format!("(sAMAccountName={account})"),
        &["objectSid"],
    );
    types::Sid::from_bytes(&found[0].values("objectSid")[0]).unwrap()
}

const ADA: &str = "CN=Ada,OU=Users";

#[test]
fn modify_codes() {
    use ResultCode as R;
    check(modify(ADA, Add, "description", &["x"]), R::SUCCESS, "");
    check(
        modify(ADA, Add, "givenName", &["x", "y"]),
        R::CONSTRAINT_VIOLATION,
        "00002081",
    );
    check(
        modify(ADA, Add, "mobilPhone", &["x"]),
        R::NO_SUCH_ATTRIBUTE,
        "00000057",
    );
    check(
        modify(ADA, Add, "badPwdCount", &["x"]),
        R::INVALID_ATTRIBUTE_SYNTAX,
        "0000200B",
    );
    check(
        modify(ADA, Delete, "description", &[]),
        R::NO_SUCH_ATTRIBUTE,
        "00002085",
    );
    check(
        modify(ADA, Delete, "description", &["x"]),
        R::NO_SUCH_ATTRIBUTE,
        "00002085",
    );
    check(
        modify(ADA, Add, "sAMAccountName", &["ada"]),
        R::ATTRIBUTE_OR_VALUE_EXISTS,
        "00002083",
    );
    check(
        modify(ADA, Replace, "sAMAccountName", &["bob"]),
        R::ENTRY_ALREADY_EXISTS,
        "00002071",
    );
    check(
        modify(ADA, Replace, "objectSid", &["S-1-5-18"]),
        R::UNWILLING_TO_PERFORM,
        "0000209A",
    );
    check(
        modify(ADA, Replace, "memberOf", &["CN=x"]),
        R::UNWILLING_TO_PERFORM,
        "0000209A",
    );
    check(
        modify(ADA, Replace, "cn", &["x"]),
        R::NOT_ALLOWED_ON_RDN,
        "00002016",
    );
    check(
        modify(ADA, Replace, "groupType", &["2"]),
        R::OBJECT_CLASS_VIOLATION,
        "0000207D",
    );
    check(
        modify(ADA, Replace, "initials", &["toolong"]),
        R::CONSTRAINT_VIOLATION,
        "00002082",
    );
    check(
        modify(
            ADA,
            Add,
            "manager",
            &["CN=nobody,DC=corp,DC=contoso,DC=com"],
        ),
        R::CONSTRAINT_VIOLATION,
        "000020B5",
    );
    check(modify(ADA, Increment, "codePage", &["1"]), R::SUCCESS, "");
    check(
        modify("CN=Eve,OU=Users", Add, "description", &["x"]),
        R::NO_SUCH_OBJECT,
        "0000208D",
    );
    check(
        modify(ADA, Add, "msDS-KeyCredentialLink", &["B:3:000:CN=x"]),
        R::INVALID_ATTRIBUTE_SYNTAX,
        "0000200B",
    );
    let nobody = format!("B:2:00:{}", dn("CN=nobody"));
    check(
        modify(ADA, Add, "msDS-KeyCredentialLink", &[&nobody]),
        R::CONSTRAINT_VIOLATION,
        "000020B5",
    );
    let own = format!("B:2:00:{}", dn(ADA));
    check(
        modify(ADA, Add, "msDS-KeyCredentialLink", &[&own, &own]),
        R::ATTRIBUTE_OR_VALUE_EXISTS,
        "00002083",
    );
    check(
        modify("OU=Users", Add, "msDS-KeyCredentialLink", &[&own]),
        R::OBJECT_CLASS_VIOLATION,
        "0000207D",
    );
}

#[test]
fn add_codes() {
    use ResultCode as R;
    check(user("Ada"), R::ENTRY_ALREADY_EXISTS, "00002071");
    check(user("Ada Two"), R::SUCCESS, "");
    let under = |parent: &str, class: &str, naming: &str| {
        Operation::Add(
            directory::AddRequest::new(dn(&format!("{naming}=x{parent}")))
                .with("objectClass", [class]),
        )
    };
    check(
        under(",CN=Ada,OU=Users", "user", "CN"),
        R::NAMING_VIOLATION,
        "00002099",
    );
    check(
        under(",OU=Users", "user", "OU"),
        R::NAMING_VIOLATION,
        "00002099",
    );
    check(
        under(",OU=Nowhere", "user", "CN"),
        R::NO_SUCH_OBJECT,
        "0000208D",
    );
    check(
        under(",OU=Users", "top", "CN"),
        R::OBJECT_CLASS_VIOLATION,
        "00002014",
    );
    check(
        under(",OU=Users", "noSuchClass", "CN"),
        R::NO_SUCH_ATTRIBUTE,
        "00000057",
    );
    check(
        under(",OU=Users", "nTDSDSA", "CN"),
        R::UNWILLING_TO_PERFORM,
        "00002035",
    );
}

#[test]
fn a_new_user_is_complete() {
    let directory = new(small::OPEN);
    system(&directory, user("Ada")).unwrap();
    for (attribute, expected) in [
        (
            "objectClass",
            vec!["top", "person", "organizationalPerson", "user"],
        ),
        (
            "objectCategory",
            vec!["CN=Person,CN=Schema,CN=Configuration,DC=corp,DC=contoso,DC=com"],
        ),
        (
            "distinguishedName",
            vec!["CN=Ada,OU=Users,DC=corp,DC=contoso,DC=com"],
        ),
        ("name", vec!["Ada"]),
        ("cn", vec!["Ada"]),
        ("instanceType", vec!["4"]),
        ("sAMAccountType", vec!["805306368"]),
        ("primaryGroupID", vec!["513"]),
        ("accountExpires", vec!["9223372036854775807"]),
        ("whenCreated", vec!["20260610050607.0Z"]),
        ("canonicalName", vec!["corp.contoso.com/Users/Ada"]),
        ("msDS-PrincipalName", vec!["CORP\\ada"]),
    ] {
        assert_eq!(values(&directory, ADA, attribute), expected, "{attribute}");
    }
}

#[test]
fn links_follow_renames_and_vanish_with_their_targets() {
    let directory = new(small::OPEN);
    system(&directory, user("Ada")).unwrap();
    system(&directory, user("Bob")).unwrap();
    let key = format!("B:4:00ff:{}", dn("CN=Bob,OU=Users"));
    system(
        &directory,
        modify(ADA, Add, "msDS-KeyCredentialLink", &[&key]),
    )
    .unwrap();
    system(&directory, group("Team", &[ADA, "CN=Bob,OU=Users"])).unwrap();
    let moved = RenameRequest {
        name: dn("CN=Bob,OU=Users").into(),
        new_rdn: Rdn::new("CN", "Robert, the"),
        delete_old_rdn: true,
        new_parent: Some(dn("OU=Other").into()),
    };
    system(&directory, Operation::Rename(moved)).unwrap();
    let robert = "CN=Robert\\, the,OU=Other";
    assert_eq!(
        values(&directory, ADA, "msDS-KeyCredentialLink"),
        [format!("B:4:00FF:{}", dn(robert))]
    );
    assert_eq!(
        values(&directory, robert, "memberOf"),
        [dn("CN=Team,OU=Users").to_string()]
    );
    assert_eq!(
        values(&directory, robert, "msDS-KeyCredentialLink-BL"),
        [dn(ADA).to_string()]
    );
    assert_eq!(
        names(
            &directory,
            &format!(
                "(msDS-KeyCredentialLink=B:4:00fF:{})",
                dn(robert).to_string().replace('\\', "\\5c")
            )
        ),
        ["Ada"]
    );
    assert_eq!(names(&directory, "(msDS-KeyCredentialLink=*)"), ["Ada"]);
    system(
        &directory,
        Operation::Delete(DeleteRequest {
            name: dn(robert).into(),
            tree: false,
        }),
    )
    .unwrap();
    assert!(values(&directory, ADA, "msDS-KeyCredentialLink").is_empty());
    assert_eq!(
        values(&directory, "CN=Team,OU=Users", "member"),
        [dn(ADA).to_string()]
    );
}

#[test]
fn a_deleted_object_leaves_a_tombstone() {
    let directory = new(small::OPEN);
    system(&directory, user("Ada")).unwrap();
    let usn = directory.snapshot().highest_usn();
    system(
        &directory,
        Operation::Delete(DeleteRequest {
            name: dn(ADA).into(),
            tree: false,
        }),
    )
    .unwrap();
    assert!(names(&directory, "(cn=Ada*)").is_empty());
    let mut request = directory::SearchRequest::new(
        dn(""),
        ldap::Scope::WholeSubtree,
        format!("(&(isDeleted=TRUE)(uSNChanged>={}))", usn + 1)
            .parse()
            .unwrap(),
    );
    request.show_deleted = true;
    let found = directory.find_all(&Session::system(), &request).unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].dn.starts_with("CN=Ada\\0ADEL:"), "{}", found[0].dn);
    assert!(
        found[0]
            .dn
            .ends_with(",CN=Deleted Objects,DC=corp,DC=contoso,DC=com"),
        "{}",
        found[0].dn
    );
    assert_eq!(
        found[0].text("lastKnownParent"),
        Some(dn("OU=Users").to_string().as_str())
    );
    assert_eq!(found[0].text("sAMAccountName"), Some("ada"));
    system(&directory, user("Ada")).unwrap();
}

#[test]
fn a_tree_is_deleted_only_when_asked_for() {
    let directory = new(small::OPEN);
    system(&directory, user("Ada")).unwrap();
    let delete = |tree| {
        Operation::Delete(DeleteRequest {
            name: dn("OU=Users").into(),
            tree,
        })
    };
    let refused = system(&directory, delete(false)).unwrap_err();
    assert_eq!(refused.code(), ResultCode::NOT_ALLOWED_ON_NON_LEAF);
    assert!(refused.diagnostic().starts_with("0000208C"));
    system(&directory, delete(true)).unwrap();
    assert!(names(&directory, "(sAMAccountName=ada)").is_empty());
}

#[test]
fn permissive_modify_takes_what_is_there_for_done() {
    let directory = new(small::OPEN);
    system(&directory, user("Ada")).unwrap();
    let key = format!("B:4:00ff:{}", dn(ADA));
    let permissive = |kind, values: &[&str]| {
        let Operation::Modify(mut request) = modify(ADA, kind, "msDS-KeyCredentialLink", values)
        else {
            panic!()
        };
        request.permissive = true;
        Operation::Modify(request)
    };
    assert_ne!(system(&directory, permissive(Add, &[&key])).unwrap(), 0);
    assert_eq!(
        system(&directory, permissive(Add, &[&key])).unwrap(),
        0,
        "nothing changed"
    );
    assert_ne!(system(&directory, permissive(Delete, &[&key])).unwrap(), 0);
    assert_eq!(system(&directory, permissive(Delete, &[&key])).unwrap(), 0);
}

#[test]
fn a_failed_step_undoes_those_before_it() {
    let directory = new(small::OPEN);
    system(&directory, user("Ada")).unwrap();
    let before = directory.snapshot().dump().unwrap();
    let operations = vec![user("Eve"), user("Ada")];
    let (index, _) = directory
        .apply_all(&Session::system(), operations)
        .unwrap_err();
    assert_eq!(index, 1);
    assert!(directory.snapshot().dump().unwrap() == before);
}

#[test]
fn value_metadata_remembers_removed_values() {
    let directory = new(small::OPEN);
    system(&directory, user("Ada")).unwrap();
    let key = format!("B:4:00ff:{}", dn(ADA));
    system(
        &directory,
        modify(ADA, Add, "msDS-KeyCredentialLink", &[&key]),
    )
    .unwrap();
    system(
        &directory,
        modify(ADA, Delete, "msDS-KeyCredentialLink", &[&key]),
    )
    .unwrap();
    let metadata = values(&directory, ADA, "msDS-ReplValueMetaData");
    assert_eq!(metadata.len(), 1);
    for part in [
        "<pbData>AP8=</pbData>",
        "<ftimeDeleted>2026-06-10T05:06:07Z<",
        "<dwVersion>2<",
    ] {
        assert!(metadata[0].contains(part), "{part} in {}", metadata[0]);
    }
    system(&directory, modify(ADA, Replace, "description", &["x"])).unwrap();
    let attributes = values(&directory, ADA, "msDS-ReplAttributeMetaData");
    assert!(
        attributes
            .iter()
            .any(|a| a.contains(">description<") && a.contains("<dwVersion>2<"))
    );
    assert!(
        attributes
            .iter()
            .any(|a| a.contains(">sAMAccountName<") && a.contains("<dwVersion>1<"))
    );
}
