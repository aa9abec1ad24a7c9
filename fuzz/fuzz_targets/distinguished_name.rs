//! Any text is a distinguished name or an error; what is written reads back as the same name.
#![no_main]

use types::Dn;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(dn) = text.parse::<Dn>() {
        let written = dn.to_string();
        let again: Dn = written.parse().expect("a written name can be read");
        assert_eq!(again.rdns(), dn.rdns());
        assert_eq!(again.to_string(), written);
        assert_eq!(again.key(), dn.key());
    }
});
