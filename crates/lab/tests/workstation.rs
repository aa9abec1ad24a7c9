//! What a workstation keeps of a sign-in, with a real cloud, a real domain and a key: whose signature, under which salt.

#![allow(clippy::unwrap_used, reason = "tests may stop")]

use std::sync::Arc;

use lab::device::Device;
use lab::people::TEST_USER;
use lab::{House, Options};
use types::{Timestamp, VirtualClock};
use workstation::offline::OfflineCache;
use workstation::policy::OfflinePolicy;

const DAY_S: i64 = 24 * 3600;

fn house() -> (House, Arc<VirtualClock>) {
    let now = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap();
    let clock = Arc::new(VirtualClock::new(now));
    let house = House::start(Options::new(clock.clone())).unwrap();
    house.register_first_key().unwrap();
    lab::trust::establish(&house).unwrap();
    (house, clock)
}

#[test]
fn the_salt_is_renewed_by_the_touch_of_a_sign_in_and_the_old_cache_opens_no_more() {
    let (house, clock) = house();
    let mut device = Device::join(&house, TEST_USER, OfflinePolicy::default()).unwrap();
    let sign_in = |device: &mut Device| -> OfflineCache {
        device.sign_in(&house).unwrap();
        device.sign_out();
        device.unlock(&house).unwrap();
        device.offline_cache().unwrap()
    };
    let first = sign_in(&mut device);
    let again = sign_in(&mut device);
    assert_eq!(first.header().salt, again.header().salt);
    assert!(again.header().number > first.header().number);

    clock.advance_seconds(31 * DAY_S);
    let moved = sign_in(&mut device);
    assert_ne!(moved.header().salt, first.header().salt);
    clock.advance_seconds(DAY_S);
    let stays = sign_in(&mut device);
    assert_eq!(stays.header().salt, moved.header().salt);
}

#[test]
fn the_cache_knows_whose_signature_opens_it() {
    let (house, _) = house();
    let mut device = Device::join(&house, TEST_USER, OfflinePolicy::default()).unwrap();
    device.sign_in(&house).unwrap();
    let key = device.offline_cache().unwrap().header().public_key.clone();
    assert!(
        keycred::material::CoseKey::decode(&key).is_some(),
        "{key:?}"
    );
}
