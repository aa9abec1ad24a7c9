//! The house's realm, asked by the house's own client.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::panic,
    reason = "helpers of tests, which clippy does not take for tests"
)]

use std::sync::Arc;

use kdc::Accounts as _;
use kerberos::client::ClientError;
use kerberos::messages::ErrorCode;
use keycred::{DnBinary, Draft, KeySource, KeyUsage};
use lab::ldap_client::LdapClient;
use lab::people::{SECOND_USER, TEST_USER};
use lab::{Error, HelloKey, House, Options, SystemClock};
use types::Secret;

fn house() -> House {
    House::start(Options::new(Arc::new(SystemClock))).unwrap()
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

#[track_caller]
fn refused<T>(result: Result<T, Error>, code: ErrorCode) {
    match result {
        Err(Error::Kerberos(ClientError::Refused(error))) => assert_eq!(error.error_code, code),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was not refused"),
    }
}

#[test]
fn a_password_written_by_ldap_is_the_kdcs_at_once() {
    let house = house();
    let client = house.kerberos();
    let account = house.account(TEST_USER).unwrap();
    client.sign_in("testuser", &account.password).unwrap();
    let new = "A-new-0ne-2026";
    let quoted = directory::provision::accounts::unicode_password(new);
    let mut ldap = house.ldap_as_administrator().unwrap();
    ldap.replace_bytes(&account.dn, "unicodePwd", &quoted)
        .unwrap();
    let failed = ErrorCode::KDC_ERR_PREAUTH_FAILED;
    refused(client.sign_in("testuser", &account.password), failed);
    let tgt = client.sign_in("testuser", &secret(new)).unwrap();
    client.ticket(&tgt, "cifs/ws01.corp.contoso.com").unwrap();
    let versions = ldap.values(&account.dn, "msDS-KeyVersionNumber").unwrap();
    assert_eq!(versions, ["2"]);
    let unknown = ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN;
    refused(client.sign_in("nobody", &secret(new)), unknown);
    let unknown = ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN;
    refused(client.ticket(&tgt, "ldap/dc2.corp.contoso.com"), unknown);
}

#[test]
fn what_the_directory_says_of_an_account_binds_the_kdc() {
    let house = house();
    let client = house.kerberos();
    let account = house.account(SECOND_USER).unwrap();
    let mut ldap = house.ldap_as_administrator().unwrap();
    let tgt = client.sign_in("grace", &account.password).unwrap();
    let mut check = |attribute: &str, value: &str, code: Option<ErrorCode>| {
        ldap.replace(&account.dn, attribute, value).unwrap();
        let result = client.sign_in("grace", &account.password);
        match code {
            Some(code) => refused(result, code),
            None => drop(result.unwrap()),
        }
    };
    // ACCOUNTDISABLE; SMARTCARD_REQUIRED; neither.
    check(
        "userAccountControl",
        "514",
        Some(ErrorCode::KDC_ERR_CLIENT_REVOKED),
    );
    check(
        "userAccountControl",
        "262656",
        Some(ErrorCode::KDC_ERR_POLICY),
    );
    check("userAccountControl", "512", None);
    check("pwdLastSet", "0", Some(ErrorCode::KDC_ERR_KEY_EXPIRED));
    check("pwdLastSet", "-1", None);
    check(
        "accountExpires",
        "1",
        Some(ErrorCode::KDC_ERR_CLIENT_REVOKED),
    );
    // A ticket of before counts for nothing either.
    let service = client.ticket(&tgt, "ldap/dc1.corp.contoso.com");
    refused(service, ErrorCode::KDC_ERR_CLIENT_REVOKED);
    check("accountExpires", "0", None);
}

#[test]
fn a_cut_cloud_is_gone_and_comes_back() {
    let house = house();
    let address = house
        .addresses()
        .cloud
        .trim_start_matches("https://")
        .to_owned();
    let answers = || std::net::TcpStream::connect(&address).is_ok();
    for _ in 0..3 {
        assert!(answers());
        house.cut_cloud().unwrap();
        house.cut_cloud().unwrap();
        assert!(!answers());
        // The domain needs no cloud.
        let account = house.account(TEST_USER).unwrap();
        house
            .kerberos()
            .sign_in("testuser", &account.password)
            .unwrap();
        house.mend_cloud().unwrap();
    }
    house.cloud_user(TEST_USER).unwrap();
    house.register_first_key().unwrap();
}

#[test]
fn accounts_are_made_once_for_as_long_as_they_stay() {
    let house = house();
    let accounts = house.accounts();
    let find = |name| accounts.account(kdc::Lookup::Name(name)).unwrap();
    let first = find("ada").unwrap();
    assert!(Arc::ptr_eq(&first, &find("ADA").unwrap()));
    assert_eq!(first.account_control, 0x10);
    let krbtgt = accounts.account(kdc::Lookup::Krbtgt(0)).unwrap().unwrap();
    assert_eq!(krbtgt.kind, kdc::AccountKind::Krbtgt(0));
    assert!(!krbtgt.is_client());
    assert!(find("WS01$").is_some() && find("WS01").is_none());
    let dn = house
        .account(lab::people::PROTECTED_USER)
        .unwrap()
        .dn
        .clone();
    let mut ldap = house.ldap_as_administrator().unwrap();
    ldap.replace(&dn, "displayName", "Ada").unwrap();
    let again = find("ada").unwrap();
    assert!(!Arc::ptr_eq(&first, &again) && again.display_name == "Ada");
}

/// The value of a key for the test user.
fn value(house: &House, key: &HelloKey, usage: KeyUsage) -> String {
    let draft = Draft::hashed(key.public_blob().unwrap(), usage, KeySource::AD);
    let dn = house.account(TEST_USER).unwrap().dn.clone();
    DnBinary::new(draft.to_blob().unwrap().into_bytes(), dn).to_string()
}

#[test]
fn somebody_elses_key_is_told_apart_from_nobodys() {
    const KEYS: &str = "msDS-KeyCredentialLink";
    let house = house();
    let client = house.kerberos();
    let dn = &house.account(TEST_USER).unwrap().dn;
    let [hello, fido] = ["hello", "fido"].map(|name| HelloKey::generate(name).unwrap());
    let mut ldap = house.ldap_as_administrator().unwrap();
    let check = |key: &HelloKey, code| refused(client.sign_in_with_key("grace", key), code);
    let (untrusted, mismatch) = (
        ErrorCode::KDC_ERR_CLIENT_NOT_TRUSTED,
        ErrorCode::KDC_ERR_CLIENT_NAME_MISMATCH,
    );
    check(&hello, untrusted);
    let [ngc, other] = [(&hello, KeyUsage::NGC), (&fido, KeyUsage::FIDO)]
        .map(|(key, usage)| value(&house, key, usage));
    let mut change = |act: fn(&mut LdapClient, &str, &str, &str) -> Result<(), Error>, value| {
        act(&mut ldap, dn, KEYS, value).unwrap();
    };
    change(LdapClient::add_value, &ngc);
    change(LdapClient::add_value, &other);
    client.sign_in_with_key("testuser", &hello).unwrap();
    check(&hello, mismatch);
    // The value of a key that signs nobody in tells nothing either.
    check(&fido, untrusted);
    change(LdapClient::delete_value, &ngc);
    check(&hello, untrusted);
    change(LdapClient::add_value, &ngc);
    check(&hello, mismatch);
}

#[test]
fn a_service_gets_tickets_of_the_types_that_it_says_it_knows() {
    let house = house();
    let account = house.account(TEST_USER).unwrap();
    let client = house.kerberos();
    let tgt = client.sign_in("testuser", &account.password).unwrap();
    let etype = || {
        let ticket = client.ticket(&tgt, "cifs/ws01.corp.contoso.com").unwrap();
        ticket.ticket.enc_part.etype.0
    };
    let ws01 = house
        .accounts()
        .account(kdc::Lookup::Name("WS01$"))
        .unwrap()
        .unwrap();
    let mut ldap = house.ldap_as_administrator().unwrap();
    let dn = format!("<SID={}>", ws01.sid);
    for (types, expect) in [("8", 17), ("16", 18), ("24", 18)] {
        ldap.replace(&dn, "msDS-SupportedEncryptionTypes", types)
            .unwrap();
        assert_eq!(etype(), expect, "{types}");
    }
}
