//! What a device shows of its primary refresh token signs its user in at applications: in a browser without the page, and
//! by a signed request; and each wrong way ends at the page or in a refusal.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use cloud::{Caller, Compatibility};
use cloud_api::base64::Base64Url;
use cloud_api::claims::{ClaimsRequest, STRENGTHS};
use cloud_api::conditional_access::{AccessPolicy, STRENGTH_PHISHING_RESISTANT};
use cloud_api::jose::{self, Header, Jws, SessionCipher};
use cloud_api::oidc::{ApplicationAnswer, ApplicationClaims, GRANT_CODE};
use cloud_api::prt::{GRANT_JWT, GRANT_REFRESH, HS256, TokenAnswer, TokenRequest};
use cloud_api::session::hs256;
use cloud_api::users::{User, UserChange};
use common::device::{Device, Prt, Renewal, SecurityKey};
use common::{House, Reply};
use data_encoding::BASE64;
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
    device: Device,
    prt: Prt,
}

/// How a credential is made; the defaults are right.
struct Manner<'a> {
    alg: &'static str,
    kdf_ver: Option<u8>,
    /// Another one than of this moment.
    nonce: Option<&'a str>,
    has_nonce: bool,
    /// Signed with the session key of this token, and not of the one that is shown.
    signer: Option<&'a Prt>,
}

impl Default for Manner<'_> {
    fn default() -> Self {
        Self {
            alg: HS256,
            kdf_ver: Some(2),
            nonce: None,
            has_nonce: true,
            signer: None,
        }
    }
}

impl Desk {
    async fn new() -> Self {
        Self::with(Compatibility::default()).await
    }

    async fn with(compatibility: Compatibility) -> Self {
        let house = House::with_compatibility(compatibility);
        let user = house.ground_user("testuser", 1);
        let key = SecurityKey::register(&house, &user, 0xC1);
        let device = Device::join(&house, &user).await;
        let prt = device.sign_in(&house, &key, 2).await;
        Self {
            house,
            user,
            key,
            device,
            prt,
        }
    }

    /// A token by a session: weaker than one by key.
    async fn weak(&self) -> Prt {
        let request = TokenRequest {
            request_nonce: self.house.nonce().await,
            scope: "openid aza".into(),
            grant_type: GRANT_REFRESH.into(),
            refresh_token: Some(self.house.session(&self.user).await),
            ..TokenRequest::default()
        };
        let reply = self.house.token(&self.device.signed(&request)).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        let answer: TokenAnswer = serde_json::from_value(reply.json).unwrap();
        let jwe = answer.session_key_jwe.as_deref().unwrap();
        Prt {
            token: answer.refresh_token.clone(),
            session: self.device.key.open_session_key(jwe).unwrap(),
            answer,
        }
    }

    async fn credential(&self, prt: &Prt, manner: Manner<'_>) -> String {
        let nonce = match manner.nonce {
            Some(nonce) => nonce.to_owned(),
            None => self.house.nonce().await,
        };
        let mut claims = json!({"refresh_token": prt.token, "is_primary": "true"});
        match manner.has_nonce {
            true => claims["request_nonce"] = nonce.into(),
            false => claims["iat"] = "1780000000".into(),
        }
        let context = [9; 24];
        let header = Header {
            alg: manner.alg.into(),
            ctx: Some(BASE64.encode(&context)),
            kdf_ver: manner.kdf_ver,
            ..Header::default()
        };
        let input = Jws::signing_input(&header, &claims).unwrap();
        let payload = Base64Url::parse(input.split('.').nth(1).unwrap()).unwrap();
        let session = &manner.signer.unwrap_or(prt).session;
        let key = match manner.kdf_ver {
            Some(2) => session.derive_for(&context, &payload.0),
            _ => session.derive(&context),
        };
        Jws::text(&input, &hs256(&key, input.as_bytes()))
    }

    async fn authorize(&self, headers: &[(&str, &str)], extra: &[(&str, &str)]) -> Reply {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("client_id", CLIENT),
                ("redirect_uri", BACK),
                ("response_type", "code"),
                ("scope", "openid profile offline_access"),
                ("state", "st"),
                ("code_challenge", CHALLENGE),
                ("code_challenge_method", "S256"),
            ])
            .extend_pairs(extra)
            .finish();
        self.at(&format!("/common/oauth2/v2.0/authorize?{query}"), headers)
            .await
    }

    async fn at(&self, path: &str, headers: &[(&str, &str)]) -> Reply {
        let mut request = Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.house.send(request.body(Body::empty()).unwrap()).await
    }

    async fn shown(&self, credential: &str, extra: &[(&str, &str)]) -> Reply {
        self.authorize(&[("x-ms-refreshtokencredential", credential)], extra)
            .await
    }

    async fn shown_in(&self, manner: Manner<'_>) -> Reply {
        let credential = self.credential(&self.prt, manner).await;
        self.shown(&credential, &[]).await
    }

    async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = Request::post(path).body(Body::from(body)).unwrap();
        self.house.send(request).await
    }

    async fn redeem(&self, code: &str) -> Reply {
        self.form(
            "/common/oauth2/v2.0/token",
            &[
                ("grant_type", GRANT_CODE),
                ("client_id", CLIENT),
                ("code", code),
                ("redirect_uri", BACK),
                ("code_verifier", VERIFIER),
            ],
        )
        .await
    }

    async fn refresh(&self, token: &str, claims: &str) -> Reply {
        self.form(
            "/common/oauth2/v2.0/token",
            &[
                ("grant_type", GRANT_REFRESH),
                ("client_id", CLIENT),
                ("refresh_token", token),
                ("claims", claims),
            ],
        )
        .await
    }

    /// Tokens of the application by single sign-on.
    async fn tokens(&self, prt: &Prt) -> Value {
        let credential = self.credential(prt, Manner::default()).await;
        let reply = self
            .redeem(&code(&self.shown(&credential, &[]).await))
            .await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        reply.json
    }

    fn demand(&self, control: Value) -> AccessPolicy {
        let policy: AccessPolicy = serde_json::from_value(json!({
            "displayName": "demanding",
            "state": "enabled",
            "conditions": {
                "users": {"includeUsers": ["All"]},
                "applications": {"includeApplications": ["All"]},
            },
            "grantControls": control,
        }))
        .unwrap();
        let cloud = &self.house.cloud;
        cloud
            .add_access_policy(&Caller::operator(), &policy)
            .unwrap()
    }
}

fn strong() -> Value {
    json!({"operator": "AND", "authenticationStrength": {"id": STRENGTH_PHISHING_RESISTANT}})
}

/// Where the browser is sent.
#[track_caller]
fn location(reply: &Reply) -> String {
    assert_eq!(reply.status, StatusCode::FOUND, "{}", reply.text);
    reply.headers["location"].to_str().unwrap().to_owned()
}

#[track_caller]
fn member(target: &str, name: &str) -> String {
    let base = url::Url::parse("https://login.contoso.example").unwrap();
    let target = base.join(target).unwrap();
    let mut pairs = target.query_pairs();
    let found = pairs.find(|(member, _)| member == name);
    found
        .unwrap_or_else(|| panic!("no {name} in {target}"))
        .1
        .into_owned()
}

/// The code, sent to the application.
#[track_caller]
fn code(reply: &Reply) -> String {
    let target = location(reply);
    assert!(target.starts_with(BACK), "{target}");
    assert_eq!(member(&target, "state"), "st");
    member(&target, "code")
}

/// Sent here again, with a nonce.
#[track_caller]
fn nonce(reply: &Reply) -> String {
    let target = location(reply);
    assert!(
        target.starts_with("/common/oauth2/v2.0/authorize?"),
        "{target}"
    );
    assert_eq!(member(&target, "client_id"), CLIENT);
    member(&target, "sso_nonce")
}

/// The page, which says why nothing else signed the user in.
#[track_caller]
fn page(reply: &Reply, why: &str) {
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    assert!(reply.text.contains("data-sign-in="), "{}", reply.text);
    assert!(reply.text.contains(why), "{why}: {}", reply.text);
}

fn claims(text: &Value) -> ApplicationClaims {
    Jws::parse(text.as_str().unwrap())
        .unwrap()
        .claims()
        .unwrap()
}

#[tokio::test]
async fn a_device_signs_its_user_in_without_the_page() {
    let desk = Desk::new().await;
    desk.house.clock.advance_seconds(3600);
    let tokens = desk.tokens(&desk.prt).await;
    let id = claims(&tokens["id_token"]);
    assert_eq!((id.oid, id.deviceid), (desk.user.id, Some(desk.device.id)));
    assert_eq!(id.amr, ["fido", "mfa"]);
    assert!(id.acrs.contains(&STRENGTH_PHISHING_RESISTANT.to_owned()));
    assert_eq!(id.iat - id.auth_time, 3600, "the touch, and not the moment");
    let told = desk.house.activities();
    assert!(told.iter().any(|told| told == "signInToApplication"));

    let credential = desk.credential(&desk.prt, Manner::default()).await;
    let cookie = format!("theme=dark; x-ms-RefreshTokenCredential={credential}");
    code(&desk.authorize(&[("cookie", &cookie)], &[]).await);

    let weak = desk.weak().await;
    let id = claims(&desk.tokens(&weak).await["id_token"]);
    assert_eq!(id.amr, ["tap", "mfa"]);
    assert!(!id.acrs.contains(&STRENGTH_PHISHING_RESISTANT.to_owned()));
}

#[tokio::test]
async fn a_browser_without_a_good_nonce_is_sent_for_one_once() {
    let desk = Desk::new().await;
    let without = Manner {
        has_nonce: false,
        ..Manner::default()
    };
    let first = nonce(&desk.shown_in(without).await);
    let with = Manner {
        nonce: Some(&first),
        ..Manner::default()
    };
    let credential = desk.credential(&desk.prt, with).await;
    code(&desk.shown(&credential, &[("sso_nonce", &first)]).await);

    // Replayed: the nonce is used, so the browser is sent for another and must sign again.
    let second = nonce(&desk.shown(&credential, &[("sso_nonce", &first)]).await);
    assert_ne!(first, second);
    // Who cannot sign again is not sent round in circles.
    let reply = desk.shown(&credential, &[("sso_nonce", &second)]).await;
    page(&reply, "nonce is used, stale");
    // Stale.
    let old = desk.house.nonce().await;
    desk.house.clock.advance_seconds(301);
    let stale = Manner {
        nonce: Some(&old),
        ..Manner::default()
    };
    nonce(&desk.shown_in(stale).await);
}

#[tokio::test]
async fn what_is_not_signed_by_the_tokens_own_device_signs_nobody_in() {
    let desk = Desk::new().await;
    let other = Device::join(&desk.house, &desk.user).await;
    let theirs = other.sign_in(&desk.house, &desk.key, 3).await;
    // This device's token, signed with what another device has; and the other way round.
    let stolen = Manner {
        signer: Some(&theirs),
        ..Manner::default()
    };
    page(
        &desk.shown_in(stolen).await,
        "not in the hands of its device",
    );
    let own = Manner {
        signer: Some(&desk.prt),
        ..Manner::default()
    };
    let credential = desk.credential(&theirs, own).await;
    page(
        &desk.shown(&credential, &[]).await,
        "not in the hands of its device",
    );
    for alg in ["none", "RS256", "HS512"] {
        let manner = Manner {
            alg,
            ..Manner::default()
        };
        page(&desk.shown_in(manner).await, "only HS256 is taken");
    }
    let good = desk.credential(&desk.prt, Manner::default()).await;
    let (signed, _) = good.rsplit_once('.').unwrap();
    for text in [&format!("{signed}."), signed, "", "a.b.c", "<script>"] {
        let reply = desk.shown(text, &[]).await;
        page(&reply, "could not sign you in by itself");
        assert!(!reply.text.contains("<script>"), "{}", reply.text);
    }
    let told = desk.house.activities();
    assert!(!told.iter().any(|told| told == "signInToApplication"));
}

/// CVE-2021-33781, as in requests for tokens.
#[tokio::test]
async fn the_first_derivation_needs_its_switch_here_too() {
    for (switched, kdf_ver) in [
        (false, None),
        (false, Some(1)),
        (true, None),
        (true, Some(1)),
    ] {
        let desk = Desk::with(Compatibility {
            first_key_derivation: switched,
            ..Compatibility::default()
        })
        .await;
        let manner = Manner {
            kdf_ver,
            ..Manner::default()
        };
        let reply = desk.shown_in(manner).await;
        match switched {
            true => drop(code(&reply)),
            false => page(&reply, "kdf_ver 2 is wanted"),
        }
    }
}

#[tokio::test]
async fn what_was_disabled_or_removed_signs_nobody_in() {
    let operator = Caller::operator();
    let disabled = UserChange {
        account_enabled: Some(false),
        ..UserChange::default()
    };

    let desk = Desk::new().await;
    let tokens = desk.tokens(&desk.prt).await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let cloud = &desk.house.cloud;
    cloud
        .enable_device(&operator, desk.device.id, false)
        .unwrap();
    page(
        &desk.shown_in(Manner::default()).await,
        "the device is disabled",
    );
    let reply = desk.refresh(refresh, "").await;
    assert_eq!(reply.json["suberror"], "deviceDisabled", "{}", reply.text);
    cloud
        .enable_device(&operator, desk.device.id, true)
        .unwrap();
    let reply = desk.refresh(refresh, "").await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    let refresh = reply.json["refresh_token"].as_str().unwrap();
    cloud.remove_device(&operator, desk.device.id).unwrap();
    page(
        &desk.shown_in(Manner::default()).await,
        "the device is gone",
    );
    let reply = desk.refresh(refresh, "").await;
    assert_eq!(reply.json["suberror"], "deviceDisabled", "{}", reply.text);

    let desk = Desk::new().await;
    desk.house
        .cloud
        .change_user(&operator, desk.user.id, &disabled)
        .unwrap();
    page(
        &desk.shown_in(Manner::default()).await,
        "the user is disabled",
    );

    let desk = Desk::new().await;
    let id = Base64Url(desk.key.id.clone()).to_string();
    desk.house
        .cloud
        .remove_security_key(&operator, desk.user.id, &id)
        .unwrap();
    page(&desk.shown_in(Manner::default()).await, "was removed");

    let desk = Desk::new().await;
    desk.house.clock.advance_seconds(14 * 24 * 3600);
    page(&desk.shown_in(Manner::default()).await, "has ended");
    let told = desk.house.activities();
    assert!(told.iter().any(|told| told == "refuseSignIn"));
}

#[tokio::test]
async fn an_application_asks_for_the_page_or_for_none() {
    let desk = Desk::new().await;
    let ask = async |extra: &[(&str, &str)]| {
        let credential = desk.credential(&desk.prt, Manner::default()).await;
        desk.shown(&credential, extra).await
    };
    for prompt in ["login", "select_account", "consent"] {
        page(&ask(&[("prompt", prompt)]).await, "");
    }
    code(&ask(&[("prompt", "none")]).await);
    code(&ask(&[("login_hint", "TestUser@corp.contoso.com")]).await);
    let other = [("login_hint", "other@corp.contoso.com")];
    page(&ask(&other).await, "expects another user");
    let silent = [("login_hint", "other@corp.contoso.com"), ("prompt", "none")];
    let target = location(&ask(&silent).await);
    assert_eq!(member(&target, "error"), "interaction_required");
    assert_eq!(member(&target, "state"), "st");
    let nobody = desk.authorize(&[], &[("prompt", "none")]).await;
    assert_eq!(member(&location(&nobody), "error"), "login_required");
    for bad in [("prompt", "sometimes"), ("max_age", "x"), ("claims", "[]")] {
        assert_eq!(ask(&[bad]).await.status, StatusCode::BAD_REQUEST, "{bad:?}");
    }
    desk.house.clock.advance_seconds(100);
    code(&ask(&[("max_age", "100")]).await);
    page(&ask(&[("max_age", "99")]).await, "stronger or newer");
    desk.house.clock.advance_seconds(15 * 60);
    let fresh = r#"{"access_token":{"amr":{"values":["ngcmfa","mfa"]}}}"#;
    page(&ask(&[("claims", fresh)]).await, "stronger or newer");
}

/// A page of somebody else that leads the browser here would otherwise get codes to where it wants on the user's machine.
#[tokio::test]
async fn a_foreign_page_gets_the_page() {
    let desk = Desk::new().await;
    for (site, good) in [
        ("none", true),
        ("same-origin", true),
        ("cross-site", false),
        ("same-site", false),
    ] {
        let credential = desk.credential(&desk.prt, Manner::default()).await;
        let headers = [
            ("x-ms-refreshtokencredential", credential.as_str()),
            ("sec-fetch-site", site),
        ];
        let reply = desk.authorize(&headers, &[]).await;
        match good {
            true => drop(code(&reply)),
            false => page(&reply, ""),
        }
    }
}

#[tokio::test]
async fn refused_credentials_are_counted() {
    let desk = Desk::new().await;
    let good = desk.credential(&desk.prt, Manner::default()).await;
    for _ in 0..30 {
        page(&desk.shown("a.b.c", &[]).await, "could not sign you in");
    }
    for text in ["a.b.c", &good] {
        let reply = desk.shown(text, &[]).await;
        assert_eq!(reply.status, StatusCode::BAD_REQUEST);
    }
    page(&desk.authorize(&[], &[]).await, "");
}

/// The device is known from its token, so a policy that wants a compliant one can be content.
#[tokio::test]
async fn policies_see_the_device_and_the_strength() {
    let desk = Desk::new().await;
    let compliant = json!({"operator": "AND", "builtInControls": ["compliantDevice"]});
    desk.demand(compliant);
    page(
        &desk.shown_in(Manner::default()).await,
        "a compliant device is needed",
    );
    let operator = Caller::operator();
    desk.house
        .cloud
        .mark_device(&operator, desk.device.id, true)
        .unwrap();
    code(&desk.shown_in(Manner::default()).await);

    let desk = Desk::new().await;
    let weak = desk.weak().await;
    desk.demand(strong());
    code(&desk.shown_in(Manner::default()).await);
    let credential = desk.credential(&weak, Manner::default()).await;
    let reply = desk.shown(&credential, &[("prompt", "none")]).await;
    assert_eq!(member(&location(&reply), "error"), "interaction_required");
    let credential = desk.credential(&weak, Manner::default()).await;
    page(
        &desk.shown(&credential, &[]).await,
        "a stronger sign-in is needed",
    );
}

#[tokio::test]
async fn a_refusal_says_what_to_ask_for_and_costs_no_token() {
    let desk = Desk::new().await;
    let weak = desk.weak().await;
    let tokens = desk.tokens(&weak).await;
    let refresh = tokens["refresh_token"].as_str().unwrap();
    let policy = desk.demand(strong());
    let reply = desk.refresh(refresh, "").await;
    assert_eq!(
        reply.json["error"], "interaction_required",
        "{}",
        reply.text
    );
    let challenge = reply.json["claims"].as_str().unwrap();
    let asked = ClaimsRequest::parse(challenge).unwrap();
    let strengths: Vec<_> = asked.values(STRENGTHS).collect();
    assert_eq!(strengths, [STRENGTH_PHISHING_RESISTANT]);
    // Who asks with it is not signed in by the weaker token, whatever the policies say by then.
    let cloud = &desk.house.cloud;
    cloud
        .remove_access_policy(&Caller::operator(), policy.id)
        .unwrap();
    let credential = desk.credential(&weak, Manner::default()).await;
    let reply = desk.shown(&credential, &[("claims", challenge)]).await;
    page(&reply, "stronger or newer");
    let credential = desk.credential(&desk.prt, Manner::default()).await;
    code(&desk.shown(&credential, &[("claims", challenge)]).await);
    let reply = desk.refresh(refresh, challenge).await;
    let seen = (&reply.json["error"], &reply.json["suberror"]);
    assert_eq!(seen, (&json!("interaction_required"), &json!("claims")));
    assert!(
        reply.json["claims"]
            .as_str()
            .unwrap()
            .contains(STRENGTH_PHISHING_RESISTANT)
    );
    assert_eq!(
        desk.refresh(refresh, "{").await.json["error"],
        "invalid_request"
    );
    // None of these refusals used the token up.
    assert_eq!(desk.refresh(refresh, "").await.status, StatusCode::OK);
    // What nothing can content asks for nothing.
    desk.demand(json!({"operator": "AND", "builtInControls": ["block"]}));
    let reply = desk.renewed(&desk.prt).await;
    assert_eq!(reply.json["error"], "access_denied", "{}", reply.text);
    assert!(reply.json.get("claims").is_none());
}

impl Desk {
    async fn renewed(&self, prt: &Prt) -> Reply {
        self.house
            .renew(&prt.token, &prt.session, &Renewal::default())
            .await
    }

    /// A signed request of the device for something else than its own token.
    async fn asked(&self, path: &str, version: &str, scope: &str, resource: Option<&str>) -> Reply {
        let request = TokenRequest {
            client_id: CLIENT.into(),
            request_nonce: self.house.nonce().await,
            scope: scope.into(),
            grant_type: GRANT_REFRESH.into(),
            refresh_token: Some(self.prt.token.clone()),
            resource: resource.map(str::to_owned),
            ..TokenRequest::default()
        };
        let header = Header {
            alg: HS256.into(),
            ctx: Some(BASE64.encode(&[9; 24])),
            kdf_ver: Some(2),
            ..Header::default()
        };
        let input = Jws::signing_input(&header, &request).unwrap();
        let payload = Base64Url::parse(input.split('.').nth(1).unwrap()).unwrap();
        let key = self.prt.session.derive_for(&[9; 24], &payload.0);
        let request = Jws::text(&input, &hs256(&key, input.as_bytes()));
        self.form(
            path,
            &[
                ("grant_type", GRANT_JWT),
                ("prt_protocol_version", version),
                ("request", &request),
            ],
        )
        .await
    }
}

const FIRST: &str = "/common/oauth2/token";
const SECOND: &str = "/common/oauth2/v2.0/token";

#[tokio::test]
async fn a_device_asks_for_tokens_of_an_application() {
    let desk = Desk::new().await;
    for (path, version, scope, resource) in [
        (FIRST, "", "openid", None),
        (FIRST, "", "openid", Some(CLIENT)),
        (SECOND, "3.0", &*format!("{CLIENT}/.default openid"), None),
    ] {
        let reply = desk.asked(path, version, scope, resource).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        let plain = jose::open(&reply.text, &desk.prt.session).unwrap();
        let answer: ApplicationAnswer = serde_json::from_slice(plain.expose()).unwrap();
        let access = claims(&answer.access_token.into());
        assert_eq!(
            (access.aud.as_str(), access.deviceid),
            (CLIENT, Some(desk.device.id))
        );
        let refresh = answer.refresh_token.unwrap();
        assert_eq!(desk.refresh(&refresh, "").await.status, StatusCode::OK);
    }
    let reply = desk
        .asked(FIRST, "", "openid", Some("https://mail.example"))
        .await;
    assert_eq!(reply.json["error"], "invalid_resource", "{}", reply.text);
    let reply = desk
        .asked(SECOND, "3.0", "https://mail.example/.default", None)
        .await;
    assert_eq!(reply.json["error"], "invalid_resource", "{}", reply.text);
    for version in ["4.0", "2.0", "x"] {
        let reply = desk.asked(SECOND, version, "openid aza", None).await;
        assert_eq!(reply.json["error"], "invalid_request", "{version}");
    }
}

#[tokio::test]
async fn protocol_3_is_answered_in_the_true_cipher() {
    let desk = Desk::with(Compatibility {
        response_cipher: SessionCipher::LegacyCbc,
        ..Compatibility::default()
    })
    .await;
    let old = desk.asked(FIRST, "", "openid aza", None).await;
    assert!(jose::open(&old.text, &desk.prt.session).is_err());
    jose::open_legacy(&old.text, &desk.prt.session).unwrap();
    let new = desk.asked(SECOND, "3.0", "openid aza", None).await;
    let plain = jose::open(&new.text, &desk.prt.session).unwrap();
    let answer: TokenAnswer = serde_json::from_slice(plain.expose()).unwrap();
    assert_ne!(answer.refresh_token, desk.prt.token);
}

/// A client in the field asks without the challenge of RFC 7636, and at the first version's endpoints.
#[tokio::test]
async fn a_code_without_challenge_needs_a_switch() {
    for switched in [false, true] {
        let desk = Desk::with(Compatibility {
            code_without_challenge: switched,
            ..Compatibility::default()
        })
        .await;
        let credential = desk.credential(&desk.prt, Manner::default()).await;
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("client_id", CLIENT),
                ("redirect_uri", BACK),
                ("response_type", "code"),
                ("resource", "https://mail.example"),
                ("state", "st"),
            ])
            .finish();
        let headers = [("x-ms-refreshtokencredential", credential.as_str())];
        let path = format!("/common/oauth2/authorize?{query}");
        let reply = desk.at(&path, &headers).await;
        if !switched {
            assert_eq!(reply.status, StatusCode::BAD_REQUEST);
            continue;
        }
        let code = code(&reply);
        // A verifier that belongs to no challenge is somebody else's attempt.
        let fields = [
            ("grant_type", GRANT_CODE),
            ("client_id", CLIENT),
            ("code", &code),
            ("redirect_uri", BACK),
        ];
        let with_verifier = [&fields[..], &[("code_verifier", VERIFIER)]].concat();
        let reply = desk.form(FIRST, &with_verifier).await;
        assert_eq!(reply.json["error"], "invalid_grant", "{}", reply.text);
        let credential = desk.credential(&desk.prt, Manner::default()).await;
        let headers = [("x-ms-refreshtokencredential", credential.as_str())];
        let again = self::code(&desk.at(&path, &headers).await);
        let fields = fields.map(|(name, value)| match name {
            "code" => (name, again.as_str()),
            _ => (name, value),
        });
        let reply = desk.form(FIRST, &fields).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        assert!(reply.json["refresh_token"].is_string(), "{}", reply.text);
    }
}
