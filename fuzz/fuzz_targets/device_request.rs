//! The certificate request that a device brings (PKCS #10).

#![no_main]

use cloud::RequestedKey;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = RequestedKey::of_request(data);
});
