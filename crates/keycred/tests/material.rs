//! Key material of every format: read, refused, and never a panic.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod common;

use common::*;
use keycred::material::{AuthenticatorData, CoseAlgorithm};
use keycred::{FidoKeyMaterial, KeyMaterial, PublicKey};
use proptest::prelude::*;

fn check(bytes: &[u8], expect: Result<(&str, &str), &str>) {
    let got = KeyMaterial::decode(bytes).map(|key| {
        (
            key.format(),
            key.public_key()
                .map_or("-".to_owned(), |key| key.describe()),
        )
    });
    match (got, expect) {
        (Ok((format, key)), Ok(expect)) => assert_eq!((format, key.as_str()), expect),
        (Err(got), Err(part)) => assert!(got.to_string().contains(part), "{got}"),
        (got, expect) => panic!("{got:?} instead of {expect:?}"),
    }
}

#[test]
fn formats() {
    let modulus = modulus(256);
    check(&rsa_material(), Ok(("BCRYPT RSA", "RSA-2048")));
    let with_zero = [&[0], &modulus[..]].concat();
    check(
        &rsa1(2048, &[1, 0, 1], &with_zero),
        Ok(("BCRYPT RSA", "RSA-2048")),
    );
    check(&pkcs1(&modulus), Ok(("PKCS#1", "RSA-2048")));
    check(
        &spki(RSA_ALGORITHM, &pkcs1(&modulus)),
        Ok(("SubjectPublicKeyInfo", "RSA-2048")),
    );
    check(
        &pcpm(&tpm_rsa(&modulus, 0, true)),
        Ok(("TPM (PCP)", "RSA-2048")),
    );
    check(
        &pcpm(&tpm_ecc(&[1; 32], &[2; 32])),
        Ok(("TPM (PCP)", "P-256")),
    );
    let ecc = |magic: &[u8], length: u8| {
        let point = vec![5; usize::from(length) * 2];
        [magic, &[length, 0, 0, 0], &point].concat()
    };
    check(&ecc(b"ECS1", 32), Ok(("BCRYPT ECC", "P-256")));
    check(&ecc(b"ECK3", 48), Ok(("BCRYPT ECC", "P-384")));
    check(&ecc(b"ECS5", 66), Ok(("BCRYPT ECC", "P-521")));
    check(&jwk_material(), Ok(("JSON Web Key", "P-256")));
    check(&fido_material(), Ok(("FIDO", "P-256")));
    let p256 = [
        &[6, 7, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 2, 1][..],
        &[6, 8, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 3, 1, 7],
    ]
    .concat();
    check(
        &spki(&p256, &[&[4][..], &[9; 64]].concat()),
        Ok(("SubjectPublicKeyInfo", "P-256")),
    );
    check(
        &spki(&[6, 3, 0x2B, 0x65, 0x70], &[9; 32]),
        Ok(("SubjectPublicKeyInfo", "Ed25519")),
    );
}

#[test]
fn broken() {
    let modulus = modulus(256);
    check(&[], Err("unknown format"));
    check(b"RSA3", Err("unknown format"));
    check(b"RSA1", Err("shorter than its header"));
    check(
        &rsa1(1024, &[1, 0, 1], &modulus),
        Err("longer than the header says"),
    );
    check(&rsa_material()[..282], Err("truncated modulus"));
    check(
        &[&rsa_material()[..], &[0]].concat(),
        Err("bytes after the modulus"),
    );
    let mut private = rsa_material();
    private[16] = 1;
    check(&private, Err("primes"));
    check(&pkcs1(&modulus)[..200], Err("truncated outer sequence"));
    check(
        &[&pkcs1(&modulus)[..], &[0]].concat(),
        Err("bytes after the key"),
    );
    check(&[0x30, 0x80, 0, 0], Err("truncated outer sequence"));
    check(&der(0x30, &der(2, &modulus)), Err("not an RSAPublicKey"));
    check(b"ECS1\x20\0\0\0", Err("not two coordinates"));
    check(b"ECS1\x21\0\0\0", Err("curve's length"));
    check(b"PCPM", Err("shorter than its header"));
    let mut old = pcpm(&tpm_rsa(&modulus, 0, true));
    old[8] = 1;
    check(&old, Err("TPM 2.0"));
    check(b"{", Err("JSON"));
    check(b"{}", Err("version"));
    check(
        br#"{"version":1,"authData":"*"}"#,
        Err("authData is not base64"),
    );
    check(br#"{"kty":1}"#, Err("kty"));
    check(
        br#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
        Ok(("JSON Web Key", "-")),
    );
}

#[test]
fn fido_json_is_written_as_the_cloud_writes_it() {
    let bytes = FidoKeyMaterial::encode(&[0xFB, 0xFF], &[vec![1], vec![2]], "Ada's \"key\" é");
    assert_eq!(
        String::from_utf8(bytes.clone()).unwrap(),
        r#"{"version":1,"authData":"+/8=","x5c":["AQ==","Ag=="],"displayName":"Ada's \"key\" é"}"#
    );
    let read = FidoKeyMaterial::decode(&bytes).unwrap();
    assert_eq!((read.auth_data.len(), read.x5c.len()), (2, 2));
}

#[test]
fn authenticator_data_to_the_last_byte() {
    let data = AuthenticatorData::decode(&auth_data(0xC5, &cose_es256(), &hmac_secret())).unwrap();
    let attested = data.attested.as_ref().unwrap();
    assert_eq!(data.counter, 50);
    assert_eq!(attested.aaguid.to_string(), AAGUID);
    assert_eq!(attested.credential_id, CREDENTIAL_ID);
    assert_eq!(attested.key.algorithm, Some(CoseAlgorithm::ES256));
    assert_eq!(attested.key.raw, cose_es256());
    assert_eq!(data.extension("hmac-secret").unwrap().as_bool(), Some(true));
    assert_eq!(data.extension("credProtect"), None);

    let kind = |cose: &[u8]| {
        let data = AuthenticatorData::decode(&auth_data(0x45, cose, &[])).unwrap();
        let key = data.attested.unwrap().key;
        (key.algorithm, key.public_key.map(|key| key.describe()))
    };
    assert_eq!(
        kind(&cose_eddsa()),
        (Some(CoseAlgorithm::EDDSA), Some("Ed25519".into()))
    );
    assert_eq!(
        kind(&cose_rs256()),
        (Some(CoseAlgorithm::RS256), Some("RSA-2048".into()))
    );
    let whole = auth_data(0xC5, &cose_es256(), &hmac_secret());
    for end in 0..whole.len() {
        assert!(AuthenticatorData::decode(&whole[..end]).is_err(), "{end}");
    }
}

#[test]
fn the_public_key_is_that_of_the_credential() {
    let bytes = fido_material();
    let material = KeyMaterial::decode(&bytes).unwrap();
    let Some(PublicKey::Ec(point)) = material.public_key() else {
        panic!("not an EC key")
    };
    assert_eq!((point.x[0], point.y[0]), (1, 2));
}

proptest! {
    #[test]
    fn never_panics(magic in 0_usize..6, rest: Vec<u8>) {
        let magics: [&[u8]; 6] = [b"RSA1", b"ECS1", b"PCPM", &[0x30], b"{", b""];
        let bytes = [magics[magic], &rest].concat();
        if let Ok(key) = KeyMaterial::decode(&bytes) {
            let _ = key.public_key().map(|key| (key.describe(), key.fingerprint()));
        }
        let _ = AuthenticatorData::decode(&bytes);
    }

    #[test]
    fn mutated_material_never_panics(seed in 0_usize..6, at: prop::sample::Index, byte: u8) {
        let mut bytes = match seed {
            0 => rsa_material(),
            1 => pkcs1(&modulus(256)),
            2 => spki(RSA_ALGORITHM, &pkcs1(&modulus(64))),
            3 => pcpm(&tpm_rsa(&modulus(256), 0, true)),
            4 => auth_data(0xC5, &cose_es256(), &hmac_secret()),
            _ => fido_material(),
        };
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = KeyMaterial::decode(&bytes).map(|key| key.public_key().is_some());
        let _ = AuthenticatorData::decode(&bytes);
    }
}
