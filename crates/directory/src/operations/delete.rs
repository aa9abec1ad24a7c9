//! Deletes an object, or a tree: what stays is a tombstone (MS-ADTS 3.1.1.5.5).

use ldap::diagnostic::win32;
use types::Guid;

use super::{Guarded, Refused};
use crate::access::{Authorized, DeleteDraft, authorize_delete};
use crate::model::{Dnt, Object, ObjectBuilder, Reader, Reference, Transaction};
use crate::store::{Table, keys};
use crate::{Applied, DeleteRequest, Error, Session};

/// GUID_DELETED_OBJECTS_CONTAINER (MS-ADTS 6.1.1.4).
const DELETED_OBJECTS: Guid = Guid::from_bytes_be([
    0x18, 0xE2, 0xEA, 0x80, 0x68, 0x4F, 0x11, 0xD2, 0xB9, 0xAA, 0x00, 0xC0, 0x4F, 0x79, 0xF8, 0x05,
]);
/// `systemFlags`: FLAG_DISALLOW_DELETE.
const MUST_STAY: i64 = 0x8000_0000;

pub(super) fn delete(
    transaction: &mut Transaction<'_>,
    session: &Session,
    request: &DeleteRequest,
) -> Result<Applied, Refused> {
    let object = super::visible(transaction, session, &request.name, false)?;
    // First of all: whether there are children is not for everybody to know.
    let proof = authorize(transaction, session, &object, request.tree)?;
    if !request.tree && has_living_children(&transaction.reader(), &object)? {
        return Err(Error::NotLeaf {
            name: request.name.to_string(),
        }
        .into());
    }
    check_deletable(transaction, session, &object)?;
    let operation_id = transaction.new_guid();
    // From the leaves up, so that at every step the store is a tree.
    for child in subtree(&transaction.reader(), object.dnt)? {
        let child = transaction.reader().required(child)?;
        if child.is_deleted() {
            continue;
        }
        check_deletable(transaction, session, &child)?;
        bury(transaction, &proof, &child)?;
    }
    let usn = bury(transaction, &proof, &object)?;
    Ok(Applied {
        guid: object.guid(),
        usn,
        operation_id,
    })
}

fn has_living_children(reader: &Reader<'_>, object: &Object) -> Result<bool, Error> {
    for child in reader.children(object.dnt)? {
        if !reader.required(child)?.is_deleted() {
            return Ok(true);
        }
    }
    Ok(false)
}

fn check_deletable(
    transaction: &Transaction<'_>,
    session: &Session,
    object: &Object,
) -> Result<(), Error> {
    let known = transaction.schema.known();
    let unwilling = |why: &str| Err(Error::unwilling(win32::ERROR_DS_UNWILLING_TO_PERFORM, why));
    if object.dnt.is_virtual() || object.is_naming_context_head() {
        return unwilling("naming contexts and the schema are not deleted");
    }
    if session.is_system() {
        return Ok(());
    }
    if object.text(known.critical) == Some("TRUE") {
        return unwilling("the directory needs this object");
    }
    if object
        .number(known.system_flags)
        .is_some_and(|flags| flags & MUST_STAY != 0)
    {
        return unwilling("the object's system flags forbid its deletion");
    }
    Ok(())
}

/// Everything below, children after their parents, turned round.
fn subtree(reader: &Reader<'_>, top: Dnt) -> Result<Vec<Dnt>, Error> {
    let mut order = reader.children(top)?;
    let mut at = 0;
    while let Some(dnt) = order.get(at).copied() {
        order.extend(reader.children(dnt)?);
        at += 1;
    }
    order.reverse();
    Ok(order)
}

fn authorize(
    transaction: &Transaction<'_>,
    session: &Session,
    object: &Object,
    tree: bool,
) -> Result<Authorized<DeleteDraft>, Refused> {
    let reader = transaction.reader();
    let own = Guarded::of(&reader, object)?;
    let parent = reader.object(object.parent())?;
    let parent = parent
        .as_ref()
        .map(|parent| Guarded::of(&reader, parent))
        .transpose()?;
    let schema = transaction.schema;
    authorize_delete(
        schema,
        session.token(),
        parent.as_ref().map(Guarded::target).as_ref(),
        &own.target(),
        DeleteDraft { tree },
    )
    .map_err(|denied| Refused::denied(transaction, session, object, denied))
}

/// Makes a tombstone: few attributes, no links, another name and place.
fn bury(
    transaction: &mut Transaction<'_>,
    proof: &Authorized<DeleteDraft>,
    object: &Object,
) -> Result<u64, Error> {
    let schema = transaction.schema;
    let known = schema.known();
    transaction.drop_links(object.dnt)?;
    for secret in [Table::Secret, Table::Key] {
        transaction.overlay.remove(secret, keys::dnt(object.dnt));
    }
    let grave = grave(&transaction.reader(), object)?;
    let usn = transaction.next_usn();
    let mut builder = ObjectBuilder::from_object(object);
    let mut stamped = vec![known.is_deleted, object.header.rdn_attribute, known.name];
    let kept = [known.instance_type, known.sam_account_name];
    for id in builder.attribute_ids() {
        if !schema.attribute_by_id(id).is_kept_on_delete() && !kept.contains(&id) {
            builder.set(id, Vec::new());
            stamped.push(id);
        }
    }
    builder.set(
        known.last_known_parent,
        vec![Reference::Object(object.parent(), Vec::new()).encode()],
    );
    builder.set_text(known.last_known_rdn, object.rdn());
    stamped.extend([known.last_known_parent, known.last_known_rdn]);
    let header = &mut builder.header;
    header.is_deleted = true;
    header.has_links = false;
    header.parent = grave;
    // MS-ADTS 3.1.1.5.5.1.1: a name that nothing else can have. 75 characters of the old one are enough.
    let old: String = object.rdn().chars().take(75).collect();
    header.rdn = format!("{old}\nDEL:{}", object.guid());
    (header.usn_changed, header.when_changed) = (usn, transaction.now);
    transaction.effects.naming |= transaction.is_named_in_naming(object);
    transaction.update(proof, object, builder)?;
    transaction.stamp(object.dnt, usn, &stamped)?;
    Ok(usn)
}

/// Where tombstones of the object's naming context lie: Deleted Objects, or else where they died.
fn grave(reader: &Reader<'_>, object: &Object) -> Result<Dnt, Error> {
    let head = reader.required(object.header.naming_context)?;
    let container = reader.well_known_child(&head, DELETED_OBJECTS)?;
    Ok(container
        .filter(|container| *container != object.dnt)
        .unwrap_or(object.parent()))
}
