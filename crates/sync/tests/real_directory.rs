//! The story against a real directory: Samba or Windows. Not run by itself, as it needs one:
//!
//! ```text
//! SYNC_URL=ldap://127.0.0.1 SYNC_BIND='CORP\MSOL_sync' SYNC_PASSWORD=... SYNC_USER=alice \
//!     cargo test -p tombolo-sync --test real_directory -- --ignored --nocapture
//! ```
//!
//! `SYNC_CA` names a PEM file for ldaps. The user's keys are changed and left as they were.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::time::Duration;

use keycred::{Draft, KeySource, KeyUsage};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sync::connector::{Permission, Target};
use sync::ldap::{DirectorySettings, LdapDirectory};
use sync::memory::MemoryCloud;
use sync::rules::RuleSet;
use sync::{Connector, Engine, Options, Outcome, State};
use types::{Guid, Secret, Timestamp};

#[expect(
    clippy::disallowed_methods,
    reason = "the directory is named by whoever runs the test"
)]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the certificates are named by whoever runs the test"
)]
fn directory() -> LdapDirectory {
    let roots = setting("SYNC_CA").map_or_else(Vec::new, |path| {
        let pem = std::fs::read(path).expect("SYNC_CA is readable");
        CertificateDer::pem_slice_iter(&pem)
            .collect::<Result<_, _>>()
            .expect("SYNC_CA is PEM")
    });
    LdapDirectory::new(DirectorySettings {
        url: setting("SYNC_URL").expect("SYNC_URL"),
        start_tls: setting("SYNC_START_TLS").is_some(),
        bind_dn: setting("SYNC_BIND").expect("SYNC_BIND"),
        password: Secret::new(setting("SYNC_PASSWORD").expect("SYNC_PASSWORD")),
        base_dn: None,
        roots,
        timeout: Duration::from_secs(20),
    })
    .expect("settings")
}

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").expect("a time")
}

#[test]
#[ignore = "needs a directory; see the top of the file"]
fn the_story_on_a_real_directory() {
    let user = setting("SYNC_USER").expect("SYNC_USER");
    let rules = RuleSet::shipped().expect("rules");
    let cloud = MemoryCloud::default();
    let mut probe = directory();
    println!("account: {:?}", probe.account().expect("account"));
    println!(
        "schema: {:?}",
        probe.schema(&rules.target_attributes()).expect("schema")
    );
    let state = State::in_memory().expect("state");
    let mut engine = Engine::new(
        state,
        rules.clone(),
        Box::new(cloud.clone()),
        Box::new(directory()),
        Options::default(),
    );
    let report = engine.cycle(now()).expect("first cycle");
    println!("imported: {:?}", report.ad);
    let explained = sync::explain(engine.state(), &rules, &user).expect("the user is known");
    let object = explained
        .objects
        .iter()
        .find(|o| o.connector == Connector::Ad)
        .expect("object");
    let guid: Guid = object.anchor.as_str().parse().expect("GUID");
    println!("user: {} {guid}", object.name);
    let allowed = probe.permissions(
        std::slice::from_ref(&object.anchor),
        "msDS-KeyCredentialLink",
    );
    println!("permission: {allowed:?}");
    assert_eq!(
        allowed.expect("permissions").get(&object.anchor),
        Some(&Permission::Granted)
    );

    let upn = format!("{user}@corp.contoso.com");
    cloud.add_user(&upn, guid);
    let key = |name: &[u8]| {
        let draft = Draft::new(name, vec![7_u8; 300], KeyUsage::FIDO, KeySource::AZURE_AD);
        draft.to_raw_blob().expect("fits").encode()
    };
    cloud.add_key(&upn, key(b"first"));
    cloud.add_key(&upn, key(b"second"));
    let report = engine.cycle(now()).expect("export");
    assert_eq!(
        (report.outcome, report.apply.added, report.apply.confirmed),
        (Outcome::Applied, 2, 2),
        "{report:#?}"
    );
    assert!(!report.ad.full, "a delta import confirmed it");
    let report = engine.cycle(now()).expect("nothing to do");
    assert!(report.plan.is_empty(), "{:#?}", report.plan);

    // A value deleted by hand comes back, and one that is there already is no error.
    let wanted = keycred::with_key_hash(&key(b"first")).expect("carried");
    let write = sync::connector::ValueWrite {
        anchor: object.anchor.clone(),
        attribute: "msDS-KeyCredentialLink".to_owned(),
        add: Default::default(),
        remove: [wanted].into(),
    };
    probe.write(&write).expect("deleted by hand");
    let again = probe.write(&write).expect_err("it is gone already");
    println!("deleting again: {again:?}");
    let report = engine.cycle(now()).expect("restored");
    assert_eq!((report.apply.added, report.apply.confirmed), (1, 1));

    cloud.remove_key(&upn, &key(b"first"));
    cloud.remove_key(&upn, &key(b"second"));
    let report = engine.cycle(now()).expect("removed");
    assert_eq!((report.apply.removed, report.apply.confirmed), (2, 2));
    println!(
        "receipts: {}",
        engine.state().receipts(0, 100).expect("receipts").len()
    );
}

/// The same with an account that has no right (name it in `SYNC_BIND`): what the permission check foresees is what the
/// directory says when it is tried.
#[test]
#[ignore = "needs a directory and an account without the right; see the top of the file"]
fn the_refusal_on_a_real_directory() {
    let user = setting("SYNC_USER").expect("SYNC_USER");
    let rules = RuleSet::shipped().expect("rules");
    let cloud = MemoryCloud::default();
    let (state, target) = (State::in_memory().expect("state"), Box::new(directory()));
    let mut engine = Engine::new(
        state,
        rules.clone(),
        Box::new(cloud.clone()),
        target,
        Options::default(),
    );
    engine.cycle(now()).expect("first cycle");
    let explained = sync::explain(engine.state(), &rules, &user).expect("the user is known");
    let object = explained
        .objects
        .iter()
        .find(|o| o.connector == Connector::Ad)
        .expect("object");
    cloud.add_user(
        "refused@corp.contoso.com",
        object.anchor.as_str().parse().expect("GUID"),
    );
    let draft = Draft::new(b"id", b"material", KeyUsage::FIDO, KeySource::AZURE_AD);
    cloud.add_key(
        "refused@corp.contoso.com",
        draft.to_raw_blob().expect("fits").encode(),
    );
    for preflight in [true, false] {
        engine.options_mut().preflight = preflight;
        let report = engine.cycle(now()).expect("a cycle");
        assert_eq!(report.outcome, Outcome::Refused);
        let refusals = report.refusals();
        assert_eq!(refusals[0].reason, sync::mend::Reason::NoRight);
        println!("{}: {:?}", refusals[0].name, refusals[0].message);
        assert_eq!(refusals[0].message.is_some(), !preflight);
    }
}
