//! A short way to say what an object is.

use types::{Dn, Rdn};

use crate::{AddRequest, Modification, ModificationKind, ModifyRequest, Name, Operation};

/// An object of `class` at `dn`.
pub(super) fn object(dn: Dn, class: &str) -> AddRequest {
    AddRequest::new(dn).with("objectClass", [class])
}

/// `CN=name` below `parent`.
pub(super) fn cn(parent: &Dn, name: &str) -> Dn {
    parent.child(Rdn::new("CN", name))
}

/// A replace of one attribute, for values that refer to objects made later.
pub(super) fn set(dn: Dn, attribute: &str, values: Vec<String>) -> Operation {
    modify(dn, ModificationKind::Replace, attribute, values)
}

/// An add of values.
pub(super) fn extend(dn: Dn, attribute: &str, values: Vec<String>) -> Operation {
    modify(dn, ModificationKind::Add, attribute, values)
}

fn modify(dn: Dn, kind: ModificationKind, attribute: &str, values: Vec<String>) -> Operation {
    let modification = Modification::new(kind, attribute, values);
    Operation::Modify(ModifyRequest::new(Name::Dn(dn), vec![modification]))
}
