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
use kdc::{Event, KeyTrust, Lockout as _, NtHashRelease};
use kerberos::crypto::{Key, KeyUsage as Usage};
use kerberos::messages::{
    Der, ErrorCode, KdcReply, KerberosTime, KrbError, PaData, PaPacRequest, PaType, PrincipalName,
};
use kerberos::pac::{
    BufferType, CredentialInfo, LogonInfo, NtlmCredential, PacAttributes, VerifiedPac,
};
use kerberos::pkinit::{
    AuthPack, Certificate, Decrypt, DhRepInfo, Digest, EnvelopedData, Group, KdcDhKeyInfo, Kdf,
    KdfInput, KeyPair, PaChecksum2, PaPkAsRep, PaPkAsReq, PkAuthenticator, Policy, PublicValue,
    ReplyKeyPack, RsaPublicKey, Sign, SignedData, reply_key, sign_data,
};
use keycred::{Draft, KeySource, KeyUsage};
use types::{Secret, Sid};
use zeroize::Zeroizing;

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

impl TestKey {
    fn power(block: &[u8]) -> Vec<u8> {
        let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, 2048).unwrap();
        let modulus: Option<Odd<BoxedUint>> = Odd::new(number(&vector("modulus"))).into();
        let params = BoxedMontyParams::new_vartime(modulus.unwrap());
        let exponent = vector("private_exponent");
        let exponent = number(&exponent[exponent.len() - 256..]);
        let power = BoxedMontyForm::new(number(block), &params).pow(&exponent);
        power.retrieve().to_be_bytes().to_vec()
    }

    /// DigestInfo of RFC 8017 9.2, padded and signed.
    fn sign_with(head: &[u8], hash: &[u8]) -> Vec<u8> {
        let info = [&HEXLOWER_PERMISSIVE.decode(head).unwrap(), hash].concat();
        let padding = vec![0xFF; 256 - 3 - info.len()];
        Self::power(&[&[0, 1], &padding[..], &[0], &info].concat())
    }
}

impl Sign for TestKey {
    fn certificate(&self) -> &[u8] {
        &self.0
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let head = b"3031300d060960864801650304020105000420";
        Some(Self::sign_with(head, &Digest::Sha256.hash(message)))
    }
}

impl Decrypt for TestKey {
    fn decrypt(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let block = Self::power(sealed);
        let end = block.iter().skip(2).position(|byte| *byte == 0)? + 3;
        (block[..2] == [0, 2]).then(|| Zeroizing::new(block[end..].to_vec()))
    }
}

/// What tools in Python send: SHA-1, `rsaEncryption`, no signed attributes.
fn signed_with_sha1(content: &[u8]) -> Vec<u8> {
    fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82], &length[..], &content].concat()
    }
    // Lengths of two bytes are no DER where one would do, so short ones are written out.
    let hex = |text: &str| HEXLOWER_PERMISSIVE.decode(text.as_bytes()).unwrap();
    let certificate = Certificate::decode(&vector("certificate")).unwrap();
    let sha1 = hex("300906052b0e03021a0500");
    let sign = TestKey::sign_with(
        b"3021300906052b0e03021a05000414",
        &Digest::Sha1.hash(content),
    );
    let serial = [
        &[2, u8::try_from(certificate.serial.len()).unwrap()],
        &certificate.serial[..],
    ]
    .concat();
    let name = [&certificate.issuer[..], &serial].concat();
    let name = [&[0x30, u8::try_from(name.len()).unwrap()], &name[..]].concat();
    let signer = tlv(
        0x30,
        &[
            &[2, 1, 1],
            &name,
            &sha1,
            &hex("300d06092a864886f70d0101010500"),
            &tlv(4, &[&sign]),
        ],
    );
    let encapsulated = tlv(
        0x30,
        &[
            &hex("06072b060105020301"),
            &tlv(0xA0, &[&tlv(4, &[content])]),
        ],
    );
    let data = tlv(
        0x30,
        &[
            &[2, 1, 3],
            &hex("310b300906052b0e03021a0500"),
            &encapsulated,
            &tlv(0xA0, &[&certificate.der]),
            &tlv(0x31, &[&signer]),
        ],
    );
    tlv(
        0x30,
        &[&hex("06092a864886f70d010702"), &tlv(0xA0, &[&data])],
    )
}

/// What a client may do wrong, or otherwise.
struct Bent {
    name: &'static str,
    pack: fn(&mut AuthPack),
    group: Group,
    content_type: &'static [u8],
    message: fn(&mut Vec<u8>),
    padata: Vec<PaData>,
    client_nonce: Option<Vec<u8>>,
    token: Option<Vec<u8>>,
    sha1: bool,
    /// paChecksum2 with that hash.
    second: Option<Digest>,
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
            token: None,
            sha1: false,
            second: None,
        }
    }
}

/// `hello` has the key under usage NGC.
fn realm(policy: Policy) -> Realm {
    realm_with(policy, |_| {})
}

fn realm_with(policy: Policy, shape: impl FnOnce(&mut kdc::Settings)) -> Realm {
    let mut realm = Realm::with(shape);
    let signer = Arc::new(TestKey(vector("certificate")));
    realm.take_key_trust(KeyTrust { signer, policy });
    add(&mut realm, "hello", Some(KeyUsage::NGC));
    realm
}

/// An account that has the key in a value of that usage, or not at all.
fn add(realm: &mut Realm, name: &str, usage: Option<KeyUsage>) {
    realm
        .accounts
        .add(name, PASSWORD, &[], |account| {
            account.policy.smartcard_required = true;
            account.keys[0].nt_hash = Some(Secret::new([0x42; 16]));
            let value = |usage| Draft::hashed(vector("spki"), usage, KeySource::AD).to_blob();
            account.key_credentials = usage
                .map(|usage| value(usage).unwrap().encode())
                .into_iter()
                .collect();
        })
        .unwrap();
}

/// A sign-in that was answered.
struct SignedIn {
    held: client::Held,
    reply_key: Key,
}

/// Signs in and opens the reply with the key that was agreed on or sent.
fn sign_in(realm: &mut Realm, bent: &Bent) -> Result<SignedIn, Box<KrbError>> {
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
            freshness_token: bent.token.clone().map(Into::into),
            pa_checksum2: bent.second.map(|digest| PaChecksum2 {
                checksum: digest.hash(&raw).into(),
                // id-sha256
                algorithm_identifier: Der::from_der(&[
                    0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1,
                ])
                .unwrap(),
            }),
        },
        client_public_value: Some(Der::from_der(&pair.spki()).unwrap()),
        supported_cms_types: None,
        client_dh_nonce: bent.client_nonce.clone().map(Into::into),
        supported_kdfs: Kdf::Sha256.id().map(|id| vec![id]),
    };
    (bent.pack)(&mut pack);
    let kdf = Kdf::choose(pack.supported_kdfs.as_deref());
    let signer = TestKey(vector("certificate"));
    let content = pack.to_der().unwrap();
    let mut message = match bent.sha1 {
        true => signed_with_sha1(&content),
        false => sign_data(bent.content_type, &content, &signer).unwrap(),
    };
    (bent.message)(&mut message);
    let value = PaPkAsReq {
        signed_auth_pack: message.into(),
        trusted_certifiers: None,
        kdc_pk_id: None,
    };
    let value = PaData::new(PaType::PA_PK_AS_REQ, value.to_der().unwrap());
    let padata = [vec![value], bent.padata.clone()].concat();
    let request = realm.as_req("testuser", &nothing, |sent, all| {
        *sent = body.clone();
        *all = padata;
    });
    let reply = realm.ask(&request)?;
    let reply = KdcReply::from_der(&reply).unwrap();
    let pk_as_rep = PaData::find(&reply.padata, PaType::PA_PK_AS_REP).unwrap();
    let reply_key = match PaPkAsRep::from_der(pk_as_rep).unwrap() {
        PaPkAsRep::DhInfo(info) => {
            let public = public_value(&info);
            assert_eq!(public.nonce, body.nonce);
            // Both fields or neither: Windows and the tools in Python need them with a nonce of their own.
            let has_nonce = bent.client_nonce.is_some();
            assert_eq!(info.server_dh_nonce.is_some(), has_nonce);
            assert_eq!(public.dh_key_expiration.is_some(), has_nonce);
            let bits = public.subject_public_key.as_raw_slice();
            let public = PublicValue::from_bits(bent.group, bits).unwrap();
            let input = KdfInput {
                etype: client::AES256,
                client_nonce: bent.client_nonce.as_deref().unwrap_or_default(),
                server_nonce: info.server_dh_nonce.as_deref().unwrap_or_default(),
                client: (body.cname.as_ref().unwrap(), &body.realm),
                server: (body.sname.as_ref().unwrap(), &body.realm),
                as_req: &request,
                pk_as_rep,
            };
            reply_key(kdf, &pair.agree(&public).unwrap(), &input).unwrap()
        }
        PaPkAsRep::EncKeyPack(sealed) => transported(&sealed, &request),
    };
    let part = reply.open(&reply_key, Usage::AS_REP_ENC_PART).unwrap();
    let held = client::Held {
        session: Arc::new(part.key.to_key(None).unwrap()),
        ticket: reply.ticket,
        cname: reply.cname,
        part,
    };
    Ok(SignedIn { held, reply_key })
}

fn kdc_key() -> RsaPublicKey {
    RsaPublicKey::from_spki(&vector("spki")).unwrap()
}

fn public_value(info: &DhRepInfo) -> KdcDhKeyInfo {
    let signed = SignedData::decode(&info.dh_signed_data).unwrap();
    let content = signed.verify(SignedData::DH_KEY_DATA, &kdc_key(), Policy::default());
    KdcDhKeyInfo::from_der(content.unwrap().content()).unwrap()
}

fn transported(sealed: &[u8], request: &[u8]) -> Key {
    let envelope = EnvelopedData::decode(sealed).unwrap();
    let signed = envelope.open(&TestKey(vector("certificate"))).unwrap();
    let signed = SignedData::decode(&signed).unwrap();
    let content = signed.verify(SignedData::REPLY_KEY_DATA, &kdc_key(), Policy::default());
    let pack = ReplyKeyPack::from_der(content.unwrap().content()).unwrap();
    let key = pack.reply_key.to_key(None).unwrap();
    let usage = Usage::TGS_REQ_CHECKSUM;
    pack.as_checksum.verify(&key, usage, &[request]).unwrap();
    key
}

/// The PAC of a ticket that this realm sealed.
fn pac(realm: &Realm, held: &client::Held) -> VerifiedPac {
    let key = realm.krbtgt_key();
    let part = held.ticket.open(&key).unwrap();
    VerifiedPac::for_tgt(&part, &key, 0).unwrap().unwrap()
}

fn has_identity(realm: &Realm, held: &client::Held, number: u32) -> bool {
    let pac = pac(realm, held);
    let logon = pac.pac().need(BufferType::LOGON_INFO).unwrap();
    let logon = LogonInfo::decode(logon).unwrap();
    let wanted = Sid::new(18, &[number]).unwrap();
    logon.extra_sids.iter().any(|extra| extra.sid == wanted)
}

#[track_caller]
fn check(bent: Bent, expect: Option<ErrorCode>) {
    check_in(&mut realm(Policy::default()), &bent, expect);
}

#[track_caller]
fn check_in(realm: &mut Realm, bent: &Bent, expect: Option<ErrorCode>) {
    let failed = sign_in(realm, bent).err();
    assert_eq!(failed.map(|error| error.error_code), expect);
}

#[test]
fn an_ngc_key_gets_a_ticket_that_gets_tickets() {
    let mut realm = realm(Policy::default());
    for group in [Group::Modp14, Group::Modp16, Group::P256, Group::P384] {
        let bent = Bent {
            group,
            ..Bent::nothing()
        };
        let tgt = sign_in(&mut realm, &bent).unwrap().held;
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
    realm.accounts.remove("hello");
    add(&mut realm, "fido", Some(KeyUsage::FIDO));
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
fn cve_2025_26647_a_key_that_the_account_does_not_hold_is_no_proof() {
    let mut realm = realm(Policy::default());
    realm.accounts.remove("hello");
    add(&mut realm, "other", None);
    add(&mut realm, "fido", Some(KeyUsage::FIDO));
    let bent = Bent {
        name: "other",
        ..Bent::nothing()
    };
    // That somebody has it in a FIDO value does not make it anybody's.
    check_in(
        &mut realm,
        &bent,
        Some(ErrorCode::KDC_ERR_CLIENT_NOT_TRUSTED),
    );
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
}

#[test]
fn a_refused_group_is_answered_with_those_that_are_taken() {
    let weak = Bent {
        group: Group::Modp2,
        ..Bent::nothing()
    };
    let error = sign_in(&mut realm(Policy::default()), &weak).err().unwrap();
    let typed = error.typed_data().unwrap().unwrap();
    assert_eq!(typed[0].data_type, PaType::TD_DH_PARAMETERS);
    let groups = [Group::Modp14, Group::Modp16, Group::P256, Group::P384];
    let content = typed[0].data_value.as_deref();
    assert_eq!(content, Some(&Group::td_dh_parameters(&groups)[..]));
}

#[test]
fn sha_1_signatures_need_the_policys_consent() {
    let old = || Bent {
        sha1: true,
        ..Bent::nothing()
    };
    check(
        old(),
        Some(ErrorCode::KDC_ERR_DIGEST_IN_SIGNED_DATA_NOT_ACCEPTED),
    );
    let mut tolerant = realm(Policy {
        allow_sha1: true,
        ..Policy::default()
    });
    check_in(&mut tolerant, &old(), None);
    let tampered = Bent {
        message: |message| *message.last_mut().unwrap() ^= 1,
        ..old()
    };
    check_in(
        &mut tolerant,
        &tampered,
        Some(ErrorCode::KDC_ERR_INVALID_SIG),
    );
}

#[test]
fn without_a_public_value_the_key_is_sent() {
    let transport = Bent {
        pack: |pack| pack.client_public_value = None,
        ..Bent::nothing()
    };
    let mut realm = realm(Policy::default());
    let tgt = sign_in(&mut realm, &transport).unwrap().held;
    assert!(realm.ticket(&tgt, WEB).is_ok());
    let tampered = Bent {
        message: |message| *message.last_mut().unwrap() ^= 1,
        ..transport
    };
    check_in(&mut realm, &tampered, Some(ErrorCode::KDC_ERR_INVALID_SIG));
}

#[test]
fn the_checksum_with_a_named_hash_counts_where_it_is_there() {
    let sha256 = Some(Digest::Sha256);
    let second = |second, pack: fn(&mut AuthPack)| Bent {
        second,
        pack,
        ..Bent::nothing()
    };
    check(second(sha256, |_| {}), None);
    // The first one may then be missing or wrong.
    check(
        second(sha256, |pack| pack.pk_authenticator.pa_checksum = None),
        None,
    );
    let bent = second(sha256, |pack| {
        let second = pack.pk_authenticator.pa_checksum2.as_mut().unwrap();
        second.checksum = vec![0; 32].into();
    });
    check(bent, Some(ErrorCode::KRB_AP_ERR_MODIFIED));
}

#[test]
fn a_token_makes_a_signature_fresh() {
    let mut realm = realm(Policy::default());
    let stale = sign_in(&mut realm, &Bent::nothing()).unwrap().held;
    assert!(!has_identity(&realm, &stale, 3));
    assert!(has_identity(&realm, &stale, 4));
    let token = token(&mut realm);
    let with = |token: Vec<u8>| Bent {
        token: Some(token),
        ..Bent::nothing()
    };
    let fresh = sign_in(&mut realm, &with(token.clone())).unwrap().held;
    assert!(has_identity(&realm, &fresh, 3));
    let mut changed = token.clone();
    *changed.last_mut().unwrap() ^= 1;
    check_in(
        &mut realm,
        &with(changed),
        Some(ErrorCode::KRB_AP_ERR_MODIFIED),
    );
    check_in(
        &mut realm,
        &with(b"mine".to_vec()),
        Some(ErrorCode::KRB_AP_ERR_MODIFIED),
    );
    realm.now = realm.now.plus_seconds(301);
    check_in(
        &mut realm,
        &with(token),
        Some(ErrorCode::KDC_ERR_PREAUTH_EXPIRED),
    );
}

#[test]
fn a_realm_may_want_tokens() {
    let mut strict = realm_with(Policy::default(), |settings| {
        settings.require_freshness = true;
    });
    check_in(
        &mut strict,
        &Bent::nothing(),
        Some(ErrorCode::KDC_ERR_PREAUTH_FAILED),
    );
    let token = token(&mut strict);
    let fresh = Bent {
        token: Some(token),
        ..Bent::nothing()
    };
    check_in(&mut strict, &fresh, None);
}

/// The token that comes with the hints, for a client that says it knows tokens.
fn token(realm: &mut Realm) -> Vec<u8> {
    let key = realm.key_of("hello", PASSWORD);
    let request = realm.as_req("hello", &key, |_, padata| {
        *padata = vec![PaData::new(PaType::PA_AS_FRESHNESS, Vec::new())];
    });
    let error = realm.ask(&request).unwrap_err();
    assert_eq!(error.error_code, ErrorCode::KDC_ERR_PREAUTH_REQUIRED);
    let hints = error.method_data().unwrap().unwrap();
    PaData::find(&hints, PaType::PA_AS_FRESHNESS)
        .unwrap()
        .to_vec()
}

#[test]
fn another_accounts_key_is_told_apart_only_by_its_owner() {
    let mut realm = realm(Policy::default());
    add(&mut realm, "other", None);
    let bent = || Bent {
        name: "other",
        ..Bent::nothing()
    };
    check_in(
        &mut realm,
        &bent(),
        Some(ErrorCode::KDC_ERR_CLIENT_NAME_MISMATCH),
    );
    let why =
        |event: &Event| matches!(event, Event::Refused { why, .. } if why.contains("of 'hello'"));
    assert!(realm.events.iter().any(why), "{:?}", realm.events);
    // Whoever has only seen the certificate cannot ask whose it is.
    let tampered = Bent {
        message: |message| *message.last_mut().unwrap() ^= 1,
        ..bent()
    };
    check_in(&mut realm, &tampered, Some(ErrorCode::KDC_ERR_INVALID_SIG));
}

#[test]
fn the_nt_hash_goes_to_a_key_by_policy_alone() {
    let check = |release: NtHashRelease, shape: fn(&mut kdc::Account), expect: bool| {
        let mut realm = realm_with(Policy::default(), |settings| {
            settings.nt_hash_release = release;
        });
        let old = realm.account("hello");
        realm
            .accounts
            .add("hello", PASSWORD, &[], |account| {
                account.key_credentials.clone_from(&old.key_credentials);
                account.keys[0].nt_hash = Some(Secret::new([0x42; 16]));
                shape(account);
            })
            .unwrap();
        let signed_in = sign_in(&mut realm, &Bent::nothing()).unwrap();
        let pac = pac(&realm, &signed_in.held);
        let buffer = pac.pac().buffer(BufferType::CREDENTIALS_INFO);
        let told = realm
            .events
            .iter()
            .any(|event| matches!(event, Event::NtHashReleased { .. }));
        assert_eq!((buffer.is_some(), told), (expect, expect), "{release:?}");
        if let Some(buffer) = buffer {
            let info = CredentialInfo::decode(buffer).unwrap();
            let opened = info.open(&signed_in.reply_key).unwrap();
            let ntlm = NtlmCredential::decode(opened[0].credentials.expose()).unwrap();
            assert_eq!(ntlm.nt_hash.unwrap().expose(), &[0x42; 16]);
            assert!(info.open(&signed_in.held.session).is_err());
        }
        // A password never brings it.
        realm
            .accounts
            .add("typed", PASSWORD, &[], |account| {
                account.keys[0].nt_hash = Some(Secret::new([0x42; 16]));
            })
            .unwrap();
        let typed = realm.sign_in("typed");
        let pac = self::pac(&realm, &typed);
        assert!(pac.pac().buffer(BufferType::CREDENTIALS_INFO).is_none());
    };
    let key_only = |account: &mut kdc::Account| account.policy.smartcard_required = true;
    let admin = |account: &mut kdc::Account| {
        let domain = account.sid.domain().unwrap();
        account.groups = vec![domain.with_rid(512)];
    };
    check(NtHashRelease::Never, key_only, false);
    check(NtHashRelease::KeyOnlyAccounts, key_only, true);
    check(NtHashRelease::KeyOnlyAccounts, |_| {}, false);
    check(NtHashRelease::Unprivileged, |_| {}, true);
    check(NtHashRelease::Unprivileged, admin, false);
}

#[test]
fn one_source_gets_its_share_of_the_expensive_work() {
    let mut realm = realm_with(Policy::default(), |settings| {
        settings.pkinit_per_source_per_s = Some(1);
    });
    realm.source = Some("192.0.2.1".parse().unwrap());
    for _ in 0..4 {
        check_in(&mut realm, &Bent::nothing(), None);
    }
    let busy = Some(ErrorCode::KDC_ERR_SVC_UNAVAILABLE);
    check_in(&mut realm, &Bent::nothing(), busy);
    // Passwords go on, and so does everybody else.
    realm.sign_in("testuser");
    realm.source = Some("192.0.2.2".parse().unwrap());
    check_in(&mut realm, &Bent::nothing(), None);
}

#[test]
fn what_a_client_says_about_the_pac_is_noted() {
    let check = |said: Option<bool>, expect: PacAttributes| {
        let mut realm = realm(Policy::default());
        let said = said.map(|include_pac| PaPacRequest { include_pac });
        let said = said.map(|said| PaData::new(PaType::PA_PAC_REQUEST, said.to_der().unwrap()));
        let held = realm.sign_in_as("testuser", PASSWORD, |_, padata| padata.extend(said));
        let held = held.unwrap();
        let pac = pac(&realm, &held);
        let found = pac.pac().need(BufferType::ATTRIBUTES_INFO).unwrap();
        assert_eq!(PacAttributes::from_bytes(found).unwrap(), expect);
        assert!(realm.ticket(&held, WEB).is_ok());
    };
    check(None, PacAttributes::GIVEN_IMPLICITLY);
    check(Some(true), PacAttributes::REQUESTED);
    check(Some(false), PacAttributes::default());
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
