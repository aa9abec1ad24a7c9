//! Unmodified python-fido2 as the WebAuthn client: it takes the cloud's creation options as they come over HTTPS,
//! has the key answer, posts the result, and reads in the feed what the key said, byte for byte.

#![expect(
    clippy::disallowed_methods,
    reason = "a judge's test is its own top floor"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod softkey_served;

use std::process::Command;
use std::sync::Arc;

use cloud::{Caller, Cloud, NewTenant, Surroundings};
use cloud_api::policy::Fido2Policy;
use cloud_api::users::NewUser;
use lab::Pki;
use softkey_served::{ServedKey, judge};
use tokio::net::TcpListener;
use types::{SeededEntropy, Timestamp, VirtualClock};

const RP_ID: &str = "login.contoso.example";

#[test]
fn it_registers_a_key_at_the_cloud() {
    let directory = tempfile::tempdir().unwrap();
    let served = ServedKey::in_memory();
    let now = Timestamp::parse_rfc3339("2026-06-10T05:06:07.1234567Z").unwrap();
    let surroundings = Surroundings::new(
        Arc::new(VirtualClock::new(now)),
        Box::new(SeededEntropy::new(7)),
    );
    let tenant = NewTenant::new("contoso.example", RP_ID);
    let store = directory.path().join("cloud.sqlite");
    let (cloud, admin) = Cloud::create(&store, &tenant, surroundings).unwrap();
    let operator = Caller::operator();
    let sync = cloud.issue_sync_token(&operator, "judge", None).unwrap();
    let policy = Fido2Policy {
        is_attestation_enforced: Some(true),
        attestation_roots: Some(vec![served.key.attestation_root_pem()]),
        ..Fido2Policy::default()
    };
    cloud.change_policy(&operator, &policy).unwrap();
    let user = cloud
        .create_user(
            &operator,
            &NewUser {
                user_principal_name: "testuser@corp.contoso.com".into(),
                display_name: "Test User".into(),
                account_enabled: true,
            },
        )
        .unwrap();

    let pki = Pki::new("contoso.example").unwrap();
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, pki.ca_pem()).unwrap();
    let tls = pki.server(&["127.0.0.1", RP_ID]).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(cloud::serve(listener, tls, cloud, std::future::pending()));

    judge(
        Command::new(conformance::peers::python())
            .arg(conformance::peers::root().join("conformance/scripts/fido2_cloud.py"))
            .arg(address.to_string())
            .arg(&ca)
            .args([
                format!("https://{RP_ID}"),
                user.id.to_string(),
                served.address(),
            ])
            .env("ADMIN_TOKEN", admin.expose())
            .env("SYNC_TOKEN", sync.expose()),
        "agreed: registered",
    );
}
