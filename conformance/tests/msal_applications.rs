//! Unmodified MSAL Python, MSAL Node and Authlib as applications: device code, code with PKCE, silent refreshing, single
//! sign-on by the user's device, and asking again when a policy wants a stronger proof; the id token verifies with our keys.
//! The user's browser is a few lines that read the page and hold a P-256 key; the user's device is roadtx.

#![allow(
    clippy::unwrap_used,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod cloud_served;

use std::process::Command;

use cloud::Compatibility;
use cloud_served::ServedCloud;
use cloud_served::roadtx::Roadtx;
use conformance::{Said, peers};

/// A tenant, and what a device shows of a primary refresh token that a pass began.
fn with_a_device() -> (ServedCloud, String) {
    let served = ServedCloud::on_localhost(Compatibility::default());
    served.accept_any_key();
    let roadtx = Roadtx(&served);
    let session = roadtx.join();
    roadtx.prt("a.prt", &["--refresh-token", &session]).well();
    let said = roadtx.run(&["prtcookie", "-f", "a.prt"]).well();
    let credential = said.split("PRT cookie: ").nth(1).unwrap();
    let credential = credential.split_whitespace().next().unwrap().to_owned();
    (served, credential)
}

fn run(command: &mut Command, served: &ServedCloud, credential: &str) -> String {
    command
        .env("ADMIN_TOKEN", &served.admin)
        .env("CREDENTIAL", credential)
        .env("REQUESTS_CA_BUNDLE", served.ca())
        .env("NODE_EXTRA_CA_CERTS", served.ca());
    Said::of(command, "").well()
}

#[track_caller]
fn agreed(said: &str, what: &str) {
    let agreed = format!("agreed: {what} testuser@corp.contoso.com");
    assert!(said.contains(&agreed), "{what}: {said}");
}

#[test]
fn msal_and_authlib_sign_in() {
    let (served, credential) = with_a_device();
    let mut command = Command::new(peers::python());
    command
        .args(["-W", "ignore"])
        .arg(peers::root().join("conformance/scripts/applications.py"))
        .args([&served.origin, &served.user.id.to_string()]);
    let said = run(&mut command, &served, &credential);
    for what in [
        "msal code",
        "msal silent",
        "msal device code",
        "msal single sign-on",
        "msal asked again",
        "authlib code",
    ] {
        agreed(&said, what);
    }
}

#[test]
fn msal_node_signs_in() {
    let (served, credential) = with_a_device();
    let tenant = served.cloud.tenant().unwrap().id.to_string();
    let mut command = Command::new(peers::node());
    command
        .arg(peers::root().join("conformance/scripts/applications.mjs"))
        .args([&served.origin, &tenant, &served.user.id.to_string()])
        .env("MSAL_NODE", peers::node_package("@azure/msal-node"));
    let said = run(&mut command, &served, &credential);
    for what in [
        "OIDC code",
        "OIDC silent",
        "OIDC device code",
        "AAD code",
        "AAD silent",
        "AAD device code",
        "single sign-on",
        "asked again",
        "silent after that",
    ] {
        agreed(&said, what);
    }
}
