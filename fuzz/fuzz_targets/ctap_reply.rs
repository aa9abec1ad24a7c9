//! Replies of a hostile security key: the first byte chooses the request, the rest is its answer.

#![no_main]

use ctap::client_pin::{GetKeyAgreement, GetRetries};
use ctap::command::{Algorithm, GetAssertion, GetInfo, MakeCredential, RelyingParty, User};
use ctap::pin::SharedSecret;
use ctap::{AuthData, PinProtocol, Request};
use types::SeededEntropy;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Some((choice, body)) = data.split_first() else {
        return;
    };
    match choice % 6 {
        0 => drop(GetInfo.decode_reply(body)),
        1 => {
            if let Ok(attestation) = make_credential().decode_reply(body) {
                assert!(!attestation.to_attestation_object().is_empty());
                drop((
                    attestation.certificates(),
                    attestation.auth_data.has_hmac_secret(),
                ));
            }
        }
        2 => {
            if let Ok(assertion) = get_assertion().decode_reply(body) {
                drop(assertion.auth_data.hmac_secret_output());
            }
        }
        3 => drop(GetRetries(PinProtocol::Two).decode_reply(body)),
        4 => {
            if let Ok(point) = GetKeyAgreement(PinProtocol::Two).decode_reply(body) {
                let entropy = &mut SeededEntropy::new(1);
                if let Ok(shared) = SharedSecret::agree(PinProtocol::Two, point, entropy) {
                    drop(shared.decrypt(body));
                }
            }
        }
        _ => {
            if let Ok(auth_data) = AuthData::decode(body) {
                assert_eq!(auth_data.raw, body);
            }
        }
    }
});

fn make_credential() -> MakeCredential {
    MakeCredential {
        client_data_hash: [0; 32],
        rp: RelyingParty {
            id: "contoso.com".to_owned(),
            name: None,
        },
        user: User {
            id: vec![1],
            name: None,
            display_name: None,
        },
        algorithms: vec![Algorithm::ES256],
        exclude: Vec::new(),
        resident_key: true,
        hmac_secret: true,
        salts: None,
        cred_protect: None,
        proof: None,
    }
}

fn get_assertion() -> GetAssertion {
    GetAssertion {
        rp_id: "contoso.com".to_owned(),
        client_data_hash: [0; 32],
        allow: vec![vec![1]],
        user_presence: true,
        salts: None,
        proof: None,
    }
}
