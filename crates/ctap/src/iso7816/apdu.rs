//! One command and one response (ISO/IEC 7816-4, section 5), short and extended.

use std::fmt;

/// A command taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Apdu {
    /// Class.
    pub cla: u8,
    /// Instruction.
    pub ins: u8,
    /// First parameter.
    pub p1: u8,
    /// Second parameter.
    pub p2: u8,
    /// What it carries.
    pub data: Vec<u8>,
    /// Most bytes that the answer may have; none are wanted where it is absent.
    pub expected: Option<usize>,
}

impl Apdu {
    /// A command that carries `data` and wants a whole short answer.
    pub fn new(cla: u8, ins: u8, p1: u8, data: &[u8]) -> Self {
        Self {
            cla,
            ins,
            p1,
            p2: 0,
            data: data.to_vec(),
            expected: Some(256),
        }
    }

    /// The command as it travels in short form. `None` where it does not fit there.
    pub fn to_short(&self) -> Option<Vec<u8>> {
        let mut bytes = vec![self.cla, self.ins, self.p1, self.p2];
        if !self.data.is_empty() {
            bytes.push(u8::try_from(self.data.len()).ok()?);
            bytes.extend(&self.data);
        }
        match self.expected {
            None => (),
            Some(256) => bytes.push(0),
            Some(fewer) => bytes.push(u8::try_from(fewer).ok()?),
        }
        Some(bytes)
    }

    /// Reads a command in short or extended form. `None` where the lengths contradict each other.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let (&[cla, ins, p1, p2], rest) = bytes.split_first_chunk::<4>()?;
        let (data, expected): (&[u8], _) = match rest {
            [] => (&[], None),
            [length] => (&[], Some(or_most(usize::from(*length), 256))),
            [0, high, low] => (&[], Some(or_most(wide(*high, *low), 65_536))),
            [0, high, low, rest @ ..] => {
                let (data, rest) = rest.split_at_checked(wide(*high, *low))?;
                match rest {
                    [] => (data, None),
                    [high, low] => (data, Some(or_most(wide(*high, *low), 65_536))),
                    _ => return None,
                }
            }
            [0, ..] => return None,
            [length, rest @ ..] => {
                let (data, rest) = rest.split_at_checked(usize::from(*length))?;
                match rest {
                    [] => (data, None),
                    [length] => (data, Some(or_most(usize::from(*length), 256))),
                    _ => return None,
                }
            }
        };
        Some(Self {
            cla,
            ins,
            p1,
            p2,
            data: data.to_vec(),
            expected,
        })
    }
}

fn wide(high: u8, low: u8) -> usize {
    usize::from(u16::from_be_bytes([high, low]))
}

/// Zero stands for the largest number.
fn or_most(length: usize, most: usize) -> usize {
    if length == 0 { most } else { length }
}

/// How a command ended: the last two bytes of its response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusWord(pub u16);

impl StatusWord {
    /// Done.
    pub const OK: Self = Self(0x9000);
    /// Not done yet; ask again (CTAP 2.1, section 11.3.7.2).
    pub const NOT_READY: Self = Self(0x9100);
    /// A length contradicts another, or is too large.
    pub const WRONG_LENGTH: Self = Self(0x6700);
    /// There is no applet of that name.
    pub const NOT_FOUND: Self = Self(0x6A82);
    /// Not in this state.
    pub const CONDITIONS: Self = Self(0x6985);
    /// An unknown instruction.
    pub const WRONG_INSTRUCTION: Self = Self(0x6D00);
    /// An unknown class.
    pub const WRONG_CLASS: Self = Self(0x6E00);

    /// The part of a response before its status word, and that.
    pub fn split(response: &[u8]) -> Option<(&[u8], Self)> {
        let (data, word) = response.split_last_chunk::<2>()?;
        Some((data, Self(u16::from_be_bytes(*word))))
    }

    /// `data` with this status word behind it.
    pub fn after(self, data: &[u8]) -> Vec<u8> {
        [data, &self.0.to_be_bytes()].concat()
    }

    /// That so many more bytes are waiting: 61xx, where 00 stands for 256 and more.
    pub fn more(length: usize) -> Self {
        let shown = u16::try_from(length).ok().filter(|shown| *shown < 256);
        Self(0x6100 | shown.unwrap_or(0))
    }

    /// How many more bytes are waiting.
    pub fn waiting(self) -> Option<usize> {
        match self.0.to_be_bytes() {
            [0x61, length] => Some(or_most(usize::from(length), 256)),
            _ => None,
        }
    }
}

impl fmt::Display for StatusWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_of_the_standard_are_read() {
        let check = |bytes: &[u8], expect: Option<(usize, Option<usize>)>| {
            let read = Apdu::read(bytes).map(|apdu| (apdu.data.len(), apdu.expected));
            assert_eq!(read, expect, "{bytes:02x?}");
        };
        let header = [0x80, 0x10, 0, 0];
        let with = |rest: &[u8]| [&header, rest].concat();
        check(&header, Some((0, None)));
        check(&with(&[0]), Some((0, Some(256))));
        check(&with(&[7]), Some((0, Some(7))));
        check(&with(&[2, 1, 2]), Some((2, None)));
        check(&with(&[2, 1, 2, 0]), Some((2, Some(256))));
        check(&with(&[0, 0, 0]), Some((0, Some(65_536))));
        check(&with(&[0, 0, 2, 1, 2]), Some((2, None)));
        check(&with(&[0, 0, 2, 1, 2, 1, 0]), Some((2, Some(256))));
        check(&header[..3], None);
        check(&with(&[0, 0]), None);
        check(&with(&[3, 1, 2]), None);
        check(&with(&[1, 1, 2, 3]), None);
        check(&with(&[0, 0, 9, 1, 2]), None);
        check(&with(&[0, 0, 2, 1, 2, 1]), None);
    }

    #[test]
    fn status_words_tell_what_is_waiting() {
        let check = |length, word, waiting| {
            let more = StatusWord::more(length);
            assert_eq!((more.0, more.waiting()), (word, Some(waiting)));
        };
        check(1, 0x6101, 1);
        check(255, 0x61FF, 255);
        check(256, 0x6100, 256);
        check(70_000, 0x6100, 256);
        assert_eq!(StatusWord::OK.waiting(), None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            header: [u8; 4],
            data in proptest::collection::vec(any::<u8>(), 0..256),
            expected in proptest::option::of(1_usize..257),
        ) {
            let [cla, ins, p1, p2] = header;
            let apdu = Apdu { cla, ins, p1, p2, data, expected };
            let bytes = apdu.to_short().unwrap();
            prop_assert_eq!(Apdu::read(&bytes), Some(apdu));
        }

        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            Apdu::read(&bytes);
        }
    }
}
