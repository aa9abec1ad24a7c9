//! Conversations over a real socket: identity, order, abandoned searches.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "helpers of tests, which clippy does not take for tests; a test opens its own sockets"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use directory::provision::{self, Plan};
use directory::serve::{Options, Server, Transport};
use directory::{AddRequest, Directory, Operation, Session};
use ldap::{
    Authentication, BindRequest, Filter, Framer, LdapResult, Limits, Message, Operation as Ldap,
    ResultCode, Scope, SearchRequest,
};
use types::{SeededEntropy, Timestamp, VirtualClock};

const PASSWORD: &str = "Correct-Horse-2026";
const DOMAIN: &str = "DC=corp,DC=contoso,DC=com";

struct Client {
    stream: TcpStream,
    framer: Framer,
    _runtime: tokio::runtime::Runtime,
}

/// A client of a fresh directory with `count` users.
fn client(count: usize) -> Client {
    let clock = Arc::new(VirtualClock::new(Timestamp::from_unix_seconds(
        1_780_000_000,
    )));
    let mut own = directory::Options::new(clock, Box::new(SeededEntropy::new(1)));
    own.password_rounds = 100;
    let directory = Directory::in_memory(own).unwrap();
    provision::provision(&directory, &Plan::example(PASSWORD)).unwrap();
    let users = (0..count).map(user).collect();
    directory.apply_all(&Session::system(), users).unwrap();
    let server = Server::new(directory, Options::default());
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
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    Client {
        stream,
        framer: Framer::new(),
        _runtime: runtime,
    }
}

fn user(number: usize) -> Operation {
    let name = format!("user{number:05}");
    let dn = format!("CN={name},OU=Users,{DOMAIN}").parse().unwrap();
    Operation::Add(
        AddRequest::new(dn)
            .with("objectClass", ["user"])
            .with("sAMAccountName", [name.as_str()])
            .with("description", ["x".repeat(500)]),
    )
}

impl Client {
    fn send(&mut self, messages: impl IntoIterator<Item = Message>) {
        let bytes: Vec<u8> = messages
            .into_iter()
            .flat_map(|message| message.encode())
            .collect();
        self.stream.write_all(&bytes).unwrap();
    }

    /// The next message, or `None` when the server has hung up.
    fn receive(&mut self) -> Option<Message> {
        loop {
            if let Some(frame) = self.framer.next_frame(1 << 24).unwrap() {
                return Some(Message::decode(frame, &Limits::default()).unwrap());
            }
            let mut buffer = vec![0; 64 << 10];
            let count = self.stream.read(&mut buffer).unwrap();
            if count == 0 {
                return None;
            }
            self.framer.push(buffer.get(..count).unwrap());
        }
    }

    /// Everything up to the result of message `id`: the number of entries, and the result.
    fn result(&mut self, id: u32) -> (usize, LdapResult) {
        let mut entries = 0;
        loop {
            let message = self.receive().expect("a reply");
            assert_eq!(message.id, id, "{message:?}");
            match message.operation {
                Ldap::SearchResultEntry(_) => entries += 1,
                Ldap::SearchResultDone(result) => return (entries, result),
                Ldap::BindResponse(bind) => return (entries, bind.result),
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    #[track_caller]
    fn check(&mut self, message: Message, entries: usize, code: ResultCode) {
        let id = message.id;
        self.send([message]);
        let (found, result) = self.result(id);
        assert_eq!((found, result.code), (entries, code), "{}", result.message);
    }
}

fn bind(id: u32, password: &str) -> Message {
    Message::new(
        id,
        Ldap::BindRequest(BindRequest {
            version: 3,
            name: "CORP\\testuser".to_owned(),
            authentication: Authentication::Simple(password.as_bytes().to_vec().into()),
        }),
    )
}

fn search(id: u32, filter: &str) -> Message {
    let search = SearchRequest::new(DOMAIN, Scope::WholeSubtree, filter.parse().unwrap());
    Message::new(id, Ldap::SearchRequest(search))
}

fn root_dse(id: u32) -> Message {
    let search = SearchRequest::new("", Scope::BaseObject, Filter::any_object());
    Message::new(id, Ldap::SearchRequest(search))
}

#[test]
fn a_bind_that_fails_takes_the_old_identity_away() {
    let mut client = client(0);
    let me = || search(0, "(sAMAccountName=testuser)");
    client.check(bind(0, PASSWORD), 0, ResultCode::SUCCESS);
    client.check(me(), 1, ResultCode::SUCCESS);
    client.check(bind(2, "wrong"), 0, ResultCode::INVALID_CREDENTIALS);
    client.check(me(), 0, ResultCode::OPERATIONS_ERROR);
    client.check(bind(3, PASSWORD), 0, ResultCode::SUCCESS);
    client.check(me(), 1, ResultCode::SUCCESS);
}

#[test]
fn requests_sent_together_are_answered_in_order() {
    let mut client = client(50);
    client.send([
        bind(1, PASSWORD),
        // This one has no index to help it and goes to another thread; the next ones wait for it.
        search(2, "(description=*x)"),
        search(3, "(sAMAccountName=user00007)"),
        root_dse(4),
    ]);
    assert_eq!(client.result(1).1.code, ResultCode::SUCCESS);
    assert_eq!(client.result(2).0, 50);
    assert_eq!(client.result(3).0, 1);
    assert_eq!(client.result(4).0, 1);
}

#[test]
fn after_an_unbind_nothing_is_said() {
    let mut client = client(200);
    client.check(bind(1, PASSWORD), 0, ResultCode::SUCCESS);
    client.send([
        search(2, "(description=*x)"),
        root_dse(3),
        Message::new(4, Ldap::UnbindRequest),
        root_dse(5),
    ]);
    assert!(client.receive().is_none());
}

#[test]
fn an_abandoned_search_is_not_answered() {
    let mut client = client(200);
    client.check(bind(1, PASSWORD), 0, ResultCode::SUCCESS);
    client.send([
        search(2, "(description=*x)"),
        Message::new(3, Ldap::AbandonRequest(2)),
        root_dse(4),
    ]);
    assert_eq!(client.result(4).0, 1);
    // Another id's abandon changes nothing.
    client.send([
        search(5, "(description=*x)"),
        Message::new(6, Ldap::AbandonRequest(99)),
    ]);
    assert_eq!(client.result(5).0, 200);
}
