//! Just enough DER to walk through certificates, CMS and GSS tokens, where raw bytes matter: signatures
//! cover them.
//!
//! Definite lengths and one-byte tags only. A walk goes as deep as the code that walks, so nesting cannot hurt it.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// The bytes do not have the form of the structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("invalid {what}: {why}")]
pub(crate) struct InvalidDer {
    pub(crate) what: &'static str,
    pub(crate) why: &'static str,
}

#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
}

#[derive(Clone, Copy)]
pub(crate) struct Tlv<'a> {
    pub(crate) tag: u8,
    /// With tag and length.
    pub(crate) raw: &'a [u8],
    pub(crate) content: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes }
    }

    pub(crate) fn invalid(&self, why: &'static str) -> InvalidDer {
        InvalidDer {
            what: self.what,
            why,
        }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.first().copied()
    }

    pub(crate) fn next(&mut self) -> Result<Tlv<'a>, InvalidDer> {
        let truncated = self.invalid("truncated");
        let &[tag, first, ref rest @ ..] = self.bytes else {
            return Err(truncated);
        };
        if tag & 0x1F == 0x1F {
            return Err(self.invalid("a tag of several bytes"));
        }
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let count = usize::from(first & 0x7F);
            if !(1..=4).contains(&count) {
                return Err(self.invalid("a length without end, or of more than four bytes"));
            }
            let (octets, rest) = rest.split_at_checked(count).ok_or(truncated)?;
            let length = octets
                .iter()
                .fold(0usize, |length, octet| (length << 8) | usize::from(*octet));
            (length, rest)
        };
        let (content, after) = rest.split_at_checked(length).ok_or(truncated)?;
        let raw_length = self.bytes.len() - after.len();
        let raw = self.bytes.get(..raw_length).unwrap_or_default();
        self.bytes = after;
        Ok(Tlv { tag, raw, content })
    }

    pub(crate) fn expect(&mut self, tag: u8) -> Result<Tlv<'a>, InvalidDer> {
        match self.next()? {
            tlv if tlv.tag == tag => Ok(tlv),
            _ => Err(self.invalid("an element has another tag than it should")),
        }
    }

    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Tlv<'a>>, InvalidDer> {
        if self.peek() == Some(tag) {
            self.next().map(Some)
        } else {
            Ok(None)
        }
    }

    /// A reader of the content of the next element.
    pub(crate) fn enter(&mut self, tag: u8) -> Result<Self, InvalidDer> {
        let inner = self.expect(tag)?;
        Ok(self.inside(inner))
    }

    pub(crate) fn inside(&self, tlv: Tlv<'a>) -> Self {
        Self {
            what: self.what,
            bytes: tlv.content,
        }
    }

    pub(crate) fn end(&self) -> Result<(), InvalidDer> {
        if self.is_empty() {
            Ok(())
        } else {
            Err(self.invalid("something follows the end"))
        }
    }
}

/// An element with the parts as its content.
pub(crate) fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = Vec::with_capacity(length + 6);
    bytes.push(tag);
    match u8::try_from(length) {
        Ok(short @ ..0x80) => bytes.push(short),
        _ => {
            let octets = length.to_be_bytes();
            let significant = octets.iter().skip_while(|octet| **octet == 0);
            let count = u8::try_from(significant.clone().count()).unwrap_or_default();
            bytes.push(0x80 | count);
            bytes.extend(significant);
        }
    }
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

/// A SET OF with its elements in the order of DER.
pub(crate) fn set_of(tag: u8, mut elements: Vec<Vec<u8>>) -> Vec<u8> {
    elements.sort();
    let parts: Vec<&[u8]> = elements.iter().map(Vec::as_slice).collect();
    tlv(tag, &parts)
}

/// AlgorithmIdentifier with NULL as parameters.
pub(crate) fn algorithm(oid: &[u8]) -> Vec<u8> {
    tlv(SEQUENCE, &[&tlv(OID, &[oid]), &[NULL, 0]])
}

/// An INTEGER that is not negative, of big-endian bytes.
pub(crate) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    let leading = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = bytes.get(leading..).unwrap_or_default();
    match bytes.first() {
        None => tlv(INTEGER, &[&[0]]),
        Some(0x80..) => tlv(INTEGER, &[&[0], bytes]),
        Some(_) => tlv(INTEGER, &[bytes]),
    }
}

/// The bytes of an INTEGER without its sign byte; `None` where it is negative or empty.
pub(crate) fn unsigned_content(content: &[u8]) -> Option<&[u8]> {
    match content {
        [0, rest @ ..] => Some(rest),
        [first, ..] if *first >= 0x80 => None,
        [] => None,
        other => Some(other),
    }
}
