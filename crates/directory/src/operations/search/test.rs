//! What a filter asks of one object (MS-ADTS 3.1.1.3.1.3). [`super::compile`] makes it from the request's form.
//!
//! Three values: what the schema does not know, what the caller may not read and what cannot be compared is
//! Undefined (`None`), and so is its negation.

use std::ops::ControlFlow;

use super::value::head_values;
use crate::Error;
use crate::access::Readable;
use crate::model::{Dnt, Link, Object, Reader, value_key};
use crate::schema::{AttributeId, ClassId, Syntax};
use crate::store::{Table, has_prefix, keys};

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Test {
    And(Vec<Test>),
    Or(Vec<Test>),
    Not(Box<Test>),
    Constant(Option<bool>),
    /// `(objectClass=...)`
    Class(ClassId),
    /// A stored value, or one from the record's head.
    Plain(AttributeId, How),
    /// A stored value that names an object.
    Reference(AttributeId, Vec<u8>),
    /// `attribute` of the object has this value.
    Link {
        attribute: AttributeId,
        target: Dnt,
        payload: Vec<u8>,
    },
    /// `attribute` of the object names `target`, whatever stands beside the name.
    LinkTo {
        attribute: AttributeId,
        target: Dnt,
    },
    /// `forward` of `source` names the object.
    BackLink {
        attribute: AttributeId,
        forward: AttributeId,
        source: Dnt,
    },
    /// The object has values of a link attribute; `forward` is set for a back link.
    AnyLink {
        attribute: AttributeId,
        forward: Option<AttributeId>,
    },
    /// The object leads to `end` over any number of links, or is led to from it.
    Chain {
        attribute: AttributeId,
        forward: AttributeId,
        is_back: bool,
        end: Dnt,
    },
}

/// How a stored value is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum How {
    Present,
    Equal(Vec<u8>),
    Parts {
        initial: Option<Vec<u8>>,
        any: Vec<Vec<u8>>,
        last: Option<Vec<u8>>,
    },
    AtLeast(Vec<u8>),
    AtMost(Vec<u8>),
    AllBits(i64),
    AnyBit(i64),
}

impl Test {
    /// Whether it holds for an object of which `readable` may be read (`None`: everything).
    pub(crate) fn holds(
        &self,
        reader: &Reader<'_>,
        object: &Object,
        readable: Option<&Readable>,
    ) -> Result<Option<bool>, Error> {
        match self {
            Self::And(tests) => {
                let mut all = Some(true);
                for test in tests {
                    match test.holds(reader, object, readable)? {
                        Some(false) => return Ok(Some(false)),
                        Some(true) => {}
                        None => all = None,
                    }
                }
                Ok(all)
            }
            Self::Or(tests) => {
                let mut any = Some(false);
                for test in tests {
                    match test.holds(reader, object, readable)? {
                        Some(true) => return Ok(Some(true)),
                        Some(false) => {}
                        None => any = None,
                    }
                }
                Ok(any)
            }
            Self::Not(test) => Ok(test.holds(reader, object, readable)?.map(|holds| !holds)),
            Self::Constant(value) => Ok(*value),
            _ if !self.may_read(reader, readable) => Ok(None),
            _ => self.compare(reader, object).map(Some),
        }
    }

    /// How many walks along links the test takes for one object.
    pub(super) fn chains(&self) -> usize {
        match self {
            Self::And(tests) | Self::Or(tests) => tests.iter().map(Self::chains).sum(),
            Self::Not(test) => test.chains(),
            Self::Chain { .. } => 1,
            _ => 0,
        }
    }

    fn may_read(&self, reader: &Reader<'_>, readable: Option<&Readable>) -> bool {
        let id = match self {
            Self::Class(_) => reader.schema.known().object_class,
            Self::Plain(id, _) | Self::Reference(id, _) => *id,
            Self::Link { attribute, .. }
            | Self::LinkTo { attribute, .. }
            | Self::BackLink { attribute, .. }
            | Self::AnyLink { attribute, .. }
            | Self::Chain { attribute, .. } => *attribute,
            Self::And(_) | Self::Or(_) | Self::Not(_) | Self::Constant(_) => return true,
        };
        readable.is_none_or(|readable| readable.may_read(id))
    }

    fn compare(&self, reader: &Reader<'_>, object: &Object) -> Result<bool, Error> {
        match self {
            Self::Class(class) => Ok(reader.schema.is_subclass(object.class(), *class)),
            Self::Plain(id, how) => compare_plain(reader, object, *id, how),
            Self::Reference(id, key) => {
                let attribute = reader.schema.attribute_by_id(*id);
                Ok(object
                    .values(*id)
                    .any(|value| value_key(attribute, value) == *key))
            }
            Self::Link {
                attribute,
                target,
                payload,
            } => {
                let link = Link {
                    source: object.dnt,
                    attribute: *attribute,
                    target: *target,
                    payload: payload.clone(),
                };
                Ok(reader.link_row(&link)?.is_some_and(|row| row.is_present))
            }
            Self::LinkTo { attribute, target } => has_prefix(
                reader.view,
                Table::Back,
                &keys::link_target(*target, *attribute, object.dnt),
            ),
            Self::BackLink {
                forward, source, ..
            } => has_prefix(
                reader.view,
                Table::Back,
                &keys::link_target(object.dnt, *forward, *source),
            ),
            Self::AnyLink {
                attribute,
                forward: None,
            } => {
                let mut any = false;
                reader.link_rows(object.dnt, Some(*attribute), &mut |_, row| {
                    any |= row.is_present;
                    if any {
                        ControlFlow::Break(())
                    } else {
                        ControlFlow::Continue(())
                    }
                })?;
                Ok(any)
            }
            Self::AnyLink {
                forward: Some(forward),
                ..
            } => has_prefix(
                reader.view,
                Table::Back,
                &keys::link_attribute(object.dnt, *forward),
            ),
            Self::Chain {
                forward,
                is_back,
                end,
                ..
            } => {
                // `member:IN_CHAIN:=X`: X is in the object. `memberOf:IN_CHAIN:=G`: the object is in G.
                let (start, wanted) = if *is_back {
                    (object.dnt, *end)
                } else {
                    (*end, object.dnt)
                };
                Ok(reader
                    .transitive_sources(&[start], *forward)?
                    .contains(&wanted))
            }
            Self::And(_) | Self::Or(_) | Self::Not(_) | Self::Constant(_) => Ok(false),
        }
    }
}

fn compare_plain(
    reader: &Reader<'_>,
    object: &Object,
    id: AttributeId,
    how: &How,
) -> Result<bool, Error> {
    let syntax = reader.schema.attribute_by_id(id).syntax;
    match head_values(reader, object, id)? {
        Some(values) => Ok(values.iter().any(|value| how.matches(syntax, value))),
        None => Ok(object.values(id).any(|value| how.matches(syntax, value))),
    }
}

impl How {
    fn matches(&self, syntax: Syntax, stored: &[u8]) -> bool {
        match self {
            Self::Present => true,
            Self::Equal(key) => is_equal(syntax, stored, key),
            Self::Parts { initial, any, last } => parts_match(
                &syntax.key(stored),
                initial.as_deref(),
                any,
                last.as_deref(),
            ),
            Self::AtLeast(key) => syntax.key(stored) >= *key,
            Self::AtMost(key) => syntax.key(stored) <= *key,
            Self::AllBits(bits) => number(stored).is_some_and(|n| n & bits == *bits),
            Self::AnyBit(bits) => number(stored).is_some_and(|n| n & bits != 0),
        }
    }
}

/// The common case, ASCII text, without a copy.
fn is_equal(syntax: Syntax, stored: &[u8], key: &[u8]) -> bool {
    if syntax == Syntax::Unicode && stored.is_ascii() {
        return stored.trim_ascii().eq_ignore_ascii_case(key);
    }
    syntax.key(stored) == key
}

pub(super) fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn parts_match(value: &[u8], initial: Option<&[u8]>, any: &[Vec<u8>], last: Option<&[u8]>) -> bool {
    let Some(mut rest) = value.strip_prefix(initial.unwrap_or_default()) else {
        return false;
    };
    for part in any {
        let Some(at) = memchr::memmem::find(rest, part) else {
            return false;
        };
        rest = at
            .checked_add(part.len())
            .and_then(|end| rest.get(end..))
            .unwrap_or_default();
    }
    rest.ends_with(last.unwrap_or_default())
}
