//! Lines of a login's helper, which the PAM module does not believe: refused, or read without a character that a terminal
//! would obey.
#![no_main]

use pam_tombolo::protocol::{FromHelper, Outcome};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let Ok(said) = FromHelper::parse(data) else {
        return;
    };
    let shown = match said {
        FromHelper::Ask { text, .. } | FromHelper::Tell { text, .. } => text,
        FromHelper::Done { outcome, text } => {
            if let Outcome::Established { cache: Some(cache), lease } = outcome {
                assert!(cache.bytes().all(|byte| byte.is_ascii_graphic()));
                assert!(lease.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            }
            text
        }
    };
    assert!(!shown.chars().any(char::is_control));
});
