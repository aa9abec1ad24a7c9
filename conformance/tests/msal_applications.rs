//! Unmodified MSAL Python and Authlib as applications: device code, code with PKCE, silent refreshing; the id token
//! verifies with our keys. The user's browser is a few lines of Python that read the page and hold a P-256 key.

#![expect(
    clippy::disallowed_methods,
    reason = "a judge's test is its own top floor"
)]
#![allow(
    clippy::unwrap_used,
    reason = "a judge's test that cannot set up its peers has failed"
)]

use std::process::Command;
use std::sync::Arc;

use cloud::{Caller, Cloud, NewTenant, Surroundings};
use cloud_api::policy::Fido2Policy;
use cloud_api::users::NewUser;
use conformance::Said;
use conformance::peers::python;
use lab::{OsEntropy, Pki, SystemClock};
use tokio::net::TcpListener;

#[test]
fn msal_and_authlib_sign_in() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let origin = format!(
        "https://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let surroundings = Surroundings::new(Arc::new(SystemClock), Box::new(OsEntropy));
    let mut tenant = NewTenant::new("contoso.example", "localhost");
    tenant.origins = vec![origin.clone()];
    let store = directory.path().join("cloud.sqlite");
    let (cloud, admin) = Cloud::create(&store, &tenant, surroundings).unwrap();
    let operator = Caller::operator();
    // The judge's key has no maker who vouches for it.
    let policy = Fido2Policy {
        is_attestation_enforced: Some(false),
        ..Fido2Policy::default()
    };
    cloud.change_policy(&operator, &policy).unwrap();
    let user = NewUser {
        user_principal_name: "testuser@corp.contoso.com".into(),
        display_name: "Test User".into(),
        account_enabled: true,
    };
    let user = cloud.create_user(&operator, &user).unwrap();
    let pki = Pki::new("contoso.example").unwrap();
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, pki.ca_pem()).unwrap();
    let tls = pki.server(&["localhost", "127.0.0.1"]).unwrap();
    runtime.spawn(cloud::serve(listener, tls, cloud, std::future::pending()));

    let mut command = Command::new(python());
    command
        .args(["-W", "ignore"])
        .arg(conformance::peers::root().join("conformance/scripts/applications.py"))
        .args([&origin, &user.id.to_string()])
        .env("ADMIN_TOKEN", admin.expose())
        .env("REQUESTS_CA_BUNDLE", &ca);
    let said = Said::of(&mut command, "").well();
    for what in [
        "msal code",
        "msal silent",
        "msal device code",
        "authlib code",
    ] {
        let agreed = format!("agreed: {what} testuser@corp.contoso.com");
        assert!(said.contains(&agreed), "{said}");
    }
}
