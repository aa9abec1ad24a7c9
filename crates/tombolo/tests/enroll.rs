//! `tombolo keys enroll` and `keys revoke` from outside, against a house: what is planned, written, kept and refused.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "helpers of tests, which may stop"
)]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use directory::schema::SchemaLevel;
use lab::people::{CONNECTOR, PROTECTED_USER, Person, SECOND_USER, TEST_USER};
use lab::{House, Options, SystemClock};
use serde_json::Value;

const KEYS: &str = "msDS-KeyCredentialLink";

struct Bench {
    house: House,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(Options::new(Arc::new(SystemClock)))
    }

    fn with(options: Options) -> Self {
        let house = House::start(options).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), house.ca_pem()).unwrap();
        Self { house, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command as this person, or as the administrator.
    fn command(&self, writer: Option<Person>, arguments: &[&str]) -> Command {
        let (name, password) = match writer {
            Some(person) => {
                let account = self.house.account(person).unwrap();
                (account.dn.clone(), account.password.expose().clone())
            }
            None => {
                let (name, password) = self.house.administrator();
                (name, password.expose().clone())
            }
        };
        std::fs::write(self.path("password"), password).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
        command
            .current_dir(self.folder.path())
            .arg("keys")
            .args(arguments)
            .env("TOMBOLO_DIRECTORY", &self.house.addresses().ldaps)
            .env("TOMBOLO_BIND", name)
            .env("TOMBOLO_PASSWORD_FILE", "password")
            .env("TOMBOLO_CA_FILE", "ca.pem")
            .stdin(Stdio::null());
        command
    }

    fn check(&self, writer: Option<Person>, arguments: &[&str], code: i32, said: &str) -> Output {
        ends(&mut self.command(writer, arguments), code, said)
    }

    fn json(&self, writer: Option<Person>, arguments: &[&str]) -> Value {
        let output = self.command(writer, arguments).output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {error}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn values(&self, person: Person) -> Vec<String> {
        let dn = self.house.account(person).unwrap().dn.clone();
        let mut client = self.house.ldap_as_administrator().unwrap();
        client.values(&dn, KEYS).unwrap()
    }

    /// What `detect` says of all changes so far, with our receipts.
    fn detect(&self, code: i32, said: &str) {
        let records = self.house.records_since(0).unwrap();
        let lines: String = records
            .iter()
            .map(|record| events::to_line(record).unwrap())
            .collect();
        std::fs::write(self.path("changes.jsonl"), lines).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
        command
            .current_dir(self.folder.path())
            .args(["detect", "scan", "changes.jsonl"])
            .args(["--receipts", "key-receipts.jsonl"]);
        ends(&mut command, code, said);
    }
}

fn ends(command: &mut Command, code: i32, said: &str) -> Output {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{command:?}: {text}");
    assert!(text.contains(said), "{command:?}: no '{said}' in {text}");
    output
}

#[test]
fn a_plan_writes_nothing_and_apply_writes_it_all() {
    let bench = Bench::new();
    let writable = "the directory says that the writer may change these keys";
    bench.check(
        Some(CONNECTOR),
        &["enroll", "--ngc", "testuser"],
        0,
        writable,
    );
    assert!(bench.values(TEST_USER).is_empty());
    for name in ["testuser.key.pem", "testuser.pem", "key-receipts.jsonl"] {
        assert!(!bench.path(name).exists(), "{name}");
    }

    let device = "5b47d60f-6090-40b2-9f37-2a4de88f3063";
    let arguments = ["enroll", "--ngc", "testuser", "--device-id", device];
    let arguments = [&arguments[..], &["--apply", "--json"]].concat();
    let done = bench.json(Some(CONNECTOR), &arguments);
    assert_eq!(done["format"], "tombolo-key-change/1");
    assert_eq!(done["confirmed"], true);
    assert_eq!(done["adds"][0]["usage"], "NGC");
    assert_eq!(done["adds"][0]["deviceId"], device);
    assert_eq!(done["files"]["privateKey"], "testuser.key.pem");
    let values = bench.values(TEST_USER);
    assert_eq!(values.len(), 1);
    let value: keycred::DnBinary = values[0].parse().unwrap();
    let blob = keycred::Blob::decode(&value.binary).unwrap();
    assert!(
        blob.credential().conforms(),
        "{:?}",
        blob.credential().findings()
    );
    let private = std::fs::read_to_string(bench.path("testuser.key.pem")).unwrap();
    assert!(private.starts_with("-----BEGIN PRIVATE KEY-----"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(bench.path("testuser.key.pem")).unwrap();
        assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    }
    // Detection knows it by its receipt.
    bench.detect(0, "1 legitimate");

    // The files are never written over, and then nothing is written to the directory either.
    let again = ["enroll", "--ngc", "testuser", "--apply"];
    bench.check(Some(CONNECTOR), &again, 3, "nothing is ever overwritten");
    assert_eq!(bench.values(TEST_USER), values);

    // The same key a second time is no change.
    let same = [
        "enroll",
        "--ngc",
        "testuser",
        "--apply",
        "--public-key",
        "testuser.pem",
    ];
    bench.check(Some(CONNECTOR), &same, 0, "there is nothing to do");
    assert_eq!(bench.values(TEST_USER), values);
}

#[test]
fn a_key_that_exists_already_is_enrolled_and_revoked() {
    let bench = Bench::new();
    let made = bench.json(None, &["enroll", "--ngc", "grace", "--apply", "--json"]);
    let id = made["adds"][0]["keyId"].as_str().unwrap().to_owned();
    // The certificate alone, for another user, as from a card.
    let arguments = [
        "enroll",
        "--ngc",
        "testuser@corp.contoso.com",
        "--apply",
        "--public-key",
    ];
    let arguments = [&arguments[..], &["grace.pem"]].concat();
    bench.check(None, &arguments, 0, "read back from the directory");
    assert!(!bench.path("testuser.key.pem").exists());
    let private = [&arguments[..5], &["grace.key.pem"]].concat();
    bench.check(None, &private, 3, "belongs to its owner alone");

    let short = &id[..8];
    bench.check(None, &["revoke", "--key", short], 3, "more than one object");
    bench.check(None, &["revoke", "grace", "--key", short], 0, "-");
    assert_eq!(bench.values(SECOND_USER).len(), 1);
    let apply = ["revoke", "grace", "--key", short, "--apply"];
    bench.check(None, &apply, 0, "read back from the directory");
    assert!(bench.values(SECOND_USER).is_empty());
    bench.check(
        None,
        &["revoke", "--key", short, "--apply"],
        0,
        "CN=Test User",
    );
    assert!(bench.values(TEST_USER).is_empty());
    bench.check(None, &["revoke", "--key", short], 3, "nobody has this key");
    bench.check(
        None,
        &["revoke", "grace", "--key", "00000000"],
        3,
        "has no key",
    );
    bench.check(None, &["revoke", "grace", "--key", "xy"], 3, "key id");
    // Receipts do not excuse one key for two people.
    bench.detect(1, "the same key material was written to 2 objects");
}

#[test]
fn who_may_not_write_is_told_before() {
    let bench = Bench::new();
    // An ordinary user, and an account that AdminSDHolder protects.
    let denied = ["enroll", "--ngc", "testuser", "--apply"];
    bench.check(
        Some(SECOND_USER),
        &denied,
        1,
        "add CORP\\grace to Key Admins",
    );
    let protected = ["enroll", "--ngc", "ada", "--apply"];
    bench.check(Some(CONNECTOR), &protected, 1, "AdminSDHolder protects");
    for person in [TEST_USER, PROTECTED_USER] {
        assert!(bench.values(person).is_empty());
    }
    assert!(!bench.path("testuser.key.pem").exists());
    assert!(!bench.path("key-receipts.jsonl").exists());
}

#[test]
fn every_failure_says_what_to_do_next() {
    let bench = Bench::new();
    let enroll = ["enroll", "--ngc", "testuser"];
    bench.check(
        None,
        &["enroll", "--ngc", "nobody"],
        3,
        "there is no nobody in DC=corp",
    );
    bench.check(None, &["enroll", "--ngc", "WS01$"], 3, "is not a user");
    bench.check(None, &["enroll", "testuser"], 3, "--ngc");
    let mut wrong = bench.command(None, &enroll);
    std::fs::write(bench.path("password"), "wrong").unwrap();
    ends(&mut wrong, 3, "look at the password");
    let mut untrusted = bench.command(None, &enroll);
    ends(untrusted.env_remove("TOMBOLO_CA_FILE"), 3, "--ca-file");
    let mut plain = bench.command(None, &enroll);
    ends(
        plain.env("TOMBOLO_DIRECTORY", "ldap://dc1.corp.contoso.com"),
        3,
        "in the clear",
    );
    let mut nowhere = bench.command(None, &enroll);
    ends(
        nowhere.env("TOMBOLO_DIRECTORY", "ldaps://127.0.0.1:1"),
        3,
        "look at --directory",
    );
    let mut unnamed = bench.command(None, &enroll);
    ends(unnamed.env_remove("TOMBOLO_BIND"), 3, "there is no --bind");
    std::fs::write(bench.path("key-receipts.jsonl"), "not a receipt\n").unwrap();
    bench.check(
        None,
        &[&enroll[..], &["--apply"]].concat(),
        3,
        "name another file",
    );
    assert!(bench.values(TEST_USER).is_empty());
}

#[test]
fn an_old_schema_is_named() {
    let mut options = Options::new(Arc::new(SystemClock));
    options.schema = SchemaLevel::WindowsServer2012R2;
    let bench = Bench::with(options);
    bench.check(
        None,
        &["enroll", "--ngc", "testuser"],
        3,
        "has no msDS-KeyCredentialLink",
    );
}
