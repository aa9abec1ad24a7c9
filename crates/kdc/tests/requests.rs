//! Known attacks with messages: replays, changed and oversized ones, each in both directions: what is right
//! passes, what is wrong does not.

mod client;

use client::{PASSWORD, REALM, Realm, WEB};
use kdc::Event;
use kerberos::crypto::ChecksumType;
use kerberos::messages::{
    Checksum, ErrorCode, KdcOptions, KdcRequest, KerberosTime, NameType, PaData, PaType,
    PrincipalName, RequestKind,
};

#[test]
fn a_replayed_authenticator_is_refused_and_a_retransmit_answered() {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("testuser");
    let draft = realm.draft(&tgt, WEB);
    let request = realm.seal(&tgt, draft);
    let bytes = request.to_der().unwrap();
    let first = realm.ask(&bytes).unwrap();
    assert_eq!(
        realm.ask(&bytes).unwrap(),
        first,
        "a retransmit gets the same answer"
    );
    // The same authenticator around the same body, but not the same message.
    let mut padata = request.padata.clone();
    padata.push(PaData::new(PaType(999), vec![1]));
    let again = KdcRequest::new(RequestKind::Tgs, padata, request.body().clone()).unwrap();
    let error = realm.ask(&again.to_der().unwrap()).unwrap_err();
    assert_eq!(error.error_code, ErrorCode::KRB_AP_ERR_REPEAT);
    // And the message itself, when the answer is forgotten.
    realm.now = realm.now.plus_seconds(120);
    assert_eq!(
        realm.ask(&bytes).unwrap_err().error_code,
        ErrorCode::KRB_AP_ERR_REPEAT
    );
}

#[test]
fn the_request_is_covered_by_a_keyed_checksum() {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("testuser");
    let naked = realm.ticket_with(&tgt, WEB, |draft| draft.with_checksum = false);
    assert_eq!(naked.unwrap_err(), ErrorCode::KRB_AP_ERR_INAPP_CKSUM);
    for (kind, length) in [
        (ChecksumType::RSA_MD5, 16),
        (ChecksumType::SHA1, 20),
        (ChecksumType::CRC32, 4),
        (ChecksumType::HMAC_MD5, 16),
        (ChecksumType::HMAC_SHA1_96_AES128, 12),
    ] {
        let unkeyed = realm.ticket_with(&tgt, WEB, |draft| {
            draft.authenticator.cksum = Some(Checksum {
                cksumtype: kind,
                checksum: vec![0; length].into(),
            });
        });
        assert_eq!(
            unkeyed.unwrap_err(),
            ErrorCode::KRB_AP_ERR_INAPP_CKSUM,
            "{kind}"
        );
    }
    // Somebody on the way asks for another service.
    let draft = realm.draft(&tgt, WEB);
    let sealed = realm.seal(&tgt, draft);
    let mut body = sealed.body().clone();
    body.sname = Some(PrincipalName::krbtgt(REALM));
    let bent = KdcRequest::new(RequestKind::Tgs, sealed.padata.clone(), body).unwrap();
    let error = realm.ask(&bent.to_der().unwrap()).unwrap_err();
    assert_eq!(error.error_code, ErrorCode::KRB_AP_ERR_MODIFIED);
}

#[test]
fn a_missing_checksum_passes_only_by_the_switch_and_is_told() {
    let mut realm = Realm::with(|settings| settings.allow_missing_authenticator_checksum = true);
    let tgt = realm.sign_in("testuser");
    assert!(realm.ticket(&tgt, WEB).is_ok());
    assert!(
        !realm
            .events
            .iter()
            .any(|e| matches!(e, Event::Tolerated { .. }))
    );
    assert!(
        realm
            .ticket_with(&tgt, WEB, |draft| draft.with_checksum = false)
            .is_ok()
    );
    assert!(
        realm
            .events
            .iter()
            .any(|e| matches!(e, Event::Tolerated { .. }))
    );
}

#[test]
fn clocks_may_be_five_minutes_apart() {
    let mut realm = Realm::new();
    let key = realm.key_of("testuser", PASSWORD);
    for (apart_s, expect) in [
        (0, None),
        (300, None),
        (-300, None),
        (301, Some(ErrorCode::KRB_AP_ERR_SKEW)),
        (-301, Some(ErrorCode::KRB_AP_ERR_SKEW)),
    ] {
        let timestamp = realm.timestamp(&key, apart_s);
        let signed_in =
            realm.sign_in_as("testuser", PASSWORD, |_, padata| *padata = vec![timestamp]);
        assert_eq!(signed_in.err(), expect, "{apart_s}");
        let tgt = realm.sign_in("testuser");
        let ctime = KerberosTime::new(realm.now.plus_seconds(apart_s));
        let asked = realm.ticket_with(&tgt, WEB, |draft| draft.authenticator.ctime = ctime);
        assert_eq!(asked.err(), expect, "{apart_s}");
    }
}

#[test]
fn names_and_realms_must_agree() {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("testuser");
    let web = realm.sign_in("WEB$");
    let lent = realm.ticket_with(&tgt, WEB, |draft| {
        draft.authenticator.cname = web.cname.clone()
    });
    assert_eq!(lent.unwrap_err(), ErrorCode::KRB_AP_ERR_BADMATCH);
    let abroad = realm.ticket_with(&tgt, WEB, |draft| draft.body.realm = "OTHER".into());
    assert_eq!(abroad.unwrap_err(), ErrorCode::KDC_ERR_WRONG_REALM);
    let abroad = realm.sign_in_as("testuser", PASSWORD, |b, _| b.realm = "OTHER".into());
    assert_eq!(abroad.unwrap_err(), ErrorCode::KDC_ERR_WRONG_REALM);
    // And nobody is sent here, or anywhere.
    let key = realm.key_of("testuser", PASSWORD);
    let request = realm.as_req("testuser", &key, |b, _| b.realm = "OTHER".into());
    assert_eq!(realm.ask(&request).unwrap_err().crealm, None);
    let netbios = realm.sign_in_as("testuser", PASSWORD, |b, _| b.realm = "corp".into());
    assert!(netbios.is_ok());
    let unknown = realm.ticket(&tgt, "krbtgt/OTHER.EXAMPLE");
    assert_eq!(unknown.unwrap_err(), ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN);
    // The realm's own service under its short name, and the name that it has, where the client takes another one.
    let short = realm.ticket(&tgt, "krbtgt/CORP").unwrap();
    assert_eq!(
        short.part.sname,
        PrincipalName::new(NameType::NT_SRV_INST, ["krbtgt", "CORP"])
    );
    let canonical = realm.ticket_with(&tgt, "krbtgt/CORP", |draft| {
        draft.body.kdc_options = KdcOptions::CANONICALIZE;
    });
    assert_eq!(canonical.unwrap().part.sname, PrincipalName::krbtgt(REALM));
    let validate = realm.ticket_with(&tgt, &format!("krbtgt/{REALM}"), |draft| {
        draft.body.kdc_options = KdcOptions::VALIDATE;
    });
    assert_eq!(validate.unwrap_err(), ErrorCode::KDC_ERR_BADOPTION);
    // By its account name krbtgt is no service: that would hand out tickets under its key.
    let by_name = realm.ticket(&tgt, "krbtgt");
    assert_eq!(by_name.unwrap_err(), ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN);
}

#[test]
fn a_disabled_service_gets_no_tickets() {
    let mut realm = Realm::new();
    realm
        .accounts
        .add("OLD$", PASSWORD, &["HTTP/old"], |a| {
            a.policy.disabled = true
        })
        .unwrap();
    let tgt = realm.sign_in("testuser");
    assert_eq!(
        realm.ticket(&tgt, "HTTP/old").unwrap_err(),
        ErrorCode::KDC_ERR_SERVICE_REVOKED
    );
}

#[test]
fn long_deep_and_foreign_messages_are_refused_without_a_panic() {
    let realm = &mut Realm::new();
    let mut long = vec![0x6A, 0x84, 0, 4, 0, 0];
    long.resize(256 * 1024, 0);
    let error = realm.ask(&long).unwrap_err();
    assert_eq!(error.error_code, ErrorCode::KRB_ERR_FIELD_TOOLONG);
    // A hundred thousand SEQUENCEs without an end, inside an AS-REQ.
    let mut deep = vec![0x6A, 0x80];
    deep.extend([0x30, 0x80].repeat(50_000));
    assert_eq!(
        realm.ask(&deep).unwrap_err().error_code,
        ErrorCode::KRB_ERR_GENERIC
    );
    for nothing in [
        &b""[..],
        b"GET / HTTP/1.1",
        &[0x6B, 0],
        &[0x6E, 0],
        &[0xFF; 64],
    ] {
        let answer = realm.kdc.answer(nothing, realm.now, &mut realm.entropy);
        assert_eq!(answer.reply, None, "no answer to what is no request");
    }
}

#[test]
fn no_changed_byte_of_a_good_request_panics() {
    let mut realm = Realm::new();
    let key = realm.key_of("testuser", PASSWORD);
    let as_req = realm.as_req("testuser", &key, |_, _| {});
    let tgt = realm.sign_in("testuser");
    let draft = realm.draft(&tgt, WEB);
    let tgs_req = realm.seal(&tgt, draft).to_der().unwrap();
    for good in [as_req, tgs_req] {
        for place in 0..good.len() {
            let mut bent = good.clone();
            bent[place] ^= 1 << (place % 8);
            let _ = realm.kdc.answer(&bent, realm.now, &mut realm.entropy);
            let _ = realm
                .kdc
                .answer(&good[..place], realm.now, &mut realm.entropy);
        }
    }
}
