//! Both ends of ISO 7816 framing: any command gets a status word, and any answer leads to a next command or an end.

#![no_main]

use ctap::iso7816::{Applet, Event, Exchange};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let mut applet = Applet::default();
    let mut exchange = Exchange::new(vec![4; 600]);
    // Each message is led by its length.
    let mut rest = data;
    while let Some((length, more)) = rest.split_first() {
        let length = usize::from(*length).min(more.len());
        let (message, more) = more.split_at(length);
        rest = more;
        let answer = match applet.receive(message) {
            Event::Reply(reply) => reply,
            Event::Request(request) => applet.answer(request),
        };
        assert!(answer.len() >= 2);
        if exchange.receive(message).is_err() {
            exchange = Exchange::new(message.to_vec());
        }
        assert!(exchange.command().len() >= 4);
    }
});
