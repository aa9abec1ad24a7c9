//! The cloud's JSON of a key: what is read is written back, and converts to AD and back.
#![no_main]

use keycred::{Blob, FidoKeyMaterial, SearchableDeviceKey, with_key_hash};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(fido) = FidoKeyMaterial::decode(data) {
        let _ = (fido.authenticator_data(), fido.attestation());
        let written = FidoKeyMaterial::encode(&fido.auth_data, &fido.x5c, &fido.display_name);
        let read = FidoKeyMaterial::decode(&written).unwrap();
        assert_eq!((read.auth_data, read.x5c), (fido.auth_data, fido.x5c));
    }
    let Ok(key) = serde_json::from_slice::<SearchableDeviceKey>(data) else {
        return;
    };
    let json = serde_json::to_vec(&key).unwrap();
    assert_eq!(
        serde_json::from_slice::<SearchableDeviceKey>(&json).unwrap(),
        key
    );
    let (Ok(blob), Ok(raw)) = (key.to_blob(), key.to_raw()) else {
        return;
    };
    assert_eq!(with_key_hash(&raw).as_deref(), Ok(blob.as_bytes()));
    assert!(blob.credential().key_hash_check().holds());
    assert_eq!(Blob::decode(blob.as_bytes()).as_ref(), Ok(&blob));
    // A time that reads "never" has no cloud form; everything else comes back.
    if let Ok(back) = SearchableDeviceKey::from_blob(&blob) {
        assert_eq!(back.key_identifier, key.key_identifier);
        assert_eq!(back.key_material, key.key_material);
        assert_eq!(back.creation_time, key.creation_time);
        assert_eq!(back.usage, key.usage);
    }
});
