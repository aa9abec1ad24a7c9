//! MIT's kinit and kvno inside FAST armour (RFC 6113), and with freshness tokens (RFC 8070), against our KDC.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod kdc_served;

use kdc_served::pkinit::{self, add, kinit_with, value};
use kdc_served::{PASSWORD, Said, Served, WEB, Wire};
use kerberos::pkinit::Policy;
use keycred::KeyUsage;

/// The computer's ticket, to be an armour.
fn armour(served: &Served, wire: Wire) -> String {
    served.kinit(wire, "armour", PASSWORD, &["WEB$"]).well();
    format!("FILE:{}", served.path("armour").display())
}

/// What the libraries say that they do.
fn traced(served: &Served, program: &str, cache: &str, input: &str, arguments: &[&str]) -> Said {
    let mut command = served.mit(program, Wire::Tcp, cache);
    command.env("KRB5_TRACE", "/dev/stderr").args(arguments);
    Said::of(&mut command, &format!("{input}\n"))
}

#[test]
fn a_password_signs_in_inside_the_armour_of_a_ticket() {
    let served = Served::new();
    for wire in [Wire::Udp, Wire::Tcp] {
        let armour = armour(&served, wire);
        let arguments = ["-T", &armour, "testuser"];
        served.kinit(wire, "tgt", PASSWORD, &arguments).well();
        served.kvno(wire, "tgt", &[WEB]).well();
        let events = served.events();
        let way = "issued to testuser by its password in an armour";
        assert!(events.iter().any(|e| e.contains(way)), "{events:?}");
    }
    let armour = armour(&served, Wire::Tcp);
    let arguments = ["-T", &armour, "testuser"];
    let said = traced(&served, "kinit", "tgt", PASSWORD, &arguments).well();
    for step in [
        "Encoding request body and padata into FAST request",
        "Decoding FAST response",
        "PA-ENCRYPTED-CHALLENGE",
        "FAST reply key",
    ] {
        let step_seen = said.contains(step) || said.contains(&step.to_lowercase());
        assert!(step_seen, "'{step}' is missing in: {said}");
    }
}

#[test]
fn what_is_wrong_is_said_inside_the_armour() {
    let served = Served::new();
    let armour = armour(&served, Wire::Tcp);
    let check = |name: &str, password: &str, words: &str| {
        let arguments = ["-T", &armour, name];
        served
            .kinit(Wire::Tcp, "none", password, &arguments)
            .refused(words);
    };
    check("testuser", "wrong", "Password incorrect");
    check("nobody", PASSWORD, "not found in Kerberos database");
    // An armour of an account that is no more.
    served.accounts.remove("WEB$");
    let arguments = ["-T", &armour, "testuser"];
    let said = served.kinit(Wire::Tcp, "none", PASSWORD, &arguments);
    assert!(!said.good, "{said:?}");
}

#[test]
fn tickets_are_asked_for_in_the_armour_of_their_own() {
    let served = Served::new();
    served
        .kinit(Wire::Tcp, "tgt", PASSWORD, &["testuser"])
        .well();
    let said = traced(&served, "kvno", "tgt", "", &[WEB]).well();
    assert!(said.contains("Decoding FAST response"), "{said}");
    assert!(said.contains("FAST reply key"), "{said}");
    let said = traced(&served, "kvno", "tgt", "", &["HTTP/unknown"]);
    said.refused("not found in Kerberos database");
}

#[test]
fn a_key_signs_in_inside_an_armour_and_freshly() {
    // kinit says that it knows tokens, and gives back what it got.
    let served = pkinit::served_with(Policy::default(), |settings| {
        settings.require_freshness = true;
    });
    let armour = armour(&served, Wire::Tcp);
    add(
        &served,
        "hello",
        vec![value(&served, "user", KeyUsage::NGC)],
    );
    kinit_with(&served, "hello", "user", &[]).well();
    kinit_with(&served, "hello", "user", &["-T", &armour]).well();
    served.kvno(Wire::Tcp, "tgt", &[WEB]).well();
    let events = served.events();
    let fresh = events
        .iter()
        .filter(|e| e.contains("issued to hello by its key") && e.ends_with("freshly"));
    assert_eq!(fresh.count(), 2, "{events:?}");
}
