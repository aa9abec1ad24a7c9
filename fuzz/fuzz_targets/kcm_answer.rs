//! Answers of a cache manager from anywhere: refused, or read as what was asked for.
#![no_main]

use kerberos::files::kcm::{Answer, answer_length};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some((header, _)) = data.split_first_chunk() {
        let _ = answer_length(*header);
    }
    if let Ok(answer) = Answer::decode(data) {
        let _ = answer.cache_name();
        let _ = answer.handles();
        if let Ok(Some(principal)) = answer.principal() {
            let bytes = principal.to_bytes().expect("what was read can be written");
            assert_eq!(bytes, answer.value);
        }
        if let Ok(credential) = answer.credential() {
            let bytes = credential.to_bytes().expect("what was read can be written");
            assert_eq!(
                kerberos::files::Credential::from_bytes(&bytes),
                Ok(credential)
            );
        }
    }
});
