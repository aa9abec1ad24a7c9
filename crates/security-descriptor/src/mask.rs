//! Access masks (MS-DTYP 2.4.3 and, for directory objects, MS-ADTS 5.1.3.2).

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Not};

/// A set of access rights. Bits without a name survive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct AccessMask(pub u32);

impl AccessMask {
    /// No right at all.
    pub const NONE: Self = Self(0);
    /// CC: create a child, of the class named by the object type.
    pub const CREATE_CHILD: Self = Self(0x1);
    /// DC: delete a child, of the class named by the object type.
    pub const DELETE_CHILD: Self = Self(0x2);
    /// LC: list the children.
    pub const LIST_CHILDREN: Self = Self(0x4);
    /// SW: a validated write, named by the object type.
    pub const SELF_WRITE: Self = Self(0x8);
    /// RP: read an attribute or property set.
    pub const READ_PROPERTY: Self = Self(0x10);
    /// WP: write an attribute or property set.
    pub const WRITE_PROPERTY: Self = Self(0x20);
    /// DT: delete the object with everything below.
    pub const DELETE_TREE: Self = Self(0x40);
    /// LO: see this object although its parent may not be listed.
    pub const LIST_OBJECT: Self = Self(0x80);
    /// CR: a control access right, named by the object type.
    pub const CONTROL_ACCESS: Self = Self(0x100);
    /// SD: delete the object.
    pub const DELETE: Self = Self(0x1_0000);
    /// RC: read the descriptor without its SACL.
    pub const READ_CONTROL: Self = Self(0x2_0000);
    /// WD: write the DACL.
    pub const WRITE_DAC: Self = Self(0x4_0000);
    /// WO: become the owner.
    pub const WRITE_OWNER: Self = Self(0x8_0000);
    /// Read and write the SACL.
    pub const ACCESS_SYSTEM_SECURITY: Self = Self(0x100_0000);
    /// GA, GX, GW, GR: mapped to the rights above when a descriptor is stored.
    pub const GENERIC_ALL: Self = Self(0x1000_0000);
    /// See [`Self::GENERIC_ALL`].
    pub const GENERIC_EXECUTE: Self = Self(0x2000_0000);
    /// See [`Self::GENERIC_ALL`].
    pub const GENERIC_WRITE: Self = Self(0x4000_0000);
    /// See [`Self::GENERIC_ALL`].
    pub const GENERIC_READ: Self = Self(0x8000_0000);
    /// Every right that an object of the directory has: what "full control" means.
    pub const FULL_CONTROL: Self = Self(0xF_01FF);

    const GENERIC: Self = Self(0xF000_0000);

    /// Whether all rights of `other` are in `self`.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether `self` and `other` share a right.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is no right in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether one of the four generic bits is set.
    pub const fn has_generic(self) -> bool {
        self.intersects(Self::GENERIC)
    }

    /// The generic bits replaced by the rights they stand for on a directory object (MS-ADTS 5.1.3.2).
    pub fn map_generic(self) -> Self {
        let table = [
            (Self::GENERIC_ALL, Self::FULL_CONTROL),
            (Self::GENERIC_READ, Self(0x2_0094)),
            (Self::GENERIC_WRITE, Self(0x2_0028)),
            (Self::GENERIC_EXECUTE, Self(0x2_0004)),
        ];
        table
            .iter()
            .filter(|(generic, _)| self.contains(*generic))
            .fold(self & !Self::GENERIC, |mask, (_, mapped)| mask | *mapped)
    }
}

impl BitOr for AccessMask {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for AccessMask {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for AccessMask {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for AccessMask {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0)
    }
}

/// The letters of SDDL where every bit has some, else hex.
impl fmt::Display for AccessMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match crate::sddl::mask_letters(*self) {
            Some(letters) => f.write_str(&letters),
            None => write!(f, "{:#x}", self.0),
        }
    }
}

impl fmt::Debug for AccessMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}
