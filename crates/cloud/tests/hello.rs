//! Windows Hello keys and tokens of the device registration service: the right way, and each wrong way refused.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use axum::http::StatusCode;
use cloud::{Caller, Compatibility};
use cloud_api::base64::Base64Url;
use cloud_api::hello::HelloAssertion;
use cloud_api::jose::{self, Header, Jws};
use cloud_api::paths;
use cloud_api::prt::{GRANT_REFRESH, TokenAnswer, TokenRequest};
use cloud_api::tokens::{AccessAnswer, AccessClaims, DEVICE_REGISTRATION, OWN_KEYS};
use cloud_api::users::{User, UserChange};
use common::device::{Device, Prt, Renewal, RsaKey, by_key};
use common::{House, Reply};
use data_encoding::BASE64;
use serde_json::json;
use sha2::{Digest, Sha256};

struct Desk {
    house: House,
    user: User,
    device: Device,
    hello: RsaKey,
}

/// How an assertion is made; the defaults are right.
struct Manner {
    alg: &'static str,
    iss: &'static str,
    iat: i64,
    exp: i64,
    nonce: Option<String>,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            alg: "RS256",
            iss: "TestUser@corp.contoso.com",
            iat: -3600,
            exp: 3600,
            nonce: None,
        }
    }
}

impl Desk {
    async fn new(compatibility: Compatibility) -> Self {
        let house = House::with_compatibility(compatibility);
        let user = house.ground_user("testuser", 1);
        let device = Device::join(&house, &user).await;
        Self {
            house,
            user,
            device,
            hello: RsaKey::generate(),
        }
    }

    /// A primary refresh token by session.
    async fn by_session(&self, device: &Device) -> Prt {
        let session = self.house.session(&self.user).await;
        self.with_session(device, session).await
    }

    async fn with_session(&self, device: &Device, session: String) -> Prt {
        let request = TokenRequest {
            request_nonce: self.house.nonce().await,
            scope: "openid aza".into(),
            grant_type: GRANT_REFRESH.into(),
            refresh_token: Some(session),
            ..TokenRequest::default()
        };
        let reply = self.house.token(&device.signed(&request)).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        let answer: TokenAnswer = serde_json::from_value(reply.json).unwrap();
        let jwe = answer.session_key_jwe.as_deref().unwrap();
        Prt {
            token: answer.refresh_token.clone(),
            session: device.key.open_session_key(jwe).unwrap(),
            answer,
        }
    }

    /// An access token on the strength of a primary refresh token.
    async fn access(&self, prt: &Prt) -> String {
        let reply = self.ask_access(prt, DEVICE_REGISTRATION).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        let plain = jose::open(&reply.text, &prt.session).unwrap();
        let answer: AccessAnswer = serde_json::from_slice(plain.expose()).unwrap();
        answer.access_token
    }

    async fn ask_access(&self, prt: &Prt, resource: &str) -> Reply {
        let manner = Renewal {
            resource: Some(resource.to_owned()),
            ..Renewal::default()
        };
        self.house.renew(&prt.token, &prt.session, &manner).await
    }

    async fn provision(&self, token: &str) -> Reply {
        let body = json!({"kngc": BASE64.encode(&self.hello.blob())});
        self.house
            .post(paths::PROVISION_KEY_ALIAS, token, body)
            .await
    }

    async fn registered(compatibility: Compatibility) -> Self {
        let desk = Self::new(compatibility).await;
        let prt = desk.by_session(&desk.device).await;
        let reply = desk.provision(&desk.access(&prt).await).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        let kid = BASE64.encode(&Sha256::digest(desk.hello.blob()));
        assert_eq!(
            reply.json,
            json!({"kid": kid, "upn": "testuser@corp.contoso.com"})
        );
        desk
    }

    async fn by_hello(&self, device: &Device, manner: Manner) -> Reply {
        let nonce = self.house.nonce().await;
        let header = Header {
            alg: manner.alg.into(),
            typ: Some("JWT".into()),
            key_use: Some("ngc".into()),
            kid: Some(BASE64.encode(&Sha256::digest(self.hello.blob()))),
            ..Header::default()
        };
        let now = types::Clock::now(&*self.house.clock).unix_seconds();
        let claims = HelloAssertion {
            iss: manner.iss.into(),
            iat: now + manner.iat,
            exp: now + manner.exp,
            request_nonce: manner.nonce.unwrap_or_else(|| nonce.clone()),
        };
        let input = Jws::signing_input(&header, &claims).unwrap();
        let assertion = Jws::text(&input, &self.hello.sign(input.as_bytes()));
        let request = by_key(&nonce, assertion);
        self.house.token(&device.signed(&request)).await
    }
}

#[track_caller]
fn refused(reply: &Reply, error: &str, suberror: &str) {
    assert_ne!(reply.status, StatusCode::OK, "{}", reply.text);
    let seen = (
        reply.json["error"].as_str().unwrap_or_default(),
        reply.json["suberror"].as_str().unwrap_or_default(),
    );
    assert_eq!(seen, (error, suberror), "{}", reply.text);
}

#[tokio::test]
async fn a_hello_key_signs_its_user_in_and_brings_a_ticket() {
    let desk = Desk::registered(Compatibility::default()).await;
    desk.house.publish(1, 7);
    let reply = desk.by_hello(&desk.device, Manner::default()).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    let field = reply.json["tgt_ad"].as_str().unwrap();
    assert!(field.contains("\"keyType\":18"), "{field}");
    let told = desk.house.activities();
    for activity in ["addHelloKey", "issueAccessToken", "issueTicket"] {
        assert!(told.iter().any(|told| told == activity), "{activity}");
    }
}

#[tokio::test]
async fn a_pass_is_not_enough_for_a_ticket_and_ends_with_the_day() {
    let desk = Desk::new(Compatibility::default()).await;
    desk.house.publish(1, 7);
    let prt = desk.by_session(&desk.device).await;
    let field = prt.ticket();
    assert_eq!(field.key_type, 0);
    assert!(field.error.unwrap().contains("not strong enough"));
    desk.house.clock.advance_seconds(11 * 3600);
    let renew = async |token: &str| {
        let manner = Renewal::default();
        desk.house.renew(token, &prt.session, &manner).await
    };
    let reply = renew(&prt.token).await;
    let plain = jose::open(&reply.text, &prt.session).unwrap();
    let answer: TokenAnswer = serde_json::from_slice(plain.expose()).unwrap();
    assert_eq!(answer.refresh_token_expires_in, 3599, "not prolonged");
    desk.house.clock.advance_seconds(3600);
    refused(
        &renew(&answer.refresh_token).await,
        "invalid_grant",
        "token",
    );
}

#[tokio::test]
async fn a_session_that_ended_begins_nothing() {
    let desk = Desk::new(Compatibility::default()).await;
    let session = desk.house.session(&desk.user).await;
    let send = async |token: &str| {
        let request = TokenRequest {
            request_nonce: desk.house.nonce().await,
            grant_type: GRANT_REFRESH.into(),
            refresh_token: Some(token.to_owned()),
            ..TokenRequest::default()
        };
        desk.house.token(&desk.device.signed(&request)).await
    };
    for token in ["", "1.AAAA", &desk.house.admin, &desk.house.sync] {
        refused(&send(token).await, "invalid_grant", "token");
    }
    assert_eq!(send(&session).await.status, StatusCode::OK);
    desk.house.clock.advance_seconds(3600);
    refused(&send(&session).await, "invalid_grant", "token");
}

#[tokio::test]
async fn hello_assertions_are_checked() {
    let desk = Desk::registered(Compatibility::default()).await;
    let usual = Manner::default;
    let check = async |what: &str, manner: Manner| {
        let reply = desk.by_hello(&desk.device, manner).await;
        assert_eq!(
            reply.json["suberror"], "assertion",
            "{what}: {}",
            reply.text
        );
    };
    let iss = "other@corp.contoso.com";
    check("another user", Manner { iss, ..usual() }).await;
    check("ended", Manner { exp: 0, ..usual() }).await;
    check(
        "from the future",
        Manner {
            iat: 301,
            ..usual()
        },
    )
    .await;
    check(
        "for ever",
        Manner {
            exp: 24 * 3600,
            ..usual()
        },
    )
    .await;
    for alg in ["none", "HS256", "PS256"] {
        let reply = desk.by_hello(&desk.device, Manner { alg, ..usual() }).await;
        refused(&reply, "invalid_request", "");
    }
    let stranger = Desk {
        hello: RsaKey::generate(),
        ..desk
    };
    let reply = stranger.by_hello(&stranger.device, usual()).await;
    refused(&reply, "invalid_grant", "keyUnknown");
}

#[tokio::test]
async fn a_hello_key_signs_in_at_its_own_device_only() {
    let desk = Desk::registered(Compatibility {
        any_fresh_assertion_nonce: true,
        ..Compatibility::default()
    })
    .await;
    let other = Device::join(&desk.house, &desk.user).await;
    let reply = desk.by_hello(&other, Manner::default()).await;
    refused(&reply, "invalid_grant", "assertion");
}

#[tokio::test]
async fn cve_2023_35348_an_assertion_answers_its_requests_nonce_unless_switched_off() {
    for (switch, good) in [(false, false), (true, true)] {
        let desk = Desk::registered(Compatibility {
            any_fresh_assertion_nonce: switch,
            ..Compatibility::default()
        })
        .await;
        let nonce = desk.house.nonce().await;
        let second = || Manner {
            nonce: Some(nonce.clone()),
            ..Manner::default()
        };
        let reply = desk.by_hello(&desk.device, second()).await;
        assert_eq!(reply.status == StatusCode::OK, good, "{}", reply.text);
        let again = desk.by_hello(&desk.device, second()).await;
        assert_ne!(again.status, StatusCode::OK, "a nonce works once");
    }
}

#[tokio::test]
async fn a_key_is_registered_by_somebody_who_is_there() {
    let desk = Desk::new(Compatibility::default()).await;
    let session = desk.house.session(&desk.user).await;
    let reply = desk.provision(&session).await;
    assert_eq!(
        reply.status,
        StatusCode::FORBIDDEN,
        "a session names no device"
    );
    let reply = desk
        .house
        .post(paths::REGISTRATION_TOKEN, &session, json!(null))
        .await;
    let token = reply.json["access_token"].as_str().unwrap();
    let claims: AccessClaims = Jws::parse(token).unwrap().claims().unwrap();
    assert_eq!((claims.oid, claims.deviceid), (desk.user.id, None));
    assert_eq!(desk.provision(token).await.status, StatusCode::FORBIDDEN);
    for stranger in [&desk.house.admin, &desk.house.sync, ""] {
        let reply = desk.provision(stranger).await;
        assert_ne!(reply.status, StatusCode::OK);
    }
    let prt = desk.by_session(&desk.device).await;
    desk.house.clock.advance_seconds(901);
    let late = desk.access(&prt).await;
    assert_eq!(desk.provision(&late).await.status, StatusCode::FORBIDDEN);
    let prt = desk.by_session(&desk.device).await;
    let fresh = desk.access(&prt).await;
    let operator = Caller::operator();
    let enable = |enabled| {
        let id = desk.device.id;
        desk.house
            .cloud
            .enable_device(&operator, id, enabled)
            .unwrap();
    };
    enable(false);
    assert_eq!(desk.provision(&fresh).await.status, StatusCode::FORBIDDEN);
    enable(true);
    assert_eq!(desk.provision(&fresh).await.status, StatusCode::OK);
    let again = desk.provision(&fresh).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.text);
}

#[tokio::test]
async fn a_session_is_no_newer_than_its_pass() {
    let desk = Desk::new(Compatibility::default()).await;
    let session = desk.house.session(&desk.user).await;
    desk.house.clock.advance_seconds(901);
    let prt = desk.with_session(&desk.device, session).await;
    let token = desk.access(&prt).await;
    assert_eq!(desk.provision(&token).await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn access_tokens_open_what_they_are_for() {
    let desk = Desk::new(Compatibility::default()).await;
    let prt = desk.by_session(&desk.device).await;
    let token = desk.access(&prt).await;
    for path in [paths::ME, paths::DEVICES, paths::DEVICE_KEY_DELTA] {
        let reply = desk.house.get(path, &token).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let elsewhere = desk.ask_access(&prt, "https://graph.example").await;
    refused(&elsewhere, "invalid_resource", "");
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let mut claims: AccessClaims = Jws::parse(&token).unwrap().claims().unwrap();
    claims.oid = types::Guid::v4([9; 16]);
    let claims = Base64Url(serde_json::to_vec(&claims).unwrap());
    for forged in [
        format!("{signed}."),
        format!("{header}.{claims}.{signature}"),
    ] {
        let reply = desk.provision(&forged).await;
        assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    }
    let change = UserChange {
        account_enabled: Some(false),
        ..UserChange::default()
    };
    let operator = Caller::operator();
    let cloud = &desk.house.cloud;
    cloud.change_user(&operator, desk.user.id, &change).unwrap();
    assert_eq!(desk.provision(&token).await.status, StatusCode::FORBIDDEN);
    desk.house.clock.advance_seconds(1800);
    assert_eq!(
        desk.provision(&token).await.status,
        StatusCode::UNAUTHORIZED
    );
}

/// A token for the user's own keys, as a client gets it that registers passkeys.
#[tokio::test]
async fn a_device_gets_a_token_for_its_users_own_keys_and_for_nothing_else() {
    const MINE: &str = "/graph/v1.0/me/authentication/fido2Methods";
    let desk = Desk::registered(Compatibility::default()).await;
    let prt = desk.by_session(&desk.device).await;
    let reply = desk.ask_access(&prt, OWN_KEYS).await;
    let plain = jose::open(&reply.text, &prt.session).unwrap();
    let answer: AccessAnswer = serde_json::from_slice(plain.expose()).unwrap();
    let token = answer.access_token;
    let get = async |path: &str| desk.house.get(path, &token).await;
    let timed = |service: &str, minutes: &str| {
        format!(
            "{service}/me/authentication/fido2Methods/creationOptions(challengeTimeoutInMinutes={minutes})"
        )
    };
    assert_eq!(get(MINE).await.status, StatusCode::OK);
    for path in [
        &format!("{MINE}/creationOptions"),
        &timed("/graph/v1.0", "5"),
        &timed("/graph/beta", "10"),
        &timed("/beta", "43200"),
    ] {
        let reply = get(path).await;
        assert_eq!(reply.status, StatusCode::OK, "{path} {}", reply.text);
        assert!(reply.json["publicKey"]["challenge"].is_string());
    }
    for (minutes, status) in [
        ("4", StatusCode::BAD_REQUEST),
        ("43201", StatusCode::BAD_REQUEST),
        ("-1", StatusCode::NOT_FOUND),
        ("", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(
            get(&timed("/beta", minutes)).await.status,
            status,
            "{minutes}"
        );
    }
    assert_eq!(
        get(&format!("{MINE}/abc")).await.status,
        StatusCode::NOT_FOUND
    );

    // Nothing else takes it, and nothing else is taken here.
    for path in [
        paths::USERS,
        paths::ME,
        paths::DEVICES,
        paths::DEVICE_KEY_DELTA,
    ] {
        assert_eq!(get(path).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    let provisioned = desk.provision(&token).await;
    assert_eq!(provisioned.status, StatusCode::UNAUTHORIZED);
    let traded = desk
        .house
        .post(paths::REGISTRATION_TOKEN, &token, json!({}))
        .await;
    assert_eq!(traded.status, StatusCode::UNAUTHORIZED);
    let other = desk.access(&prt).await;
    assert_eq!(
        desk.house.get(MINE, &other).await.status,
        StatusCode::UNAUTHORIZED
    );

    // Keys change by somebody who is there, at a device that may still be used.
    let options = format!("{MINE}/creationOptions");
    let operator = Caller::operator();
    desk.house
        .cloud
        .enable_device(&operator, desk.device.id, false)
        .unwrap();
    assert_eq!(get(&options).await.status, StatusCode::FORBIDDEN);
    desk.house
        .cloud
        .enable_device(&operator, desk.device.id, true)
        .unwrap();
    assert_eq!(get(&options).await.status, StatusCode::OK);
    desk.house.clock.advance_seconds(15 * 60 + 1);
    assert_eq!(get(MINE).await.status, StatusCode::OK);
    assert_eq!(get(&options).await.status, StatusCode::FORBIDDEN);
    let removed = desk
        .house
        .ask(
            axum::http::Method::DELETE,
            &format!("{MINE}/AAAA"),
            &token,
            json!(null),
        )
        .await;
    assert_eq!(removed.status, StatusCode::FORBIDDEN);
    let change = UserChange {
        account_enabled: Some(false),
        ..UserChange::default()
    };
    desk.house
        .cloud
        .change_user(&operator, desk.user.id, &change)
        .unwrap();
    assert_eq!(get(MINE).await.status, StatusCode::FORBIDDEN);
    desk.house.clock.advance_seconds(15 * 60);
    assert_eq!(get(MINE).await.status, StatusCode::UNAUTHORIZED);
}
