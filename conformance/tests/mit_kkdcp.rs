//! MIT Kerberos' tools against our KDC through HTTPS alone (MS-KKDCP).

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod kdc_served;

use std::process::Command;

use kdc_served::{PASSWORD, Said, Served, WEB, Wire};

#[test]
fn tickets_and_passwords_come_through_the_proxy() {
    let served = Served::new();
    served.open_proxy();
    served
        .kinit(Wire::Https, "tgt", PASSWORD, &["testuser"])
        .well();
    served.write_keytab();
    let keytab = served.path("keytab");
    let keytab = keytab.to_str().unwrap();
    let text = served.kvno(Wire::Https, "tgt", &["-k", keytab, WEB]).well();
    assert!(text.contains("keytab entry valid"), "{text}");
    served
        .kinit(Wire::Https, "none", "wrong", &["testuser"])
        .refused("Password incorrect");
    let mut command = served.mit("kpasswd", Wire::Https, "none");
    let input = format!("{PASSWORD}\nBetter-Horse-2026\nBetter-Horse-2026\n");
    Said::of(command.arg("testuser"), &input).well();
    served
        .kinit(Wire::Https, "tgt", "Better-Horse-2026", &["testuser"])
        .well();
}

#[test]
fn a_proxy_that_the_client_does_not_trust_is_not_used() {
    let served = Served::new();
    served.open_proxy();
    let other = lab::Pki::new("elsewhere.example").unwrap();
    std::fs::write(served.path("ca.pem"), other.ca_pem()).unwrap();
    served
        .kinit(Wire::Https, "tgt", PASSWORD, &["testuser"])
        .refused("Cannot contact any KDC");
    assert!(served.events().is_empty(), "{:?}", served.events());
}

#[test]
fn what_is_no_message_for_this_realm_gets_a_status_and_no_answer() {
    let served = Served::new();
    let address = served.open_proxy();
    let ca = served.path("ca.pem");
    let check = |path: &str, method: &str, body: &[u8], expect: &str| {
        std::fs::write(served.path("body"), body).unwrap();
        let mut curl = Command::new(conformance::peers::program("curl"));
        curl.args(["-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", method])
            .args(["-H", "Expect: 100-continue", "--cacert"])
            .arg(&ca)
            .arg("--data-binary")
            .arg(format!("@{}", served.path("body").display()))
            .arg(format!("https://localhost:{}{path}", address.port()));
        let said = Said::of(&mut curl, "");
        assert_eq!(said.text, expect, "{path} {method} {}", body.len());
    };
    check("/KdcProxy", "POST", b"", "400");
    check("/KdcProxy", "POST", b"GET / HTTP/1.1", "400");
    check("/KdcProxy", "GET", b"", "405");
    check("/", "POST", b"", "404");
    check("/KdcProxy", "POST", &vec![0x30; 200_000], "413");
    // A junk message inside a good envelope, for our realm and for another one.
    let envelope = |realm: &[u8]| {
        let message = b"\xa0\x0a\x04\x08\0\0\0\x04GET ";
        let realm = [&[0x1b, u8::try_from(realm.len()).unwrap()], realm].concat();
        let realm = [&[0xa1, u8::try_from(realm.len()).unwrap()], &realm[..]].concat();
        let inside = [&message[..], &realm].concat();
        [&[0x30, u8::try_from(inside.len()).unwrap()], &inside[..]].concat()
    };
    check("/KdcProxy", "POST", &envelope(b"CORP.CONTOSO.COM"), "400");
    check("/KdcProxy", "POST", &envelope(b"OTHER.EXAMPLE"), "503");
}
