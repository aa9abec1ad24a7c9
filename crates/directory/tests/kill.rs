//! A directory killed with signal 9 in the middle of its commits, again and again.
//!
//! This test program starts itself as the victim. Afterwards everything acknowledged is there, nothing is there by
//! half, and every change has its audit record, and every record its change.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "helpers of tests, which clippy does not take for tests"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the victim is told by an environment variable where its file is"
)]

mod small;

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use directory::ModificationKind::Add;
use directory::{Directory, Session};
use events::Record;
use small::{dn, modify, options, provision, user};

const VICTIM: &str = "TOMBOLO_KILL_TEST_FILE";
const ROUNDS: usize = 12;
const WRITERS: usize = 4;
const KEYS: &str = "msDS-KeyCredentialLink";
const ADA: &str = "CN=Ada,OU=Users";

fn value(round: usize, writer: usize, number: usize) -> String {
    format!("B:24:{round:08X}{writer:08X}{number:08X}:{}", dn(ADA))
}

/// Not a test of its own: what the victim runs.
#[test]
fn victim() {
    let Ok(told) = std::env::var(VICTIM) else {
        return;
    };
    let (round, path) = told.split_once(' ').unwrap();
    let round: usize = round.parse().unwrap();
    let directory = Directory::open(Path::new(path), options()).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let directory = &directory;
            scope.spawn(move || {
                for number in 0.. {
                    let value = value(round, writer, number);
                    let add = modify(ADA, Add, KEYS, &[&value]);
                    directory.apply(&Session::system(), add).unwrap();
                    // One write call a line, so that lines of several writers do not mix.
                    std::io::stdout()
                        .write_all(format!("{value}\n").as_bytes())
                        .unwrap();
                }
            });
        }
    });
}

/// Lets the victim acknowledge about `count` changes, kills it, and gives what it had acknowledged.
fn kill_after(round: usize, path: &Path, count: usize) -> BTreeSet<String> {
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["victim", "--exact", "--nocapture", "--test-threads=1"])
        .env(VICTIM, format!("{round} {}", path.display()))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut acknowledged = BTreeSet::new();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let mut killed = false;
    // Lines written before the kill are still in the pipe: they are promises too.
    while let Some(Ok(line)) = lines.next() {
        if line.starts_with("B:24:") && line.ends_with(small::DOMAIN) {
            acknowledged.insert(line);
        }
        if acknowledged.len() >= count && !killed {
            victim.kill().unwrap();
            killed = true;
        }
    }
    victim.wait().unwrap();
    assert!(killed, "the victim died by itself");
    acknowledged
}

#[test]
fn nothing_acknowledged_is_lost_and_records_match_changes() {
    if std::env::var(VICTIM).is_ok() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("directory.redb");
    {
        let directory = Directory::open(&path, options()).unwrap();
        provision(&directory, small::OPEN);
        directory.apply(&Session::system(), user("Ada")).unwrap();
    }
    let mut acknowledged = BTreeSet::new();
    for round in 0..ROUNDS {
        acknowledged.extend(kill_after(round, &path, 5 + 13 * round));
        let directory = Directory::open(&path, options()).unwrap();
        let held: BTreeSet<String> = stored(&directory);
        let recorded = recorded(&directory);
        let lost: Vec<_> = acknowledged.difference(&held).collect();
        assert!(
            lost.is_empty(),
            "round {round}: acknowledged and lost: {lost:?}"
        );
        assert_eq!(held, recorded, "round {round}: changes and records differ");
        assert_eq!(
            directory.snapshot().verify().unwrap(),
            Vec::<String>::new(),
            "round {round}"
        );
    }
}

fn stored(directory: &Directory) -> BTreeSet<String> {
    let mut held = BTreeSet::new();
    let mut low = 0;
    loop {
        let attribute = format!("{KEYS};range={low}-*");
        let found = small::find(directory, &Session::system(), "(cn=Ada)", &[&attribute]);
        let Some((name, values)) = found[0].attributes.first() else {
            return held;
        };
        held.extend(
            values
                .iter()
                .map(|value| String::from_utf8(value.clone()).unwrap()),
        );
        low += values.len();
        if name.ends_with("-*") {
            return held;
        }
    }
}

fn recorded(directory: &Directory) -> BTreeSet<String> {
    directory
        .changes_since(0, usize::MAX)
        .unwrap()
        .into_iter()
        .filter_map(|record| match record {
            Record::Change(change) if change.attribute == KEYS => Some(change.value.to_ldap_text()),
            _ => None,
        })
        .collect()
}
