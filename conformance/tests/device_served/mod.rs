//! Our own cloud, directory and KDC, and a device where somebody signs in by `tombolo signin`.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "each judge uses its part; one that cannot set up its peers has failed"
)]

use std::process::Command;
use std::sync::Arc;

use conformance::{Said, product};
use lab::people::TEST_USER;
use lab::{House, Options, SystemClock};

/// A house with a trust, and somebody with a key at a device.
pub struct Device {
    pub house: House,
    pub folder: tempfile::TempDir,
}

impl Device {
    /// With or without NT hashes in key lists.
    pub fn new(nt_hashes: bool) -> Self {
        let house = House::start(Options {
            nt_hashes,
            ..Options::new(Arc::new(SystemClock))
        });
        let house = house.unwrap();
        house.register_first_key().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, line: &str| {
            std::fs::write(folder.path().join(name), format!("{line}\n")).unwrap();
        };
        write("ca.pem", house.ca_pem());
        write("admin.token", house.administrator_token().expose());
        write("admin.password", house.administrator().1.expose());
        write("pin", house.key_pin().expose());
        let pass = house.temporary_access_pass(TEST_USER).unwrap();
        write("pass", pass.expose());
        let device = Self { house, folder };
        device
            .tombolo(&["trust", "create", "--allow", "Domain Users", "--apply"])
            .well();
        device
    }

    pub fn tombolo(&self, arguments: &[&str]) -> Said {
        let addresses = self.house.addresses();
        let (administrator, _) = self.house.administrator();
        let mut command = Command::new(product::tombolo());
        command
            .current_dir(self.folder.path())
            .env("TOMBOLO_DIRECTORY", &addresses.ldaps)
            .env("TOMBOLO_BIND", administrator)
            .env("TOMBOLO_PASSWORD_FILE", "admin.password")
            .env("TOMBOLO_CA_FILE", "ca.pem")
            .env("TOMBOLO_CLOUD", &addresses.cloud)
            .env("TOMBOLO_CLOUD_CA_FILE", "ca.pem")
            .env("TOMBOLO_CLOUD_TOKEN_FILE", "admin.token")
            .env("TOMBOLO_CLOUD_ORIGIN", self.house.cloud_origin())
            .env("TOMBOLO_SOFTKEY_ADDRESS", addresses.key.to_string())
            .env("TOMBOLO_KDC", addresses.kdc.to_string())
            .args(arguments);
        Said::of(&mut command, "")
    }

    /// `tombolo signin` into the cache `tickets` of the folder.
    pub fn sign_in(&self, more: &[&str]) -> Said {
        let upn = TEST_USER.upn(self.house.dns_domain());
        let always = [
            "signin",
            "--user",
            &upn,
            "--pass-file",
            "pass",
            "--state",
            "state",
            "--pin-file",
            "pin",
            "--cache",
            "tickets",
        ];
        self.tombolo(&[&always[..], more].concat())
    }
}
