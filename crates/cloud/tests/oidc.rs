//! Applications: authorization with code and PKCE, device codes, refreshing; and each wrong way refused.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use axum::http::StatusCode;
use cloud::Caller;
use cloud_api::base64::Base64Url;
use cloud_api::conditional_access::AccessPolicy;
use cloud_api::jose::Jws;
use cloud_api::oidc::{ApplicationClaims, GRANT_CODE, GRANT_DEVICE_CODE};
use cloud_api::prt::{FidoAssertion, GRANT_REFRESH};
use cloud_api::tokens::DEVICE_REGISTRATION;
use cloud_api::users::{User, UserChange};
use common::device::{SecurityKey, Touch};
use common::{House, Reply};
use serde_json::{Value, json};

const CLIENT: &str = "6f1c1f0e-0000-4000-8000-000000000001";
const BACK: &str = "http://localhost:8400/back";
/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

struct Desk {
    house: House,
    user: User,
    key: SecurityKey,
}

impl Desk {
    fn new() -> Self {
        let house = House::new();
        let user = house.user("testuser");
        let key = SecurityKey::register(&house, &user, 0xC1);
        Self { house, user, key }
    }

    async fn authorize(&self, client: &str) -> Reply {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("client_id", client),
                ("redirect_uri", BACK),
                ("response_type", "code"),
                ("scope", "openid profile offline_access"),
                ("state", "st"),
                ("nonce", "no"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ])
            .finish();
        let path = format!("/common/oauth2/v2.0/authorize?{query}");
        self.house.get(&path, "").await
    }

    async fn finish(&self, sign_in: &str, touch: &Touch) -> Reply {
        let body = json!({"signIn": sign_in});
        let reply = self.house.post("/signin/webauthn/begin", "", body).await;
        if reply.status != StatusCode::OK {
            return reply;
        }
        let nonce = reply.json["nonce"].as_str().unwrap();
        let text = self.key.touch(nonce, touch);
        let (id, signed) = FidoAssertion::of_text(&text).unwrap();
        let body = json!({
            "signIn": sign_in,
            "nonce": nonce,
            "credential": {"id": Base64Url(id), "type": "public-key", "response": {
                "clientDataJSON": signed.client_data_json,
                "authenticatorData": signed.authenticator_data,
                "signature": signed.signature,
                "userHandle": signed.user_handle,
            }},
        });
        self.house.post("/signin/webauthn/finish", "", body).await
    }

    /// A code by a good sign-in.
    async fn code(&self, counter: u32) -> String {
        let page = self.authorize(CLIENT).await;
        let touch = Touch {
            counter,
            ..Touch::default()
        };
        let done = self.finish(&sign_in_of(&page), &touch).await;
        assert_eq!(done.status, StatusCode::OK, "{}", done.text);
        let target = url::Url::parse(done.json["redirect"].as_str().unwrap()).unwrap();
        let pairs: Vec<_> = target.query_pairs().into_owned().collect();
        assert_eq!(pairs[1], ("state".into(), "st".into()));
        pairs[0].1.clone()
    }

    async fn token(&self, fields: &[(&str, &str)]) -> Reply {
        token(&self.house, fields).await
    }

    async fn redeem(&self, code: &str) -> Reply {
        self.token(&with(code, "", "")).await
    }

    async fn refresh(&self, client: &str, token: &str) -> Reply {
        refresh(&self.house, client, token).await
    }

    async fn refreshable(&self, counter: u32) -> String {
        let reply = self.redeem(&self.code(counter).await).await;
        reply.json["refresh_token"].as_str().unwrap().to_owned()
    }
}

async fn token(house: &House, fields: &[(&str, &str)]) -> Reply {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    let request = axum::http::Request::post("/common/oauth2/v2.0/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(axum::body::Body::from(body))
        .unwrap();
    house.send(request).await
}

async fn refresh(house: &House, client: &str, refresh_token: &str) -> Reply {
    let fields = [
        ("grant_type", GRANT_REFRESH),
        ("client_id", client),
        ("refresh_token", refresh_token),
    ];
    token(house, &fields).await
}

/// The fields that redeem a code, one of them changed.
fn with<'a>(code: &'a str, changed: &str, value: &'a str) -> Vec<(&'static str, &'a str)> {
    let right = [
        ("grant_type", GRANT_CODE),
        ("client_id", CLIENT),
        ("code", code),
        ("redirect_uri", BACK),
        ("code_verifier", VERIFIER),
    ];
    let other = |(name, usual)| (name, if name == changed { value } else { usual });
    right.map(other).to_vec()
}

fn sign_in_of(page: &Reply) -> String {
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    let (_, rest) = page.text.split_once("data-sign-in=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[track_caller]
fn refused(reply: &Reply, error: &str) {
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.text);
    assert_eq!(reply.json["error"], error, "{}", reply.text);
}

fn claims(text: &Value) -> ApplicationClaims {
    Jws::parse(text.as_str().unwrap())
        .unwrap()
        .claims()
        .unwrap()
}

#[tokio::test]
async fn a_touch_gives_a_code_and_the_code_gives_tokens() {
    let desk = Desk::new();
    let reply = desk.redeem(&desk.code(2).await).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    let id = claims(&reply.json["id_token"]);
    assert_eq!((id.aud.as_str(), id.nonce.as_deref()), (CLIENT, Some("no")));
    assert_eq!(id.oid, desk.user.id);
    let access = claims(&reply.json["access_token"]);
    assert_eq!(access.scp.as_deref(), Some("openid profile offline_access"));

    let discovery = desk
        .house
        .get("/common/v2.0/.well-known/openid-configuration", "")
        .await;
    assert_eq!(discovery.json["issuer"], id.iss.as_str());
    let keys = desk.house.get("/common/discovery/keys", "").await;
    let header = Jws::parse(reply.json["id_token"].as_str().unwrap()).unwrap();
    assert_eq!(keys.json["keys"][0]["kid"], header.header.kid.unwrap());
    let told = desk.house.activities();
    for activity in ["signInToApplication", "issueApplicationToken"] {
        assert!(told.iter().any(|told| told == activity), "{activity}");
    }
}

#[tokio::test]
async fn a_code_works_once_for_its_application_its_place_and_its_verifier() {
    let desk = Desk::new();
    let mut counter = 2;
    let mut code = async || {
        counter += 1;
        desk.code(counter).await
    };
    for (name, value) in [
        ("client_id", "other"),
        ("redirect_uri", "http://localhost:8401/back"),
        ("redirect_uri", ""),
        ("code_verifier", CHALLENGE),
        ("code_verifier", ""),
        ("code", "AAAA"),
    ] {
        let code = code().await;
        refused(
            &desk.token(&with(&code, name, value)).await,
            "invalid_grant",
        );
    }
    let once = code().await;
    let traded = desk.redeem(&once).await;
    assert_eq!(traded.status, StatusCode::OK);
    refused(&desk.redeem(&once).await, "invalid_grant");
    // RFC 6749 section 4.1.2: whoever was first may have been the thief.
    let refresh = traded.json["refresh_token"].as_str().unwrap();
    refused(&desk.refresh(CLIENT, refresh).await, "invalid_grant");
    let told = desk.house.activities();
    assert!(told.iter().any(|told| told == "endApplicationTokens"));
    let late = code().await;
    desk.house.clock.advance_seconds(61);
    refused(&desk.redeem(&late).await, "invalid_grant");
    refused(&desk.token(&[]).await, "unsupported_grant_type");
}

#[tokio::test]
async fn the_page_takes_what_the_key_signed_for_us_only() {
    let desk = Desk::new();
    let page = desk.authorize(CLIENT).await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    let id = sign_in_of(&page);
    let evil = Touch {
        origin: "https://evil.example".into(),
        ..Touch::default()
    };
    refused(&desk.finish(&id, &evil).await, "invalid_grant");
    let unverified = Touch {
        flags: 0x01,
        ..Touch::default()
    };
    refused(&desk.finish(&id, &unverified).await, "invalid_grant");
    let other_nonce = Touch {
        challenge: Some("other".into()),
        ..Touch::default()
    };
    refused(&desk.finish(&id, &other_nonce).await, "invalid_grant");
    // After three refusals the same sign-in still ends well, once.
    let good = desk.finish(&id, &Touch::default()).await;
    assert_eq!(good.status, StatusCode::OK, "{}", good.text);
    let again = Touch {
        counter: 3,
        ..Touch::default()
    };
    refused(&desk.finish(&id, &again).await, "invalid_grant");
    let late = sign_in_of(&desk.authorize(CLIENT).await);
    desk.house.clock.advance_seconds(601);
    refused(&desk.finish(&late, &again).await, "invalid_grant");
}

/// An id token for an application of this name would open the device registration service.
#[tokio::test]
async fn an_application_is_none_of_our_services() {
    let desk = Desk::new();
    for client in [DEVICE_REGISTRATION, "", "<script>"] {
        let page = desk.authorize(client).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{client}");
        assert!(!page.text.contains("<script>"), "{}", page.text);
    }
    let reply = desk.redeem(&desk.code(2).await).await;
    let token = reply.json["id_token"].as_str().unwrap();
    assert!(desk.house.cloud.registrar(token).is_err());
}

#[tokio::test]
async fn a_refresh_token_works_once_and_a_copy_ends_the_family() {
    let desk = Desk::new();
    let first = desk.refreshable(2).await;
    refused(&desk.refresh("other", &first).await, "invalid_grant");
    let second = desk.refresh(CLIENT, &first).await;
    let second = second.json["refresh_token"].as_str().unwrap().to_owned();
    refused(&desk.refresh(CLIENT, &first).await, "invalid_grant");
    refused(&desk.refresh(CLIENT, &second).await, "invalid_grant");
    refused(&desk.refresh(CLIENT, "app.AAAA").await, "invalid_grant");
    let told = desk.house.activities();
    assert!(told.iter().any(|told| told == "endApplicationTokens"));
    let late = desk.refreshable(3).await;
    desk.house.clock.advance_seconds(24 * 3600);
    refused(&desk.refresh(CLIENT, &late).await, "invalid_grant");
}

/// Which refresh token is the good one stands in the store.
#[tokio::test]
async fn a_restart_forgets_no_family() {
    let mut desk = Desk::new();
    let first = desk.refreshable(2).await;
    let second = desk.refresh(CLIENT, &first).await;
    let second = second.json["refresh_token"].as_str().unwrap().to_owned();
    let other = desk.refreshable(3).await;
    desk.house.reopen();
    // A copy of before the restart is noticed, and ends what goes on from it.
    refused(&desk.refresh(CLIENT, &first).await, "invalid_grant");
    desk.house.reopen();
    refused(&desk.refresh(CLIENT, &second).await, "invalid_grant");
    // Another family goes on, each token once.
    let next = desk.refresh(CLIENT, &other).await;
    assert_eq!(next.status, StatusCode::OK, "{}", next.text);
    desk.house.reopen();
    refused(&desk.refresh(CLIENT, &other).await, "invalid_grant");
    let told = desk.house.activities();
    let ends = told.iter().filter(|told| *told == "endApplicationTokens");
    assert_eq!(ends.count(), 2);
}

const VICTIM: &str = "TOMBOLO_CLOUD_REFRESH_VICTIM";

/// The victim: refreshes one token again and again and says each, until it is killed. Does nothing as a test of its own.
#[tokio::test]
async fn victim() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the parent tells the child where the store is"
    )]
    let Ok(told) = std::env::var(VICTIM) else {
        return;
    };
    let (path, token) = told.split_once('|').unwrap();
    let house = House::opened(std::path::Path::new(path));
    let mut token = token.to_owned();
    loop {
        let reply = refresh(&house, CLIENT, &token).await;
        token = reply.json["refresh_token"].as_str().unwrap().to_owned();
        println!("acknowledged {token}");
    }
}

/// `kill -9` in the middle: the last token that was handed out is good, and the one before it ends the family.
#[tokio::test]
async fn a_killed_cloud_knows_which_token_is_the_good_one() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let mut desk = Desk::new();
    let mut token = desk.refreshable(2).await;
    let path = desk.house.state.path().join("cloud.sqlite");
    for round in 0..4 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["victim", "--exact", "--nocapture"])
            .env(VICTIM, format!("{}|{token}", path.display()))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let heard: Vec<String> = lines
            .map(Result::unwrap)
            .filter_map(|line| {
                let at = line.find("acknowledged ")?;
                line.get(at + 13..).map(str::to_owned)
            })
            .take(3 + round)
            .collect();
        child.kill().unwrap();
        child.wait().unwrap();
        desk.house.reopen();
        let (last, before) = (heard.last().unwrap(), &heard[heard.len() - 2]);
        // The child may have gone one further than we heard; then what it was about to say is the good one.
        let reply = desk.refresh(CLIENT, last).await;
        if reply.status != StatusCode::OK {
            refused(&reply, "invalid_grant");
            token = desk.refreshable(u32::try_from(round).unwrap() + 3).await;
            continue;
        }
        let next = reply.json["refresh_token"].as_str().unwrap();
        refused(&desk.refresh(CLIENT, before).await, "invalid_grant");
        refused(&desk.refresh(CLIENT, next).await, "invalid_grant");
        token = desk.refreshable(u32::try_from(round).unwrap() + 3).await;
    }
}

#[tokio::test]
async fn a_refusal_by_policy_does_not_use_the_token_up() {
    let operator = Caller::operator();
    let desk = Desk::new();
    let token = desk.refreshable(2).await;
    let policy: AccessPolicy = serde_json::from_value(json!({
        "displayName": "compliant devices only",
        "state": "enabled",
        "conditions": {
            "users": {"includeUsers": ["All"]},
            "applications": {"includeApplications": ["All"]},
        },
        "grantControls": {"operator": "AND", "builtInControls": ["compliantDevice"]},
    }))
    .unwrap();
    let cloud = &desk.house.cloud;
    let policy = cloud.add_access_policy(&operator, &policy).unwrap();
    refused(&desk.refresh(CLIENT, &token).await, "interaction_required");
    cloud.remove_access_policy(&operator, policy.id).unwrap();
    let reply = desk.refresh(CLIENT, &token).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
}

/// Of requests that come together with one token, one goes on.
#[tokio::test]
async fn two_requests_with_one_token_end_the_family() {
    let desk = Desk::new();
    let token = desk.refreshable(2).await;
    let (one, two) = tokio::join!(desk.refresh(CLIENT, &token), desk.refresh(CLIENT, &token));
    let good = [&one, &two].map(|reply| reply.status == StatusCode::OK);
    assert_eq!(good.iter().filter(|good| **good).count(), 1);
    let winner = if good[0] { one } else { two };
    let next = winner.json["refresh_token"].as_str().unwrap();
    refused(&desk.refresh(CLIENT, next).await, "invalid_grant");
}

#[tokio::test]
async fn what_a_token_stands_on_is_asked_at_each_issue() {
    let operator = Caller::operator();
    let desk = Desk::new();
    let token = desk.refreshable(2).await;
    let change = UserChange {
        account_enabled: Some(false),
        ..UserChange::default()
    };
    let cloud = &desk.house.cloud;
    cloud.change_user(&operator, desk.user.id, &change).unwrap();
    refused(&desk.refresh(CLIENT, &token).await, "invalid_grant");

    let desk = Desk::new();
    let token = desk.refreshable(2).await;
    let id = Base64Url(desk.key.id.clone()).to_string();
    let cloud = &desk.house.cloud;
    cloud
        .remove_security_key(&operator, desk.user.id, &id)
        .unwrap();
    let reply = desk.refresh(CLIENT, &token).await;
    assert_eq!(reply.json["suberror"], "keyRemoved", "{}", reply.text);

    let desk = Desk::new();
    let token = desk.refreshable(2).await;
    let policy: AccessPolicy = serde_json::from_value(json!({
        "displayName": "compliant devices only",
        "state": "enabled",
        "conditions": {
            "users": {"includeUsers": ["All"]},
            "applications": {"includeApplications": ["All"]},
        },
        "grantControls": {"operator": "AND", "builtInControls": ["compliantDevice"]},
    }))
    .unwrap();
    desk.house
        .cloud
        .add_access_policy(&operator, &policy)
        .unwrap();
    let reply = desk.refresh(CLIENT, &token).await;
    refused(&reply, "interaction_required");
    let page = sign_in_of(&desk.authorize(CLIENT).await);
    let touch = Touch {
        counter: 3,
        ..Touch::default()
    };
    refused(&desk.finish(&page, &touch).await, "interaction_required");
}

#[tokio::test]
async fn a_device_without_a_browser_gets_tokens_when_its_code_was_typed() {
    let desk = Desk::new();
    let body = format!("client_id={CLIENT}&scope=openid");
    let request = axum::http::Request::post("/common/oauth2/v2.0/devicecode")
        .body(axum::body::Body::from(body))
        .unwrap();
    let begun = desk.house.send(request).await;
    assert_eq!(begun.status, StatusCode::OK, "{}", begun.text);
    let device_code = begun.json["device_code"].as_str().unwrap();
    let user_code = begun.json["user_code"].as_str().unwrap();
    let poll = async |client: &str| {
        desk.token(&[
            ("grant_type", GRANT_DEVICE_CODE),
            ("client_id", client),
            ("device_code", device_code),
        ])
        .await
    };
    refused(&poll(CLIENT).await, "authorization_pending");
    refused(&poll(CLIENT).await, "slow_down");
    let wrong = desk
        .house
        .get("/signin/device?user_code=BBBB-BBBB", "")
        .await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let typed = format!("/signin/device?user_code={}", user_code.to_lowercase());
    let page = desk.house.get(&typed, "").await;
    let done = desk.finish(&sign_in_of(&page), &Touch::default()).await;
    assert_eq!(done.json, json!({"redirect": null}), "{}", done.text);
    refused(&poll("other").await, "expired_token");
    // One client in the field has an older name for the grant.
    let older = [
        ("grant_type", "device_code"),
        ("client_id", CLIENT),
        ("device_code", device_code),
    ];
    let reply = desk.token(&older).await;
    assert_eq!(claims(&reply.json["id_token"]).oid, desk.user.id);
    refused(&poll(CLIENT).await, "expired_token");
    let again = desk.house.get(&typed, "").await;
    assert_eq!(
        again.status,
        StatusCode::BAD_REQUEST,
        "a code is typed once"
    );
}

#[tokio::test]
async fn one_address_begins_only_so_many_sign_ins() {
    let desk = Desk::new();
    for _ in 0..120 {
        assert_eq!(desk.authorize(CLIENT).await.status, StatusCode::OK);
    }
    assert_eq!(desk.authorize(CLIENT).await.status, StatusCode::BAD_REQUEST);
    let request = axum::http::Request::post("/common/oauth2/v2.0/devicecode")
        .body(axum::body::Body::from(format!("client_id={CLIENT}")))
        .unwrap();
    let begun = desk.house.send(request).await;
    assert_eq!(begun.status, StatusCode::TOO_MANY_REQUESTS);
}
