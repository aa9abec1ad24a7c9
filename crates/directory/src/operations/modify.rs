//! Changes the values of an object (MS-ADTS 3.1.1.5.3).
//!
//! The steps of a request are played on a working copy; what counts in the end is the difference: it is checked,
//! stored, stamped and audited value by value. A value that a replace writes again leaves no trace.

use std::collections::{BTreeMap, HashMap, HashSet};

use ldap::diagnostic::win32;
use types::Dn;

use super::audit::{self, Deed, ValueChange};
use super::{NewPassword, Refused, account, add, descriptor, password, values};
use crate::access::{
    self, AttributeWrite, Authorized, ModifyDraft, PasswordWrite, WriteContext, authorize_modify,
};
use crate::error::AttributeProblem;
use crate::model::{
    Descriptor, Dnt, Link, Object, ObjectBuilder, Reader, Transaction, shown, value_key,
};
use crate::schema::{Attribute, AttributeId};
use crate::store::{Table, View, keys};
use crate::{Applied, Error, Modification, ModificationKind, ModifyRequest, Session};

/// The working copy.
#[derive(Default)]
struct Work {
    plain: BTreeMap<AttributeId, PlainWork>,
    links: BTreeMap<AttributeId, LinkWork>,
    descriptor: Option<Descriptor>,
}

struct PlainWork {
    before: Vec<Vec<u8>>,
    after: Vec<Vec<u8>>,
    replaced: bool,
}

#[derive(Default)]
struct LinkWork {
    /// Values that the request has touched: were they there, and are they now?
    touched: HashMap<(Dnt, Vec<u8>), (bool, bool)>,
    replaced: bool,
}

pub(super) fn modify(
    transaction: &mut Transaction<'_>,
    session: &Session,
    request: &ModifyRequest,
    password: Option<&NewPassword>,
) -> Result<Applied, Refused> {
    let object = super::visible(transaction, session, &request.name, request.show_deleted)?;
    if object.dnt.is_virtual() || (object.is_deleted() && !session.is_system()) {
        let why = "schema objects and deleted objects are not modified";
        return Err(Error::unwilling(win32::ERROR_DS_UNWILLING_TO_PERFORM, why).into());
    }
    authorize_attempt(transaction, session, request, &object)?;
    let mut work = Work::default();
    for step in &request.modifications {
        play(transaction, session, &object, request, step, &mut work)?;
    }
    let changed = Changed::of(&object, work);
    let proof = authorize(transaction, session, request, &object, &changed, password)?;
    changed.check(transaction, &object)?;
    if let Some(password) = password {
        check_old_password(transaction, &object, password)?;
    }
    Ok(store(
        transaction,
        session,
        proof,
        &object,
        changed,
        password,
    )?)
}

/// Before any value is looked at, so that no answer tells a value to whoever may not write it.
fn authorize_attempt(
    transaction: &Transaction<'_>,
    session: &Session,
    request: &ModifyRequest,
    object: &Object,
) -> Result<(), Refused> {
    let schema = transaction.schema;
    let reader = transaction.reader();
    let descriptor = reader.descriptor(object.descriptor_id())?;
    let target = Reader::target(object, &descriptor);
    let steps = request.modifications.iter();
    let written = steps.filter_map(|step| Some(schema.attribute(&step.attribute)?.id));
    access::authorize_attempt(schema, session.token(), &target, written)
        .map_err(|denied| Refused::denied(transaction, session, object, denied))
}

fn play(
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
struct Changed {
    plain: Vec<(AttributeId, PlainWork)>,
    links: Vec<LinkChange>,
    descriptor: Option<Descriptor>,
}

struct LinkChange {
    attribute: AttributeId,
    added: Vec<Link>,
    removed: Vec<Link>,
    replaced: bool,
}

impl Changed {
    fn of(object: &Object, work: Work) -> Self {
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
    fn check(&self, transaction: &Transaction<'_>, object: &Object) -> Result<(), Error> {
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

fn authorize(
    transaction: &Transaction<'_>,
    session: &Session,
    request: &ModifyRequest,
    object: &Object,
    changed: &Changed,
    password: Option<&NewPassword>,
) -> Result<Authorized<ModifyDraft>, Refused> {
    let reader = transaction.reader();
    let descriptor = reader.descriptor(object.descriptor_id())?;
    let target = Reader::target(object, &descriptor);
    let draft = draft(transaction, session, request, object, changed, password)?;
    let policy = crate::model::policy(&reader);
    authorize_modify(transaction.schema, session.token(), policy, &target, draft)
        .map_err(|denied| Refused::denied(transaction, session, object, denied))
}

fn draft(
    transaction: &Transaction<'_>,
    session: &Session,
    request: &ModifyRequest,
    object: &Object,
    changed: &Changed,
    password: Option<&NewPassword>,
) -> Result<ModifyDraft, Error> {
    let schema = transaction.schema;
    let reader = transaction.reader();
    let mut writes = Vec::new();
    for (id, work) in &changed.plain {
        let attribute = schema.attribute_by_id(*id);
        let (added, removed) = difference(work);
        let shown = |values: Vec<&Vec<u8>>| -> Result<Vec<Vec<u8>>, Error> {
            values
                .into_iter()
                .map(|value| ldap_form(&reader, attribute, value))
                .collect()
        };
        writes.push(AttributeWrite {
            attribute: *id,
            existing: work.before.len(),
            added: shown(added)?,
            removed: shown(removed)?,
            replaced: work.replaced,
        });
    }
    for change in &changed.links {
        let attribute = schema.attribute_by_id(change.attribute);
        let form = |links: &[Link]| -> Result<Vec<Vec<u8>>, Error> {
            links
                .iter()
                .map(|link| {
                    let name = reader.shown_dn(link.target, None)?.unwrap_or_default();
                    Ok(shown(attribute.syntax, &link.payload, &name).into_bytes())
                })
                .collect()
        };
        writes.push(AttributeWrite {
            attribute: change.attribute,
            existing: count_links(&reader, object.dnt, change.attribute)?,
            added: form(&change.added)?,
            removed: form(&change.removed)?,
            replaced: change.replaced,
        });
    }
    let flags = request.descriptor_flags.unwrap_or(0xF);
    Ok(ModifyDraft {
        writes,
        descriptor: changed
            .descriptor
            .clone()
            .map(|descriptor| (flags, descriptor)),
        password: password.map(|password| password.kind),
        context: context(transaction, session, object, changed)?,
    })
}

/// How many values there are; for large groups "many" is enough.
fn count_links(reader: &Reader<'_>, source: Dnt, attribute: AttributeId) -> Result<usize, Error> {
    const MANY: usize = 16;
    let mut count = 0_usize;
    reader.link_rows(source, Some(attribute), &mut |_, row| {
        count = count.saturating_add(usize::from(row.is_present));
        if count >= MANY {
            std::ops::ControlFlow::Break(())
        } else {
            std::ops::ControlFlow::Continue(())
        }
    })?;
    Ok(count)
}

fn context(
    transaction: &Transaction<'_>,
    session: &Session,
    object: &Object,
    changed: &Changed,
) -> Result<WriteContext, Error> {
    let schema = transaction.schema;
    let reader = transaction.reader();
    let host = schema
        .attribute("dNSHostName")
        .map(|attribute| attribute.id);
    let new_host = host.and_then(|id| {
        let (_, work) = changed.plain.iter().find(|(changed, _)| *changed == id)?;
        String::from_utf8(work.after.first()?.clone()).ok()
    });
    let old_host = || host.and_then(|id| object.text(id)).map(str::to_owned);
    let caller = session
        .account_guid()
        .map(|guid| reader.by_guid(guid))
        .transpose()?
        .flatten();
    let caller_dn = caller.map(|caller| reader.dn(&caller)).transpose()?;
    Ok(WriteContext {
        caller_dn: caller_dn.and_then(|dn| dn.parse::<Dn>().ok()),
        sam_account_name: object
            .text(schema.known().sam_account_name)
            .map(str::to_owned),
        dns_host_name: new_host.or_else(old_host),
        dns_domain: transaction.naming.dns_domain.clone(),
        netbios_domain: transaction.naming.netbios_domain.clone(),
    })
}

/// Values that come and values that go.
fn difference(work: &PlainWork) -> (Vec<&Vec<u8>>, Vec<&Vec<u8>>) {
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

fn ldap_form(reader: &Reader<'_>, attribute: &Attribute, stored: &[u8]) -> Result<Vec<u8>, Error> {
    if !attribute.syntax.is_reference() {
        return Ok(stored.to_vec());
    }
    let reference = crate::model::Reference::decode(stored);
    let text = reference
        .map(|r| r.render(reader, attribute.syntax, None))
        .transpose()?
        .flatten();
    Ok(text.unwrap_or_default().into_bytes())
}

fn check_old_password(
    transaction: &Transaction<'_>,
    object: &Object,
    new: &NewPassword,
) -> Result<(), Error> {
    if new.kind == PasswordWrite::Reset {
        return Ok(());
    }
    let stored = transaction
        .overlay
        .get(Table::Secret, &keys::dnt(object.dnt))?
        .unwrap_or_default();
    let is_right = new
        .old
        .as_ref()
        .is_some_and(|old| password::verify(&stored, old.expose()));
    if is_right {
        return Ok(());
    }
    // ERROR_INVALID_PASSWORD as a constraint violation, as AD answers.
    let attribute = transaction
        .schema
        .attribute_by_id(transaction.schema.known().unicode_pwd);
    Err(Error::attribute(attribute, AttributeProblem::Constraint))
}

fn store(
    transaction: &mut Transaction<'_>,
    session: &Session,
    proof: Authorized<ModifyDraft>,
    object: &Object,
    changed: Changed,
    password: Option<&NewPassword>,
) -> Result<Applied, Error> {
    let schema = transaction.schema;
    let known = schema.known();
    let operation_id = transaction.new_guid();
    let mut builder = ObjectBuilder::from_object(object);
    let mut stamped: Vec<AttributeId> = Vec::new();
    let mut told: Vec<ValueChange> = Vec::new();
    for (id, work) in &changed.plain {
        tell_plain(transaction, *id, work, &mut told)?;
        if work.before != work.after {
            stamped.push(*id);
            builder.set(*id, work.after.clone());
        }
    }
    follow_up(transaction, session, object, &mut builder, &stamped)?;
    let new_descriptor = match &changed.descriptor {
        Some(given) => descriptor::changed(transaction, object, &proof, given, &mut told)?,
        None => None,
    };
    if new_descriptor.is_some() {
        stamped.push(known.security_descriptor);
    }
    if password.is_some() {
        stamped.extend([known.unicode_pwd, known.pwd_last_set]);
        builder.set_text(known.pwd_last_set, transaction.now.ticks());
    }
    let has_link_changes = changed
        .links
        .iter()
        .any(|c| !c.added.is_empty() || !c.removed.is_empty());
    if stamped.is_empty() && !has_link_changes {
        return Ok(Applied {
            guid: object.guid(),
            usn: 0,
            operation_id,
        });
    }
    let usn = transaction.next_usn();
    tell_links(transaction, &changed.links, &mut told)?;
    for change in &changed.links {
        builder.header.has_links |= !change.added.is_empty();
        for link in &change.removed {
            transaction.unlink(link, usn)?;
        }
        for link in &change.added {
            transaction.link(link, usn)?;
        }
    }
    if let Some(password) = password {
        transaction.overlay.put(
            Table::Secret,
            keys::dnt(object.dnt),
            password.verifier.clone(),
        );
    }
    builder.header.usn_changed = usn;
    builder.header.when_changed = transaction.now;
    if let Some(id) = new_descriptor {
        builder.header.descriptor = id;
    }
    let updated = transaction.update(&proof, object, builder)?;
    if !stamped.is_empty() {
        transaction.stamp(object.dnt, usn, &stamped)?;
    }
    if new_descriptor.is_some() {
        descriptor::propagate(transaction, &proof, &updated)?;
    }
    // Whether a change is recorded is for the SACL to say that stood when it was made.
    audit::changes(
        transaction,
        Deed {
            session,
            operation_id,
            usn,
        },
        object,
        told,
    )?;
    Ok(Applied {
        guid: object.guid(),
        usn,
        operation_id,
    })
}

/// What follows from the written attributes.
fn follow_up(
    transaction: &Transaction<'_>,
    session: &Session,
    object: &Object,
    builder: &mut ObjectBuilder,
    changed: &[AttributeId],
) -> Result<(), Error> {
    let known = transaction.schema.known();
    let Some(kind) = account::kind(transaction.schema, object.class()) else {
        return Ok(());
    };
    if changed.contains(&known.user_account_control) || changed.contains(&known.group_type) {
        account::derive(transaction.schema, kind, builder);
    }
    if changed.contains(&known.pwd_last_set) && !session.is_system() {
        // A client may only say "now" (-1) or "must change" (0), MS-SAMR 3.1.1.8.8.
        match builder
            .values(known.pwd_last_set)
            .first()
            .map(Vec::as_slice)
        {
            Some(b"-1") => builder.set_text(known.pwd_last_set, transaction.now.ticks()),
            Some(b"0") | None => {}
            Some(_) => {
                let attribute = transaction.schema.attribute_by_id(known.pwd_last_set);
                return Err(Error::attribute(attribute, AttributeProblem::Constraint));
            }
        }
    }
    let named = [
        known.sam_account_name,
        known.user_principal_name,
        known.service_principal_name,
    ];
    if changed.iter().any(|id| named.contains(id)) {
        account::check_unique(transaction, builder)?;
    }
    Ok(())
}

fn tell_plain(
    transaction: &Transaction<'_>,
    id: AttributeId,
    work: &PlainWork,
    told: &mut Vec<ValueChange>,
) -> Result<(), Error> {
    let attribute = transaction.schema.attribute_by_id(id);
    let (added, removed) = difference(work);
    let both = removed
        .into_iter()
        .map(|value| (events::Operation::ValueDeleted, value))
        .chain(
            added
                .into_iter()
                .map(|value| (events::Operation::ValueAdded, value)),
        );
    for (operation, value) in both {
        let value = audit::told(&transaction.reader(), attribute, value)?;
        told.push(ValueChange {
            attribute: id,
            operation,
            value,
        });
    }
    Ok(())
}

fn tell_links(
    transaction: &Transaction<'_>,
    changes: &[LinkChange],
    told: &mut Vec<ValueChange>,
) -> Result<(), Error> {
    for change in changes {
        let attribute = transaction.schema.attribute_by_id(change.attribute);
        let removed = change
            .removed
            .iter()
            .map(|link| (events::Operation::ValueDeleted, link));
        let added = change
            .added
            .iter()
            .map(|link| (events::Operation::ValueAdded, link));
        for (operation, link) in removed.chain(added) {
            let value = audit::told_link(&transaction.reader(), attribute, link)?;
            told.push(ValueChange {
                attribute: change.attribute,
                operation,
                value,
            });
        }
    }
    Ok(())
}
