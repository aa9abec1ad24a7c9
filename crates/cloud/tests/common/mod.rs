//! A tenant in a temporary directory under a clock that stands still, asked without a socket.

#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

pub mod device;
pub mod ground;
pub mod key;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use cloud::{Caller, Cloud, Compatibility, Limits, NewTenant, Surroundings};
use cloud_api::users::{NewUser, SyncUser, User};
use serde_json::Value;
use tower::ServiceExt;
use types::{Guid, SeededEntropy, Timestamp, VirtualClock};

pub const RP_ID: &str = "login.contoso.example";
pub const ORIGIN: &str = "https://login.contoso.example";

pub struct House {
    pub cloud: Cloud,
    pub clock: Arc<VirtualClock>,
    pub router: Router,
    pub admin: String,
    pub sync: String,
    pub state: tempfile::TempDir,
}

pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub json: Value,
    pub text: String,
}

impl Reply {
    /// The error code, or nothing where it succeeded.
    pub fn code(&self) -> &str {
        self.json["error"]["code"].as_str().unwrap_or_default()
    }
}

impl House {
    pub fn new() -> Self {
        Self::with_limits(Limits::default())
    }

    pub fn with_limits(limits: Limits) -> Self {
        Self::with(limits, Compatibility::default())
    }

    pub fn with_compatibility(compatibility: Compatibility) -> Self {
        Self::with(Limits::default(), compatibility)
    }

    fn with(limits: Limits, compatibility: Compatibility) -> Self {
        let state = tempfile::tempdir().unwrap();
        let clock = clock();
        let surroundings = Surroundings::new(clock.clone(), Box::new(SeededEntropy::new(42)))
            .with_limits(limits)
            .with_compatibility(compatibility);
        let tenant = NewTenant::new("contoso.example", RP_ID);
        let path = state.path().join("cloud.sqlite");
        let (cloud, admin) = Cloud::create(&path, &tenant, surroundings).unwrap();
        let sync = cloud
            .issue_sync_token(&Caller::operator(), "connector", None)
            .unwrap();
        Self {
            router: cloud::router(cloud.clone()),
            admin: admin.expose().clone(),
            sync: sync.expose().clone(),
            cloud,
            clock,
            state,
        }
    }

    /// The same store and the same moment in another process, as it were: what lived in memory alone is gone.
    pub fn reopen(&mut self) {
        let path = self.state.path().join("cloud.sqlite");
        self.cloud = open(&path, self.clock.clone());
        self.router = cloud::router(self.cloud.clone());
    }

    /// A store that another house made, at the moment where houses begin.
    pub fn opened(path: &std::path::Path) -> Self {
        let clock = clock();
        let cloud = open(path, clock.clone());
        Self {
            router: cloud::router(cloud.clone()),
            admin: String::new(),
            sync: String::new(),
            cloud,
            clock,
            state: tempfile::tempdir().unwrap(),
        }
    }

    /// Any request.
    pub async fn send(&self, request: Request<Body>) -> Reply {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, 1 << 24).await.unwrap();
        Reply {
            status: parts.status,
            headers: parts.headers,
            json: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// A request with JSON, or without a body where it is null.
    pub async fn ask(&self, method: Method, path: &str, token: &str, body: Value) -> Reply {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            Value::Null => Body::empty(),
            json => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(json.to_string())
            }
        };
        self.send(request.body(body).unwrap()).await
    }

    pub async fn get(&self, path: &str, token: &str) -> Reply {
        self.ask(Method::GET, path, token, Value::Null).await
    }

    pub async fn post(&self, path: &str, token: &str, body: Value) -> Reply {
        self.ask(Method::POST, path, token, body).await
    }

    pub fn user(&self, name: &str) -> User {
        let request = NewUser {
            user_principal_name: format!("{name}@corp.contoso.com"),
            display_name: name.to_owned(),
            account_enabled: true,
        };
        self.cloud
            .create_user(&Caller::operator(), &request)
            .unwrap()
    }

    pub fn synced_user(&self, name: &str, object: u8) -> User {
        let request = SyncUser {
            user_principal_name: Some(format!("{name}@corp.contoso.com")),
            on_premises_immutable_id: Some(cloud_api::users::source_anchor(Guid::from_bytes_le(
                [object; 16],
            ))),
            on_premises_security_identifier: Some(
                format!("S-1-5-21-1-2-3-{}", 1100 + u32::from(object))
                    .parse()
                    .unwrap(),
            ),
            on_premises_sam_account_name: Some(name.to_owned()),
            ..SyncUser::default()
        };
        self.cloud
            .create_synced_user(&Caller::operator(), &request)
            .unwrap()
    }

    /// A session of a user, bought with a temporary access pass.
    pub async fn session(&self, user: &User) -> String {
        let path = cloud_api::paths::temporary_access_passes(user.id);
        let pass = self.post(&path, &self.admin, serde_json::json!({})).await;
        assert_eq!(pass.status, StatusCode::CREATED);
        let reply = self
            .post(
                cloud_api::paths::SIGN_IN_TEMPORARY_ACCESS_PASS,
                "",
                serde_json::json!({
                    "userPrincipalName": user.user_principal_name,
                    "temporaryAccessPass": pass.json["temporaryAccessPass"],
                }),
            )
            .await;
        assert_eq!(reply.status, StatusCode::OK);
        reply.json["access_token"].as_str().unwrap().to_owned()
    }
}

fn clock() -> Arc<VirtualClock> {
    let start = Timestamp::parse_rfc3339("2026-06-10T05:06:07.1234567Z").unwrap();
    Arc::new(VirtualClock::new(start))
}

fn open(path: &std::path::Path, clock: Arc<VirtualClock>) -> Cloud {
    // Another process has other randomness.
    static SEED: AtomicU64 = AtomicU64::new(43);
    let seed = SEED.fetch_add(1, Ordering::Relaxed);
    let surroundings = Surroundings::new(clock, Box::new(SeededEntropy::new(seed)));
    Cloud::open(path, surroundings).unwrap()
}
