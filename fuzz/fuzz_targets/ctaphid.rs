//! Reports from the wire at both ends: the key's end answers only what fits on the wire, and what the
//! assembler accepts can be cut up and put together again.

#![no_main]

use ctap::hid::{Assembler, Channel, Device, Event, Identity, REPORT_LENGTH, Report};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let identity = Identity {
        version: [0, 1, 0],
        capabilities: 0x0D,
    };
    let mut device = Device::new(identity);
    let mut assembler = Assembler::default();
    let mut channels = 1;
    let (reports, _) = data.as_chunks::<REPORT_LENGTH>();
    for report in reports {
        let event = device.receive(report, || {
            channels += 1;
            Channel(channels)
        });
        if let Event::Reply(message) | Event::Request(message) = event {
            assert!(message.to_reports().is_ok());
        }
        if let Ok(Some(message)) = assembler.receive(report) {
            round_trip(&message);
        }
    }
});

fn round_trip(message: &ctap::hid::Message) {
    let reports: Vec<Report> = message.to_reports().unwrap();
    let mut fresh = Assembler::default();
    let outcomes: Vec<_> = reports.iter().map(|report| fresh.receive(report)).collect();
    assert_eq!(outcomes.last(), Some(&Ok(Some(message.clone()))));
}
