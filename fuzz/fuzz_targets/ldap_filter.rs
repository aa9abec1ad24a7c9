//! Any text is a filter or an error; a filter survives being written and read again.
#![no_main]

use ldap::Filter;

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(filter) = text.parse::<Filter>() {
        assert_eq!(filter.to_string().parse::<Filter>(), Ok(filter));
    }
});
