//! Changes the values of an object (MS-ADTS 3.1.1.5.3).
//!
//! The steps of a request are played on a working copy; what counts in the end is the difference: it is checked,
//! stored, stamped and audited value by value. A value that a replace writes again leaves no trace.

mod draft;
mod work;

use ldap::diagnostic::win32;

use super::audit::{self, Deed, ValueChange};
use super::{NewPassword, Refused, account, descriptor};
use crate::access::{self, Authorized, ModifyDraft};
use crate::error::AttributeProblem;
use crate::model::{Object, ObjectBuilder, Reader, Transaction};
use crate::schema::AttributeId;
use crate::{Applied, Error, ModifyRequest, Session};
use draft::authorize;
use work::{Changed, LinkChange, PlainWork, Work, difference, play};

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
        password.check_old(transaction, object.dnt)?;
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
    if let Some(password) = password {
        stamped.extend([known.unicode_pwd, known.pwd_last_set]);
        password.keep(transaction, &mut builder)?;
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
