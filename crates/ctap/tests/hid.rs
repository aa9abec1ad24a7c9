//! CTAPHID at both ends: what is cut can be put together, and nothing that arrives does harm.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use ctap::hid::{
    Assembler, Channel, Command, Device, ErrorCode, Event, Identity, KeepaliveStatus,
    MESSAGE_LENGTH_MAX, Message, Report,
};
use proptest::prelude::*;

const IDENTITY: Identity = Identity {
    version: [1, 2, 3],
    capabilities: 0x0D,
};
const OURS: Channel = Channel(7);

/// A device with one open channel.
fn device() -> Device {
    let mut device = Device::new(IDENTITY);
    let init = Message::new(Channel::BROADCAST, Command::INIT, vec![9; 8]);
    let reply = device.receive(&init.to_reports().unwrap()[0], || OURS);
    let payload = [&[9; 8][..], &[0, 0, 0, 7], &[2, 1, 2, 3, 0x0D]].concat();
    assert_eq!(
        reply,
        Event::Reply(Message::new(Channel::BROADCAST, Command::INIT, payload))
    );
    device
}

fn report(channel: Channel, rest: &[u8]) -> Report {
    let mut report = [0; 64];
    report[..4].copy_from_slice(&channel.0.to_be_bytes());
    report[4..4 + rest.len()].copy_from_slice(rest);
    report
}

fn error(channel: Channel, code: ErrorCode) -> Event {
    Event::Reply(Message::error(channel, code))
}

/// Feeds `reports` to a device with one channel and compares what the last one led to.
fn check(reports: &[Report], expect: Event) {
    let mut device = device();
    let events = reports
        .iter()
        .map(|report| device.receive(report, || Channel(8)));
    assert_eq!(events.last().unwrap(), expect);
}

#[test]
fn requests_are_answered_or_handed_on() {
    let ping = Message::new(OURS, Command::PING, b"hello".to_vec());
    check(&ping.to_reports().unwrap(), Event::Reply(ping.clone()));
    let wink = Message::new(OURS, Command::WINK, vec![]);
    check(&wink.to_reports().unwrap(), Event::Reply(wink.clone()));
    let long = Message::new(OURS, Command::CBOR, vec![4; MESSAGE_LENGTH_MAX]);
    check(&long.to_reports().unwrap(), Event::Request(long.clone()));
    check(&[report(OURS, &[0x91])], Event::Cancel(OURS));
    check(
        &[report(OURS, &[0x83, 0, 1])],
        error(OURS, ErrorCode::INVALID_CMD),
    );
}

#[test]
fn hostile_reports_get_the_error_of_the_specification() {
    let start = report(OURS, &[0x90, 0, 100]);
    check(
        &[report(OURS, &[0x90, 0, 0])],
        error(OURS, ErrorCode::INVALID_LEN),
    );
    check(
        &[report(OURS, &[0x90, 0xFF, 0xFF])],
        error(OURS, ErrorCode::INVALID_LEN),
    );
    check(
        &[report(OURS, &[0x86, 0, 7])],
        error(OURS, ErrorCode::INVALID_LEN),
    );
    check(
        &[report(OURS, &[0x88, 0, 1])],
        error(OURS, ErrorCode::INVALID_LEN),
    );
    check(
        &[report(OURS, &[0xFF, 0, 0])],
        error(OURS, ErrorCode::INVALID_CMD),
    );
    for stranger in [Channel::RESERVED, Channel(99), Channel::BROADCAST] {
        let expect = error(stranger, ErrorCode::INVALID_CHANNEL);
        check(&[report(stranger, &[0x90, 0, 1, 4])], expect.clone());
        check(&[start, report(stranger, &[0x90, 0, 1, 4])], expect);
        check(&[report(stranger, &[0x91])], Event::Quiet);
    }
    // Out of order, twice the same, or a second start inside the first.
    check(
        &[start, report(OURS, &[1])],
        error(OURS, ErrorCode::INVALID_SEQ),
    );
    check(&[start, start], error(OURS, ErrorCode::INVALID_SEQ));
    // A continuation of nothing, or of another's message, is ignored.
    check(&[report(OURS, &[0])], Event::Quiet);
    check(&[start, report(Channel(99), &[0])], Event::Quiet);
}

#[test]
fn a_second_channel_waits_for_the_first() {
    let mut device = device();
    let init = Message::new(Channel::BROADCAST, Command::INIT, vec![1; 8])
        .to_reports()
        .unwrap();
    let start = report(OURS, &[0x90, 0, 60, 4]);
    let other = report(Channel(8), &[0x90, 0, 1, 4]);
    assert_eq!(device.receive(&start, || unreachable!()), Event::Quiet);
    // INIT is always answered, and does not disturb the message under way.
    assert!(matches!(
        device.receive(&init[0], || Channel(8)),
        Event::Reply(_)
    ));
    let busy = error(Channel(8), ErrorCode::CHANNEL_BUSY);
    assert_eq!(device.receive(&other, || unreachable!()), busy);
    let end = device.receive(&report(OURS, &[0]), || unreachable!());
    assert!(matches!(end, Event::Request(message) if message.payload.len() == 60));
}

#[test]
fn init_on_its_own_channel_starts_afresh() {
    let mut device = device();
    let start = report(OURS, &[0x90, 0, 60, 4]);
    let init = Message::new(OURS, Command::INIT, vec![1; 8])
        .to_reports()
        .unwrap();
    assert_eq!(device.receive(&start, || unreachable!()), Event::Quiet);
    let Event::Reply(reply) = device.receive(&init[0], || unreachable!()) else {
        panic!("INIT was not answered");
    };
    assert_eq!(
        (reply.channel, &reply.payload[8..12]),
        (OURS, &[0, 0, 0, 7][..])
    );
    assert_eq!(
        device.receive(&report(OURS, &[0]), || unreachable!()),
        Event::Quiet
    );
}

#[test]
fn channels_are_bounded_and_the_oldest_goes_first() {
    let mut device = device();
    let init = Message::new(Channel::BROADCAST, Command::INIT, vec![1; 8])
        .to_reports()
        .unwrap();
    for number in 100..164 {
        device.receive(&init[0], || Channel(number));
    }
    let ping = |channel| report(channel, &[0x81, 0, 0]);
    let gone = error(OURS, ErrorCode::INVALID_CHANNEL);
    assert_eq!(device.receive(&ping(OURS), || unreachable!()), gone);
    let kept = Event::Reply(Message::new(Channel(100), Command::PING, vec![]));
    assert_eq!(device.receive(&ping(Channel(100)), || unreachable!()), kept);
}

#[test]
fn keepalives_and_errors_are_one_report() {
    let check = |message: Message, expect: &[u8]| {
        let reports = message.to_reports().unwrap();
        assert_eq!(reports, [report(OURS, expect)]);
    };
    check(
        Message::keepalive(OURS, KeepaliveStatus::UP_NEEDED),
        &[0xBB, 0, 1, 2],
    );
    check(
        Message::error(OURS, ErrorCode::CHANNEL_BUSY),
        &[0xBF, 0, 1, 6],
    );
}

#[test]
fn messages_that_do_not_fit_are_refused() {
    let message = Message::new(OURS, Command::CBOR, vec![0; MESSAGE_LENGTH_MAX + 1]);
    assert!(message.to_reports().is_err());
}

proptest! {
    #[test]
    fn what_is_cut_can_be_put_together(
        channel: u32,
        command in 0_u8..0x80,
        payload in proptest::collection::vec(any::<u8>(), 0..MESSAGE_LENGTH_MAX + 1),
    ) {
        let message = Message::new(Channel(channel), Command(command), payload);
        let mut assembler = Assembler::default();
        let mut reports = message.to_reports().unwrap();
        let last = reports.pop().unwrap();
        for report in reports {
            prop_assert_eq!(assembler.receive(&report), Ok(None));
        }
        prop_assert_eq!(assembler.receive(&last), Ok(Some(message)));
        prop_assert_eq!(assembler.busy_with(), None);
    }

    #[test]
    fn any_reports_are_survived(
        reports in proptest::collection::vec((0_u32..3, proptest::collection::vec(any::<u8>(), 60)), 0..50)
    ) {
        let mut device = device();
        for (channel, rest) in reports {
            let event = device.receive(&report(Channel(channel + 6), &rest), || Channel(8));
            if let Event::Reply(message) = event {
                prop_assert!(message.to_reports().is_ok());
            }
        }
    }
}
