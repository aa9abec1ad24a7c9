//! The working copy of a modify: the steps are played on it, and what counts is the difference in the end.

use std::collections::{BTreeMap, HashMap, HashSet};

use ldap::diagnostic::win32;

use crate::error::AttributeProblem;
use crate::model::{Descriptor, Dnt, Link, Object, Reader, Transaction, value_key};
use crate::operations::{add, values};
use crate::schema::{Attribute, AttributeId};
use crate::{Error, Modification, ModificationKind, ModifyRequest, Session};

/// The working copy.
#[derive(Default)]
pub(super) struct Work {
    pub(super) plain: BTreeMap<AttributeId, PlainWork>,
    pub(super) links: BTreeMap<AttributeId, LinkWork>,
    pub(super) descriptor: Option<Descriptor>,
}

pub(super) struct PlainWork {
    pub(super) before: Vec<Vec<u8>>,
    pub(super) after: Vec<Vec<u8>>,
    pub(super) replaced: bool,
}

#[derive(Default)]
pub(super) struct LinkWork {
    /// Values that the request has touched: were they there, and are they now?
    touched: HashMap<(Dnt, Vec<u8>), (bool, bool)>,
    pub(super) replaced: bool,
}

pub(super) fn play(
    transaction: &Transaction<'_>,
    session: &Session,
    object: &Object,
    request: &ModifyRequest,
    step: &Modification,
    work: &mut Work,
) -> Result<(), Error> {
    let schema = transaction.schema;
    let known = schema.known();
    let reader = transaction.reader();
    let attribute = schema
        .attribute(&step.attribute)
        .ok_or_else(|| Error::undefined(&step.attribute))?;
    let id = attribute.id;
    if id == known.security_descriptor {
        let bytes = step.values.first().map(Vec::as_slice).unwrap_or_default();
        let parsed = Descriptor::parse(bytes);
        let invalid = |_| Error::attribute(attribute, AttributeProblem::InvalidSyntax);
        work.descriptor = Some(parsed.map_err(invalid)?);
        return Ok(());
    }
    if id == object.header.rdn_attribute || id == known.name || id == known.distinguished_name {
        return Err(Error::NotOnRdn {
            attribute: attribute.name.to_owned(),
        });
    }
    if id == known.object_class {
        let why = "the class of an object does not change";
        return Err(Error::unwilling(win32::ERROR_DS_ILLEGAL_MOD_OPERATION, why));
    }
    let attribute = values::writable(schema, session, &step.attribute)?;
    if step.kind == ModificationKind::Add && step.values.is_empty() {
        return Err(Error::attribute(attribute, AttributeProblem::Constraint));
    }
    if attribute.is_forward_link() {
        let link_work = work.links.entry(id).or_default();
        return play_links(
            &reader,
            attribute,
            object.dnt,
            step,
            request.permissive,
            link_work,
        );
    }
    let plain = work.plain.entry(id).or_insert_with(|| {
        let before: Vec<Vec<u8>> = object.values(id).map(<[u8]>::to_vec).collect();
        PlainWork {
            after: before.clone(),
            before,
            replaced: false,
        }
    });
    play_plain(&reader, session, attribute, step, request.permissive, plain)
}

fn play_plain(
    reader: &Reader<'_>,
    session: &Session,
    attribute: &Attribute,
    step: &Modification,
    permissive: bool,
    work: &mut PlainWork,
) -> Result<(), Error> {
    let refused = |problem| Err(Error::attribute(attribute, problem));
    let same = |a: &[u8], b: &[u8]| value_key(attribute, a) == value_key(attribute, b);
    match step.kind {
        ModificationKind::Add => {
            for value in values::stored(reader, session, attribute, &step.values)? {
                if !work.after.iter().any(|other| same(other, &value)) {
                    work.after.push(value);
                } else if !permissive {
                    return refused(AttributeProblem::ValueExists);
                }
            }
        }
        ModificationKind::Delete if step.values.is_empty() => {
            if work.after.is_empty() && !permissive {
                return refused(AttributeProblem::NoSuchValue);
            }
            work.after.clear();
        }
        ModificationKind::Delete => {
            for value in values::stored(reader, session, attribute, &step.values)? {
                let length = work.after.len();
                work.after.retain(|other| !same(other, &value));
                if work.after.len() == length && !permissive {
                    return refused(AttributeProblem::NoSuchValue);
                }
            }
        }
        ModificationKind::Replace => {
            let new = values::stored(reader, session, attribute, &step.values)?;
            add::check_distinct(attribute, &new)?;
            work.after = new;
            work.replaced = true;
        }
        ModificationKind::Increment => work.after = incremented(attribute, &work.after, step)?,
    }
    Ok(())
}

/// RFC 4525.
fn incremented(
    attribute: &Attribute,
    values: &[Vec<u8>],
    step: &Modification,
) -> Result<Vec<Vec<u8>>, Error> {
    let number = |bytes: &[u8]| std::str::from_utf8(bytes).ok()?.trim().parse::<i64>().ok();
    let by = match step.values.as_slice() {
        [value] if attribute.syntax.is_number() => number(value),
        _ => None,
    };
    let by = by.ok_or_else(|| Error::attribute(attribute, AttributeProblem::InvalidSyntax))?;
    if values.is_empty() {
        return Err(Error::attribute(attribute, AttributeProblem::NoSuchValue));
    }
    values
        .iter()
        .map(|value| {
            let sum = number(value)
                .and_then(|old| old.checked_add(by))
                .map(|sum| sum.to_string());
            sum.and_then(|sum| attribute.syntax.stored(sum.as_bytes()))
                .ok_or_else(|| Error::attribute(attribute, AttributeProblem::OutOfRange))
        })
        .collect()
}

fn play_links(
    reader: &Reader<'_>,
    attribute: &Attribute,
    source: Dnt,
    step: &Modification,
    permissive: bool,
    work: &mut LinkWork,
) -> Result<(), Error> {
    let refused = |problem| Err(Error::attribute(attribute, problem));
    let mut named = Vec::with_capacity(step.values.len());
    for value in &step.values {
        named.push(values::link_target(reader, attribute, value)?);
    }
    match step.kind {
        ModificationKind::Add => {
            for value in named {
                let Some(value) = value else {
                    return refused(AttributeProblem::UnknownReference);
                };
                let is_present = work.state(reader, attribute, source, value)?;
                if *is_present && !permissive {
                    return refused(AttributeProblem::ValueExists);
                }
                *is_present = true;
            }
        }
        ModificationKind::Delete if step.values.is_empty() => {
            let any = work.clear(reader, attribute, source)?;
            if !any && !permissive {
                return refused(AttributeProblem::NoSuchValue);
            }
        }
        ModificationKind::Delete => {
            for value in named {
                let is_present = match value {
                    Some(value) => Some(work.state(reader, attribute, source, value)?),
                    None => None,
                };
                match is_present {
                    Some(is_present) if *is_present => *is_present = false,
                    _ if permissive => {}
                    _ => return refused(AttributeProblem::NoSuchValue),
                }
            }
        }
        ModificationKind::Replace => {
            work.clear(reader, attribute, source)?;
            work.replaced = true;
            let mut seen = HashSet::new();
            for value in named {
                let Some(value) = value else {
                    return refused(AttributeProblem::UnknownReference);
                };
                if !seen.insert(value.clone()) {
                    return refused(AttributeProblem::ValueExists);
                }
                *work.state(reader, attribute, source, value)? = true;
            }
        }
        ModificationKind::Increment => return refused(AttributeProblem::InvalidSyntax),
    }
    Ok(())
}

impl LinkWork {
    /// Whether a value is there at this point of the request.
    fn state(
        &mut self,
        reader: &Reader<'_>,
        attribute: &Attribute,
        source: Dnt,
        value: (Dnt, Vec<u8>),
    ) -> Result<&mut bool, Error> {
        let entry = match self.touched.entry(value) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let (target, payload) = entry.key().clone();
                let link = Link {
                    source,
                    attribute: attribute.id,
                    target,
                    payload,
                };
                let is_present = reader.link_row(&link)?.is_some_and(|row| row.is_present);
                entry.insert((is_present, is_present))
            }
        };
        Ok(&mut entry.1)
    }

    /// Takes every value away; whether there was any.
    fn clear(
        &mut self,
        reader: &Reader<'_>,
        attribute: &Attribute,
        source: Dnt,
    ) -> Result<bool, Error> {
        for link in reader.links(source, attribute.id)? {
            self.touched
                .entry((link.target, link.payload))
                .or_insert((true, true));
        }
        let mut any = false;
        for (_, is_present) in self.touched.values_mut() {
            any |= std::mem::take(is_present);
        }
        Ok(any)
    }
}

/// What a request changes in the end.
pub(super) struct Changed {
    pub(super) plain: Vec<(AttributeId, PlainWork)>,
    pub(super) links: Vec<LinkChange>,
    pub(super) descriptor: Option<Descriptor>,
}

pub(super) struct LinkChange {
    pub(super) attribute: AttributeId,
    pub(super) added: Vec<Link>,
    pub(super) removed: Vec<Link>,
    pub(super) replaced: bool,
}

impl Changed {
    pub(super) fn of(object: &Object, work: Work) -> Self {
        let links = work
            .links
            .into_iter()
            .map(|(attribute, work)| {
                let mut change = LinkChange {
                    attribute,
                    added: Vec::new(),
                    removed: Vec::new(),
                    replaced: work.replaced,
                };
                // In the order of their keys, so that records come in the same order in every run.
                let touched: BTreeMap<_, _> = work.touched.into_iter().collect();
                for ((target, payload), (before, after)) in touched {
                    let link = Link {
                        source: object.dnt,
                        attribute,
                        target,
                        payload,
                    };
                    match (before, after) {
                        (false, true) => change.added.push(link),
                        (true, false) => change.removed.push(link),
                        _ => {}
                    }
                }
                change
            })
            .collect();
        Self {
            plain: work.plain.into_iter().collect(),
            links,
            descriptor: work.descriptor,
        }
    }

    /// Schema rules about the object as it will be.
    pub(super) fn check(
        &self,
        transaction: &Transaction<'_>,
        object: &Object,
    ) -> Result<(), Error> {
        let schema = transaction.schema;
        let reader = transaction.reader();
        for (id, work) in &self.plain {
            let attribute = schema.attribute_by_id(*id);
            if !work.after.is_empty() && !schema.allows(object.class(), *id) {
                return Err(Error::attribute(attribute, AttributeProblem::NotForClass));
            }
            if attribute.single_valued && work.after.len() > 1 {
                return Err(Error::attribute(attribute, AttributeProblem::SingleValued));
            }
            let is_required = schema.attributes_required(object.class()).contains(id);
            if work.after.is_empty() && !work.before.is_empty() && is_required {
                let why = format!("{} must be there", attribute.name);
                return Err(Error::ObjectClass {
                    why,
                    win32: win32::ERROR_DS_OBJ_CLASS_VIOLATION,
                });
            }
        }
        for change in self.links.iter().filter(|change| !change.added.is_empty()) {
            let attribute = schema.attribute_by_id(change.attribute);
            if !schema.allows(object.class(), change.attribute) {
                return Err(Error::attribute(attribute, AttributeProblem::NotForClass));
            }
            if attribute.single_valued {
                let before = reader.links(object.dnt, change.attribute)?.len();
                if before
                    .saturating_add(change.added.len())
                    .saturating_sub(change.removed.len())
                    > 1
                {
                    return Err(Error::attribute(attribute, AttributeProblem::SingleValued));
                }
            }
        }
        Ok(())
    }
}

/// Values that come and values that go.
pub(super) fn difference(work: &PlainWork) -> (Vec<&Vec<u8>>, Vec<&Vec<u8>>) {
    // A value spelt differently counts as changed, although it compares as equal.
    fn only_in<'w>(these: &'w [Vec<u8>], others: &[Vec<u8>]) -> Vec<&'w Vec<u8>> {
        let others: HashSet<&Vec<u8>> = others.iter().collect();
        these
            .iter()
            .filter(|value| !others.contains(value))
            .collect()
    }
    (
        only_in(&work.after, &work.before),
        only_in(&work.before, &work.after),
    )
}
