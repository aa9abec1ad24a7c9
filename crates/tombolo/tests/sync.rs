//! `tombolo sync` from outside, against a house: exit codes, what it says, and what a `kill -9` leaves behind.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "helpers of tests, which may stop"
)]

use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use cloud_api::devicekeys::NewNgcKey;
use cloud_api::paths;
use data_encoding::BASE64;
use keycred::SearchableDeviceKey;
use lab::people::{CONNECTOR, Person, SECOND_USER, TEST_USER};
use lab::{House, Options, SystemClock};
use types::{Entropy, Guid, SeededEntropy};

const KEYS: &str = "msDS-KeyCredentialLink";

/// A house, and a sync that is configured for it.
struct Bench {
    house: House,
    folder: tempfile::TempDir,
    random: SeededEntropy,
}

impl Bench {
    fn new(seed: u64) -> Self {
        let house = House::start(Options::new(Arc::new(SystemClock))).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let connector = house.account(CONNECTOR).unwrap();
        let write =
            |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("ca.pem", house.ca_pem());
        write("sync.token", house.sync_token().expose());
        write("sync.password", connector.password.expose());
        write(
            "sync.toml",
            &format!(
                "[cloud]\nurl = \"{}\"\ntoken_file = \"sync.token\"\nca_file = \"ca.pem\"\n\
                 [directory]\nurl = \"{}\"\nbind_dn = \"{}\"\npassword_file = \"sync.password\"\nca_file = \"ca.pem\"\n\
                 [state]\npath = \"sync.sqlite\"\n[rules]\ndirectory = \"rules\"\n",
                house.addresses().cloud,
                house.addresses().ldaps,
                connector.dn
            ),
        );
        std::fs::create_dir(folder.path().join("rules")).unwrap();
        Self {
            house,
            folder,
            random: SeededEntropy::new(seed),
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
        command
            .arg("sync")
            .args(arguments)
            .arg("--config")
            .arg(self.path("sync.toml"));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a subcommand; its exit code must be this one.
    fn check(&self, arguments: &[&str], code: i32, said: &str) -> Output {
        let output = self.command(arguments).output().unwrap();
        let text =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: no '{said}' in {text}");
        output
    }

    /// Registers a Windows Hello key in the cloud.
    fn register(&mut self, person: Person) {
        let mut modulus = [0_u8; 256];
        self.random.fill(&mut modulus);
        let mut material = b"RSA1".to_vec();
        for word in [2048_u32, 3, 256, 0, 0] {
            material.extend(word.to_le_bytes());
        }
        material.extend([1, 0, 1]);
        material.extend(modulus);
        let mut device = [0; 16];
        self.random.fill(&mut device);
        let key = NewNgcKey {
            key_material: BASE64.encode(&material),
            device_id: Guid::v4(device),
        };
        let user = self.house.cloud_user(person).unwrap();
        let cloud = self.house.cloud_as_administrator().unwrap();
        let _: SearchableDeviceKey = cloud.post(&paths::ngc_keys(user), &key).unwrap();
    }

    fn values(&self, person: Person) -> Vec<String> {
        let dn = self.house.account(person).unwrap().dn.clone();
        self.house
            .ldap_as_administrator()
            .unwrap()
            .values(&dn, KEYS)
            .unwrap()
    }

    fn receipts(&self) -> Vec<events::Receipt> {
        let output = self.check(&["receipts"], 0, "");
        let text = String::from_utf8(output.stdout).unwrap();
        events::Lines::new(&text).collect::<Result<_, _>>().unwrap()
    }
}

#[test]
fn a_plan_is_made_kept_applied_and_confirmed() {
    let mut bench = Bench::new(1);
    bench.check(&["status"], 1, "run `tombolo sync plan` first");
    bench.register(TEST_USER);
    let plan = bench.path("plan.json");
    let plan = plan.to_str().unwrap();
    bench.check(&["plan", "-o", plan], 2, "1 to add");
    assert!(bench.values(TEST_USER).is_empty());
    bench.check(&["apply", plan], 0, "1 confirmed by an import");
    assert_eq!(bench.values(TEST_USER).len(), 1);
    bench.check(
        &["apply", plan],
        4,
        "the object was changed since the plan was made",
    );
    bench.check(&["run"], 0, "nothing to do");
    bench.check(&["status"], 0, "2 receipts");
    bench.check(&["explain", "testuser"], 0, "by rule in-cloud-user-ngckey");
    bench.check(&["explain", "nobody"], 1, "nothing is known of 'nobody'");
    bench.check(&["drift"], 0, "no drift");
    bench.check(&["doctor"], 4, "protected by AdminSDHolder");
    bench.check(&["doctor", "schema"], 0, "has msDS-KeyCredentialLink");
    let json = bench.check(&["run", "--json"], 0, "tombolo-sync-report/1");
    let report: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(report["outcome"], "unchanged");
}

#[test]
fn rules_are_linted_and_a_sleeping_one_says_so() {
    let mut bench = Bench::new(2);
    bench.register(TEST_USER);
    let rules = bench.path("rules").join("own.toml");
    std::fs::write(
        &rules,
        "version = 1\n[[override]]\nid = \"out-ad-user-ngckey\"\nenabled = no\n",
    )
    .unwrap();
    bench.check(&["rules", "lint"], 1, "own.toml");
    std::fs::write(
        &rules,
        "version = 1\n[[override]]\nid = \"out-ad-user-ngckey\"\nenabled = false\n",
    )
    .unwrap();
    bench.check(&["rules", "lint"], 0, "disabled");
    bench.check(
        &["run"],
        0,
        "asleep: rule out-ad-user-ngckey: rule out-ad-user-ngckey is disabled",
    );
    assert!(bench.values(TEST_USER).is_empty());
    std::fs::remove_file(&rules).unwrap();
    bench.check(&["run"], 0, "1 added");
}

#[test]
fn a_refused_write_names_object_reason_and_line() {
    let mut bench = Bench::new(3);
    bench.register(TEST_USER);
    let connector = bench.house.account(CONNECTOR).unwrap().dn.clone();
    let group = format!("CN=Key Admins,CN=Users,{}", bench.house.domain_dn());
    let mut administrator = bench.house.ldap_as_administrator().unwrap();
    administrator
        .delete_value(&group, "member", &connector)
        .unwrap();
    for arguments in [&["run"][..], &["run", "--no-preflight"]] {
        bench.check(arguments, 4, "not written to CN=Test User");
        bench.check(
            arguments,
            4,
            "the connector account may not write this attribute",
        );
        bench.check(arguments, 4, &format!("dn: {group}"));
    }
    bench.check(&["run", "--no-preflight"], 4, "00002098");
    administrator
        .add_value(&group, "member", &connector)
        .unwrap();
    bench.check(&["run"], 0, "1 confirmed");
}

#[test]
fn what_is_wrong_with_the_configuration_is_said() {
    let bench = Bench::new(4);
    let check = |find: &str, replace: &str, said: &str| {
        let path = bench.path("sync.toml");
        let whole = std::fs::read_to_string(&path).unwrap();
        assert!(whole.contains(find), "{find}");
        std::fs::write(&path, whole.replace(find, replace)).unwrap();
        bench.check(&["plan"], 1, said);
        std::fs::write(&path, whole).unwrap();
    };
    check("[state]", "[stat]", "unknown field `stat`");
    check("\"sync.token\"", "\"none\"", "none");
    check(
        "ldaps://127.0.0.1",
        "ldap://192.0.2.1",
        "use ldaps:// or StartTLS",
    );
    check("https://", "http://192.0.2.1:1/", "https only");
    check(
        "ca_file = \"ca.pem\"\n[directory]",
        "ca_file = \"sync.token\"\n[directory]",
        "no certificate",
    );
    check(
        "CN=Sync Connector",
        "CN=Sync Connectr",
        "the bind of CN=Sync Connectr",
    );
    check("\"sync.token\"", "\"sync.password\"", "HTTP 401");
    bench.check(&["apply", "no-such-plan.json"], 1, "no-such-plan.json");
    bench.check(
        &["apply", bench.path("ca.pem").to_str().unwrap()],
        1,
        "make a new plan",
    );
}

/// Kills the sync while it works, again and again, with new keys each time. Whatever it was doing: in the end the
/// directory has each key once, and each value that was written has exactly one receipt that says so.
#[test]
fn wrong_usage_is_not_a_guard() {
    // Bug: `sync apply` without a file ended with 3, which says that a guard stopped the plan.
    for arguments in [&["apply"][..], &["plann"], &["--json", "explain"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_tombolo"))
            .arg("sync")
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    }
}

#[test]
fn killed_again_and_again_it_still_arrives() {
    let mut bench = Bench::new(5);
    bench.register(TEST_USER);
    bench.register(SECOND_USER);
    let start = std::time::Instant::now();
    bench.check(&["run"], 0, "2 added");
    let whole_run = start.elapsed();
    // A user may have ten keys. The kills are spread over a run, from its first moment to its last.
    for kill in 0..9 {
        bench.register(TEST_USER);
        bench.register(SECOND_USER);
        let mut child: Child = bench.command(&["run"]).spawn().unwrap();
        std::thread::sleep(whole_run * kill / 9);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    bench.check(&["run"], 0, "");
    bench.check(&["plan", "--all"], 0, "no changes");
    let values = [bench.values(TEST_USER), bench.values(SECOND_USER)].concat();
    assert_eq!(values.len(), 20);
    let receipts = bench.receipts();
    for state in [
        events::ReceiptState::Written,
        events::ReceiptState::Confirmed,
    ] {
        let mut hashes: Vec<&str> = receipts
            .iter()
            .filter(|r| r.state == state)
            .map(|r| r.value_sha256.as_str())
            .collect();
        hashes.sort_unstable();
        let all = hashes.len();
        hashes.dedup();
        assert_eq!((all, hashes.len()), (20, 20), "{state:?}");
    }
}
