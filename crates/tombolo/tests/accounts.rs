//! Two people with one key: `tombolo signin` signs in whom it was told, offline as well, and never just anybody.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, which may stop"
)]
#![allow(clippy::disallowed_methods, reason = "a test is its own top floor")]

use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use lab::people::{Person, SECOND_USER, TEST_USER};
use lab::registration::register_key;
use lab::{House, Options};
use types::{Clock, Timestamp};

#[derive(Debug)]
struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_unix_seconds(i64::try_from(since.unwrap().as_secs()).unwrap())
    }
}

/// A house in whose one key both people have a credential, the second the newer one.
struct Shared {
    house: House,
}

impl Shared {
    fn new() -> Self {
        let house = House::start(Options::new(Arc::new(WallClock))).unwrap();
        let shared = Self { house };
        for person in [TEST_USER, SECOND_USER] {
            let (house, user) = (&shared.house, shared.house.cloud_user(person).unwrap());
            let cloud = house.cloud_as_administrator().unwrap();
            let (mut key, pin) = (house.key().unwrap(), house.pin().unwrap());
            register_key(
                &cloud,
                &mut key,
                &pin,
                &house.cloud_origin(),
                user,
                "Shared",
            )
            .unwrap();
        }
        shared.write("cloud.pem", shared.house.ca_pem());
        shared.write("pin", shared.house.key_pin().expose());
        let pass = shared.house.temporary_access_pass(TEST_USER).unwrap();
        shared.write("pass", pass.expose());
        shared
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.house.state().join(name), format!("{text}\n")).unwrap();
    }

    fn tombolo(&self, arguments: &[&str]) -> Output {
        let addresses = self.house.addresses();
        Command::new(env!("CARGO_BIN_EXE_tombolo"))
            .args(arguments)
            .current_dir(self.house.state())
            .env("TOMBOLO_CLOUD", &addresses.cloud)
            .env("TOMBOLO_CLOUD_CA_FILE", "cloud.pem")
            .env("TOMBOLO_CLOUD_ORIGIN", self.house.cloud_origin())
            .env("TOMBOLO_SOFTKEY_ADDRESS", addresses.key.to_string())
            .env("TOMBOLO_WORKSTATION_STATE", "device")
            .env("KRB5CCNAME", "FILE:tickets")
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn sign_in(&self, more: &[&str]) -> Output {
        self.tombolo(&[&["signin", "--pin-file", "pin"], more].concat())
    }

    fn upn(&self, person: Person) -> String {
        person.upn(self.house.dns_domain())
    }
}

fn says(output: &Output, expect: &str) -> bool {
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(expect), "no '{expect}' in {text}");
    output.status.code() != Some(3)
}

#[test]
fn of_two_people_with_one_key_the_named_one_is_signed_in() {
    let shared = Shared::new();
    let (first, second) = (shared.upn(TEST_USER), shared.upn(SECOND_USER));
    // The older credential of the two: without the choice it would be the newer one.
    let joining = shared.sign_in(&["--user", &first, "--pass-file", "pass"]);
    assert!(says(&joining, &format!("signed in as {first}")));
    let chosen = shared.sign_in(&["--user", &second]);
    assert!(says(&chosen, &format!("signed in as {second}")));
    let capitals = shared.sign_in(&["--user", &first.to_uppercase()]);
    assert!(says(&capitals, &format!("signed in as {first}")));

    let nobody = shared.sign_in(&[]);
    assert!(!says(&nobody, "choose one with --user"));
    assert!(!says(&nobody, "none of them was chosen"));
    let stranger = shared.sign_in(&["--user", "nobody@contoso.com"]);
    assert!(!says(&stranger, "has no account nobody@contoso.com"));

    // Without the cloud each of them opens what is their own.
    shared.house.cut_cloud().unwrap();
    for upn in [&first, &second] {
        let unlocked = shared.tombolo(&["unlock", "--pin-file", "pin", "--user", upn]);
        assert!(says(&unlocked, &format!("unlocked for {upn}")));
    }
    let stranger = shared.tombolo(&[
        "unlock",
        "--pin-file",
        "pin",
        "--user",
        "nobody@contoso.com",
    ]);
    assert!(!says(&stranger, "has no account nobody@contoso.com"));
    let nobody = shared.tombolo(&["unlock", "--pin-file", "pin"]);
    assert!(!says(&nobody, "choose one with --user"));
}
