//! MIT's kinit with PKINIT against our KDC's key trust: keys of the account, no certificate chain, no name mapping.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod kdc_served;

use kdc_served::pkinit::{add, kinit, served, value};
use kdc_served::{WEB, Wire};
use keycred::KeyUsage;

#[test]
fn an_ngc_key_signs_in_without_a_chain_and_without_a_name() {
    let served = served();
    add(
        &served,
        "hello",
        vec![value(&served, "user", KeyUsage::NGC)],
    );
    kinit(&served, "hello", "user").well();
    let list = served.klist("tgt");
    assert!(
        list.contains("Default principal: hello@CORP.CONTOSO.COM"),
        "{list}"
    );
    served.kvno(Wire::Udp, "tgt", &[WEB]).well();
    let events = served.events();
    assert!(
        events
            .iter()
            .any(|e| e.contains("issued to hello by its key")),
        "{events:?}"
    );
}

#[test]
fn a_certificate_that_comes_along_only_names_the_key() {
    // kinit leaves a self-signed certificate out, and sends the leaf of a chain.
    let served = served();
    add(
        &served,
        "hello",
        vec![value(&served, "chained", KeyUsage::NGC)],
    );
    kinit(&served, "hello", "chained").well();
    add(
        &served,
        "other",
        vec![value(&served, "user", KeyUsage::NGC)],
    );
    assert!(!kinit(&served, "other", "chained").good);
}

#[test]
fn no_other_usage_signs_in_with_the_same_key() {
    let served = served();
    for (name, usage) in [
        ("fido", KeyUsage::FIDO),
        ("fek", KeyUsage::FEK),
        ("stk", KeyUsage::STK),
    ] {
        add(&served, name, vec![value(&served, "user", usage)]);
        assert!(!kinit(&served, name, "user").good);
        let events = served.events();
        let why = events
            .iter()
            .any(|e| e.contains("passed over") && e.contains("only NGC keys"));
        assert!(why, "{events:?}");
    }
    // The entry stays and an NGC value comes beside it: now the key signs in.
    let both = [KeyUsage::FIDO, KeyUsage::NGC].map(|usage| value(&served, "user", usage));
    add(&served, "both", both.to_vec());
    kinit(&served, "both", "user").well();
}

#[test]
fn a_key_signs_in_its_own_account_only() {
    let served = served();
    add(
        &served,
        "hello",
        vec![value(&served, "user", KeyUsage::NGC)],
    );
    add(
        &served,
        "other",
        vec![value(&served, "stranger", KeyUsage::NGC)],
    );
    add(&served, "none", Vec::new());
    assert!(!kinit(&served, "other", "user").good);
    assert!(!kinit(&served, "none", "user").good);
    kinit(&served, "other", "stranger").well();
}
