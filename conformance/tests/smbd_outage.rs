//! NTLM through an outage of the cloud, at Samba's `smbd` that knows nothing else: with the hash of an online sign-in, with
//! the same session while the cloud is away, and after signing in again by the offline cache, under each policy. What
//! comes in and what does not, smbd's own log says.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod smbd_served;

use std::sync::Arc;

use data_encoding::HEXLOWER;
use lab::device::Device;
use lab::people::TEST_USER;
use lab::wire::{Line, Mode};
use lab::{House, Options, SystemClock, trust};
use smbd_served::{Smbd, told};
use workstation::policy::{NtHashPolicy, OfflinePolicy};

const USER: &str = TEST_USER.account;

struct Share {
    smbd: Smbd,
    folder: tempfile::TempDir,
    /// Whom smbd let in until now.
    welcomed: usize,
}

impl Share {
    /// The device opens the share with what its session has, and nothing else.
    fn check(&mut self, device: &Device, opens: bool, when: &str) {
        let hash = device.session().and_then(|session| session.nt_hash());
        assert_eq!(hash.is_some(), opens, "{when}");
        if let Some(hash) = hash {
            let read = self.smbd.read(USER, &HEXLOWER.encode(hash.expose())).well();
            assert!(read.contains("hello by NTLM"), "{when}: {read}");
            self.welcomed += 1;
        }
        let log = told(self.folder.path());
        let lines = log.lines().filter(|line| line.contains("Auth:"));
        let welcomed = lines
            .filter(|line| line.contains("[NTLMv2]") && line.contains("status [NT_STATUS_OK]"))
            .count();
        assert_eq!(welcomed, self.welcomed, "{when}: {log}");
    }
}

#[test]
fn ntlm_lives_through_an_outage_by_policy() {
    let house = House::start(Options {
        nt_hashes: true,
        ..Options::new(Arc::new(SystemClock))
    });
    let house = house.unwrap();
    house.register_first_key().unwrap();
    trust::establish(&house).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let password = &house.account(TEST_USER).unwrap().password;
    let mut share = Share {
        smbd: Smbd::start(folder.path(), USER, password.expose()),
        folder,
        welcomed: 0,
    };
    // A hash of nobody's password: the server does look.
    share
        .smbd
        .read(USER, "0123456789abcdef0123456789abcdef")
        .refused("NT_STATUS_LOGON_FAILURE");
    for (nt_hash, in_session, after_unlock) in [
        (NtHashPolicy::Never, false, false),
        (NtHashPolicy::Session, true, false),
        (NtHashPolicy::Sealed, true, true),
    ] {
        let policy = OfflinePolicy {
            nt_hash,
            ..OfflinePolicy::default()
        };
        let mut device = Device::join(&house, TEST_USER, policy).unwrap();
        device.sign_in(&house).unwrap();
        share.check(&device, in_session, &format!("{nt_hash:?}, online"));
        house.wire(Line::Cloud, Mode::Cut).unwrap();
        device.refresh(&house).unwrap();
        share.check(
            &device,
            in_session,
            &format!("{nt_hash:?}, the cloud is away"),
        );
        device.sign_out();
        device.unlock(&house).unwrap();
        share.check(&device, after_unlock, &format!("{nt_hash:?}, unlocked"));
        house.wire(Line::Cloud, Mode::Up).unwrap();
    }
    assert_eq!(share.welcomed, 5);
}
