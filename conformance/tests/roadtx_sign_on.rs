//! Unmodified roadtx on the strength of its primary refresh token: single sign-on at an application by cookie, tokens of
//! applications by signed requests of both protocols, and a passkey that it registers.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod cloud_served;

use cloud::{Caller, Compatibility};
use cloud_api::tokens::OWN_KEYS;
use cloud_served::ServedCloud;
use cloud_served::roadtx::Roadtx;
use keycred::KeyUsage;
use serde_json::Value;

const CLIENT: &str = "6f1c1f0e-0000-4000-8000-000000000001";
const BACK: &str = "http://localhost:8400/";

/// roadtx brings no challenge of RFC 7636 with the cookie.
fn tolerant() -> Compatibility {
    Compatibility {
        code_without_challenge: true,
        ..Compatibility::default()
    }
}

/// A joined device with a primary refresh token by session, in `a.prt`.
fn at_a_device(served: &ServedCloud) -> (Roadtx<'_>, String, String) {
    let roadtx = Roadtx(served);
    let session = roadtx.join();
    roadtx.prt("a.prt", &["--refresh-token", &session]).well();
    let prt = roadtx.file("a.prt");
    let text = |name: &str| prt[name].as_str().unwrap().to_owned();
    let (token, key) = (text("refresh_token"), text("session_key"));
    (roadtx, token, key)
}

/// `gettokens` with these words; what it wrote, or what it said.
fn tokens(roadtx: &Roadtx<'_>, words: &[&str]) -> Result<Value, String> {
    let usual = ["gettokens", "-c", CLIENT, "-ru", BACK, "-f", "tokens.json"];
    let said = roadtx.run(&[&usual[..], words].concat()).well();
    if said.contains("Tokens were written") {
        Ok(roadtx.file("tokens.json"))
    } else {
        Err(said)
    }
}

#[track_caller]
fn no_code(answer: Result<Value, String>) -> String {
    let said = answer.unwrap_err();
    assert!(
        said.contains("No authentication code was returned"),
        "{said}"
    );
    said
}

const SCOPE: [&str; 2] = ["-s", "openid profile offline_access"];

#[test]
fn its_cookie_signs_in_without_a_page() {
    let served = ServedCloud::new(tolerant());
    let (roadtx, token, key) = at_a_device(&served);
    let by_token = ["--prt", &token, "--prt-sessionkey", &key];
    // The second version of the endpoints, and the first, which names a resource.
    for scope in [&SCOPE[..], &[]] {
        let seen = tokens(&roadtx, &[&by_token[..], scope].concat()).unwrap();
        for name in ["accessToken", "refreshToken", "idToken"] {
            assert!(seen[name].is_string(), "{seen}");
        }
        let refreshed = tokens(&roadtx, &[&["--refresh-token", "file"], scope].concat()).unwrap();
        assert_ne!(refreshed["refreshToken"], seen["refreshToken"]);
    }

    // A cookie that was made before works once.
    let said = roadtx.run(&["prtcookie", "-f", "a.prt"]).well();
    let cookie = said.split("PRT cookie: ").nth(1).unwrap();
    let cookie = cookie.split_whitespace().next().unwrap();
    let by_cookie = [&["--prt-cookie", cookie][..], &SCOPE].concat();
    tokens(&roadtx, &by_cookie).unwrap();
    let said = no_code(tokens(&roadtx, &by_cookie));
    assert!(said.contains("Redirected with new nonce"), "{said}");

    // Signed with another key than the token's; and by the first derivation.
    let zeros = "00".repeat(32);
    let wrong = [&["--prt", &token, "--prt-sessionkey", &zeros][..], &SCOPE].concat();
    no_code(tokens(&roadtx, &wrong));
    let first = [&by_token[..], &SCOPE, &["--kdf-v1"]].concat();
    no_code(tokens(&roadtx, &first));

    let operator = Caller::operator();
    let device = served.cloud.devices(&operator).unwrap()[0].id;
    served
        .cloud
        .enable_device(&operator, device, false)
        .unwrap();
    no_code(tokens(&roadtx, &[&by_token[..], &SCOPE].concat()));
}

#[test]
fn its_tolerances_are_off_by_default() {
    let served = ServedCloud::new(Compatibility::default());
    let (roadtx, token, key) = at_a_device(&served);
    let words = [&["--prt", &token, "--prt-sessionkey", &key][..], &SCOPE].concat();
    no_code(tokens(&roadtx, &words));

    let served = ServedCloud::new(Compatibility {
        first_key_derivation: true,
        ..tolerant()
    });
    let (roadtx, token, key) = at_a_device(&served);
    let words = ["--prt", &token, "--prt-sessionkey", &key, "--kdf-v1"];
    tokens(&roadtx, &[&words[..], &SCOPE].concat()).unwrap();
}

#[test]
fn it_gets_tokens_of_an_application_by_both_protocols() {
    let served = ServedCloud::new(Compatibility::default());
    let (roadtx, _, _) = at_a_device(&served);
    let ask = |words: &[&str]| {
        let usual = ["prtauth", "-f", "a.prt", "-c", CLIENT, "-ru", BACK];
        let said = roadtx.run(&[&usual[..], &["--tokenfile", "app.json"], words].concat());
        said.well();
        roadtx.file("app.json")
    };
    let first = ask(&["-r", CLIENT]);
    let third = ask(&[
        "-v3",
        "-s",
        &format!("{CLIENT}/.default openid offline_access"),
    ]);
    assert_ne!(first["refreshToken"], third["refreshToken"]);
    for seen in [first, third] {
        let token = seen["refreshToken"].as_str().unwrap();
        let words = ["--refresh-token", token, "-s", "openid"];
        tokens(&roadtx, &words).unwrap();
    }

    // The token itself by protocol 3: asked for, and renewed.
    let session = served.session();
    roadtx
        .prt("c.prt", &["--refresh-token", &session, "-v3"])
        .well();
    let before = roadtx.file("c.prt");
    roadtx
        .run(&["prt", "-a", "renew", "-f", "c.prt", "-v3"])
        .well();
    assert_ne!(
        roadtx.file("c.prt")["refresh_token"],
        before["refresh_token"]
    );
}

/// The origin that roadtx signs is built into it, so the tenant of this test has it, behind the test's proxy.
#[test]
fn it_registers_a_passkey() {
    let rp_id = "login.microsoft.com";
    let served = ServedCloud::at(rp_id, &format!("https://{rp_id}"), Compatibility::default());
    let (roadtx, _, _) = at_a_device(&served);
    let words = [
        "prtauth", "-f", "a.prt", "-c", CLIENT, "-ru", BACK, "-r", OWN_KEYS,
    ];
    roadtx
        .run(&[&words[..], &["--tokenfile", "keys.json"]].concat())
        .well();
    let register = || {
        roadtx
            .run(&["registerpasskey", "-n", "judge", "-f", "keys.json"])
            .well()
    };
    let keys = || {
        let keys = served
            .cloud
            .device_keys(&Caller::operator(), served.user.id);
        keys.unwrap().searchable_device_key
    };

    // A key that no maker vouches for is not taken until the policy says so.
    register();
    assert_eq!(keys(), []);
    served.accept_any_key();
    let said = register();
    assert!(said.contains("Passkey registered succesfully"), "{said}");
    let keys = keys();
    assert_eq!(keys.len(), 1);
    assert_eq!(keys[0].usage, KeyUsage::FIDO);
    let model = keys[0].fido_aa_guid.unwrap().to_string();
    assert_eq!(model, "de1e552d-db1d-4423-a619-566b625cdc84");
}
