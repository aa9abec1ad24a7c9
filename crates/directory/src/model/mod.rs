//! Objects and how they hang together, above the byte tables.

mod descriptor;
mod link;
mod names;
mod object;
mod reader;
mod schema_objects;
mod snapshot;
mod stamp;
pub(crate) mod state;
mod transaction;
mod value;
mod verify;

pub(crate) use descriptor::DescriptorCache;
pub use descriptor::{Descriptor, DescriptorId};
pub(crate) use link::{Link, LinkRow};
pub(crate) use names::{NameCache, folded_rdn};
pub use object::Object;
pub(crate) use object::Values;
pub(crate) use object::{Header, ObjectBuilder};
pub(crate) use reader::{Reader, extended_dn};
pub use snapshot::Snapshot;
pub(crate) use snapshot::policy;
pub(crate) use stamp::Stamp;
pub(crate) use state::Counters;
pub use state::Naming;
pub(crate) use transaction::{Effects, Start, Transaction, value_key};
pub(crate) use value::{Reference, Resolved, shown};

/// An object's number in this store ("distinguished name tag"): what links and names refer to, so that a rename
/// touches nothing but the object itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dnt(pub(crate) u64);

impl Dnt {
    /// Above the naming contexts.
    pub(crate) const NONE: Self = Self(0);
    /// Schema objects are not stored; their numbers have this bit and the number of the definition.
    const VIRTUAL: u64 = 1 << 63;
    const VIRTUAL_CLASS: u64 = Self::VIRTUAL | 1 << 32;

    /// The schema object of a class.
    pub(crate) fn of_class(class: crate::schema::ClassId) -> Self {
        Self(Self::VIRTUAL_CLASS | u64::from(class.0))
    }

    /// The schema object of an attribute.
    pub(crate) fn of_attribute(attribute: crate::schema::AttributeId) -> Self {
        Self(Self::VIRTUAL | u64::from(attribute.0))
    }

    /// Whether it is a schema object.
    pub(crate) fn is_virtual(self) -> bool {
        self.0 & Self::VIRTUAL != 0
    }

    /// The definition behind a schema object: `(is a class, its number)`.
    pub(crate) fn definition(self) -> Option<(bool, u16)> {
        if !self.is_virtual() {
            return None;
        }
        let number = u16::try_from(self.0 & 0xFFFF).ok()?;
        Some((self.0 & Self::VIRTUAL_CLASS == Self::VIRTUAL_CLASS, number))
    }
}
