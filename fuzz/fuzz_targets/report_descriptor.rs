//! Report descriptors of devices that say they are keys, and of all others.

#![no_main]

use ctap::hid::fido_interface;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let found = fido_interface(data);
    // What follows a key's collection does not make it another.
    if found.is_some_and(|interface| interface.input_length > 0) {
        let closed = [data, &[0xC0; 300]].concat();
        assert!(fido_interface(&closed).is_some());
    }
});
