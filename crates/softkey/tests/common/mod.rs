//! A key, a client and a registration, as every test here wants them.
#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{Read, Write};
use std::sync::Arc;

use ctap::command::{Algorithm, Attestation, GetAssertion, MakeCredential, RelyingParty, User};
use ctap::hmac_secret::Salts;
use ctap::{Client, Pin};
use softkey::{Loopback, Options, Softkey};
use types::{SeededEntropy, Timestamp, VirtualClock};

pub(crate) const RP_ID: &str = "login.contoso.com";
pub(crate) const SALTS: Salts = Salts {
    first: [0x11; 32],
    second: Some([0x22; 32]),
};

pub(crate) fn clock() -> Arc<VirtualClock> {
    Arc::new(VirtualClock::new(
        Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap(),
    ))
}

pub(crate) fn options(seed: u64) -> Options {
    Options::new(clock(), Box::new(SeededEntropy::new(seed)))
}

pub(crate) fn key() -> Softkey {
    Softkey::in_memory(options(1)).unwrap()
}

pub(crate) fn client(key: &Softkey) -> Client<Loopback> {
    Client::open(key.connect(), Box::new(SeededEntropy::new(2))).unwrap()
}

pub(crate) fn pin(text: &str) -> Pin {
    Pin::new(text.to_owned()).unwrap()
}

/// A key whose PIN is 123456, and a client that talks to it.
pub(crate) fn key_with_pin() -> (Softkey, Client<Loopback>) {
    let key = key();
    let mut client = client(&key);
    client.set_pin(None, &pin("123456")).unwrap();
    (key, client)
}

pub(crate) fn request(user: &str) -> MakeCredential {
    MakeCredential {
        client_data_hash: [0xC1; 32],
        rp: RelyingParty {
            id: RP_ID.to_owned(),
            name: None,
        },
        user: User {
            id: user.as_bytes().to_vec(),
            name: Some(format!("{user}@contoso.com")),
            display_name: Some("Test User".to_owned()),
        },
        algorithms: vec![Algorithm::ES256, Algorithm::RS256],
        exclude: Vec::new(),
        resident_key: true,
        hmac_secret: true,
        salts: None,
        cred_protect: None,
        proof: None,
    }
}

pub(crate) fn register<S: Read + Write>(client: &mut Client<S>, user: &str) -> Attestation {
    client
        .make_credential(request(user), Some(&pin("123456")))
        .unwrap()
}

pub(crate) fn assertion() -> GetAssertion {
    GetAssertion {
        rp_id: RP_ID.to_owned(),
        client_data_hash: [0xC2; 32],
        allow: Vec::new(),
        user_presence: true,
        salts: None,
        proof: None,
    }
}

/// The two secrets for [`SALTS`], with the PIN or without.
pub(crate) fn secrets<S: Read + Write>(
    client: &mut Client<S>,
    pin: Option<&Pin>,
) -> ([u8; 32], [u8; 32]) {
    let mut assertions = client
        .get_assertions(assertion(), Some(SALTS), pin)
        .unwrap();
    let (assertion, outputs) = assertions.remove(0);
    assert_eq!(assertion.auth_data.is_user_verified(), pin.is_some());
    let outputs = outputs.unwrap();
    (*outputs.first.expose(), *outputs.second.unwrap().expose())
}
