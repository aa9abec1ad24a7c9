//! MIT Kerberos' `kpasswd`, and `kinit` with an expired password, against our password service.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod kdc_served;

use kdc_served::{PASSWORD, Said, Served, Wire};

const NEW: &str = "Better-Horse-2026";

fn kpasswd(served: &Served, wire: Wire, old: &str, new: &str) -> Said {
    let mut command = served.mit("kpasswd", wire, "none");
    Said::of(command.arg("testuser"), &format!("{old}\n{new}\n{new}\n"))
}

#[test]
fn a_changed_password_signs_in_and_the_old_one_does_not() {
    for wire in [Wire::Udp, Wire::Tcp] {
        let served = Served::new();
        served.open_kpasswd();
        let text = kpasswd(&served, wire, PASSWORD, NEW);
        assert!(text.good, "{} {:?}", text.text, served.events());
        let text = text.text;
        assert!(text.contains("Password changed"), "{text}");
        served.kinit(wire, "tgt", NEW, &["testuser"]).well();
        served
            .kinit(wire, "tgt", PASSWORD, &["testuser"])
            .refused("Password incorrect");
        // The old password changes nothing any more.
        kpasswd(&served, wire, PASSWORD, "Third-Horse-2026").refused("Preauthentication failed");
        let events = served.events();
        let changes = events
            .iter()
            .filter(|event| event.starts_with("password of"));
        assert_eq!(changes.count(), 1, "{events:?}");
    }
}

#[test]
fn the_rules_of_the_domain_are_explained() {
    let served = Served::new();
    served.open_kpasswd();
    for (new, why) in [
        ("Sh0rt!", "the password is too short"),
        ("alllowercaseletters", "the password is not complex enough"),
        ("Testuser-2026", "the password is not complex enough"),
        (PASSWORD, "the password was used before"),
    ] {
        let said = kpasswd(&served, Wire::Udp, PASSWORD, new);
        // MIT makes sentences of the thirty bytes that Active Directory sends.
        for words in [
            "Password change rejected",
            "The password must include numbers or symbols",
            "The password must contain at least 7 characters",
            "The password must be different from the previous 2 passwords",
        ] {
            assert!(said.text.contains(words), "{words}: {}", said.text);
        }
        assert!(!said.good);
        let last = served.events().pop().unwrap();
        assert!(last.contains(why), "{last}");
    }
    served
        .kinit(Wire::Udp, "tgt", PASSWORD, &["testuser"])
        .well();
}

#[test]
fn an_expired_password_is_changed_on_the_way_in() {
    let served = Served::new();
    served.open_kpasswd();
    let must = |account: &mut kdc::Account| account.policy.must_change_password = true;
    served
        .accounts
        .add("newcomer", PASSWORD, &[], must)
        .unwrap();
    let mut command = served.mit("kinit", Wire::Udp, "tgt");
    let input = format!("{PASSWORD}\n{NEW}\n{NEW}\n");
    let text = Said::of(command.arg("newcomer"), &input).well();
    assert!(text.contains("Password expired"), "{text}");
    assert!(served.klist("tgt").contains("krbtgt/CORP.CONTOSO.COM"));
}

#[test]
fn a_ticket_for_changing_passwords_is_good_for_nothing_else() {
    let served = Served::new();
    let changepw = ["-S", "kadmin/changepw", "testuser"];
    served
        .kinit(Wire::Udp, "changepw", PASSWORD, &changepw)
        .well();
    assert!(served.klist("changepw").contains("kadmin/changepw"));
    // And from a ticket granting ticket nobody gets one.
    served
        .kinit(Wire::Udp, "tgt", PASSWORD, &["testuser"])
        .well();
    served
        .kvno(Wire::Udp, "tgt", &["kadmin/changepw"])
        .refused("policy rejects request");
}
