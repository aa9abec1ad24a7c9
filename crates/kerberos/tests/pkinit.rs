//! PKINIT against RFC 8636's vectors, MIT's reference encodings and OpenSSL's CMS, and in both directions.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test panics where it fails"
)]

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use data_encoding::HEXLOWER_PERMISSIVE;
use kerberos::crypto::{EncryptionType, Key};
use kerberos::messages::{Der, Kvno, Malformed, NameType, PrincipalName};
use kerberos::pkinit::*;
use proptest::prelude::*;
use types::{Secret, SeededEntropy};
use zeroize::Zeroizing;

fn hex(text: &str) -> Vec<u8> {
    let digits: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).unwrap()
}

fn vector(name: &str) -> Vec<u8> {
    let text = include_str!("vectors/openssl_cms.txt");
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        .unwrap();
    hex(line)
}

/// The throw-away key of the vectors. What it does is not constant in time: never outside a test.
struct TestKey(Vec<u8>);

impl TestKey {
    fn new() -> Self {
        Self(vector("certificate"))
    }

    fn power(base: &[u8]) -> Vec<u8> {
        let number = |bytes: &[u8]| BoxedUint::from_be_slice(bytes, 2048).unwrap();
        let modulus: Option<Odd<BoxedUint>> = Odd::new(number(&vector("modulus"))).into();
        let params = BoxedMontyParams::new_vartime(modulus.unwrap());
        let exponent = vector("private_exponent");
        let exponent = number(&exponent[exponent.len() - 256..]);
        BoxedMontyForm::new(number(base), &params)
            .pow(&exponent)
            .retrieve()
            .to_be_bytes()
            .to_vec()
    }
}

impl Sign for TestKey {
    fn certificate(&self) -> &[u8] {
        &self.0
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        let info = [
            hex("3031300d060960864801650304020105000420"),
            Digest::Sha256.hash(message),
        ]
        .concat();
        let padding = vec![0xFF; 256 - 3 - info.len()];
        Some(Self::power(&[&[0, 1], &padding[..], &[0], &info].concat()))
    }
}

impl Decrypt for TestKey {
    fn decrypt(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let block = Self::power(sealed);
        let end = block.iter().skip(2).position(|byte| *byte == 0)? + 3;
        (block[..2] == [0, 2]).then(|| Zeroizing::new(block[end..].to_vec()))
    }
}

fn key() -> RsaPublicKey {
    RsaPublicKey::from_spki(&vector("spki")).unwrap()
}

#[test]
fn reference_encodings_are_read_and_written_again() {
    type Again = fn(&[u8]) -> Result<Vec<u8>, Malformed>;
    fn der<T: Der>(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
        T::from_der(bytes)?.to_der()
    }
    let table: &[(&str, Again)] = &[
        ("pa_pk_as_req", der::<PaPkAsReq>),
        ("pa_pk_as_rep", der::<PaPkAsRep>),
        ("auth_pack", der::<AuthPack>),
        ("kdc_dh_key_info", der::<KdcDhKeyInfo>),
        ("reply_key_pack", der::<ReplyKeyPack>),
        ("pkinit_supp_pub_info", der::<PkinitSuppPubInfo>),
    ];
    let mut seen = 0;
    for line in include_str!("vectors/mit_pkinit_encode.txt")
        .lines()
        .filter(|line| !line.starts_with('#'))
    {
        let (name, bytes) = line.split_once(": ").unwrap();
        let name = name
            .split('(')
            .next()
            .unwrap()
            .trim_start_matches("encode_krb5_");
        if let Some((_, again)) = table.iter().find(|(known, _)| *known == name) {
            let bytes = hex(bytes);
            assert_eq!(again(&bytes).as_deref(), Ok(bytes.as_slice()), "{line}");
            seen += 1;
        }
    }
    assert_eq!(seen, 7);
}

#[test]
fn rfc_8636_key_derivation() {
    fn check(kdf: Kdf, expect: &str) {
        let realm = "SU.SE".into();
        let client = PrincipalName::new(NameType::NT_PRINCIPAL, ["lha"]);
        let server = PrincipalName::new(NameType::NT_PRINCIPAL, ["krbtgt", "SU.SE"]);
        let input = KdfInput {
            etype: EncryptionType::AES256_CTS_HMAC_SHA1_96,
            client_nonce: b"not used",
            server_nonce: b"not used",
            client: (&client, &realm),
            server: (&server, &realm),
            as_req: &[0xAA; 10],
            pk_as_rep: &[0xBB; 9],
        };
        let key = reply_key(kdf, &Secret::new(vec![0; 256]), &input).unwrap();
        assert_eq!(*key.value().expose(), hex(expect));
    }
    check(
        Kdf::Sha1,
        "e6ab38c9413e035bb079201ed0b6b73d8d49a814a737c04ee6649614206f73ad",
    );
    check(
        Kdf::Sha256,
        "77ef4e48c420ae3fec75109d7981697eed5d295c90c62564f7bfd101fa9bc1d5",
    );
    assert_eq!(Kdf::choose(None), Kdf::OctetStringToKey);
    let offered = [Kdf::Sha256, Kdf::Sha1].map(|kdf| kdf.id().unwrap());
    assert_eq!(Kdf::choose(Some(&offered)), Kdf::Sha256);
}

/// RFC 4556 B: octetstring2key of repeated bytes.
#[test]
fn rfc_4556_octet_string_to_key() {
    fn check(secret: Vec<u8>, expect: &str) {
        let (realm, name) = ("".into(), PrincipalName::new(NameType::NT_PRINCIPAL, []));
        let input = KdfInput {
            etype: EncryptionType::AES256_CTS_HMAC_SHA1_96,
            client_nonce: &[],
            server_nonce: &[],
            client: (&name, &realm),
            server: (&name, &realm),
            as_req: &[],
            pk_as_rep: &[],
        };
        let key = reply_key(Kdf::OctetStringToKey, &Secret::new(secret), &input).unwrap();
        assert_eq!(*key.value().expose(), hex(expect));
    }
    check(
        vec![0; 256],
        "5ee50d675c809fe59e4a7762c54b65837547eafb159bd8cdc75ffca5911e4c41",
    );
}

#[test]
fn cms_of_openssl_is_believed_with_the_right_key_alone() {
    let other = RsaPublicKey::new(&[vec![0xC1; 255], vec![1]].concat(), &[1, 0, 1]).unwrap();
    for name in [
        "issuer.sha256",
        "issuer.sha512",
        "keyid.sha256",
        "no_attributes",
    ] {
        let bytes = vector(name);
        let signed = SignedData::decode(&bytes).unwrap();
        let certificate = signed.signer_certificate().unwrap();
        assert_eq!(certificate.spki, key().spki(), "{name}");
        let content = signed
            .verify(SignedData::AUTH_DATA, &key(), Policy::default())
            .unwrap();
        assert_eq!(content.content(), b"content to be signed");
        assert_eq!(
            signed.verify(SignedData::AUTH_DATA, &other, Policy::default()),
            Err(PkinitError::Signature)
        );
        assert!(
            signed
                .verify(SignedData::DH_KEY_DATA, &key(), Policy::default())
                .is_err(),
            "{name}: another type"
        );
        // One changed byte of the content.
        let place = bytes
            .windows(7)
            .position(|window| window == b"content")
            .unwrap();
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        let changed = SignedData::decode(&changed).unwrap();
        assert_eq!(
            changed.verify(SignedData::AUTH_DATA, &key(), Policy::default()),
            Err(PkinitError::Signature)
        );
        for cut in (0..bytes.len()).step_by(7) {
            assert!(SignedData::decode(&bytes[..cut]).is_err());
        }
    }
    // MIT leaves a self-signed certificate out; the account's keys are tried then.
    let without = SignedData::decode(&vector("no_certificate")).unwrap();
    assert_eq!(without.signer_certificate(), None);
    without
        .verify(SignedData::AUTH_DATA, &key(), Policy::default())
        .unwrap();
}

#[test]
fn sha_1_signatures_need_the_policys_consent() {
    let signed = SignedData::decode(&vector("issuer.sha1")).unwrap();
    let refused = signed.verify(SignedData::AUTH_DATA, &key(), Policy::default());
    assert_eq!(refused, Err(PkinitError::NotAccepted("a SHA-1 signature")));
    let policy = Policy {
        allow_sha1: true,
        ..Policy::default()
    };
    signed
        .verify(SignedData::AUTH_DATA, &key(), policy)
        .unwrap();
}

#[test]
fn an_explicitly_tagged_key_identifier_is_read_too() {
    let bytes = vector("keyid.sha256");
    let signed = SignedData::decode(&bytes).unwrap();
    let SignerId::KeyId(id) = signed.signer().clone() else {
        panic!("named by key identifier");
    };
    // [0] IMPLICIT becomes [0] EXPLICIT OCTET STRING, as Heimdal writes it; the lengths around it grow by two.
    let implicit = [&[0x80, 20], &id[..]].concat();
    // The certificate names its issuer's key in the same way, so the last place counts.
    let place = bytes
        .windows(22)
        .rposition(|window| window == implicit)
        .unwrap();
    let mut explicit = bytes[..place].to_vec();
    explicit.extend([&[0xA0, 22, 4, 20], &id[..]].concat());
    explicit.extend(&bytes[place + 22..]);
    for at in [2, 17, 21] {
        let length = u16::from_be_bytes([explicit[at], explicit[at + 1]]) + 2;
        explicit[at..at + 2].copy_from_slice(&length.to_be_bytes());
    }
    // The set of signers and the signer.
    let signers = (0..place)
        .rev()
        .find(|at| explicit[*at] == 0x31 && explicit[at + 1] == 0x82)
        .unwrap();
    for at in [signers + 2, signers + 6] {
        let length = u16::from_be_bytes([explicit[at], explicit[at + 1]]) + 2;
        explicit[at..at + 2].copy_from_slice(&length.to_be_bytes());
    }
    let read = SignedData::decode(&explicit).unwrap();
    assert_eq!(read.signer(), &SignerId::KeyId(id));
    read.verify(SignedData::AUTH_DATA, &key(), Policy::default())
        .unwrap();
}

#[test]
fn what_we_sign_and_envelop_we_read() {
    let test_key = TestKey::new();
    let bytes = sign_data(SignedData::DH_KEY_DATA, b"key data", &test_key).unwrap();
    let signed = SignedData::decode(&bytes).unwrap();
    let content = signed
        .verify(SignedData::DH_KEY_DATA, &key(), Policy::default())
        .unwrap();
    assert_eq!(content.content(), b"key data");
    let recipient = Certificate::decode(&vector("certificate")).unwrap();
    for cipher in [ContentCipher::Aes256, ContentCipher::TripleDes] {
        let mut entropy = SeededEntropy::new(1);
        let bytes = envelop(
            SignedData::REPLY_KEY_DATA,
            b"reply key",
            &test_key,
            &recipient,
            cipher,
            &mut entropy,
        )
        .unwrap();
        let opened = EnvelopedData::decode(&bytes)
            .unwrap()
            .open(&test_key)
            .unwrap();
        let signed = SignedData::decode(&opened).unwrap();
        let content = signed
            .verify(SignedData::REPLY_KEY_DATA, &key(), Policy::default())
            .unwrap();
        assert_eq!(content.content(), b"reply key");
    }
}

#[test]
fn keys_are_agreed_in_every_group_and_weak_values_refused() {
    let weak = Policy {
        allow_modp_2: true,
        ..Policy::default()
    };
    let mut entropy = SeededEntropy::new(5);
    for group in [
        Group::Modp2,
        Group::Modp14,
        Group::Modp16,
        Group::P256,
        Group::P384,
    ] {
        let client = KeyPair::generate(group, &mut entropy).unwrap();
        let read = PublicValue::from_spki(&client.spki(), weak).unwrap();
        assert_eq!(read.group(), group);
        let (server, shared) = KeyPair::answer(&read, &mut entropy).unwrap();
        let answer = PublicValue::from_bits(group, &server.public_bits()).unwrap();
        assert_eq!(client.agree(&answer).unwrap(), shared);
        let default = PublicValue::from_spki(&client.spki(), Policy::default());
        assert_eq!(default.is_ok(), group != Group::Modp2, "{group:?}");
    }
    // 0, 1, p - 1 and p are none of the group.
    let prime = hex(
        "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a637ed6b0bff5cb6f406b7edee386bfb5a899fa5ae9f24117c4b1fe649286651ece65381ffffffffffffffff",
    );
    let mut last = prime.clone();
    *last.last_mut().unwrap() -= 1;
    for bad in [vec![0], vec![1], last, prime] {
        let content = [&[0], &bad[..]].concat();
        let length = u8::try_from(content.len()).unwrap();
        let integer = [&[2, 0x81, length], &content[..]].concat();
        assert_eq!(
            PublicValue::from_bits(Group::Modp2, &integer),
            Err(PkinitError::PublicValue)
        );
    }
    // A point that is not on the curve.
    let mut point = KeyPair::generate(Group::P256, &mut entropy)
        .unwrap()
        .public_bits();
    point[64] ^= 1;
    assert_eq!(
        PublicValue::from_bits(Group::P256, &point),
        Err(PkinitError::PublicValue)
    );
    assert_eq!(
        PublicValue::from_bits(Group::P256, &[0]),
        Err(PkinitError::PublicValue)
    );
}

#[test]
fn a_missing_or_zero_q_is_accepted() {
    let client = KeyPair::generate(Group::Modp14, &mut SeededEntropy::new(5)).unwrap();
    let info = SubjectPublicKeyInfo::from_der(&client.spki()).unwrap();
    let domain = info.algorithm.parameters.clone().unwrap().into_bytes();
    // SEQUENCE header 4, INTEGER p 4 + 257, INTEGER g 3.
    let p_and_g = &domain[4..4 + 261 + 3];
    for tail in [&[][..], &[2, 1, 0]] {
        let content = [p_and_g, tail].concat();
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        let mut changed = info.clone();
        let parameters = [&[0x30, 0x82], &length[..], &content].concat();
        changed.algorithm.parameters = Some(rasn::types::Any::new(parameters));
        let read = PublicValue::from_spki(&changed.to_der().unwrap(), Policy::default()).unwrap();
        assert_eq!(read.group(), Group::Modp14);
    }
}

#[test]
fn freshness_tokens_open_with_the_krbtgt_key_alone() {
    let key = |byte| Key::new(EncryptionType::AES256_CTS_HMAC_SHA1_96, &[byte; 32]).unwrap();
    let now = types::Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap();
    let kvno = Kvno::domain(3);
    let token = freshness_token(now, &key(1), kvno, &mut SeededEntropy::new(1)).unwrap();
    assert_eq!(token[..2], [0, 0]);
    assert_eq!(freshness_key_version(&token), Some(kvno));
    assert_eq!(freshness_time(&token, &key(1)), Some(now));
    assert_eq!(freshness_time(&token, &key(2)), None);
    assert_eq!(freshness_time(&token[1..], &key(1)), None);
}

#[test]
fn the_accepted_groups_can_be_told() {
    let told = Group::td_dh_parameters(&[Group::Modp14, Group::P256]);
    let list: Vec<AlgorithmIdentifier> = Der::from_der(&told).unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0].algorithm.to_string(), "1.2.840.10046.2.1");
    assert_eq!(list[1].algorithm.to_string(), "1.2.840.10045.2.1");
}

#[test]
fn the_signed_request_is_bound_to_its_body() {
    let sample = include_str!("vectors/mit_pkinit_encode.txt")
        .lines()
        .find(|line| line.starts_with("encode_krb5_auth_pack:"));
    let pack = AuthPack::from_der(&hex(sample.unwrap().split_once(": ").unwrap().1)).unwrap();
    let mut authenticator = pack.pk_authenticator;
    authenticator.pa_checksum2 = None;
    authenticator.pa_checksum = Some(Digest::Sha1.hash(b"body").into());
    authenticator.check_body(b"body").unwrap();
    assert!(authenticator.check_body(b"bodY").is_err());
    let sha256 = rasn::types::ObjectIdentifier::new(vec![2, 16, 840, 1, 101, 3, 4, 2, 1]).unwrap();
    authenticator.pa_checksum2 = Some(PaChecksum2 {
        checksum: Digest::Sha256.hash(b"other").into(),
        algorithm_identifier: AlgorithmIdentifier {
            algorithm: sha256,
            parameters: None,
        },
    });
    // The second one counts where it is there.
    assert!(authenticator.check_body(b"body").is_err());
    authenticator.check_body(b"other").unwrap();
    authenticator.pa_checksum = None;
    authenticator.pa_checksum2 = None;
    assert!(authenticator.check_body(b"body").is_err(), "none at all");
}

#[test]
fn small_and_strange_rsa_keys_are_refused() {
    assert_eq!(
        RsaPublicKey::new(&[0xFF; 128], &[1, 0, 1]),
        Err(PkinitError::KeySize(1024))
    );
    assert_eq!(
        RsaPublicKey::new(&[0xFF; 2048], &[1, 0, 1]),
        Err(PkinitError::KeySize(16384))
    );
    for (modulus, exponent) in [
        (vec![0xFE; 256], vec![3]),
        (vec![0xFF; 256], vec![2]),
        (vec![0xFF; 256], vec![1]),
    ] {
        assert!(RsaPublicKey::new(&modulus, &exponent).is_err());
    }
    assert_eq!(key().modulus(), vector("modulus"));
}

proptest! {
    #[test]
    fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = SignedData::decode(&bytes);
        let _ = EnvelopedData::decode(&bytes);
        let _ = Certificate::decode(&bytes);
        let _ = RsaPublicKey::from_spki(&bytes);
        let _ = PublicValue::from_spki(&bytes, Policy::default());
        let _ = AuthPack::from_der(&bytes);
        let _ = PaPkAsRep::from_der(&bytes);
    }

    #[test]
    fn no_change_of_real_cms_panics(place in 0usize..1400, byte in any::<u8>()) {
        let mut bytes = vector("issuer.sha256");
        bytes[place] = byte;
        if let Ok(signed) = SignedData::decode(&bytes) {
            let _ = signed.signer_certificate();
        }
    }
}
