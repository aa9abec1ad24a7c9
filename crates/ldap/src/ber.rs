//! The part of BER that LDAP uses (RFC 4511 5.1): definite lengths, one-octet tags, primitive strings.

use crate::DecodeError;

/// Reads elements one after the other and knows where it stands in the message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
}

/// A tag and the reader of its content.
pub(crate) struct Element<'a> {
    pub(crate) tag: u8,
    pub(crate) content: Reader<'a>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, offset: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The tag of the next element.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    pub(crate) fn invalid(&self, what: &'static str, why: &'static str) -> DecodeError {
        DecodeError::Invalid {
            what,
            offset: self.offset,
            why,
        }
    }

    pub(crate) fn unexpected(&self, what: &'static str, found: u8) -> DecodeError {
        DecodeError::UnexpectedTag {
            what,
            offset: self.offset,
            found,
        }
    }

    fn truncated(&self, what: &'static str, need: usize) -> DecodeError {
        DecodeError::Truncated {
            what,
            offset: self.offset,
            need,
            have: self.bytes.len(),
        }
    }

    /// The next element, whatever it is.
    pub(crate) fn element(&mut self, what: &'static str) -> Result<Element<'a>, DecodeError> {
        let &[tag, first, ref rest @ ..] = self.bytes else {
            return Err(self.truncated(what, 2));
        };
        if tag & 0x1F == 0x1F {
            return Err(self.unexpected(what, tag));
        }
        let (header, length, rest) = if first < 0x80 {
            (2, usize::from(first), rest)
        } else {
            let count = usize::from(first & 0x7F);
            if count == 0 || count > 8 {
                return Err(self.invalid(what, "length form that LDAP does not have"));
            }
            let Some((octets, rest)) = rest.split_at_checked(count) else {
                return Err(self.truncated(what, 2 + count));
            };
            let length = octets
                .iter()
                .fold(0_u64, |sum, &octet| (sum << 8) | u64::from(octet));
            (
                2 + count,
                usize::try_from(length).unwrap_or(usize::MAX),
                rest,
            )
        };
        let Some((content, rest)) = rest.split_at_checked(length) else {
            return Err(self.truncated(what, length.saturating_add(header)));
        };
        let content = Reader {
            bytes: content,
            offset: self.offset + header,
        };
        self.offset += header + length;
        self.bytes = rest;
        Ok(Element { tag, content })
    }

    /// The content of the next element, which must have this tag.
    pub(crate) fn expect(
        &mut self,
        tag: u8,
        what: &'static str,
    ) -> Result<Reader<'a>, DecodeError> {
        match self.peek() {
            Some(found) if found != tag => Err(self.unexpected(what, found)),
            _ => Ok(self.element(what)?.content),
        }
    }

    /// The content of the next element if it has this tag.
    pub(crate) fn optional(
        &mut self,
        tag: u8,
        what: &'static str,
    ) -> Result<Option<Reader<'a>>, DecodeError> {
        if self.peek() == Some(tag) {
            return Ok(Some(self.element(what)?.content));
        }
        Ok(None)
    }

    pub(crate) fn octets(&mut self, tag: u8, what: &'static str) -> Result<Vec<u8>, DecodeError> {
        Ok(self.expect(tag, what)?.bytes.to_vec())
    }

    pub(crate) fn string(&mut self, tag: u8, what: &'static str) -> Result<String, DecodeError> {
        self.expect(tag, what)?.text(what)
    }

    /// All of it as UTF-8.
    pub(crate) fn text(&self, what: &'static str) -> Result<String, DecodeError> {
        match std::str::from_utf8(self.bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(self.invalid(what, "not UTF-8")),
        }
    }

    pub(crate) fn integer(&mut self, tag: u8, what: &'static str) -> Result<i64, DecodeError> {
        self.expect(tag, what)?.number(what)
    }

    /// All of it as a two's complement number of at most eight octets.
    pub(crate) fn number(&self, what: &'static str) -> Result<i64, DecodeError> {
        let (first, rest) = self
            .bytes
            .split_first()
            .ok_or_else(|| self.invalid(what, "empty number"))?;
        if rest.len() > 7 {
            return Err(self.invalid(what, "number of more than eight octets"));
        }
        let start = i64::from(i8::from_be_bytes([*first]));
        Ok(rest
            .iter()
            .fold(start, |sum, &octet| (sum << 8) | i64::from(octet)))
    }

    /// A number of 0 to 2^31-1, as most of LDAP's are.
    pub(crate) fn count(&mut self, tag: u8, what: &'static str) -> Result<u32, DecodeError> {
        self.expect(tag, what)?.small(what)
    }

    pub(crate) fn small(&self, what: &'static str) -> Result<u32, DecodeError> {
        let number = self.number(what)?;
        i32::try_from(number)
            .ok()
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| self.invalid(what, "number out of range"))
    }

    pub(crate) fn boolean(&mut self, tag: u8, what: &'static str) -> Result<bool, DecodeError> {
        let content = self.expect(tag, what)?;
        match content.bytes {
            // RFC 4511 5.1 wants FF for true; clients that send 01 are understood as well.
            [value] => Ok(*value != 0),
            _ => Err(content.invalid(what, "a boolean has one octet")),
        }
    }
}

/// Appends elements to a buffer.
///
/// Constructed elements get a length of fixed size (`84 xx xx xx xx`) that is filled in when their content is
/// complete. AD writes them so, and nothing is ever moved or measured beforehand.
pub(crate) struct Writer<'a>(pub(crate) &'a mut Vec<u8>);

impl Writer<'_> {
    /// Starts a constructed element; [`Writer::close`] takes what this returns.
    pub(crate) fn open(&mut self, tag: u8) -> usize {
        self.0.extend_from_slice(&[tag, 0x84, 0, 0, 0, 0]);
        self.0.len()
    }

    /// Ends the element that began at `start`.
    pub(crate) fn close(&mut self, start: usize) {
        let length = self.0.len().saturating_sub(start);
        // No message comes near 4 GiB: the largest is a page of entries of at most 10 MiB each.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        if let Some(place) = start
            .checked_sub(4)
            .and_then(|at| self.0.get_mut(at..start))
        {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }

    pub(crate) fn constructed(&mut self, tag: u8, content: impl FnOnce(&mut Self)) {
        let start = self.open(tag);
        content(self);
        self.close(start);
    }

    pub(crate) fn octets(&mut self, tag: u8, content: &[u8]) {
        self.0.push(tag);
        self.length(content.len());
        self.0.extend_from_slice(content);
    }

    fn length(&mut self, length: usize) {
        match u8::try_from(length) {
            Ok(short) if short < 0x80 => self.0.push(short),
            Ok(long) => self.0.extend_from_slice(&[0x81, long]),
            Err(_) => {
                let [.., a, b, c, d] = u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes();
                match (a, b) {
                    (0, 0) => self.0.extend_from_slice(&[0x82, c, d]),
                    _ => self.0.extend_from_slice(&[0x84, a, b, c, d]),
                }
            }
        }
    }

    pub(crate) fn integer(&mut self, tag: u8, value: i64) {
        let octets = value.to_be_bytes();
        // The shortest form: no leading octet that the sign of the next one already tells.
        let redundant = octets
            .iter()
            .zip(octets.iter().skip(1))
            .take_while(|(octet, next)| {
                (**octet == 0 && **next < 0x80) || (**octet == 0xFF && **next >= 0x80)
            })
            .count();
        self.octets(tag, octets.get(redundant..).unwrap_or_default());
    }

    pub(crate) fn boolean(&mut self, tag: u8, value: bool) {
        self.octets(tag, if value { &[0xFF] } else { &[0] });
    }
}

/// Universal tags.
pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const ENUMERATED: u8 = 0x0A;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_are_written_in_the_shortest_form() {
        for (value, bytes) in [
            (0_i64, &[2_u8, 1, 0][..]),
            (127, &[2, 1, 127]),
            (128, &[2, 2, 0, 128]),
            (-1, &[2, 1, 0xFF]),
            (-129, &[2, 2, 0xFF, 0x7F]),
            (0x7FFF_FFFF, &[2, 4, 0x7F, 0xFF, 0xFF, 0xFF]),
        ] {
            let mut buffer = Vec::new();
            Writer(&mut buffer).integer(INTEGER, value);
            assert_eq!(buffer, bytes);
        }
    }

    proptest! {
        #[test]
        fn integers_round_trip(value: i64) {
            let mut buffer = Vec::new();
            Writer(&mut buffer).integer(INTEGER, value);
            prop_assert_eq!(Reader::new(&buffer).integer(INTEGER, "number").unwrap(), value);
        }
    }

    #[test]
    fn octets_of_every_length_form_round_trip() {
        for length in [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x1_0000] {
            let content = vec![7; length];
            let mut buffer = Vec::new();
            Writer(&mut buffer).octets(OCTET_STRING, &content);
            assert_eq!(
                Reader::new(&buffer).octets(OCTET_STRING, "octets").unwrap(),
                content
            );
        }
    }
}
