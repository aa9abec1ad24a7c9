//! `tombolo softkey` from outside: a life with a PIN, refusals in words, and a process that is killed.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, which may stop"
)]
#![allow(clippy::disallowed_methods, reason = "a test is its own top floor")]

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;

use ctap::Client;
use ctap::command::{Algorithm, MakeCredential, RelyingParty, User};
use serde_json::Value;
use types::SeededEntropy;

const PIN: &str = "123456";

fn tombolo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    command.arg("softkey").args(arguments).stdin(Stdio::null());
    command
        .env_remove("TOMBOLO_PIN")
        .env_remove("TOMBOLO_SOFTKEY");
    command
}

fn check(output: &Output, code: i32, said: &str) {
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(said), "no '{said}' in {text}");
}

/// `tombolo softkey serve` on a free port; killed without warning when it is dropped.
struct Served {
    process: Child,
    hello: Value,
}

impl Served {
    fn start(state: &Path) -> Self {
        let mut process = tombolo(&["serve", "--listen", "127.0.0.1:0", "--json", "--state"])
            .arg(state)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        Self {
            process,
            hello: serde_json::from_str(&line).unwrap(),
        }
    }

    fn address(&self) -> &str {
        self.hello["listening"].as_str().unwrap()
    }

    fn credentials(&self) -> u64 {
        self.hello["credentials"].as_u64().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // SIGKILL on Unix: the process has no chance to tidy up.
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn register(client: &mut Client<TcpStream>, number: u64) -> Result<(), ctap::Error> {
    let request = MakeCredential {
        client_data_hash: [7; 32],
        rp: RelyingParty {
            id: "login.contoso.com".to_owned(),
            name: None,
        },
        user: User {
            id: number.to_be_bytes().to_vec(),
            name: None,
            display_name: None,
        },
        algorithms: vec![Algorithm::ES256],
        exclude: Vec::new(),
        resident_key: true,
        hmac_secret: true,
        salts: None,
        cred_protect: None,
        proof: None,
    };
    client.make_credential(request, None).map(drop)
}

fn connect(served: &Served) -> Client<TcpStream> {
    let stream = TcpStream::connect(served.address()).unwrap();
    Client::open(stream, Box::new(SeededEntropy::new(served.credentials()))).unwrap()
}

#[test]
fn a_key_is_served_given_a_pin_listed_and_emptied() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("key.json");
    let file = state.to_str().unwrap();
    let run = |arguments: &[&str]| tombolo(arguments).output().unwrap();
    let with_pin =
        |arguments: &[&str]| tombolo(arguments).env("TOMBOLO_PIN", PIN).output().unwrap();

    check(&run(&["info", "--state", file]), 3, "there is no key in");
    {
        let served = Served::start(&state);
        assert_eq!(served.hello["pin_set"], Value::Bool(false));
        register(&mut connect(&served), 1).unwrap();
        check(
            &with_pin(&["set-pin", "--connect", served.address()]),
            0,
            "PIN set",
        );
        check(
            &run(&["info", "--connect", served.address()]),
            0,
            "set, 8 tries left",
        );
        check(
            &run(&["info", "--state", file]),
            3,
            "in use by another process",
        );
        check(
            &run(&["reset", "--yes", "--connect", served.address()]),
            3,
            "NOT_ALLOWED",
        );
        let wrong = tombolo(&["list", "--connect", served.address()])
            .env("TOMBOLO_PIN", "654321")
            .output()
            .unwrap();
        check(&wrong, 3, "the PIN is wrong");
    }
    let listed = with_pin(&["list", "--state", file, "--json"]);
    check(&listed, 0, "login.contoso.com");
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let id = listed["credentials"][0]["credential_id"].as_str().unwrap();
    check(&run(&["list", "--state", file]), 3, "at least 4 characters");
    check(
        &with_pin(&["delete", "xyz", "--state", file]),
        3,
        "is not a credential id",
    );
    check(&with_pin(&["delete", id, "--state", file]), 0, "deleted");
    check(
        &with_pin(&["list", "--state", file]),
        0,
        "holds no credentials",
    );
    check(
        &run(&["attestation-root", "--state", file]),
        0,
        "BEGIN CERTIFICATE",
    );
    check(&run(&["reset", "--state", file]), 3, "add --yes");
    check(
        &run(&["reset", "--yes", "--state", file]),
        0,
        "the key is empty",
    );
    check(&run(&["info", "--state", file]), 0, "not set");
}

#[test]
fn a_pin_comes_from_a_file_and_never_from_the_command_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let state = directory.path().join("key.json");
    let state = state.to_str().unwrap();
    let (old, new) = (file("old", "123456\n"), file("new", "654321\r\n"));
    let run = |arguments: &[&str]| tombolo(arguments).output().unwrap();
    check(
        &run(&["set-pin", "--state", state, "--pin-file", &old]),
        0,
        "PIN set",
    );
    let change = [
        "set-pin",
        "--state",
        state,
        "--old-pin-file",
        &old,
        "--pin-file",
        &new,
    ];
    check(&run(&change), 0, "PIN changed");
    check(&run(&change), 3, "the PIN is wrong");
    check(
        &run(&["list", "--state", state, "--pin-file", &new]),
        0,
        "no credentials",
    );
    check(
        &run(&["list", "--state", state, "--pin", "654321"]),
        3,
        "unexpected argument",
    );
}

fn count(reports: impl Iterator<Item = ()>) -> u64 {
    reports.map(|()| 1).sum()
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("key.json");
    let mut acknowledged = 0;
    for round in 0..12 {
        let served = Served::start(&state);
        let found = served.credentials();
        // One more may be on disk: killed between the disk and the reply.
        assert!(
            (acknowledged..=acknowledged + 1).contains(&found),
            "round {round}: {acknowledged} acknowledged, {found} found"
        );
        acknowledged = found;
        let mut client = connect(&served);
        let (done, reports) = mpsc::channel();
        let worker = thread::spawn(move || {
            for number in found.. {
                if register(&mut client, number).is_err() || done.send(()).is_err() {
                    return;
                }
            }
        });
        let wanted = 1 + round % 4;
        acknowledged += count(reports.iter().take(wanted));
        drop(served);
        // What was acknowledged while the kill was on its way.
        acknowledged += count(reports.iter());
        worker.join().unwrap();
    }
}
