//! The NT hash of a key list opens a server that knows NTLM alone: `tombolo signin --key-list` at our cloud and KDC, then
//! Samba's `smbclient` with that hash at Samba's `smbd`, which was given the user's password. Where the domain releases no
//! hash, which is the default, none comes.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod device_served;
mod smbd_served;

use device_served::Device;
use lab::people::TEST_USER;
use smbd_served::{Smbd, told};

#[test]
fn the_hash_of_a_key_list_opens_a_server_that_knows_ntlm_alone() {
    let device = Device::new(true);
    let said = device
        .sign_in(&["--key-list", "--nt-hash-file", "hash"])
        .well();
    let hash = std::fs::read_to_string(device.folder.path().join("hash")).unwrap();
    let hash = hash.trim();
    assert_eq!(hash.len(), 32);
    assert!(!said.contains(hash), "a hash is never shown");
    let released = std::fs::read_to_string(device.house.kdc_log().path()).unwrap();
    assert!(released.contains("released"), "{released}");

    let password = &device.house.account(TEST_USER).unwrap().password;
    let place = tempfile::tempdir().unwrap();
    let smbd = Smbd::start(place.path(), TEST_USER.account, password.expose());
    let read = smbd.read(TEST_USER.account, hash).well();
    assert!(read.contains("hello by NTLM"), "{read}");
    let other = "0123456789abcdef0123456789abcdef";
    smbd.read(TEST_USER.account, other)
        .refused("NT_STATUS_LOGON_FAILURE");
    let log = told(place.path());
    assert!(log.contains("NTLMv2"), "{log}");
}

#[test]
fn by_default_no_hash_is_released() {
    let device = Device::new(false);
    device
        .sign_in(&["--key-list", "--nt-hash-file", "hash"])
        .well();
    assert!(!device.folder.path().join("hash").exists());
    let log = std::fs::read_to_string(device.house.kdc_log().path()).unwrap();
    assert!(log.contains("asked for and not given"), "{log}");
}
