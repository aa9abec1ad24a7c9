//! Writes a security descriptor and carries it to everything below (MS-ADTS 6.1.3).

use std::collections::HashMap;

use ldap::diagnostic::win32;
use security_descriptor::TooLong;

use super::audit::ValueChange;
use super::{Guarded, parent_in_context};
use crate::Error;
use crate::access::{Authorized, ModifyDraft, changed_descriptor, inherited_descriptor};
use crate::model::{Descriptor, DescriptorId, Object, ObjectBuilder, Reader, Transaction};
use crate::schema::ClassId;

fn too_long(error: TooLong) -> Error {
    Error::unwilling(win32::ERROR_DS_UNWILLING_TO_PERFORM, error.to_string())
}

/// The number of the descriptor that the object gets; `None` where it stays the same.
pub(super) fn changed(
    transaction: &mut Transaction<'_>,
    object: &Object,
    proof: &Authorized<ModifyDraft>,
    given: &Descriptor,
    told: &mut Vec<ValueChange>,
) -> Result<Option<DescriptorId>, Error> {
    let flags = proof
        .get()
        .descriptor
        .as_ref()
        .map_or(0, |(flags, _)| *flags);
    let schema = transaction.schema;
    let reader = transaction.reader();
    let old = reader.descriptor(object.descriptor_id())?;
    let parent = parent_in_context(&reader, object)?;
    let parent = parent
        .as_ref()
        .map(|parent| Guarded::of(&reader, parent))
        .transpose()?;
    let parent_target = parent.as_ref().map(Guarded::target);
    let target = Reader::target(object, &old);
    let new = changed_descriptor(schema, &target, parent_target.as_ref(), flags, given)
        .map_err(too_long)?;
    if new.bytes() == old.bytes() {
        return Ok(None);
    }
    let attribute = schema.known().security_descriptor;
    for (operation, descriptor) in [
        (events::Operation::ValueDeleted, &*old),
        (events::Operation::ValueAdded, &new),
    ] {
        let value = events::ChangedValue::Text {
            text: sddl(transaction, descriptor),
        };
        told.push(ValueChange {
            attribute,
            operation,
            value,
        });
    }
    transaction.intern(&new).map(Some)
}

/// SDDL, as event 5136 shows descriptors.
fn sddl(transaction: &Transaction<'_>, descriptor: &Descriptor) -> String {
    let nobody = types::Sid::nt(&[]);
    let domain = transaction.naming.domain_sid.as_ref().unwrap_or(&nobody);
    descriptor
        .security()
        .to_sddl(security_descriptor::Domains::single(domain))
        .unwrap_or_else(|_| data_encoding::BASE64.encode(descriptor.bytes()))
}

/// Gives every object below what it now inherits. Objects with equal descriptors cost one computation.
pub(super) fn propagate<D>(
    transaction: &mut Transaction<'_>,
    proof: &Authorized<D>,
    top: &Object,
) -> Result<(), Error> {
    let mut known: HashMap<(DescriptorId, DescriptorId, ClassId), Option<DescriptorId>> =
        HashMap::new();
    let mut todo = vec![(top.dnt, top.descriptor_id(), top.class())];
    while let Some((parent, parent_id, parent_class)) = todo.pop() {
        for child in transaction.reader().children(parent)? {
            let object = transaction.reader().required(child)?;
            if object.is_naming_context_head() {
                continue;
            }
            let key = (parent_id, object.descriptor_id(), object.class());
            let new = match known.get(&key) {
                Some(new) => *new,
                None => {
                    let new = inherited(transaction, &object, parent_id, parent_class)?;
                    known.insert(key, new);
                    new
                }
            };
            let Some(new) = new else { continue };
            // Not a change of its own: the USN stays, as in AD, where each server propagates for itself.
            let mut builder = ObjectBuilder::from_object(&object);
            builder.header.descriptor = new;
            transaction.update(proof, &object, builder)?;
            todo.push((child, new, object.class()));
        }
    }
    Ok(())
}

fn inherited(
    transaction: &mut Transaction<'_>,
    child: &Object,
    parent_id: DescriptorId,
    parent_class: ClassId,
) -> Result<Option<DescriptorId>, Error> {
    let reader = transaction.reader();
    let own = reader.descriptor(child.descriptor_id())?;
    let parent_descriptor = reader.descriptor(parent_id)?;
    let parent = crate::access::Target {
        descriptor: &parent_descriptor,
        class: parent_class,
        sid: None,
        guid: types::Guid::ZERO,
    };
    let target = Reader::target(child, &own);
    match inherited_descriptor(transaction.schema, &target, &parent).map_err(too_long)? {
        Some(new) => transaction.intern(&new).map(Some),
        None => Ok(None),
    }
}

/// After a move: what the object inherits from its new parent, and below.
pub(super) fn adopt<D>(
    transaction: &mut Transaction<'_>,
    proof: &Authorized<D>,
    object: &Object,
    parent: &Object,
) -> Result<(), Error> {
    let Some(new) = inherited(transaction, object, parent.descriptor_id(), parent.class())? else {
        return Ok(());
    };
    let mut builder = ObjectBuilder::from_object(object);
    builder.header.descriptor = new;
    let updated = transaction.update(proof, object, builder)?;
    propagate(transaction, proof, &updated)
}
