//! What a client makes of the ways in which a key can answer, and not answer.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod scripted;

use std::io::{self, Read, Write};

use ctap::client_pin::Permissions;
use ctap::command::{Bare, GetAssertion};
use ctap::hid::{Channel, Command, ErrorCode, MESSAGE_LENGTH_MAX, Message};
use ctap::webauthn::{self, AuthenticationOptions};
use ctap::{Client, Error, Pin, Status};
use scripted::{Notes, Say, client, info};
use sha2::{Digest, Sha256};
use types::SeededEntropy;

const FIDO_2_1: [&str; 2] = ["FIDO_2_0", "FIDO_2_1"];

fn current() -> Vec<u8> {
    info(&FIDO_2_1, &["hmac-secret"])
}

#[test]
fn a_person_is_told_to_touch_when_the_key_waits_and_not_before() {
    let check = |says: Vec<Say>, expect: &[&str]| {
        let mut client = client(current(), move |_| says.clone());
        let notes = Notes::default();
        client.attend(notes.clone());
        drop(client.call(&Bare::Selection));
        assert_eq!(*notes.told.lock().unwrap(), expect);
    };
    let done = || Say::Reply(vec![]);
    check(vec![done()], &[]);
    check(vec![Say::Busy, Say::Busy, done()], &[]);
    check(
        vec![Say::Busy, Say::TouchMe, Say::TouchMe, Say::Busy, done()],
        &["touch", "over"],
    );
    check(vec![Say::TouchMe, Say::Gone], &["touch", "over"]);
    check(
        vec![Say::TouchMe, Say::Refuse(Status::OPERATION_DENIED)],
        &["touch", "over"],
    );
}

#[test]
fn who_has_had_enough_gives_the_request_up() {
    let mut client = client(current(), |_| vec![Say::TouchMe; 20]);
    let notes = Notes {
        patience: Some(3),
        ..Notes::default()
    };
    client.attend(notes.clone());
    let cancelled = client.call(&Bare::Selection).unwrap_err();
    assert_eq!(cancelled.status(), Some(Status::KEEPALIVE_CANCEL));
    assert_eq!(*notes.told.lock().unwrap(), ["touch", "over"]);
}

#[test]
fn every_end_of_a_wait_has_words() {
    let check = |says: &[Say], expect: &str| {
        let says = says.to_vec();
        let mut client = client(current(), move |_| says.clone());
        let words = client.call(&Bare::Selection).unwrap_err().to_string();
        assert!(words.contains(expect), "no '{expect}' in {words}");
    };
    check(&[Say::TouchMe, Say::Gone], "was removed");
    check(&[Say::TouchMe, Say::Nothing], "does not answer");
    check(
        &[Say::Refuse(Status::USER_ACTION_TIMEOUT)],
        "nobody touched",
    );
    check(&[Say::Refuse(Status::OPERATION_DENIED)], "declined");
    check(&[Say::Refuse(Status::NO_CREDENTIALS)], "no credential");
    check(
        &[Say::TransportError(ErrorCode::CHANNEL_BUSY)],
        "another program",
    );
    check(
        &[Say::TransportError(ErrorCode::INVALID_CHANNEL)],
        "try again",
    );
}

#[test]
fn a_touch_tells_keys_apart_with_selection_or_without() {
    let check = |versions: &[&str], answer: Say, expect: Option<u8>| {
        let mut client = client(info(versions, &[]), move |_| vec![answer.clone()]);
        let outcome = client.select();
        assert_eq!(outcome.is_ok(), expect.is_some(), "{versions:?}");
        let stream = client.into_stream();
        let requests = stream.requests.lock().unwrap();
        if let Some(code) = expect {
            assert_eq!(requests.last().unwrap()[0], code);
        }
    };
    let refuse = Say::Refuse;
    check(&FIDO_2_1, Say::Reply(vec![]), Some(0x0B));
    check(&["FIDO_2_3"], Say::Reply(vec![]), Some(0x0B));
    check(&FIDO_2_1, refuse(Status::OPERATION_DENIED), None);
    for old in ["FIDO_2_0", "FIDO_2_1_PRE"] {
        check(&[old], refuse(Status::PIN_NOT_SET), Some(0x01));
        check(&[old], refuse(Status::PIN_INVALID), Some(0x01));
        check(&[old], refuse(Status::PIN_AUTH_INVALID), Some(0x01));
        check(&[old], refuse(Status::USER_ACTION_TIMEOUT), None);
    }
}

/// A key that other programs talk to on the broadcast channel: their answer, then the report in question.
struct Crowded(Vec<u8>);

impl Read for Crowded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = (&self.0[..]).read(buffer)?;
        self.0.drain(..length);
        Ok(length)
    }
}

impl Write for Crowded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_key_that_is_busy_with_another_program_is_said_to_be() {
    let of_others = Message::new(Channel::BROADCAST, Command::INIT, vec![7; 17]);
    let busy = Message::error(Channel::BROADCAST, ErrorCode::CHANNEL_BUSY);
    let other = Message::error(Channel::BROADCAST, ErrorCode::INVALID_LEN);
    let check = |messages: &[&Message], expect: &str| {
        let reports = messages
            .iter()
            .flat_map(|message| message.to_reports().unwrap());
        let stream = Crowded(reports.flatten().collect());
        let refused = Client::open(stream, Box::new(SeededEntropy::new(1))).unwrap_err();
        assert!(refused.to_string().contains(expect), "{refused}");
    };
    check(&[&of_others, &busy], "another program is using the key");
    check(&[&of_others, &other], "was removed");
}

#[test]
fn credentials_are_managed_under_the_number_that_the_key_knows() {
    let check = |option: &str, expect: Option<u8>| {
        let mut info = current();
        let at = info
            .windows(8)
            .position(|part| part == b"credMgmt")
            .unwrap();
        info[at - 1] = 0x60 | u8::try_from(option.len().min(23)).unwrap();
        info.splice(at..at + 8, option.bytes());
        let mut client = client(info, |request| match request {
            [0x06, ..] if request[5] == 2 => vec![Say::Reply(KEY_AGREEMENT.to_vec())],
            [0x06, ..] => vec![Say::Reply([&b"\xA1\x02\x58\x30"[..], &[7; 48]].concat())],
            // Nothing is stored, and there is room for one.
            _ => vec![Say::Reply(vec![0xA2, 1, 0, 2, 1])],
        });
        let pin = Pin::new("123456".to_owned()).unwrap();
        let listed = client.credentials(&pin);
        assert_eq!(listed.is_ok(), expect.is_some(), "{option}");
        if let Some(code) = expect {
            let stream = client.into_stream();
            assert_eq!(stream.requests.lock().unwrap().last().unwrap()[0], code);
        }
    };
    check("credMgmt", Some(0x0A));
    check("credentialMgmtPreview", Some(0x41));
    check("somethingElse", None);
}

#[test]
fn refused_pins_come_with_the_tries_that_are_left() {
    let check = |status: Status, left: u8, expect: &str| {
        let mut client = client(current(), move |request| {
            // clientPIN's subcommand is the second entry: 06 A2 01 02 02 NN.
            match request[5] {
                1 => vec![Say::Reply(vec![0xA1, 0x03, left])],
                2 => vec![Say::Reply(KEY_AGREEMENT.to_vec())],
                _ => vec![Say::Refuse(status)],
            }
        });
        let pin = Pin::new("000000".to_owned()).unwrap();
        let refused = client.token(&pin, Permissions::GET_ASSERTION, Some("a.example"));
        let refused = refused.unwrap_err();
        assert_eq!(refused.status(), Some(status));
        let words = refused.to_string();
        assert!(words.contains(expect), "no '{expect}' in {words}");
        assert!(!words.contains("000000"));
    };
    check(Status::PIN_INVALID, 7, "wrong (7 tries are left)");
    check(Status::PIN_INVALID, 1, "one try is left");
    check(Status::PIN_AUTH_BLOCKED, 5, "remove the key and insert it");
    check(Status::PIN_BLOCKED, 0, "only a reset");
}

#[test]
fn a_pin_that_must_be_changed_is_not_tried() {
    // Field 12 of getInfo, forcePINChange.
    let mut info = current();
    info[0] += 1;
    info.extend([0x0C, 0xF5]);
    let mut client = client(info, |_| vec![]);
    let pin = Pin::new("123456".to_owned()).unwrap();
    let refused = client.token(&pin, Permissions::GET_ASSERTION, Some("a.example"));
    assert!(matches!(refused, Err(Error::PinMustChange)));
}

/// P-256's base point, as a key agreement.
const KEY_AGREEMENT: &[u8] = b"\xA1\x01\xA5\x01\x02\x03\x38\x18\x20\x01\
    \x21\x58\x20\x6b\x17\xd1\xf2\xe1\x2c\x42\x47\xf8\xbc\xe6\xe5\x63\xa4\x40\xf2\x77\x03\x7d\x81\x2d\xeb\x33\xa0\xf4\xa1\x39\x45\xd8\x98\xc2\x96\
    \x22\x58\x20\x4f\xe3\x42\xe2\xfe\x1a\x7f\x9b\x8e\xe7\xeb\x4a\x7c\x0f\x9e\x16\x2b\xce\x33\x57\x6b\x31\x5e\xce\xcb\xb6\x40\x68\x37\xbf\x51\xf5";

/// An assertion of three fields by hand: credential, authenticator data, signature.
fn assertion(rp_id_hash: [u8; 32], flags: u8, name: &str, total: u8) -> Vec<u8> {
    let mut bytes = b"\xA5\x01\xA2\x62id\x41".to_vec();
    bytes.push(name.as_bytes()[0]);
    bytes.extend(b"\x64type\x6Apublic-key\x02\x58\x25");
    bytes.extend(rp_id_hash);
    bytes.extend([flags, 0, 0, 0, 1]);
    bytes.extend(b"\x03\x41\x09\x04\xA2\x62id\x41\x01\x64name");
    bytes.push(0x60 | u8::try_from(name.len()).unwrap());
    bytes.extend(name.as_bytes());
    bytes.extend([0x05, total]);
    bytes
}

fn rp_id_hash() -> [u8; 32] {
    Sha256::digest("a.example").into()
}

fn options(user_verification: bool) -> AuthenticationOptions {
    AuthenticationOptions {
        rp_id: "a.example".to_owned(),
        challenge: vec![1],
        origin: "https://a.example".to_owned(),
        allow: Vec::new(),
        user_verification,
        salts: None,
    }
}

/// A key that takes every PIN and signs with these authenticator data.
fn signing(
    rp_id_hash: [u8; 32],
    flags: u8,
    names: &'static [&'static str],
) -> ctap::Client<scripted::Scripted> {
    let mut names = names.iter();
    let total = u8::try_from(names.len()).unwrap();
    client(current(), move |request| match request {
        [0x06, ..] if request[5] == 2 => vec![Say::Reply(KEY_AGREEMENT.to_vec())],
        // 32 bytes of token under a random IV.
        [0x06, ..] => vec![Say::Reply([&b"\xA1\x02\x58\x30"[..], &[7; 48]].concat())],
        _ => {
            let name = names.next().unwrap();
            vec![Say::Reply(assertion(rp_id_hash, flags, name, total))]
        }
    })
}

#[test]
fn an_answer_without_verification_never_passes_for_one_with_it() {
    const NAMES: &[&str] = &["ada"];
    let check = |rp_id_hash, flags, verify: bool, expect: Option<&str>| {
        let mut client = signing(rp_id_hash, flags, NAMES);
        let pin = Pin::new("123456".to_owned()).unwrap();
        let signed = webauthn::authenticate_one(&mut client, &options(verify), Some(&pin));
        let why = signed.err().map(|error| error.to_string());
        match (why, expect) {
            (None, None) => (),
            (Some(why), Some(expect)) => assert!(why.contains(expect), "{why}"),
            other => panic!("{other:?}"),
        }
    };
    check(rp_id_hash(), 0x05, true, None);
    check(rp_id_hash(), 0x01, false, None);
    check(rp_id_hash(), 0x05, false, None);
    check(rp_id_hash(), 0x01, true, Some("not verified"));
    check(rp_id_hash(), 0x04, true, Some("nobody touched"));
    check([3; 32], 0x05, true, Some("another relying party"));
}

#[test]
fn of_several_accounts_the_person_chooses() {
    const NAMES: &[&str] = &["grace", "ada", "testuser"];
    let check = |choice, expect: Option<&[u8]>| {
        let mut client = signing(rp_id_hash(), 0x05, NAMES);
        let notes = Notes {
            choice,
            ..Notes::default()
        };
        client.attend(notes.clone());
        let pin = Pin::new("123456".to_owned()).unwrap();
        let signed = webauthn::authenticate_one(&mut client, &options(true), Some(&pin));
        assert_eq!(*notes.told.lock().unwrap(), ["grace ada testuser"]);
        match (signed, expect) {
            (Ok(signed), Some(expect)) => assert_eq!(signed.assertion.credential_id, expect),
            (Err(Error::NotChosen(names)), None) => assert_eq!(names, NAMES),
            (other, _) => panic!("{other:?}"),
        }
    };
    check(Some(0), Some(b"g"));
    check(Some(2), Some(b"t"));
    check(Some(3), None);
    check(None, None);
}

#[test]
fn replies_of_many_reports_arrive_whole() {
    // getInfo with a list of texts that fills the longest message of CTAPHID.
    for length in [100, 1_000, MESSAGE_LENGTH_MAX - 60] {
        let long = "x".repeat(length);
        let mut reply = vec![0xA2, 0x01, 0x81, 0x79];
        reply.extend(u16::try_from(length).unwrap().to_be_bytes());
        reply.extend(long.as_bytes());
        reply.extend([0x03, 0x50]);
        reply.extend([9; 16]);
        let client = client(reply, |_| vec![]);
        assert_eq!(client.info().versions, [long]);
    }
}

/// Field 7 of getInfo: two credentials in a list; field 8: ids of up to 4 bytes. Each request's list, and whether it
/// wants a touch, is written down.
#[test]
fn long_lists_are_asked_in_parts_silently_and_too_long_ids_not_at_all() {
    let check = |allow: &[&[u8]], asked: &[(usize, bool)], expect: Result<&[u8], Status>| {
        let mut info = current();
        info[0] += 2;
        info.extend([0x07, 0x02, 0x08, 0x04]);
        let mut client = client(info, |request| {
            let holds_ours = request.windows(5).any(|part| part == b"\x62id\x41\x6f");
            match holds_ours {
                true => vec![Say::Reply(assertion(rp_id_hash(), 0x01, "ours", 1))],
                false => vec![Say::Refuse(Status::NO_CREDENTIALS)],
            }
        });
        let request = GetAssertion {
            rp_id: "a.example".to_owned(),
            client_data_hash: [1; 32],
            allow: allow.iter().map(|id| id.to_vec()).collect(),
            user_presence: true,
            salts: None,
            proof: None,
        };
        let signed = client.get_assertions(request, None, None);
        match (signed, expect) {
            (Ok(signed), Ok(id)) => assert_eq!(signed[0].0.credential_id, id),
            (Err(error), Err(status)) => assert_eq!(error.status(), Some(status)),
            (other, _) => panic!("{other:?}"),
        }
        let stream = client.into_stream();
        let requests = stream.requests.lock().unwrap();
        let told = requests.iter().skip(1).map(|request| {
            let count = request
                .windows(10)
                .filter(|part| part == b"public-key")
                .count();
            let is_silent = request.windows(4).any(|part| part == b"\x62up\xF4");
            (count, !is_silent)
        });
        let told: Vec<_> = told.collect();
        assert_eq!(told, asked);
    };
    let (ours, other, long): (&[u8], &[u8], &[u8]) = (b"o", b"x", b"longer");
    let none = Err(Status::NO_CREDENTIALS);
    check(&[ours], &[(1, true)], Ok(ours));
    check(&[other, ours], &[(2, true)], Ok(ours));
    check(&[ours, other, other], &[(2, false), (1, true)], Ok(ours));
    check(
        &[other, other, ours],
        &[(2, false), (1, false), (1, true)],
        Ok(ours),
    );
    check(&[other, other, other], &[(2, false), (1, false)], none);
    check(&[long, ours, long], &[(1, true)], Ok(ours));
    check(&[long, long], &[], none);
}

#[test]
fn requests_that_the_key_cannot_take_are_not_sent() {
    let mut client = client(current(), |_| vec![Say::Reply(vec![])]);
    let request = GetAssertion {
        rp_id: "a.example".to_owned(),
        client_data_hash: [1; 32],
        allow: vec![vec![1; 200]; 10],
        user_presence: true,
        salts: None,
        proof: None,
    };
    let refused = client.call(&request).unwrap_err();
    assert!(
        matches!(refused, Error::TooLong { longest: 1024, .. }),
        "{refused}"
    );
    let stream = client.into_stream();
    assert_eq!(stream.requests.lock().unwrap().len(), 1, "getInfo alone");
}
