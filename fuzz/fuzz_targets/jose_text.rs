//! Compact JWS and JWE as devices and administrators send them, and what is read out of them.

#![no_main]

use cloud_api::hello::HelloAssertion;
use cloud_api::jose::{self, Jws};
use cloud_api::prt::{BrowserCredential, FidoAssertion, TokenRequest, Wanted};
use cloud_api::session::SessionKey;
use cloud_api::tokens::AccessClaims;
use cloud_api::trust::SealedKey;
use libfuzzer_sys::fuzz_target;
use types::Secret;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(jws) = Jws::parse(text) {
        // What was read is what was covered.
        assert!(text.starts_with(&jws.signed));
        let _ = jws.claims::<TokenRequest>().map(|claims| claims.wanted() == Wanted::Primary);
        let _ = jws.claims::<BrowserCredential>();
        let _ = jws.claims::<HelloAssertion>();
        let _ = jws.claims::<AccessClaims>();
    }
    let _ = FidoAssertion::of_text(text);
    let key = SessionKey::new(Secret::new([7; 32]));
    assert!(jose::open(text, &key).is_err(), "nobody forges a tag");
    let _ = jose::open_legacy(text, &key);
    if let Ok(sealed) = text.parse::<SealedKey>() {
        let _ = sealed.header();
    }
});
