//! Makes a [`Test`] of a filter: names looked up, values brought into comparable form, once for all candidates.

use ldap::{AttributeAssertion, ExtensibleMatch, Filter, Substrings};

use super::test::{How, Test, number};
use crate::Error;
use crate::model::{Dnt, Reader, Reference, Resolved};
use crate::schema::{Attribute, AttributeId, Syntax, folded};

/// LDAP_MATCHING_RULE_BIT_AND
const BIT_AND: &str = "1.2.840.113556.1.4.803";
/// LDAP_MATCHING_RULE_BIT_OR
const BIT_OR: &str = "1.2.840.113556.1.4.804";
/// LDAP_MATCHING_RULE_TRANSITIVE_EVAL
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";
/// LDAP_MATCHING_RULE_DN_WITH_DATA
const DN_WITH_DATA: &str = "1.2.840.113556.1.4.2253";
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
