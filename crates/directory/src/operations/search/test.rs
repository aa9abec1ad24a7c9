//! A filter made ready for many objects: names looked up, values in comparable form (MS-ADTS 3.1.1.3.1.3).
//!
//! Three values: what the schema does not know, what the caller may not read and what cannot be compared is
//! Undefined (`None`), and so is its negation.

use std::ops::ControlFlow;

use ldap::{AttributeAssertion, ExtensibleMatch, Filter, Substrings};

use super::value::head_values;
use crate::Error;
use crate::access::Readable;
use crate::model::{Dnt, Link, Object, Reader, Reference, Resolved, value_key};
use crate::schema::{Attribute, AttributeId, ClassId, Syntax, folded};
use crate::store::{Table, has_prefix, keys};

/// LDAP_MATCHING_RULE_BIT_AND
const BIT_AND: &str = "1.2.840.113556.1.4.803";
/// LDAP_MATCHING_RULE_BIT_OR
const BIT_OR: &str = "1.2.840.113556.1.4.804";
/// LDAP_MATCHING_RULE_TRANSITIVE_EVAL
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";
/// LDAP_MATCHING_RULE_DN_WITH_DATA
const DN_WITH_DATA: &str = "1.2.840.113556.1.4.2253";

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

const UNDEFINED: Test = Test::Constant(None);

impl Test {
    pub(crate) fn compile(reader: &Reader<'_>, filter: &Filter) -> Result<Self, Error> {
        let all = |filters: &[Filter]| -> Result<Vec<Self>, Error> {
            filters.iter().map(|f| Self::compile(reader, f)).collect()
        };
        match filter {
            Filter::And(filters) => Ok(Self::And(all(filters)?)),
            Filter::Or(filters) => Ok(Self::Or(all(filters)?)),
            Filter::Not(filter) => Ok(Self::Not(Box::new(Self::compile(reader, filter)?))),
            Filter::Present(name) => Ok(present(reader, name)),
            Filter::Equality(assertion) | Filter::Approximate(assertion) => {
                equality(reader, assertion)
            }
            Filter::Substrings(parts) => Ok(substrings(reader, parts)),
            Filter::GreaterOrEqual(assertion) => Ok(ordered(reader, assertion, How::AtLeast)),
            Filter::LessOrEqual(assertion) => Ok(ordered(reader, assertion, How::AtMost)),
            Filter::Extensible(extensible) => by_rule(reader, extensible),
        }
    }

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

fn number(text: &[u8]) -> Option<i64> {
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

/// The attribute of a filter; options after a semicolon are not looked at.
fn find<'s>(reader: &Reader<'s>, name: &str) -> Option<&'s Attribute> {
    reader
        .schema
        .attribute(name.split(';').next().unwrap_or_default())
}

/// Passwords and computed values cannot be asked for.
fn is_testable(reader: &Reader<'_>, attribute: &Attribute) -> bool {
    let known = reader.schema.known();
    attribute.id != known.unicode_pwd
        && attribute.id != known.security_descriptor
        && !attribute.is_constructed()
}

fn present(reader: &Reader<'_>, name: &str) -> Test {
    let Some(attribute) = find(reader, name) else {
        return UNDEFINED;
    };
    let known = reader.schema.known();
    // Every object has a class and a descriptor, whoever may read them.
    if attribute.id == known.object_class || attribute.id == known.security_descriptor {
        return Test::Constant(Some(true));
    }
    if !is_testable(reader, attribute) {
        return UNDEFINED;
    }
    if attribute.is_forward_link() {
        return Test::AnyLink {
            attribute: attribute.id,
            forward: None,
        };
    }
    if attribute.is_back_link() {
        return match reader.schema.link_partner(attribute) {
            Some(forward) => Test::AnyLink {
                attribute: attribute.id,
                forward: Some(forward.id),
            },
            None => UNDEFINED,
        };
    }
    Test::Plain(attribute.id, How::Present)
}

fn equality(reader: &Reader<'_>, assertion: &AttributeAssertion) -> Result<Test, Error> {
    let known = reader.schema.known();
    let Some(attribute) = find(reader, &assertion.attribute) else {
        return Ok(UNDEFINED);
    };
    if attribute.id == known.anr {
        return Ok(ambiguous(reader, &assertion.value));
    }
    if attribute.id == known.object_class {
        let text = String::from_utf8_lossy(&assertion.value);
        let class = reader.schema.class(text.trim()).map(|class| class.id);
        return Ok(class.map_or(UNDEFINED, Test::Class));
    }
    if !is_testable(reader, attribute) {
        return Ok(UNDEFINED);
    }
    if attribute.syntax.is_reference() {
        return reference_equality(reader, attribute, &assertion.value);
    }
    let is_guid = attribute.id == known.object_guid;
    let key = attribute.syntax.assertion_key(&assertion.value, is_guid);
    Ok(key.map_or(UNDEFINED, |key| Test::Plain(attribute.id, How::Equal(key))))
}

fn reference_equality(
    reader: &Reader<'_>,
    attribute: &Attribute,
    value: &[u8],
) -> Result<Test, Error> {
    let known = reader.schema.known();
    let id = attribute.id;
    if id == known.object_category
        && let Some(class) = std::str::from_utf8(value)
            .ok()
            .and_then(|name| reader.schema.class(name))
        && let Some(category) = reader.schema.class_by_cn(&class.default_category_cn)
    {
        // MS-ADTS 3.1.1.3.1.3.5: the short form, by the name of a class.
        let reference = Reference::Object(Dnt::of_class(category.id), Vec::new());
        return Ok(Test::Reference(id, reference.key()));
    }
    let resolved = reader.reference(attribute.syntax, value)?;
    if id == known.distinguished_name {
        return Ok(match resolved {
            Some(Resolved::Known(Reference::Object(dnt, _))) => same_object(reader, dnt)?,
            Some(_) => Test::Constant(Some(false)),
            None => UNDEFINED,
        });
    }
    Ok(match resolved {
        Some(Resolved::Known(Reference::Object(target, payload)))
            if attribute.is_forward_link() =>
        {
            Test::Link {
                attribute: id,
                target,
                payload,
            }
        }
        Some(Resolved::Known(Reference::Object(source, _))) if attribute.is_back_link() => {
            match reader.schema.link_partner(attribute) {
                Some(forward) => Test::BackLink {
                    attribute: id,
                    forward: forward.id,
                    source,
                },
                None => UNDEFINED,
            }
        }
        Some(Resolved::Known(reference)) => Test::Reference(id, reference.key()),
        // No object of that name: nothing can have it as a value.
        Some(Resolved::Unknown) => Test::Constant(Some(false)),
        None => UNDEFINED,
    })
}

/// By the one name that does not change.
fn same_object(reader: &Reader<'_>, dnt: Dnt) -> Result<Test, Error> {
    let id = reader.schema.known().object_guid;
    Ok(match reader.object(dnt)? {
        Some(object) => Test::Plain(id, How::Equal(object.guid().to_bytes_le().to_vec())),
        None => Test::Constant(Some(false)),
    })
}

fn substrings(reader: &Reader<'_>, parts: &Substrings) -> Test {
    let Some(attribute) = find(reader, &parts.attribute) else {
        return UNDEFINED;
    };
    if attribute.id == reader.schema.known().anr {
        return ambiguous(reader, parts.initial.as_deref().unwrap_or_default());
    }
    let syntax = attribute.syntax;
    if !is_testable(reader, attribute)
        || syntax.is_reference()
        || syntax.is_number()
        || syntax == Syntax::Boolean
    {
        return UNDEFINED;
    }
    let is_text = !syntax.is_binary() && syntax.key(b"A") == b"a";
    let key = |part: &Vec<u8>| if is_text { lower(part) } else { part.clone() };
    Test::Plain(
        attribute.id,
        How::Parts {
            initial: parts.initial.as_ref().map(key),
            any: parts.any.iter().map(key).collect(),
            last: parts.last.as_ref().map(key),
        },
    )
}

/// Folds case and keeps outer spaces: inside a value they count.
fn lower(part: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(part) {
        Ok(text) => text.to_lowercase().into_bytes(),
        Err(_) => part.to_vec(),
    }
}

fn ordered(
    reader: &Reader<'_>,
    assertion: &AttributeAssertion,
    how: impl Fn(Vec<u8>) -> How,
) -> Test {
    let Some(attribute) = find(reader, &assertion.attribute) else {
        return UNDEFINED;
    };
    if !is_testable(reader, attribute) || attribute.syntax.is_reference() {
        return UNDEFINED;
    }
    let key = attribute.syntax.assertion_key(&assertion.value, false);
    key.map_or(UNDEFINED, |key| Test::Plain(attribute.id, how(key)))
}

fn by_rule(reader: &Reader<'_>, extensible: &ExtensibleMatch) -> Result<Test, Error> {
    let Some(attribute) = extensible
        .attribute
        .as_deref()
        .and_then(|name| find(reader, name))
    else {
        return Ok(UNDEFINED);
    };
    let assertion = || AttributeAssertion {
        attribute: attribute.name.to_owned(),
        value: extensible.value.clone(),
    };
    match extensible.rule.as_deref() {
        None => equality(reader, &assertion()),
        Some(BIT_AND | BIT_OR)
            if attribute.syntax.is_number() && is_testable(reader, attribute) =>
        {
            let is_and = extensible.rule.as_deref() == Some(BIT_AND);
            let bits = number(extensible.value.trim_ascii());
            let how = |bits| {
                if is_and {
                    How::AllBits(bits)
                } else {
                    How::AnyBit(bits)
                }
            };
            Ok(bits.map_or(UNDEFINED, |bits| Test::Plain(attribute.id, how(bits))))
        }
        Some(IN_CHAIN) if attribute.link_id.is_some() && attribute.syntax == Syntax::Dn => {
            chain(reader, attribute, &extensible.value)
        }
        Some(DN_WITH_DATA) if matches!(attribute.syntax, Syntax::DnBinary | Syntax::DnString) => {
            // A whole value, or the name alone (MS-ADTS 3.1.1.3.4.4.4).
            match reader.reference(Syntax::Dn, &extensible.value)? {
                Some(Resolved::Known(Reference::Object(target, _)))
                    if attribute.is_forward_link() =>
                {
                    Ok(Test::LinkTo {
                        attribute: attribute.id,
                        target,
                    })
                }
                _ => equality(reader, &assertion()),
            }
        }
        Some(_) => Ok(UNDEFINED),
    }
}

fn chain(reader: &Reader<'_>, attribute: &Attribute, value: &[u8]) -> Result<Test, Error> {
    let is_back = attribute.is_back_link();
    let forward = if is_back {
        reader.schema.link_partner(attribute)
    } else {
        Some(attribute)
    };
    let Some(forward) = forward else {
        return Ok(UNDEFINED);
    };
    Ok(match reader.reference(Syntax::Dn, value)? {
        Some(Resolved::Known(Reference::Object(end, _))) => Test::Chain {
            attribute: attribute.id,
            forward: forward.id,
            is_back,
            end,
        },
        Some(_) => Test::Constant(Some(false)),
        None => UNDEFINED,
    })
}

/// Ambiguous name resolution (MS-ADTS 3.1.1.3.1.3.3): any of the ANR attributes begins so; two words may be the
/// first and last name.
fn ambiguous(reader: &Reader<'_>, value: &[u8]) -> Test {
    let text = String::from_utf8_lossy(value).trim().to_owned();
    let (text, is_exact) = match text.strip_prefix('=') {
        Some(rest) => (rest.to_owned(), true),
        None => (text, false),
    };
    if text.is_empty() {
        return UNDEFINED;
    }
    let begins = |id: AttributeId, part: &str| {
        let key = folded(part.as_bytes());
        let how = if is_exact {
            How::Equal(key)
        } else {
            How::Parts {
                initial: Some(key),
                any: Vec::new(),
                last: None,
            }
        };
        Test::Plain(id, how)
    };
    let mut any: Vec<Test> = reader
        .schema
        .attributes()
        .filter(|attribute| attribute.is_in_anr() && attribute.syntax == Syntax::Unicode)
        .map(|attribute| begins(attribute.id, &text))
        .collect();
    let names = reader
        .schema
        .attribute("givenName")
        .zip(reader.schema.attribute("sn"));
    if let Some(((given, surname), (first, last))) = names.zip(text.split_once(' ')) {
        for (first, last) in [(first, last), (last, first)] {
            any.push(Test::And(vec![
                begins(given.id, first),
                begins(surname.id, last),
            ]));
        }
    }
    Test::Or(any)
}
