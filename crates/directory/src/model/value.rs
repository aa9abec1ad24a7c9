//! Values that name other objects: kept by the object's number, shown by its present name.

use keycred::DnBinary;
use ldap::controls::ExtendedDn;
use types::Dn;

use super::{Dnt, Reader};
use crate::schema::Syntax;
use crate::{Error, Name};

/// A value of DN, DN-Binary or DN-String syntax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reference {
    /// An object of this directory, and the octets or text beside its name.
    Object(Dnt, Vec<u8>),
    /// A name that leads out of this directory, kept as it was written.
    Elsewhere(String, Vec<u8>),
}

/// A value taken apart: the name as written, and the octets or text beside it.
pub(crate) struct Written {
    pub(crate) name: Name,
    pub(crate) payload: Vec<u8>,
}

impl Written {
    /// Reads what a client wrote; `None` where it is not a value of this syntax.
    pub(crate) fn parse(syntax: Syntax, value: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(value).ok()?;
        let (payload, name) = match syntax {
            Syntax::DnBinary => {
                let value: DnBinary = text.parse().ok()?;
                (value.binary, value.dn)
            }
            Syntax::DnString => {
                // S:<number of characters>:<text>:<name>, MS-ADTS 3.1.1.1.6.
                let rest = text
                    .strip_prefix("S:")
                    .or_else(|| text.strip_prefix("s:"))?;
                let (length, rest) = rest.split_once(':')?;
                let length: usize = length.parse().ok()?;
                let (payload, rest) = rest.split_at_checked(length)?;
                (
                    payload.as_bytes().to_vec(),
                    rest.strip_prefix(':')?.to_owned(),
                )
            }
            _ => (Vec::new(), text.to_owned()),
        };
        Some(Self {
            name: name.parse().ok()?,
            payload,
        })
    }
}

impl Reference {
    /// The stored form: a tag, the length of the payload, the payload, and the number or name.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (tag, end, payload) = match self {
            Self::Object(dnt, payload) => (1, dnt.0.to_be_bytes().to_vec(), payload),
            Self::Elsewhere(name, payload) => (0, name.clone().into_bytes(), payload),
        };
        let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let mut bytes = vec![tag];
        bytes.extend(length.to_le_bytes());
        bytes.extend(payload);
        bytes.extend(end);
        bytes
    }

    /// Reads the stored form.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (tag, rest) = bytes.split_first()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (payload, end) = rest.split_at_checked(length)?;
        match tag {
            1 => Some(Self::Object(
                Dnt(u64::from_be_bytes(end.try_into().ok()?)),
                payload.to_vec(),
            )),
            _ => Some(Self::Elsewhere(
                String::from_utf8(end.to_vec()).ok()?,
                payload.to_vec(),
            )),
        }
    }

    /// What is compared and indexed.
    pub(crate) fn key(&self) -> Vec<u8> {
        match self {
            Self::Object(dnt, payload) => [&dnt.0.to_be_bytes(), payload.as_slice()].concat(),
            Self::Elsewhere(name, payload) => [
                &[0xFF],
                crate::schema::folded(name.as_bytes()).as_slice(),
                payload,
            ]
            .concat(),
        }
    }

    /// The value as LDAP shows it; `None` where the object is no longer there.
    pub(crate) fn render(
        &self,
        reader: &Reader<'_>,
        syntax: Syntax,
        extended: Option<ExtendedDn>,
    ) -> Result<Option<String>, Error> {
        let (name, payload) = match self {
            Self::Object(dnt, payload) => match reader.shown_dn(*dnt, extended)? {
                Some(name) => (name, payload),
                None => return Ok(None),
            },
            Self::Elsewhere(name, payload) => (name.clone(), payload),
        };
        Ok(Some(shown(syntax, payload, &name)))
    }
}

/// Puts a name and what stands beside it together.
pub(crate) fn shown(syntax: Syntax, payload: &[u8], name: &str) -> String {
    match syntax {
        Syntax::DnBinary => {
            let hex = data_encoding::HEXUPPER.encode(payload);
            format!("B:{}:{hex}:{name}", hex.len())
        }
        Syntax::DnString => {
            let text = String::from_utf8_lossy(payload);
            format!("S:{}:{text}:{name}", text.len())
        }
        _ => name.to_owned(),
    }
}

impl Reader<'_> {
    /// Turns what a client wrote into a reference. `Ok(None)`: not a value of this syntax.
    /// A name inside one of our naming contexts must exist.
    pub(crate) fn reference(
        &self,
        syntax: Syntax,
        value: &[u8],
    ) -> Result<Option<Resolved>, Error> {
        let Some(written) = Written::parse(syntax, value) else {
            return Ok(None);
        };
        let found = match self.find(&written.name, true) {
            Ok(object) => Resolved::Known(Reference::Object(object.dnt, written.payload)),
            Err(Error::NoSuchObject { .. }) => match written.name {
                Name::Dn(dn) if !self.is_ours(&dn) => {
                    Resolved::Known(Reference::Elsewhere(dn.to_string(), written.payload))
                }
                _ => Resolved::Unknown,
            },
            Err(error) => return Err(error),
        };
        Ok(Some(found))
    }

    fn is_ours(&self, dn: &Dn) -> bool {
        self.naming.heads.iter().any(|(head, _)| dn.is_within(head))
    }
}

/// A reference in a request, looked up.
pub(crate) enum Resolved {
    /// It can be stored.
    Known(Reference),
    /// It names an object that should be here and is not.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_round_trip() {
        for reference in [
            Reference::Object(Dnt(77), vec![0, 1, 2]),
            Reference::Object(Dnt(1), vec![]),
            Reference::Elsewhere("CN=a,DC=other".to_owned(), vec![9]),
        ] {
            assert_eq!(Reference::decode(&reference.encode()), Some(reference));
        }
        assert_eq!(Reference::decode(&[1, 0, 0, 0, 0, 1]), None);
    }

    #[test]
    fn written_values_come_apart() {
        let parsed = |syntax, text: &str| {
            Written::parse(syntax, text.as_bytes()).map(|w| (w.name.to_string(), w.payload))
        };
        assert_eq!(
            parsed(Syntax::DnBinary, "B:4:00Ff:CN=a:b,DC=x"),
            Some(("CN=a:b,DC=x".to_owned(), vec![0, 0xFF]))
        );
        assert_eq!(parsed(Syntax::DnBinary, "B:3:00F:CN=a"), None);
        assert_eq!(
            parsed(Syntax::DnString, "S:3:a:b:CN=a"),
            Some(("CN=a".to_owned(), b"a:b".to_vec()))
        );
        assert_eq!(parsed(Syntax::Dn, "nonsense"), None);
    }
}
