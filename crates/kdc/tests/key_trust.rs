//! Key trust: what a signature by an NGC key is worth, and what nothing else is worth.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test panics where it fails"
)]

mod client;

use std::sync::Arc;

use client::{PASSWORD, Realm, WEB};
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use data_encoding::HEXLOWER_PERMISSIVE;
use kdc::{Event, KeyTrust, Lockout as _};
use kerberos::crypto::KeyUsage as Usage;
use kerberos::messages::{Der, ErrorCode, KdcReply, KerberosTime, PaData, PaType, PrincipalName};
use kerberos::pkinit::{
    AuthPack, Digest, Group, KdcDhKeyInfo, Kdf, KdfInput, KeyPair, PaPkAsRep, PaPkAsReq,
    PkAuthenticator, Policy, PublicValue, Sign, SignedData, reply_key, sign_data,
};
use keycred::{Draft, KeySource, KeyUsage};
use types::Secret;

fn vector(name: &str) -> Vec<u8> {
    let text = include_str!("../../kerberos/tests/vectors/openssl_cms.txt");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    HEXLOWER_PERMISSIVE
        .decode(line.unwrap().trim().as_bytes())
        .unwrap()
}

/// The throw-away key of the vectors, for the client and the KDC alike. What it does is not constant in time.
struct TestKey(Vec<u8>);

impl Sign for TestKey {
    fn certificate(&self) -> &[u8] {
        &self.0
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        // DigestInfo of SHA-256, RFC 8017 9.2.
        let head = HEXLOWER_PERMISSIVE
            .decode(b"3031300d060960864801650304020105000420")
            .ok()?;
        let info = [head, Digest::Sha256.hash(message)].concat();
        let padding = vec![0xFF; 256 - 3 - info.len()];
        let block = [&[0, 1], &padding[..], &[0], &info].concat();
        let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, 2048).unwrap();
        let modulus: Option<Odd<BoxedUint>> = Odd::new(number(&vector("modulus"))).into();
        let params = BoxedMontyParams::new_vartime(modulus?);
        let exponent = vector("private_exponent");
        let exponent = number(&exponent[exponent.len() - 256..]);
        let power = BoxedMontyForm::new(number(&block), &params).pow(&exponent);
        Some(power.retrieve().to_be_bytes().to_vec())
    }
}

/// What a client may do wrong.
struct Bent {
    name: &'static str,
    pack: fn(&mut AuthPack),
    group: Group,
    content_type: &'static [u8],
    message: fn(&mut Vec<u8>),
    padata: Vec<PaData>,
    client_nonce: Option<Vec<u8>>,
}

impl Bent {
    fn nothing() -> Self {
        Self {
            name: "hello",
            pack: |_| {},
            group: Group::Modp14,
            content_type: SignedData::AUTH_DATA,
            message: |_| {},
            padata: Vec::new(),
            client_nonce: None,
        }
    }
}

/// `hello` has the key under usage NGC, `fido` under usage FIDO, `other` not at all.
fn realm(policy: Policy) -> Realm {
    let mut realm = Realm::new();
    let signer = Arc::new(TestKey(vector("certificate")));
    realm.take_key_trust(KeyTrust { signer, policy });
    for (name, usage) in [
        ("hello", Some(KeyUsage::NGC)),
        ("fido", Some(KeyUsage::FIDO)),
        ("other", None),
    ] {
        realm
            .accounts
            .add(name, PASSWORD, &[], |account| {
                account.policy.smartcard_required = true;
                let value = |usage| Draft::hashed(vector("spki"), usage, KeySource::AD).to_blob();
                account.key_credentials = usage
                    .map(|usage| value(usage).unwrap().encode())
                    .into_iter()
                    .collect();
            })
            .unwrap();
    }
    realm
}

/// Signs in and opens the reply with the key that was agreed on.
fn sign_in(realm: &mut Realm, bent: &Bent) -> Result<client::Held, ErrorCode> {
    let pair = KeyPair::generate(bent.group, &mut realm.entropy).unwrap();
    let nothing = realm.key_of("testuser", PASSWORD);
    // The body is needed first: the authenticator covers it.
    let mut body = realm.body(PrincipalName::krbtgt(client::REALM));
    body.cname = Some(PrincipalName::new(
        kerberos::messages::NameType::NT_PRINCIPAL,
        [bent.name],
    ));
    let raw = body.to_der().unwrap();
    let mut pack = AuthPack {
        pk_authenticator: PkAuthenticator {
            cusec: 0,
            ctime: KerberosTime::new(realm.now),
            nonce: body.nonce,
            pa_checksum: Some(Digest::Sha1.hash(&raw).into()),
            freshness_token: None,
            pa_checksum2: None,
        },
        client_public_value: Some(Der::from_der(&pair.spki()).unwrap()),
        supported_cms_types: None,
        client_dh_nonce: bent.client_nonce.clone().map(Into::into),
        supported_kdfs: Kdf::Sha256.id().map(|id| vec![id]),
    };
    (bent.pack)(&mut pack);
    let kdf = Kdf::choose(pack.supported_kdfs.as_deref());
    let signer = TestKey(vector("certificate"));
    let mut message = sign_data(bent.content_type, &pack.to_der().unwrap(), &signer).unwrap();
    (bent.message)(&mut message);
    let value = PaPkAsReq {
        signed_auth_pack: message.into(),
        trusted_certifiers: None,
        kdc_pk_id: None,
    };
    let value = PaData::new(PaType::PA_PK_AS_REQ, value.to_der().unwrap());
    let padata = [vec![value], bent.padata.clone()].concat();
    let request = realm.as_req(bent.name, &nothing, |sent, all| {
        *sent = body.clone();
        *all = padata;
    });
    let reply = realm.ask(&request).map_err(|error| error.error_code)?;
    let reply = KdcReply::from_der(&reply).unwrap();
    let pk_as_rep = PaData::find(&reply.padata, PaType::PA_PK_AS_REP).unwrap();
    let PaPkAsRep::DhInfo(info) = PaPkAsRep::from_der(pk_as_rep).unwrap() else {
        unreachable!("a key was agreed on")
    };
    let signed = SignedData::decode(&info.dh_signed_data).unwrap();
    let key = kerberos::pkinit::RsaPublicKey::from_spki(&vector("spki")).unwrap();
    let content = signed
        .verify(SignedData::DH_KEY_DATA, &key, Policy::default())
        .unwrap();
    let public = KdcDhKeyInfo::from_der(content.content()).unwrap();
    assert_eq!(public.nonce, body.nonce);
    // Both fields or neither: Windows and the tools in Python need them with a nonce of their own.
    assert_eq!(info.server_dh_nonce.is_some(), bent.client_nonce.is_some());
    assert_eq!(
        public.dh_key_expiration.is_some(),
        bent.client_nonce.is_some()
    );
    let bits = public.subject_public_key.as_raw_slice();
    let shared: Secret<Vec<u8>> = pair
        .agree(&PublicValue::from_bits(bent.group, bits).unwrap())
        .unwrap();
    let input = KdfInput {
        etype: client::AES256,
        client_nonce: bent.client_nonce.as_deref().unwrap_or_default(),
        server_nonce: info.server_dh_nonce.as_deref().unwrap_or_default(),
        client: (body.cname.as_ref().unwrap(), &body.realm),
        server: (body.sname.as_ref().unwrap(), &body.realm),
        as_req: &request,
        pk_as_rep,
    };
    let key = reply_key(kdf, &shared, &input).unwrap();
    let part = reply.open(&key, Usage::AS_REP_ENC_PART).unwrap();
    Ok(client::Held {
        session: Arc::new(part.key.to_key(None).unwrap()),
        ticket: reply.ticket,
        cname: reply.cname,
        part,
    })
}

#[track_caller]
fn check(bent: Bent, expect: Option<ErrorCode>) {
    check_in(&mut realm(Policy::default()), &bent, expect);
}

#[track_caller]
fn check_in(realm: &mut Realm, bent: &Bent, expect: Option<ErrorCode>) {
    assert_eq!(sign_in(realm, bent).err(), expect);
}

#[test]
fn an_ngc_key_gets_a_ticket_that_gets_tickets() {
    let mut realm = realm(Policy::default());
    for group in [Group::Modp14, Group::P256] {
        let bent = Bent {
            group,
            ..Bent::nothing()
        };
        let tgt = sign_in(&mut realm, &bent).unwrap();
        assert!(realm.ticket(&tgt, WEB).is_ok());
    }
    let with_nonce = Bent {
        client_nonce: Some(vec![7; 32]),
        ..Bent::nothing()
    };
    check_in(&mut realm, &with_nonce, None);
    let old_kdf = Bent {
        pack: |pack| pack.supported_kdfs = None,
        client_nonce: Some(vec![7; 32]),
        ..Bent::nothing()
    };
    check_in(&mut realm, &old_kdf, None);
}

#[test]
fn a_fido_entry_is_refused_with_the_reason() {
    let mut realm = realm(Policy::default());
    let bent = Bent {
        name: "fido",
        ..Bent::nothing()
    };
    check_in(
        &mut realm,
        &bent,
        Some(ErrorCode::KDC_ERR_CLIENT_NOT_TRUSTED),
    );
    let why =
        |event: &Event| matches!(event, Event::KeySkipped { why, .. } if why.contains("FIDO"));
    assert!(realm.events.iter().any(why), "{:?}", realm.events);
}

#[test]
fn a_key_that_the_account_does_not_hold_is_no_proof() {
    let bent = Bent {
        name: "other",
        ..Bent::nothing()
    };
    check(bent, Some(ErrorCode::KDC_ERR_CLIENT_NOT_TRUSTED));
    let tampered = Bent {
        message: |message| *message.last_mut().unwrap() ^= 1,
        ..Bent::nothing()
    };
    check(tampered, Some(ErrorCode::KDC_ERR_INVALID_SIG));
    // A signature of the KDC's own, about something else.
    let borrowed = Bent {
        content_type: SignedData::DH_KEY_DATA,
        ..Bent::nothing()
    };
    check(borrowed, Some(ErrorCode::KDC_ERR_PREAUTH_FAILED));
}

#[test]
fn the_signature_is_about_this_request_and_now() {
    let late = Bent {
        pack: |pack| {
            let ctime = pack.pk_authenticator.ctime.timestamp();
            pack.pk_authenticator.ctime = KerberosTime::new(ctime.plus_seconds(-301));
        },
        ..Bent::nothing()
    };
    check(late, Some(ErrorCode::KRB_AP_ERR_SKEW));
    let other_body = Bent {
        pack: |pack| pack.pk_authenticator.pa_checksum = Some(vec![0; 20].into()),
        ..Bent::nothing()
    };
    check(other_body, Some(ErrorCode::KRB_AP_ERR_MODIFIED));
    let no_checksum = Bent {
        pack: |pack| pack.pk_authenticator.pa_checksum = None,
        ..Bent::nothing()
    };
    check(
        no_checksum,
        Some(ErrorCode::KDC_ERR_PA_CHECKSUM_MUST_BE_INCLUDED),
    );
}

#[test]
fn weak_groups_need_the_policys_consent() {
    let weak = || Bent {
        group: Group::Modp2,
        ..Bent::nothing()
    };
    check(
        weak(),
        Some(ErrorCode::KDC_ERR_DH_KEY_PARAMETERS_NOT_ACCEPTED),
    );
    let mut tolerant = realm(Policy {
        allow_modp_2: true,
        ..Policy::default()
    });
    check_in(&mut tolerant, &weak(), None);
    let transport = Bent {
        pack: |pack| pack.client_public_value = None,
        ..Bent::nothing()
    };
    check(
        transport,
        Some(ErrorCode::KDC_ERR_PUBLIC_KEY_ENCRYPTION_NOT_SUPPORTED),
    );
}

#[test]
fn both_forms_of_pkinit_in_one_request_are_refused() {
    let both = Bent {
        padata: vec![PaData::new(PaType::PA_PK_AS_REQ_OLD, Vec::new())],
        ..Bent::nothing()
    };
    check(both, Some(ErrorCode::KRB_ERR_GENERIC));
}

#[test]
fn bad_signatures_do_not_lock_the_owner_out() {
    let mut realm = realm(Policy::default());
    let sid = realm.account("hello").sid.clone();
    let tampered = Bent {
        message: |message| *message.last_mut().unwrap() ^= 1,
        ..Bent::nothing()
    };
    for _ in 0..5 {
        check_in(&mut realm, &tampered, Some(ErrorCode::KDC_ERR_INVALID_SIG));
    }
    assert!(!realm.lockout.is_locked(&sid, realm.now));
    check_in(&mut realm, &Bent::nothing(), None);
}

#[test]
fn without_key_trust_a_signature_is_not_even_looked_at() {
    let mut plain = Realm::new();
    plain.accounts.add("hello", PASSWORD, &[], |_| {}).unwrap();
    check_in(
        &mut plain,
        &Bent::nothing(),
        Some(ErrorCode::KDC_ERR_PREAUTH_REQUIRED),
    );
}
