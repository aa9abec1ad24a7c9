//! A device sealed by a TPM: `tombolo`, built with the feature `tpm`, at the emulator `swtpm` over libtss2.
//!
//! What a disk yields that was copied: sealed by a key file, the device; sealed by a TPM, nothing elsewhere. And that nothing
//! ever falls back from the one to the other.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use conformance::{Said, peers, product};
use lab::people::TEST_USER;
use lab::{House, Options, SystemClock};

/// An emulated TPM, until it is dropped. What it remembers is in its directory.
struct Tpm {
    server: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Tpm {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = two_ports();
        let server = Self::start(folder.path(), port);
        Self {
            server,
            port,
            folder,
        }
    }

    fn start(folder: &Path, port: u16) -> Child {
        let control = port + 1;
        let mut command = Command::new(peers::program("swtpm"));
        command
            .args(["socket", "--tpm2", "--flags", "startup-clear,not-need-init"])
            .arg("--tpmstate")
            .arg(format!("dir={}", folder.display()))
            .args(["--server", &format!("type=tcp,port={port}")])
            .args(["--ctrl", &format!("type=tcp,port={control}")])
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let mut server = command.spawn().unwrap();
        // Its first visitor is who it serves; the control channel has no such manners.
        for _ in 0..100 {
            if TcpStream::connect(("127.0.0.1", control)).is_ok() {
                return server;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        drop(server.kill());
        drop(server.wait());
        panic!("swtpm does not listen at {control}");
    }

    fn seal(&self) -> String {
        format!("tpm:swtpm:host=127.0.0.1,port={}", self.port)
    }

    fn off(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }

    fn on(&mut self) {
        self.server = Self::start(self.folder.path(), self.port);
    }

    /// What an administrator does before a machine is given away (TPM2_Clear).
    fn clear(&self) {
        let mut command = Command::new(peers::program("tpm2_clear"));
        command.env(
            "TPM2TOOLS_TCTI",
            format!("swtpm:host=127.0.0.1,port={}", self.port),
        );
        Said::of(command.args(["-c", "l"]), "").well();
    }
}

impl Drop for Tpm {
    fn drop(&mut self) {
        self.off();
    }
}

/// The emulator's library takes the port after the one that it is told for control.
fn two_ports() -> u16 {
    for _ in 0..100 {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = first.local_addr().unwrap().port();
        if port < u16::MAX && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return port;
        }
    }
    panic!("no two ports are free beside each other");
}

/// Somebody with a security key, at a machine.
struct Desk {
    house: House,
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let house = House::start(Options::new(Arc::new(SystemClock))).unwrap();
        house.register_first_key().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, line: &str| {
            std::fs::write(folder.path().join(name), format!("{line}\n")).unwrap();
        };
        write("ca.pem", house.ca_pem());
        write("pin", house.key_pin().expose());
        let pass = house.temporary_access_pass(TEST_USER).unwrap();
        write("pass", pass.expose());
        Self { house, folder }
    }

    fn tombolo_of(&self, program: &Path, arguments: &[&str]) -> Command {
        let addresses = self.house.addresses();
        let mut command = Command::new(program);
        command
            .current_dir(self.folder.path())
            .env("TOMBOLO_CLOUD", &addresses.cloud)
            .env("TOMBOLO_CLOUD_CA_FILE", "ca.pem")
            .env("TOMBOLO_CLOUD_ORIGIN", self.house.cloud_origin())
            .env("TOMBOLO_SOFTKEY_ADDRESS", addresses.key.to_string())
            .env("TOMBOLO_KDC", addresses.kdc.to_string())
            // libtss2 writes a log of its own.
            .env("TSS2_LOG", "all+NONE")
            .args(["--quiet"])
            .args(arguments);
        command
    }

    fn tombolo(&self, arguments: &[&str]) -> Said {
        Said::of(
            &mut self.tombolo_of(&product::tombolo_with_tpm(), arguments),
            "",
        )
    }

    /// The exit code is 1: no trust was made, so there is no ticket of the domain. That is not what is judged here.
    #[track_caller]
    fn sign_in(&self, state: &str, more: &[&str]) -> Said {
        let upn = TEST_USER.upn(self.house.dns_domain());
        let always = [
            "signin",
            "--user",
            &upn,
            "--pass-file",
            "pass",
            "--pin-file",
            "pin",
            "--ccache",
            "tickets",
            "--state",
            state,
        ];
        self.tombolo(&[&always[..], more].concat())
    }

    fn unlock(&self, state: &str) -> Said {
        self.tombolo(&[
            "unlock",
            "--pin-file",
            "pin",
            "--ccache",
            "tickets",
            "--state",
            state,
        ])
    }

    #[track_caller]
    fn unlocks(&self, state: &str) {
        let said = self.unlock(state);
        assert!(said.text.contains("unlocked for"), "{}", said.text);
    }

    fn has(&self, path: &str) -> bool {
        self.folder.path().join(path).exists()
    }

    /// A thief's copy of the disk.
    fn copy(&self, from: &str, to: &str) {
        let (from, to) = (self.folder.path().join(from), self.folder.path().join(to));
        std::fs::create_dir(&to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

#[track_caller]
fn signed_in(said: &Said) {
    assert!(said.text.contains("signed in as"), "{}", said.text);
    assert!(
        said.text.contains("sign-in here without the cloud"),
        "{}",
        said.text
    );
}

#[test]
fn a_device_that_a_tpm_seals_opens_by_that_tpm_alone() {
    let desk = Desk::new();
    let mut tpm = Tpm::new();
    signed_in(&desk.sign_in("state", &["--seal", &tpm.seal()]));
    assert!(desk.has("state/seal.tpm") && !desk.has("state/seal.key"));
    // Many times, since an emulator has no resource manager that tidies up; and the device knows its seal.
    for _ in 0..4 {
        desk.unlocks("state");
    }
    signed_in(&desk.sign_in("state", &[]));

    // No TPM, no device; and no key file in its place.
    tpm.off();
    desk.unlock("state").refused("does not answer");
    desk.sign_in("state", &[]).refused("does not answer");
    desk.sign_in("state", &["--seal", "key-file"])
        .refused("this device is sealed by its tpm");
    assert!(!desk.has("state/seal.key"));
    // The machine was started again: the TPM is the same.
    tpm.on();
    desk.unlocks("state");

    // A program without the feature says so.
    let mut plain = desk.tombolo_of(
        &product::tombolo(),
        &["unlock", "--pin-file", "pin", "--state", "state"],
    );
    Said::of(&mut plain, "").refused("built without the feature tpm");

    // Its keys were damaged or are gone.
    desk.copy("state", "damaged");
    std::fs::write(desk.folder.path().join("damaged/seal.tpm"), "{}").unwrap();
    desk.unlock("damaged").refused("holds no keys of a TPM");
    std::fs::remove_file(desk.folder.path().join("damaged/seal.tpm")).unwrap();
    desk.unlock("damaged").refused("seal.tpm is gone");

    // A bit of the sealed state.
    desk.copy("state", "changed");
    let sealed = desk.folder.path().join("changed/device.sealed");
    let text = String::from_utf8_lossy(&std::fs::read(&sealed).unwrap()).into_owned();
    let place = text.find("\"data\":[").unwrap() + "\"data\":[".len();
    let digit = if &text[place..=place] == "1" {
        "2"
    } else {
        "1"
    };
    let changed = format!("{}{digit}{}", &text[..place], &text[place + 1..]);
    std::fs::write(&sealed, changed).unwrap();
    desk.unlock("changed")
        .refused("was not made on this machine, or is damaged");

    // And the machine is given away.
    tpm.clear();
    desk.unlock("state").refused("it was cleared, or replaced");
    assert!(!desk.has("state/seal.key"));
}

#[test]
fn a_stolen_disk_yields_the_device_with_a_key_file_and_nothing_with_a_tpm() {
    let desk = Desk::new();
    let tpm = Tpm::new();
    let other = Tpm::new();
    signed_in(&desk.sign_in("state", &[]));
    // With the user's security key and PIN, anywhere. Without them the device's keys are what it yields.
    desk.copy("state", "stolen");
    desk.unlocks("stolen");

    let reseal = |state: &str, seal: &str| {
        desk.tombolo(&["device", "reseal", "--state", state, "--seal", seal])
    };
    let said = reseal("state", &tpm.seal()).well();
    assert!(said.contains("sealed by tpm"), "{said}");
    assert!(desk.has("state/seal.tpm") && !desk.has("state/seal.key"));
    desk.unlocks("state");
    desk.copy("state", "stolen again");

    // At another TPM: a machine with another number, or this one after a repair.
    let there = stored_at(&desk, "stolen again", &other);
    desk.unlock("stolen again")
        .refused("it was cleared, or replaced");
    elsewhere(&desk, "stolen again").refused("by the TPM of another machine");
    reseal("stolen again", "key-file").refused("was cleared, or replaced");
    assert!(!desk.has("stolen again/seal.key"), "{there}");

    // Resealing was interrupted before the old key was removed: it is removed the next time.
    std::fs::copy(
        desk.folder.path().join("stolen/seal.key"),
        desk.folder.path().join("state/seal.key"),
    )
    .unwrap();
    desk.unlocks("state");
    let said = reseal("state", &tpm.seal()).well();
    assert!(said.contains("already"), "{said}");
    assert!(!desk.has("state/seal.key"));

    // And back, before a new mainboard.
    reseal("state", "key-file").well();
    assert!(desk.has("state/seal.key") && !desk.has("state/seal.tpm"));
    desk.unlocks("state");
    reseal("nothing", "key-file").refused("no device has joined here");
    let unreachable = "tpm:swtpm:host=127.0.0.1,port=1";
    reseal("state", unreachable).refused("does not answer");
    desk.unlocks("state");
}

/// The thief's own TPM in the place of the first.
fn stored_at(desk: &Desk, state: &str, tpm: &Tpm) -> String {
    let path = desk.folder.path().join(state).join("seal.tpm");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut stored: serde_json::Value = serde_json::from_str(&text).unwrap();
    stored["at"] = format!("swtpm:host=127.0.0.1,port={}", tpm.port).into();
    let text = stored.to_string();
    std::fs::write(path, &text).unwrap();
    text
}

/// On a machine with another number.
fn elsewhere(desk: &Desk, state: &str) -> Said {
    let id = desk.folder.path().join("machine-id");
    std::fs::write(&id, "0123456789abcdef0123456789abcdef\n").unwrap();
    let program = product::tombolo_with_tpm();
    let inner = desk.tombolo_of(&program, &["unlock", "--pin-file", "pin", "--state", state]);
    let mut command = Command::new(peers::program("unshare"));
    command
        .args(["--map-root-user", "--mount", "--", "sh", "-c"])
        .arg("mount --bind \"$0\" /etc/machine-id && exec \"$@\"")
        .arg(&id)
        .arg(&program)
        .args(inner.get_args())
        .current_dir(desk.folder.path());
    for (name, value) in inner.get_envs() {
        command.env(name, value.unwrap());
    }
    Said::of(&mut command, "")
}
