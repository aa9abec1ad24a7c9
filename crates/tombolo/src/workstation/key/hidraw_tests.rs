//! A made-up sysfs, and a terminal's two ends as device and key: the test machine's kernel may have no HID at all.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Arc;

use data_encoding::HEXLOWER;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use types::{SeededEntropy, Timestamp, VirtualClock};

use super::*;

const KEY: &str = "06d0f10901a1010920150026ff007508954081020921150026ff00750895409102c0";
const KEYBOARD: &str = "05010906a101050719e029e71500250175019508810295017508810195037501050819012903910295057501910195067508150026ff00050719002aff008100c0";
const LONG_REPORTS: &str = "06d0f10901a10109207508960002810209219600029102c0";

/// A `/sys` and a `/dev` with these devices.
fn tree(devices: &[(&str, &str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("dev")).unwrap();
    for (name, descriptor, uevent) in devices {
        let device = root
            .path()
            .join("sys/class/hidraw")
            .join(name)
            .join("device");
        fs::create_dir_all(&device).unwrap();
        let descriptor = HEXLOWER.decode(descriptor.as_bytes()).unwrap();
        fs::write(device.join("report_descriptor"), descriptor).unwrap();
        fs::write(device.join("uevent"), uevent).unwrap();
    }
    root
}

fn found(root: &tempfile::TempDir) -> Vec<Found> {
    find(&root.path().join("sys"), &root.path().join("dev"))
}

const YUBIKEY: &str =
    "DRIVER=hid-generic\nHID_ID=0003:00001050:00000407\nHID_NAME=Yubico YubiKey OTP+FIDO+CCID\n";

#[test]
fn keys_are_told_from_other_devices_by_their_descriptor() {
    let root = tree(&[
        (
            "hidraw0",
            KEYBOARD,
            "HID_NAME=Yubico YubiKey OTP+FIDO+CCID\n",
        ),
        ("hidraw10", KEY, ""),
        ("hidraw2", KEY, YUBIKEY),
        ("hidraw3", LONG_REPORTS, ""),
        ("hidraw4", "", ""),
        ("hidraw5", "06d0f109", ""),
        ("other6", KEY, ""),
    ]);
    // A device that vanished while the directory was read.
    fs::create_dir_all(root.path().join("sys/class/hidraw/hidraw7")).unwrap();
    let all = found(&root);
    let names: Vec<_> = all.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["Yubico YubiKey OTP+FIDO+CCID", "security key"]);
    assert!(all[0].node.ends_with("dev/hidraw2"));
    assert_eq!(all[0].vendor.as_deref(), Some("1050"));
    assert_eq!(found(&tempfile::tempdir().unwrap()), []);
}

#[test]
fn a_refused_permission_names_the_device_and_the_rule() {
    let root = tree(&[("hidraw2", KEY, YUBIKEY), ("hidraw3", KEY, "")]);
    let denied = io::Error::from(ErrorKind::PermissionDenied);
    let [known, unknown] = &found(&root)[..] else {
        panic!("two keys are expected")
    };
    let text = known.refused(&denied).to_string();
    assert!(text.contains("dev/hidraw2 (Yubico YubiKey OTP+FIDO+CCID) cannot be opened"));
    assert!(
        text.contains(r#"ATTRS{idVendor}=="1050", TAG+="uaccess""#),
        "{text}"
    );
    let text = unknown.refused(&denied).to_string();
    assert!(text.contains(r#"ENV{ID_FIDO_TOKEN}=="1""#), "{text}");
    let text = known.open().unwrap_err().to_string();
    assert!(text.contains("tombolo key find"), "{text}");
}

/// The other end of a device: takes the number off each report that the computer writes.
struct Plug(File);

impl Read for Plug {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut numbered = [9; REPORT_LENGTH + 1];
        self.0.read_exact(&mut numbered)?;
        assert_eq!(numbered[0], 0, "the number comes first");
        (&numbered[1..]).read(buffer)
    }
}

impl softkey::Duplex for Plug {
    type Reader = Self;
    type Writer = File;

    fn split(self) -> io::Result<(Self, File, softkey::Closer)> {
        let writer = self.0.try_clone()?;
        Ok((self, writer, Box::new(|| ())))
    }
}

/// A raw terminal whose far end is the device `node`.
fn plug_in(node: &Path) -> Plug {
    let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&near).unwrap();
    unlockpt(&near).unwrap();
    let far = ptsname(&near, Vec::new()).unwrap().into_string().unwrap();
    let mut settings = tcgetattr(&near).unwrap();
    settings.make_raw();
    tcsetattr(&near, OptionalActions::Now, &settings).unwrap();
    fs::set_permissions(&far, fs::Permissions::from_mode(0o600)).unwrap();
    symlink(far, node).unwrap();
    Plug(near.into())
}

#[test]
fn a_key_behind_a_device_is_spoken_to_and_its_removal_noticed() {
    let root = tree(&[("hidraw2", KEY, YUBIKEY)]);
    let plug = plug_in(&root.path().join("dev/hidraw2"));
    let now = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap();
    let options = softkey::Options::new(
        Arc::new(VirtualClock::new(now)),
        Box::new(SeededEntropy::new(1)),
    );
    let key = softkey::Softkey::in_memory(options).unwrap();
    let far_end = plug.0.try_clone().unwrap();
    let serving = std::thread::spawn(move || key.serve(plug));
    let device = found(&root)[0].open().unwrap();
    let mut client = ctap::Client::open(device, Box::new(SeededEntropy::new(2))).unwrap();
    assert_eq!(client.info().aaguid, softkey::AAGUID);
    let pin = ctap::Pin::new("123456".to_owned()).unwrap();
    client.set_pin(None, &pin).unwrap();
    client.select().unwrap();
    let long = vec![0xAB; 3_000];
    assert_eq!(client.ping(&long).unwrap(), long);
    // The last descriptor of the far end is closed: as if the key were pulled out.
    let mut device = client.into_stream();
    device.patience = Duration::from_millis(10);
    assert_eq!(
        device.read(&mut [0; 64]).unwrap_err().kind(),
        ErrorKind::TimedOut
    );
    drop((far_end, device));
    drop(serving.join());
}

#[test]
fn a_device_that_is_gone_is_a_removed_key() {
    let root = tree(&[("hidraw2", KEY, YUBIKEY)]);
    let plug = plug_in(&root.path().join("dev/hidraw2"));
    let device = found(&root)[0].open().unwrap();
    drop(plug);
    let removed = ctap::Client::open(device, Box::new(SeededEntropy::new(2))).unwrap_err();
    assert!(matches!(removed, ctap::Error::Removed), "{removed}");
}
