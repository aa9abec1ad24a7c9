//! Gives an object another name or place (MS-ADTS 3.1.1.5.4). Links follow by themselves: they hold numbers.

use ldap::diagnostic::win32;

use super::{Refused, descriptor};
use crate::access::{Authorized, RenameDraft, authorize_rename};
use crate::model::{Object, ObjectBuilder, Reader, Transaction};
use crate::{Applied, Error, RenameRequest, Session};

/// `systemFlags`: FLAG_DOMAIN_DISALLOW_RENAME and FLAG_DOMAIN_DISALLOW_MOVE.
const NO_RENAME: i64 = 0x0800_0000;
const NO_MOVE: i64 = 0x0400_0000;

pub(super) fn rename(
    transaction: &mut Transaction<'_>,
    session: &Session,
    request: &RenameRequest,
) -> Result<Applied, Refused> {
    let object = super::visible(transaction, session, &request.name, false)?;
    let old_parent = transaction
        .reader()
        .object(object.parent())?
        .filter(|_| !object.dnt.is_virtual() && !object.is_naming_context_head());
    let Some(old_parent) = old_parent else {
        return Err(unwilling("naming contexts and schema objects keep their names").into());
    };
    let new_parent = request
        .new_parent
        .as_ref()
        .map(|name| super::visible(transaction, session, name, false))
        .transpose()?
        .filter(|parent| parent.dnt != old_parent.dnt);
    let parent = new_parent.as_ref().unwrap_or(&old_parent);
    let renames = request.new_rdn.value() != object.rdn();
    let draft = RenameDraft {
        rdn_attribute: object.header.rdn_attribute,
        renames,
        moves: new_parent.is_some(),
    };
    // Without a right, the answer does not tell which names there are at the new place.
    let is_change = draft.renames || draft.moves;
    let proof = is_change
        .then(|| {
            let to = new_parent.as_ref();
            authorize(transaction, session, &object, &old_parent, to, draft)
        })
        .transpose()?;
    check(
        transaction,
        session,
        request,
        &object,
        parent,
        new_parent.is_some(),
    )?;
    let operation_id = transaction.new_guid();
    let Some(proof) = proof else {
        return Ok(Applied {
            guid: object.guid(),
            usn: 0,
            operation_id,
        });
    };
    let usn = transaction.next_usn();
    let mut builder = ObjectBuilder::from_object(&object);
    builder.header.parent = parent.dnt;
    builder.header.rdn = request.new_rdn.value().to_owned();
    (builder.header.usn_changed, builder.header.when_changed) = (usn, transaction.now);
    let updated = transaction.update(&proof, &object, builder)?;
    let known = transaction.schema.known();
    transaction.stamp(object.dnt, usn, &[known.name, object.header.rdn_attribute])?;
    if new_parent.is_some() {
        descriptor::adopt(transaction, &proof, &updated, parent)?;
    }
    Ok(Applied {
        guid: object.guid(),
        usn,
        operation_id,
    })
}

fn unwilling(why: &str) -> Error {
    Error::unwilling(win32::ERROR_DS_UNWILLING_TO_PERFORM, why)
}

fn check(
    transaction: &Transaction<'_>,
    session: &Session,
    request: &RenameRequest,
    object: &Object,
    parent: &Object,
    moves: bool,
) -> Result<(), Error> {
    let schema = transaction.schema;
    let reader = transaction.reader();
    if !request.delete_old_rdn {
        return Err(unwilling("the old relative name cannot stay as a value"));
    }
    let naming = schema.attribute_by_id(object.header.rdn_attribute);
    if schema
        .attribute(request.new_rdn.attribute())
        .is_none_or(|attribute| attribute.id != naming.id)
    {
        let why = format!("the object is named by {}", naming.name);
        return Err(Error::Naming { why });
    }
    if request.new_rdn.value().encode_utf16().count() > 255 {
        return Err(Error::attribute(
            naming,
            crate::AttributeProblem::OutOfRange,
        ));
    }
    if !session.is_system() {
        let flags = object.number(schema.known().system_flags).unwrap_or(0);
        let renames = request.new_rdn.value() != object.rdn();
        if (renames && flags & NO_RENAME != 0) || (moves && flags & NO_MOVE != 0) {
            return Err(unwilling("the object's system flags forbid it"));
        }
    }
    if moves {
        if parent.dnt.is_virtual() || transaction.naming.schema_head == Some(parent.dnt) {
            return Err(unwilling("the schema cannot be extended"));
        }
        if parent.header.naming_context != object.header.naming_context {
            return Err(unwilling("objects do not move between naming contexts"));
        }
        if reader.is_within(parent.dnt, object.dnt)? {
            return Err(unwilling("an object cannot stand under itself"));
        }
        if !session.is_system() && !schema.may_contain(parent.class(), object.class()) {
            let (child, parent) = (
                schema.class_by_id(object.class()),
                schema.class_by_id(parent.class()),
            );
            return Err(Error::Naming {
                why: format!("a {} cannot stand under a {}", child.name, parent.name),
            });
        }
    }
    match reader.child(parent.dnt, &request.new_rdn)? {
        Some(other) if other != object.dnt => Err(Error::AlreadyExists {
            name: request.new_rdn.to_string(),
        }),
        _ => Ok(()),
    }
}

fn authorize(
    transaction: &Transaction<'_>,
    session: &Session,
    object: &Object,
    old_parent: &Object,
    new_parent: Option<&Object>,
    draft: RenameDraft,
) -> Result<Authorized<RenameDraft>, Refused> {
    let reader = transaction.reader();
    let own = reader.descriptor(object.descriptor_id())?;
    let old = reader.descriptor(old_parent.descriptor_id())?;
    let new = new_parent
        .map(|parent| reader.descriptor(parent.descriptor_id()))
        .transpose()?;
    let new_target = new_parent
        .zip(new.as_deref())
        .map(|(parent, d)| Reader::target(parent, d));
    authorize_rename(
        transaction.schema,
        session.token(),
        &Reader::target(object, &own),
        &Reader::target(old_parent, &old),
        new_target.as_ref(),
        draft,
    )
    .map_err(|denied| Refused::denied(transaction, session, object, denied))
}
