//! Heimdal's kinit against our KDC: password, and PKINIT by Diffie-Hellman and by RSA, each with its refusals.
//!
//! Deliberately absent: FAST. Heimdal 7.8 does not read the hints inside an armoured error, which MIT's kinit does
//! (`mit_fast`).

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod kdc_served;

use kdc_served::pkinit::{add, served, served_with, value};
use kdc_served::{PASSWORD, Said, Served, WEB, Wire};
use kerberos::pkinit::Policy;
use keycred::KeyUsage;

/// Diffie-Hellman with 2048 bits; Heimdal's own default are 1024.
const STRONG: &str = " pkinit_dh_min_bits = 1759\n";

/// `kinit.heimdal` with the user's key and its self-signed certificate.
fn by_key(served: &Served, name: &str, key: &str, conf: &str, more: &[&str]) -> Said {
    let user = format!(
        "--pk-user=FILE:{},{}",
        served.path(&format!("{key}.pem")).display(),
        served.path(&format!("{key}.key")).display()
    );
    let mut command = served.heimdal("kinit.heimdal", "tgt", conf);
    command.arg(user).args(more).arg(name);
    Said::of(&mut command, "")
}

fn by_password(served: &Served, name: &str, password: &str) -> Said {
    let file = served.path("password");
    std::fs::write(&file, format!("{password}\n")).unwrap();
    let mut command = served.heimdal("kinit.heimdal", "tgt", "");
    command
        .arg(format!("--password-file={}", file.display()))
        .arg(name);
    Said::of(&mut command, "")
}

/// Its ticket is good for MIT's kvno too.
fn has_ticket(served: &Served) {
    served.kvno(Wire::Tcp, "tgt", &[WEB]).well();
}

#[test]
fn a_password_signs_in() {
    let served = served();
    by_password(&served, "testuser", PASSWORD).well();
    has_ticket(&served);
    assert!(!by_password(&served, "testuser", "wrong").good);
}

/// Both ways to agree on the reply's key.
const MODES: [&[&str]; 2] = [&[], &["--pk-use-enckey"]];

/// `hello` signs in by `user.key`; `fido` has a value that is not for signing in by PKINIT.
fn add_both(served: &Served) {
    let ngc = value(served, "user", KeyUsage::NGC);
    add(served, "hello", vec![ngc]);
    let fido = value(served, "stranger", KeyUsage::FIDO);
    add(served, "fido", vec![fido]);
}

fn refused_with(served: &Served, said: &Said, code: u32) {
    assert!(!said.good, "{said:?}");
    let events = served.events();
    let code = format!("with error {code}:");
    assert!(events.iter().any(|e| e.contains(&code)), "{events:?}");
}

#[test]
fn a_key_signs_in_its_own_account_only() {
    for mode in MODES {
        let served = served();
        add_both(&served);
        by_key(&served, "hello", "user", STRONG, mode).well();
        has_ticket(&served);
        // A key of somebody else, and one in a value that is not for signing in by PKINIT.
        for (name, key, code) in [("fido", "user", 75), ("fido", "stranger", 62)] {
            let said = by_key(&served, name, key, STRONG, mode);
            refused_with(&served, &said, code);
        }
    }
}

#[test]
fn a_group_of_1024_bits_needs_the_policys_consent() {
    let strict = served();
    add_both(&strict);
    let said = by_key(&strict, "hello", "user", "", &[]);
    refused_with(&strict, &said, 65);
    let policy = Policy {
        allow_modp_2: true,
        ..Policy::default()
    };
    let lenient = served_with(policy, |_| {});
    add_both(&lenient);
    by_key(&lenient, "hello", "user", "", &[]).well();
    has_ticket(&lenient);
}
