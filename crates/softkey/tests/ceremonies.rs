//! Our platform side against the software key: registration, assertions, secrets, PINs.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod common;

use common::{RP_ID, SALTS, assertion, client, key, key_with_pin, pin, register, request, secrets};
use ctap::client_pin::Permissions;
use ctap::command::CredProtect;
use ctap::hmac_secret::Salts;
use ctap::webauthn::{self, AuthenticationOptions, RegistrationOptions};
use ctap::{Error, PinProtocol, Status};
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{DerSignature, VerifyingKey};
use p256::pkcs8::DecodePublicKey;
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};

#[track_caller]
fn refused<T>(result: Result<T, Error>, expect: Status) {
    let status = result.map(drop).unwrap_err().status();
    assert_eq!(status, Some(expect));
}

#[test]
fn a_registration_is_as_real_ones_are() {
    let (key, mut client) = key_with_pin();
    let attestation = register(&mut client, "testuser");
    let data = &attestation.auth_data;
    assert_eq!(data.flags, 0xC5);
    assert_eq!(data.rp_id_hash[..], Sha256::digest(RP_ID)[..]);
    assert_eq!(data.has_hmac_secret(), Ok(true));
    assert_eq!(data.credential.as_ref().unwrap().aaguid, softkey::AAGUID);
    assert_eq!(attestation.format, "packed");
    assert_eq!(key.info().credentials, 1);

    let [leaf] = &attestation.certificates()[..] else {
        panic!("one certificate is expected")
    };
    let leaf = Certificate::from_der(leaf).unwrap();
    let root = Certificate::from_der(key.attestation_root()).unwrap();
    assert_eq!(
        leaf.tbs_certificate().issuer(),
        root.tbs_certificate().subject()
    );
    let subject = leaf.tbs_certificate().subject().to_string();
    assert_eq!(
        subject,
        "OU=Authenticator Attestation,CN=Tombolo software key batch 1,O=Tombolo,C=XX"
    );
    verify(
        &root,
        &leaf.tbs_certificate().to_der().unwrap(),
        leaf.signature().raw_bytes(),
    );

    let object: ciborium::Value =
        ciborium::from_reader(&attestation.to_attestation_object()[..]).unwrap();
    let object = object.into_map().unwrap();
    let names: Vec<_> = object
        .iter()
        .map(|(name, _)| name.as_text().unwrap())
        .collect();
    assert_eq!(names, ["fmt", "attStmt", "authData"]);
    let statement = object[1].1.as_map().unwrap();
    let signature = statement
        .iter()
        .find(|(name, _)| name.as_text() == Some("sig"))
        .unwrap()
        .1
        .as_bytes();
    verify(
        &leaf,
        &[&data.raw[..], &[0xC1; 32]].concat(),
        signature.unwrap(),
    );
}

fn verify(certificate: &Certificate, message: &[u8], signature: &[u8]) {
    let spki = certificate
        .tbs_certificate()
        .subject_public_key_info()
        .to_der()
        .unwrap();
    let key = VerifyingKey::from_public_key_der(&spki).unwrap();
    key.verify(message, &DerSignature::from_bytes(signature).unwrap())
        .unwrap();
}

#[test]
fn secrets_depend_on_salt_and_verification_and_nothing_else() {
    let (_key, mut client) = key_with_pin();
    register(&mut client, "testuser");
    client.use_protocol(PinProtocol::One);
    let one = secrets(&mut client, Some(&pin("123456")));
    client.use_protocol(PinProtocol::Two);
    let two = secrets(&mut client, Some(&pin("123456")));
    assert_eq!(one, two, "both protocols carry the same secret");
    assert_ne!(two.0, two.1, "two salts give two secrets");

    let unverified = secrets(&mut client, None);
    assert_ne!(
        unverified.0, two.0,
        "the secret without verification is another one"
    );

    let only = client
        .get_assertions(
            assertion(),
            Some(Salts::one(SALTS.first)),
            Some(&pin("123456")),
        )
        .unwrap()
        .remove(0)
        .1
        .unwrap();
    assert_eq!((*only.first.expose(), only.second), (two.0, None));
}

#[test]
fn a_web_page_cannot_reach_the_secrets_of_a_sign_in() {
    // WebAuthn's `prf` hashes what a page gives it, with a prefix that no raw salt has.
    let (_key, mut client) = key_with_pin();
    register(&mut client, "testuser");
    let (raw, _) = secrets(&mut client, Some(&pin("123456")));
    let prf = Sha256::digest([&b"WebAuthn PRF\0"[..], &SALTS.first].concat()).into();
    let through_prf = client
        .get_assertions(assertion(), Some(Salts::one(prf)), Some(&pin("123456")))
        .unwrap()
        .remove(0)
        .1
        .unwrap();
    assert_ne!(*through_prf.first.expose(), raw);
}

#[test]
fn tampered_salts_are_refused() {
    for protocol in [PinProtocol::One, PinProtocol::Two] {
        let (_key, mut client) = key_with_pin();
        register(&mut client, "testuser");
        client.use_protocol(protocol);
        let shared = client.agree().unwrap();
        let entropy = &mut types::SeededEntropy::new(3);
        for tamper in [0, 1] {
            let mut sealed = SALTS.seal(&shared, entropy).unwrap();
            match tamper {
                0 => sealed.salts[20] ^= 1,
                _ => sealed.proof[3] ^= 1,
            }
            let mut request = assertion();
            request.salts = Some(sealed);
            refused(client.call(&request), Status::PIN_AUTH_INVALID);
        }
    }
}

#[test]
fn pins_are_set_changed_and_counted() {
    let key = key();
    let mut client = client(&key);
    assert_eq!(client.info().has_pin(), Some(false));
    refused(
        client.token(&pin("0000"), Permissions::GET_ASSERTION, Some(RP_ID)),
        Status::PIN_NOT_SET,
    );
    client.set_pin(None, &pin("123456")).unwrap();
    assert_eq!(client.info().has_pin(), Some(true));
    refused(
        client.set_pin(None, &pin("654321")),
        Status::PIN_AUTH_INVALID,
    );
    client
        .set_pin(Some(&pin("123456")), &pin("pässwört"))
        .unwrap();

    let wrong = |client: &mut ctap::Client<_>| {
        client.token(&pin("123456"), Permissions::GET_ASSERTION, Some(RP_ID))
    };
    refused(wrong(&mut client), Status::PIN_INVALID);
    assert_eq!(client.pin_retries().unwrap().left, 7);
    refused(wrong(&mut client), Status::PIN_INVALID);
    refused(wrong(&mut client), Status::PIN_AUTH_BLOCKED);
    assert!(client.pin_retries().unwrap().needs_power_cycle);
    key.replug();
    client
        .token(&pin("pässwört"), Permissions::GET_ASSERTION, Some(RP_ID))
        .unwrap();
    assert_eq!(client.pin_retries().unwrap().left, 8);
    let left = wrong(&mut client).unwrap_err().to_string();
    assert!(left.contains("7 tries are left"), "{left}");
    client
        .token(&pin("pässwört"), Permissions::GET_ASSERTION, Some(RP_ID))
        .unwrap();
    for _ in 0..8 {
        key.replug();
        assert!(wrong(&mut client).is_err());
    }
    key.replug();
    refused(wrong(&mut client), Status::PIN_BLOCKED);
    assert_eq!((key.info().pin_tries_left, key.info().has_pin), (0, true));
}

#[test]
fn credentials_are_listed_deleted_and_excluded() {
    let (_key, mut client) = key_with_pin();
    assert_eq!(client.credentials(&pin("123456")).unwrap(), []);
    let first = register(&mut client, "testuser");
    let second = register(&mut client, "ada");
    let all = client
        .get_assertions(assertion(), None, Some(&pin("123456")))
        .unwrap();
    let users: Vec<_> = all
        .iter()
        .map(|(a, _)| a.user.clone().unwrap().name.unwrap())
        .collect();
    assert_eq!(users, ["ada@contoso.com", "testuser@contoso.com"]);

    let mut again = request("testuser");
    again.exclude = vec![first.credential_id().to_vec()];
    let again = client.make_credential(again, Some(&pin("123456")));
    refused(again, Status::CREDENTIAL_EXCLUDED);

    let inventory = client.credentials(&pin("123456")).unwrap();
    assert_eq!((inventory.len(), inventory[0].1.len()), (1, 2));
    assert_eq!(inventory[0].0.id, RP_ID);
    client
        .delete_credential(&pin("123456"), second.credential_id())
        .unwrap();
    let left = client.credentials(&pin("123456")).unwrap();
    assert_eq!(left[0].1[0].id, first.credential_id());
}

#[test]
fn names_of_a_credential_are_changed() {
    let (_key, mut client) = key_with_pin();
    let made = register(&mut client, "testuser");
    register(&mut client, "ada");
    let user = ctap::command::User {
        id: b"testuser".to_vec(),
        name: Some("renamed@contoso.com".to_owned()),
        display_name: Some("Renamed User".to_owned()),
    };
    let id = made.credential_id();
    client.update_user(&pin("123456"), id, &user).unwrap();
    let inventory = client.credentials(&pin("123456")).unwrap();
    let named = inventory[0].1.iter().find(|one| one.id == id).unwrap();
    assert_eq!(named.user, user);
    let stranger = ctap::command::User {
        id: b"somebody else".to_vec(),
        ..user
    };
    let refused = client.update_user(&pin("123456"), id, &stranger);
    assert_eq!(
        refused.unwrap_err().status(),
        Some(Status::INVALID_PARAMETER)
    );
    let metadata = client.metadata(&pin("123456")).unwrap();
    assert_eq!((metadata.stored, metadata.room), (2, 148));
}

#[test]
fn a_full_inventory_comes_back_in_long_replies() {
    let (_key, mut client) = key_with_pin();
    for number in 0..20 {
        register(&mut client, &format!("{number:063}"));
    }
    let inventory = client.credentials(&pin("123456")).unwrap();
    let [(party, credentials)] = &inventory[..] else {
        panic!("one relying party is expected")
    };
    assert_eq!((party.id.as_str(), credentials.len()), (RP_ID, 20));
    assert!(credentials.iter().all(|one| one.user.id.len() == 63));
    let all = client.get_assertions(assertion(), Some(SALTS), Some(&pin("123456")));
    let all = all.unwrap();
    assert_eq!(all.len(), 20);
    let distinct: std::collections::BTreeSet<_> = all
        .iter()
        .map(|(_, secrets)| *secrets.as_ref().unwrap().first.expose())
        .collect();
    assert_eq!(distinct.len(), 20, "each account has secrets of its own");
}

#[test]
fn a_key_without_hmac_secret_says_so_and_signs_all_the_same() {
    let key = softkey::Softkey::in_memory(common::options(1).hmac_secret(false)).unwrap();
    let mut client = client(&key);
    assert!(!client.info().has_extension("hmac-secret"));
    assert!(client.info().has_extension("credProtect"));
    client.set_pin(None, &pin("123456")).unwrap();
    let refused = client.make_credential(request("testuser"), Some(&pin("123456")));
    assert!(matches!(refused, Err(Error::Unsupported("hmac-secret"))));
    // A platform that asks nevertheless is not heard.
    let mut asking = request("testuser");
    let token = client
        .token(&pin("123456"), Permissions::MAKE_CREDENTIAL, Some(RP_ID))
        .unwrap();
    asking.proof = Some(token.prove(&asking.client_data_hash));
    let made = client.call(&asking).unwrap();
    assert_eq!(made.auth_data.has_hmac_secret(), Ok(false));
    let mut signing = assertion();
    let shared = client.agree().unwrap();
    let sealed = SALTS.seal(&shared, &mut types::SeededEntropy::new(3));
    signing.salts = Some(sealed.unwrap());
    let signed = client.call(&signing).unwrap();
    assert_eq!(signed.auth_data.hmac_secret_output(), Ok(None));
    let with = client.get_assertions(assertion(), Some(SALTS), Some(&pin("123456")));
    assert!(matches!(with, Err(Error::Unsupported("hmac-secret"))));
}

/// systemd #31443: enrolled with user verification, unlocked without, and the disk stayed shut.
#[test]
fn an_unlock_never_goes_without_the_verification_of_its_enrolment() {
    let (_key, mut client) = key_with_pin();
    register(&mut client, "testuser");
    let (enrolled, _) = secrets(&mut client, Some(&pin("123456")));
    let (unverified, _) = secrets(&mut client, None);
    assert_ne!(enrolled, unverified, "the pitfall");
    let options = AuthenticationOptions {
        rp_id: RP_ID.to_owned(),
        challenge: vec![1],
        origin: "https://login.contoso.com".to_owned(),
        allow: Vec::new(),
        user_verification: true,
        salts: Some(SALTS),
    };
    // Without a PIN nothing is asked of the key, so nothing can come back that lacks the flag.
    let refused = webauthn::authenticate_one(&mut client, &options, None);
    assert!(matches!(refused, Err(Error::Caller(_))));
    let signed = webauthn::authenticate_one(&mut client, &options, Some(&pin("123456"))).unwrap();
    assert_eq!(*signed.secrets.unwrap().first.expose(), enrolled);
}

#[test]
fn one_credential_is_found_in_a_long_list() {
    let (_key, mut client) = key_with_pin();
    let made = register(&mut client, "testuser");
    let most = 8;
    for (strangers, place) in [(most, 0), (3 * most, 2 * most), (3 * most, 3 * most)] {
        let mut signing = assertion();
        signing.allow = vec![vec![7; 64]; strangers];
        signing.allow.insert(place, made.credential_id().to_vec());
        let signed = client.get_assertions(signing, Some(SALTS), Some(&pin("123456")));
        let (signed, secrets) = signed.unwrap().remove(0);
        assert_eq!(signed.credential_id, made.credential_id());
        assert!(signed.auth_data.is_user_verified() && secrets.is_some());
    }
    let mut signing = assertion();
    signing.allow = vec![vec![7; 64]; 3 * most];
    let none = client.get_assertions(signing, None, Some(&pin("123456")));
    refused(none, Status::NO_CREDENTIALS);
}

#[test]
fn a_protected_credential_needs_its_pin() {
    let (_key, mut client) = key_with_pin();
    let mut protected = request("testuser");
    protected.cred_protect = Some(CredProtect::Required);
    let made = client
        .make_credential(protected, Some(&pin("123456")))
        .unwrap();
    assert_eq!(made.auth_data.cred_protect(), Ok(Some(3)));
    refused(
        client.get_assertions(assertion(), None, None),
        Status::NO_CREDENTIALS,
    );
    client
        .get_assertions(assertion(), None, Some(&pin("123456")))
        .unwrap();
}

#[test]
fn a_reset_is_possible_only_right_after_plugging_in() {
    let clock = common::clock();
    let entropy = Box::new(types::SeededEntropy::new(1));
    let options = softkey::Options::new(clock.clone(), entropy);
    let key = softkey::Softkey::in_memory(options).unwrap();
    let mut client = client(&key);
    client.set_pin(None, &pin("123456")).unwrap();
    refused(client.reset(), Status::NOT_ALLOWED);
    key.replug();
    clock.advance_seconds(11);
    refused(client.reset(), Status::NOT_ALLOWED);
    key.replug();
    let root = key.attestation_root().to_vec();
    client.reset().unwrap();
    assert_eq!(client.info().has_pin(), Some(false));
    client.set_pin(None, &pin("123456")).unwrap();
    key.wipe().unwrap();
    assert!(!key.info().has_pin);
    assert_eq!(key.attestation_root(), root, "the model stays what it is");
}

#[test]
fn webauthn_ceremonies_run_end_to_end() {
    let (_key, mut client) = key_with_pin();
    let request = request("testuser");
    let options = RegistrationOptions {
        rp: request.rp,
        user: request.user,
        challenge: vec![1, 2, 3],
        origin: "https://login.contoso.com".to_owned(),
        algorithms: request.algorithms,
        exclude: Vec::new(),
        resident_key: true,
        user_verification: true,
        hmac_secret: true,
        cred_protect: Some(CredProtect::Optional),
    };
    assert!(
        webauthn::register(&mut client, &options, None).is_err(),
        "verification needs a PIN"
    );
    let made = webauthn::register(&mut client, &options, Some(&pin("123456"))).unwrap();
    assert!(
        made.client_data_json
            .starts_with(br#"{"type":"webauthn.create","challenge":"AQID""#)
    );
    let options = AuthenticationOptions {
        rp_id: RP_ID.to_owned(),
        challenge: vec![4, 5, 6],
        origin: "https://login.contoso.com".to_owned(),
        allow: vec![made.credential_id.clone()],
        user_verification: true,
        salts: Some(SALTS),
    };
    let signed = webauthn::authenticate(&mut client, &options, Some(&pin("123456"))).unwrap();
    assert_eq!(signed[0].assertion.credential_id, made.credential_id);
    assert!(signed[0].secrets.is_some());
    let elsewhere = AuthenticationOptions {
        origin: "https://evil.example".to_owned(),
        ..options
    };
    assert!(webauthn::authenticate(&mut client, &elsewhere, Some(&pin("123456"))).is_err());
}

#[test]
fn long_pings_and_winks_come_back() {
    let mut client = client(&key());
    let payload = vec![0xAB; ctap::hid::MESSAGE_LENGTH_MAX];
    assert_eq!(client.ping(&payload).unwrap(), payload);
    client.wink().unwrap();
}
