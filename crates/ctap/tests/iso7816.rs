//! Both ends of ISO 7816 framing against each other, and hostile cards and readers.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use std::io;

use ctap::hid::{KeepaliveStatus, MESSAGE_LENGTH_MAX};
use ctap::iso7816::{
    AID, Apdu, Applet, Card, CardStream, Error, Event, Exchange, Progress, StatusWord, exchange,
};
use ctap::{Client, Status};
use proptest::prelude::*;
use types::SeededEntropy;

/// An applet that answers each request with what `reply` makes of it.
struct Echo<F>(Applet, F);

impl<F: FnMut(&[u8]) -> Vec<u8>> Card for Echo<F> {
    fn transmit(&mut self, command: &[u8]) -> io::Result<Vec<u8>> {
        Ok(match self.0.receive(command) {
            Event::Reply(reply) => reply,
            Event::Request(request) => {
                let reply = (self.1)(&request);
                self.0.answer(reply)
            }
        })
    }
}

fn selected<F: FnMut(&[u8]) -> Vec<u8>>(reply: F) -> Echo<F> {
    let mut card = Echo(Applet::default(), reply);
    let answer = card.transmit(&exchange::select()).unwrap();
    assert_eq!(exchange::selected(&answer), Ok(&b"FIDO_2_0"[..]));
    card
}

fn run(card: &mut impl Card, request: &[u8]) -> Result<Vec<u8>, Error> {
    let mut exchange = Exchange::new(request.to_vec());
    loop {
        let answer = card.transmit(&exchange.command()).unwrap();
        if let Progress::Done(reply) = exchange.receive(&answer)? {
            return Ok(reply);
        }
    }
}

fn word(answer: &[u8]) -> StatusWord {
    StatusWord::split(answer).unwrap().1
}

#[test]
fn commands_are_those_of_the_specification() {
    let select = [&[0x00, 0xA4, 0x04, 0x00, 0x08][..], &AID, &[0x00]].concat();
    assert_eq!(exchange::select(), select);
    let info = Exchange::new(vec![0x04]).command();
    assert_eq!(info, [0x80, 0x10, 0x80, 0x00, 0x01, 0x04, 0x00]);
    let mut long = Exchange::new(vec![1; 300]);
    assert_eq!(long.command()[..5], [0x90, 0x10, 0x80, 0x00, 0xFF]);
    assert_eq!(long.command().len(), 5 + 255, "no answer is expected yet");
    assert_eq!(long.receive(&[0x90, 0x00]), Ok(Progress::More));
    assert_eq!(long.command()[..5], [0x80, 0x10, 0x80, 0x00, 45]);
    assert_eq!(long.receive(&[1, 2, 0x61, 0x03]), Ok(Progress::More));
    assert_eq!(long.command(), [0x00, 0xC0, 0x00, 0x00, 0x03]);
    assert_eq!(
        long.receive(&[3, 4, 5, 0x90, 0x00]),
        Ok(Progress::Done(vec![1, 2, 3, 4, 5]))
    );
}

#[test]
fn a_card_that_waits_is_asked_again_and_can_be_told_to_stop() {
    let mut exchange = Exchange::new(vec![0x0B]);
    let waiting = Ok(Progress::Waiting(KeepaliveStatus::UP_NEEDED));
    assert_eq!(exchange.receive(&[0x02, 0x91, 0x00]), waiting);
    assert_eq!(exchange.command(), [0x80, 0x11, 0x00, 0x00, 0x00]);
    assert_eq!(exchange.receive(&[0x02, 0x91, 0x00]), waiting);
    exchange.cancel();
    assert_eq!(exchange.command(), [0x80, 0x11, 0x11, 0x00, 0x00]);
    let done = exchange.receive(&[Status::KEEPALIVE_CANCEL.0, 0x90, 0x00]);
    assert_eq!(done, Ok(Progress::Done(vec![Status::KEEPALIVE_CANCEL.0])));
}

#[test]
fn answers_that_break_the_rules_end_the_exchange() {
    let check = |answers: &[&[u8]], expect: Error| {
        let mut exchange = Exchange::new(vec![0x04]);
        let outcomes: Vec<_> = answers
            .iter()
            .map(|answer| exchange.receive(answer))
            .collect();
        assert_eq!(outcomes.last().unwrap().clone().unwrap_err(), expect);
    };
    check(&[&[]], Error::Short(0));
    check(&[&[0x90]], Error::Short(1));
    check(
        &[&[0x6D, 0x00]],
        Error::Refused(StatusWord::WRONG_INSTRUCTION),
    );
    check(&[&[0x61, 0x10], &[0x61, 0x10]], Error::Endless);
    let piece = [&[7; 256][..], &[0x61, 0x00]].concat();
    check(&vec![&piece[..]; 30], Error::Endless);
    assert_eq!(exchange::selected(&[0x6A, 0x82]), Err(Error::NoApplet));
    assert_eq!(
        exchange::selected(&[0x69, 0x85]),
        Err(Error::Refused(StatusWord::CONDITIONS))
    );
}

#[test]
fn a_reader_that_breaks_the_rules_is_turned_away() {
    let mut card = Echo(Applet::default(), |request: &[u8]| request.to_vec());
    let mut check = |command: &[u8], expect: u16| {
        assert_eq!(
            word(&card.transmit(command).unwrap()).0,
            expect,
            "{command:02x?}"
        );
    };
    // Nothing before the selection.
    check(&[0x80, 0x10, 0, 0, 1, 4, 0], 0x6985);
    check(&[0x00, 0xA4, 0x04, 0, 2, 1, 2, 0], 0x6A82);
    check(&exchange::select(), 0x9000);
    check(&[0x80, 0x10, 0, 0, 1, 4, 0], 0x9000);
    check(&[0x80, 0x10, 0, 0], 0x6700);
    check(&[0x80, 0x10, 0, 0, 9, 4], 0x6700);
    check(&[0x00, 0xC0, 0, 0, 0], 0x6985);
    check(&[0x00, 0x03, 0, 0, 0], 0x6D00);
    check(&[0x70, 0x10, 0, 0, 0], 0x6E00);
    // A chain longer than any message of CTAP.
    let piece = [&[0x90, 0x10, 0, 0, 255][..], &[1; 255]].concat();
    for _ in 0..MESSAGE_LENGTH_MAX / 255 {
        check(&piece, 0x9000);
    }
    check(&piece, 0x6700);
    // The end of the conversation needs a selection again.
    check(&[0x80, 0x12, 0x01, 0], 0x9000);
    check(&[0x80, 0x10, 0, 0, 1, 4, 0], 0x6985);
}

#[test]
fn extended_length_gets_the_whole_reply_at_once() {
    let mut card = selected(|_| vec![7; 1_000]);
    let command = [0x80, 0x10, 0, 0, 0, 0, 1, 4, 0, 0];
    let answer = card.transmit(&command).unwrap();
    assert_eq!((answer.len(), word(&answer)), (1_002, StatusWord::OK));
    let limited = Apdu {
        expected: Some(100),
        ..Apdu::new(0x80, 0x10, 0, &[4])
    };
    let answer = card.transmit(&limited.to_short().unwrap()).unwrap();
    assert_eq!((answer.len(), word(&answer).0), (102, 0x6100));
}

#[test]
fn a_card_looks_like_a_key_on_usb() {
    let info = b"\xA2\x01\x81\x68FIDO_2_1\x03\x50\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09\x09";
    let card = Echo(Applet::default(), |request: &[u8]| match request {
        [0x04] => [&[0][..], info].concat(),
        [0x0B] => vec![0],
        _ => vec![Status::INVALID_COMMAND.0],
    });
    let stream = CardStream::open(card).unwrap();
    let mut client = Client::open(stream, Box::new(SeededEntropy::new(1))).unwrap();
    assert_eq!(client.info().aaguid, [9; 16]);
    client.select().unwrap();
    assert_eq!(client.ping(&[5; 500]).unwrap(), [5; 500]);
    let other = CardStream::open(Refusing).map(drop);
    assert!(other.unwrap_err().to_string().contains("no FIDO applet"));
}

struct Refusing;

impl Card for Refusing {
    fn transmit(&mut self, _: &[u8]) -> io::Result<Vec<u8>> {
        Ok(vec![0x6A, 0x82])
    }
}

proptest! {
    #[test]
    fn requests_and_replies_of_every_length_pass(
        request in proptest::collection::vec(any::<u8>(), 1..2_000),
        length in 1_usize..MESSAGE_LENGTH_MAX,
    ) {
        let reply = vec![0xAB; length];
        let (expect, answer) = (request.clone(), reply.clone());
        let mut card = selected(move |got| {
            assert_eq!(got, expect);
            answer.clone()
        });
        prop_assert_eq!(run(&mut card, &request), Ok(reply));
    }

    #[test]
    fn any_commands_are_survived(
        commands in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)
    ) {
        let mut card = selected(|request| request.to_vec());
        for command in commands {
            prop_assert!(card.transmit(&command).unwrap().len() >= 2);
        }
    }

    #[test]
    fn any_answers_are_survived(
        answers in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..20)
    ) {
        let mut exchange = Exchange::new(vec![4; 600]);
        for answer in answers {
            drop(exchange.receive(&answer));
            prop_assert!(exchange.command().len() >= 4);
        }
    }
}
