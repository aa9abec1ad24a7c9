//! Tickets, authenticators and replies, sealed and opened, each in both directions.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test panics where it fails"
)]

use kerberos::crypto::{CryptoError, EncryptionType, Key, KeyUsage};
use kerberos::messages::*;
use kerberos::ticket::SealError;
use types::{SeededEntropy, Timestamp};

fn aes(byte: u8) -> Key {
    Key::new(EncryptionType::AES256_CTS_HMAC_SHA1_96, &[byte; 32]).unwrap()
}

fn moment() -> KerberosTime {
    Timestamp::parse_rfc3339("2026-06-10T05:06:07Z")
        .unwrap()
        .into()
}

fn part() -> EncTicketPart {
    EncTicketPart {
        flags: TicketFlags::INITIAL,
        key: EncryptionKey::from_key(&aes(9)),
        crealm: "CORP.CONTOSO.COM".into(),
        cname: PrincipalName::new(NameType::NT_PRINCIPAL, ["testuser"]),
        transited: TransitedEncoding {
            tr_type: 1,
            contents: Vec::new().into(),
        },
        authtime: moment(),
        starttime: None,
        endtime: moment(),
        renew_till: None,
        caddr: None,
        authorization_data: None,
    }
}

#[test]
fn a_ticket_opens_with_its_key_alone() {
    let mut entropy = SeededEntropy::new(1);
    let sname = PrincipalName::krbtgt("CORP.CONTOSO.COM");
    let kvno = Kvno {
        rodc: 0x9001,
        version: 2,
    };
    let ticket = Ticket::seal(
        "CORP.CONTOSO.COM".into(),
        sname,
        &part(),
        &aes(1),
        Some(kvno),
        &mut entropy,
    )
    .unwrap();
    let read = Ticket::from_der(&ticket.to_der().unwrap()).unwrap();
    assert_eq!(read.enc_part.key_version(), Some(kvno));
    assert_eq!(read.open(&aes(1)).unwrap(), part());
    assert_eq!(
        read.open(&aes(2)),
        Err(SealError::Crypto(CryptoError::Integrity))
    );
    let other = Key::new(EncryptionType::AES128_CTS_HMAC_SHA1_96, &[1; 16]).unwrap();
    assert!(matches!(
        read.open(&other),
        Err(SealError::Crypto(CryptoError::UnsupportedEncryptionType(_)))
    ));
}

#[test]
fn an_authenticator_for_a_kdc_is_none_for_a_service() {
    let mut entropy = SeededEntropy::new(1);
    let sname = PrincipalName::krbtgt("CORP.CONTOSO.COM");
    let ticket = Ticket::seal(
        "CORP.CONTOSO.COM".into(),
        sname,
        &part(),
        &aes(1),
        None,
        &mut entropy,
    )
    .unwrap();
    let authenticator = Authenticator {
        authenticator_vno: 5,
        crealm: "CORP.CONTOSO.COM".into(),
        cname: part().cname,
        cksum: Some(Checksum::compute(&aes(9), KeyUsage::TGS_REQ_CHECKSUM, &[b"body"]).unwrap()),
        cusec: 5,
        ctime: moment(),
        subkey: None,
        seq_number: None,
        authorization_data: None,
    };
    let usage = KeyUsage::TGS_REQ_AUTHENTICATOR;
    let request = ApReq::seal(
        ApOptions::default(),
        ticket,
        &authenticator,
        &aes(9),
        usage,
        &mut entropy,
    )
    .unwrap();
    let read = ApReq::from_der(&request.to_der().unwrap()).unwrap();
    read.check_header().unwrap();
    let mut other = read.clone();
    other.pvno = 4;
    assert!(other.check_header().is_err());
    let opened = read.open_authenticator(&aes(9), usage).unwrap();
    assert_eq!(opened, authenticator);
    assert!(
        read.open_authenticator(&aes(9), KeyUsage::AP_REQ_AUTHENTICATOR)
            .is_err()
    );
    let checksum = opened.cksum.unwrap();
    checksum
        .verify(&aes(9), KeyUsage::TGS_REQ_CHECKSUM, &[b"body"])
        .unwrap();
    assert!(
        checksum
            .verify(&aes(9), KeyUsage::TGS_REQ_CHECKSUM, &[b"bodY"])
            .is_err()
    );
}

#[test]
fn replies_carry_their_own_tag_and_both_are_read() {
    let reply = EncKdcRepPart {
        key: EncryptionKey::from_key(&aes(9)),
        last_req: vec![LastReqEntry {
            lr_type: 0,
            lr_value: moment(),
        }],
        nonce: i64::from(u32::MAX),
        key_expiration: None,
        flags: TicketFlags::INITIAL,
        authtime: moment(),
        starttime: Some(moment()),
        endtime: moment(),
        renew_till: None,
        srealm: "CORP.CONTOSO.COM".into(),
        sname: PrincipalName::krbtgt("CORP.CONTOSO.COM"),
        caddr: None,
        encrypted_pa_data: Some(vec![PaData::new(PaType::KERB_KEY_LIST_REP, [0x30, 0])]),
    };
    assert_eq!(reply.to_as_reply().unwrap()[0], 0x79, "application 25");
    assert_eq!(reply.to_tgs_reply().unwrap()[0], 0x7A, "application 26");
    assert_eq!(
        EncKdcRepPart::from_reply(&reply.to_as_reply().unwrap()).unwrap(),
        reply
    );
    assert_eq!(
        EncKdcRepPart::from_reply(&reply.to_tgs_reply().unwrap()).unwrap(),
        reply
    );
    let mut entropy = SeededEntropy::new(1);
    let sealed = reply
        .seal(
            RequestKind::As,
            &aes(3),
            None,
            KeyUsage::AS_REP_ENC_PART,
            &mut entropy,
        )
        .unwrap();
    let kdc_reply = KdcReply {
        kind: RequestKind::As,
        padata: vec![],
        crealm: "CORP.CONTOSO.COM".into(),
        cname: part().cname,
        ticket: Ticket::seal(
            "R".into(),
            reply.sname.clone(),
            &part(),
            &aes(1),
            None,
            &mut entropy,
        )
        .unwrap(),
        enc_part: sealed,
    };
    let read = KdcReply::from_der(&kdc_reply.to_der().unwrap()).unwrap();
    assert_eq!(
        read.open(&aes(3), KeyUsage::AS_REP_ENC_PART).unwrap(),
        reply
    );
}

#[test]
fn pa_for_user_is_signed_with_the_session_key_of_any_type() {
    let mut wish = PaForUser {
        user_name: PrincipalName::new(NameType::NT_ENTERPRISE, ["testuser@corp.contoso.com"]),
        user_realm: "CORP.CONTOSO.COM".into(),
        cksum: Checksum {
            cksumtype: kerberos::crypto::ChecksumType::HMAC_MD5,
            checksum: Vec::new().into(),
        },
        auth_package: "Kerberos".into(),
    };
    wish.cksum.checksum = wish.checksum(&aes(9)).to_vec().into();
    wish.verify(&aes(9)).unwrap();
    assert!(wish.verify(&aes(8)).is_err());
    wish.user_realm = "OTHER".into();
    assert!(wish.verify(&aes(9)).is_err());
}

#[test]
fn a_kdc_shares_its_keys_between_threads() {
    fn check<T: Send + Sync>() {}
    check::<Key>();
    let key = aes(1);
    let sealed = key
        .encrypt(KeyUsage::TICKET, b"x", &mut SeededEntropy::new(1))
        .unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                assert_eq!(
                    key.decrypt(KeyUsage::TICKET, &sealed).unwrap().as_slice(),
                    b"x"
                )
            });
        }
    });
}
