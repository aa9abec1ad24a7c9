//! `tombolo trust` from outside, against a house: the plan, the object, its key at the KDC, rotation, removal, refusals.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "helpers of tests, which may stop"
)]

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use kerberos::files::Keytab;
use kerberos::messages::Kvno;
use lab::people::{PROTECTED_USER, Person, TEST_USER};
use lab::{House, Options, SystemClock};
use serde_json::Value;

const COMPUTER: &str = "CN=AzureADKerberos,OU=Domain Controllers,DC=corp,DC=contoso,DC=com";
const KRBTGT: &str = "CN=krbtgt_AzureAD,CN=Users,DC=corp,DC=contoso,DC=com";

struct Bench {
    house: House,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let house = House::start(Options::new(Arc::new(SystemClock))).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), house.ca_pem()).unwrap();
        Self { house, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

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
            .arg("trust")
            .args(arguments)
            .env("TOMBOLO_DIRECTORY", &self.house.addresses().ldaps)
            .env("TOMBOLO_BIND", name)
            .env("TOMBOLO_PASSWORD_FILE", "password")
            .env("TOMBOLO_CA_FILE", "ca.pem")
            .env("TOMBOLO_KDC", self.house.addresses().kdc.to_string())
            .stdin(Stdio::null());
        command
    }

    fn check(&self, writer: Option<Person>, arguments: &[&str], code: i32, said: &str) -> Output {
        ends(&mut self.command(writer, arguments), code, said)
    }

    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let output = self.check(None, arguments, code, "");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn findings(&self, arguments: &[&str], code: i32) -> Vec<String> {
        let shown = self.json(&[&["show", "--json"], arguments].concat(), code);
        let findings = shown["findings"].as_array().unwrap().iter();
        findings
            .map(|finding| finding["id"].as_str().unwrap().to_owned())
            .collect()
    }

    fn set(&self, dn: &str, attribute: &str, value: &str) {
        let mut client = self.house.ldap_as_administrator().unwrap();
        client.replace(dn, attribute, value).unwrap();
    }

    fn values(&self, dn: &str, attribute: &str) -> Vec<String> {
        let mut client = self.house.ldap_as_administrator().unwrap();
        client.values(dn, attribute).unwrap()
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
fn a_trust_is_made_shown_rotated_and_removed() {
    let bench = Bench::new();
    assert_eq!(bench.findings(&[], 1), ["no-object"]);

    // A plan is a plan.
    bench.check(None, &["create"], 0, "nothing was done yet");
    assert!(bench.values(COMPUTER, "cn").is_empty());
    bench.check(None, &["create", "--apply"], 3, "where the new key goes");
    assert!(bench.values(COMPUTER, "cn").is_empty());

    let made = bench.json(
        &["create", "--apply", "--json", "--keytab", "one.keytab"],
        0,
    );
    assert_eq!(made["verdict"], "right");
    let number = u16::try_from(made["number"].as_u64().unwrap()).unwrap();
    assert_eq!(bench.values(COMPUTER, "userAccountControl"), ["83890176"]);
    assert_eq!(bench.values(COMPUTER, "primaryGroupID"), ["521"]);
    assert_eq!(bench.values(COMPUTER, "msDS-KrbTgtLink"), [KRBTGT]);
    assert_eq!(bench.values(COMPUTER, "msDS-NeverRevealGroup").len(), 5);
    let account = format!("krbtgt_{number}");
    assert_eq!(bench.values(KRBTGT, "sAMAccountName"), [account.as_str()]);
    let keytab = Keytab::decode(&std::fs::read(bench.path("one.keytab")).unwrap()).unwrap();
    let kvno = Kvno::from_wire(i64::from(keytab.entries[0].kvno)).unwrap();
    assert_eq!((kvno.rodc, kvno.version), (number, 1));

    // All is well, and the KDC has the key.
    assert!(bench.findings(&["--keytab", "one.keytab"], 0).is_empty());
    bench.check(None, &["create", "--apply"], 0, "there is nothing to do");

    // A new key; the file of the old one has no key of the present version.
    bench.check(
        None,
        &["rotate", "--keytab", "two.keytab"],
        0,
        "nothing was done yet",
    );
    let rotated = ["rotate", "--apply", "--json", "--keytab", "two.keytab"];
    let rotated = bench.json(&rotated, 0);
    assert_eq!(
        (&rotated["version"], &rotated["verdict"]),
        (&2.into(), &"right".into())
    );
    let old = ["show", "--keytab", "one.keytab"];
    bench.check(None, &old, 3, "version 2");
    assert!(bench.findings(&["--keytab", "two.keytab"], 0).is_empty());

    bench.check(None, &["remove"], 0, "nothing was done yet");
    bench.check(
        None,
        &["remove", "--apply"],
        0,
        "done     - CN=AzureADKerberos",
    );
    assert!(bench.values(COMPUTER, "cn").is_empty());
    assert!(bench.values(KRBTGT, "cn").is_empty());
    bench.check(None, &["remove", "--apply"], 0, "there is nothing to do");
    bench.check(
        None,
        &["rotate", "--apply", "--keytab", "x"],
        3,
        "no key to rotate",
    );
}

#[test]
fn what_is_wrong_is_found_and_mended() {
    let bench = Bench::new();
    let made = [
        "create",
        "--apply",
        "--allow",
        "Domain Users",
        "--keytab",
        "one.keytab",
    ];
    bench.check(None, &made, 0, "done");
    assert!(bench.findings(&[], 0).is_empty());

    bench.set(COMPUTER, "userAccountControl", "4098");
    let mut client = bench.house.ldap_as_administrator().unwrap();
    client
        .delete_value(COMPUTER, "msDS-KrbTgtLink", KRBTGT)
        .unwrap();
    assert_eq!(bench.findings(&[], 1), ["wrong-bits", "no-link"]);
    bench.check(
        None,
        &["create", "--apply"],
        0,
        "done     ~ msDS-KrbTgtLink",
    );
    assert!(bench.findings(&[], 0).is_empty());

    // Nobody is denied but one group: the administrators are allowed as everybody is.
    let guests = ["create", "--apply", "--deny", "Guests"];
    bench.check(None, &guests, 0, "CN=Guests");
    let found = bench.findings(&[], 1);
    assert!(
        found.iter().all(|id| id == "privileged-allowed"),
        "{found:?}"
    );
    let shown = bench.check(None, &["show"], 1, "CN=Ada Admin");
    assert!(!String::from_utf8_lossy(&shown.stdout).contains("CN=Test User"));

    // A key that is too old, and one that the KDC does not have.
    let aged = ["show", "--max-age", "-1"];
    let negative = [aged[0], "--max-age=-1"];
    bench.check(None, &negative, 1, "days old");
    let mut keytab = Keytab::decode(&std::fs::read(bench.path("one.keytab")).unwrap()).unwrap();
    let key = kerberos::crypto::Key::new(keytab.entries[0].key.keytype, &[7; 32]).unwrap();
    keytab.entries[0].key = kerberos::messages::EncryptionKey::from_key(&key);
    std::fs::write(bench.path("wrong.keytab"), keytab.encode().unwrap()).unwrap();
    bench.check(
        None,
        &["show", "--keytab", "wrong.keytab"],
        1,
        "does not open",
    );
}

#[test]
fn who_may_not_is_told_before() {
    let bench = Bench::new();
    let create = ["create", "--apply", "--keytab", "key.keytab"];
    bench.check(
        Some(TEST_USER),
        &create,
        1,
        "lacks: the right to make a user in CN=Users",
    );
    assert!(!bench.path("key.keytab").exists());
    // A member of Domain Admins may.
    bench.check(
        Some(PROTECTED_USER),
        &create,
        0,
        "the KDC opens tickets of this key",
    );
    let rotate = ["rotate", "--apply", "--keytab", "other.keytab"];
    bench.check(Some(TEST_USER), &rotate, 3, "Domain Admins");
    bench.check(Some(TEST_USER), &["remove", "--apply"], 3, "Domain Admins");
    assert!(!bench.path("other.keytab").exists());

    bench.check(
        None,
        &["create", "--allow", "Nobody"],
        3,
        "there is no group Nobody",
    );
    let cloud = [
        "show",
        "--cloud",
        "https://127.0.0.1:1",
        "--cloud-token-file",
        "password",
    ];
    bench.check(None, &cloud, 3, "the cloud");
    // A KDC that does not answer: the key is kept, and given to nobody.
    let mut unanswered = bench.command(None, &rotate);
    ends(
        unanswered.env("TOMBOLO_KDC", "127.0.0.1:1"),
        1,
        "name the KDC with --kdc",
    );
    assert!(bench.path("other.keytab").exists());
}

#[test]
fn the_cloud_gets_each_key_and_forgets_them() {
    let bench = Bench::new();
    let token = bench.house.administrator_token().expose().clone();
    std::fs::write(bench.path("admin.token"), token).unwrap();
    let url = bench.house.addresses().cloud.clone();
    let cloud = ["--cloud", &url, "--cloud-token-file", "admin.token"];
    let with = |arguments: &[&'static str]| -> Vec<String> {
        let all = arguments.iter().copied().chain(cloud.iter().copied());
        all.map(str::to_owned).collect()
    };
    let check = |arguments: &[&'static str], code, said: &str| {
        let arguments = with(arguments);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        bench.check(None, &arguments, code, said)
    };
    check(&["create", "--apply"], 0, "done     + the key to https://");
    check(&["show"], 0, "nothing is wrong");
    // A rotation past the cloud: it says so, and refuses to go on.
    let past = ["rotate", "--apply", "--keytab", "two.keytab"];
    bench.check(None, &past, 0, "version 2");
    check(&["show"], 1, "the cloud mints with version 1");
    check(&["rotate", "--apply"], 3, "publish the present key first");
    check(
        &["publish", "--keytab", "two.keytab", "--apply"],
        0,
        "done     + the key to",
    );
    check(&["show"], 0, "versions 2, 1");
    check(&["rotate", "--apply"], 0, "version 3");
    check(&["show"], 0, "versions 3, 2");
    std::fs::write(bench.path("admin.token"), "tombolo-admin.x.y").unwrap();
    check(&["show"], 3, "give an administrator's token");
    let token = bench.house.administrator_token().expose().clone();
    std::fs::write(bench.path("admin.token"), token).unwrap();
    check(
        &["remove", "--apply"],
        0,
        "done     - the key of corp.contoso.com",
    );
    check(&["show"], 1, "there is no Kerberos server object");
}
