//! Two people with one key: `tombolo signin` signs in whom it was told, offline as well, and never just anybody.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, which may stop"
)]
#![allow(clippy::disallowed_methods, reason = "a test is its own top floor")]

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use lab::people::{Person, SECOND_USER, TEST_USER};
use lab::registration::register_key;
use lab::{House, Options};
use types::{Clock, SeededEntropy, Timestamp};

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
        self.command(arguments)
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let addresses = self.house.addresses();
        let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
        command
            .args(arguments)
            .current_dir(self.house.state())
            .env("TOMBOLO_CLOUD", &addresses.cloud)
            .env("TOMBOLO_CLOUD_CA_FILE", "cloud.pem")
            .env("TOMBOLO_CLOUD_ORIGIN", self.house.cloud_origin())
            .env("TOMBOLO_SOFTKEY_ADDRESS", addresses.key.to_string())
            .env("TOMBOLO_WORKSTATION_STATE", "device")
            .env("KRB5CCNAME", "FILE:tickets");
        command
    }

    /// Somebody at a terminal who types this.
    fn typing(&self, arguments: &[&str], text: &str) -> Output {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

        let near = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&near).unwrap();
        unlockpt(&near).unwrap();
        let far = ptsname(&near, Vec::new()).unwrap().into_string().unwrap();
        let far = std::fs::File::options().read(true).write(true).open(far);
        let mut near = std::fs::File::from(near);
        near.write_all(text.as_bytes()).unwrap();
        self.command(arguments)
            .stdin(far.unwrap())
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

/// Done, with these words.
#[track_caller]
fn done(output: &Output, expect: &str) {
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(expect), "no '{expect}' in {text}");
    assert_ne!(output.status.code(), Some(3), "{text}");
}

/// Not done, with these words.
#[track_caller]
fn refused(output: &Output, expect: &str) {
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(text.contains(expect), "no '{expect}' in {text}");
    assert_eq!(output.status.code(), Some(3), "{text}");
}

#[test]
fn of_two_people_with_one_key_the_named_one_is_signed_in() {
    let shared = Shared::new();
    let (first, second) = (shared.upn(TEST_USER), shared.upn(SECOND_USER));
    // The older credential of the two: without the choice it would be the newer one.
    let joining = shared.sign_in(&["--user", &first, "--pass-file", "pass"]);
    done(&joining, &format!("signed in as {first}"));
    let chosen = shared.sign_in(&["--user", &second]);
    done(&chosen, &format!("signed in as {second}"));
    let capitals = shared.sign_in(&["--user", &first.to_uppercase()]);
    done(&capitals, &format!("signed in as {first}"));

    let nobody = shared.sign_in(&[]);
    refused(&nobody, "choose one with --user");
    refused(&nobody, "none of them was chosen");
    let stranger = shared.sign_in(&["--user", "nobody@contoso.com"]);
    refused(&stranger, "has no account nobody@contoso.com");

    // At a terminal the person is asked: the newest is the first of the list.
    let signin = ["signin", "--pin-file", "pin"];
    let asked = shared.typing(&signin, "2\n");
    done(&asked, &format!("1  {second}"));
    done(&asked, &format!("signed in as {first}"));
    done(
        &shared.typing(&signin, "1\n"),
        &format!("signed in as {second}"),
    );
    for nonsense in ["3\n", "0\n", "ada\n", "\n"] {
        refused(&shared.typing(&signin, nonsense), "none of them was chosen");
    }

    // Without the cloud each of them opens what is their own.
    shared.house.cut_cloud().unwrap();
    for upn in [&first, &second] {
        let unlocked = shared.tombolo(&["unlock", "--pin-file", "pin", "--user", upn]);
        done(&unlocked, &format!("unlocked for {upn}"));
    }
    let stranger = shared.tombolo(&[
        "unlock",
        "--pin-file",
        "pin",
        "--user",
        "nobody@contoso.com",
    ]);
    refused(&stranger, "has no account nobody@contoso.com");
    let nobody = shared.tombolo(&["unlock", "--pin-file", "pin"]);
    refused(&nobody, "choose one with --user");
}

/// Somebody's own key on a socket.
fn own_key(hmac_secret: bool) -> softkey::Server {
    let options = softkey::Options::new(
        Arc::new(WallClock),
        Box::new(SeededEntropy::new(5 + u64::from(hmac_secret))),
    );
    let key = softkey::Softkey::in_memory(options.hmac_secret(hmac_secret)).unwrap();
    let pin = ctap::Pin::new("246810".to_owned()).unwrap();
    let mut client = ctap::Client::open(key.connect(), Box::new(SeededEntropy::new(6))).unwrap();
    client.set_pin(None, &pin).unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    softkey::Server::start(key, listener).unwrap()
}

#[test]
fn what_a_key_cannot_do_is_said_when_it_is_registered_and_not_at_the_outage() {
    let house = House::start(Options::new(Arc::new(WallClock))).unwrap();
    // The tenant trusts the maker of the house's key alone.
    let policy = serde_json::json!({ "isAttestationEnforced": false });
    let cloud = house.cloud_as_administrator().unwrap();
    cloud
        .patch(cloud_api::paths::FIDO2_POLICY, &policy)
        .unwrap();
    let shared = Shared { house };
    shared.write("cloud.pem", shared.house.ca_pem());
    shared.write("own.pin", "246810");
    let upn = shared.upn(TEST_USER);
    for has_hmac_secret in [true, false] {
        let key = own_key(has_hmac_secret);
        let address = key.address().to_string();
        let pass = || {
            let pass = shared.house.temporary_access_pass(TEST_USER).unwrap();
            shared.write("pass", pass.expose());
        };
        let with_key = |command: &[&str]| {
            let device = format!("device-{has_hmac_secret}");
            let mine = [
                "--softkey",
                &address,
                "--pin-file",
                "own.pin",
                "--user",
                &upn,
            ];
            let state: &[&str] = match command {
                ["signin"] => &["--pass-file", "pass", "--state", &device],
                ["unlock"] => &["--state", &device],
                _ => &["--pass-file", "pass"],
            };
            shared.tombolo(&[command, &mine, state].concat())
        };
        pass();
        let registered = with_key(&["key", "register"]);
        done(&registered, &format!("registered for {upn}"));
        pass();
        let signed_in = with_key(&["signin"]);
        done(&signed_in, &format!("signed in as {upn}"));
        let unlocked = with_key(&["unlock"]);
        if has_hmac_secret {
            assert_eq!(registered.status.code(), Some(0));
            done(&unlocked, &format!("unlocked for {upn}"));
        } else {
            assert_eq!(registered.status.code(), Some(1));
            for output in [&registered, &signed_in] {
                done(output, "cannot unlock this device without the cloud");
            }
            assert_eq!(unlocked.status.code(), Some(3));
        }
        // A pass works once.
        refused(
            &with_key(&["key", "register"]),
            "the temporary access pass was not taken",
        );
    }
}
