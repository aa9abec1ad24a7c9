//! MIT Kerberos' own tools (`kinit`, `klist`, `kvno`) against our KDC, over UDP and TCP.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod kdc_served;

use kdc::{LockoutPolicy, Settings};
use kdc_served::{PASSWORD, REALM, Said, Served, WEB, Wire};

const BOTH: [Wire; 2] = [Wire::Udp, Wire::Tcp];

#[test]
fn a_password_gets_a_ticket_over_both_protocols() {
    let served = Served::new();
    for wire in BOTH {
        served
            .kinit(wire, "tgt", PASSWORD, &["-f", "-r", "2d", "testuser"])
            .well();
        let list = served.klist("tgt");
        assert!(
            list.contains("Default principal: testuser@CORP.CONTOSO.COM"),
            "{list}"
        );
        assert!(
            list.contains("krbtgt/CORP.CONTOSO.COM@CORP.CONTOSO.COM"),
            "{list}"
        );
        assert!(
            list.contains("Etype (skey, tkt): aes256-cts-hmac-sha1-96, aes256-cts-hmac-sha1-96"),
            "{list}"
        );
        // Forwardable, renewable, initial, pre-authenticated.
        assert!(list.contains("Flags: FRIA"), "{list}");
        assert!(list.contains("renew until"), "{list}");
    }
}

#[test]
fn what_is_wrong_is_refused_with_the_code_that_says_so() {
    let served = Served::new();
    let add = |name: &str, shape: fn(&mut kdc::Account)| {
        served.accounts.add(name, PASSWORD, &[], shape).unwrap();
    };
    add("disabled", |account| account.policy.disabled = true);
    add("expired", |account| {
        account.policy.expires = Some(types::Timestamp::from_unix_seconds(1_700_000_000));
    });
    add("nohours", |account| {
        account.policy.logon_hours = Some([0; 21])
    });
    add("card", |account| account.policy.smartcard_required = true);
    add("change", |account| {
        account.policy.must_change_password = true
    });
    for wire in BOTH {
        let check = |name: &str, password: &str, words: &str| {
            served.kinit(wire, "none", password, &[name]).refused(words);
        };
        check("testuser", "wrong", "Password incorrect");
        check("nobody", PASSWORD, "not found in Kerberos database");
        check("disabled", PASSWORD, "credentials have been revoked");
        check("expired", PASSWORD, "credentials have been revoked");
        check("nohours", PASSWORD, "credentials have been revoked");
        check("card", PASSWORD, "policy rejects request");
        // kinit goes on to change the password, and finds nobody who does that here.
        check("change", PASSWORD, "Password expired");
        // With a wrong password nobody learns that it has expired.
        check("change", "wrong", "Password incorrect");
        check("krbtgt", PASSWORD, "credentials have been revoked");
    }
}

#[test]
fn a_service_ticket_opens_with_the_services_keytab() {
    let served = Served::new();
    served.write_keytab();
    for wire in BOTH {
        served.kinit(wire, "tgt", PASSWORD, &["testuser"]).well();
        let keytab = served.path("keytab");
        let keytab = keytab.to_str().unwrap();
        let text = served.kvno(wire, "tgt", &["-k", keytab, WEB]).well();
        assert!(text.contains("kvno = 1, keytab entry valid"), "{text}");
        served
            .kvno(wire, "tgt", &["HTTP/other.corp.contoso.com"])
            .refused("not found in Kerberos database");
    }
}

#[test]
fn a_keytab_signs_its_computer_in() {
    let served = Served::new();
    served.write_keytab();
    let mut command = served.mit("kinit", Wire::Udp, "machine");
    Said::of(command.args(["-k", "WEB$"]), "").well();
    let list = served.klist("machine");
    assert!(
        list.contains("Default principal: WEB$@CORP.CONTOSO.COM"),
        "{list}"
    );
}

#[test]
fn names_are_canonicalised_where_the_client_asks() {
    let served = Served::new();
    for (arguments, principal) in [
        (&["-C", "TESTUSER"][..], "testuser@CORP.CONTOSO.COM"),
        (
            &["-E", "testuser@corp.contoso.com"],
            "testuser@CORP.CONTOSO.COM",
        ),
        (&["TestUser"], "TestUser@CORP.CONTOSO.COM"),
    ] {
        served.kinit(Wire::Udp, "tgt", PASSWORD, arguments).well();
        let list = served.klist("tgt");
        assert!(
            list.contains(&format!("Default principal: {principal}")),
            "{list}"
        );
        served.kvno(Wire::Udp, "tgt", &[WEB]).well();
    }
}

#[test]
fn a_ticket_is_renewed_while_its_account_lives() {
    let served = Served::new();
    let long = ["-r", "2d", "testuser"];
    served.kinit(Wire::Udp, "tgt", PASSWORD, &long).well();
    served.kinit(Wire::Udp, "tgt", "", &["-R"]).well();
    served.kvno(Wire::Udp, "tgt", &[WEB]).well();
    // Not renewable: refused.
    served
        .kinit(Wire::Udp, "short", PASSWORD, &["-l", "1h", "testuser"])
        .well();
    served
        .kinit(Wire::Udp, "short", "", &["-R"])
        .refused("KDC can't fulfill requested option");
    // As in Active Directory nothing is postdated, so there is nothing to validate.
    served
        .kinit(Wire::Udp, "later", PASSWORD, &["-s", "1h", "testuser"])
        .refused("ineligible for postdating");
    served
        .kinit(Wire::Udp, "tgt", "", &["-v"])
        .refused("KDC can't fulfill requested option");
    // Disabled meanwhile: neither renewed nor used.
    let disable = |account: &mut kdc::Account| account.policy.disabled = true;
    let old = served
        .accounts
        .add("leaver", PASSWORD, &[], |_| {})
        .unwrap();
    served
        .kinit(Wire::Udp, "leaver", PASSWORD, &["-r", "2d", "leaver"])
        .well();
    served
        .accounts
        .add("leaver", PASSWORD, &[], |account| {
            account.sid = old.sid.clone();
            disable(account);
        })
        .unwrap();
    served
        .kinit(Wire::Udp, "leaver", "", &["-R"])
        .refused("credentials have been revoked");
    served
        .kvno(Wire::Udp, "leaver", &[WEB])
        .refused("credentials have been revoked");
}

#[test]
fn user_to_user_reaches_an_account_without_a_service_name() {
    let served = Served::new();
    served.accounts.add("peer", PASSWORD, &[], |_| {}).unwrap();
    served
        .kinit(Wire::Udp, "tgt", PASSWORD, &["testuser"])
        .well();
    served.kinit(Wire::Udp, "peer", PASSWORD, &["peer"]).well();
    served
        .kvno(Wire::Udp, "tgt", &["peer"])
        .refused("valid for user2user only");
    let lent = format!("FILE:{}", served.path("peer").display());
    let text = served
        .kvno(Wire::Udp, "tgt", &["--u2u", &lent, "peer"])
        .well();
    assert!(text.contains("peer@CORP.CONTOSO.COM: kvno = 0"), "{text}");
}

#[test]
fn a_long_answer_comes_by_tcp() {
    let served = Served::new();
    let domain = served.accounts.add("many", PASSWORD, &[], |account| {
        let domain = account.sid.domain().unwrap();
        account.groups = (0..400).map(|n| domain.with_rid(20_000 + n)).collect();
    });
    domain.unwrap();
    // kinit starts by UDP, is told RESPONSE_TOO_BIG, and gets the same answer by TCP.
    served.kinit(Wire::Udp, "tgt", PASSWORD, &["many"]).well();
    served.kvno(Wire::Udp, "tgt", &[WEB]).well();
    let granted = served
        .events()
        .iter()
        .filter(|e| e.contains("issued"))
        .count();
    assert_eq!(
        granted,
        2,
        "a retransmit is no second sign-in: {:?}",
        served.events()
    );
}

#[test]
fn too_many_wrong_passwords_lock() {
    let settings = Settings::new(REALM, "CORP", "DC1");
    let policy = LockoutPolicy {
        threshold: 3,
        ..LockoutPolicy::default()
    };
    let served = Served::with(settings, policy);
    for _ in 0..3 {
        served
            .kinit(Wire::Udp, "tgt", "wrong", &["testuser"])
            .refused("Password incorrect");
    }
    served
        .kinit(Wire::Udp, "tgt", PASSWORD, &["testuser"])
        .refused("credentials have been revoked");
    assert!(
        served
            .events()
            .iter()
            .any(|event| event.contains("is locked"))
    );
}

#[test]
fn rc4_alone_gets_nothing() {
    let served = Served::new();
    let conf = std::fs::read_to_string(served.path("udp.conf")).unwrap();
    let weak = "[libdefaults]\n allow_weak_crypto = true\n default_tkt_enctypes = rc4-hmac\n permitted_enctypes = rc4-hmac\n";
    let conf = conf.replacen("[libdefaults]\n", weak, 1);
    std::fs::write(served.path("rc4.conf"), conf).unwrap();
    let mut command = served.mit("kinit", Wire::Udp, "rc4");
    command.env("KRB5_CONFIG", served.path("rc4.conf"));
    Said::of(command.arg("testuser"), &format!("{PASSWORD}\n"))
        .refused("no support for encryption type");
}
