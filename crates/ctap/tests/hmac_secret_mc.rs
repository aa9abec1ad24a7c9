//! Secrets that come with a registration (CTAP 2.2, section 12.8), against a key's side that is written here from the
//! specification alone: opensk does not know the extension.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod scripted;

use aes::Aes256;
use aes::cipher::block_padding::NoPadding;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use ciborium::Value;
use ctap::command::RelyingParty;
use ctap::hmac_secret::Salts;
use ctap::webauthn::{self, RegistrationOptions};
use ctap::{Algorithm, Pin};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{PublicKey, SecretKey};
use scripted::{Say, client, info};
use sha2::{Digest, Sha256};

const CRED_RANDOM: [u8; 32] = [0x77; 32];
const SALTS: Salts = Salts {
    first: [0x11; 32],
    second: Some([0x22; 32]),
};

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn field(map: &Value, key: impl Into<Value>) -> Option<&Value> {
    let key = key.into();
    let entries = map.as_map().unwrap();
    entries
        .iter()
        .find(|(name, _)| *name == key)
        .map(|(_, value)| value)
}

fn encoded(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// The key agreement key in COSE.
fn cose(key: &SecretKey) -> Value {
    let point = key.public_key().to_sec1_point(false);
    let bytes = point.as_bytes();
    let pairs = [(1, 2.into()), (3, (-25).into()), (-1, 1.into())];
    let mut map: Vec<(Value, Value)> = pairs.map(|(name, value)| (Value::from(name), value)).into();
    map.push((Value::from(-2), Value::from(bytes[1..33].to_vec())));
    map.push((Value::from(-3), Value::from(bytes[33..].to_vec())));
    Value::Map(map)
}

/// Protocol two's HMAC and AES keys.
fn shared(key: &SecretKey, platform: &Value) -> [[u8; 32]; 2] {
    let coordinate = |name: i32| field(platform, name).unwrap().as_bytes().unwrap().clone();
    let sec1 = [vec![4], coordinate(-2), coordinate(-3)].concat();
    let x = key.diffie_hellman(&PublicKey::from_sec1_bytes(&sec1).unwrap());
    [&b"CTAP2 HMAC key"[..], b"CTAP2 AES key"].map(|info| {
        let mut out = [0; 32];
        let hkdf = Hkdf::<Sha256>::new(Some(&[0; 32]), x.raw_secret_bytes());
        hkdf.expand(info, &mut out).unwrap();
        out
    })
}

fn sealed(aes_key: [u8; 32], plain: &[u8]) -> Vec<u8> {
    let iv = [3; 16];
    let mut bytes = plain.to_vec();
    cbc::Encryptor::<Aes256>::new(&aes_key.into(), &iv.into())
        .encrypt_padded::<NoPadding>(&mut bytes, plain.len())
        .unwrap();
    [&iv[..], &bytes].concat()
}

/// What the key makes of a registration's extension: section 12.8's steps.
fn outputs(key: &SecretKey, request: &Value) -> Option<Vec<u8>> {
    let extensions = field(request, 6).unwrap();
    let input = field(extensions, "hmac-secret-mc")?;
    assert_eq!(field(extensions, "hmac-secret"), Some(&Value::Bool(true)));
    assert_eq!(field(input, 4), Some(&Value::from(2)));
    let [hmac_key, aes_key] = shared(key, field(input, 1).unwrap());
    let salts = field(input, 2).unwrap().as_bytes().unwrap();
    let proof = field(input, 3).unwrap().as_bytes().unwrap();
    assert_eq!(proof[..], hmac(&hmac_key, salts));
    let (iv, blocks) = salts.split_at(16);
    let mut plain = blocks.to_vec();
    cbc::Decryptor::<Aes256>::new(&aes_key.into(), iv.try_into().unwrap())
        .decrypt_padded::<NoPadding>(&mut plain)
        .unwrap();
    let outputs: Vec<u8> = plain
        .chunks(32)
        .flat_map(|salt| hmac(&CRED_RANDOM, salt))
        .collect();
    Some(sealed(aes_key, &outputs))
}

/// A made credential, with the extension's output where there is one.
fn attestation(output: Option<Vec<u8>>) -> Vec<u8> {
    let mut data = Sha256::digest("a.example").to_vec();
    data.extend([0xC5, 0, 0, 0, 1]);
    data.extend([9; 16]);
    data.extend([0, 1, 0xAA, 0xA0]);
    let mut extensions = vec![(Value::from("hmac-secret"), Value::Bool(true))];
    extensions.extend(output.map(|output| (Value::from("hmac-secret-mc"), Value::from(output))));
    data.extend(encoded(&Value::Map(extensions)));
    let fields = [
        (1, Value::from("none")),
        (2, Value::from(data)),
        (3, Value::Map(vec![])),
    ];
    encoded(&Value::Map(
        fields
            .map(|(name, value)| (Value::from(name), value))
            .into(),
    ))
}

fn register(extensions: &[&str]) -> Option<([u8; 32], Option<[u8; 32]>)> {
    let key = SecretKey::from_slice(&[5; 32]).unwrap();
    let mut client = client(info(&["FIDO_2_2"], extensions), move |request| {
        let reply = match (request[0], request.get(5)) {
            (0x06, Some(2)) => encoded(&Value::Map(vec![(Value::from(1), cose(&key))])),
            (0x06, _) => {
                let parameters: Value = ciborium::from_reader(&request[1..]).unwrap();
                let [_, aes_key] = shared(&key, field(&parameters, 3).unwrap());
                let token = Value::from(sealed(aes_key, &[6; 32]));
                encoded(&Value::Map(vec![(Value::from(2), token)]))
            }
            _ => {
                let parameters: Value = ciborium::from_reader(&request[1..]).unwrap();
                attestation(outputs(&key, &parameters))
            }
        };
        vec![Say::Reply(reply)]
    });
    let options = RegistrationOptions {
        rp: RelyingParty {
            id: "a.example".to_owned(),
            name: None,
        },
        user: ctap::command::User {
            id: vec![1],
            name: Some("ada".to_owned()),
            display_name: None,
        },
        challenge: vec![1],
        origin: "https://a.example".to_owned(),
        algorithms: vec![Algorithm::ES256],
        exclude: Vec::new(),
        resident_key: true,
        user_verification: true,
        hmac_secret: true,
        cred_protect: None,
    };
    let pin = Pin::new("123456".to_owned()).unwrap();
    let (made, secrets) =
        webauthn::register_with_secrets(&mut client, &options, Some(SALTS), Some(&pin)).unwrap();
    assert_eq!(made.credential_id, [0xAA]);
    let secrets = secrets?;
    let second = secrets.second.map(|second| *second.expose());
    Some((*secrets.first.expose(), second))
}

#[test]
fn secrets_come_with_the_registration_where_the_key_can() {
    let expect = (
        hmac(&CRED_RANDOM, &SALTS.first),
        Some(hmac(&CRED_RANDOM, &SALTS.second.unwrap())),
    );
    assert_eq!(register(&["hmac-secret", "hmac-secret-mc"]), Some(expect));
}

#[test]
fn a_key_that_does_not_list_it_is_not_asked() {
    assert_eq!(register(&["hmac-secret"]), None);
}
