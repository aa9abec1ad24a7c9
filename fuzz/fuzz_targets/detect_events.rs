//! Change logs of any shape: readers and the judge never panic, and the same bytes give the same verdicts.
#![no_main]

use detect::{Baseline, CloudKeys, Inventory, judge, read};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let read = read::changes("fuzz", data);
    assert!(read.broken.len() <= read.broken_count);
    let mut baseline = Baseline::default();
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = baseline.read_receipts(text);
        let _ = baseline.read_accounts(text);
        if let Ok(cloud) = CloudKeys::read(text) {
            baseline.set_cloud(cloud);
        }
        let mut sightings = read.sightings.clone();
        Inventory::read(text).complete(&mut sightings);
        judge(&sightings, &baseline);
    }
    assert_eq!(judge(&read.sightings, &baseline), judge(&read.sightings, &baseline));
});
