//! Which descriptor an object is stored with, and who may read it (MS-ADTS 6.1.3, 3.1.1.3.4.1.11).

use security_descriptor::{
    AccessMask, Control, Creation, Domains, SecurityDescriptor, Token, TooLong, merge, reinherit,
};
use types::Sid;

use super::{Target, is_member, is_system, rights_on};
use crate::model::Descriptor;
use crate::schema::{ClassId, Schema};

/// SD flags (MS-ADTS 3.1.1.3.4.1.11).
const OWNER: u32 = 1;
const GROUP: u32 = 2;
const DACL: u32 = 4;
const SACL: u32 = 8;
const ALL: u32 = OWNER | GROUP | DACL | SACL;

/// The published default of `domainDNS` names Enterprise Read-only Domain Controllers of its author's test domain.
const FOREIGN_DOMAIN: &str = "S-1-5-21-2063560558-3296776465-833389195-498";

/// The descriptor of a new object: what the client gave, or the default of its class; the owner; what the parent
/// passes on (MS-ADTS 6.1.3). `domain` resolves the SDDL of the schema.
pub fn new_descriptor(
    schema: &Schema,
    token: &Token,
    domain: Option<&Sid>,
    parent: Option<&Target<'_>>,
    class: ClassId,
    given: Option<&Descriptor>,
) -> Result<Descriptor, TooLong> {
    let mut explicit = given.map_or_else(SecurityDescriptor::empty, |d| d.security().clone());
    let default = class_default(schema, domain, class);
    if !explicit.control.contains(Control::DACL_PRESENT) {
        explicit.set_dacl(Some(
            default
                .dacl
                .unwrap_or_else(|| security_descriptor::Acl::new(Vec::new())),
        ));
    }
    if explicit.effective_sacl().is_none() {
        explicit.set_sacl(default.sacl);
    }
    let (owner, group) = default_owner(token, domain);
    let owner = explicit.owner.get_or_insert(owner).clone();
    let group = explicit.group.get_or_insert(group).clone();
    let classes = [schema.class_by_id(class).guid];
    let creation = Creation {
        classes: &classes,
        owner: &owner,
        group: &group,
    };
    let parent = parent.map(|parent| parent.descriptor.security());
    Descriptor::from_security(merge(parent, &explicit, &creation))
}

/// `defaultSecurityDescriptor` of the class.
fn class_default(schema: &Schema, domain: Option<&Sid>, class: ClassId) -> SecurityDescriptor {
    let text = schema.class_by_id(class).default_descriptor;
    let nowhere = Sid::nt(&[21, 0, 0, 0]);
    let domains = Domains::single(domain.unwrap_or(&nowhere));
    let text = text.replace(FOREIGN_DOMAIN, "RO");
    // INVARIANT: the schema's own texts are all readable, see `every_default_is_readable`.
    SecurityDescriptor::from_sddl(&text, domains).unwrap_or_else(|_| SecurityDescriptor::empty())
}

/// Administrators own together what one of them makes (MS-ADTS 6.1.3.4).
fn default_owner(token: &Token, domain: Option<&Sid>) -> (Sid, Sid) {
    let nobody = || Sid::nt(&[18]);
    let user = token.user().cloned().unwrap_or_else(nobody);
    let Some(domain) = domain else {
        return (user.clone(), user);
    };
    for rid in [512, 519] {
        if is_member(token, Some(domain), rid) || (rid == 512 && is_system(token)) {
            return (domain.with_rid(rid), domain.with_rid(rid));
        }
    }
    (user, domain.with_rid(513))
}

/// The descriptor after a write of the parts that `flags` names, with what the parent passes on.
pub fn changed_descriptor(
    schema: &Schema,
    target: &Target<'_>,
    parent: Option<&Target<'_>>,
    flags: u32,
    given: &Descriptor,
) -> Result<Descriptor, TooLong> {
    let given = given.security();
    let mut changed = target.descriptor.security().clone();
    let flags = effective_flags(flags);
    if flags & OWNER != 0 && given.owner.is_some() {
        changed.owner.clone_from(&given.owner);
    }
    if flags & GROUP != 0 && given.group.is_some() {
        changed.group.clone_from(&given.group);
    }
    let copy = |control: Control, bit: Control| control.with(bit, given.control.contains(bit));
    if flags & DACL != 0 {
        changed.control = copy(changed.control, Control::DACL_PROTECTED);
        changed.set_dacl(given.dacl.clone());
    }
    if flags & SACL != 0 {
        changed.control = copy(changed.control, Control::SACL_PROTECTED);
        changed.set_sacl(given.effective_sacl().cloned());
    }
    Descriptor::from_security(with_creation(schema, target.class, &changed, |creation| {
        merge(parent.map(|p| p.descriptor.security()), &changed, creation)
    }))
}

/// The descriptor of `child` after its parent's has changed; `None` where it stays.
pub fn inherited_descriptor(
    schema: &Schema,
    child: &Target<'_>,
    parent: &Target<'_>,
) -> Result<Option<Descriptor>, TooLong> {
    let own = child.descriptor.security();
    with_creation(schema, child.class, own, |creation| {
        reinherit(parent.descriptor.security(), own, creation)
    })
    .map(Descriptor::from_security)
    .transpose()
}

/// CREATOR OWNER is whoever owns the object now.
fn with_creation<T>(
    schema: &Schema,
    class: ClassId,
    own: &SecurityDescriptor,
    make: impl FnOnce(&Creation<'_>) -> T,
) -> T {
    let nobody = Sid::nt(&[18]);
    make(&Creation {
        classes: &[schema.class_by_id(class).guid],
        owner: own.owner.as_ref().unwrap_or(&nobody),
        group: own.group.as_ref().unwrap_or(&nobody),
    })
}

fn effective_flags(flags: u32) -> u32 {
    // The four bits that mean something; none of them means all (MS-ADTS 3.1.1.3.4.1.11).
    match flags & ALL {
        0 => ALL,
        some => some,
    }
}

/// `nTSecurityDescriptor` as this caller may see it; `flags` as in the SD flags control, `None` without it.
///
/// A caller who may not read all the parts asked for gets none.
pub fn read_descriptor(token: &Token, target: &Target<'_>, flags: Option<u32>) -> Option<Vec<u8>> {
    let flags = flags.map_or(ALL, effective_flags);
    let mut needed = AccessMask::NONE;
    if flags & (OWNER | GROUP | DACL) != 0 {
        needed |= AccessMask::READ_CONTROL;
    }
    if flags & SACL != 0 {
        needed |= AccessMask::ACCESS_SYSTEM_SECURITY;
    }
    if !rights_on(token, target).allows(needed, &[]) {
        return None;
    }
    if flags == ALL {
        return Some(target.descriptor.bytes().to_vec());
    }
    let mut shown = target.descriptor.security().clone();
    if flags & OWNER == 0 {
        shown.owner = None;
    }
    if flags & GROUP == 0 {
        shown.group = None;
    }
    if flags & DACL == 0 {
        shown.dacl = None;
        shown.control = shown.control.with(Control::DACL_PRESENT, false);
    }
    if flags & SACL == 0 {
        shown.set_sacl(None);
    }
    shown.to_bytes().ok()
}
