//! Keytabs from anywhere: refused, or written again with the same keys.
#![no_main]

use kerberos::files::Keytab;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Ok(keytab) = Keytab::decode(data) {
        let bytes = keytab.encode().expect("what was read can be written");
        assert_eq!(Keytab::decode(&bytes), Ok(keytab));
    }
});
