//! OpenLDAP's tools against the access check: who may write keys, in both directions, as `docs/access-control.md` says.
//!
//! The rules for computers are those of a domain controller patched in January 2026; the list of cases follows the
//! behaviour of Samba's own test of this attribute.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

mod served;

use directory::access::{adminsdholder, rights};
use directory::provision::accounts::{
    NewComputer, NewUser, create_computer, create_group, create_user,
};
use directory::{Modification, ModificationKind, ModifyRequest, Name, Operation, Session};
use security_descriptor::{AccessMask, Ace, SecurityDescriptor};
use served::{ADMINISTRATOR, DOMAIN, PASSWORD, Said, Served, TEST_USER};
use types::Dn;

const KEYS: &str = "msDS-KeyCredentialLink";
const PC1: &str = "CN=PC1,CN=Computers,DC=corp,DC=contoso,DC=com";
const PC2: &str = "CN=PC2,CN=Computers,DC=corp,DC=contoso,DC=com";
const ADMIN_DN: &str = "CN=Administrator,CN=Users,DC=corp,DC=contoso,DC=com";
const KEY_ADMINS: &str = "CN=Key Admins,CN=Users,DC=corp,DC=contoso,DC=com";

/// Names to sign in with.
const CONNECTOR: &str = "connector@corp.contoso.com";
const OTHER: &str = "other@corp.contoso.com";
const USER: &str = "testuser@corp.contoso.com";
const COMPUTER: &str = "CORP\\PC1$";

/// insufficientAccessRights
const REFUSED: i32 = 50;

/// A domain with a connector in Key Admins, somebody else, and two computers.
fn house() -> Served {
    let served = Served::with_users(0);
    let (directory, system) = (&served.directory, Session::system());
    let users: Dn = format!("OU=Users,{DOMAIN}").parse().unwrap();
    for name in ["connector", "other"] {
        let user = NewUser {
            container: &users,
            name,
            account: name,
            password: Some(PASSWORD),
        };
        create_user(directory, &system, &user).unwrap();
    }
    let computers: Dn = format!("CN=Computers,{DOMAIN}").parse().unwrap();
    for name in ["PC1", "PC2"] {
        let computer = NewComputer {
            container: &computers,
            name,
            password: Some(PASSWORD),
        };
        create_computer(directory, &system, &computer).unwrap();
    }
    modify(
        &served,
        KEY_ADMINS,
        ModificationKind::Add,
        "member",
        format!("CN=connector,{users}").as_bytes(),
    );
    adminsdholder::propagate(directory).unwrap();
    served
}

/// Prepares something as the directory itself.
fn modify(served: &Served, dn: &str, kind: ModificationKind, attribute: &str, value: &[u8]) {
    let modification = Modification::new(kind, attribute, [value]);
    let request = ModifyRequest::new(dn.parse::<Name>().unwrap(), vec![modification]);
    served
        .directory
        .apply(&Session::system(), Operation::Modify(request))
        .unwrap();
}

/// Adds an entry to the DACL of an object, read and written by OpenLDAP's tools with the SD flags control.
fn grant(served: &Served, dn: &str, ace: Ace) {
    let mut command = tool(served, "ldapsearch", ADMINISTRATOR);
    command.args([
        "-LLL",
        "-E",
        "!1.2.840.113556.1.4.801=::MAMCAQQ=",
        "-s",
        "base",
        "-b",
        dn,
    ]);
    let out = Said::well(command.arg("nTSecurityDescriptor"));
    let value = Said::values(&out, "nTSecurityDescriptor").pop().unwrap();
    let bytes = data_encoding::BASE64.decode(value.as_bytes()).unwrap();
    let mut descriptor = SecurityDescriptor::from_bytes(&bytes).unwrap();
    assert!(
        descriptor.owner.is_none() && descriptor.sacl.is_none(),
        "only the DACL was asked for"
    );
    descriptor.dacl.as_mut().unwrap().add(ace);
    let value = data_encoding::BASE64.encode(&descriptor.to_bytes().unwrap());
    let ldif = format!(
        "dn: {dn}\ncontrol: 1.2.840.113556.1.4.801 true:: MAMCAQQ=\nchangetype: modify\nreplace: nTSecurityDescriptor\nnTSecurityDescriptor:: {value}\n"
    );
    let file = served.file("grant.ldif", ldif);
    Said::well(
        tool(served, "ldapmodify", ADMINISTRATOR)
            .arg("-f")
            .arg(file),
    );
}

fn tool(served: &Served, program: &str, who: &str) -> std::process::Command {
    let mut command = served.openldap(program);
    command.args(["-x", "-H", &served.url(), "-D", who, "-w", PASSWORD]);
    command
}

/// What `ldapmodify` ends with: 0, or the result code.
#[track_caller]
fn write(served: &Served, who: &str, dn: &str, kind: &str, values: &[String]) -> i32 {
    let mut ldif = format!("dn: {dn}\nchangetype: modify\n{kind}: {KEYS}\n");
    for value in values {
        ldif.push_str(&format!("{KEYS}: {value}\n"));
    }
    let file = served.file("write.ldif", ldif);
    let said = Said::by(tool(served, "ldapmodify", who).arg("-f").arg(file));
    if said.code == REFUSED {
        let words = format!("{}{}", said.out, said.err);
        assert!(
            words.contains("00002098: SecErr: DSID-") && words.contains("INSUFF_ACCESS_RIGHTS"),
            "{words}"
        );
    }
    said.code
}

/// Sets the keys of an object as the directory itself.
fn given(served: &Served, dn: &str, values: &[String]) {
    let replace = Modification::new(ModificationKind::Replace, KEYS, values.iter().cloned());
    let request = ModifyRequest::new(dn.parse::<Name>().unwrap(), vec![replace]);
    served
        .directory
        .apply(&Session::system(), Operation::Modify(request))
        .unwrap();
}

fn values_seen_by(served: &Served, who: &str, dn: &str, attribute: &str) -> Vec<String> {
    let mut command = tool(served, "ldapsearch", who);
    let out = Said::well(command.args(["-LLL", "-s", "base", "-b", dn, attribute]));
    let mut values = Said::values(&out, attribute);
    values.sort();
    values
}

/// Not a key: plain WP does not look.
fn garbage(dn: &str) -> String {
    format!("B:22:666F6F206261722062617A:{dn}")
}

/// A key as a patched Windows computer writes it for itself; `seed` makes different ones.
fn own_key(dn: &str, seed: u8) -> String {
    let mut material = b"RSA1".to_vec();
    for number in [2048_u32, 3, 256, 0, 0] {
        material.extend(number.to_le_bytes());
    }
    material.extend([1, 0, 1]);
    material.extend([seed | 0x80; 256]);
    let draft = keycred::Draft {
        custom_key_information: Some(vec![1, 2]),
        created: Some(0x01DD_0000_0000_0000),
        ..keycred::Draft::hashed(material, keycred::KeyUsage::NGC, keycred::KeySource::AD)
    };
    keycred::DnBinary::new(draft.to_blob().unwrap().as_bytes(), dn).to_string()
}

/// Who, on which object, which has what; does what with which values; code and number of values left.
///
/// `k1` and `k2` are good keys of the object, `bad` is no key.
const CASES: &str = "
    connector PC1      | -     | add     k1    |  0 1 | write property adds a key
    connector PC1      | -     | add     k1 k2 |  0 2 | write property adds several
    connector PC1      | k1    | add     k2    |  0 2 | write property adds to what is there
    connector PC1      | -     | add     bad   |  0 1 | write property adds what is no key
    connector testuser | -     | add     bad   |  0 1 | write property reaches users
    connector PC1      | k1    | replace k2    |  0 1 | write property replaces
    connector PC1      | k1 k2 | delete  k1    |  0 1 | write property deletes
    PC1       PC1      | -     | add     k1    |  0 1 | a computer adds its key
    PC1       PC1      | k1    | add     k2    | 50 1 | a computer adds no second key
    PC1       PC1      | -     | add     k1 k2 | 50 0 | a computer adds no two keys
    PC1       PC1      | -     | add     bad   | 50 0 | a computer adds nothing else
    PC1       PC1      | k1    | replace k2    | 50 1 | a computer does not exchange its key
    PC1       PC1      | k1 k2 | delete  k1    |  0 1 | a computer deletes one key
    PC1       PC1      | k1 k2 | delete        |  0 0 | a computer deletes all keys
    PC1       PC1      | k1    | replace       |  0 0 | a computer replaces by nothing
    PC1       PC2      | -     | add     k1    | 50 0 | a computer leaves others alone
    testuser  testuser | -     | add     k1    | 50 0 | a user has no validated write
    other     PC1      | -     | add     k1    | 50 0 | without a right there is no add
    other     PC1      | k1    | delete        | 50 1 | without a right there is no delete
";

#[test]
fn the_nineteen_cases_of_key_writes() {
    let served = house();
    // The user gets the validated write on itself too: it must not help.
    let myself = Ace::allow(types::Sid::nt(&[10]), AccessMask::SELF_WRITE);
    grant(
        &served,
        TEST_USER,
        myself.on(rights::VALIDATED_WRITE_COMPUTER),
    );
    let cases: Vec<&str> = CASES
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    assert_eq!(cases.len(), 19);
    for case in cases {
        let columns: Vec<&str> = case.split('|').map(str::trim).collect();
        let [actors, before, deed, expect, _name] = columns[..] else {
            panic!("{case}");
        };
        let (who, object) = actors.split_once(' ').unwrap();
        let (who, dn) = match (who, object.trim()) {
            ("PC1", object) => (COMPUTER, object),
            ("connector", object) => (CONNECTOR, object),
            ("testuser", object) => (USER, object),
            (_, object) => (OTHER, object),
        };
        let dn = match dn {
            "PC1" => PC1,
            "PC2" => PC2,
            _ => TEST_USER,
        };
        let key = |word: &str| match word {
            "k1" => own_key(dn, 1),
            "k2" => own_key(dn, 2),
            _ => garbage(dn),
        };
        let keys = |words: &str| -> Vec<String> {
            words
                .split_whitespace()
                .filter(|word| *word != "-")
                .map(key)
                .collect()
        };
        let (kind, values) = deed.split_once(' ').unwrap_or((deed, ""));
        given(&served, dn, &keys(before));
        let code = write(&served, who, dn, kind, &keys(values));
        let left = values_seen_by(&served, ADMINISTRATOR, dn, KEYS).len();
        assert_eq!(format!("{code} {left}"), expect, "{case}");
    }
}

#[test]
fn a_refusal_tells_nothing_about_the_values() {
    // Without the right, a guess that is right must look like one that is wrong.
    let served = house();
    let (key, guess) = (own_key(PC1, 1), own_key(PC1, 2));
    for values in [vec![key.clone()], vec![]] {
        given(&served, PC1, &values);
        for guess in [&key, &guess] {
            for kind in ["add", "delete", "replace"] {
                let code = write(&served, OTHER, PC1, kind, std::slice::from_ref(guess));
                assert_eq!(code, REFUSED, "{kind}, {} values", values.len());
            }
        }
        assert_eq!(write(&served, OTHER, PC1, "delete", &[]), REFUSED);
        assert_eq!(write(&served, OTHER, PC1, "replace", &[]), REFUSED);
    }
}

#[test]
fn membership_in_key_admins_decides() {
    let served = house();
    let value = garbage(TEST_USER);
    assert_eq!(
        write(
            &served,
            CONNECTOR,
            TEST_USER,
            "add",
            std::slice::from_ref(&value)
        ),
        0
    );
    assert_eq!(
        values_seen_by(&served, OTHER, TEST_USER, KEYS),
        [value.as_str()],
        "every user reads it"
    );
    assert_eq!(write(&served, OTHER, TEST_USER, "delete", &[]), REFUSED);
    let connector = format!("CN=connector,OU=Users,{DOMAIN}");
    modify(
        &served,
        KEY_ADMINS,
        ModificationKind::Delete,
        "member",
        connector.as_bytes(),
    );
    assert_eq!(write(&served, CONNECTOR, TEST_USER, "delete", &[]), REFUSED);
    let nested: Dn = format!("OU=Users,{DOMAIN}").parse().unwrap();
    let group = create_group(
        &served.directory,
        &Session::system(),
        &nested,
        "Writers",
        &[connector.parse().unwrap()],
    );
    modify(
        &served,
        KEY_ADMINS,
        ModificationKind::Add,
        "member",
        group.unwrap().to_string().as_bytes(),
    );
    assert_eq!(write(&served, CONNECTOR, TEST_USER, "delete", &[]), 0);
}

#[test]
fn the_property_set_grants_the_keys() {
    let served = house();
    let other = served
        .directory
        .simple_bind(OTHER, PASSWORD.as_bytes())
        .unwrap();
    let sid = other.token().user().unwrap().clone();
    let value = garbage(TEST_USER);
    assert_eq!(
        write(
            &served,
            OTHER,
            TEST_USER,
            "add",
            std::slice::from_ref(&value)
        ),
        REFUSED
    );
    grant(
        &served,
        TEST_USER,
        Ace::allow(sid, AccessMask::WRITE_PROPERTY).on(rights::VALIDATED_WRITE_COMPUTER),
    );
    assert_eq!(
        write(
            &served,
            OTHER,
            TEST_USER,
            "add",
            std::slice::from_ref(&value)
        ),
        0
    );
}

#[test]
fn protected_accounts_refuse_until_adminsdholder_is_mended() {
    let served = house();
    let value = garbage(ADMIN_DN);
    let connector = served
        .directory
        .simple_bind(CONNECTOR, PASSWORD.as_bytes())
        .unwrap();
    let sid = connector.token().user().unwrap().clone();
    assert_eq!(
        values_seen_by(&served, ADMINISTRATOR, ADMIN_DN, "adminCount"),
        ["1"]
    );
    assert_eq!(
        write(
            &served,
            CONNECTOR,
            ADMIN_DN,
            "add",
            std::slice::from_ref(&value)
        ),
        REFUSED
    );
    let ace = Ace::allow(sid, AccessMask::WRITE_PROPERTY).on(rights::KEY_CREDENTIAL_LINK);
    grant(
        &served,
        &format!("CN=AdminSDHolder,CN=System,{DOMAIN}"),
        ace,
    );
    assert_eq!(
        write(
            &served,
            CONNECTOR,
            ADMIN_DN,
            "add",
            std::slice::from_ref(&value)
        ),
        REFUSED,
        "before the propagation"
    );
    let ldif =
        "dn:\nchangetype: modify\nadd: RunProtectAdminGroupsTask\nRunProtectAdminGroupsTask: 1\n";
    let file = served.file("task.ldif", ldif);
    Said::well(
        tool(&served, "ldapmodify", ADMINISTRATOR)
            .arg("-f")
            .arg(&file),
    );
    assert_eq!(
        write(
            &served,
            CONNECTOR,
            ADMIN_DN,
            "add",
            std::slice::from_ref(&value)
        ),
        0
    );
    assert_ne!(
        Said::by(tool(&served, "ldapmodify", OTHER).arg("-f").arg(&file)).code,
        0,
        "not everybody may ask"
    );
}

#[test]
fn effective_rights_tell_who_may_write_keys() {
    let served = house();
    let effective = |who, dn| values_seen_by(&served, who, dn, "allowedAttributesEffective");
    assert_eq!(effective(CONNECTOR, TEST_USER), [KEYS]);
    assert!(!effective(OTHER, TEST_USER).contains(&KEYS.to_owned()));
    assert!(!effective(CONNECTOR, ADMIN_DN).contains(&KEYS.to_owned()));
    assert!(effective(ADMINISTRATOR, TEST_USER).contains(&KEYS.to_owned()));
    let children = |who| {
        values_seen_by(
            &served,
            who,
            &format!("OU=Users,{DOMAIN}"),
            "allowedChildClassesEffective",
        )
    };
    assert!(children(ADMINISTRATOR).contains(&"user".to_owned()));
    assert!(children(OTHER).is_empty());
}

#[test]
fn the_descriptor_is_shown_by_part() {
    let served = house();
    let seen = |who: &str, flags: &str| {
        let mut command = tool(&served, "ldapsearch", who);
        command.args([
            "-LLL",
            "-E",
            &format!("!1.2.840.113556.1.4.801=::{flags}"),
            "-s",
            "base",
            "-b",
            TEST_USER,
        ]);
        let out = Said::well(command.arg("nTSecurityDescriptor"));
        Said::values(&out, "nTSecurityDescriptor")
            .pop()
            .map(|value| {
                SecurityDescriptor::from_bytes(
                    &data_encoding::BASE64.decode(value.as_bytes()).unwrap(),
                )
                .unwrap()
            })
    };
    // SEQUENCE { INTEGER flags }: 7 is owner, group and DACL; 15 is the SACL too.
    assert!(seen(OTHER, "MAMCAQc=").is_some_and(|d| d.sacl.is_none() && d.dacl.is_some()));
    assert!(
        seen(OTHER, "MAMCAQ8=").is_none(),
        "the SACL needs the privilege"
    );
    assert!(seen(ADMINISTRATOR, "MAMCAQ8=").is_some_and(|d| d.owner.is_some()));
}
