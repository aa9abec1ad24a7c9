//! Who may add, change, delete and rename (MS-ADTS 3.1.1.5.2.1, 3.1.1.5.3.1, 3.1.1.5.4.1, 3.1.1.5.5.1).

use security_descriptor::{AccessMask, CompiledDescriptor, Rights, Token};
use types::{Guid, Sid};

use super::{
    AddDraft, AttributeWrite, Authorized, DeleteDraft, Denied, ModifyDraft, PasswordWrite, Policy,
    RenameDraft, Target, descriptors, is_member, is_system, path_of, rights, rights_on, validated,
};
use crate::model::Descriptor;
use crate::schema::{AttributeId, ClassId, Schema};

/// ERROR_DS_INSUFF_ACCESS_RIGHTS: an attribute or an object is refused.
const INSUFFICIENT: u32 = 0x2098;
/// ERROR_ACCESS_DENIED: a descriptor or a creation is refused.
const ACCESS_DENIED: u32 = 0x5;
/// ERROR_INVALID_OWNER.
const INVALID_OWNER: u32 = 0x51B;

/// SD flags (MS-ADTS 3.1.1.3.4.1.11).
const OWNER_OR_GROUP: u32 = 3;
const DACL: u32 = 4;
const SACL: u32 = 8;

/// May this object be added below `parent`? `descriptor` is what [`super::new_descriptor`] made for it.
pub fn authorize_add(
    schema: &Schema,
    token: &Token,
    policy: Policy,
    parent: Option<&Target<'_>>,
    descriptor: &Descriptor,
    draft: AddDraft,
) -> Result<Authorized<AddDraft>, Denied> {
    if is_system(token) {
        return Ok(Authorized::new(draft));
    }
    let Some(parent) = parent else {
        // Only the directory itself makes a naming context.
        return Err(denied(AccessMask::CREATE_CHILD, Guid::ZERO, ACCESS_DENIED));
    };
    authorize_add_attempt(schema, token, parent, draft.class)?;
    if draft.gives_descriptor {
        let security = descriptor.security();
        may_give_owner(token, security.owner.as_ref(), parent.guid)?;
        let gives_sacl = security
            .effective_sacl()
            .is_some_and(|sacl| sacl.aces.iter().any(|ace| !ace.is_inherited()));
        if gives_sacl && !token.has_security_privilege {
            return Err(denied(
                AccessMask::ACCESS_SYSTEM_SECURITY,
                parent.guid,
                ACCESS_DENIED,
            ));
        }
    }
    if policy.authorizes_attributes_on_add {
        authorize_attributes_on_add(schema, token, policy, parent, &draft)?;
    }
    Ok(Authorized::new(draft))
}

/// May the caller create an object of this class below `parent` at all, whatever its name and values?
///
/// Asked before these are looked at: "there already" would tell names to whoever may not list them.
pub fn authorize_add_attempt(
    schema: &Schema,
    token: &Token,
    parent: &Target<'_>,
    class: ClassId,
) -> Result<(), Denied> {
    let class = schema.class_by_id(class).guid;
    let create = AccessMask::CREATE_CHILD;
    if rights_on(token, parent).allows(create, &[class]) {
        Ok(())
    } else {
        Err(denied(create, parent.guid, ACCESS_DENIED))
    }
}

/// 3.1.1.5.2.1.1, for computers: without it, whoever may create one could give it rights of others (CVE-2021-42291).
fn authorize_attributes_on_add(
    schema: &Schema,
    token: &Token,
    policy: Policy,
    parent: &Target<'_>,
    draft: &AddDraft,
) -> Result<(), Denied> {
    let domain = draft.sid.as_ref().and_then(Sid::domain);
    let is_computer = schema
        .class("computer")
        .is_some_and(|computer| schema.is_subclass(draft.class, computer.id));
    let is_admin = is_member(token, domain.as_ref(), 512) || is_member(token, domain.as_ref(), 519);
    if is_admin || !is_computer {
        return Ok(());
    }
    let default = descriptors::new_descriptor(
        schema,
        token,
        domain.as_ref(),
        Some(parent),
        draft.class,
        None,
    )
    .map_err(|_| denied(AccessMask::WRITE_DAC, parent.guid, ACCESS_DENIED))?;
    // "Explicit" rights: those of an owner do not count.
    let mut ownerless = default.security().clone();
    ownerless.owner = None;
    let granted = CompiledDescriptor::new(&ownerless).rights(token, draft.sid.as_ref());
    if granted.allows(AccessMask::WRITE_DAC, &[]) {
        return Ok(());
    }
    if draft.gives_descriptor && policy.blocks_owner_rights {
        return Err(denied(AccessMask::WRITE_DAC, parent.guid, ACCESS_DENIED));
    }
    let target = Target {
        descriptor: &default,
        class: draft.class,
        sid: draft.sid.as_ref(),
        guid: parent.guid,
    };
    draft.writes.iter().try_for_each(|write| {
        authorize_write(
            schema,
            token,
            policy,
            &target,
            &granted,
            &draft.context,
            write,
        )
    })
}

/// May the caller write these attributes at all, whatever the values?
///
/// Asked before the values are looked at: an answer such as "there already" or "not there" would otherwise tell them
/// to whoever guesses. The descriptor has rights of its own, see [`authorize_modify`].
pub fn authorize_attempt(
    schema: &Schema,
    token: &Token,
    target: &Target<'_>,
    attributes: impl IntoIterator<Item = AttributeId>,
) -> Result<(), Denied> {
    let granted = rights_on(token, target);
    let descriptor = schema.known().security_descriptor;
    for id in attributes.into_iter().filter(|id| *id != descriptor) {
        let attribute = schema.attribute_by_id(id);
        let path = path_of(schema, target.class, attribute);
        let may_write = granted.allows(AccessMask::WRITE_PROPERTY, &path)
            || validated::right_for(attribute)
                .is_some_and(|right| granted.allows_validated_write(right));
        if !may_write {
            return Err(denied_attribute(schema, target.guid, id));
        }
    }
    Ok(())
}

/// May these values be written?
pub fn authorize_modify(
    schema: &Schema,
    token: &Token,
    policy: Policy,
    target: &Target<'_>,
    draft: ModifyDraft,
) -> Result<Authorized<ModifyDraft>, Denied> {
    if is_system(token) {
        return Ok(Authorized::new(draft));
    }
    let granted = rights_on(token, target);
    if let Some((flags, given)) = &draft.descriptor {
        authorize_descriptor(token, target, &granted, *flags, given)?;
    }
    if let Some(password) = draft.password {
        let right = match password {
            PasswordWrite::Reset => rights::RESET_PASSWORD,
            PasswordWrite::Change => rights::CHANGE_PASSWORD,
        };
        if !granted.allows_control(right) {
            return Err(denied(
                AccessMask::CONTROL_ACCESS,
                target.guid,
                ACCESS_DENIED,
            ));
        }
    }
    for write in &draft.writes {
        authorize_write(
            schema,
            token,
            policy,
            target,
            &granted,
            &draft.context,
            write,
        )?;
    }
    Ok(Authorized::new(draft))
}

/// WP on the attribute, its property set or its class; else a validated write.
fn authorize_write(
    schema: &Schema,
    token: &Token,
    policy: Policy,
    target: &Target<'_>,
    granted: &Rights,
    context: &super::WriteContext,
    write: &AttributeWrite,
) -> Result<(), Denied> {
    let attribute = schema.attribute_by_id(write.attribute);
    let path = path_of(schema, target.class, attribute);
    if granted.allows(AccessMask::WRITE_PROPERTY, &path)
        || validated::is_covered(schema, token, policy, target, granted, context, write)
    {
        return Ok(());
    }
    Err(denied_attribute(schema, target.guid, write.attribute))
}

fn authorize_descriptor(
    token: &Token,
    target: &Target<'_>,
    granted: &Rights,
    flags: u32,
    given: &Descriptor,
) -> Result<(), Denied> {
    for (part, right) in [
        (OWNER_OR_GROUP, AccessMask::WRITE_OWNER),
        (DACL, AccessMask::WRITE_DAC),
        (SACL, AccessMask::ACCESS_SYSTEM_SECURITY),
    ] {
        let restores = part == OWNER_OR_GROUP && token.has_restore_privilege;
        if flags & part != 0 && !granted.allows(right, &[]) && !restores {
            return Err(denied(right, target.guid, ACCESS_DENIED));
        }
    }
    let changes_owner =
        flags & 1 != 0 && given.security().owner != target.descriptor.security().owner;
    if changes_owner {
        may_give_owner(token, given.security().owner.as_ref(), target.guid)?;
    }
    Ok(())
}

/// An owner is oneself or one's group, unless one may make anybody the owner (MS-ADTS 6.1.3.4).
fn may_give_owner(token: &Token, owner: Option<&Sid>, on: Guid) -> Result<(), Denied> {
    let fits = owner.is_none_or(|owner| token.has_restore_privilege || token.contains(owner));
    if fits {
        Ok(())
    } else {
        Err(denied(AccessMask::WRITE_OWNER, on, INVALID_OWNER))
    }
}

/// May this object be deleted? DELETE on it, or DELETE_CHILD on its parent; a tree needs DELETE_TREE on its top.
pub fn authorize_delete(
    schema: &Schema,
    token: &Token,
    parent: Option<&Target<'_>>,
    target: &Target<'_>,
    draft: DeleteDraft,
) -> Result<Authorized<DeleteDraft>, Denied> {
    let granted = rights_on(token, target);
    if draft.tree {
        let right = AccessMask::DELETE_TREE;
        return if granted.allows(right, &[]) {
            Ok(Authorized::new(draft))
        } else {
            Err(denied(right, target.guid, ACCESS_DENIED))
        };
    }
    if may_remove(schema, token, &granted, target, parent) {
        Ok(Authorized::new(draft))
    } else {
        Err(denied(AccessMask::DELETE, target.guid, ACCESS_DENIED))
    }
}

fn may_remove(
    schema: &Schema,
    token: &Token,
    granted: &Rights,
    target: &Target<'_>,
    parent: Option<&Target<'_>>,
) -> bool {
    let class = schema.class_by_id(target.class).guid;
    granted.allows(AccessMask::DELETE, &[])
        || parent.is_some_and(|parent| {
            rights_on(token, parent).allows(AccessMask::DELETE_CHILD, &[class])
        })
}

/// May this object have another name or place?
///
/// A rename writes the naming attribute and `name`; a move also takes the object from one parent to the other.
pub fn authorize_rename(
    schema: &Schema,
    token: &Token,
    target: &Target<'_>,
    old_parent: &Target<'_>,
    new_parent: Option<&Target<'_>>,
    draft: RenameDraft,
) -> Result<Authorized<RenameDraft>, Denied> {
    let granted = rights_on(token, target);
    for id in [draft.rdn_attribute, schema.known().name] {
        let path = path_of(schema, target.class, schema.attribute_by_id(id));
        if !granted.allows(AccessMask::WRITE_PROPERTY, &path) {
            return Err(denied_attribute(schema, target.guid, id));
        }
    }
    if draft.moves {
        if !may_remove(schema, token, &granted, target, Some(old_parent)) {
            return Err(denied(AccessMask::DELETE, target.guid, ACCESS_DENIED));
        }
        let class = schema.class_by_id(target.class).guid;
        let right = AccessMask::CREATE_CHILD;
        let to = new_parent.unwrap_or(old_parent);
        if !rights_on(token, to).allows(right, &[class]) {
            return Err(denied(right, to.guid, ACCESS_DENIED));
        }
    }
    Ok(Authorized::new(draft))
}

fn denied(right: AccessMask, on: Guid, win32: u32) -> Denied {
    Denied {
        right: right.0,
        attribute: None,
        attribute_name: None,
        on,
        win32,
    }
}

fn denied_attribute(schema: &Schema, on: Guid, attribute: AttributeId) -> Denied {
    Denied {
        right: AccessMask::WRITE_PROPERTY.0,
        attribute: Some(attribute),
        attribute_name: Some(schema.attribute_by_id(attribute).name.to_owned()),
        on,
        win32: INSUFFICIENT,
    }
}
