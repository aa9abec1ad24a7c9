//! GSS and SPNEGO tokens, there and back, and what must be refused.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test panics where it fails"
)]

use data_encoding::HEXLOWER_PERMISSIVE;
use kerberos::crypto::{CryptoError, EncryptionType, Key};
use kerberos::gss::*;
use proptest::prelude::*;
use types::SeededEntropy;

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).unwrap()
}

fn context(etype: i32) -> (PerMessage, PerMessage) {
    let etype = EncryptionType(etype);
    let key = || Key::new(etype, &vec![7; etype.key_bytes().unwrap()]).unwrap();
    (
        PerMessage::new(Role::Initiator, key(), true, 100, 200),
        PerMessage::new(Role::Acceptor, key(), true, 200, 100),
    )
}

#[test]
fn framed_and_bare_messages_are_read() {
    // RFC 4121 4.1, RFC 2743 3.1.
    let bytes = hex("601106092a864886f71201020201006e020000");
    let token = MechToken::decode(&bytes).unwrap();
    assert_eq!(
        (&token.mech, token.kind),
        (&Mech::kerberos(), TokenKind::AP_REQ)
    );
    assert_eq!(token.message, hex("6e020000"));
    assert_eq!(token.encode(), bytes);
    let bare = MechToken::decode(&hex("6e020500")).unwrap();
    assert_eq!(
        (bare.kind, bare.message),
        (TokenKind::AP_REQ, hex("6e020500"))
    );
    for bad in [
        "",
        "60",
        "6000",
        "6005060b2a86",
        "600b06092a864886f712010202",
        "3000",
    ] {
        assert!(MechToken::decode(&hex(bad)).is_err(), "{bad}");
    }
    assert!(Mech::kerberos_of_windows().is_kerberos());
    assert!(!Mech::ntlm().is_kerberos());
}

#[test]
fn negotiation_tokens() {
    // The offer that every browser on Windows knows: Kerberos (Windows), Kerberos, NTLM.
    let init = NegTokenInit {
        mech_types: vec![Mech::kerberos_of_windows(), Mech::kerberos(), Mech::ntlm()],
        mech_token: Some(b"token".to_vec()),
        mech_list_mic: None,
    };
    let bytes = NegToken::Init(init.clone()).encode();
    assert_eq!(
        bytes,
        hex(
            "603b06062b0601050502a031302fa024302206092a864882f71201020206092a864886f712010202060a2b06010401823702020aa2070405746f6b656e"
        )
    );
    assert_eq!(NegToken::decode(&bytes).unwrap(), NegToken::Init(init));

    let resp = NegTokenResp {
        neg_state: Some(NegState::ACCEPT_COMPLETED),
        supported_mech: Some(Mech::kerberos_of_windows()),
        response_token: Some(vec![1, 2, 3]),
        mech_list_mic: Some(vec![4]),
    };
    let bytes = NegToken::Resp(resp.clone()).encode();
    assert_eq!(
        bytes,
        hex("a120301ea0030a0100a10b06092a864882f712010202a2050403010203a303040104")
    );
    assert_eq!(NegToken::decode(&bytes).unwrap(), NegToken::Resp(resp));

    // MS-SPNG: hints at [3] are no MIC; the MIC is at [4].
    let hints = hex("a01f301da00d300b06092a864886f712010202a3073005a0031b0178a403040109");
    let NegToken::Init(read) = NegToken::decode(&hints).unwrap() else {
        panic!("an initial token");
    };
    assert_eq!(read.mech_list_mic, Some(vec![9]));
}

#[test]
fn what_an_initiator_wants() {
    let wish = GssChecksum {
        channel_bindings: [3; 16],
        flags: GssFlags::MUTUAL | GssFlags::INTEG | GssFlags::CONF,
        delegated: None,
    };
    let bytes = wish.encode().unwrap();
    assert_eq!(
        bytes,
        hex(&format!("10000000 {} 32000000", "03".repeat(16)))
    );
    assert_eq!(GssChecksum::decode(&bytes).unwrap(), wish);
    let with_ticket = GssChecksum {
        delegated: Some(vec![0x76, 0]),
        ..wish
    };
    let bytes = with_ticket.encode().unwrap();
    let read = GssChecksum::decode(&bytes).unwrap();
    assert!(read.flags.contains(GssFlags::DELEG));
    assert_eq!(read.delegated, with_ticket.delegated);
    for cut in 0..bytes.len() {
        assert!(GssChecksum::decode(&bytes[..cut]).is_err(), "{cut}");
    }
}

#[test]
fn messages_pass_in_order_and_once() {
    for etype in [17, 18, 19, 20] {
        let (mut client, mut server) = context(etype);
        let mut entropy = SeededEntropy::new(1);
        for plain in [&b""[..], b"x", &[5; 1000]] {
            for protection in [Protection::Confidentiality, Protection::Integrity] {
                let token = client.wrap(protection, plain, &mut entropy).unwrap();
                assert_eq!(server.unwrap(&token).unwrap(), (plain.to_vec(), protection));
                assert!(
                    matches!(server.unwrap(&token), Err(GssError::Sequence { .. })),
                    "twice"
                );
                let is_readable = token
                    .windows(plain.len().max(1))
                    .any(|window| window == plain);
                assert_eq!(
                    is_readable && plain.len() > 8,
                    protection == Protection::Integrity && plain.len() > 8
                );
                let answer = server.wrap(protection, plain, &mut entropy).unwrap();
                assert!(server.unwrap(&answer).is_err(), "one's own");
                assert_eq!(client.unwrap(&answer).unwrap().0, plain);
            }
        }
        let mic = client.mic(b"list").unwrap();
        assert!(server.verify_mic(b"lisT", &mic).is_err());
        server.verify_mic(b"list", &mic).unwrap();
    }
}

#[test]
fn no_changed_byte_passes() {
    for protection in [Protection::Confidentiality, Protection::Integrity] {
        let (mut client, mut server) = context(18);
        let token = client
            .wrap(
                protection,
                b"message of some length",
                &mut SeededEntropy::new(1),
            )
            .unwrap();
        for place in 0..token.len() {
            let mut changed = token.clone();
            changed[place] ^= 1;
            assert!(
                server.unwrap(&changed).is_err(),
                "{protection:?}, byte {place}"
            );
        }
        for cut in 0..token.len() {
            assert!(server.unwrap(&token[..cut]).is_err());
        }
        assert!(server.unwrap(&token).is_ok());
    }
    let (mut client, _) = context(18);
    let (_, mut stranger) = context(17);
    let token = client
        .wrap(Protection::Integrity, b"m", &mut SeededEntropy::new(1))
        .unwrap();
    assert_eq!(
        stranger.unwrap(&token),
        Err(GssError::Crypto(CryptoError::Integrity))
    );
}

#[test]
fn rotated_tokens_of_windows_are_read() {
    // Windows rotates by 28: the header inside and the checksum come first (RFC 4121 4.2.5).
    let (mut client, mut server) = context(18);
    let mut token = client
        .wrap(
            Protection::Confidentiality,
            b"message",
            &mut SeededEntropy::new(1),
        )
        .unwrap();
    token[7] = 28;
    token[16..].rotate_right(28);
    assert_eq!(server.unwrap(&token).unwrap().0, b"message");
    let mut token = client
        .wrap(
            Protection::Integrity,
            b"message",
            &mut SeededEntropy::new(1),
        )
        .unwrap();
    token[7] = 12;
    token[16..].rotate_right(12);
    assert_eq!(server.unwrap(&token).unwrap().0, b"message");
}

#[test]
fn the_last_word_of_sasl() {
    let layer = SaslLayer {
        layers: SaslLayer::INTEGRITY | SaslLayer::CONFIDENTIALITY,
        message_bytes_max: 0x0A0000,
    };
    assert_eq!(layer.encode(), [6, 0x0A, 0, 0]);
    let (read, identity) = SaslLayer::decode(b"\x06\x0a\0\0u:testuser").unwrap();
    assert_eq!((read, identity), (layer, &b"u:testuser"[..]));
    assert!(SaslLayer::decode(&[1, 2, 3]).is_err());
}

proptest! {
    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = MechToken::decode(&bytes);
        if let Ok(token) = NegToken::decode(&bytes) {
            prop_assert_eq!(NegToken::decode(&token.encode()).unwrap(), token);
        }
        let _ = GssChecksum::decode(&bytes);
        let (mut client, mut server) = context(17);
        let _ = client.unwrap(&bytes);
        let _ = server.verify_mic(b"", &bytes);
    }
}
