//! What a new or changed object receives from its parent (MS-DTYP 2.5.3.4; every object of the directory is a
//! container).

use types::{Guid, Sid};

use crate::ace::{Ace, AceBody, AceFlags};
use crate::acl::Acl;
use crate::descriptor::{Control, SecurityDescriptor};

/// What an entry may refer to on the object that receives it.
#[derive(Debug, Clone, Copy)]
pub struct Creation<'a> {
    /// The schemaIDGUIDs of the structural class and its auxiliary classes.
    pub classes: &'a [Guid],
    /// Takes the place of CREATOR OWNER.
    pub owner: &'a Sid,
    /// Takes the place of CREATOR GROUP.
    pub group: &'a Sid,
}

const INHERITANCE: AceFlags = AceFlags(0x0F);

/// The entries that a child receives from the list of its parent, marked as inherited.
pub fn inherit(parent: &Acl, creation: &Creation<'_>) -> Vec<Ace> {
    parent
        .aces
        .iter()
        .flat_map(|ace| inherit_one(ace, creation))
        .flatten()
        .collect()
}

/// The descriptor of an object: what was written for it, and what its parent passes on.
///
/// Entries marked as inherited in `explicit` are replaced by what the parent really passes on; a protected list keeps
/// its entries and takes nothing. Generic rights and CREATOR OWNER become real ones.
pub fn merge(
    parent: Option<&SecurityDescriptor>,
    explicit: &SecurityDescriptor,
    creation: &Creation<'_>,
) -> SecurityDescriptor {
    let mut merged = explicit.clone();
    let parent_dacl = parent.and_then(SecurityDescriptor::effective_dacl);
    let parent_sacl = parent.and_then(SecurityDescriptor::effective_sacl);
    if let Some(dacl) = explicit.effective_dacl() {
        let protected = explicit.is_dacl_protected();
        merged.dacl = Some(merge_acl(parent_dacl, dacl, protected, creation));
    }
    let explicit_sacl = explicit.effective_sacl().cloned();
    if explicit_sacl.is_some() || parent_sacl.is_some() {
        let own = explicit_sacl
            .clone()
            .unwrap_or_else(|| Acl::new(Vec::new()));
        let sacl = merge_acl(parent_sacl, &own, explicit.is_sacl_protected(), creation);
        if explicit_sacl.is_some() || !sacl.aces.is_empty() {
            merged.set_sacl(Some(sacl));
        }
    }
    let has_sacl = merged.effective_sacl().is_some();
    merged.control = merged
        .control
        .with(Control::DACL_AUTO_INHERIT_REQ, false)
        .with(Control::SACL_AUTO_INHERIT_REQ, false)
        .with(Control::DACL_AUTO_INHERITED, true)
        .with(Control::SACL_AUTO_INHERITED, has_sacl);
    merged
}

/// The descriptor of an existing object after its parent's has changed; `None` where nothing changes.
pub fn reinherit(
    parent: &SecurityDescriptor,
    child: &SecurityDescriptor,
    creation: &Creation<'_>,
) -> Option<SecurityDescriptor> {
    let mut merged = merge(Some(parent), child, creation);
    // A SACL that held nothing but inherited entries goes with them.
    if child.effective_sacl().is_some()
        && merged.effective_sacl().is_some_and(|s| s.aces.is_empty())
        && !child.is_sacl_protected()
    {
        merged.set_sacl(None);
        merged.control = merged.control.with(Control::SACL_AUTO_INHERITED, false);
    }
    (merged != *child).then_some(merged)
}

fn merge_acl(parent: Option<&Acl>, own: &Acl, protected: bool, creation: &Creation<'_>) -> Acl {
    let kept = own
        .aces
        .iter()
        .filter(|ace| protected || !ace.is_inherited());
    let mut aces: Vec<Ace> = kept
        .flat_map(|ace| adopt(ace, creation))
        .flatten()
        .collect();
    if !protected && let Some(parent) = parent {
        aces.extend(inherit(parent, creation));
    }
    let mut acl = Acl::new(aces);
    acl.revision = acl.revision.max(own.revision);
    acl
}

/// An entry written for this object. It splits in two when it is to work here and, with its generic parts, below.
fn adopt(ace: &Ace, creation: &Creation<'_>) -> [Option<Ace>; 2] {
    let mut ace = ace.clone();
    ace.flags = ace.flags & !AceFlags::INHERITED;
    if ace.is_inherit_only() || !is_generic(&ace) {
        return [Some(ace), None];
    }
    let mut effective = resolved(&ace, creation);
    if !ace.flags.contains(AceFlags::CONTAINER_INHERIT) {
        return [Some(effective), None];
    }
    effective.flags = effective.flags & !INHERITANCE;
    [Some(effective), Some(ace.with(AceFlags::INHERIT_ONLY))]
}

/// An entry of the parent, as the child receives it.
fn inherit_one(ace: &Ace, creation: &Creation<'_>) -> [Option<Ace>; 2] {
    let stops_here = ace.flags.contains(AceFlags::NO_PROPAGATE_INHERIT);
    let passed_on = || {
        (!stops_here).then(|| {
            ace.clone()
                .with(AceFlags::INHERIT_ONLY | AceFlags::INHERITED)
        })
    };
    if !ace.flags.contains(AceFlags::CONTAINER_INHERIT) {
        let for_leaves = ace.flags.contains(AceFlags::OBJECT_INHERIT);
        return [for_leaves.then(passed_on).flatten(), None];
    }
    let class = ace.entry().and_then(crate::Entry::inherited_object_type);
    if class.is_some_and(|class| !creation.classes.contains(&class)) {
        return [passed_on(), None];
    }
    let mut effective = resolved(ace, creation);
    let splits = is_generic(ace) && !stops_here;
    if splits || stops_here {
        effective.flags = effective.flags & !INHERITANCE;
    } else {
        effective.flags = effective.flags & !AceFlags::INHERIT_ONLY;
    }
    effective.flags = effective.flags | AceFlags::INHERITED;
    [Some(effective), splits.then(passed_on).flatten()]
}

fn is_creator(sid: &Sid, which: u32) -> bool {
    sid.authority() == 3 && sid.sub_authorities() == [which]
}

/// Whether the entry means something else on each object that receives it.
fn is_generic(ace: &Ace) -> bool {
    ace.entry().is_some_and(|entry| {
        entry.mask.has_generic() || is_creator(&entry.sid, 0) || is_creator(&entry.sid, 1)
    })
}

fn resolved(ace: &Ace, creation: &Creation<'_>) -> Ace {
    let mut ace = ace.clone();
    if let AceBody::Entry(entry) = &mut ace.body {
        entry.mask = entry.mask.map_generic();
        if is_creator(&entry.sid, 0) {
            entry.sid = creation.owner.clone();
        } else if is_creator(&entry.sid, 1) {
            entry.sid = creation.group.clone();
        }
    }
    ace
}
