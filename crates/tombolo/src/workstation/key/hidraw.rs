//! Security keys on USB: found in sysfs by what their report descriptor says, spoken to as hidraw devices. No udev, no
//! ioctl, and no list of makers (CTAP 2.1, section 11.2.8; Linux, hidraw.rst).

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ctap::hid::{REPORT_LENGTH, fido_interface};

use crate::io::Failure;

/// Where the kernel tells of its devices, and where it puts them.
pub(super) const SYS: &str = "/sys";
pub(super) const DEV: &str = "/dev";

/// Linux lets a descriptor have no more.
const DESCRIPTOR_LENGTH_MAX: u64 = 4096;
/// A busy key says so every 100 ms; this long it never is silent.
const PATIENCE: Duration = Duration::from_secs(10);
const SEND_PATIENCE: Duration = Duration::from_secs(3);

/// A security key that is plugged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its device.
    pub(crate) node: PathBuf,
    /// What its maker calls it.
    pub(crate) name: String,
    /// The maker's number.
    vendor: Option<String>,
}

/// All keys below a sysfs, in the order of their numbers.
pub(crate) fn find(sys: &Path, dev: &Path) -> Vec<Found> {
    let devices = fs::read_dir(sys.join("class/hidraw"));
    let mut found: Vec<(u32, Found)> = devices
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let number = name.strip_prefix("hidraw")?.parse().ok()?;
            key_at(&entry.path(), dev.join(&name)).map(|found| (number, found))
        })
        .collect();
    found.sort_by_key(|(number, _)| *number);
    found.into_iter().map(|(_, found)| found).collect()
}

fn key_at(entry: &Path, node: PathBuf) -> Option<Found> {
    let device = entry.join("device");
    let mut descriptor = Vec::new();
    File::open(device.join("report_descriptor"))
        .ok()?
        .take(DESCRIPTOR_LENGTH_MAX)
        .read_to_end(&mut descriptor)
        .ok()?;
    let interface = fido_interface(&descriptor)?;
    let is_usual = |length| usize::try_from(length) == Ok(REPORT_LENGTH);
    // CTAPHID allows other lengths; no key of today has one, and none numbers its reports.
    if !is_usual(interface.input_length)
        || !is_usual(interface.output_length)
        || interface.report_number.is_some()
    {
        return None;
    }
    let told = fs::read_to_string(device.join("uevent")).unwrap_or_default();
    Some(Found::told(node, &told))
}

impl Found {
    /// With what the kernel tells of the device: `HID_NAME=Yubico YubiKey`, `HID_ID=0003:00001050:00000407`.
    fn told(node: PathBuf, uevent: &str) -> Self {
        let value = |name| uevent.lines().find_map(|line| line.strip_prefix(name));
        let vendor = value("HID_ID=").and_then(|id| id.split(':').nth(1)?.get(4..));
        Self {
            name: value("HID_NAME=").unwrap_or("security key").to_owned(),
            vendor: vendor.map(str::to_ascii_lowercase),
            node,
        }
    }

    /// A device that was named, with what the kernel tells of it.
    pub(crate) fn named(node: &Path, sys: &Path) -> Self {
        let entry = sys
            .join("class/hidraw")
            .join(node.file_name().unwrap_or_default());
        let told = fs::read_to_string(entry.join("device/uevent")).unwrap_or_default();
        Self::told(node.to_owned(), &told)
    }

    /// Opens the device.
    pub(crate) fn open(&self) -> Result<Hidraw, Failure> {
        let opened = File::options().read(true).write(true).open(&self.node);
        opened
            .map(|device| Hidraw {
                device,
                patience: PATIENCE,
            })
            .map_err(|error| self.refused(&error))
    }

    fn refused(&self, error: &io::Error) -> Failure {
        let what = format!("{} ({}) cannot be opened", self.node.display(), self.name);
        let failure = Failure::new(what).why(error);
        match error.kind() {
            ErrorKind::PermissionDenied => failure.next(format!(
                "as root write this line to /etc/udev/rules.d/70-security-key.rules, run `udevadm control --reload`, and \
                 insert the key again:\n      KERNEL==\"hidraw*\", SUBSYSTEM==\"hidraw\", {}, TAG+=\"uaccess\"",
                match &self.vendor {
                    Some(vendor) => format!("ATTRS{{idVendor}}==\"{vendor}\""),
                    None => "ENV{ID_FIDO_TOKEN}==\"1\"".to_owned(),
                }
            )),
            ErrorKind::NotFound => {
                failure.next("insert the key; `tombolo key find` shows what is plugged in")
            }
            _ => failure,
        }
    }
}

/// A key's reports. Linux wants the number of a report before each report that is written, zero where reports are not
/// numbered, and gives none when it reads.
#[derive(Debug)]
pub(crate) struct Hidraw {
    device: File,
    patience: Duration,
}

impl Hidraw {
    #[cfg(unix)]
    fn wait(&self, event: rustix::event::PollFlags, patience: Duration) -> io::Result<()> {
        use rustix::event::{PollFd, Timespec, poll};

        let timeout = Timespec::try_from(patience).map_err(io::Error::other)?;
        let mut waited = [PollFd::new(&self.device, event)];
        match poll(&mut waited, Some(&timeout))? {
            0 => Err(ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }
}

#[cfg(unix)]
impl Read for Hidraw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.wait(rustix::event::PollFlags::IN, self.patience)?;
        self.device.read(buffer).map_err(gone)
    }
}

#[cfg(unix)]
impl Write for Hidraw {
    fn write(&mut self, report: &[u8]) -> io::Result<usize> {
        self.wait(rustix::event::PollFlags::OUT, SEND_PATIENCE)?;
        let numbered = [&[0], report].concat();
        self.device.write_all(&numbered).map_err(gone)?;
        Ok(report.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What Linux says of a device that is no longer there.
#[cfg(unix)]
fn gone(error: io::Error) -> io::Error {
    use rustix::io::Errno;

    match Errno::from_io_error(&error) {
        Some(Errno::NODEV | Errno::IO | Errno::NXIO | Errno::SHUTDOWN) => {
            io::Error::new(ErrorKind::UnexpectedEof, error)
        }
        _ => error,
    }
}

#[cfg(test)]
#[path = "hidraw_tests.rs"]
mod tests;
