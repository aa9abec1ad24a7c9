//! Hybrid join: a computer of the ground is pending until it joins by its synced certificate, each wrong proof is refused,
//! a policy that wants a domain joined device sees the difference, and what was removed signs nobody in.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use axum::http::{Method, StatusCode};
use cloud_api::conditional_access::APP_SIGN_IN;
use cloud_api::hybrid::ClientIdentity;
use cloud_api::paths;
use common::device::{Device, Renewal, RsaKey, SecurityKey, Touch};
use common::{House, Reply};
use data_encoding::BASE64;
use serde_json::{Value, json};
use types::{Clock, Guid};

const SID: &str = "S-1-5-21-1-2-3-1601";

/// A computer of the ground: its id, and the key of the certificate that it wrote into its own object.
struct Computer {
    id: Guid,
    key: RsaKey,
    certificate: Vec<u8>,
}

fn certificate(id: Guid, key: &RsaKey) -> Vec<u8> {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    let name = id.to_string();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    params.self_signed(&key.rcgen()).unwrap().der().to_vec()
}

impl Computer {
    fn new(number: u8) -> Self {
        let (id, key) = (Guid::from_bytes_le([number; 16]), RsaKey::generate());
        let certificate = certificate(id, &key);
        Self {
            id,
            key,
            certificate,
        }
    }

    /// What the sync says of it.
    fn synced(&self) -> Value {
        json!({
            "displayName": "WS01", "accountEnabled": true,
            "onPremisesSecurityIdentifier": SID, "onPremisesSamAccountName": "WS01$",
            "onPremisesDistinguishedName": "CN=WS01,OU=Workstations,DC=corp,DC=contoso,DC=com",
            "onPremisesDomainName": "corp.contoso.com",
            "certificates": [BASE64.encode(&self.certificate)],
        })
    }

    /// A good join with a new device key.
    fn join(&self, house: &House, device: &RsaKey) -> Value {
        let text = ClientIdentity::text(&SID.parse().unwrap(), house.clock.now()).unwrap();
        self.join_with(device, &text, &self.key.sign(text.as_bytes()))
    }

    fn join_with(&self, device: &RsaKey, text: &str, signature: &[u8]) -> Value {
        json!({
            "CertificateRequest": {"Type": "pkcs10", "Data": BASE64.encode(&device.certificate_request())},
            "ServerAdJoinData": {
                "TransportKey": BASE64.encode(&device.blob()), "TargetDomain": "contoso.example",
                "DeviceType": "Windows", "OSVersion": "10.0.19041.928", "DeviceDisplayName": "ws01",
                "TargetDomainId": "contoso.example",
                "ClientIdentity": {"Type": "sha256signed", "Sid": text, "SignedBlob": BASE64.encode(signature)},
            },
            "JoinType": 6,
            "attributes": {"ReuseDevice": "true", "ReturnClientSid": "true"},
        })
    }
}

impl House {
    async fn sync_device(&self, id: Guid, device: Value) -> Reply {
        self.ask(Method::PUT, &paths::sync_device(id), &self.sync, device)
            .await
    }

    async fn unsync_device(&self, id: Guid) -> Reply {
        let path = paths::sync_device(id);
        self.ask(Method::DELETE, &path, &self.sync, Value::Null)
            .await
    }

    async fn put_join(&self, id: Guid, body: Value) -> Reply {
        let path = format!("/EnrollmentServer/device/{id}?api-version=2.0");
        self.ask(Method::PUT, &path, "", body).await
    }

    async fn joined(&self, computer: &Computer) -> Device {
        let key = RsaKey::generate();
        let reply = self.put_join(computer.id, computer.join(self, &key)).await;
        assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
        let x5c = reply.json["Certificate"]["RawBody"].as_str().unwrap();
        Device {
            id: computer.id,
            x5c: x5c.to_owned(),
            key,
        }
    }

    async fn device(&self, id: Guid) -> Option<Value> {
        let list = self.get(paths::DEVICES, &self.admin).await;
        let mut devices = list.json["value"].as_array().unwrap().iter();
        devices
            .find(|device| device["id"] == id.to_string())
            .cloned()
    }

    async fn patch_device(&self, id: Guid, change: Value) -> StatusCode {
        self.ask(Method::PATCH, &paths::device(id), &self.admin, change)
            .await
            .status
    }
}

#[tokio::test]
async fn a_computer_is_pending_until_it_joins_by_itself() {
    let house = House::new();
    let computer = Computer::new(1);
    let key = RsaKey::generate();
    let unknown = house
        .put_join(computer.id, computer.join(&house, &key))
        .await;
    assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{}", unknown.text);
    assert!(unknown.text.contains("the sync has not brought it"));

    let reply = house.sync_device(computer.id, computer.synced()).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT, "{}", reply.text);
    let pending = house.device(computer.id).await.unwrap();
    assert_eq!(pending["trustType"], "ServerAd");
    assert_eq!(pending["onPremisesSyncEnabled"], true);
    assert_eq!(pending["onPremisesSecurityIdentifier"], SID);
    assert_eq!(pending.get("registrationDateTime"), None);

    let device = house.joined(&computer).await;
    let joined = house.device(computer.id).await.unwrap();
    assert_eq!(joined["trustType"], "ServerAd");
    assert_eq!(joined.get("registeredOwner"), None);
    assert!(joined["registrationDateTime"].is_string());
    assert_eq!(
        device.id, computer.id,
        "the device's id is the computer's objectGUID"
    );

    // Everybody signs in there: it is nobody's own.
    let user = house.synced_user("testuser", 7);
    let touch = SecurityKey::register(&house, &user, 0xC1);
    device.sign_in(&house, &touch, 2).await;
}

#[tokio::test]
async fn a_join_is_proven_or_refused() {
    let house = House::new();
    let (computer, other) = (Computer::new(1), Computer::new(2));
    house.sync_device(computer.id, computer.synced()).await;
    let mut synced = other.synced();
    synced["onPremisesSecurityIdentifier"] = "S-1-5-21-1-2-3-1602".into();
    synced["onPremisesSamAccountName"] = "WS02$".into();
    let reply = house.sync_device(other.id, synced).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT, "{}", reply.text);
    let device = RsaKey::generate();
    let text = |sid: &str, seconds: i64| {
        let when = house.clock.now().plus_seconds(seconds);
        ClientIdentity::text(&sid.parse().unwrap(), when).unwrap()
    };
    let signed =
        |key: &RsaKey, text: &str| computer.join_with(&device, text, &key.sign(text.as_bytes()));
    let now = text(SID, 0);
    let check = async |what: &str, id: Guid, body: Value, status: StatusCode, word: &str| {
        let reply = house.put_join(id, body).await;
        assert_eq!(reply.status, status, "{what}: {}", reply.text);
        assert!(reply.text.contains(word), "{what}: {}", reply.text);
    };
    let (no, bad) = (StatusCode::FORBIDDEN, StatusCode::BAD_REQUEST);
    let id = computer.id;
    check(
        "another computer's key",
        id,
        signed(&other.key, &now),
        no,
        "no certificate",
    )
    .await;
    check(
        "a key of nobody",
        id,
        signed(&RsaKey::generate(), &now),
        no,
        "no certificate",
    )
    .await;
    check(
        "another id",
        other.id,
        signed(&computer.key, &now),
        no,
        "another computer's",
    )
    .await;
    let theirs = text("S-1-5-21-1-2-3-1602", 0);
    check(
        "another SID",
        id,
        signed(&computer.key, &theirs),
        no,
        "another computer's",
    )
    .await;
    check(
        "an old proof",
        id,
        signed(&computer.key, &text(SID, -301)),
        no,
        "five minutes",
    )
    .await;
    check(
        "a proof of the future",
        id,
        signed(&computer.key, &text(SID, 302)),
        no,
        "five minutes",
    )
    .await;
    check(
        "no time",
        id,
        signed(&computer.key, SID),
        no,
        "the signed text",
    )
    .await;
    let mut moved = signed(&computer.key, &now);
    moved["ServerAdJoinData"]["ClientIdentity"]["Sid"] = text(SID, 1).into();
    check(
        "another time than the signed one",
        id,
        moved,
        no,
        "no certificate",
    )
    .await;
    let mut kind = signed(&computer.key, &now);
    kind["ServerAdJoinData"]["ClientIdentity"]["Type"] = "none".into();
    check("another kind", id, kind, no, "sha256signed").await;
    let mut kind = signed(&computer.key, &now);
    kind["JoinType"] = 0.into();
    check("another join type", id, kind, bad, "joins with 6").await;
    let mut request = signed(&computer.key, &now);
    request["CertificateRequest"]["Data"] = "AAAA".into();
    check("no request", id, request, bad, "PKCS #10").await;
    let mut request = signed(&computer.key, &now);
    request["ServerAdJoinData"]["TransportKey"] = "AAAA".into();
    check("no transport key", id, request, bad, "transport key").await;
    assert!(
        house
            .device(id)
            .await
            .unwrap()
            .get("registrationDateTime")
            .is_none()
    );

    // The right one works once.
    let right = signed(&computer.key, &now);
    check("right", id, right.clone(), StatusCode::OK, "RawBody").await;
    check("again", id, right, no, "used already").await;
    house.unsync_device(id).await;
    house.sync_device(id, computer.synced()).await;
    check(
        "again, after the device was removed",
        id,
        signed(&computer.key, &now),
        no,
        "used already",
    )
    .await;
}

#[tokio::test]
async fn the_sync_brings_only_a_computers_own_certificates() {
    let house = House::new();
    let computer = Computer::new(1);
    let check = async |what: &str, spoil: &dyn Fn(&mut Value), status: StatusCode| {
        let mut device = computer.synced();
        spoil(&mut device);
        let reply = house.sync_device(computer.id, device).await;
        assert_eq!(reply.status, status, "{what}: {}", reply.text);
    };
    let bad = StatusCode::BAD_REQUEST;
    let foreign = BASE64.encode(&Computer::new(2).certificate);
    check("no certificate", &|d| d["certificates"] = json!([]), bad).await;
    check(
        "another computer's",
        &|d| d["certificates"] = json!([foreign]),
        bad,
    )
    .await;
    check(
        "one of two",
        &|d| {
            d["certificates"]
                .as_array_mut()
                .unwrap()
                .push(foreign.clone().into())
        },
        bad,
    )
    .await;
    check("garbage", &|d| d["certificates"] = json!(["AAAA"]), bad).await;
    check(
        "an unknown member",
        &|d| d["trustType"] = "AzureAd".into(),
        bad,
    )
    .await;
    check("right", &|_| (), StatusCode::NO_CONTENT).await;
    // Set once.
    let conflict = StatusCode::CONFLICT;
    let sid = |d: &mut Value| d["onPremisesSecurityIdentifier"] = "S-1-5-21-1-2-3-500".into();
    check("another SID", &sid, conflict).await;
    check(
        "another account",
        &|d| d["onPremisesSamAccountName"] = "DC1$".into(),
        conflict,
    )
    .await;
    check(
        "another name",
        &|d| d["displayName"] = "WS01 of Ada".into(),
        StatusCode::NO_CONTENT,
    )
    .await;
    let twin = Computer::new(9);
    let reply = house.sync_device(twin.id, twin.synced()).await;
    assert_eq!(
        reply.status, conflict,
        "the SID belongs to the first: {}",
        reply.text
    );
    // A device that a user joined keeps its id.
    let user = house.user("testuser");
    let joined = Device::join(&house, &user).await;
    let taken = Computer {
        id: joined.id,
        certificate: certificate(joined.id, &computer.key),
        key: RsaKey::generate(),
    };
    let mut device = taken.synced();
    device["onPremisesSecurityIdentifier"] = "S-1-5-21-1-2-3-1999".into();
    let reply = house.sync_device(joined.id, device).await;
    assert_eq!(reply.status, conflict, "{}", reply.text);
    // Only the sync does all this.
    for token in [&house.admin, &house.session(&user).await] {
        let path = paths::sync_device(computer.id);
        let reply = house
            .ask(Method::PUT, &path, token, computer.synced())
            .await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
        let reply = house.ask(Method::DELETE, &path, token, Value::Null).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
    }
}

/// A policy that wants a domain joined device: what-if and real sign-ins say the same, before and after.
#[tokio::test]
async fn a_domain_joined_device_is_one_that_the_ground_vouches_for() {
    let house = House::new();
    let user = house.synced_user("testuser", 7);
    let touch = SecurityKey::register(&house, &user, 0xC1);
    let cloud_only = Device::join(&house, &user).await;
    let computer = Computer::new(1);
    house.sync_device(computer.id, computer.synced()).await;
    let policy = json!({
        "displayName": "desks of the domain", "state": "enabled",
        "conditions": {"users": {"includeUsers": ["All"]}, "applications": {"includeApplications": ["All"]}},
        "grantControls": {"operator": "AND", "builtInControls": ["domainJoinedDevice"]},
    });
    let reply = house
        .post(paths::ACCESS_POLICIES, &house.admin, policy)
        .await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.text);
    let what_if = async |device: Guid| {
        let question =
            json!({"user": user.id, "target": APP_SIGN_IN, "method": "fido2", "device": device});
        house.post(paths::WHAT_IF, &house.admin, question).await
    };
    assert_eq!(what_if(cloud_only.id).await.json["granted"], false);
    let pending = what_if(computer.id).await;
    assert_eq!(
        pending.status,
        StatusCode::NOT_FOUND,
        "nobody signs in at a device that has not joined"
    );
    let refused = cloud_only
        .try_sign_in(&house, &touch, &Touch::default())
        .await;
    assert_eq!(
        refused.json["error"], "interaction_required",
        "{}",
        refused.text
    );

    let device = house.joined(&computer).await;
    assert_eq!(what_if(computer.id).await.json["granted"], true);
    let prt = device.sign_in(&house, &touch, 3).await;
    let renewal = Renewal::default();
    let renewed = house.renew(&prt.token, &prt.session, &renewal).await;
    assert_eq!(renewed.status, StatusCode::OK, "{}", renewed.text);

    // Disabled on the ground.
    let mut disabled = computer.synced();
    disabled["accountEnabled"] = false.into();
    house.sync_device(computer.id, disabled).await;
    let reply = house.renew(&prt.token, &prt.session, &renewal).await;
    assert_eq!(reply.json["suberror"], "deviceDisabled", "{}", reply.text);
    house.sync_device(computer.id, computer.synced()).await;
    let reply = house.renew(&prt.token, &prt.session, &renewal).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);

    // Gone from the ground, or without its certificate there: what it had is worth nothing.
    let reply = house.unsync_device(computer.id).await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT);
    assert_eq!(house.device(computer.id).await, None);
    let touch_again = Touch {
        counter: 4,
        ..Touch::default()
    };
    let reply = device.try_sign_in(&house, &touch, &touch_again).await;
    assert_eq!(reply.json["error"], "invalid_client", "{}", reply.text);
    let reply = house.renew(&prt.token, &prt.session, &renewal).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.text);
    assert_eq!(what_if(computer.id).await.status, StatusCode::NOT_FOUND);
}

/// The id of a hybrid device never changes: tokens of before a new join must not come back to life with it.
#[tokio::test]
async fn a_new_join_ends_what_was_issued_before() {
    let house = House::new();
    let user = house.synced_user("testuser", 7);
    let touch = SecurityKey::register(&house, &user, 0xC1);
    let computer = Computer::new(1);
    house.sync_device(computer.id, computer.synced()).await;
    let first = house.joined(&computer).await;
    let prt = first.sign_in(&house, &touch, 2).await;
    house.clock.advance_seconds(60);
    let second = house.joined(&computer).await;
    assert_eq!(first.id, second.id);
    let reply = house
        .renew(&prt.token, &prt.session, &Renewal::default())
        .await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "{}", reply.text);
    let reply = first
        .try_sign_in(
            &house,
            &touch,
            &Touch {
                counter: 3,
                ..Touch::default()
            },
        )
        .await;
    assert_eq!(
        reply.json["error"], "invalid_client",
        "the former key: {}",
        reply.text
    );
    second.sign_in(&house, &touch, 4).await;
}

/// An administrator's no outlives the device, which could otherwise leave and join anew to be rid of it.
#[tokio::test]
async fn a_disabled_device_does_not_join_itself_free() {
    let house = House::new();
    let user = house.synced_user("testuser", 7);
    let touch = SecurityKey::register(&house, &user, 0xC1);
    let computer = Computer::new(1);
    house.sync_device(computer.id, computer.synced()).await;
    let device = house.joined(&computer).await;
    let off = json!({"accountEnabled": false});
    assert_eq!(
        house.patch_device(computer.id, off).await,
        StatusCode::NO_CONTENT
    );
    let der = BASE64.decode(device.x5c.as_bytes()).unwrap();
    house.cloud.leave(computer.id, &der).unwrap();
    house.unsync_device(computer.id).await;
    house.sync_device(computer.id, computer.synced()).await;
    assert_eq!(
        house.device(computer.id).await.unwrap()["accountEnabled"],
        false
    );
    house.clock.advance_seconds(1);
    let again = house.joined(&computer).await;
    let reply = again.try_sign_in(&house, &touch, &Touch::default()).await;
    assert_eq!(reply.json["suberror"], "deviceDisabled", "{}", reply.text);
    let on = json!({"accountEnabled": true});
    assert_eq!(
        house.patch_device(computer.id, on).await,
        StatusCode::NO_CONTENT
    );
    again.sign_in(&house, &touch, 3).await;
}

#[tokio::test]
async fn a_device_leaves_by_its_own_certificate() {
    let house = House::new();
    let user = house.user("testuser");
    let (mine, other) = (
        Device::join(&house, &user).await,
        Device::join(&house, &user).await,
    );
    let der = |device: &Device| BASE64.decode(device.x5c.as_bytes()).unwrap();
    let self_made = certificate(mine.id, &other.key);
    for (what, id, certificate) in [
        ("another device's", mine.id, der(&other)),
        ("the right name on another key", mine.id, self_made),
        ("no certificate", mine.id, b"no certificate".to_vec()),
        ("an unknown device", Guid::ZERO, der(&mine)),
    ] {
        let left = house.cloud.leave(id, &certificate);
        assert!(
            matches!(left, Err(cloud::Error::NotTheDevice)),
            "{what}: {left:?}"
        );
    }
    // Without TLS there is no certificate.
    let path = paths::own_device(mine.id);
    let reply = house.ask(Method::DELETE, &path, "", Value::Null).await;
    assert_eq!(reply.status, StatusCode::FORBIDDEN, "{}", reply.text);
    house.cloud.leave(mine.id, &der(&mine)).unwrap();
    assert_eq!(house.device(mine.id).await, None);
    assert!(house.device(other.id).await.is_some());

    // An administrator removes one of the ground; the sync sees that it is gone and brings it again, pending.
    let computer = Computer::new(1);
    house.sync_device(computer.id, computer.synced()).await;
    house.joined(&computer).await;
    let ground = async || house.get(paths::GROUND, &house.sync).await.json;
    let before = ground().await;
    assert_eq!(before["devices"][0]["id"], computer.id.to_string());
    let path = paths::device(computer.id);
    let reply = house
        .ask(Method::DELETE, &path, &house.admin, Value::Null)
        .await;
    assert_eq!(reply.status, StatusCode::NO_CONTENT, "{}", reply.text);
    let after = ground().await;
    assert_ne!(after["version"], before["version"]);
    assert_eq!(after["devices"], json!([]));
}

#[tokio::test]
async fn the_sync_reads_what_it_brought_and_nothing_where_nothing_changed() {
    let house = House::new();
    let empty = house.get(paths::GROUND, &house.sync).await.json;
    assert_eq!(empty["devices"], json!([]));
    let computer = Computer::new(1);
    house.sync_device(computer.id, computer.synced()).await;
    let server = json!({"domainSid": "S-1-5-21-1-2-3", "number": 39612, "keyVersion": 2, "krbtgtName": "krbtgt_39612"});
    let path = paths::sync_kerberos_server("corp.contoso.com");
    let put = async |server: &Value| {
        house
            .ask(Method::PUT, &path, &house.sync, server.clone())
            .await
    };
    assert_eq!(put(&server).await.status, StatusCode::NO_CONTENT);
    let full = house.get(paths::GROUND, &house.sync).await.json;
    assert_ne!(full["version"], empty["version"]);
    assert_eq!(full["devices"][0]["device"], computer.synced());
    assert_eq!(
        full["kerberosServers"][0],
        json!({"domainDnsName": "corp.contoso.com", "server": server})
    );
    // The same once more changes nothing.
    house.sync_device(computer.id, computer.synced()).await;
    put(&server).await;
    let version = full["version"].as_str().unwrap();
    let same = house
        .get(&format!("{}?version={version}", paths::GROUND), &house.sync)
        .await
        .json;
    assert_eq!(same, json!({"version": version}));
    for (member, value) in [
        ("number", 0.into()),
        ("domainSid", "S-1-5-21-9-9-9".into()),
        ("key", "AAAA".into()),
    ] {
        let mut wrong = server.clone();
        wrong[member] = value;
        assert_eq!(
            put(&wrong).await.status,
            StatusCode::BAD_REQUEST,
            "{member}"
        );
    }
    let gone = house
        .ask(Method::DELETE, &path, &house.sync, Value::Null)
        .await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(
        house
            .get(paths::GROUND, &house.sync)
            .await
            .json
            .get("kerberosServers"),
        None
    );
    let user = house.user("testuser");
    let session = house.session(&user).await;
    assert_eq!(
        house.get(paths::GROUND, &session).await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn clients_find_everything_by_discovery() {
    let house = House::new();
    let tenant = house.cloud.tenant().unwrap().id;
    for path in [
        "/drs/contoso.example/Discover?api-version=1.9&managed=True",
        "/contoso.example/Discover?api-version=1.9",
        "/contoso.example/discover",
        "/EnrollmentServer/contract?api-version=1.0",
    ] {
        let request = axum::http::Request::get(path)
            .header("host", "login.contoso.example:8443")
            .body(axum::body::Body::empty())
            .unwrap();
        let found = house.send(request).await;
        assert_eq!(found.status, StatusCode::OK, "{path}: {}", found.text);
        let join = &found.json["DeviceJoinService"];
        assert_eq!(
            join["JoinEndpoint"],
            "https://login.contoso.example:8443/drs/device/"
        );
        assert_eq!(
            join["JoinResourceId"],
            "urn:ms-drs:enterpriseregistration.windows.net"
        );
        assert_eq!(found.json["TenantInfo"]["TenantId"], tenant.to_string());
        assert!(found.json["AuthenticationService"]["OAuth2"]["TokenEndpoint"].is_string());
    }
    let request = axum::http::Request::get("/drs/common/Discover")
        .header("host", "a\"b")
        .body(axum::body::Body::empty())
        .unwrap();
    assert_eq!(house.send(request).await.status, StatusCode::BAD_REQUEST);
}

/// The nonce stands in the certificate request (OID 1.2.840.113556.1.5.284.2.1), and works once.
#[tokio::test]
async fn a_nonce_in_the_request_is_used_up() {
    let house = House::new();
    let computer = Computer::new(1);
    house.sync_device(computer.id, computer.synced()).await;
    let path = format!("/EnrollmentServer/nonce/{}/?api-version=1.0", Guid::ZERO);
    let reply = house.get(&path, "").await;
    let nonce = reply.json["Value"].as_str().unwrap().to_owned();
    let device = RsaKey::generate();
    let request = |nonce: &str| {
        let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let oid = [1, 2, 840, 113_556, 1, 5, 284, 2, 1];
        let octets = nonce.as_bytes().to_vec();
        params.custom_extensions = vec![rcgen::CustomExtension::from_oid_content(&oid, octets)];
        params
            .serialize_request(&device.rcgen())
            .unwrap()
            .der()
            .to_vec()
    };
    let join = async |nonce: &str| {
        house.clock.advance_seconds(1);
        let mut body = computer.join(&house, &device);
        body["CertificateRequest"]["Data"] = BASE64.encode(&request(nonce)).into();
        house.put_join(computer.id, body).await
    };
    let strange = join("strange").await;
    assert_eq!(strange.status, StatusCode::BAD_REQUEST, "{}", strange.text);
    assert!(strange.text.contains("nonce"), "{}", strange.text);
    let good = join(&nonce).await;
    assert_eq!(good.status, StatusCode::OK, "{}", good.text);
    let again = join(&nonce).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST, "{}", again.text);
}

/// Some clients send the transport key as a JSON Web Key, in plain base64 or base64url.
#[tokio::test]
async fn a_transport_key_may_be_a_json_web_key() {
    let house = House::new();
    let user = house.synced_user("testuser", 7);
    let touch = SecurityKey::register(&house, &user, 0xC1);
    let session = house.session(&user).await;
    let device = RsaKey::generate();
    let jwk = device.jwk();
    let mut body = serde_json::to_value(common::device::join_request(&device, "mac")).unwrap();
    body["TransportKey"] = BASE64.encode(jwk.to_string().as_bytes()).into();
    body["AikCertificate"] = "".into();
    let reply = house.post(paths::JOIN_DEVICE, &session, body.clone()).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    let x5c = reply.json["Certificate"]["RawBody"]
        .as_str()
        .unwrap()
        .to_owned();
    let der = BASE64.decode(x5c.as_bytes()).unwrap();
    let read: x509_cert::Certificate = x509_cert::der::Decode::from_der(&der).unwrap();
    let subject = read.tbs_certificate().subject().to_string();
    let id = subject.strip_prefix("CN=").unwrap().parse().unwrap();
    // The session key arrives.
    Device {
        id,
        x5c,
        key: device,
    }
    .sign_in(&house, &touch, 2)
    .await;
    for wrong in [
        json!({"kty": "EC", "n": jwk["n"], "e": "AQAB"}),
        json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"}),
        json!({}),
    ] {
        body["TransportKey"] = BASE64.encode(wrong.to_string().as_bytes()).into();
        let reply = house.post(paths::JOIN_DEVICE, &session, body.clone()).await;
        assert_eq!(
            reply.status,
            StatusCode::BAD_REQUEST,
            "{wrong}: {}",
            reply.text
        );
    }
}
