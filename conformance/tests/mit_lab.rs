//! MIT Kerberos' own tools against the whole house: the KDC over the directory's own accounts.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

use std::process::Command;
use std::sync::Arc;

use conformance::Said;
use keycred::{DnBinary, Draft, KeySource, KeyUsage};
use lab::ldap_client::LdapClient;
use lab::people::{SECOND_USER, TEST_USER};
use lab::{House, Options, SystemClock};

fn house() -> House {
    House::start(Options::new(Arc::new(SystemClock))).unwrap()
}

/// A program with the house's realm and a ticket cache of this name.
fn mit(house: &House, program: &str, cache: &str) -> Command {
    let mut command = Command::new(conformance::peers::program(program));
    let cache = house.state().join(cache);
    command
        .env("KRB5_CONFIG", house.krb5_conf())
        .env("KRB5CCNAME", format!("FILE:{}", cache.display()))
        .env("LC_ALL", "C");
    command
}

fn kinit(house: &House, cache: &str, password: &str, arguments: &[&str]) -> Said {
    let mut command = mit(house, "kinit", cache);
    Said::of(command.args(arguments), &format!("{password}\n"))
}

fn password(house: &House) -> String {
    house.account(TEST_USER).unwrap().password.expose().clone()
}

fn bind(house: &House, password: &str) -> Result<LdapClient, lab::Error> {
    let name = TEST_USER.upn(house.dns_domain());
    LdapClient::bind(&house.addresses().ldaps, house.ca_pem(), &name, password)
}

#[test]
fn a_password_gets_tickets_that_the_labs_services_accept() {
    let house = house();
    let password = password(&house);
    kinit(&house, "cache", "wrong", &["testuser"]).refused("Password incorrect");
    kinit(&house, "cache", &password, &["nobody"]).refused("not found in Kerberos database");
    for arguments in [&["testuser"][..], &["-E", "testuser@corp.contoso.com"]] {
        kinit(&house, "cache", &password, arguments).well();
    }
    let service = "ldap/dc1.corp.contoso.com";
    let keytab = house.keytab("DC1$", &[service]).unwrap();
    let path = house.state().join("dc1.keytab");
    std::fs::write(&path, keytab.encode().unwrap()).unwrap();
    // kvno -k opens the ticket with the keytab, and checks the PAC's server signature.
    let mut command = mit(&house, "kvno", "cache");
    let said = Said::of(command.args(["-k", path.to_str().unwrap(), service]), "");
    assert!(said.well().contains("kvno = 1, keytab entry valid"));
    // Names that HOST stands for, and one that nobody has.
    for (name, is_there) in [
        ("cifs/ws01.corp.contoso.com", true),
        ("cifs/dc1.corp.contoso.com", true),
        ("postgres/dc1.corp.contoso.com", false),
    ] {
        let said = Said::of(mit(&house, "kvno", "cache").arg(name), "");
        if is_there {
            said.well();
        } else {
            said.refused("not found in Kerberos database");
        }
    }
    let log = house.kdc_log().lines().unwrap();
    let has = |event: &str, words: &str| {
        let mut lines = log.iter();
        lines.any(|line| line.event == event && line.text.contains(words))
    };
    assert!(has("ticketGranted", "testuser by its password"), "{log:?}");
    assert!(has("serviceTicketGranted", service), "{log:?}");
    assert!(has("refused", "nobody"), "{log:?}");
}

#[test]
fn a_member_of_groups_gets_a_ticket_as_well() {
    let house = house();
    let account = house.account(lab::people::PROTECTED_USER).unwrap();
    kinit(&house, "cache", account.password.expose(), &["ada"]).well();
    Said::of(
        mit(&house, "kvno", "cache").arg("ldap/dc1.corp.contoso.com"),
        "",
    )
    .well();
}

/// Adds the public half of `NAME.key` to the user's keys, as an administrator.
fn enrol(house: &House, name: &str, usage: KeyUsage) {
    let spki = std::fs::read(house.state().join(format!("{name}.spki"))).unwrap();
    let blob = Draft::hashed(spki, usage, KeySource::AD).to_blob().unwrap();
    let dn = &house.account(TEST_USER).unwrap().dn;
    let value = DnBinary::new(blob.into_bytes(), dn.clone()).to_string();
    let mut ldap = house.ldap_as_administrator().unwrap();
    ldap.add_value(dn, "msDS-KeyCredentialLink", &value)
        .unwrap();
}

/// kinit with `NAME.key` and its self-signed certificate, the house's CA being trusted beside it.
fn kinit_with_key(house: &House, name: &str, configuration: &str) -> Said {
    let state = house.state();
    let own = std::fs::read_to_string(state.join(format!("{name}.pem"))).unwrap();
    let anchors = state.join(format!("{name}.anchors"));
    std::fs::write(&anchors, [house.ca_pem(), &own].concat()).unwrap();
    let identity = format!(
        "X509_user_identity=FILE:{0}/{name}.pem,{0}/{name}.key",
        state.display()
    );
    let anchors = format!("X509_anchors=FILE:{}", anchors.display());
    let mut command = mit(house, "kinit", "keys");
    command
        .env("KRB5_CONFIG", state.join(configuration))
        .args(["-X", &identity, "-X", &anchors, "testuser"]);
    Said::of(&mut command, "")
}

#[test]
fn an_ngc_key_in_the_directory_signs_in_without_the_cloud_and_a_fido_key_does_not() {
    let house = house();
    for (name, usage) in [("hello", KeyUsage::NGC), ("fido", KeyUsage::FIDO)] {
        conformance::pki::key(house.state(), name);
        conformance::pki::self_signed(house.state(), name, name, conformance::pki::NAMELESS);
        enrol(&house, name, usage);
    }
    house.cut_cloud().unwrap();
    // Once by the KDC's host name in its certificate, once by `krbtgt/REALM@REALM`.
    let conf = std::fs::read_to_string(house.krb5_conf()).unwrap();
    let lines = conf.lines().filter(|line| !line.contains("kdc_hostname"));
    let by_san: String = lines.map(|line| format!("{line}\n")).collect();
    assert_ne!(by_san.len(), conf.len());
    std::fs::write(house.state().join("by-san.conf"), by_san).unwrap();
    for configuration in ["krb5.conf", "by-san.conf"] {
        kinit_with_key(&house, "hello", configuration).well();
        let mut command = mit(&house, "kvno", "keys");
        Said::of(command.arg("ldap/dc1.corp.contoso.com"), "").well();
        // kinit falls back to asking for the password, and gets none.
        kinit_with_key(&house, "fido", configuration).refused("");
    }
    let log = house.kdc_log().lines().unwrap();
    let has = |event: &str, words: &str| {
        let mut lines = log.iter();
        lines.any(|line| line.event == event && line.text.contains(words))
    };
    assert!(has("ticketGranted", "testuser by its key"), "{log:?}");
    assert!(has("keySkipped", "FIDO"), "{log:?}");
}

#[test]
fn kpasswd_changes_the_password_of_the_directory() {
    let house = house();
    let old = password(&house);
    let new = "A-new-0ne-2026";
    let change = |from: &str, to: &str| {
        let mut command = mit(&house, "kpasswd", "cache");
        Said::of(command.arg("testuser"), &format!("{from}\n{to}\n{to}\n"))
    };
    change("wrong", new).refused("getting initial ticket");
    change(&old, "short").refused("");
    assert!(bind(&house, &old).is_ok());
    let said = change(&old, new);
    assert!(said.good, "{}\n{:?}", said.text, house.kdc_log().lines());
    assert!(bind(&house, new).is_ok());
    assert!(bind(&house, &old).is_err());
    kinit(&house, "cache", new, &["testuser"]).well();
    kinit(&house, "cache", &old, &["testuser"]).refused("Password incorrect");
    // And no way back to the one before.
    change(new, &old).refused("");
}

#[test]
fn wrong_passwords_are_counted_once_for_both_doors() {
    let house = house();
    let right = password(&house);
    for _ in 0..5 {
        kinit(&house, "cache", "wrong", &["testuser"]).refused("Password incorrect");
        assert!(bind(&house, "wrong").is_err());
    }
    kinit(&house, "cache", &right, &["testuser"]).refused("credentials have been revoked");
    let locked = bind(&house, &right).err().unwrap().to_string();
    assert!(locked.contains("data 775"), "{locked}");
    // Somebody else's budget is untouched.
    let other = house.account(SECOND_USER).unwrap();
    kinit(&house, "other", other.password.expose(), &["grace"]).well();
    let log = house.kdc_log().lines().unwrap();
    assert!(log.iter().any(|line| line.event == "refused"));
}
