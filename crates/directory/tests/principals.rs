//! Kerberos keys of passwords, and accounts as a KDC sees them.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not take for tests"
)]

mod small;

use std::sync::Arc;

use directory::ModificationKind::{Add, Delete, Replace};
use directory::provision::accounts::{NewComputer, NewUser, create_computer, create_user};
use directory::provision::{Plan, provision};
use directory::{
    Directory, KeyPolicy, Modification, ModifyRequest, Name, Operation, Options, Principal,
    PrincipalName, Principals, RenameRequest, Session,
};
use kerberos::crypto::{EncryptionType, nt_hash, string_to_key};
use ldap::{Filter, Scope};
use types::{Dn, Rdn};

const PASSWORD: &str = "Correct-Horse-2026";
const TEST_USER: &str = "CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com";

fn with(options: Options) -> (Directory, Principals) {
    let directory = Directory::in_memory(options).unwrap();
    provision(&directory, &Plan::example(PASSWORD)).unwrap();
    (directory.clone(), Principals::new(directory))
}

fn domain() -> (Directory, Principals) {
    with(small::options())
}

fn named(principals: &Principals, account: &str) -> Arc<Principal> {
    principals
        .find(PrincipalName::Account(account))
        .unwrap()
        .unwrap()
}

fn change(directory: &Directory, dn: &str, step: Modification) {
    let name: Name = dn.parse().unwrap();
    let request = ModifyRequest::new(name, vec![step]);
    directory
        .apply(&Session::system(), Operation::Modify(request))
        .unwrap();
}

fn set(directory: &Directory, dn: &str, attribute: &str, value: &str) {
    change(
        directory,
        dn,
        Modification::new(Replace, attribute, [value]),
    );
}

fn set_password(directory: &Directory, session: &Session, dn: &str, password: &str) {
    let value = directory::provision::accounts::unicode_password(password);
    let step = Modification::new(Replace, "unicodePwd", [value]);
    let request = ModifyRequest::new(dn.parse::<Name>().unwrap(), vec![step]);
    directory
        .apply(session, Operation::Modify(request))
        .unwrap();
}

fn versions(principal: &Principal) -> Vec<u32> {
    principal.keys.iter().map(|set| set.version).collect()
}

#[test]
fn a_password_leaves_keys_with_the_conventional_salt() {
    let every_type = Options {
        kerberos_keys: KeyPolicy::default(),
        ..small::options()
    };
    let (directory, principals) = with(every_type);
    let check = |account: &str, password: &str, salt: &str| {
        let principal = named(&principals, account);
        let [set] = principal.keys.as_slice() else {
            unreachable!("{account} has {} sets", principal.keys.len());
        };
        assert_eq!((set.version, set.salt.as_str()), (1, salt));
        let types: Vec<i32> = set.keys.iter().map(|key| key.etype().0).collect();
        assert_eq!(types, [18, 17, 20, 19]);
        for key in &set.keys {
            let expect = string_to_key(key.etype(), password.as_bytes(), salt.as_bytes(), None);
            assert_eq!(**key, expect.unwrap());
        }
        assert!(set.nt_hash.is_none(), "not kept unless asked for");
    };
    check("testuser", PASSWORD, "CORP.CONTOSO.COMtestuser");
    let computer = NewComputer {
        container: &"CN=Computers,DC=corp,DC=contoso,DC=com".parse().unwrap(),
        name: "WS01",
        password: Some("a machine's password 1"),
    };
    create_computer(&directory, &Session::system(), &computer).unwrap();
    let salt = "CORP.CONTOSO.COMhostws01.corp.contoso.com";
    check("WS01$", "a machine's password 1", salt);
    assert_eq!(versions(&named(&principals, "krbtgt")), [1]);
    assert_eq!(versions(&named(&principals, "DC1$")), [1]);
    assert!(named(&principals, "Guest").keys.is_empty());
}

#[test]
fn the_version_rises_and_one_old_set_stays() {
    let (directory, principals) = domain();
    let system = Session::system();
    let shown = || small::values(&directory, "CN=Test User,OU=Users", "msDS-KeyVersionNumber");
    assert_eq!(shown(), ["1"]);
    for (number, expect) in [(2, vec![2, 1]), (3, vec![3, 2]), (4, vec![4, 3])] {
        set_password(&directory, &system, TEST_USER, &format!("Another-{number}"));
        assert_eq!(versions(&named(&principals, "testuser")), expect);
        assert_eq!(shown(), [number.to_string()]);
    }
    assert!(small::values(&directory, "CN=Guest,CN=Users", "msDS-KeyVersionNumber").is_empty());
}

#[test]
fn a_renamed_account_keeps_its_salt_until_the_next_password() {
    let (directory, principals) = domain();
    set(&directory, TEST_USER, "sAMAccountName", "renamed");
    let before = named(&principals, "renamed");
    assert_eq!(before.keys[0].salt, "CORP.CONTOSO.COMtestuser");
    let rename = RenameRequest {
        name: TEST_USER.parse().unwrap(),
        new_rdn: Rdn::new("CN", "Somebody"),
        delete_old_rdn: true,
        new_parent: None,
    };
    directory
        .apply(&Session::system(), Operation::Rename(rename))
        .unwrap();
    let dn = "CN=Somebody,OU=Users,DC=corp,DC=contoso,DC=com";
    set_password(&directory, &Session::system(), dn, "Another-2026");
    let after = named(&principals, "renamed");
    assert_eq!(after.keys[0].salt, "CORP.CONTOSO.COMrenamed");
    assert_eq!(after.keys[1].keys, before.keys[0].keys);
    assert_eq!(after.dn.to_string(), dn);
}

#[test]
fn name_and_password_in_one_modify_make_keys_of_the_new_name() {
    // Keys are made in advance for the name that the last commit shows; here that is the wrong one.
    let (directory, principals) = domain();
    let password = directory::provision::accounts::unicode_password("Another-2026");
    let steps = vec![
        Modification::new(Replace, "sAMAccountName", ["renamed"]),
        Modification::new(Replace, "unicodePwd", [password]),
    ];
    let request = ModifyRequest::new(TEST_USER.parse::<Name>().unwrap(), steps);
    directory
        .apply(&Session::system(), Operation::Modify(request))
        .unwrap();
    let set = &named(&principals, "renamed").keys[0];
    assert_eq!(set.salt, "CORP.CONTOSO.COMrenamed");
    let etype = EncryptionType::AES256_CTS_HMAC_SHA1_96;
    let expect = string_to_key(etype, b"Another-2026", set.salt.as_bytes(), None).unwrap();
    assert_eq!(*set.keys[0], expect);
    assert!(
        directory
            .simple_bind("renamed@corp.contoso.com", b"Another-2026")
            .is_ok()
    );
}

#[test]
fn nobody_chooses_the_keys_of_the_ticket_granting_account() {
    let (directory, principals) = domain();
    let administrator = directory
        .simple_bind("Administrator@corp.contoso.com", PASSWORD.as_bytes())
        .unwrap()
        .with_secure(true);
    let dn = "CN=krbtgt,CN=Users,DC=corp,DC=contoso,DC=com";
    set_password(&directory, &administrator, dn, "Chosen-2026");
    let krbtgt = principals.find(PrincipalName::Krbtgt(0)).unwrap().unwrap();
    assert_eq!(versions(&krbtgt), [2, 1]);
    let set = &krbtgt.keys[0];
    let etype = EncryptionType::AES256_CTS_HMAC_SHA1_96;
    let chosen = string_to_key(etype, b"Chosen-2026", set.salt.as_bytes(), None).unwrap();
    assert_ne!(*set.keys[0], chosen);
}

#[test]
fn no_search_shows_a_secret() {
    let options = Options {
        kerberos_keys: KeyPolicy {
            keeps_nt_hash: true,
            ..small::options().kerberos_keys
        },
        ..small::options()
    };
    let (directory, principals) = with(options);
    let user = named(&principals, "testuser");
    let hash = user.keys[0].nt_hash.as_ref().unwrap();
    assert_eq!(hash, &nt_hash(PASSWORD.as_bytes()).unwrap());
    let mut secrets: Vec<Vec<u8>> = user.keys[0]
        .keys
        .iter()
        .map(|key| key.value().expose().clone())
        .collect();
    secrets.push(hash.expose().to_vec());
    let attributes = [
        "*",
        "+",
        "unicodePwd",
        "dBCSPwd",
        "ntPwdHistory",
        "lmPwdHistory",
        "supplementalCredentials",
        "msDS-KeyVersionNumber",
        "msDS-ReplAttributeMetaData",
    ];
    let everything = Filter::any_object();
    let request = directory::SearchRequest::new(small::dn(""), Scope::WholeSubtree, everything)
        .with_attributes(attributes);
    let found = directory.find_all(&Session::system(), &request).unwrap();
    assert!(found.len() > 50);
    for value in found
        .iter()
        .flat_map(|found| &found.attributes)
        .flat_map(|(_, values)| values)
    {
        for secret in &secrets {
            let shows = value.windows(secret.len()).any(|part| part == secret);
            assert!(!shows);
        }
    }
}

#[test]
fn every_name_of_an_account_leads_to_it() {
    let (directory, principals) = domain();
    let check = |name: PrincipalName<'_>, expect: Option<&str>| {
        let found = principals.find(name).unwrap();
        let account = found.as_ref().map(|found| found.account_name.as_str());
        assert_eq!(account, expect, "{name:?}");
    };
    let user = Some("testuser");
    check(PrincipalName::Account("TESTUSER"), user);
    check(PrincipalName::Account("dc1"), None);
    check(PrincipalName::Account("Domain Users"), None);
    check(
        PrincipalName::UserPrincipalName("testuser@corp.contoso.com"),
        user,
    );
    check(
        PrincipalName::UserPrincipalName("Administrator@CORP.contoso.com"),
        Some("Administrator"),
    );
    check(PrincipalName::UserPrincipalName("testuser@other.com"), None);
    check(PrincipalName::UserPrincipalName("testuser"), None);
    let server = Some("DC1$");
    check(PrincipalName::Service("ldap/dc1.corp.contoso.com"), server);
    check(PrincipalName::Service("HOST/DC1"), server);
    check(PrincipalName::Service("cifs/dc1.corp.contoso.com"), server);
    check(PrincipalName::Service("HTTP/dc1"), server);
    check(PrincipalName::Service("postgres/dc1"), None);
    check(PrincipalName::Service("kadmin/changepw"), Some("krbtgt"));
    check(PrincipalName::Krbtgt(0), Some("krbtgt"));
    check(PrincipalName::Krbtgt(7), None);
    let sid = named(&principals, "testuser").sid.clone();
    check(PrincipalName::Sid(&sid), user);
    assert_eq!(named(&principals, "krbtgt").krbtgt_number, Some(0));
    // An own value goes before what HOST stands for.
    set(&directory, TEST_USER, "servicePrincipalName", "HTTP/dc1");
    check(PrincipalName::Service("http/dc1"), user);
    set(
        &directory,
        TEST_USER,
        "userPrincipalName",
        "somebody@other.com",
    );
    check(PrincipalName::UserPrincipalName("somebody@other.com"), user);
    check(
        PrincipalName::UserPrincipalName("testuser@corp.contoso.com"),
        user,
    );
}

#[test]
fn what_did_not_change_is_not_read_again() {
    let (directory, principals) = domain();
    let first = named(&principals, "testuser");
    assert!(Arc::ptr_eq(&first, &named(&principals, "testuser")));
    // A write elsewhere renews the answer, not the account.
    let administrator = "CN=Administrator,CN=Users,DC=corp,DC=contoso,DC=com";
    set(&directory, administrator, "description", "elsewhere");
    assert!(Arc::ptr_eq(&first, &named(&principals, "testuser")));
    let check = |what: &str, before: &Arc<Principal>| {
        let after = named(&principals, "testuser");
        assert!(!Arc::ptr_eq(before, &after), "{what}");
        after
    };
    set(&directory, TEST_USER, "description", "here");
    let own = check("an own attribute", &first);
    let domain: Dn = "DC=corp,DC=contoso,DC=com".parse().unwrap();
    set(
        &directory,
        &domain.to_string(),
        "maxPwdAge",
        "-864000000000",
    );
    let aged = check("the domain's rules", &own);
    assert_eq!(
        aged.password_expires
            .unwrap()
            .seconds_since(aged.password_set.unwrap()),
        86_400
    );
    let group = "CN=Domain Admins,CN=Users,DC=corp,DC=contoso,DC=com";
    change(
        &directory,
        group,
        Modification::new(Add, "member", [TEST_USER]),
    );
    let member = check("a new group", &aged);
    let rids = |principal: &Principal| -> Vec<u32> {
        let mut rids: Vec<u32> = principal
            .groups
            .iter()
            .filter_map(|sid| sid.rid())
            .collect();
        rids.sort_unstable();
        rids
    };
    // Users by way of the primary group; Administrators and the denied ones by way of Domain Admins.
    assert_eq!(rids(&aged), [545]);
    assert_eq!(rids(&member), [512, 544, 545, 572]);
    change(
        &directory,
        group,
        Modification::new(Delete, "member", [TEST_USER]),
    );
    assert_eq!(rids(&check("one group less", &member)), [545]);
}

#[test]
fn a_deleted_account_is_gone_with_its_keys() {
    let (directory, principals) = domain();
    let user = NewUser {
        container: &"OU=Users,DC=corp,DC=contoso,DC=com".parse().unwrap(),
        name: "Leaver",
        account: "leaver",
        password: Some(PASSWORD),
    };
    let dn = create_user(&directory, &Session::system(), &user).unwrap();
    let sid = named(&principals, "leaver").sid.clone();
    let request = directory::DeleteRequest {
        name: Name::Dn(dn),
        tree: false,
    };
    directory
        .apply(&Session::system(), Operation::Delete(request))
        .unwrap();
    assert!(principals.find(PrincipalName::Sid(&sid)).unwrap().is_none());
    assert!(
        principals
            .find(PrincipalName::Account("leaver"))
            .unwrap()
            .is_none()
    );
    let rows = directory.snapshot().dump().unwrap();
    let with_keys = rows.iter().filter(|(table, ..)| table == "Key").count();
    assert_eq!(with_keys, 4, "Administrator, krbtgt, DC1$ and testuser");
}

/// A read-only domain controller numbered 7 with its ticket granting account.
fn read_only_controller(directory: &Directory) -> [&'static str; 2] {
    let krbtgt = "CN=krbtgt_7,CN=Users,DC=corp,DC=contoso,DC=com";
    let server = "CN=Remote,OU=Domain Controllers,DC=corp,DC=contoso,DC=com";
    let group = |name: &str| format!("CN={name},CN=Users,DC=corp,DC=contoso,DC=com");
    let new = |dn: &str, class: &str| {
        directory::AddRequest::new(dn.parse::<Dn>().unwrap()).with("objectClass", [class])
    };
    let password = directory::provision::accounts::unicode_password("Random-enough-2026");
    let operations = [
        new(krbtgt, "user")
            .with("sAMAccountName", ["krbtgt_7"])
            .with("userAccountControl", ["514"])
            .with("msDS-SecondaryKrbTgtNumber", ["7"])
            .with("unicodePwd", [password]),
        new(server, "computer")
            .with("sAMAccountName", ["REMOTE$"])
            // WORKSTATION_TRUST | TRUSTED_TO_AUTH_FOR_DELEGATION | PARTIAL_SECRETS
            .with("userAccountControl", ["83890176"])
            .with("msDS-KrbTgtLink", [krbtgt])
            .with("msDS-RevealOnDemandGroup", [group("Domain Users")])
            .with("msDS-NeverRevealGroup", [group("Domain Admins")]),
    ];
    let operations = operations.map(Operation::Add).to_vec();
    directory.apply_all(&Session::system(), operations).unwrap();
    [krbtgt, server]
}

#[test]
fn a_read_only_controller_is_found_by_its_number() {
    let (directory, principals) = domain();
    assert_eq!(principals.read_only_server(7).unwrap(), None);
    let [_, server] = read_only_controller(&directory);
    let found = principals.read_only_server(7).unwrap().unwrap();
    assert_eq!(found.account_name, "REMOTE$");
    assert_eq!(found.account_control, 0x0500_1000);
    let rid = |sids: &[types::Sid]| sids.iter().filter_map(|sid| sid.rid()).collect::<Vec<_>>();
    assert_eq!(rid(&found.reveal_on_demand), [513]);
    assert_eq!(rid(&found.never_reveal), [512]);
    // It is read once, until something is written.
    let again = principals.read_only_server(7).unwrap().unwrap();
    assert!(Arc::ptr_eq(&found, &again));
    let users = "CN=Domain Users,CN=Users,DC=corp,DC=contoso,DC=com";
    let deny = Modification::new(Replace, "msDS-NeverRevealGroup", [users]);
    let request = ModifyRequest::new(server.parse::<Name>().unwrap(), vec![deny]);
    directory
        .apply(&Session::system(), Operation::Modify(request))
        .unwrap();
    let denied = principals.read_only_server(7).unwrap().unwrap();
    assert_eq!(rid(&denied.never_reveal), [513]);
    let krbtgt = principals.find(PrincipalName::Krbtgt(7)).unwrap().unwrap();
    assert_eq!(krbtgt.krbtgt_number, Some(7));
    // The domain's own ticket granting account belongs to no read-only one.
    assert_eq!(principals.read_only_server(0).unwrap(), None);
    let request = directory::DeleteRequest {
        name: server.parse().unwrap(),
        tree: false,
    };
    directory
        .apply(&Session::system(), Operation::Delete(request))
        .unwrap();
    assert_eq!(principals.read_only_server(7).unwrap(), None);
}

#[test]
fn the_keys_of_a_read_only_controller_are_chosen_only_with_a_long_password() {
    let (directory, principals) = domain();
    let [krbtgt, _] = read_only_controller(&directory);
    let administrator = directory
        .simple_bind("Administrator@corp.contoso.com", PASSWORD.as_bytes())
        .unwrap()
        .with_secure(true);
    let long = "forty characters and a few more, all random";
    for (password, is_chosen) in [("Short-2026", false), (long, true)] {
        set_password(&directory, &administrator, krbtgt, password);
        let set = &named(&principals, "krbtgt_7").keys[0];
        assert_eq!(set.salt, "CORP.CONTOSO.COMkrbtgt_7");
        let etype = EncryptionType::AES256_CTS_HMAC_SHA1_96;
        let chosen = string_to_key(etype, password.as_bytes(), set.salt.as_bytes(), None);
        assert_eq!(*set.keys[0] == chosen.unwrap(), is_chosen, "{password}");
    }
}

#[test]
fn a_password_that_may_not_be_written_is_refused_and_leaves_no_keys() {
    let (directory, principals) = domain();
    let user = directory
        .simple_bind("testuser@corp.contoso.com", PASSWORD.as_bytes())
        .unwrap()
        .with_secure(true);
    let value = directory::provision::accounts::unicode_password("Another-2026");
    let step = Modification::new(Replace, "unicodePwd", [value]);
    let dn: Name = "CN=Administrator,CN=Users,DC=corp,DC=contoso,DC=com"
        .parse()
        .unwrap();
    let request = ModifyRequest::new(dn, vec![step]);
    let denied = directory.apply(&user, Operation::Modify(request));
    assert_eq!(
        denied.unwrap_err().code(),
        ldap::ResultCode::INSUFFICIENT_ACCESS_RIGHTS
    );
    assert_eq!(versions(&named(&principals, "Administrator")), [1]);
}
