//! Key credential blobs: bytes that decode are written back unchanged, and every view of them is total.
#![no_main]

use keycred::fingerprint::{Context, writers};
use keycred::material::AuthenticatorData;
use keycred::{
    Blob, BlobBuilder, KeyMaterial, SearchableDeviceKey, ValidatedWriteMode, is_keycred,
    validated_write, with_key_hash, without_key_hash,
};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(material) = KeyMaterial::decode(data) {
        let _ = material
            .public_key()
            .map(|key| (key.describe(), key.fingerprint()));
    }
    let _ = AuthenticatorData::decode(data).map(|data| data.extensions_json());
    for mode in [
        ValidatedWriteMode::Spec,
        ValidatedWriteMode::Pre2026,
        ValidatedWriteMode::Patched2026,
    ] {
        let _ = validated_write(data, mode);
    }
    match with_key_hash(data) {
        Ok(hashed) => {
            assert!(is_keycred(data));
            assert_eq!(without_key_hash(&hashed).as_deref(), Ok(data));
            let blob = Blob::decode(&hashed).unwrap();
            assert!(blob.credential().key_hash_check().holds());
        }
        Err(_) => assert!(!is_keycred(data)),
    }
    let Ok(blob) = Blob::decode(data) else { return };
    assert_eq!(blob.as_bytes(), data);
    let start = BlobBuilder::new(blob.version());
    let rebuilt = blob
        .entries()
        .fold(start, |builder, entry| {
            builder.entry(entry.id, entry.value).unwrap()
        })
        .build();
    // Only the pads of version 0 may differ: they are written as zeros.
    assert_eq!(rebuilt.as_bytes().len(), data.len());
    assert!(rebuilt.entries().eq(blob.entries()));
    let key = blob.credential();
    let _ = (
        key.findings(),
        key.conforms(),
        key.short_key_id(),
        key.key_id_check(),
    );
    let _ = writers(&blob, Context::default());
    if let Ok(cloud) = SearchableDeviceKey::from_blob(&blob) {
        let _ = cloud
            .to_blob()
            .map(|blob| SearchableDeviceKey::from_blob(&blob));
    }
});
