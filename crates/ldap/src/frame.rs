//! Cutting a byte stream into messages (RFC 4511 5.1: each is one definite-length BER SEQUENCE).

use crate::DecodeError;

/// Identifier octet of LDAPMessage, a universal SEQUENCE.
const SEQUENCE: u8 = 0x30;

/// How many bytes the first message of `bytes` takes, header included; `None` until its header is whole.
///
/// Looks at the header alone, so the cost does not grow with the message. The caller compares the answer
/// with its limit before it waits for the rest.
pub fn frame_length(bytes: &[u8]) -> Result<Option<usize>, DecodeError> {
    let invalid = |offset, why| DecodeError::Invalid {
        what: "message header",
        offset,
        why,
    };
    let Some((&tag, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    if tag != SEQUENCE {
        return Err(DecodeError::UnexpectedTag {
            what: "message",
            offset: 0,
            found: tag,
        });
    }
    let Some((&first, rest)) = rest.split_first() else {
        return Ok(None);
    };
    if first < 0x80 {
        return Ok(Some(2 + usize::from(first)));
    }
    let count = usize::from(first & 0x7F);
    if count == 0 {
        return Err(invalid(1, "indefinite length (RFC 4511 5.1 forbids it)"));
    }
    if count > 8 {
        return Err(invalid(1, "length of more than eight octets"));
    }
    let Some(octets) = rest.get(..count) else {
        return Ok(None);
    };
    let length = octets
        .iter()
        .fold(0_u64, |sum, &octet| (sum << 8) | u64::from(octet));
    usize::try_from(length)
        .ok()
        .and_then(|length| length.checked_add(2 + count))
        .map(Some)
        .ok_or_else(|| invalid(2, "length beyond the address space"))
}

/// Collects what arrives and gives out whole messages; half messages wait, and nothing is read twice.
#[derive(Debug, Default)]
pub struct Framer {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that were already given out.
    given: usize,
}

impl Framer {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes what arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.reclaim();
        self.buffer.extend_from_slice(bytes);
    }

    /// The buffer to read into directly; append only.
    pub fn input(&mut self) -> &mut Vec<u8> {
        self.reclaim();
        &mut self.buffer
    }

    /// The next whole message, at most `length_max` bytes long; `None` until more arrives.
    pub fn next_frame(&mut self, length_max: usize) -> Result<Option<&[u8]>, DecodeError> {
        let waiting = self.buffer.get(self.given..).unwrap_or_default();
        let Some(length) = frame_length(waiting)? else {
            return Ok(None);
        };
        if length > length_max {
            return Err(DecodeError::Limit {
                what: "bytes",
                limit: length_max,
            });
        }
        if waiting.len() < length {
            return Ok(None);
        }
        let start = self.given;
        self.given += length;
        Ok(self.buffer.get(start..self.given))
    }

    /// Whether nothing can be given out before more arrives: no message is whole, and none is refused either.
    pub fn waits(&self, length_max: usize) -> bool {
        let waiting = self.buffer.get(self.given..).unwrap_or_default();
        match frame_length(waiting) {
            Ok(Some(length)) => length <= length_max && waiting.len() < length,
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Bytes that wait for the rest of their message.
    pub fn pending(&self) -> usize {
        self.buffer.len().saturating_sub(self.given)
    }

    /// Everything not given out yet, as when TLS begins; the framer is empty afterwards.
    pub fn take_rest(&mut self) -> Vec<u8> {
        self.reclaim();
        std::mem::take(&mut self.buffer)
    }

    /// Moves the unread rest to the front. It is a part of one message at most when the caller drains the
    /// frames first, so a stream of many small messages does not pay for this again and again.
    fn reclaim(&mut self) {
        if self.given > 0 {
            self.buffer.drain(..self.given);
            self.given = 0;
        }
        if self.buffer.is_empty() && self.buffer.capacity() > BUFFER_KEPT_MAX {
            self.buffer = Vec::new();
        }
    }
}

/// An idle connection keeps no more than this, whatever it once received.
const BUFFER_KEPT_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expect: Result<Option<usize>, ()>) {
        assert_eq!(frame_length(bytes).map_err(|_| ()), expect, "{bytes:02x?}");
    }

    #[test]
    fn headers() {
        check(&[], Ok(None));
        check(&[0x30], Ok(None));
        check(&[0x30, 0x05], Ok(Some(7)));
        check(&[0x30, 0x81], Ok(None));
        check(&[0x30, 0x81, 0x80], Ok(Some(131)));
        check(&[0x30, 0x84, 0, 0, 0, 5], Ok(Some(11)));
        check(&[0x30, 0x88, 0, 0, 0, 0, 0, 0, 0, 5], Ok(Some(15)));
        check(&[0x30, 0x80], Err(()));
        check(&[0x30, 0x89], Err(()));
        check(
            &[0x30, 0x88, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            Err(()),
        );
        check(b"GET / HTTP/1.1", Err(()));
    }

    #[test]
    fn messages_come_out_whole_however_they_arrive() {
        let stream = [&[0x30_u8, 3, 1, 2, 3][..], &[0x30, 0x81, 1, 9], &[0x30, 0]].concat();
        for step in 1..=stream.len() {
            let mut framer = Framer::new();
            let mut frames = Vec::new();
            for piece in stream.chunks(step) {
                framer.push(piece);
                while let Some(frame) = framer.next_frame(100).unwrap() {
                    frames.push(frame.to_vec());
                }
            }
            assert_eq!(frames.concat(), stream);
            assert_eq!((frames.len(), framer.pending()), (3, 0));
        }
    }

    #[test]
    fn a_message_too_long_is_refused_at_its_header() {
        let mut framer = Framer::new();
        framer.push(&[0x30, 0x84, 0x7F, 0xFF, 0xFF, 0xFF]);
        assert!(framer.next_frame(10 << 20).is_err());
    }
}
