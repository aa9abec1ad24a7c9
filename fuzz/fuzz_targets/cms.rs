//! CMS, certificates and public values from anywhere: read or refused, and never believed without a key.
#![no_main]

use kerberos::pkinit::{Certificate, EnvelopedData, Policy, PublicValue, RsaPublicKey, SignedData};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let policy = Policy {
        allow_sha1: true,
        allow_modp_2: true,
    };
    if let Ok(signed) = SignedData::decode(data) {
        let _ = signed.signer_certificate();
        // No input can be a signature of this key: nobody knows its other half.
        let key = RsaPublicKey::new(&[0xFF; 256], &[1, 0, 1]).expect("2048 bits");
        assert!(signed.verify(SignedData::AUTH_DATA, &key, policy).is_err());
    }
    let _ = EnvelopedData::decode(data);
    if let Ok(certificate) = Certificate::decode(data) {
        let _ = RsaPublicKey::from_spki(&certificate.spki);
    }
    if let Ok(key) = RsaPublicKey::from_spki(data) {
        assert_eq!(RsaPublicKey::from_spki(key.spki()), Ok(key));
    }
    let _ = PublicValue::from_spki(data, policy);
});
