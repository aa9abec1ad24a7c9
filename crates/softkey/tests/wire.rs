//! The key on a socket: many clients, slow fingers, hostile reports.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]
#![allow(clippy::disallowed_methods, reason = "a test is its own top floor")]

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;

use common::{key, options, pin, register, secrets};
use ctap::attendant::Attendant;
use ctap::hid::{Channel, Command, Message, Report};
use ctap::{Client, Status};
use proptest::prelude::*;
use softkey::{Answer, Server, Softkey, Touch};
use types::SeededEntropy;

fn serve(key: &Softkey) -> Server {
    Server::start(key.clone(), TcpListener::bind("127.0.0.1:0").unwrap()).unwrap()
}

fn connect(server: &Server, seed: u64) -> Client<TcpStream> {
    let stream = TcpStream::connect(server.address()).unwrap();
    Client::open(stream, Box::new(SeededEntropy::new(seed))).unwrap()
}

#[test]
fn several_clients_at_once_do_not_disturb_each_other() {
    let key = key();
    let server = serve(&key);
    let mut first = connect(&server, 1);
    first.set_pin(None, &pin("123456")).unwrap();
    register(&mut first, "testuser");
    let expect = secrets(&mut first, None);
    thread::scope(|scope| {
        for seed in 10..14 {
            let mut client = connect(&server, seed);
            scope.spawn(move || {
                for _ in 0..5 {
                    assert_eq!(secrets(&mut client, None), expect);
                }
            });
        }
    });
    assert_eq!(secrets(&mut first, None), expect);
}

#[test]
fn a_touch_is_awaited_and_announced() {
    let (answers, pending) = mpsc::channel();
    for answer in [
        Answer::NotYet,
        Answer::NotYet,
        Answer::Touched,
        Answer::Declined,
    ] {
        answers.send(answer).unwrap();
    }
    let touch = Touch::Ask(Box::new(move |_| pending.recv().unwrap()));
    let key = Softkey::in_memory(options(1).touch(touch)).unwrap();
    let server = serve(&key);
    let mut client = connect(&server, 2);
    let told = Arc::new(Mutex::new(Vec::new()));
    client.attend(Told(Arc::clone(&told)));
    let mut request = common::request("testuser");
    request.resident_key = false;
    client.make_credential(request.clone(), None).unwrap();
    assert_eq!(*told.lock().unwrap(), ["touch", "over"]);
    let declined = client.make_credential(request, None).unwrap_err();
    assert_eq!(declined.status(), Some(Status::OPERATION_DENIED));
}

/// What a person would see.
struct Told(Arc<Mutex<Vec<&'static str>>>);

impl Attendant for Told {
    fn touch_wanted(&mut self) {
        self.0.lock().unwrap().push("touch");
    }

    fn touch_over(&mut self) {
        self.0.lock().unwrap().push("over");
    }
}

/// Has had enough at the first sign of life.
struct Impatient;

impl Attendant for Impatient {
    fn gives_up(&mut self) -> bool {
        true
    }
}

#[test]
fn who_gives_up_is_let_go_and_the_key_is_free_again() {
    let (_nobody, finger) = mpsc::channel::<()>();
    let touch = Touch::Ask(Box::new(move |patience| {
        let _ = finger.recv_timeout(patience);
        Answer::NotYet
    }));
    let key = Softkey::in_memory(options(1).touch(touch)).unwrap();
    let server = serve(&key);
    let mut client = connect(&server, 2);
    client.attend(Impatient);
    for _ in 0..3 {
        let cancelled = client.select().unwrap_err();
        assert_eq!(cancelled.status(), Some(Status::KEEPALIVE_CANCEL));
    }
    client.refresh_info().unwrap();
}

#[test]
fn a_touch_that_never_comes_is_a_time_out_and_no_refusal() {
    let touch = Touch::Ask(Box::new(|_| Answer::NotYet));
    let key = Softkey::in_memory(options(1).touch(touch)).unwrap();
    let late = common::client(&key).select().unwrap_err();
    assert_eq!(late.status(), Some(Status::USER_ACTION_TIMEOUT));
}

#[test]
fn a_key_that_is_removed_during_the_touch_is_said_to_be() {
    let (asked, is_asked) = mpsc::channel();
    let (_nobody, finger) = mpsc::channel::<()>();
    let touch = Touch::Ask(Box::new(move |patience| {
        asked.send(()).unwrap_or_default();
        let _ = finger.recv_timeout(patience);
        Answer::NotYet
    }));
    let key = Softkey::in_memory(options(1).touch(touch)).unwrap();
    let server = serve(&key);
    let mut client = connect(&server, 2);
    let waiting = thread::spawn(move || client.select());
    is_asked.recv().unwrap();
    drop(server);
    let removed = waiting.join().unwrap().unwrap_err();
    assert!(matches!(removed, ctap::Error::Removed), "{removed}");
}

#[test]
fn a_request_can_be_cancelled_and_others_are_told_to_wait() {
    let (asked, is_asked) = mpsc::channel();
    let (go_on, gate) = mpsc::channel::<()>();
    let touch = Touch::Ask(Box::new(move |_| {
        asked.send(()).unwrap();
        gate.recv().unwrap();
        Answer::NotYet
    }));
    let key = Softkey::in_memory(options(1).touch(touch)).unwrap();
    let server = serve(&key);
    let mut wire = Wire::open(&server);
    let other = wire.init();
    wire.send(&Message::new(wire.channel, Command::CBOR, vec![0x0B]));
    is_asked.recv().unwrap();
    // Another channel is refused for the time being; a CANCEL of its own is without effect.
    wire.send(&Message::new(other, Command::CBOR, vec![0x04]));
    assert_eq!(wire.receive(other), [0xBF, 0, 1, 0x06]);
    wire.send(&Message::new(other, Command::CANCEL, vec![]));
    wire.send(&Message::new(wire.channel, Command::CANCEL, vec![]));
    // A PING on the other channel shows that the CANCEL before it has been read.
    wire.send(&Message::new(other, Command::PING, vec![]));
    assert_eq!(wire.receive(other)[..3], [0x81, 0, 0]);
    go_on.send(()).unwrap();
    let own = wire.channel;
    assert_eq!(wire.receive(own), [0x90, 0, 1, Status::KEEPALIVE_CANCEL.0]);
}

/// Raw reports over a connection.
struct Wire {
    stream: TcpStream,
    channel: Channel,
}

impl Wire {
    fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).unwrap();
        let mut wire = Self {
            stream,
            channel: Channel::BROADCAST,
        };
        wire.channel = wire.init();
        wire
    }

    fn init(&mut self) -> Channel {
        self.send(&Message::new(Channel::BROADCAST, Command::INIT, vec![3; 8]));
        let reply = self.report();
        Channel(u32::from_be_bytes(reply[15..19].try_into().unwrap()))
    }

    fn send(&mut self, message: &Message) {
        self.stream
            .write_all(message.to_reports().unwrap().as_flattened())
            .unwrap();
    }

    fn report(&mut self) -> Report {
        let mut report = [0; 64];
        self.stream.read_exact(&mut report).unwrap();
        report
    }

    /// The first bytes of the next report, which must be for `channel`.
    fn receive(&mut self, channel: Channel) -> [u8; 4] {
        let report = self.report();
        assert_eq!(report[..4], channel.0.to_be_bytes());
        report[4..8].try_into().unwrap()
    }
}

#[test]
fn half_reports_and_broken_connections_end_alone() {
    let key = key();
    let server = serve(&key);
    let mut good = connect(&server, 1);
    for _ in 0..30 {
        let mut bad = TcpStream::connect(server.address()).unwrap();
        bad.write_all(&[0xFF; 63]).unwrap();
    }
    let mut wire = Wire::open(&server);
    let start = Message::new(wire.channel, Command::CBOR, vec![1; 5000])
        .to_reports()
        .unwrap();
    wire.stream.write_all(&start[0]).unwrap();
    drop(wire);
    good.ping(b"still here").unwrap();
}

#[cfg(unix)]
#[test]
fn unix_sockets_carry_the_same_reports() {
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let key = key();
    let serving = thread::spawn(move || key.serve(theirs));
    let client = Client::open(ours, Box::new(SeededEntropy::new(1))).unwrap();
    assert_eq!(client.info().aaguid, softkey::AAGUID);
    drop(client);
    serving.join().unwrap().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is asked, one status byte comes back, and the key goes on working.
    #[test]
    fn hostile_requests_are_answered(
        command in prop_oneof![0_u8..0x10, any::<u8>()],
        body in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let key = key();
        let mut client = common::client(&key);
        let request = Raw([&[command][..], &body].concat());
        match client.call(&request) {
            Ok(()) | Err(ctap::Error::Status(_)) => (),
            Err(other) => prop_assert!(false, "{other}"),
        }
        prop_assert!(client.refresh_info().is_ok());
    }

    #[test]
    fn hostile_reports_are_survived(
        reports in proptest::collection::vec((any::<bool>(), proptest::collection::vec(any::<u8>(), 60)), 0..40)
    ) {
        let key = key();
        let mut connection = key.connect();
        for (broadcast, rest) in reports {
            let channel: u32 = if broadcast { u32::MAX } else { 1 };
            connection.write_all(&channel.to_be_bytes()).unwrap();
            connection.write_all(&rest).unwrap();
        }
        prop_assert!(Client::open(connection, Box::new(SeededEntropy::new(1))).is_ok());
    }
}

/// Bytes that claim to be a request.
struct Raw(Vec<u8>);

impl ctap::Request for Raw {
    type Reply = ();

    fn code(&self) -> ctap::command::CommandCode {
        ctap::command::CommandCode(self.0[0])
    }

    fn parameters(&self) -> Option<ciborium::Value> {
        None
    }

    fn decode_reply(&self, _body: &[u8]) -> Result<(), ctap::Malformed> {
        Ok(())
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.0.clone()
    }
}

#[test]
fn a_server_that_is_dropped_lets_go_of_everything() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.json");
    for _ in 0..3 {
        let key = Softkey::open(&path, options(1)).unwrap();
        let server = serve(&key);
        drop(key);
        let mut client = connect(&server, 1);
        drop(server);
        assert!(client.ping(b"anybody there?").is_err());
    }
}
