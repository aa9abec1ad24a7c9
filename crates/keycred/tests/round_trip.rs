//! Blobs and the cloud form: what is read is written back, byte for byte.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests are tests"
)]

mod common;

use common::*;
use keycred::{
    Blob, BlobBuilder, Draft, EntryId, KeySource, KeyUsage, Malformed, SearchableDeviceKey,
    Version, with_key_hash,
};
use proptest::prelude::*;

/// Writes a blob again from nothing but its version and entries.
fn rebuilt(blob: &Blob<'_>) -> Vec<u8> {
    let start = BlobBuilder::new(blob.version());
    blob.entries()
        .fold(start, |builder, entry| {
            builder.entry(entry.id, entry.value).unwrap()
        })
        .build()
        .into_bytes()
}

fn check_malformed(hex: &str, expect: &str) {
    let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
    assert_eq!(Blob::decode(&bytes).unwrap_err().to_string(), expect);
}

#[test]
fn errors_say_where() {
    check_malformed("", "truncated version at byte 0: needs 4 bytes, has 0");
    check_malformed(
        "000300",
        "truncated version at byte 0: needs 4 bytes, has 3",
    );
    check_malformed(
        "00030000",
        "unknown blob version 0x300; versions 0x00, 0x100 and 0x200 are known",
    );
    check_malformed(
        "0002000001",
        "truncated entry header at byte 4: needs 3 bytes, has 1",
    );
    check_malformed(
        "00020000010004012000030000",
        "truncated KeyMaterial at byte 8: needs 32 bytes, has 2",
    );
    check_malformed(
        "000000000100040000",
        "truncated KeyUsage at byte 4: needs 4 bytes, has 2",
    );
    let huge = vec![0; keycred::BLOB_BYTES_MAX + 1];
    assert!(matches!(
        Blob::decode(&huge),
        Err(Malformed::TooLarge { .. })
    ));
}

#[test]
fn version_0_pads_and_hashes_the_pads() {
    let blob = BlobBuilder::new(Version::V0)
        .entry(EntryId::KEY_ID, &[1; 16])
        .and_then(|b| b.key_hash())
        .and_then(|b| b.entry(EntryId::KEY_MATERIAL, &rsa_material()))
        .and_then(|b| b.entry(EntryId::KEY_USAGE, b"NGC"))
        .and_then(|b| {
            b.entry(
                EntryId::CREATED,
                &moment().dotnet_ticks().unwrap().to_le_bytes(),
            )
        })
        .unwrap()
        .build();
    let key = blob.credential();
    assert_eq!(blob.as_bytes().len(), 4 + 3 * 5 + 16 + 32 + 284 + 4 + 8);
    assert_eq!(
        (key.usage(), key.usage_word()),
        (Some(KeyUsage::NGC), Some("NGC"))
    );
    assert!(key.key_hash_check().holds());
    assert_eq!(key.created().unwrap().moment(), Some(moment()));
    assert_eq!(key.key_id_check(), keycred::KeyIdCheck::LegacyGuid);
    assert_eq!(rebuilt(&blob), blob.as_bytes());
}

#[test]
fn version_1_has_to_binary_times() {
    let created = keycred::KeyTime::dotnet_utc(moment())
        .unwrap()
        .to_le_bytes();
    let blob = BlobBuilder::new(Version::V1)
        .entry(EntryId::KEY_ID, &[1; 16])
        .and_then(|b| b.entry(EntryId::KEY_SOURCE, &[0]))
        .and_then(|b| b.entry(EntryId::CREATED, &created))
        .unwrap()
        .build();
    assert_eq!(
        blob.credential().created().unwrap().moment(),
        Some(moment())
    );
}

#[test]
fn duplicates_are_kept_and_flagged() {
    let twice = |second: &[u8]| {
        BlobBuilder::new(Version::V2)
            .entry(EntryId::KEY_ID, &[1; 32])
            .and_then(|b| b.entry(EntryId::KEY_ID, second))
            .and_then(|b| b.entry(EntryId(0x42), b"?"))
            .unwrap()
            .build()
    };
    let severity = |blob: &Blob<'_>| {
        let findings = blob.credential().findings();
        let found = findings
            .iter()
            .find(|f| f.id == "duplicate-entry")
            .unwrap()
            .clone();
        assert!(findings.iter().any(|f| f.id == "unknown-entry"));
        found.severity
    };
    let (same, other) = (twice(&[1; 32]), twice(&[2; 32]));
    assert_eq!(severity(&same), keycred::Severity::Warning);
    assert_eq!(severity(&other), keycred::Severity::Alarm);
    assert_eq!(other.credential().key_id().unwrap(), [1; 32]);
    assert_eq!(rebuilt(&other), other.as_bytes());
}

#[test]
fn the_cloud_form_reads_and_writes_its_nine_members() {
    let json = format!(
        r#"{{"usage":"NGC","keyIdentifier":"{id}","keyMaterial":"{material}","creationTime":"2026-03-04T05:06:07.12Z","deviceId":"{DEVICE}","customKeyInformation":"AQAAAAACAAAAAAAAAAAA","fidoAaGuid":null,"fidoAuthenticatorVersion":null,"fidoAttestationCertificates":[]}}"#,
        id = data_encoding::BASE64.encode(&cloud_ngc().key_id),
        material = data_encoding::BASE64.encode(&rsa_material()),
    );
    let key: SearchableDeviceKey = serde_json::from_str(&json).unwrap();
    assert_eq!(serde_json::to_string(&key).unwrap(), json);
    let blob = key.to_blob().unwrap();
    assert_eq!(
        with_key_hash(&key.to_raw().unwrap()).unwrap(),
        blob.as_bytes()
    );
    assert_eq!(blob.as_bytes().len(), 427);
    assert_eq!(SearchableDeviceKey::from_blob(&blob).unwrap(), key);
    let created = blob.entry(EntryId::CREATED).unwrap().value.to_vec();
    let ticks = key.creation_time.dotnet_ticks().unwrap() | 1 << 62;
    assert_eq!(created, ticks.to_le_bytes());
}

#[test]
fn the_cloud_form_of_a_fido_key() {
    let blob = fido().to_blob().unwrap();
    let key = SearchableDeviceKey::from_blob(&blob).unwrap();
    assert_eq!(key.fido_aa_guid.unwrap().to_string(), AAGUID);
    assert_eq!(key.device_id, Some(types::Guid::ZERO));
    assert_eq!(key.to_blob().unwrap(), blob);
    let json = serde_json::to_value(&key).unwrap();
    let names: Vec<_> = json.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names.len(), 9);
    assert_eq!(json["usage"], "FIDO");
    assert_eq!(json["keyIdentifier"], "EREREREREREREREREREREQ==");
}

#[test]
fn broken_cloud_json_is_refused_with_its_reason() {
    let with = |usage: &str, id: &str, time: &str| {
        let json = format!(
            r#"{{"usage":"{usage}","keyIdentifier":"{id}","keyMaterial":"","creationTime":"{time}","deviceId":null,"customKeyInformation":null}}"#
        );
        serde_json::from_str::<SearchableDeviceKey>(&json)
    };
    let time = "2026-03-04T05:06:07Z";
    assert!(with("NGC", "AQ==", time).unwrap().to_blob().is_ok());
    assert!(with("0x2a", "AQ==", time).unwrap().to_blob().is_ok());
    assert!(
        with("ngx", "AQ==", time)
            .unwrap_err()
            .to_string()
            .contains("'ngx'")
    );
    assert!(
        with("NGC", "A", time)
            .unwrap_err()
            .to_string()
            .contains("base64")
    );
    assert!(
        with("NGC", "AQ==", "yesterday")
            .unwrap_err()
            .to_string()
            .contains("yesterday")
    );
    let long = Draft::new(vec![0; 70_000], *b"x", KeyUsage::NGC, KeySource::AD);
    assert!(
        long.to_blob()
            .unwrap_err()
            .to_string()
            .contains("KeyID of 70000 bytes")
    );
}

fn entries() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let id = prop_oneof![1_u8..=9, any::<u8>()];
    prop::collection::vec((id, prop::collection::vec(any::<u8>(), 0..40)), 0..14)
}

proptest! {
    #[test]
    fn decode_after_encode(version in 0_u32..3, entries in entries()) {
        let mut builder = BlobBuilder::new(Version(version << 8));
        for (id, value) in &entries {
            builder = builder.entry(EntryId(*id), value).unwrap();
        }
        let bytes = builder.build().into_bytes();
        let blob = Blob::decode(&bytes).unwrap();
        let read: Vec<_> = blob.entries().map(|e| (e.id.0, e.value.to_vec())).collect();
        prop_assert_eq!(read, entries);
        prop_assert_eq!(blob.as_bytes(), &bytes[..]);
        prop_assert_eq!(&rebuilt(&blob), &bytes);
        let key = blob.credential();
        let _ = (key.findings(), key.conforms(), key.short_key_id(), key.custom_key_information());
        let _ = keycred::fingerprint::writers(&blob, Default::default());
        let _ = SearchableDeviceKey::from_blob(&blob);
        for mode in [keycred::ValidatedWriteMode::Spec, keycred::ValidatedWriteMode::Patched2026] {
            let _ = keycred::validated_write(&bytes, mode);
        }
    }

    #[test]
    fn mutated_blobs_never_panic(which in 0_usize..4, at: prop::sample::Index, byte: u8, cut: prop::sample::Index) {
        let draft = [fido(), cloud_ngc(), ad_ngc(), Draft { key_material: jwk_material(), ..cloud_ngc() }];
        let mut bytes = draft[which].to_blob().unwrap().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let cut = cut.index(bytes.len());
        for bytes in [&bytes[..], &bytes[..cut]] {
            if let Ok(blob) = Blob::decode(bytes) {
                prop_assert_eq!(blob.as_bytes(), bytes);
                let _ = blob.credential().findings();
                let _ = keycred::fingerprint::writers(&blob, Default::default());
            }
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        let _ = Blob::decode(&bytes);
    }
}
