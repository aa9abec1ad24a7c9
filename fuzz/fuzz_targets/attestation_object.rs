//! Attestation objects from anywhere: read or refused; what the verifier gets reads as the same object.
#![no_main]

use cloud::AttestationObject;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(object) = AttestationObject::decode(data) {
        if let Ok(bytes) = object.for_verifier() {
            let again = AttestationObject::decode(&bytes).expect("what we write, we read");
            assert_eq!(again.auth_data, object.auth_data);
            assert_eq!(again.format, object.format);
        }
    }
});
