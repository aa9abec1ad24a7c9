//! Offline caches: any bytes give a cache or an error, and none that a stranger made opens.
#![no_main]

use libfuzzer_sys::fuzz_target;
use types::{Secret, SeededEntropy, Timestamp};
use workstation::device::Device;
use workstation::offline::OfflineCache;

fuzz_target!(|data: &[u8]| {
    try_to_open(data);
    // Past the name and the version, so that headers are reached at once.
    try_to_open(&[b"TOMBOLO-OFFLINE\0\x01", data].concat());
});

fn try_to_open(bytes: &[u8]) {
    if let Ok(cache) = OfflineCache::read(bytes) {
        let now = Timestamp::from_unix_seconds(1_780_000_000);
        let device = Device::new(cache.header().device, now, &mut SeededEntropy::new(1));
        let opened = cache.unlock(&Secret::new([1; 32]), &device, now);
        assert!(opened.is_err(), "nobody has the key");
    }
}
