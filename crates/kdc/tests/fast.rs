//! FAST: what an armour protects, and that nothing gets around it (RFC 6113).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test panics where it fails"
)]

mod client;

use client::{AES256, Held, PASSWORD, REALM, Realm, WEB};
use kdc::{Event, Lockout as _, Proof};
use kerberos::crypto::{Key, KeyUsage, combine};
use kerberos::messages::{
    AdType, ApOptions, ApReq, AuthorizationData, Checksum, Der, EncryptedData, EncryptionKey,
    ErrorCode, KdcOptions, KdcReply, KdcReqBody, KdcRequest, KerberosTime, KrbError, KrbFastArmor,
    KrbFastArmoredReq, KrbFastReq, KrbFastResponse, NameType, PaData, PaEncTsEnc, PaFxFastReply,
    PaFxFastRequest, PaType, PrincipalName, RequestKind,
};
use rasn::types::Any;

/// What may be bent about an armour.
struct Bent {
    options: u32,
    armour_type: i32,
    subkey: bool,
    with_challenge: bool,
    skew_s: i64,
    inner: fn(&mut KdcReqBody),
    outer: fn(&mut KdcReqBody),
    checksum: fn(&mut Vec<u8>),
    inner_padata: Vec<PaData>,
    password: &'static str,
}

impl Bent {
    fn nothing() -> Self {
        Self {
            options: 0,
            armour_type: 1,
            subkey: true,
            with_challenge: true,
            skew_s: 0,
            inner: |_| {},
            outer: |_| {},
            checksum: |_| {},
            inner_padata: Vec::new(),
            password: PASSWORD,
        }
    }
}

/// An armoured answer, opened.
struct Answer {
    reply: KdcReply,
    response: KrbFastResponse,
    held: Held,
}

/// What was refused, outside and inside.
#[derive(Debug)]
struct Refused {
    outer: Box<KrbError>,
    inner: Option<Box<(KrbError, Vec<PaData>)>>,
}

impl Refused {
    fn code(&self) -> ErrorCode {
        if let Some(inner) = &self.inner {
            assert_eq!(inner.0.error_code, self.outer.error_code);
        }
        self.outer.error_code
    }
}

fn opened(padata: &[PaData], armour: &Key) -> KrbFastResponse {
    let reply = PaData::find(padata, PaType::PA_FX_FAST).unwrap();
    let reply = PaFxFastReply::from_der(reply).unwrap().0;
    let plain = reply.enc_fast_rep.open(armour, KeyUsage::FAST_REP).unwrap();
    KrbFastResponse::from_der(&plain).unwrap()
}

fn armour(realm: &mut Realm, tgt: &Held, bent: &Bent) -> (Key, KrbFastArmor) {
    let subkey = Key::generate(AES256, &mut realm.entropy).unwrap();
    let mut authenticator = realm.draft(tgt, WEB).authenticator;
    authenticator.subkey = bent.subkey.then(|| EncryptionKey::from_key(&subkey));
    let at = realm.now.plus_seconds(bent.skew_s);
    authenticator.ctime = KerberosTime::new(at);
    let ap_req = ApReq::seal(
        ApOptions::default(),
        tgt.ticket.clone(),
        &authenticator,
        &tgt.session,
        KeyUsage::AP_REQ_AUTHENTICATOR,
        &mut realm.entropy,
    );
    let armour = KrbFastArmor {
        armor_type: bent.armour_type,
        armor_value: ap_req.unwrap().to_der().unwrap().into(),
    };
    let key = combine(&subkey, b"subkeyarmor", &tgt.session, b"ticketarmor").unwrap();
    (key, armour)
}

fn fast_padata(
    realm: &mut Realm,
    key: &Key,
    armour: Option<KrbFastArmor>,
    covered: &[u8],
    inner: &KrbFastReq,
    bend: fn(&mut Vec<u8>),
) -> PaData {
    let usage = KeyUsage::FAST_REQ_CHECKSUM;
    let mut checksum = Checksum::compute(key, usage, &[covered]).unwrap();
    let mut bytes = checksum.checksum.to_vec();
    bend(&mut bytes);
    checksum.checksum = bytes.into();
    let plain = inner.to_der().unwrap();
    let usage = KeyUsage::FAST_ENC;
    let request = PaFxFastRequest(KrbFastArmoredReq {
        armor: armour,
        req_checksum: checksum,
        enc_fast_req: EncryptedData::seal(key, None, usage, &plain, &mut realm.entropy).unwrap(),
    });
    PaData::new(PaType::PA_FX_FAST, request.to_der().unwrap())
}

/// Signs `testuser` in, in the armour of that ticket.
fn sign_in(realm: &mut Realm, tgt: &Held, bent: Bent) -> Result<Answer, Refused> {
    let (armour_key, armour) = armour(realm, tgt, &bent);
    let long_term = realm.key_of("testuser", bent.password);
    let second = b"challengelongterm";
    let client_key = combine(&armour_key, b"clientchallengearmor", &long_term, second).unwrap();
    let mut body = realm.body(PrincipalName::krbtgt(REALM));
    body.cname = Some(PrincipalName::new(NameType::NT_PRINCIPAL, ["testuser"]));
    let mut outer = body.clone();
    (bent.inner)(&mut body);
    (bent.outer)(&mut outer);
    let time = PaEncTsEnc {
        patimestamp: KerberosTime::new(realm.now),
        pausec: None,
    };
    let usage = KeyUsage::ENC_CHALLENGE_CLIENT;
    let sealed = kerberos::ticket::seal(&time, &client_key, None, usage, &mut realm.entropy);
    let challenge = PaData::new(
        PaType::PA_ENCRYPTED_CHALLENGE,
        sealed.unwrap().to_der().unwrap(),
    );
    let mut padata = bent.inner_padata;
    if bent.with_challenge {
        padata.push(challenge);
    }
    let inner = KrbFastReq {
        fast_options: KdcOptions(bent.options),
        padata,
        req_body: Any::new(body.to_der().unwrap()),
    };
    let covered = outer.to_der().unwrap();
    let padata = fast_padata(
        realm,
        &armour_key,
        Some(armour),
        &covered,
        &inner,
        bent.checksum,
    );
    let request = KdcRequest::new(RequestKind::As, vec![padata], outer).unwrap();
    let reply = ask(realm, &request.to_der().unwrap(), &armour_key)?;
    let reply = KdcReply::from_der(&reply).unwrap();
    let response = opened(&reply.padata, &armour_key);
    assert_eq!(response.nonce, body.nonce);
    let strengthen = response.strengthen_key.as_ref().unwrap();
    let strengthen = strengthen.to_key(None).unwrap();
    let key = combine(&strengthen, b"strengthenkey", &long_term, b"replykey").unwrap();
    let part = reply.open(&key, KeyUsage::AS_REP_ENC_PART).unwrap();
    let finished = response.finished.as_ref().unwrap();
    let ticket = reply.ticket.to_der().unwrap();
    let usage = KeyUsage::FAST_FINISHED;
    let is_ours = finished
        .ticket_checksum
        .verify(&armour_key, usage, &[&ticket]);
    assert!(is_ours.is_ok());
    // The KDC has the password too.
    let answer = PaData::find(&response.padata, PaType::PA_ENCRYPTED_CHALLENGE).unwrap();
    let kdc_key = combine(&armour_key, b"kdcchallengearmor", &long_term, second).unwrap();
    let answer = EncryptedData::from_der(answer).unwrap();
    assert!(answer.open(&kdc_key, KeyUsage::ENC_CHALLENGE_KDC).is_ok());
    let held = Held {
        session: part.key.to_key(None).unwrap().into(),
        ticket: reply.ticket.clone(),
        cname: finished.cname.clone(),
        part,
    };
    Ok(Answer {
        reply,
        response,
        held,
    })
}

fn ask(realm: &mut Realm, request: &[u8], armour_key: &Key) -> Result<Vec<u8>, Refused> {
    realm.ask(request).map_err(|outer| {
        let data = outer.method_data().and_then(Result::ok);
        let data = data.filter(|data| PaData::find(data, PaType::PA_FX_FAST).is_some());
        let inner = data.map(|data| {
            let response = opened(&data, armour_key);
            assert!(response.strengthen_key.is_none());
            let error = PaData::find(&response.padata, PaType::PA_FX_ERROR).unwrap();
            Box::new((KrbError::from_der(error).unwrap(), response.padata))
        });
        Refused { outer, inner }
    })
}

#[track_caller]
fn check(bent: Bent, expect: Option<ErrorCode>) {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("WEB$");
    let failed = sign_in(&mut realm, &tgt, bent).err();
    assert_eq!(failed.map(|refused| refused.code()), expect);
}

#[test]
fn a_password_signs_in_inside_an_armour() {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("WEB$");
    let answer = sign_in(&mut realm, &tgt, Bent::nothing()).unwrap();
    assert_eq!(answer.reply.cname.to_string(), "testuser");
    assert!(PaData::find(&answer.response.padata, PaType::PA_ETYPE_INFO2).is_some());
    assert!(realm.ticket(&answer.held, WEB).is_ok());
    let by_challenge = |event: &Event| {
        matches!(
            event,
            Event::TicketGranted {
                proof: Proof::EncryptedChallenge,
                ..
            }
        )
    };
    assert!(realm.events.iter().any(by_challenge), "{:?}", realm.events);
}

#[test]
fn a_wrong_password_counts_inside_an_armour_too() {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("WEB$");
    for _ in 0..3 {
        let wrong = Bent {
            password: "wrong",
            ..Bent::nothing()
        };
        let refused = sign_in(&mut realm, &tgt, wrong).err().unwrap();
        assert_eq!(refused.code(), ErrorCode::KDC_ERR_PREAUTH_FAILED);
        assert!(refused.inner.is_some());
    }
    let sid = realm.account("testuser").sid.clone();
    assert!(realm.lockout.is_locked(&sid, realm.now));
    let locked = sign_in(&mut realm, &tgt, Bent::nothing()).err().unwrap();
    assert_eq!(locked.code(), ErrorCode::KDC_ERR_CLIENT_REVOKED);
}

#[test]
fn hints_are_inside_and_name_no_weaker_proof() {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("WEB$");
    let bare = || Bent {
        with_challenge: false,
        ..Bent::nothing()
    };
    let refused = sign_in(&mut realm, &tgt, bare()).err().unwrap();
    assert_eq!(refused.code(), ErrorCode::KDC_ERR_PREAUTH_REQUIRED);
    let hints = refused.inner.unwrap().1;
    for kind in [
        PaType::PA_ENCRYPTED_CHALLENGE,
        PaType::PA_ETYPE_INFO2,
        PaType::PA_FX_COOKIE,
    ] {
        assert!(PaData::find(&hints, kind).is_some(), "{kind}");
    }
    assert!(PaData::find(&hints, PaType::PA_ENC_TIMESTAMP).is_none());
    // A timestamp that the password alone protects is not taken inside.
    let key = realm.key_of("testuser", PASSWORD);
    let timestamp = realm.timestamp(&key, 0);
    let weaker = Bent {
        inner_padata: vec![timestamp],
        ..bare()
    };
    let refused = sign_in(&mut realm, &tgt, weaker).err().unwrap();
    assert_eq!(refused.code(), ErrorCode::KDC_ERR_PREAUTH_REQUIRED);
    // Without an armour FAST is told of, and nothing that needs one.
    let request = realm.as_req("testuser", &key, |_, padata| padata.clear());
    let hints = realm.ask(&request).unwrap_err().method_data();
    let hints = hints.unwrap().unwrap();
    assert!(PaData::find(&hints, PaType::PA_FX_FAST).is_some());
    assert!(PaData::find(&hints, PaType::PA_ENCRYPTED_CHALLENGE).is_none());
}

#[test]
fn only_what_is_inside_counts() {
    let other_outside = Bent {
        outer: |body| {
            body.cname = Some(PrincipalName::new(NameType::NT_PRINCIPAL, ["nobody"]));
            body.etype.clear();
        },
        ..Bent::nothing()
    };
    check(other_outside, None);
    let other_inside = Bent {
        inner: |body| {
            body.cname = Some(PrincipalName::new(NameType::NT_PRINCIPAL, ["nobody"]));
        },
        ..Bent::nothing()
    };
    check(other_inside, Some(ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN));
    let changed = Bent {
        checksum: |checksum| checksum[0] ^= 1,
        ..Bent::nothing()
    };
    check(changed, Some(ErrorCode::KRB_AP_ERR_MODIFIED));
}

#[test]
fn an_armour_is_made_of_a_ticket_and_a_subkey_now() {
    let no_subkey = Bent {
        subkey: false,
        ..Bent::nothing()
    };
    check(no_subkey, Some(ErrorCode::KDC_ERR_PREAUTH_FAILED));
    let other_type = Bent {
        armour_type: 2,
        ..Bent::nothing()
    };
    check(other_type, Some(ErrorCode::KDC_ERR_PREAUTH_FAILED));
    let late = Bent {
        skew_s: -301,
        ..Bent::nothing()
    };
    check(late, Some(ErrorCode::KRB_AP_ERR_SKEW));
}

#[test]
fn an_armour_ticket_is_as_good_as_any() {
    #[track_caller]
    fn check(forge: fn(&mut Realm, &Held) -> Held, expect: Option<ErrorCode>) {
        let mut realm = Realm::new();
        let tgt = realm.sign_in("WEB$");
        let forged = forge(&mut realm, &tgt);
        let failed = sign_in(&mut realm, &forged, Bent::nothing()).err();
        assert_eq!(failed.map(|refused| refused.code()), expect);
    }
    check(|realm, tgt| realm.forged(tgt, |_| {}), None);
    // Without a PAC.
    check(
        |realm, tgt| realm.forged(tgt, |part| part.authorization_data = None),
        Some(ErrorCode::KDC_ERR_TGT_REVOKED),
    );
    // CVE-2022-2031: so little time left that it may be for changing a password.
    check(
        |realm, tgt| {
            realm.now = tgt.part.endtime.timestamp().plus_seconds(-120);
            tgt.clone()
        },
        Some(ErrorCode::KRB_AP_ERR_TKT_EXPIRED),
    );
    // A service's ticket.
    check(
        |realm, tgt| realm.ticket(tgt, WEB).unwrap(),
        Some(ErrorCode::KRB_AP_ERR_NOT_US),
    );
    // The account is gone, or disabled.
    check(
        |realm, tgt| {
            realm.accounts.remove("WEB$");
            tgt.clone()
        },
        Some(ErrorCode::KDC_ERR_TGT_REVOKED),
    );
}

#[test]
fn critical_options_that_are_not_known_are_refused_and_names_can_be_hidden() {
    let unknown = Bent {
        options: 1 << 29,
        ..Bent::nothing()
    };
    check(
        unknown,
        Some(ErrorCode::KDC_ERR_UNKNOWN_CRITICAL_FAST_OPTIONS),
    );
    let harmless = Bent {
        options: 1 << 14,
        ..Bent::nothing()
    };
    check(harmless, None);
    let mut realm = Realm::new();
    let tgt = realm.sign_in("WEB$");
    let hide = || Bent {
        options: 1 << 30,
        outer: |body| {
            let nobody = ["WELLKNOWN", "ANONYMOUS"];
            body.cname = Some(PrincipalName::new(NameType::NT_WELLKNOWN, nobody));
        },
        ..Bent::nothing()
    };
    let answer = sign_in(&mut realm, &tgt, hide()).unwrap();
    assert_eq!(answer.reply.cname.to_string(), "WELLKNOWN/ANONYMOUS");
    assert_eq!(answer.held.cname.to_string(), "testuser");
    let wrong = Bent {
        password: "wrong",
        ..hide()
    };
    let refused = sign_in(&mut realm, &tgt, wrong).err().unwrap();
    let outside = refused.outer.cname.as_ref().unwrap();
    assert_eq!(outside.to_string(), "WELLKNOWN/ANONYMOUS");
}

/// A TGS request in the armour of its own ticket.
fn service_ticket(
    realm: &mut Realm,
    tgt: &Held,
    service: &str,
    bend: impl FnOnce(&mut KrbFastReq, &mut Option<KrbFastArmor>),
) -> Result<Held, Refused> {
    let subkey = Key::generate(AES256, &mut realm.entropy).unwrap();
    let mut draft = realm.draft(tgt, "HTTP/not.what.is.wanted");
    draft.authenticator.subkey = Some(EncryptionKey::from_key(&subkey));
    draft.authenticator.authorization_data = Some(vec![AuthorizationData::new(
        AdType::AD_FX_FAST_USED,
        Vec::new(),
    )]);
    let armour_key = combine(&subkey, b"subkeyarmor", &tgt.session, b"ticketarmor").unwrap();
    let inner_body = realm.draft(tgt, service).body;
    let mut inner = KrbFastReq {
        fast_options: KdcOptions(0),
        padata: Vec::new(),
        req_body: Any::new(inner_body.to_der().unwrap()),
    };
    let mut explicit = None;
    bend(&mut inner, &mut explicit);
    let mut request = realm.seal(tgt, draft);
    let ap_req = request.padata(PaType::PA_TGS_REQ).unwrap().to_vec();
    let fast = fast_padata(realm, &armour_key, explicit, &ap_req, &inner, |_| {});
    request.padata.push(fast);
    let reply = ask(realm, &request.to_der().unwrap(), &armour_key)?;
    let reply = KdcReply::from_der(&reply).unwrap();
    let response = opened(&reply.padata, &armour_key);
    let strengthen = response.strengthen_key.as_ref().unwrap();
    let strengthen = strengthen.to_key(None).unwrap();
    let key = combine(&strengthen, b"strengthenkey", &subkey, b"replykey").unwrap();
    let part = reply.open(&key, KeyUsage::TGS_REP_SUBKEY).unwrap();
    assert_eq!(part.nonce, inner_body.nonce);
    Ok(Held {
        session: part.key.to_key(None).unwrap().into(),
        ticket: reply.ticket,
        cname: reply.cname,
        part,
    })
}

#[test]
fn a_ticket_is_asked_for_inside_the_armour_of_its_own() {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("testuser");
    let held = service_ticket(&mut realm, &tgt, WEB, |_, _| {}).unwrap();
    assert_eq!(held.ticket.sname.to_string(), WEB);
    let unknown = service_ticket(&mut realm, &tgt, "HTTP/unknown", |_, _| {});
    let unknown = unknown.err().unwrap();
    assert_eq!(unknown.code(), ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN);
    assert!(unknown.inner.is_some());
    // An armour of another ticket is not taken.
    let armour = armour(&mut realm, &tgt, &Bent::nothing()).1;
    let other = service_ticket(&mut realm, &tgt, WEB, |_, explicit| {
        *explicit = Some(armour);
    });
    assert_eq!(
        other.err().unwrap().code(),
        ErrorCode::KDC_ERR_PREAUTH_FAILED
    );
}

#[test]
fn an_armour_cannot_be_taken_off() {
    let mut realm = Realm::new();
    let tgt = realm.sign_in("testuser");
    let with = |realm: &mut Realm, kind: AdType| {
        realm.ticket_with(&tgt, WEB, |draft| {
            let data = AuthorizationData::new(kind, Vec::new());
            draft.authenticator.authorization_data = Some(vec![data]);
        })
    };
    let stripped = with(&mut realm, AdType::AD_FX_FAST_USED);
    assert_eq!(stripped.unwrap_err(), ErrorCode::KRB_AP_ERR_MODIFIED);
    // What was made to be an armour is not good for asking.
    let borrowed = with(&mut realm, AdType::AD_FX_FAST_ARMOR);
    assert_eq!(borrowed.unwrap_err(), ErrorCode::KDC_ERR_POLICY);
    assert!(with(&mut realm, AdType(9999)).is_ok());
}
