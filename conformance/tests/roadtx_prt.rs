//! Unmodified roadtx as a device: it joins, registers a Windows Hello key, signs in by session and by that key, renews,
//! and finds a ticket for the ground that opens.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod cloud_served;

use cloud::{Caller, Compatibility};
use cloud_api::jose::SessionCipher;
use cloud_served::roadtx::Roadtx;
use cloud_served::{KRBTGT, NUMBER, ServedCloud};
use data_encoding::{BASE64, HEXLOWER};
use kerberos::crypto::{EncryptionType, Key, KeyUsage};
use kerberos::messages::KdcReply;
use kerberos::pac::{BufferType, LogonInfo, VerifiedPac};
use serde_json::Value;

/// What roadtx needs and what is off by default: its assertion answers another nonce than its request.
fn tolerant() -> Compatibility {
    Compatibility {
        any_fresh_assertion_nonce: true,
        ..Compatibility::default()
    }
}

/// Opens the ticket that roadtx kept with the key that it found.
fn check_ticket(field: &Value, client_key: &[u8]) {
    let field: Value = serde_json::from_str(field.as_str().unwrap()).unwrap();
    assert_eq!(field["keyType"], 18, "{field}");
    let message = field["messageBuffer"].as_str().unwrap();
    let message = BASE64.decode(message.as_bytes()).unwrap();
    let reply = KdcReply::from_der(&message).unwrap();
    let aes = EncryptionType::AES256_CTS_HMAC_SHA1_96;
    let client_key = Key::new(aes, client_key).unwrap();
    let told = reply.open(&client_key, KeyUsage::AS_REP_ENC_PART).unwrap();
    let krbtgt = Key::new(aes, &KRBTGT).unwrap();
    let part = reply.ticket.open(&krbtgt).unwrap();
    assert_eq!(told.key, part.key);
    let pac = VerifiedPac::for_tgt(&part, &krbtgt, NUMBER)
        .unwrap()
        .unwrap();
    let logon = pac.pac().buffer(BufferType::LOGON_INFO).unwrap();
    let sid = LogonInfo::decode(logon).unwrap().user_sid();
    assert_eq!(sid, Some("S-1-5-21-1-2-3-1104".parse().unwrap()));
}

#[test]
fn it_joins_signs_in_and_renews() {
    let served = ServedCloud::new(tolerant());
    let roadtx = Roadtx(&served);
    let session = roadtx.join();
    roadtx.register_hello_key(&session);
    let by_session = roadtx.file("by-session.prt");
    let field: Value = serde_json::from_str(by_session["tgt_ad"].as_str().unwrap()).unwrap();
    assert_eq!(field["keyType"], 0, "a pass is not enough for a ticket");

    roadtx.by_hello("hello.prt").well();
    let prt = roadtx.file("hello.prt");
    let client_key = prt["tgt_ad_sessionkey"].as_str().unwrap();
    let client_key = HEXLOWER.decode(client_key.as_bytes()).unwrap();
    check_ticket(&prt["tgt_ad"], &client_key);

    roadtx
        .run(&["prt", "-a", "renew", "-f", "hello.prt"])
        .well();
    let renewed = roadtx.file("hello.prt");
    assert_ne!(renewed["refresh_token"], prt["refresh_token"]);
    let field: Value = serde_json::from_str(renewed["tgt_ad"].as_str().unwrap()).unwrap();
    let client_key = field["clientKey"].as_str().unwrap();
    check_ticket(
        &renewed["tgt_ad"],
        &BASE64.decode(client_key.as_bytes()).unwrap(),
    );
}

#[test]
fn it_reads_the_legacy_cipher_too() {
    let served = ServedCloud::new(Compatibility {
        response_cipher: SessionCipher::LegacyCbc,
        ..tolerant()
    });
    let roadtx = Roadtx(&served);
    let session = roadtx.join();
    roadtx.prt("a.prt", &["--refresh-token", &session]).well();
    roadtx.run(&["prt", "-a", "renew", "-f", "a.prt"]).well();
}

/// CVE-2023-35348: without the switch the assertion must answer the request's own nonce, and roadtx' does not.
#[test]
fn its_second_nonce_is_refused_by_default() {
    let served = ServedCloud::new(Compatibility::default());
    let roadtx = Roadtx(&served);
    let session = roadtx.join();
    roadtx.register_hello_key(&session);
    roadtx.by_hello("hello.prt").refused("another nonce");
}

#[test]
fn what_was_removed_signs_nobody_in() {
    let served = ServedCloud::new(tolerant());
    let roadtx = Roadtx(&served);
    let session = roadtx.join();
    roadtx.register_hello_key(&session);
    roadtx.by_hello("hello.prt").well();
    let (cloud, operator) = (&served.cloud, &Caller::operator());
    let keys = cloud.device_keys(operator, served.user.id).unwrap();
    let id = &keys.searchable_device_key[0].key_identifier;
    let id = cloud_api::Base64Url(id.clone()).to_string();
    cloud.remove_ngc_key(operator, served.user.id, &id).unwrap();
    roadtx.by_hello("again.prt").refused("not registered");
    roadtx
        .run(&["prt", "-a", "renew", "-f", "hello.prt"])
        .refused("was removed");
    let device = cloud.devices(operator).unwrap()[0].id;
    cloud.remove_device(operator, device).unwrap();
    roadtx
        .run(&["prt", "-a", "renew", "-f", "by-session.prt"])
        .refused("device is gone");
}
