//! Delta tokens from anywhere: read or refused; what is read is written as it was.
#![no_main]

use cloud::DeltaToken;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Some(token) = DeltaToken::decode(text) {
            assert_eq!(DeltaToken::decode(&token.encode()), Some(token));
        }
    }
});
