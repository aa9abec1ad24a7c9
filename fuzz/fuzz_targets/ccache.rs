//! Credential caches and `.kirbi` from anywhere: refused, or written again with the same sense.
#![no_main]

use kerberos::files::{CredentialCache, credentials_from_kirbi, kirbi_from_credentials};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(cache) = CredentialCache::decode(data) {
        let bytes = cache.encode().expect("what was read can be written");
        assert_eq!(CredentialCache::decode(&bytes), Ok(cache));
    }
    if let Ok(credentials) = credentials_from_kirbi(data) {
        let all: Vec<_> = credentials.iter().collect();
        let _ = kirbi_from_credentials(&all).expect("what was read can be written");
    }
});
