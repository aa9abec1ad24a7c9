//! The parameter `claims`, as any web page may send it.

#![no_main]

use cloud_api::claims::ClaimsRequest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(asked) = ClaimsRequest::parse(text) {
        // Whoever is asked again is asked for the same; a longer text is refused.
        if let Ok(again) = ClaimsRequest::parse(&asked.again()) {
            assert_eq!(asked, again);
        }
    }
});
