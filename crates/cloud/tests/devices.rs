//! Joining devices, and Kerberos server objects: the right way, and each wrong way refused; and a store of the first
//! version grows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::Arc;

use aws_lc_rs::rsa::KeySize;
use axum::http::{Method, StatusCode};
use cloud::{Caller, Cloud, Error, Surroundings};
use cloud_api::base64::Base64Url;
use cloud_api::devices::{JoinDevice, JoinType};
use cloud_api::paths;
use cloud_api::trust::{PublishServer, SealedKey, TrustKey};
use common::House;
use common::device::{Device, RsaKey, SecurityKey, join_request};
use common::ground::{DOMAIN, NUMBER, REALM, publication, seal, server};
use data_encoding::BASE64;
use serde_json::{Value, json};
use types::{Guid, SeededEntropy};
use x509_cert::der::Decode;

fn operator() -> Caller {
    Caller::operator()
}

#[tokio::test]
async fn a_device_gets_a_certificate_that_names_it_its_user_and_its_tenant() {
    let house = House::new();
    let user = house.user("testuser");
    let device = Device::join(&house, &user).await;
    let der = BASE64.decode(device.x5c.as_bytes()).unwrap();
    let certificate = x509_cert::Certificate::from_der(&der).unwrap();
    let tbs = certificate.tbs_certificate();
    assert!(tbs.issuer().to_string().starts_with("CN=Devices of "));
    let extensions = tbs.extensions().unwrap();
    let value = |oid: &str| {
        let found = extensions
            .iter()
            .find(|extension| extension.extn_id.to_string() == oid);
        let octets = found.unwrap().extn_value.as_bytes()[2..].to_vec();
        Guid::from_bytes_le(octets.try_into().unwrap())
    };
    let tenant = house.cloud.tenant().unwrap().id;
    assert_eq!(value("1.2.840.113556.1.5.284.2"), device.id);
    assert_eq!(value("1.2.840.113556.1.5.284.3"), user.id);
    assert_eq!(value("1.2.840.113556.1.5.284.4"), tenant);
    // RFC 5280 4.2.1.9: it certifies nobody else.
    let may_certify = extensions
        .iter()
        .any(|extension| extension.extn_id.to_string() == "2.5.29.19");
    assert!(!may_certify);

    let list = house.get(paths::DEVICES, &house.admin).await;
    let seen = &list.json["value"][0];
    assert_eq!(seen["id"], device.id.to_string());
    assert_eq!(seen["trustType"], "AzureAd");
    assert_eq!(seen["registeredOwner"], user.id.to_string());
}

#[tokio::test]
async fn only_a_user_joins_a_device_and_only_an_administrator_sees_it() {
    let house = House::new();
    let user = house.user("testuser");
    let body = serde_json::to_value(join_request(&RsaKey::generate(), "desk")).unwrap();
    for token in [&house.admin, &house.sync] {
        let reply = house.post(paths::JOIN_DEVICE, token, body.clone()).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
    }
    let reply = house.post(paths::JOIN_DEVICE, "", body).await;
    assert_eq!(reply.status, StatusCode::UNAUTHORIZED);
    let session = house.session(&user).await;
    let device = Device::join(&house, &user).await;
    let path = paths::device(device.id);
    for token in [&session, &house.sync] {
        let list = house.get(paths::DEVICES, token).await;
        assert_eq!(list.status, StatusCode::FORBIDDEN);
        let gone = house.ask(Method::DELETE, &path, token, Value::Null).await;
        assert_eq!(gone.status, StatusCode::FORBIDDEN);
    }
    let change = json!({"accountEnabled": false, "trustType": "ServerAd"});
    let reply = house.ask(Method::PATCH, &path, &house.admin, change).await;
    assert_eq!(reply.status, StatusCode::BAD_REQUEST, "an unknown member");
    for (method, body) in [
        (Method::PATCH, json!({"accountEnabled": false})),
        (Method::DELETE, Value::Null),
    ] {
        let reply = house.ask(method, &path, &house.admin, body).await;
        assert_eq!(reply.status, StatusCode::NO_CONTENT);
    }
    let gone = house
        .ask(Method::DELETE, &path, &house.admin, Value::Null)
        .await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_join_is_checked() {
    let house = House::new();
    let user = house.user("testuser");
    let session = house.session(&user).await;
    let key = RsaKey::generate();
    let check = async |what: &str, spoil: &dyn Fn(&mut JoinDevice)| {
        let mut request = join_request(&key, "desk");
        spoil(&mut request);
        let body = serde_json::to_value(&request).unwrap();
        let reply = house.post(paths::JOIN_DEVICE, &session, body).await;
        assert_eq!(
            reply.status,
            StatusCode::BAD_REQUEST,
            "{what}: {}",
            reply.text
        );
    };
    check("type", &|request| {
        request.certificate_request.kind = "cmc".into()
    })
    .await;
    check("empty", &|request| {
        request.certificate_request.data.0.clear()
    })
    .await;
    check("short", &|request| {
        request.certificate_request.data.0.truncate(80)
    })
    .await;
    check("stray octet", &|request| {
        request.certificate_request.data.0.push(0)
    })
    .await;
    // RFC 2986 section 3: the request proves the private key.
    check("signature", &|request| {
        *request.certificate_request.data.0.last_mut().unwrap() ^= 1;
    })
    .await;
    check("subject", &|request| {
        request.certificate_request.data.0[20] ^= 1
    })
    .await;
    check("no RSA", &|request| {
        let ec = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let der = params.serialize_request(&ec).unwrap().der().to_vec();
        request.certificate_request.data = Base64Url(der);
    })
    .await;
    check("transport key", &|request| {
        request.transport_key.0.truncate(60)
    })
    .await;
    check("no transport key", &|request| {
        request.transport_key.0.clear()
    })
    .await;
    check("short transport key", &|request| {
        let blob = [
            &b"RSA1"[..],
            &[0, 4, 0, 0, 3, 0, 0, 0, 128, 0, 0, 0],
            &[0; 8],
            &[1, 0, 1],
        ];
        request.transport_key = Base64Url([blob.concat(), vec![0xC1; 128]].concat());
    })
    .await;
    for join_type in [JoinType::HYBRID, 1, 255] {
        check("join type", &|request| request.join_type = join_type).await;
    }
    check("name", &|request| {
        request.device_display_name = "a\nb".into()
    })
    .await;
    check("no name", &|request| request.device_display_name.clear()).await;
    check("long name", &|request| {
        request.device_display_name = "a".repeat(257)
    })
    .await;

    let good = serde_json::to_value(join_request(&key, "desk")).unwrap();
    let reply = house.post(paths::JOIN_DEVICE, &session, good.clone()).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    let again = house.post(paths::JOIN_DEVICE, &session, good).await;
    assert_eq!(again.status, StatusCode::BAD_REQUEST, "one key, one device");
    let larger = RsaKey::of_size(KeySize::Rsa3072);
    let body = serde_json::to_value(join_request(&larger, "other")).unwrap();
    let reply = house.post(paths::JOIN_DEVICE, &session, body).await;
    assert_eq!(reply.status, StatusCode::OK);
}

#[test]
fn a_trust_is_published_rotated_and_removed() {
    let house = House::new();
    house.publish(1, 7);
    house.publish(1, 7);
    let same = publication(&house.wrapping_key(), 1, 8);
    let conflict = house.cloud.publish_server(&operator(), &same);
    assert!(matches!(conflict, Err(Error::KeyVersionExists { .. })));
    let versions = || -> Vec<u16> {
        let server = house.cloud.kerberos_server(&operator(), DOMAIN).unwrap();
        server.versions.iter().map(|v| v.version).collect()
    };
    house.publish(2, 8);
    assert_eq!(versions(), [2, 1], "the one before it is kept");
    house.publish(3, 9);
    assert_eq!(versions(), [3, 2]);
    let old = publication(&house.wrapping_key(), 1, 7);
    let back = house.cloud.publish_server(&operator(), &old);
    assert!(back.is_err(), "what would not be kept is not taken");
    assert_eq!(versions(), [3, 2]);
    house
        .cloud
        .remove_kerberos_server(&operator(), DOMAIN)
        .unwrap();
    let gone = house.cloud.kerberos_server(&operator(), DOMAIN);
    assert!(matches!(gone, Err(Error::NotFound { .. })));
    let told = house.activities();
    assert!(told.contains(&"publishKerberosServer".to_owned()));
    assert!(told.contains(&"removeKerberosServer".to_owned()));
}

/// A key of the object that was there before would mint tickets under a number that nobody knows any more.
#[test]
fn another_object_of_the_same_domain_brings_its_own_keys() {
    let house = House::new();
    house.publish(7, 7);
    let wrapping = house.wrapping_key();
    let mut request = publication(&wrapping, 1, 8);
    request.server.number = 77;
    request.server.krbtgt_name = "krbtgt_77".into();
    request.server.computer_guid = Guid::from_bytes_le([4; 16]);
    let key = TrustKey {
        realm: REALM.into(),
        number: 77,
        version: 1,
        key_type: 18,
        key: Base64Url(vec![8; 32]),
    };
    request.sealed_key = seal(&key, &wrapping);
    let published = house.cloud.publish_server(&operator(), &request).unwrap();
    let versions: Vec<u16> = published.versions.iter().map(|v| v.version).collect();
    assert_eq!(versions, [1]);
    assert_eq!(published.server.number, 77);
}

#[test]
fn a_publication_is_checked() {
    let house = House::new();
    let wrapping = house.wrapping_key();
    let check = |what: &str, spoil: &dyn Fn(&mut PublishServer)| {
        let mut request = publication(&wrapping, 1, 7);
        spoil(&mut request);
        let refused = house.cloud.publish_server(&operator(), &request);
        assert!(
            matches!(refused, Err(Error::Invalid(_))),
            "{what}: {refused:?}"
        );
    };
    // What stands outside must be what stands inside.
    check("version", &|request| request.version = 2);
    check("number", &|request| request.server.number = NUMBER + 1);
    check("number 0", &|request| request.server.number = 0);
    check("realm", &|request| {
        request.server.realm = "EVIL.CONTOSO.COM".into()
    });
    check("domain", &|request| {
        request.server.domain_dns_name = "evil.contoso.com".into()
    });
    check("capitals", &|request| {
        request.server.domain_dns_name = REALM.into()
    });
    let sealed = |key: TrustKey| seal(&key, &wrapping);
    let key = |key_type, length| TrustKey {
        realm: REALM.into(),
        number: NUMBER,
        version: 1,
        key_type,
        key: Base64Url(vec![7; length]),
    };
    check("key type", &|request| {
        request.sealed_key = sealed(key(23, 32))
    });
    check("key length", &|request| {
        request.sealed_key = sealed(key(18, 16))
    });
    // Sealed to another cloud.
    let other = House::new().wrapping_key();
    check("other cloud", &|request| {
        *request = publication(&other, 1, 7)
    });
    let mut pretended = other;
    pretended.kid.clone_from(&wrapping.kid);
    check("other cloud's key under our name", &|request| {
        *request = publication(&pretended, 1, 7);
    });
    let part = |change: &dyn Fn(&mut SealedKey)| {
        check("a part", &|request| change(&mut request.sealed_key));
    };
    part(&|sealed| sealed.tag[0] ^= 1);
    part(&|sealed| sealed.ciphertext[0] ^= 1);
    part(&|sealed| sealed.encrypted_key[9] ^= 1);
    part(&|sealed| sealed.iv.clear());
    part(&|sealed| sealed.protected = "e30".into());
    part(&|sealed| sealed.protected.push('A'));
    house
        .cloud
        .publish_server(&operator(), &publication(&wrapping, 1, 7))
        .unwrap();
    assert_eq!(server().number, NUMBER);
}

#[tokio::test]
async fn only_an_administrator_handles_trusts() {
    let house = House::new();
    let user = house.user("testuser");
    let session = house.session(&user).await;
    let body = serde_json::to_value(publication(&house.wrapping_key(), 1, 7)).unwrap();
    for token in [&session, &house.sync] {
        for path in [
            paths::TRUST_WRAPPING_KEY.to_owned(),
            format!("{}/{DOMAIN}", paths::TRUST_SERVERS),
        ] {
            let reply = house.get(&path, token).await;
            assert_eq!(reply.status, StatusCode::FORBIDDEN);
        }
        let reply = house.post(paths::TRUST_SERVERS, token, body.clone()).await;
        assert_eq!(reply.status, StatusCode::FORBIDDEN);
    }
    let reply = house.post(paths::TRUST_SERVERS, &house.admin, body).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
    assert!(!reply.text.contains("sealedKey"));
}

/// The first schema held no devices; a file of it is opened, grows, and has lost nothing.
#[tokio::test]
async fn a_store_of_the_first_schema_grows() {
    let house = House::new();
    let user = house.user("testuser");
    let path = house.state.path().join("old.sqlite");
    {
        let old = rusqlite::Connection::open(&path).unwrap();
        old.execute_batch(include_str!("../src/store/schema.sql"))
            .unwrap();
        old.pragma_update(None, "user_version", 1).unwrap();
        old.execute(
            "ATTACH DATABASE ?1 AS new",
            [house.state.path().join("cloud.sqlite").to_str().unwrap()],
        )
        .unwrap();
        for table in ["tenant", "change", "user", "token"] {
            let sql = format!("INSERT INTO main.{table} SELECT * FROM new.{table}");
            old.execute(&sql, []).unwrap();
        }
    }
    let surroundings = || Surroundings::new(house.clock.clone(), Box::new(SeededEntropy::new(9)));
    for _ in 0..2 {
        let cloud = Cloud::open(&path, surroundings()).unwrap();
        assert_eq!(cloud.user(&operator(), user.id).unwrap(), user);
        assert!(cloud.devices(&operator()).unwrap().len() <= 1);
        let grown = House {
            router: cloud::router(cloud.clone()),
            cloud,
            clock: Arc::clone(&house.clock),
            admin: house.admin.clone(),
            sync: house.sync.clone(),
            state: tempfile::tempdir().unwrap(),
        };
        if grown.cloud.devices(&operator()).unwrap().is_empty() {
            let key = SecurityKey::register(&grown, &user, 0xC1);
            let device = Device::join(&grown, &user).await;
            device.sign_in(&grown, &key, 2).await;
        }
    }
    let future = rusqlite::Connection::open(&path).unwrap();
    future.pragma_update(None, "user_version", 99).unwrap();
    drop(future);
    let newer = Cloud::open(&path, surroundings());
    assert!(matches!(newer, Err(Error::StoreFormat(_))));
}

#[tokio::test]
async fn tokens_outlive_a_restart_and_nonces_do_not() {
    let house = House::new();
    let user = house.user("testuser");
    let key = SecurityKey::register(&house, &user, 0xC1);
    let device = Device::join(&house, &user).await;
    let prt = device.sign_in(&house, &key, 2).await;
    let nonce = house.nonce().await;
    let surroundings = Surroundings::new(house.clock.clone(), Box::new(SeededEntropy::new(9)));
    let cloud = Cloud::open(&house.state.path().join("cloud.sqlite"), surroundings).unwrap();
    let again = House {
        router: cloud::router(cloud.clone()),
        cloud,
        ..house
    };
    let stale = common::device::Renewal {
        nonce: Some(nonce),
        ..Default::default()
    };
    let reply = again.renew(&prt.token, &prt.session, &stale).await;
    assert_eq!(reply.json["suberror"], "nonce", "{}", reply.text);
    let reply = again
        .renew(&prt.token, &prt.session, &Default::default())
        .await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.text);
}
