//! Hostile input over a real socket: whatever arrives, the server answers or hangs up, and serves the next client.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "helpers of tests, which clippy does not take for tests; a test opens its own sockets"
)]

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use directory::Directory;
use directory::serve::{Options, Server, Transport};
use ldap::{Filter, Limits, Message, Operation, ResultCode, Scope, SearchRequest};
use types::{SeededEntropy, Timestamp, VirtualClock};

struct Served {
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

fn served(options: Options) -> Served {
    let clock = Arc::new(VirtualClock::new(Timestamp::from_unix_seconds(
        1_780_000_000,
    )));
    let own = directory::Options::new(clock, Box::new(SeededEntropy::new(1)));
    let server = Server::new(Directory::in_memory(own).unwrap(), options);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async move { server.serve_listener(listener, Transport::Plain).await });
    Served {
        address,
        _runtime: runtime,
    }
}

impl Served {
    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream
    }

    /// Sends `bytes`, closes our side, and reads all that is said.
    fn says(&self, bytes: &[u8]) -> Vec<Message> {
        let mut stream = self.connect();
        // The server may have hung up before it has all of it.
        let _sent = stream.write_all(bytes);
        let _closed = stream.shutdown(Shutdown::Write);
        replies(stream)
    }

    /// The server still works.
    fn check_alive(&self) {
        let replies = self.says(&root_dse(1));
        assert_eq!(replies.len(), 2, "{replies:?}");
    }
}

fn replies(mut stream: TcpStream) -> Vec<Message> {
    let mut bytes = Vec::new();
    let _ended = stream.read_to_end(&mut bytes);
    let mut framer = ldap::Framer::new();
    framer.push(&bytes);
    let mut messages = Vec::new();
    while let Ok(Some(frame)) = framer.next_frame(1 << 20) {
        messages.push(Message::decode(frame, &Limits::default()).unwrap());
    }
    messages
}

fn root_dse(id: u32) -> Vec<u8> {
    let search = SearchRequest::new("", Scope::BaseObject, Filter::any_object());
    Message::new(id, Operation::SearchRequest(search)).encode()
}

fn search(filter: Filter) -> Vec<u8> {
    let search = SearchRequest::new("", Scope::BaseObject, filter);
    Message::new(1, Operation::SearchRequest(search)).encode()
}

/// A search whose filter is `depth` negations of a presence.
fn deep_search(depth: usize) -> Vec<u8> {
    let mut filter = vec![0x87, 1, b'a'];
    let mut heads = Vec::new();
    let mut length = filter.len();
    for _ in 0..depth {
        let [a, b, c, d] = u32::try_from(length).unwrap().to_be_bytes();
        heads.push([0xA2, 0x84, a, b, c, d]);
        length += 6;
    }
    let mut nested: Vec<u8> = heads.into_iter().rev().flatten().collect();
    nested.append(&mut filter);
    let wrap = |tag: u8, content: &[u8]| {
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x84][..], &length, content].concat()
    };
    let head = [4, 0, 10, 1, 0, 10, 1, 0, 2, 1, 0, 2, 1, 0, 1, 1, 0];
    let search = wrap(0x63, &[&head[..], &nested, &[0x30, 0]].concat());
    wrap(0x30, &[&[2, 1, 1][..], &search].concat())
}

#[track_caller]
fn check_notice(served: &Served, bytes: &[u8]) {
    let said = served.says(bytes);
    let Some(Message {
        id: 0,
        operation: Operation::ExtendedResponse(notice),
        ..
    }) = said.last()
    else {
        panic!("no notice of disconnection: {said:?}")
    };
    assert_eq!(notice.result.code, ResultCode::PROTOCOL_ERROR);
    assert_eq!(
        notice.oid.as_deref(),
        Some(ldap::extended::NOTICE_OF_DISCONNECTION)
    );
    served.check_alive();
}

#[test]
fn what_is_no_ldap_is_told_so_and_hung_up_on() {
    let served = served(Options::default());
    check_notice(&served, b"GET / HTTP/1.1\r\nHost: dc1\r\n\r\n");
    check_notice(&served, &[0x30, 0x80, 0, 0]);
    check_notice(&served, &[0x30, 0x03, 2, 1, 1]);
    check_notice(&served, &[0x30, 0x05, 2, 1, 1, 0x7F, 0]);
    check_notice(&served, &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3]);
    // A bind whose inner lengths lie.
    check_notice(
        &served,
        &[0x30, 0x0C, 2, 1, 1, 0x60, 0x7F, 2, 1, 3, 4, 0, 0x80, 0],
    );
}

#[test]
fn bombs_do_not_go_off() {
    let served = served(Options::default());
    // Announced lengths are not believed: nothing is set aside for them.
    check_notice(&served, &[0x30, 0x84, 0x7F, 0xFF, 0xFF, 0xFF]);
    check_notice(
        &served,
        &[0x30, 0x88, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xF0],
    );
    check_notice(&served, &[0x30, 0x84, 0x00, 0x98, 0x96, 0x80]);
    // Many empty parts, which take more memory than they took on the wire.
    check_notice(
        &served,
        &search(Filter::And(vec![Filter::And(Vec::new()); 5_000])),
    );
    // The last is as deep as a message may be long.
    for depth in [40, 1_000, 40_000] {
        check_notice(&served, &deep_search(depth));
    }
}

#[test]
fn half_messages_wait_and_cost_nothing() {
    let served = served(Options::default());
    let whole = root_dse(5);
    let (head, tail) = whole.split_at(whole.len() / 2);
    let mut patient = served.connect();
    patient.write_all(head).unwrap();
    let waiting: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = served.connect();
            stream.write_all(&whole[..3]).unwrap();
            stream
        })
        .collect();
    served.check_alive();
    patient.write_all(tail).unwrap();
    patient.shutdown(Shutdown::Write).unwrap();
    assert_eq!(replies(patient).len(), 2);
    drop(waiting);
    served.check_alive();
}

#[test]
fn messages_in_pieces_and_in_heaps_are_the_same_messages() {
    let served = served(Options::default());
    let many: Vec<u8> = (1..=20).flat_map(root_dse).collect();
    assert_eq!(served.says(&many).len(), 40);
    let mut stream = served.connect();
    stream.set_nodelay(true).unwrap();
    for byte in root_dse(9) {
        stream.write_all(&[byte]).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(replies(stream).len(), 2);
}

#[test]
fn clients_that_stall_are_let_go() {
    let options = Options {
        receive_time_max: Duration::from_millis(200),
        ..Options::default()
    };
    let served = served(options);
    let mut half = served.connect();
    half.write_all(&[0x30, 0x84, 0, 0]).unwrap();
    let silent = served.connect();
    // Both reads end because the server hangs up, long before their own time-out.
    assert!(replies(half).is_empty());
    assert!(replies(silent).is_empty());
    served.check_alive();
}

#[test]
fn connections_beyond_the_limit_are_told_to_come_back() {
    let served = served(Options {
        connections_max: 2,
        ..Options::default()
    });
    let mut kept: Vec<TcpStream> = (0..2).map(|_| served.connect()).collect();
    // An answer on each shows that both have their place.
    for stream in &mut kept {
        stream.write_all(&root_dse(1)).unwrap();
        stream.read_exact(&mut [0]).unwrap();
    }
    let refused = replies(served.connect());
    let Some(Operation::ExtendedResponse(notice)) = refused.first().map(|m| &m.operation) else {
        panic!("no notice: {refused:?}")
    };
    assert_eq!(notice.result.code, ResultCode::BUSY);
    drop(kept);
    // A place is free again as soon as the server has noticed.
    let free = (0..1_000).any(|_| served.says(&root_dse(1)).len() == 2);
    assert!(free, "no place became free");
}

#[test]
fn start_tls_without_a_certificate_is_refused_and_the_talk_goes_on() {
    let served = served(Options::default());
    let request = ldap::ExtendedRequest {
        oid: ldap::extended::START_TLS.to_owned(),
        value: None,
    };
    let start = Message::new(1, Operation::ExtendedRequest(request)).encode();
    let said = served.says(&[start, root_dse(2)].concat());
    assert_eq!(said.len(), 3);
}
