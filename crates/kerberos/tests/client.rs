//! The client against answers by hand: the right one is taken, and each wrong one refused.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests, which clippy does not take for tests"
)]

use kerberos::client::{
    ClientError, Credentials, KeySignIn, PasswordSignIn, Principal, Step, TgsRequest,
};
use kerberos::crypto::{EncryptionType, Key, KeyUsage, string_to_key};
use kerberos::messages::{
    ApReq, Der, EncKdcRepPart, EncTicketPart, EncryptionKey, ErrorCode, EtypeInfo2Entry, KdcReply,
    KdcRequest, KerberosTime, KrbError, PaData, PaEncTsEnc, PaType, PrincipalName, RequestKind,
    Ticket, TicketFlags, TransitedEncoding,
};
use types::{Secret, SeededEntropy, Timestamp};

const REALM: &str = "CORP.CONTOSO.COM";
const PASSWORD: &str = "Correct-Horse-2026";
const SALT: &str = "CORP.CONTOSO.COMan.older.name";
const AES256: EncryptionType = EncryptionType::AES256_CTS_HMAC_SHA1_96;

fn now() -> Timestamp {
    Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap()
}

fn user_key() -> Key {
    string_to_key(AES256, PASSWORD.as_bytes(), SALT.as_bytes(), Some(1000)).unwrap()
}

fn password(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn begin(text: &str) -> (PasswordSignIn, KdcRequest) {
    let client = Principal::user("testuser", REALM);
    let mut entropy = SeededEntropy::new(1);
    let (sign_in, request) =
        PasswordSignIn::begin(&client, password(text), now(), &mut entropy).unwrap();
    (sign_in, KdcRequest::from_der(&request).unwrap())
}

/// PREAUTH_REQUIRED with a salt that no client would guess, and its own number of iterations.
fn preauthentication_required() -> Vec<u8> {
    let entries = vec![EtypeInfo2Entry {
        etype: AES256,
        salt: Some(SALT.into()),
        s2kparams: Some(1000_u32.to_be_bytes().to_vec().into()),
    }];
    let padata = vec![PaData::new(
        PaType::PA_ETYPE_INFO2,
        entries.to_der().unwrap(),
    )];
    error(ErrorCode::KDC_ERR_PREAUTH_REQUIRED)
        .with_method_data(&padata)
        .unwrap()
        .to_der()
        .unwrap()
}

fn error(code: ErrorCode) -> KrbError {
    let time = KerberosTime::new(now());
    KrbError::new(code, time, REALM.into(), PrincipalName::krbtgt(REALM))
}

/// An answer to the request; `bend` does its worst with what is sealed for the client.
fn answer(
    request: &KdcRequest,
    key: &Key,
    usage: KeyUsage,
    bend: fn(&mut EncKdcRepPart),
) -> Vec<u8> {
    let mut entropy = SeededEntropy::new(2);
    let body = request.body();
    let sname = body.sname.clone().unwrap();
    let session = EncryptionKey::from_key(&Key::generate(AES256, &mut entropy).unwrap());
    let service_key = Key::generate(AES256, &mut entropy).unwrap();
    let client = Principal::user("testuser", REALM);
    let time = KerberosTime::new(now());
    let inside = EncTicketPart {
        flags: TicketFlags::default(),
        key: session.clone(),
        crealm: client.realm.clone(),
        cname: client.name.clone(),
        transited: TransitedEncoding {
            tr_type: 0,
            contents: Vec::new().into(),
        },
        authtime: time,
        starttime: None,
        endtime: time,
        renew_till: None,
        caddr: None,
        authorization_data: None,
    };
    let ticket = Ticket::seal(
        REALM.into(),
        sname.clone(),
        &inside,
        &service_key,
        None,
        &mut entropy,
    );
    let mut part = EncKdcRepPart {
        key: session,
        last_req: Vec::new(),
        nonce: body.nonce,
        key_expiration: None,
        flags: TicketFlags::default(),
        authtime: time,
        starttime: None,
        endtime: time,
        renew_till: None,
        srealm: REALM.into(),
        sname,
        caddr: None,
        encrypted_pa_data: Some(vec![PaData::new(PaType(162), vec![1])]),
    };
    bend(&mut part);
    let sealed = part.seal(request.kind, key, None, usage, &mut entropy);
    KdcReply {
        kind: request.kind,
        padata: Vec::new(),
        crealm: client.realm,
        cname: client.name,
        ticket: ticket.unwrap(),
        enc_part: sealed.unwrap(),
    }
    .to_der()
    .unwrap()
}

/// Signs in at a KDC that answers with this part.
fn sign_in(text: &str, bend: fn(&mut EncKdcRepPart)) -> Result<Credentials, ClientError> {
    let mut entropy = SeededEntropy::new(3);
    let (sign_in, first) = begin(text);
    assert!(first.padata.is_empty());
    let step = sign_in.step(&preauthentication_required(), now(), &mut entropy)?;
    let Step::Send(sign_in, request) = step else {
        panic!("a proof was asked for");
    };
    let request = KdcRequest::from_der(&request).unwrap();
    let stamp = request.padata(PaType::PA_ENC_TIMESTAMP).unwrap();
    let stamp = kerberos::messages::EncryptedData::from_der(stamp).unwrap();
    let stamp: Result<PaEncTsEnc, _> =
        kerberos::ticket::open(&stamp, &user_key(), KeyUsage::AS_REQ_TIMESTAMP);
    let reply = match stamp {
        Ok(stamp) => {
            assert_eq!(stamp.patimestamp.timestamp(), now());
            answer(&request, &user_key(), KeyUsage::AS_REP_ENC_PART, bend)
        }
        Err(_) => error(ErrorCode::KDC_ERR_PREAUTH_FAILED).to_der().unwrap(),
    };
    match sign_in.step(&reply, now(), &mut entropy)? {
        Step::Done(credentials) => Ok(*credentials),
        Step::Send(..) => panic!("nothing more was asked for"),
    }
}

#[test]
fn the_salt_is_the_kdcs_to_tell() {
    let credentials = sign_in(PASSWORD, |_| {}).unwrap();
    assert_eq!(credentials.client.to_string(), "testuser@CORP.CONTOSO.COM");
    let cached = credentials.to_credential().unwrap();
    assert_eq!(
        cached.server.to_string(),
        "krbtgt/CORP.CONTOSO.COM@CORP.CONTOSO.COM"
    );
}

#[test]
fn a_wrong_password_is_refused_once() {
    match sign_in("wrong", |_| {}) {
        Err(ClientError::Refused(error)) => {
            assert_eq!(error.error_code, ErrorCode::KDC_ERR_PREAUTH_FAILED);
        }
        other => panic!("{other:?}"),
    }
    // A KDC that asks again and again is not answered for ever.
    let mut entropy = SeededEntropy::new(4);
    let again = preauthentication_required();
    let (sign_in, _) = begin(PASSWORD);
    let Step::Send(sign_in, _) = sign_in.step(&again, now(), &mut entropy).unwrap() else {
        panic!("a proof was asked for");
    };
    assert!(sign_in.step(&again, now(), &mut entropy).is_err());
}

#[test]
fn answers_to_other_requests_are_refused() {
    let check = |bend: fn(&mut EncKdcRepPart)| {
        let got = sign_in(PASSWORD, bend);
        assert!(matches!(got, Err(ClientError::Mismatch(_))), "{got:?}");
    };
    check(|part| part.nonce += 1);
    check(|part| part.sname = PrincipalName::krbtgt("OTHER.COM"));
    check(|part| part.srealm = "OTHER.COM".into());
}

#[test]
fn a_ticket_leads_to_further_ones() {
    let tgt = sign_in(PASSWORD, |_| {}).unwrap();
    let mut entropy = SeededEntropy::new(5);
    let service = Principal::service("ldap/dc1.corp.contoso.com", REALM);
    let mut wanted = TgsRequest::new(service);
    wanted.padata = vec![PaData::new(PaType(161), vec![0x30, 3, 2, 1, 23])];
    let (pending, request) = wanted.seal(&tgt, now(), &mut entropy).unwrap();
    let request = KdcRequest::from_der(&request).unwrap();
    assert_eq!(request.kind, RequestKind::Tgs);
    assert!(request.padata(PaType(161)).is_some());
    let ap_req = ApReq::from_der(request.padata(PaType::PA_TGS_REQ).unwrap()).unwrap();
    let usage = KeyUsage::TGS_REQ_AUTHENTICATOR;
    let authenticator = ap_req.open_authenticator(&tgt.session, usage).unwrap();
    // RFC 4120 7.2.2: the checksum is over the body as it was sent.
    authenticator
        .cksum
        .as_ref()
        .unwrap()
        .verify(
            &tgt.session,
            KeyUsage::TGS_REQ_CHECKSUM,
            &[request.raw_body()],
        )
        .unwrap();
    let subkey = authenticator.subkey.unwrap().to_key(None).unwrap();
    let reply = answer(&request, &subkey, KeyUsage::TGS_REP_SUBKEY, |_| {});
    let ticket = pending.open(&reply).unwrap();
    let sealed = ticket.part.encrypted_pa_data.as_deref().unwrap();
    assert_eq!(PaData::find(sealed, PaType(162)), Some(&[1][..]));
    // Sealed with another key: not the KDC's answer.
    let (pending, request) = wanted.seal(&tgt, now(), &mut entropy).unwrap();
    let request = KdcRequest::from_der(&request).unwrap();
    let forged = answer(&request, &user_key(), KeyUsage::TGS_REP_SUBKEY, |_| {});
    assert!(matches!(pending.open(&forged), Err(ClientError::Seal(_))));
}

#[test]
fn a_freshness_token_comes_with_the_refusal() {
    let client = Principal::user("testuser", REALM);
    let mut entropy = SeededEntropy::new(6);
    let request = KeySignIn::ask_freshness(&client, now(), &mut entropy).unwrap();
    let request = KdcRequest::from_der(&request).unwrap();
    assert_eq!(request.padata(PaType::PA_AS_FRESHNESS), Some(&[][..]));
    let check = |padata: Vec<PaData>, expect: Option<&[u8]>| {
        let error = error(ErrorCode::KDC_ERR_PREAUTH_REQUIRED);
        let answer = error.with_method_data(&padata).unwrap().to_der().unwrap();
        let token = KeySignIn::freshness_token(&answer).unwrap();
        assert_eq!(token.as_deref(), expect);
    };
    let token = |bytes: &[u8]| PaData::new(PaType::PA_AS_FRESHNESS, bytes.to_vec());
    check(vec![token(b"fresh")], Some(b"fresh"));
    check(vec![token(b"")], None);
    check(Vec::new(), None);
    let other = error(ErrorCode::KDC_ERR_CLIENT_REVOKED).to_der().unwrap();
    assert!(matches!(
        KeySignIn::freshness_token(&other),
        Err(ClientError::Refused(_))
    ));
}
