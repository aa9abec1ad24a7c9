//! A storage that fills up, or fails to sync, under a directory at work.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "helpers of tests, which clippy does not take for tests"
)]

mod small;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use directory::{Directory, Session};
use ldap::ResultCode;
use small::{names, options, provision, user};

/// Bytes in memory that outlive the directory, with a size that cannot be passed.
#[derive(Debug, Clone, Default)]
struct Disk(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    bytes: Mutex<Vec<u8>>,
    length_max: AtomicU64,
    sync_fails: AtomicBool,
}

impl Disk {
    fn new() -> Self {
        let disk = Self::default();
        disk.limit(u64::MAX);
        disk
    }

    fn limit(&self, length: u64) {
        self.0.length_max.store(length, Ordering::SeqCst);
    }

    fn length(&self) -> u64 {
        self.0.bytes.lock().unwrap().len() as u64
    }

    fn check(&self, end: u64) -> io::Result<()> {
        if end > self.0.length_max.load(Ordering::SeqCst) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }
}

impl redb::StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.length())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.bytes.lock().unwrap();
        let start = offset as usize;
        out.copy_from_slice(&bytes[start..start + out.len()]);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.check(length)?;
        self.0.bytes.lock().unwrap().resize(length as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.0.sync_fails.load(Ordering::SeqCst) {
            return Err(io::Error::other("the device is gone"));
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let start = offset as usize;
        self.0.bytes.lock().unwrap()[start..start + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn open(disk: &Disk) -> Directory {
    let disk = disk.clone();
    Directory::with_backend(move || disk.clone(), options()).unwrap()
}

/// Adds users until an add fails; gives how many were acknowledged.
fn fill(directory: &Directory) -> usize {
    for number in 0.. {
        match directory.apply(&Session::system(), user(&format!("U{number}"))) {
            Ok(_) => assert!(number < 100_000, "the disk never fills"),
            Err(error) => {
                assert_eq!(error.code(), ResultCode::UNAVAILABLE, "{error}");
                assert!(
                    error
                        .to_string()
                        .contains("nothing of the operation was kept"),
                    "{error}"
                );
                return number;
            }
        }
    }
    unreachable!()
}

fn check_afterwards(disk: &Disk, acknowledged: usize) {
    let directory = open(disk);
    assert_eq!(directory.snapshot().verify().unwrap(), Vec::<String>::new());
    assert_eq!(names(&directory, "(objectClass=user)").len(), acknowledged);
    assert!(!directory.changes_since(0, usize::MAX).unwrap().is_empty());
    let records = directory.changes_since(0, usize::MAX).unwrap();
    let added: std::collections::BTreeSet<&str> = records
        .iter()
        .filter(|record| record.object().class == "user")
        .map(|record| record.object().dn.as_str())
        .collect();
    assert_eq!(
        added.len(),
        acknowledged,
        "a record without its change, or the other way round"
    );
    directory
        .apply(&Session::system(), user("After all"))
        .unwrap();
}

#[test]
fn a_full_disk_is_reported_and_the_directory_stays_readable() {
    let disk = Disk::new();
    let directory = open(&disk);
    provision(&directory, small::OPEN);
    disk.limit(disk.length());
    let acknowledged = fill(&directory);
    assert!(acknowledged > 0);
    assert_eq!(
        names(&directory, "(objectClass=user)").len(),
        acknowledged,
        "still readable"
    );
    assert!(
        directory
            .apply(&Session::system(), user("Too much"))
            .is_err()
    );
    disk.limit(u64::MAX);
    drop(directory);
    check_afterwards(&disk, acknowledged);
}

#[test]
fn what_is_not_in_memory_is_readable_too() {
    // Bug: after the first failed write redb refuses to read pages that are not in its cache.
    let disk = Disk::new();
    {
        let directory = open(&disk);
        provision(&directory, small::OPEN);
        let users = (0..500)
            .map(|number| user(&format!("Old {number}")))
            .collect();
        directory.apply_all(&Session::system(), users).unwrap();
    }
    let directory = open(&disk);
    disk.limit(disk.length());
    fill(&directory);
    assert_eq!(directory.snapshot().verify().unwrap(), Vec::<String>::new());
    assert_eq!(names(&directory, "(cn=Old*)").len(), 500);
}

#[test]
fn room_made_is_room_used_without_a_restart() {
    let disk = Disk::new();
    let directory = open(&disk);
    provision(&directory, small::OPEN);
    disk.limit(disk.length());
    let acknowledged = fill(&directory);
    disk.limit(u64::MAX);
    directory
        .apply(&Session::system(), user("Afterwards"))
        .unwrap();
    assert_eq!(
        names(&directory, "(objectClass=user)").len(),
        acknowledged + 1
    );
    drop(directory);
    check_afterwards(&disk, acknowledged + 1);
}

#[test]
fn a_device_that_fails_to_sync_is_used_again_when_it_is_back() {
    let disk = Disk::new();
    let directory = open(&disk);
    provision(&directory, small::OPEN);
    directory.apply(&Session::system(), user("Ada")).unwrap();
    disk.0.sync_fails.store(true, Ordering::SeqCst);
    let refused = directory
        .apply(&Session::system(), user("Bob"))
        .unwrap_err();
    assert_eq!(refused.code(), ResultCode::UNAVAILABLE);
    assert!(
        matches!(refused, directory::Error::StoreLost { .. }),
        "{refused}"
    );
    assert!(directory.apply(&Session::system(), user("Carl")).is_err());
    disk.0.sync_fails.store(false, Ordering::SeqCst);
    directory.apply(&Session::system(), user("Dora")).unwrap();
    let names = names(&directory, "(objectClass=user)");
    assert!(
        names.contains(&"Ada".to_owned()) && names.contains(&"Dora".to_owned()),
        "{names:?}"
    );
    assert_eq!(directory.snapshot().verify().unwrap(), Vec::<String>::new());
}
