//! The key on a reader: commands of ISO 7816 from a virtual reader, as vsmartcard's vpcd sends them to a real pcscd.
//!
//! vpcd's messages are a length of two bytes, big-endian, and so many bytes. One byte alone is for the reader: power off
//! (0), power on (1), reset (2), and the question for the answer-to-reset (4), which alone is answered. Everything else
//! is a command for the card.

use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use ctap::hid::{Command, Message, Report};
use ctap::iso7816::{Applet, Event};

use crate::environment::Wire;
use crate::key::Softkey;

const POWER_OFF: u8 = 0;
const POWER_ON: u8 = 1;
const RESET: u8 = 2;
const ANSWER_TO_RESET: u8 = 4;

/// What a contactless card's reader makes up (PC/SC part 3, section 3.1.3.2.3.1): T=0 and T=1, eight bytes of history.
const ATR: [u8; 13] = with_check_byte([
    0x3B, 0x88, 0x80, 0x01, b't', b'o', b'm', b'b', b'o', b'l', b'o', b'1', 0,
]);

/// The last byte is the exclusive or of all between it and the first (ISO/IEC 7816-3, section 8.2.5).
#[expect(
    clippy::indexing_slicing,
    reason = "computed by the compiler, which checks it"
)]
const fn with_check_byte(mut atr: [u8; 13]) -> [u8; 13] {
    let mut at = 1;
    while at < 12 {
        atr[12] ^= atr[at];
        at += 1;
    }
    atr
}

impl Softkey {
    /// Lies on the virtual reader at the other end of `stream` until that is closed. `noticed` is called each time that
    /// the reader asks what lies there, which is when it has noticed the key.
    pub fn serve_reader<S: Read + Write>(
        &self,
        mut stream: S,
        mut noticed: impl FnMut(),
    ) -> io::Result<()> {
        let mut applet = Applet::default();
        let channel = self.allocate_channel();
        let nobody: Arc<dyn Wire> = Arc::new(NoWire);
        while let Some(message) = receive(&mut stream)? {
            let answer = match message.as_slice() {
                [POWER_OFF | POWER_ON | RESET] => {
                    applet.reset();
                    continue;
                }
                [ANSWER_TO_RESET] => ATR.to_vec(),
                command => match applet.receive(command) {
                    Event::Reply(reply) => reply,
                    Event::Request(payload) => {
                        let request = Message::new(channel, Command::CBOR, payload);
                        applet.answer(self.answer(&request, &nobody))
                    }
                },
            };
            send(&mut stream, &answer)?;
            if message == [ANSWER_TO_RESET] {
                noticed();
            }
        }
        Ok(())
    }
}

fn receive(stream: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 2];
    match stream.read_exact(&mut length) {
        Ok(()) => (),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    }
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    Ok(Some(message))
}

fn send(stream: &mut impl Write, answer: &[u8]) -> io::Result<()> {
    let length = u16::try_from(answer.len()).map_err(io::Error::other)?;
    stream.write_all(&[&length.to_be_bytes(), answer].concat())?;
    stream.flush()
}

/// A card has nobody to tell that it is busy: the reader waits. It is on the reader, and that is its touch.
struct NoWire;

impl Wire for NoWire {
    fn send(&self, _report: &Report) {}

    fn is_cancelled(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_reset_checks_out() {
        assert_eq!(ATR.iter().skip(1).fold(0, |sum, byte| sum ^ byte), 0);
    }
}
