//! `tombolo key` from outside: which key is meant, who touches it and when, and what goes wrong, in words.

#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests, which may stop"
)]
#![allow(clippy::disallowed_methods, reason = "a test is its own top floor")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

use softkey::{Answer, Options, Server, Softkey, Touch};
use types::{SeededEntropy, Timestamp, VirtualClock};

const PIN: &str = "123456";

/// A software key on a socket, and its button.
struct Key {
    key: Softkey,
    server: Option<Server>,
    finger: Sender<()>,
    /// One word each time that the key begins to wait.
    waits: Receiver<()>,
}

impl Key {
    /// A key that waits for its button.
    fn new() -> Self {
        Self::with(|options| options)
    }

    fn with(change: impl FnOnce(Options) -> Options) -> Self {
        let (finger, button) = mpsc::channel();
        let (asked, waits) = mpsc::channel();
        let touch = Touch::Ask(Box::new(move |patience| {
            let _ = asked.send(());
            match button.recv_timeout(patience) {
                Ok(()) => Answer::Touched,
                Err(_) => Answer::NotYet,
            }
        }));
        let now = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap();
        let options = Options::new(
            Arc::new(VirtualClock::new(now)),
            Box::new(SeededEntropy::new(7)),
        );
        let key = Softkey::in_memory(change(options.touch(touch))).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Some(Server::start(key.clone(), listener).unwrap());
        Self {
            key,
            server,
            finger,
            waits,
        }
    }

    fn with_pin() -> Self {
        let key = Self::new();
        let pin = ctap::Pin::new(PIN.to_owned()).unwrap();
        key.client().set_pin(None, &pin).unwrap();
        key
    }

    fn address(&self) -> String {
        self.server.as_ref().unwrap().address().to_string()
    }

    fn client(&self) -> ctap::Client<TcpStream> {
        let stream = TcpStream::connect(self.address()).unwrap();
        ctap::Client::open(stream, Box::new(SeededEntropy::new(1))).unwrap()
    }
}

fn tombolo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tombolo"));
    command.arg("key").args(arguments).stdin(Stdio::null());
    command.env("TOMBOLO_PIN", PIN);
    command.env_remove("TOMBOLO_SOFTKEY_ADDRESS");
    command
}

fn check(output: &Output, code: i32, said: &str) -> String {
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(said), "no '{said}' in {text}");
    text.into_owned()
}

/// A command under way, up to the line of stderr with which it asks for a touch.
fn waiting(arguments: &[&str], asks: &str) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child = tombolo(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains(asks), "{line}");
    (child, stderr)
}

fn ended(mut child: Child, mut stderr: impl Read) -> (i32, String) {
    let mut text = String::new();
    stderr.read_to_string(&mut text).unwrap();
    let mut out = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut out)
        .unwrap();
    (child.wait().unwrap().code().unwrap(), out + &text)
}

#[test]
fn a_touch_is_asked_for_when_the_key_waits_and_not_otherwise() {
    let key = Key::new();
    let address = key.address();
    let (child, stderr) = waiting(&["touch", "--softkey", &address], "touch your security key");
    key.finger.send(()).unwrap();
    assert_eq!(ended(child, stderr), (0, format!("{address}\n")));
    // The touch is there before it is asked for.
    key.finger.send(()).unwrap();
    let text = check(
        &tombolo(&["touch", "--softkey", &address]).output().unwrap(),
        0,
        &address,
    );
    assert!(!text.contains("touch your"), "{text}");
}

#[test]
fn of_several_keys_the_touched_one_is_meant_and_the_others_are_let_go() {
    let keys = [Key::new(), Key::new(), Key::new()];
    let addresses = keys.each_ref().map(Key::address);
    for meant in 0..3 {
        let all = addresses.join(",");
        let (child, stderr) = waiting(&["touch", "--softkey", &all], "3 security keys");
        for key in &keys {
            key.waits.recv().unwrap();
        }
        keys[meant].finger.send(()).unwrap();
        assert_eq!(ended(child, stderr), (0, format!("{}\n", addresses[meant])));
        // Nobody waits any more: each key answers the next request at once.
        for key in &keys {
            key.client().refresh_info().unwrap();
            while key.waits.try_recv().is_ok() {}
        }
    }
    // A key that is gone is told of, and the others are asked all the same.
    let gone = "127.0.0.1:1";
    let text = tombolo(&["touch", "--softkey", gone, "--softkey", &addresses[0]]);
    check(&{ text }.output().unwrap(), 3, "cannot be reached");
}

#[test]
fn ctrl_c_takes_the_request_back_from_the_key() {
    use rustix::process::{Pid, Signal, kill_process};

    let (one, other) = (Key::new(), Key::new());
    let (first, second) = (one.address(), other.address());
    let cases = [
        (
            vec!["touch", "--softkey", &first],
            "touch your security key",
        ),
        (
            vec!["touch", "--softkey", &first, "--softkey", &second],
            "2 security keys",
        ),
    ];
    for (arguments, asks) in cases {
        let (child, stderr) = waiting(&arguments, asks);
        let process = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
        kill_process(process, Signal::INT).unwrap();
        let (code, text) = ended(child, stderr);
        assert!(
            code == 3 && text.contains("the request was cancelled"),
            "{code} {text}"
        );
        one.client().refresh_info().unwrap();
    }
}

#[test]
fn a_key_that_is_removed_during_the_touch_is_said_to_be() {
    let mut key = Key::new();
    let address = key.address();
    let (child, stderr) = waiting(&["touch", "--softkey", &address], "touch your security key");
    key.server = None;
    let (code, text) = ended(child, stderr);
    assert!(code == 3 && text.contains("was removed"), "{code} {text}");
}

#[test]
fn pins_are_refused_with_the_tries_that_are_left_and_what_to_do() {
    let key = Key::new();
    let address = key.address();
    let list = |pin: &str| {
        let mut command = tombolo(&["list", "--softkey", &address]);
        command.env("TOMBOLO_PIN", pin).output().unwrap()
    };
    check(&list(PIN), 3, "`tombolo key set-pin`");
    check(
        &tombolo(&["set-pin", "--softkey", &address])
            .output()
            .unwrap(),
        0,
        "PIN set",
    );
    check(&list("000000"), 3, "wrong (7 tries are left)");
    check(&list("000000"), 3, "wrong (6 tries are left)");
    check(
        &list("000000"),
        3,
        "remove the key and insert it before the next try (5 tries are left)",
    );
    key.key.replug();
    check(&list(PIN), 0, "holds no credentials");
    for _ in 0..8 {
        key.key.replug();
        list("000000");
    }
    key.key.replug();
    let text = check(&list(PIN), 3, "the PIN is blocked");
    assert!(text.contains("register it again"), "{text}");
}

#[test]
fn what_a_key_cannot_do_is_said_when_it_is_looked_at() {
    let plain = Key::with(|options| options.hmac_secret(false));
    let info = |key: &Key| {
        tombolo(&["info", "--softkey", &key.address()])
            .output()
            .unwrap()
    };
    check(
        &info(&plain),
        0,
        "offline     no: the key has no hmac-secret",
    );
    check(
        &info(&Key::with_pin()),
        0,
        "offline     yes, by hmac-secret",
    );
}

#[test]
fn a_key_that_is_busy_with_another_program_is_asked_again() {
    use ctap::hid::{Channel, ErrorCode, Message};

    let key = Key::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let busy = |stream: &mut TcpStream| {
        stream.read_exact(&mut [0; 64]).unwrap();
        let error = Message::error(Channel::BROADCAST, ErrorCode::CHANNEL_BUSY);
        stream
            .write_all(error.to_reports().unwrap().as_flattened())
            .unwrap();
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2 {
                busy(&mut listener.accept().unwrap().0);
            }
            key.key.serve(listener.accept().unwrap().0).unwrap();
            for _ in 0..10 {
                busy(&mut listener.accept().unwrap().0);
            }
        });
        let info = || tombolo(&["info", "--softkey", &address]).output().unwrap();
        check(&info(), 0, "this software key");
        check(&info(), 3, "another program is using the key");
    });
}

#[test]
fn keys_are_found_in_a_sysfs() {
    let sys = tempfile::tempdir().unwrap();
    let find = |json: &[&str]| {
        let mut command = tombolo(&["find", "--sys", sys.path().to_str().unwrap()]);
        command.args(json).output().unwrap()
    };
    check(&find(&[]), 0, "no security key is plugged in");
    let device = sys.path().join("class/hidraw/hidraw97/device");
    std::fs::create_dir_all(&device).unwrap();
    std::fs::write(device.join("uevent"), "HID_NAME=Nitrokey Nitrokey 3\n").unwrap();
    let descriptor = "06d0f10901a1010920150026ff007508954081020921150026ff00750895409102c0";
    let descriptor = data_encoding::HEXLOWER
        .decode(descriptor.as_bytes())
        .unwrap();
    std::fs::write(device.join("report_descriptor"), descriptor).unwrap();
    check(&find(&[]), 0, "Nitrokey Nitrokey 3");
    check(&find(&["--json"]), 0, "\"device\": \"/dev/hidraw97\"");
    let absent = tombolo(&["info", "--hidraw", "/dev/hidraw97"])
        .output()
        .unwrap();
    check(&absent, 3, "`tombolo key find`");
}
