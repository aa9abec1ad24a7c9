//! Any bytes are an LDAP message or an error; a message survives being written and read again.
#![no_main]

use ldap::{Framer, Limits, Message, RequestControl};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    if let Ok(message) = Message::decode(data, &limits) {
        for control in &message.controls {
            let _understood = RequestControl::parse(control);
        }
        let again = Message::decode(&message.encode(), &limits);
        assert_eq!(again.as_ref(), Ok(&message));
    }
    let mut framer = Framer::new();
    for piece in data.chunks(7) {
        framer.push(piece);
        while let Ok(Some(frame)) = framer.next_frame(limits.message_length_max) {
            assert_eq!(ldap::frame_length(frame), Ok(Some(frame.len())));
        }
    }
});
