//! `tombolo agent` and what belongs to it: a session that stays fresh, wires that fall silent, the cloud's no, and faults.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests, which may stop"
)]
#![allow(clippy::disallowed_methods, reason = "a test is its own top floor")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use cloud_api::paths;
use lab::people::TEST_USER;
use lab::wire::{Line, Mode};
use lab::{House, Options};
use serde_json::Value;
use types::{Clock, Timestamp};

#[derive(Debug)]
struct WallClock;

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Timestamp::from_unix_seconds(i64::try_from(since.unwrap().as_secs()).unwrap())
    }
}

/// A house whose user has a key, and a trust.
struct Desk {
    house: House,
}

/// An agent, and the lines that it says. It ends with its owner.
struct Agent {
    process: Child,
    said: BufReader<std::process::ChildStderr>,
}

impl Agent {
    /// Waits until the agent says this, and fails when it ends before.
    #[track_caller]
    fn says(&mut self, words: &str) {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            let length = self.said.read_line(&mut line).unwrap();
            assert_ne!(length, 0, "the agent ended without '{words}': {all}");
            if line.contains(words) {
                return;
            }
            all += &line;
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        // SIGKILL: an agent has nothing to say at its end.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Desk {
    fn new() -> Self {
        let options = Options {
            nt_hashes: true,
            ..Options::new(Arc::new(WallClock))
        };
        let house = House::start(options).unwrap();
        house.register_first_key().unwrap();
        lab::trust::establish(&house).unwrap();
        let desk = Self { house };
        desk.write("cloud.pem", desk.house.ca_pem());
        desk.write("pin", desk.house.key_pin().expose());
        let pass = desk.house.temporary_access_pass(TEST_USER).unwrap();
        desk.write("pass", pass.expose());
        desk
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.house.state().join(name), format!("{text}\n")).unwrap();
    }

    fn command(&self, program: &str) -> Command {
        let addresses = self.house.addresses();
        let mut command = Command::new(program);
        command
            .current_dir(self.house.state())
            .stdin(Stdio::null())
            .env("TOMBOLO_CLOUD", &addresses.cloud)
            .env("TOMBOLO_CLOUD_CA_FILE", "cloud.pem")
            .env("TOMBOLO_CLOUD_ORIGIN", self.house.cloud_origin())
            .env("TOMBOLO_KDC", addresses.kdc.to_string())
            .env("TOMBOLO_SOFTKEY_ADDRESS", addresses.key.to_string())
            .env("TOMBOLO_WORKSTATION_STATE", "device")
            .env("KRB5CCNAME", "FILE:tickets");
        command
    }

    fn tombolo(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(env!("CARGO_BIN_EXE_tombolo"));
        command.args(arguments).output().unwrap()
    }

    fn agent(&self) -> Agent {
        let mut command = self.command(env!("CARGO_BIN_EXE_tombolo"));
        let mut process = command.arg("agent").stderr(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(process.stderr.take().unwrap());
        let mut agent = Agent { process, said };
        agent.says("listens");
        agent
    }

    fn sign_in(&self, more: &[&str]) -> Output {
        let upn = TEST_USER.upn(self.house.dns_domain());
        let first = [
            "signin",
            "--user",
            &upn,
            "--pass-file",
            "pass",
            "--pin-file",
            "pin",
        ];
        self.tombolo(&[&first[..], more].concat())
    }

    fn unlock(&self) -> Output {
        self.tombolo(&["unlock", "--pin-file", "pin"])
    }

    /// The session that the agent holds, as `status` tells it.
    fn session(&self) -> Value {
        let output = self.tombolo(&["status", "--json", "--no-probe"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        report["agent"][0].clone()
    }

    fn journal(&self) -> String {
        std::fs::read_to_string(self.house.state().join("device/journal.jsonl")).unwrap_or_default()
    }

    fn enable_user(&self, enabled: bool) {
        let user = self.house.cloud_user(TEST_USER).unwrap();
        let cloud = self.house.cloud_as_administrator().unwrap();
        let change = serde_json::json!({ "accountEnabled": enabled });
        cloud.patch(&paths::user(user), &change).unwrap();
    }
}

/// Ended with this code, and said these words.
#[track_caller]
fn ended(output: &Output, code: i32, words: &str) {
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(words), "no '{words}' in {text}");
}

#[test]
fn wires_that_fall_silent_cost_nothing_and_what_is_due_comes_when_they_are_back() {
    let desk = Desk::new();
    let mut agent = desk.agent();
    desk.house.wire(Line::DomainController, Mode::Cut).unwrap();
    ended(&desk.sign_in(&[]), 1, "no domain controller answers");
    assert_eq!(desk.session()["ticketEnds"], Value::Null);
    desk.house.wire(Line::DomainController, Mode::Up).unwrap();
    ended(&desk.tombolo(&["agent", "--look"]), 0, "");
    agent.says("the domain gave a ticket for the cloud's");
    let status = desk.tombolo(&["status"]);
    ended(&status, 0, "krbtgt/CORP.CONTOSO.COM");

    desk.house.cut_cloud().unwrap();
    ended(&desk.tombolo(&["agent", "--look"]), 0, "");
    agent.says("what is held stays");
    let session = desk.session();
    assert!(session["cloudSilentUntil"].is_string(), "{session}");
    assert!(session["ticketEnds"].is_string(), "{session}");
    ended(&desk.tombolo(&["status"]), 0, "the cloud does not answer");
    desk.house.mend_cloud().unwrap();
    ended(&desk.tombolo(&["agent", "--look"]), 0, "");
    agent.says("the cloud renewed the session");
    assert_eq!(desk.session()["cloudSilentUntil"], Value::Null);
}

#[test]
fn the_clouds_no_ends_the_session_and_the_offline_cache() {
    let desk = Desk::new();
    let mut agent = desk.agent();
    ended(&desk.sign_in(&[]), 0, "the agent keeps all of it fresh");
    ended(&desk.unlock(), 0, "unlocked for testuser@corp.contoso.com");
    desk.enable_user(false);
    ended(&desk.tombolo(&["agent", "--look"]), 0, "");
    agent.says("the session and its offline cache end");
    assert_eq!(desk.session()["standing"], "ended");
    ended(&desk.unlock(), 3, "nothing is kept here");
    assert!(desk.journal().contains("offlineCacheDestroyed"));

    // Without an agent, the sign-in itself hears the no.
    drop(agent);
    desk.enable_user(true);
    ended(&desk.sign_in(&[]), 0, "signed in as");
    ended(&desk.unlock(), 0, "unlocked for");
    desk.enable_user(false);
    ended(&desk.sign_in(&[]), 3, "is destroyed");
    ended(&desk.unlock(), 3, "nothing is kept here");
}

#[test]
fn an_nt_hash_leaves_only_where_the_policy_lets_it_and_never_without_a_line_in_the_journal() {
    let desk = Desk::new();
    let _agent = desk.agent();
    let hash = |name: &str| desk.tombolo(&["nt-hash", "--file", name]);
    ended(&desk.sign_in(&[]), 0, "signed in as");
    ended(&hash("never"), 3, "this session has no NT hash");
    assert!(!desk.journal().contains("ntHashReleased"));

    ended(&desk.sign_in(&["--nt-hash", "session"]), 0, "signed in as");
    ended(&hash("session"), 0, "the NT hash of testuser");
    assert_eq!(desk.journal().matches("ntHashReleased").count(), 1);
    ended(&desk.tombolo(&["signout"]), 0, "signed out testuser");
    ended(&hash("after"), 3, "there is no such session");
    ended(&desk.unlock(), 0, "unlocked for");
    ended(&hash("after"), 3, "this session has no NT hash");

    ended(&desk.sign_in(&["--nt-hash", "sealed"]), 0, "signed in as");
    ended(&desk.tombolo(&["signout"]), 0, "removed the tickets");
    ended(&desk.unlock(), 0, "unlocked for");
    ended(&hash("sealed"), 0, "the NT hash of testuser");
    let read = |name: &str| std::fs::read_to_string(desk.house.state().join(name)).unwrap();
    assert_eq!(read("sealed"), read("session"));
    // Nothing is overwritten.
    ended(&hash("sealed"), 3, "nothing is ever overwritten");
    let shape = desk.tombolo(&["nt-hash", "--file", "smbpasswd", "--form", "smbpasswd"]);
    ended(&shape, 0, "the NT hash of testuser");
    assert!(read("smbpasswd").contains(&read("session").trim().to_uppercase()));
}

#[test]
fn signed_out_nothing_is_left_but_the_offline_cache_and_that_on_demand() {
    let desk = Desk::new();
    ended(&desk.tombolo(&["signout"]), 1, "nobody was signed in");
    ended(&desk.sign_in(&[]), 0, "signed in as");
    ended(&desk.tombolo(&["signout"]), 0, "removed the tickets");
    ended(
        &desk.tombolo(&["status", "--no-probe"]),
        1,
        "no ticket granting ticket",
    );
    ended(&desk.unlock(), 0, "unlocked for");
    ended(
        &desk.tombolo(&["signout", "--forget"]),
        0,
        "destroyed 1 offline cache",
    );
    ended(&desk.unlock(), 3, "nothing is kept here");
}

#[test]
fn one_agent_serves_a_directory() {
    let desk = Desk::new();
    let agent = desk.agent();
    ended(&desk.tombolo(&["agent"]), 3, "another agent serves");
    drop(agent);
    // It left its socket behind; the next one takes its place.
    assert!(desk.house.state().join("device/agent.sock").exists());
    ended(&desk.tombolo(&["agent", "--look"]), 3, "no agent holds");
    drop(desk.agent());
}

#[test]
fn killed_at_any_moment_the_agent_leaves_a_device_that_opens() {
    let desk = Desk::new();
    for round in 0..12 {
        let mut agent = desk.agent();
        ended(&desk.sign_in(&[]), 0, "the agent keeps all of it fresh");
        ended(&desk.tombolo(&["agent", "--look"]), 0, "");
        // The kill falls before, into and after the writes of a refresh and of an exchange.
        match round % 4 {
            0 => (),
            1 => agent.says("the cloud renewed the session"),
            2 => {
                agent.says("the cloud renewed the session");
                agent.says("the domain gave a ticket");
            }
            _ => {
                ended(&desk.tombolo(&["status"]), 0, "session of testuser");
            }
        }
        drop(agent);
        ended(&desk.unlock(), 0, "unlocked for");
    }
    let left = std::fs::read_dir(desk.house.state().join("device")).unwrap();
    let torn = left.flatten().filter(|entry| {
        let name = entry.file_name();
        name.to_string_lossy().starts_with(".tombolo-")
    });
    assert!(
        torn.count() <= 12,
        "a kill leaves one unfinished file at most"
    );
}

#[test]
fn on_a_full_disk_the_old_cache_survives() {
    let desk = Desk::new();
    ended(&desk.sign_in(&[]), 0, "signed in as");
    // No byte more can be written to any file, as on a full disk.
    let script = "trap '' XFSZ; ulimit -f 0; exec \"$0\" unlock --pin-file pin";
    let full = desk
        .command("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_tombolo")])
        .output()
        .unwrap();
    ended(&full, 3, "cannot be written");
    ended(&desk.unlock(), 0, "unlocked for");
}

#[test]
fn a_cloud_with_another_certificate_is_no_cloud() {
    let desk = Desk::new();
    ended(&desk.sign_in(&[]), 0, "signed in as");
    let other = House::start(Options::new(Arc::new(WallClock))).unwrap();
    desk.write("cloud.pem", other.ca_pem());
    ended(&desk.sign_in(&[]), 3, "cannot be reached");
    ended(&desk.unlock(), 0, "unlocked for");
    // What was remembered is still what worked.
    desk.write("cloud.pem", desk.house.ca_pem());
    ended(&desk.sign_in(&[]), 0, "signed in as");
}
