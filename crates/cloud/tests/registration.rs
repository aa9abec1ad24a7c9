//! Registration of security keys: the right way, and each wrong way refused for its own reason.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;

use axum::http::{Method, StatusCode};
use cloud::{Caller, Error};
use cloud_api::fido2::{AttestationLevel, CreationOptionsReply};
use cloud_api::policy::{EnforcementType, Fido2Policy, KeyRestrictions};
use cloud_api::{Base64Url, paths};
use common::House;
use common::key::{AAGUID, Attestation, Maker, Manner, as_json};
use keycred::{FidoKeyMaterial, KeyUsage, SearchableDeviceKey};
use serde_json::{Value, json};
use types::Guid;

fn operator() -> Caller {
    Caller::operator()
}

fn trusting(maker: &Maker) -> House {
    let house = House::new();
    let policy = Fido2Policy {
        attestation_roots: Some(vec![maker.root_pem.clone()]),
        ..Fido2Policy::default()
    };
    house.cloud.change_policy(&operator(), &policy).unwrap();
    house
}

#[tokio::test]
async fn options_are_as_real_registrations_have_them() {
    let house = House::new();
    let user = house.user("testuser");
    let reply = house
        .get(&paths::creation_options(user.id), &house.admin)
        .await;
    assert_eq!(reply.status, StatusCode::OK);
    let options: CreationOptionsReply = serde_json::from_value(reply.json.clone()).unwrap();
    let key = &reply.json["publicKey"];
    assert_eq!(
        reply.json["challengeTimeoutDateTime"],
        "2026-06-10T05:11:07.1234567Z"
    );
    assert_eq!(
        key["rp"],
        json!({"id": "login.contoso.example", "name": "contoso.example"})
    );
    assert_eq!(options.public_key.challenge.0.len(), 32);
    let tenant = house.cloud.tenant().unwrap().id;
    let handle = &options.public_key.user.id.0;
    assert_eq!(handle.len(), 51);
    assert_eq!(handle[..19], [&b"OF:"[..], &tenant.to_bytes_le()].concat());
    assert_eq!(
        key["pubKeyCredParams"][0],
        json!({"type": "public-key", "alg": -7})
    );
    assert_eq!(
        key["pubKeyCredParams"][1],
        json!({"type": "public-key", "alg": -257})
    );
    assert_eq!(key["timeout"], 60000);
    assert_eq!(key["attestation"], "direct");
    assert_eq!(key["excludeCredentials"], json!([]));
    assert_eq!(
        key["authenticatorSelection"],
        json!({"authenticatorAttachment": "cross-platform", "requireResidentKey": true,
               "residentKey": "required", "userVerification": "required"})
    );
    assert_eq!(
        key["extensions"],
        json!({"hmacCreateSecret": true, "enforceCredentialProtectionPolicy": true,
               "credentialProtectionPolicy": "userVerificationOptional"})
    );
    let again = house
        .cloud
        .begin_registration(&operator(), user.id)
        .unwrap();
    assert_ne!(again.public_key.challenge, options.public_key.challenge);
    assert_eq!(
        again.public_key.user, options.public_key.user,
        "the handle of a user stays"
    );
}

#[tokio::test]
async fn a_user_registers_a_key_and_the_feed_has_it_byte_for_byte() {
    let maker = Maker::new("Feather");
    let house = trusting(&maker);
    let user = house.synced_user("testuser", 1);
    let session = house.session(&user).await;
    let options = house.get(&paths::my_creation_options(), &session).await;
    let options: CreationOptionsReply = serde_json::from_value(options.json).unwrap();
    let request = maker.register(&options, &Manner::default());

    let path = paths::my_fido2_methods();
    let reply = house
        .post(&path, &session, serde_json::to_value(&request).unwrap())
        .await;
    assert_eq!(reply.status, StatusCode::CREATED, "{}", reply.json);
    assert_eq!(reply.json["id"], request.public_key_credential.id);
    assert_eq!(reply.json["aaGuid"], "01020304-0506-0708-0102-030405060708");
    assert_eq!(reply.json["attestationLevel"], "attested");
    assert_eq!(reply.json["hmacSecret"], true);
    assert_eq!(
        reply.json["createdDateTime"],
        "2026-06-10T05:06:07.1234567Z"
    );
    assert_eq!(
        reply.json["attestationCertificates"]
            .as_array()
            .unwrap()
            .len(),
        2,
        "leaf and root"
    );

    let page = house.get(paths::DEVICE_KEY_DELTA, &house.sync).await;
    let entry = &page.json["value"][0];
    assert_eq!(entry["userPrincipalName"], "testuser@corp.contoso.com");
    let key = &entry["searchableDeviceKey"][0];
    let members: Vec<&str> = key
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(members.len(), 9, "{members:?}");
    assert_eq!(key["usage"], "FIDO");
    assert_eq!(key["deviceId"], Guid::ZERO.to_string());
    assert_eq!(key["customKeyInformation"], "AQEAAAAAAAAAAAAAAAAA");
    assert_eq!(key["creationTime"], "2026-06-10T05:06:07.1234567Z");
    assert_eq!(key["fidoAuthenticatorVersion"], Value::Null);
    let key: SearchableDeviceKey = serde_json::from_value(key.clone()).unwrap();
    assert_eq!(key.key_identifier, Manner::default().credential_id);
    let object = request.public_key_credential.response.attestation_object;
    let object = cloud::AttestationObject::decode(object.as_bytes()).unwrap();
    let material = FidoKeyMaterial::decode(&key.key_material).unwrap();
    assert_eq!(material.auth_data, object.auth_data);
    assert_eq!(material.x5c, object.x5c);
    assert_eq!(material.display_name, "blue key");
    let blob = key.to_blob().unwrap();
    assert!(blob.credential().key_hash_check().holds());

    let audit = house.get(paths::DIRECTORY_AUDITS, &house.admin).await;
    let newest = &audit.json["value"][0];
    assert_eq!(newest["activity"], "registerSecurityKey");
    assert_eq!(newest["initiatedBy"], format!("user {}", user.id));
}

/// Registers with one thing changed and gives the refusal.
fn refusal(house: &House, maker: &Maker, manner: &Manner) -> Error {
    let user = house.user(&format!("user{}", rand_name(house)));
    let options = house
        .cloud
        .begin_registration(&operator(), user.id)
        .unwrap();
    let request = maker.register(&options, manner);
    let error = house
        .cloud
        .finish_registration(&operator(), user.id, &request)
        .expect_err("this registration must be refused");
    let keys = house.cloud.device_keys(&operator(), user.id).unwrap();
    assert!(
        keys.searchable_device_key.is_empty(),
        "a refused key leaves nothing"
    );
    error
}

fn rand_name(house: &House) -> usize {
    house.cloud.users(&operator(), None, 999).unwrap().len()
}

#[test]
fn each_wrong_answer_is_refused_for_its_own_reason() {
    let maker = Maker::new("Feather");
    let house = trusting(&maker);
    let check = |what: &str, manner: Manner, part_of_message: &str| {
        let message = refusal(&house, &maker, &manner).to_string();
        assert!(message.contains(part_of_message), "{what}: {message}");
    };
    let manner = Manner::default;
    check(
        "challenge of nobody",
        Manner {
            challenge: Some(vec![7; 32]),
            ..manner()
        },
        "challenge is unknown",
    );
    check(
        "other origin",
        Manner {
            origin: "https://login.contoso.example.evil.example".into(),
            ..manner()
        },
        "origin",
    );
    check(
        "other port",
        Manner {
            origin: "https://login.contoso.example:444".into(),
            ..manner()
        },
        "origin",
    );
    check(
        "plain http",
        Manner {
            origin: "http://login.contoso.example".into(),
            ..manner()
        },
        "origin",
    );
    check(
        "in a frame",
        Manner {
            cross_origin: true,
            ..manner()
        },
        "cross",
    );
    check(
        "an assertion",
        Manner {
            kind: "webauthn.get".into(),
            ..manner()
        },
        "type",
    );
    check(
        "other relying party",
        Manner {
            rp_id: "contoso.example".into(),
            ..manner()
        },
        "id hash",
    );
    check(
        "nobody touched it",
        Manner {
            flags: 0xC4,
            ..manner()
        },
        "present",
    );
    check(
        "no PIN",
        Manner {
            flags: 0xC1,
            ..manner()
        },
        "verified",
    );
    check(
        "forged attestation",
        Manner {
            attestation: Attestation::Forged,
            ..manner()
        },
        "signature",
    );
    check(
        "other model than its certificate says",
        Manner {
            aaguid: [9; 16],
            ..manner()
        },
        "aaguid",
    );
    check(
        "other algorithm",
        Manner {
            algorithm: -35,
            attestation: Attestation::None,
            ..manner()
        },
        "",
    );
    check(
        "other format",
        Manner {
            attestation: Attestation::Other,
            ..manner()
        },
        "'tpm' is not supported",
    );
    check(
        "none, but enforced",
        Manner {
            attestation: Attestation::None,
            ..manner()
        },
        "attestation is absent",
    );
    check(
        "self, but enforced",
        Manner {
            attestation: Attestation::Self_,
            ..manner()
        },
        "attestation is absent",
    );
    check(
        "id of another key",
        Manner {
            stated_id: Some("AAAA".into()),
            ..manner()
        },
        "id differs",
    );
    check(
        "empty id",
        Manner {
            credential_id: vec![],
            stated_id: Some(String::new()),
            ..manner()
        },
        "0 bytes",
    );
    check(
        "endless id",
        Manner {
            credential_id: vec![1; 1024],
            ..manner()
        },
        "1024 bytes",
    );
    check(
        "no name",
        Manner {
            display_name: " ".into(),
            ..manner()
        },
        "displayName",
    );
    check(
        "long name",
        Manner {
            display_name: "x".repeat(31),
            ..manner()
        },
        "displayName",
    );
    let stranger = refusal(&house, &Maker::new("Stranger"), &manner());
    assert!(
        matches!(stranger, Error::Policy(_)),
        "unknown root: {stranger}"
    );
    let refused = house.cloud.audit(&operator(), None, 999).unwrap();
    let refused = refused
        .iter()
        .filter(|record| record.activity == "refuseSecurityKey");
    assert!(refused.count() >= 15, "refusals are in the audit log");
}

#[test]
fn a_root_of_the_same_name_is_not_the_root() {
    // The chain check takes the first root with the issuer's name; two makers of one name must not shadow each other.
    let (old, new) = (Maker::new("Feather"), Maker::new("Feather"));
    let house = House::new();
    let roots = vec![old.root_pem.clone(), new.root_pem.clone()];
    let policy = Fido2Policy {
        attestation_roots: Some(roots),
        ..Fido2Policy::default()
    };
    house.cloud.change_policy(&operator(), &policy).unwrap();
    let user = house.user("testuser");
    for (maker, id) in [(&old, 1), (&new, 2)] {
        let options = house
            .cloud
            .begin_registration(&operator(), user.id)
            .unwrap();
        let manner = Manner {
            credential_id: vec![id; 32],
            ..Manner::default()
        };
        let request = maker.register(&options, &manner);
        let method = house
            .cloud
            .finish_registration(&operator(), user.id, &request)
            .unwrap();
        assert_eq!(method.attestation_level, AttestationLevel::Attested);
    }
}

#[test]
fn a_root_that_could_never_vouch_is_refused() {
    let house = House::new();
    let key = rcgen::KeyPair::generate().unwrap();
    let leaf = rcgen::CertificateParams::new(vec!["a".into()]).unwrap();
    let policy = Fido2Policy {
        attestation_roots: Some(vec![leaf.self_signed(&key).unwrap().pem()]),
        ..Fido2Policy::default()
    };
    let error = house.cloud.change_policy(&operator(), &policy).unwrap_err();
    assert!(
        error.to_string().contains("no certificate authority"),
        "{error}"
    );
}

#[test]
fn bytes_that_are_no_certificate_survive_in_the_chain() {
    let maker = Maker::new("Feather");
    let house = trusting(&maker);
    let user = house.user("testuser");
    let options = house
        .cloud
        .begin_registration(&operator(), user.id)
        .unwrap();
    let manner = Manner {
        attestation: Attestation::PackedWithStray,
        ..Manner::default()
    };
    let request = maker.register(&options, &manner);
    let method = house
        .cloud
        .finish_registration(&operator(), user.id, &request)
        .unwrap();
    assert_eq!(method.attestation_level, AttestationLevel::Attested);
    let keys = house.cloud.device_keys(&operator(), user.id).unwrap();
    let material = FidoKeyMaterial::decode(&keys.searchable_device_key[0].key_material).unwrap();
    assert_eq!(material.x5c[1], [0xAA; 32]);
}

#[test]
fn a_challenge_works_once_for_one_user_for_five_minutes() {
    let maker = Maker::new("Feather");
    let house = trusting(&maker);
    let (ada, eve) = (house.user("ada"), house.user("eve"));
    let finish = |user: Guid, options: &CreationOptionsReply, id: u8| {
        let manner = Manner {
            credential_id: vec![id; 32],
            ..Manner::default()
        };
        house
            .cloud
            .finish_registration(&operator(), user, &maker.register(options, &manner))
    };
    let begin = |user: Guid| house.cloud.begin_registration(&operator(), user).unwrap();

    let options = begin(ada.id);
    assert!(
        matches!(finish(eve.id, &options, 1), Err(Error::ChallengeNotFound)),
        "another user's"
    );
    assert!(
        finish(ada.id, &options, 1).is_ok(),
        "a stranger's try does not use it up"
    );
    assert!(
        matches!(finish(ada.id, &options, 2), Err(Error::ChallengeNotFound)),
        "replay"
    );

    let options = begin(ada.id);
    let wrong = Manner {
        flags: 0xC1,
        credential_id: vec![3; 32],
        ..Manner::default()
    };
    let request = maker.register(&options, &wrong);
    assert!(
        house
            .cloud
            .finish_registration(&operator(), ada.id, &request)
            .is_err()
    );
    assert!(
        matches!(finish(ada.id, &options, 3), Err(Error::ChallengeNotFound)),
        "a failed try used it up"
    );

    let options = begin(ada.id);
    house.clock.advance_seconds(300);
    assert!(finish(ada.id, &options, 4).is_ok(), "at the last moment");
    let options = begin(ada.id);
    house.clock.advance_seconds(301);
    assert!(
        matches!(finish(ada.id, &options, 5), Err(Error::ChallengeNotFound)),
        "expired"
    );
}

#[test]
fn a_key_is_registered_once() {
    let maker = Maker::new("Feather");
    let house = trusting(&maker);
    let (ada, eve) = (house.user("ada"), house.user("eve"));
    let finish = |user: Guid| {
        let options = house.cloud.begin_registration(&operator(), user).unwrap();
        let request = maker.register(&options, &Manner::default());
        house.cloud.finish_registration(&operator(), user, &request)
    };
    finish(ada.id).unwrap();
    assert!(matches!(finish(ada.id), Err(Error::CredentialExists)));
    assert!(
        matches!(finish(eve.id), Err(Error::CredentialExists)),
        "nor for another user"
    );
    let options = house.cloud.begin_registration(&operator(), ada.id).unwrap();
    let excluded = &as_json(&options)["publicKey"]["excludeCredentials"][0]["id"];
    assert_eq!(
        *excluded,
        Base64Url(Manner::default().credential_id).to_string()
    );
    house
        .cloud
        .remove_security_key(&operator(), ada.id, excluded.as_str().unwrap())
        .unwrap();
    finish(eve.id).unwrap();
}

#[test]
fn policy_decides_on_models_and_attestation() {
    let maker = Maker::new("Feather");
    let house = trusting(&maker);
    let model = Guid::from_bytes_be(AAGUID);
    let set = |enforced: bool, kind: EnforcementType, models: Vec<Guid>| {
        let policy = Fido2Policy {
            is_attestation_enforced: Some(enforced),
            key_restrictions: Some(KeyRestrictions {
                is_enforced: !models.is_empty(),
                enforcement_type: kind,
                aa_guids: models,
            }),
            ..Fido2Policy::default()
        };
        house.cloud.change_policy(&operator(), &policy).unwrap();
    };
    let register = |id: u8, attestation| {
        let user = house.user(&format!("user{id}"));
        let options = house
            .cloud
            .begin_registration(&operator(), user.id)
            .unwrap();
        let manner = Manner {
            credential_id: vec![id; 20],
            attestation,
            ..Manner::default()
        };
        house
            .cloud
            .finish_registration(&operator(), user.id, &maker.register(&options, &manner))
    };
    set(true, EnforcementType::Block, vec![model]);
    assert!(
        matches!(register(1, Attestation::Packed), Err(Error::Policy(_))),
        "blocked model"
    );
    set(true, EnforcementType::Allow, vec![Guid::ZERO]);
    assert!(
        matches!(register(2, Attestation::Packed), Err(Error::Policy(_))),
        "not an allowed model"
    );
    set(false, EnforcementType::Allow, vec![model]);
    assert!(
        matches!(register(3, Attestation::None), Err(Error::Policy(_))),
        "a claim is no proof"
    );
    assert!(
        matches!(register(4, Attestation::Self_), Err(Error::Policy(_))),
        "nor is self attestation"
    );
    assert!(
        register(5, Attestation::Packed).is_ok(),
        "allowed and attested"
    );
    set(false, EnforcementType::Allow, vec![]);
    for (id, attestation) in [(6, Attestation::None), (7, Attestation::Self_)] {
        let method = register(id, attestation).unwrap();
        assert_eq!(method.attestation_level, AttestationLevel::NotAttested);
    }
    let users = house.cloud.users(&operator(), None, 999).unwrap();
    let unattested = users
        .iter()
        .find(|user| user.display_name == "user6")
        .unwrap();
    let keys = house.cloud.device_keys(&operator(), unattested.id).unwrap();
    let flags = keys.searchable_device_key[0]
        .custom_key_information
        .as_ref()
        .unwrap();
    assert_eq!(flags[..2], [1, 0], "the attestation flag is clear");
}

#[tokio::test]
async fn attestation_is_judged_by_the_tenants_clock() {
    let maker = Maker::new("Feather");
    let house = trusting(&maker);
    // The maker's certificates end with the year 4095.
    house.clock.advance_seconds(2_100 * 366 * 24 * 3600);
    let error = refusal(&house, &maker, &Manner::default());
    assert!(matches!(error, Error::Policy(_)), "{error}");
}

#[tokio::test]
async fn who_may_register() {
    let maker = Maker::new("Feather");
    let house = trusting(&maker);
    let (ada, eve) = (house.user("ada"), house.user("eve"));
    let session = house.session(&ada).await;
    let check = async |path: &str, token: &str, expected: u16| {
        let reply = house.get(path, token).await;
        assert_eq!(reply.status.as_u16(), expected, "{path}: {}", reply.json);
    };
    check(&paths::my_creation_options(), &session, 200).await;
    check(&paths::creation_options(ada.id), &session, 200).await;
    check(&paths::creation_options(eve.id), &session, 403).await;
    check(&paths::creation_options(eve.id), &house.admin, 200).await;
    check(&paths::creation_options(eve.id), &house.sync, 403).await;
    check(&paths::creation_options(eve.id), "", 401).await;
    check(&paths::creation_options(Guid::ZERO), &house.admin, 404).await;
    check(&paths::my_creation_options(), &house.admin, 403).await;

    let path = paths::FIDO2_POLICY;
    let off = json!({"isSelfServiceRegistrationAllowed": false});
    house.ask(Method::PATCH, path, &house.admin, off).await;
    check(&paths::my_creation_options(), &session, 403).await;
    check(&paths::creation_options(ada.id), &house.admin, 200).await;

    let disable = json!({"accountEnabled": false});
    house
        .ask(Method::PATCH, &paths::user(ada.id), &house.admin, disable)
        .await;
    check(&paths::my_creation_options(), &session, 403).await;
    check(&paths::creation_options(ada.id), &house.admin, 403).await;
}

#[test]
fn a_user_has_so_many_keys_and_no_more() {
    let maker = Maker::new("Feather");
    let house = trusting(&maker);
    let user = house.user("ada");
    let register = |id: u8| {
        let options = house
            .cloud
            .begin_registration(&operator(), user.id)
            .unwrap();
        let manner = Manner {
            credential_id: vec![id; 16],
            ..Manner::default()
        };
        house
            .cloud
            .finish_registration(&operator(), user.id, &maker.register(&options, &manner))
    };
    for id in 0..10 {
        register(id).unwrap();
    }
    assert!(matches!(
        register(10),
        Err(Error::TooManyKeys { max: 10, .. })
    ));
    assert_eq!(
        house
            .cloud
            .security_keys(&operator(), user.id)
            .unwrap()
            .len(),
        10
    );
}

#[test]
fn hello_keys_stand_beside_security_keys() {
    let maker = Maker::new("Feather");
    let house = trusting(&maker);
    let user = house.synced_user("testuser", 1);
    let mut blob = b"RSA1".to_vec();
    for word in [2048_u32, 3, 256, 0, 0] {
        blob.extend(word.to_le_bytes());
    }
    blob.extend([1, 0, 1]);
    blob.extend([0xC5; 256]);
    let request = cloud_api::devicekeys::NewNgcKey {
        key_material: data_encoding::BASE64.encode(&blob),
        device_id: Guid::from_bytes_le([7; 16]),
    };
    let ngc = house
        .cloud
        .add_ngc_key(&operator(), user.id, &request)
        .unwrap();
    let options = house
        .cloud
        .begin_registration(&operator(), user.id)
        .unwrap();
    let request = maker.register(&options, &Manner::default());
    house
        .cloud
        .finish_registration(&operator(), user.id, &request)
        .unwrap();
    let keys = house
        .cloud
        .device_keys(&operator(), user.id)
        .unwrap()
        .searchable_device_key;
    assert_eq!(
        keys.iter().map(|key| key.usage).collect::<Vec<_>>(),
        [KeyUsage::NGC, KeyUsage::FIDO]
    );
    assert_eq!(
        house
            .cloud
            .security_keys(&operator(), user.id)
            .unwrap()
            .len(),
        1
    );
    let id = Base64Url(ngc.key_identifier.clone()).to_string();
    house
        .cloud
        .remove_ngc_key(&operator(), user.id, &id)
        .unwrap();
    assert!(
        house
            .cloud
            .remove_ngc_key(&operator(), user.id, &id)
            .is_err()
    );
}

mod any_bytes {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

        /// A good answer with bytes changed or cut anywhere is refused or still good; nothing panics.
        #[test]
        fn damaged_answers_never_panic(at in 0_usize..2000, byte in any::<u8>(), cut in any::<bool>(), which in any::<bool>()) {
            thread_local! {
                static MAKER: Maker = Maker::new("Feather");
                static HOUSE: House = MAKER.with(trusting);
            }
            MAKER.with(|maker| HOUSE.with(|house| {
                let user = house.cloud.users(&operator(), None, 1).unwrap().pop()
                    .unwrap_or_else(|| house.user("testuser"));
                let options = house.cloud.begin_registration(&operator(), user.id).unwrap();
                let mut request = maker.register(&options, &Manner::default());
                let response = &mut request.public_key_credential.response;
                let bytes = if which { &mut response.attestation_object.0 } else { &mut response.client_data_json.0 };
                let at = at % bytes.len();
                if cut {
                    bytes.truncate(at);
                } else {
                    bytes[at] = byte;
                }
                if let Ok(method) = house.cloud.finish_registration(&operator(), user.id, &request) {
                    house.cloud.remove_security_key(&operator(), user.id, &method.id).unwrap();
                }
            }));
        }
    }
}
