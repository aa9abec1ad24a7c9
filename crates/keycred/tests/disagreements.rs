//! Where the public tools disagree: one test for each row of the list in `docs/keys.md`, showing our answer.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod common;

use common::*;
use keycred::fingerprint::{Context, Writer, length_hint, writers};
use keycred::material::KeyMaterial;
use keycred::{
    Blob, BlobBuilder, DeviceIdShape, DnBinary, Draft, EntryId, HashCheck, KeyIdCheck, KeySource,
    KeyTime, KeyUsage, PublicKey, Reading, ValidatedWriteMode, Version, validated_write,
};
use types::{Guid, Timestamp};

fn ids(blob: &Blob<'_>) -> Vec<&'static str> {
    blob.credential().findings().iter().map(|f| f.id).collect()
}

#[test]
fn row_01_device_ids_are_mixed_endian() {
    let blob = ad_ngc().to_blob().unwrap();
    let key = blob.credential();
    assert_eq!(key.device_id().unwrap().to_string(), DEVICE);
    assert_eq!(key.device_id_shape(), Some(DeviceIdShape::V4));
    assert_eq!(
        key.raw(EntryId::DEVICE_ID).unwrap()[..4],
        [0xe3, 0x77, 0xf5, 0x47]
    );

    // A tool that stored the big-endian bytes is read as stored, and the reading says so.
    let mut draft = ad_ngc();
    draft.device_id = Some(Guid::from_bytes_le(device().to_bytes_be()));
    let blob = draft.to_blob().unwrap();
    assert_eq!(
        blob.credential().device_id_shape(),
        Some(DeviceIdShape::V4BigEndian)
    );
    assert!(ids(&blob).contains(&"device-id-big-endian"));
}

#[test]
fn row_02_cloud_times_are_dotnet_times_to_the_last_digit() {
    let blob = cloud_ngc().to_blob().unwrap();
    let created = blob.credential().created().unwrap();
    assert_eq!(created.moment(), Some(moment()));
    assert_eq!(moment().to_string(), "2026-06-10T05:06:07.1234567Z");
    let blob = ad_ngc().to_blob().unwrap();
    assert_eq!(
        blob.credential().created().unwrap().moment(),
        Some(moment())
    );
}

#[test]
fn row_03_all_three_sentinels_read_never() {
    for raw in [0x4000_0043_0E23_4000, 0x4000_0000_0000_0000, 0] {
        let mut draft = cloud_ngc();
        draft.last_logon = Some(raw);
        let blob = draft.to_blob().unwrap();
        let time = blob.credential().last_logon().unwrap();
        assert_eq!(time.reading, Reading::Never, "{raw:#x}");
        assert_eq!(time.raw, raw);
        assert!(!ids(&blob).contains(&"last-logon-before-created"));
    }
}

#[test]
fn row_04_custom_key_information_of_any_length_survives() {
    for length in [0, 1, 2, 4, 5, 6, 15, 16, 40] {
        let mut draft = cloud_ngc();
        draft.custom_key_information = Some(vec![1; length]);
        let bytes = draft.to_blob().unwrap().into_bytes();
        let blob = Blob::decode(&bytes).unwrap();
        assert_eq!(
            blob.credential().custom_key_information().unwrap().0,
            vec![1; length]
        );
        assert_eq!(blob.encode(), bytes);
    }
}

#[test]
fn row_05_fek_version_zero_is_read_and_noted() {
    let blob = cloud_ngc().to_blob().unwrap();
    let info = blob.credential().custom_key_information().unwrap();
    assert_eq!(info.fek_version(), Some(0));
    assert!(ids(&blob).contains(&"fek-version-zero"));
}

#[test]
fn row_06_key_ids_that_are_no_hash() {
    let check = |draft: Draft, expect| {
        let blob = draft.to_blob().unwrap();
        assert_eq!(blob.credential().key_id_check(), expect);
        let differs = expect == KeyIdCheck::Differs;
        assert_eq!(ids(&blob).contains(&"key-id-differs"), differs);
    };
    check(ad_ngc(), KeyIdCheck::Sha256OfMaterial);
    check(fido(), KeyIdCheck::CredentialId);
    let kid = device().to_bytes_le();
    check(
        Draft::new(kid, jwk_material(), KeyUsage::NGC, KeySource::AZURE_AD),
        KeyIdCheck::JwkKeyId,
    );
    check(
        Draft {
            key_id: vec![9; 16],
            ..fido()
        },
        KeyIdCheck::Differs,
    );
    check(
        Draft {
            key_id: vec![9; 32],
            ..ad_ngc()
        },
        KeyIdCheck::Differs,
    );
    let longer = Draft {
        key_id: CREDENTIAL_ID[..8].to_vec(),
        ..fido()
    };
    check(longer, KeyIdCheck::Differs);
}

#[test]
fn row_07_one_key_in_every_rsa_format_is_one_key() {
    let modulus = modulus(256);
    let spki = spki(RSA_ALGORITHM, &pkcs1(&modulus));
    let with_zero = [&[0], &modulus[..]].concat();
    let materials = [
        rsa1(2048, &[1, 0, 1], &modulus),
        rsa1(2048, &[1, 0, 1], &with_zero),
        pkcs1(&modulus),
        spki,
        pcpm(&tpm_rsa(&modulus, 0, true)),
        pcpm(&tpm_rsa(&modulus, 65537, false)),
    ];
    let fingerprints: Vec<_> = materials
        .iter()
        .map(|bytes| KeyMaterial::decode(bytes).unwrap())
        .map(|material| material.public_key().unwrap().fingerprint())
        .collect();
    assert!(fingerprints.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn row_08_tpm_keys_are_read_and_their_numbers_tested() {
    let material = pcpm(&tpm_rsa(&modulus(256), 0, true));
    let key = KeyMaterial::decode(&material).unwrap();
    assert_eq!(key.public_key().unwrap().describe(), "RSA-2048");

    // 65537 is a power of itself: the smallest number with the ROCA fingerprint.
    let mut weak = vec![0; 256];
    weak[253..].copy_from_slice(&[1, 0, 1]);
    let draft = Draft::hashed(pcpm(&tpm_rsa(&weak, 0, true)), KeyUsage::NGC, KeySource::AD);
    assert!(ids(&draft.to_blob().unwrap()).contains(&"rsa-roca"));

    let material = pcpm(&tpm_ecc(&[7; 32], &[8; 31]));
    let key = KeyMaterial::decode(&material).unwrap();
    let Some(PublicKey::Ec(point)) = key.public_key() else {
        panic!("not an EC key")
    };
    assert_eq!((point.x.len(), point.y[0], point.y[1]), (32, 0, 8));
}

#[test]
fn row_08_the_invented_tpm_vector_is_refused() {
    // Header length 0x2E, no public area, little-endian TPM2B size: never misread as some key.
    let mut invented = pcpm(&[]);
    invented[4] = 0x2E;
    invented.truncate(0x2E);
    invented.extend([0x18, 0x01]);
    invented.extend([0; 0x118]);
    let error = KeyMaterial::decode(&invented).unwrap_err().to_string();
    assert!(error.contains("header length is not 0x38"), "{error}");
}

#[test]
fn row_09_json_web_keys_are_keys() {
    let material = jwk_material();
    let key = KeyMaterial::decode(&material).unwrap();
    assert_eq!(key.format(), "JSON Web Key");
    let Some(PublicKey::Ec(point)) = key.public_key() else {
        panic!("not an EC key")
    };
    assert_eq!(point.x[..], [0xFB; 32]);
}

#[test]
fn row_10_key_hash_is_checked_and_kept() {
    let mut bytes = ad_ngc().to_blob().unwrap().into_bytes();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    let blob = Blob::decode(&bytes).unwrap();
    assert_eq!(blob.credential().key_hash_check(), HashCheck::Differs);
    assert!(ids(&blob).contains(&"key-hash-differs"));
    assert_eq!(blob.encode(), bytes, "the wrong hash is kept");
}

#[test]
fn row_11_usage_2_is_a_transport_key_and_7_is_fido() {
    assert_eq!(KeyUsage(2).label(), "STK");
    assert_eq!(KeyUsage(3).label(), "BitLockerRecovery");
    assert_eq!(KeyUsage(7).label(), "FIDO");
    assert_eq!(KeyUsage(8).label(), "FEK");
    assert_eq!(KeyUsage(0x2A).label(), "0x2a");
}

#[test]
fn row_12_the_source_survives() {
    for source in [0, 1, 0x77] {
        let draft = Draft {
            source: Some(KeySource(source)),
            ..cloud_ngc()
        };
        let bytes = draft.to_blob().unwrap().into_bytes();
        let blob = Blob::decode(&bytes).unwrap();
        assert_eq!(blob.credential().source(), Some(KeySource(source)));
        assert_eq!(blob.encode(), bytes);
    }
}

#[test]
fn row_13_colons_in_names_and_lower_case_hex() {
    let value: DnBinary = "B:4:abCD:CN=C:\\\\odd:name,DC=corp,DC=contoso,DC=com"
        .parse()
        .unwrap();
    assert_eq!(value.binary, [0xAB, 0xCD]);
    assert!(value.to_string().starts_with("B:4:ABCD:CN=C:"));
}

#[test]
fn row_14_a_time_before_the_source_is_read_by_the_source() {
    let draft = cloud_ngc();
    let created = draft.created.unwrap().to_le_bytes();
    let blob = BlobBuilder::new(Version::V2)
        .entry(EntryId::CREATED, &created)
        .and_then(|b| b.entry(EntryId::KEY_SOURCE, &[1]))
        .and_then(|b| b.entry(EntryId::KEY_MATERIAL, &draft.key_material))
        .and_then(|b| b.entry(EntryId::KEY_ID, &draft.key_id))
        .unwrap()
        .build();
    assert_eq!(
        blob.credential().created().unwrap().moment(),
        Some(moment())
    );
    assert!(ids(&blob).contains(&"entries-out-of-order"));
}

#[test]
fn row_15_unusual_fido_keys_break_nothing() {
    let check = |data: Vec<u8>, finding: &str| {
        let material = keycred::FidoKeyMaterial::encode(&data, &[], "key");
        let blob = Draft {
            key_material: material,
            ..fido()
        }
        .to_blob()
        .unwrap();
        let found = ids(&blob);
        match finding.is_empty() {
            true => assert!(
                blob.credential()
                    .findings()
                    .iter()
                    .all(|f| f.severity == keycred::Severity::Note)
            ),
            false => assert!(found.contains(&finding), "{found:?}"),
        }
    };
    check(auth_data(0xC5, &cose_es256(), &hmac_secret()), "");
    check(auth_data(0xC5, &cose_eddsa(), &hmac_secret()), "");
    check(auth_data(0x45, &cose_rs256(), &[]), "");
    check(auth_data(0x05, &[], &[]), "fido-no-credential");
    check(auth_data(0x5D, &cose_es256(), &[]), "fido-backup-eligible");
    check(auth_data(0x45, &cose_es256(), &[]), "fido-no-hmac-secret");
    check(
        auth_data(0x41, &cose_es256(), &[]),
        "fido-user-not-verified",
    );
    check(auth_data(0x45, &cose_es256(), &[1]), "fido-unreadable");
    check(auth_data(0x45, &[0xA1, 1, 9], &[]), "key-of-unknown-kind");
    // Extensions with a map inside a map, as credProtect and friends may grow.
    check(
        auth_data(
            0xC5,
            &cose_es256(),
            &[0xA1, 0x61, b'x', 0xA1, 0x61, b'y', 0xF5],
        ),
        "",
    );
}

#[test]
fn row_16_authenticator_flags_are_bits() {
    let flags = keycred::material::AuthenticatorFlags;
    assert_eq!(flags(0xC5).names(), ["UP", "UV", "AT", "ED"]);
    assert_eq!(flags(0x1D).names(), ["UP", "UV", "BE", "BS"]);
    assert_eq!(flags(0x02).names(), ["RFU1"]);
}

#[test]
fn row_17_nothing_is_carried_from_one_value_to_the_next() {
    // A length above 32767 is a length, and a value without DeviceId has none.
    let blob = Draft {
        key_material: vec![0x55; 40_000],
        ..ad_ngc()
    }
    .to_blob()
    .unwrap();
    assert_eq!(blob.credential().key_material().unwrap().len(), 40_000);
    let blob = Draft {
        device_id: None,
        ..ad_ngc()
    }
    .to_blob()
    .unwrap();
    assert_eq!(blob.credential().device_id(), None);
}

#[test]
fn row_18_validated_write_by_whose_rules() {
    let computer = |info: Option<Vec<u8>>| Draft {
        device_id: None,
        custom_key_information: info,
        last_logon: None,
        created: KeyTime::filetime(moment()),
        ..Draft::hashed(pkcs1(&modulus(256)), KeyUsage::NGC, KeySource::AD)
    };
    use ValidatedWriteMode::*;
    let check = |draft: &Draft, mode, expect: Result<(), &str>| {
        let bytes = draft.to_blob().unwrap().into_bytes();
        match (validated_write(&bytes, mode), expect) {
            (Ok(()), Ok(())) => {}
            (Err(got), Err(part)) => assert!(got.to_string().contains(part), "{got}"),
            (got, expect) => panic!("{mode:?}: {got:?} instead of {expect:?}"),
        }
    };
    let (bare, flagged) = (computer(None), computer(Some(vec![1, 2])));
    check(&bare, Spec, Ok(()));
    check(&flagged, Spec, Err("has a CustomKeyInformation"));
    check(&bare, Patched2026, Err("no CustomKeyInformation"));
    check(&flagged, Patched2026, Ok(()));
    check(
        &computer(Some(vec![1, 0])),
        Patched2026,
        Err("CustomKeyInformation must be"),
    );
    check(&bare, Pre2026, Ok(()));
    check(&fido(), Pre2026, Ok(()));
    check(&fido(), Patched2026, Err("KeyID must be"));
    let used = Draft {
        last_logon: flagged.created,
        ..flagged.clone()
    };
    check(
        &used,
        Patched2026,
        Err("has a KeyApproximateLastLogonTimeStamp"),
    );
    let cloud = Draft {
        source: Some(KeySource::AZURE_AD),
        ..flagged.clone()
    };
    check(&cloud, Patched2026, Err("KeySource must be AD"));
    let silent = Draft {
        source: None,
        ..flagged.clone()
    };
    check(&silent, Patched2026, Ok(()));
    check(&silent, Spec, Err("no KeySource"));
    let device = Draft {
        device_id: Some(common::device()),
        ..flagged.clone()
    };
    check(&device, Patched2026, Ok(()));
    let other = Draft {
        key_id: vec![1; 32],
        ..flagged.clone()
    };
    check(&other, Patched2026, Err("KeyID must be"));
    let stk = Draft {
        usage: KeyUsage::STK,
        ..flagged
    };
    check(&stk, Patched2026, Err("KeyUsage must be NGC"));
    assert!(validated_write(b"foo bar baz", Pre2026).is_err());
}

#[test]
fn row_19_length_is_a_hint_and_the_bytes_tell_more() {
    assert!(
        length_hint(828)
            .unwrap()
            .writers
            .contains(&Writer::WindowsUser)
    );
    assert!(
        length_hint(806)
            .unwrap()
            .writers
            .contains(&Writer::Impacket0131)
    );
    for (draft, writer) in [
        (ad_ngc(), Writer::WindowsUser),
        (cloud_ngc(), Writer::CloudSync),
    ] {
        let blob = draft.to_blob().unwrap();
        let hint = length_hint(blob.as_bytes().len() * 2).unwrap();
        assert!(hint.writers.contains(&writer));
        let likely = writers(&blob, Context::default());
        assert!(
            likely.iter().any(|likely| likely.writer == writer),
            "{likely:?}"
        );
    }
    assert_eq!(ad_ngc().to_blob().unwrap().as_bytes().len(), 414);
    assert_eq!(cloud_ngc().to_blob().unwrap().as_bytes().len(), 427);
}

#[test]
fn a_time_on_the_wrong_clock_is_an_alarm() {
    let created = KeyTime::dotnet_utc(moment()).unwrap() & 0x3FFF_FFFF_FFFF_FFFF;
    let old_impacket = Draft {
        created: Some(created),
        last_logon: Some(created),
        ..ad_ngc()
    };
    let blob = old_impacket.to_blob().unwrap();
    assert!(ids(&blob).contains(&"time-on-wrong-clock"));
    let year = blob
        .credential()
        .created()
        .unwrap()
        .moment()
        .unwrap()
        .to_date_time()
        .unwrap()
        .year();
    assert_eq!(year, 3626);

    let forged = Draft {
        created: KeyTime::filetime(moment()),
        ..cloud_ngc()
    };
    assert!(ids(&forged.to_blob().unwrap()).contains(&"time-on-wrong-clock"));
    let _ = Timestamp::from_unix_seconds(0);
}
