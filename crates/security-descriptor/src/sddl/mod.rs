//! SDDL, the text form of a security descriptor (MS-DTYP 2.5.1).
//!
//! Deliberately absent: conditional expressions, resource attributes and mandatory labels. They are refused when read,
//! and a descriptor that holds them is refused when written.

mod alias;
mod parse;
mod print;

use types::Sid;

use crate::mask::AccessMask;

pub(crate) use print::mask_letters;

/// The domains to which aliases such as `DA` and `EA` belong.
#[derive(Debug, Clone, Copy)]
pub struct Domains<'a> {
    /// The domain of `DA`, `DU`, `KA` ...
    pub domain: &'a Sid,
    /// The root domain of the forest: that of `EA`, `SA`, `EK`, `RO`.
    pub forest_root: &'a Sid,
}

impl<'a> Domains<'a> {
    /// A forest of one domain.
    pub fn single(domain: &'a Sid) -> Self {
        Self {
            domain,
            forest_root: domain,
        }
    }
}

/// The letters of access rights, in the order in which Windows prints them.
const RIGHTS: [(&str, AccessMask); 18] = [
    ("CC", AccessMask::CREATE_CHILD),
    ("DC", AccessMask::DELETE_CHILD),
    ("LC", AccessMask::LIST_CHILDREN),
    ("SW", AccessMask::SELF_WRITE),
    ("RP", AccessMask::READ_PROPERTY),
    ("WP", AccessMask::WRITE_PROPERTY),
    ("DT", AccessMask::DELETE_TREE),
    ("LO", AccessMask::LIST_OBJECT),
    ("CR", AccessMask::CONTROL_ACCESS),
    ("SD", AccessMask::DELETE),
    ("RC", AccessMask::READ_CONTROL),
    ("WD", AccessMask::WRITE_DAC),
    ("WO", AccessMask::WRITE_OWNER),
    ("AS", AccessMask::ACCESS_SYSTEM_SECURITY),
    ("GA", AccessMask::GENERIC_ALL),
    ("GR", AccessMask::GENERIC_READ),
    ("GW", AccessMask::GENERIC_WRITE),
    ("GX", AccessMask::GENERIC_EXECUTE),
];

/// Letters for whole sets of rights of files and registry keys: read, never written.
const RIGHT_SETS: [(&str, AccessMask); 8] = [
    ("FA", AccessMask(0x1F_01FF)),
    ("FR", AccessMask(0x12_0089)),
    ("FW", AccessMask(0x12_0116)),
    ("FX", AccessMask(0x12_00A0)),
    ("KA", AccessMask(0xF_003F)),
    ("KR", AccessMask(0x2_0019)),
    ("KW", AccessMask(0x2_0006)),
    ("KX", AccessMask(0x2_0019)),
];

#[cfg(test)]
mod tests;
