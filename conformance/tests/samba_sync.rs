//! The story of the sync against a real directory: Samba AD, or the one that the environment names:
//!
//! ```text
//! SYNC_URL=ldap://127.0.0.1 SYNC_BIND='CORP\MSOL_sync' SYNC_PASSWORD=... SYNC_USER=alice \
//!     cargo test -p conformance --test samba_sync -- --nocapture
//! ```
//!
//! `SYNC_CA` names a PEM file for ldaps. With `SYNC_CASE=refusal` `SYNC_BIND` names an account that has no right. The
//! user's keys are changed and left as they were.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests; the directory is named by whoever runs them"
)]

use std::time::Duration;

use conformance::Said;
use conformance::samba::{CONNECTOR, HOST, PASSWORD, Samba};
use keycred::{Draft, KeySource, KeyUsage};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sync::connector::{Permission, Target};
use sync::ldap::{DirectorySettings, LdapDirectory};
use sync::memory::MemoryCloud;
use sync::rules::RuleSet;
use sync::{Connector, Engine, Options, Outcome, State};
use types::{Guid, Secret, Timestamp};

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

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
fn on_a_real_directory() {
    let case = setting("SYNC_CASE");
    match (setting("SYNC_URL"), case.as_deref()) {
        (Some(_), Some("refusal")) => refusal(),
        (Some(_), _) => story(),
        (None, _) => on_samba(),
    }
}

/// Both cases against one Samba. It has a network of its own, so this program is started again inside.
fn on_samba() {
    let samba = Samba::start();
    let program = std::env::current_exe().unwrap();
    for (case, who) in [("story", CONNECTOR), ("refusal", "dave")] {
        let mut command = samba.beside(&program);
        command
            .args(["--exact", "on_a_real_directory", "--nocapture"])
            .env("SYNC_CASE", case)
            .env("SYNC_URL", format!("ldaps://{HOST}"))
            .env("SYNC_CA", samba.pki().join("authority.pem"))
            .env("SYNC_BIND", format!("CORP\\{who}"))
            .env("SYNC_PASSWORD", PASSWORD)
            .env("SYNC_USER", "alice");
        let text = Said::of(&mut command, "").well();
        assert!(text.contains("1 passed"), "{text}");
        println!("{case} as {who}:\n{text}");
    }
    // Samba's own audit log tells the same story: values added by the connector, nothing changed by the other.
    let writes: Vec<String> = samba.audit();
    let adds = |line: &&String| line.contains("msDS-KeyCredentialLink") && line.contains("\"add\"");
    assert!(writes.iter().filter(adds).count() >= 2, "{writes:#?}");
}

fn story() {
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
fn refusal() {
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
