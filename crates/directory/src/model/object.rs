//! An object's record: a fixed head, then the attributes in the order of their numbers.
//!
//! ```text
//! version 1 | flags | guid 16 | class 2 | descriptor 8 | parent 8 | naming context 8
//! usn created 8 | usn changed 8 | when created 8 | when changed 8
//! sid length 1, sid | rdn attribute 2, rdn length 2, rdn
//! ( attribute 2 | block length 4 | ( value length 4 | value )* )*
//! ```
//! All numbers are little-endian. Values stay where they are: a search looks at slices of the record.
//!
//! Deliberately absent: links (they have rows of their own), and what follows from the head.

use types::{Guid, Sid, Timestamp};

use super::{DescriptorId, Dnt};
use crate::Error;
use crate::schema::{AttributeId, ClassId, Schema};

const VERSION: u8 = 1;
const FLAG_DELETED: u8 = 1;
const FLAG_HEAD: u8 = 2;
const FLAG_LINKS: u8 = 4;

/// The head of a record.
#[derive(Debug, Clone)]
pub(crate) struct Header {
    /// `objectGUID`
    pub(crate) guid: Guid,
    /// The most specific class.
    pub(crate) class: ClassId,
    pub(crate) descriptor: DescriptorId,
    pub(crate) parent: Dnt,
    /// The head of the naming context it belongs to; its own number for a head.
    pub(crate) naming_context: Dnt,
    pub(crate) is_deleted: bool,
    pub(crate) is_head: bool,
    /// There are, or have been, forward links.
    pub(crate) has_links: bool,
    pub(crate) usn_created: u64,
    pub(crate) usn_changed: u64,
    pub(crate) when_created: Timestamp,
    pub(crate) when_changed: Timestamp,
    pub(crate) sid: Option<Sid>,
    pub(crate) rdn_attribute: AttributeId,
    /// The relative name without escapes.
    pub(crate) rdn: String,
}

/// A stored object, or a schema object in the same form.
#[derive(Debug, Clone)]
pub struct Object {
    pub(crate) dnt: Dnt,
    pub(crate) header: Header,
    bytes: Vec<u8>,
    values_at: usize,
}

impl Object {
    /// `objectGUID`
    pub fn guid(&self) -> Guid {
        self.header.guid
    }

    /// The most specific class.
    pub fn class(&self) -> ClassId {
        self.header.class
    }

    /// `objectSid`
    pub fn sid(&self) -> Option<&Sid> {
        self.header.sid.as_ref()
    }

    /// The number of its security descriptor.
    pub fn descriptor_id(&self) -> DescriptorId {
        self.header.descriptor
    }

    /// Its number.
    pub fn dnt(&self) -> Dnt {
        self.dnt
    }

    /// Its parent's number.
    pub fn parent(&self) -> Dnt {
        self.header.parent
    }

    /// Whether it is a tombstone.
    pub fn is_deleted(&self) -> bool {
        self.header.is_deleted
    }

    /// Whether a naming context begins here.
    pub fn is_naming_context_head(&self) -> bool {
        self.header.is_head
    }

    /// `uSNChanged`
    pub fn usn_changed(&self) -> u64 {
        self.header.usn_changed
    }

    /// The relative name without escapes.
    pub fn rdn(&self) -> &str {
        &self.header.rdn
    }

    /// `name`: the relative name, also for the head of the domain, whose record holds its whole name.
    pub(crate) fn short_name(&self) -> &str {
        if self.header.parent != Dnt::NONE {
            return &self.header.rdn;
        }
        let first = self.header.rdn.split(',').next().unwrap_or_default();
        first.split_once('=').map_or(first, |(_, value)| value)
    }

    /// The stored attributes in the order of their numbers, without links and without what follows from the head.
    pub(crate) fn attributes(&self) -> Attributes<'_> {
        Attributes {
            rest: self.bytes.get(self.values_at..).unwrap_or_default(),
        }
    }

    /// The stored values of one attribute.
    pub fn values(&self, attribute: AttributeId) -> Values<'_> {
        self.attributes()
            .take_while(|(id, _)| *id <= attribute)
            .find(|(id, _)| *id == attribute)
            .map_or(Values { rest: &[] }, |(_, values)| values)
    }

    /// The first stored value of one attribute as text.
    pub fn text(&self, attribute: AttributeId) -> Option<&str> {
        std::str::from_utf8(self.values(attribute).next()?).ok()
    }

    /// The first stored value of one attribute as a number.
    pub fn number(&self, attribute: AttributeId) -> Option<i64> {
        self.text(attribute)?.parse().ok()
    }

    /// Reads a record.
    pub(crate) fn decode(schema: &Schema, dnt: Dnt, bytes: Vec<u8>) -> Result<Self, Error> {
        let decoded = decode_header(schema, &bytes);
        let (header, values_at) =
            decoded.ok_or_else(|| Error::damaged(format!("object {}", dnt.0)))?;
        Ok(Self {
            dnt,
            header,
            bytes,
            values_at,
        })
    }

    /// The record as it is stored.
    pub(crate) fn encode(&self) -> &[u8] {
        &self.bytes
    }
}

/// See [`Object::attributes`].
#[derive(Debug, Clone)]
pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (AttributeId, Values<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (number, rest) = self.rest.split_first_chunk::<2>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (block, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some((
            AttributeId(u16::from_le_bytes(*number)),
            Values { rest: block },
        ))
    }
}

/// The values of one attribute.
#[derive(Debug, Clone)]
pub struct Values<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (value, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(value)
    }
}

fn decode_header(schema: &Schema, bytes: &[u8]) -> Option<(Header, usize)> {
    let mut take = Take(bytes);
    let [version, flags] = take.array::<2>()?;
    if version != VERSION {
        return None;
    }
    let guid = Guid::from_bytes_le(take.array()?);
    let class = schema.class_number(u16::from_le_bytes(take.array()?))?;
    let mut number = || take.array().map(u64::from_le_bytes);
    let (descriptor, parent, naming_context) = (number()?, number()?, number()?);
    let (usn_created, usn_changed) = (number()?, number()?);
    let (created, changed) = (number()?.cast_signed(), number()?.cast_signed());
    let [sid_length] = take.array()?;
    let sid = take.slice(usize::from(sid_length))?;
    let sid = (!sid.is_empty())
        .then(|| Sid::from_bytes(sid))
        .transpose()
        .ok()?;
    let rdn_attribute = schema.attribute_number(u16::from_le_bytes(take.array()?))?;
    let rdn_length = usize::from(u16::from_le_bytes(take.array()?));
    let rdn = std::str::from_utf8(take.slice(rdn_length)?)
        .ok()?
        .to_owned();
    let header = Header {
        guid,
        class,
        descriptor: DescriptorId(descriptor),
        parent: Dnt(parent),
        naming_context: Dnt(naming_context),
        is_deleted: flags & FLAG_DELETED != 0,
        is_head: flags & FLAG_HEAD != 0,
        has_links: flags & FLAG_LINKS != 0,
        usn_created,
        usn_changed,
        when_created: Timestamp::from_ticks(created),
        when_changed: Timestamp::from_ticks(changed),
        sid,
        rdn_attribute,
        rdn,
    };
    Some((header, bytes.len().checked_sub(take.0.len())?))
}

struct Take<'a>(&'a [u8]);

impl<'a> Take<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }
}

/// A record being made or changed.
#[derive(Debug, Clone)]
pub(crate) struct ObjectBuilder {
    pub(crate) dnt: Dnt,
    pub(crate) header: Header,
    attributes: std::collections::BTreeMap<AttributeId, Vec<Vec<u8>>>,
}

impl ObjectBuilder {
    pub(crate) fn new(dnt: Dnt, header: Header) -> Self {
        Self {
            dnt,
            header,
            attributes: Default::default(),
        }
    }

    /// Starts from what is stored.
    pub(crate) fn from_object(object: &Object) -> Self {
        let attributes = object
            .attributes()
            .map(|(id, values)| (id, values.map(<[u8]>::to_vec).collect()))
            .collect();
        Self {
            dnt: object.dnt,
            header: object.header.clone(),
            attributes,
        }
    }

    pub(crate) fn values(&self, attribute: AttributeId) -> &[Vec<u8>] {
        self.attributes.get(&attribute).map_or(&[], Vec::as_slice)
    }

    /// Sets the values of an attribute; none removes it.
    pub(crate) fn set(&mut self, attribute: AttributeId, values: Vec<Vec<u8>>) {
        if values.is_empty() {
            self.attributes.remove(&attribute);
        } else {
            self.attributes.insert(attribute, values);
        }
    }

    pub(crate) fn set_text(&mut self, attribute: AttributeId, value: impl ToString) {
        self.set(attribute, vec![value.to_string().into_bytes()]);
    }

    pub(crate) fn has(&self, attribute: AttributeId) -> bool {
        self.attributes.contains_key(&attribute)
    }

    pub(crate) fn attribute_ids(&self) -> Vec<AttributeId> {
        self.attributes.keys().copied().collect()
    }

    /// The record; `None` where a part is longer than its length field allows.
    pub(crate) fn build(self) -> Option<Object> {
        let header = &self.header;
        let mut bytes = Vec::with_capacity(512);
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = flag(header.is_deleted, FLAG_DELETED)
            | flag(header.is_head, FLAG_HEAD)
            | flag(header.has_links, FLAG_LINKS);
        bytes.extend([VERSION, flags]);
        bytes.extend(header.guid.to_bytes_le());
        bytes.extend(header.class.0.to_le_bytes());
        for number in [
            header.descriptor.0,
            header.parent.0,
            header.naming_context.0,
            header.usn_created,
            header.usn_changed,
            header.when_created.ticks().cast_unsigned(),
            header.when_changed.ticks().cast_unsigned(),
        ] {
            bytes.extend(number.to_le_bytes());
        }
        let sid = header.sid.as_ref().map(Sid::to_bytes).unwrap_or_default();
        bytes.push(u8::try_from(sid.len()).ok()?);
        bytes.extend(sid);
        bytes.extend(header.rdn_attribute.0.to_le_bytes());
        bytes.extend(u16::try_from(header.rdn.len()).ok()?.to_le_bytes());
        bytes.extend(header.rdn.as_bytes());
        let values_at = bytes.len();
        for (attribute, values) in &self.attributes {
            let length: usize = values
                .iter()
                .map(|value| value.len().saturating_add(4))
                .sum();
            bytes.extend(attribute.0.to_le_bytes());
            bytes.extend(u32::try_from(length).ok()?.to_le_bytes());
            for value in values {
                bytes.extend(u32::try_from(value.len()).ok()?.to_le_bytes());
                bytes.extend(value);
            }
        }
        Some(Object {
            dnt: self.dnt,
            header: self.header,
            bytes,
            values_at,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::schema::SchemaLevel;

    fn header() -> Header {
        let schema = Schema::of(SchemaLevel::WindowsServer2016);
        Header {
            guid: Guid::v4([7; 16]),
            class: schema.class("user").unwrap().id,
            descriptor: DescriptorId(4),
            parent: Dnt(2),
            naming_context: Dnt(1),
            is_deleted: false,
            is_head: false,
            has_links: true,
            usn_created: 10,
            usn_changed: 11,
            when_created: Timestamp::from_unix_seconds(1_780_000_000),
            when_changed: Timestamp::from_unix_seconds(1_780_000_001),
            sid: Some(Sid::builtin(544)),
            rdn_attribute: schema.known().cn,
            rdn: "Ada".to_owned(),
        }
    }

    proptest! {
        #[test]
        fn records_round_trip(attributes in proptest::collection::btree_map(0_u16..1400, proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..9), 1..4), 0..6)) {
            let schema = Schema::of(SchemaLevel::WindowsServer2016);
            let mut builder = ObjectBuilder::new(Dnt(9), header());
            for (id, values) in &attributes {
                builder.set(AttributeId(*id), values.clone());
            }
            let object = builder.build().unwrap();
            let again = Object::decode(schema, Dnt(9), object.encode().to_vec()).unwrap();
            for (id, values) in &attributes {
                let stored: Vec<Vec<u8>> = again.values(AttributeId(*id)).map(<[u8]>::to_vec).collect();
                prop_assert_eq!(&stored, values);
            }
            prop_assert_eq!(again.attributes().count(), attributes.len());
            prop_assert_eq!(again.header.rdn.as_str(), "Ada");
            let rebuilt = ObjectBuilder::from_object(&again).build().unwrap();
            prop_assert_eq!(rebuilt.encode(), object.encode());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let schema = Schema::of(SchemaLevel::WindowsServer2016);
            if let Ok(object) = Object::decode(schema, Dnt(1), bytes) {
                object.attributes().for_each(|(_, values)| { values.count(); });
            }
        }
    }
}
