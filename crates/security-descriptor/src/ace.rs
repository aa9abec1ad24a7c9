//! Access control entries (MS-DTYP 2.4.4).

use std::ops::{BitAnd, BitOr, Not};

use types::{Guid, Sid};

use crate::error::{Malformed, TooLong};
use crate::mask::AccessMask;

types::open_enum! {
    /// AceType, MS-DTYP 2.4.4.1.
    pub struct AceType(u8) {
        ACCESS_ALLOWED = 0x00,
        ACCESS_DENIED = 0x01,
        SYSTEM_AUDIT = 0x02,
        ACCESS_ALLOWED_OBJECT = 0x05,
        ACCESS_DENIED_OBJECT = 0x06,
        SYSTEM_AUDIT_OBJECT = 0x07,
        ACCESS_ALLOWED_CALLBACK = 0x09,
        ACCESS_DENIED_CALLBACK = 0x0A,
        ACCESS_ALLOWED_CALLBACK_OBJECT = 0x0B,
        ACCESS_DENIED_CALLBACK_OBJECT = 0x0C,
        SYSTEM_AUDIT_CALLBACK = 0x0D,
        SYSTEM_AUDIT_CALLBACK_OBJECT = 0x0F,
        SYSTEM_MANDATORY_LABEL = 0x11,
        SYSTEM_RESOURCE_ATTRIBUTE = 0x12,
        SYSTEM_SCOPED_POLICY_ID = 0x13,
    }
}

/// AceFlags, MS-DTYP 2.4.4.1. Bits without a name survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct AceFlags(pub u8);

impl AceFlags {
    /// No flag.
    pub const NONE: Self = Self(0);
    /// OI: inherited by children that hold nothing themselves; the directory has none.
    pub const OBJECT_INHERIT: Self = Self(0x01);
    /// CI: inherited by children.
    pub const CONTAINER_INHERIT: Self = Self(0x02);
    /// NP: inherited by children, not by grandchildren.
    pub const NO_PROPAGATE_INHERIT: Self = Self(0x04);
    /// IO: says nothing about the object that carries it.
    pub const INHERIT_ONLY: Self = Self(0x08);
    /// ID: came from the parent.
    pub const INHERITED: Self = Self(0x10);
    /// SA: audit what succeeded.
    pub const SUCCESSFUL_ACCESS: Self = Self(0x40);
    /// FA: audit what was refused.
    pub const FAILED_ACCESS: Self = Self(0x80);

    /// Whether all flags of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for AceFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for AceFlags {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for AceFlags {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0)
    }
}

/// One entry of an ACL.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Ace {
    /// How it is inherited, whether it was, and what it audits.
    pub flags: AceFlags,
    /// What it says.
    pub body: AceBody,
}

/// What an ACE says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AceBody {
    /// Types 0, 1, 2, 5, 6 and 7.
    Entry(Entry),
    /// Every other type: kept, never evaluated.
    Opaque {
        /// The type.
        ace_type: AceType,
        /// Everything after the header.
        data: Vec<u8>,
    },
}

/// What the entry does when it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Allow,
    Deny,
    Audit,
}

/// An entry whose meaning is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    pub(crate) kind: Kind,
    /// The rights.
    pub mask: AccessMask,
    /// Present in types 5, 6 and 7, also when neither GUID is.
    pub object: Option<ObjectTypes>,
    /// Whom it is about.
    pub sid: Sid,
    /// Bytes after the SID, normally none.
    pub trailing: Vec<u8>,
}

/// The two GUIDs of an object ACE (MS-DTYP 2.4.4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ObjectTypes {
    /// Attribute, property set, class, control access right or validated write.
    pub object_type: Option<Guid>,
    /// The class of children that inherit the entry; absent: all.
    pub inherited_object_type: Option<Guid>,
    /// Bits of the Flags field other than the two presence bits; normally zero.
    pub reserved_flags: u32,
}

const OBJECT_TYPE_PRESENT: u32 = 1;
const INHERITED_OBJECT_TYPE_PRESENT: u32 = 2;

impl Ace {
    /// An entry that grants.
    pub fn allow(sid: Sid, mask: AccessMask) -> Self {
        Self::new(Kind::Allow, sid, mask)
    }

    /// An entry that denies.
    pub fn deny(sid: Sid, mask: AccessMask) -> Self {
        Self::new(Kind::Deny, sid, mask)
    }

    /// An entry of a SACL; add [`AceFlags::SUCCESSFUL_ACCESS`], [`AceFlags::FAILED_ACCESS`] or both.
    pub fn audit(sid: Sid, mask: AccessMask) -> Self {
        Self::new(Kind::Audit, sid, mask)
    }

    fn new(kind: Kind, sid: Sid, mask: AccessMask) -> Self {
        let entry = Entry {
            kind,
            mask,
            object: None,
            sid,
            trailing: Vec::new(),
        };
        Self {
            flags: AceFlags::NONE,
            body: AceBody::Entry(entry),
        }
    }

    /// The same entry for one attribute, property set, class or right only.
    #[must_use]
    pub fn on(mut self, object_type: Guid) -> Self {
        if let AceBody::Entry(entry) = &mut self.body {
            entry.object.get_or_insert_default().object_type = Some(object_type);
        }
        self
    }

    /// The same entry, inherited by children of one class only.
    #[must_use]
    pub fn inherited_by(mut self, class: Guid) -> Self {
        if let AceBody::Entry(entry) = &mut self.body {
            entry.object.get_or_insert_default().inherited_object_type = Some(class);
        }
        self
    }

    /// The same entry with these flags added.
    #[must_use]
    pub fn with(mut self, flags: AceFlags) -> Self {
        self.flags = self.flags | flags;
        self
    }

    /// The known entry, or `None` for an opaque one.
    pub fn entry(&self) -> Option<&Entry> {
        match &self.body {
            AceBody::Entry(entry) => Some(entry),
            AceBody::Opaque { .. } => None,
        }
    }

    /// Whether it came from the parent.
    pub fn is_inherited(&self) -> bool {
        self.flags.contains(AceFlags::INHERITED)
    }

    /// Whether it says nothing about the object that carries it.
    pub fn is_inherit_only(&self) -> bool {
        self.flags.contains(AceFlags::INHERIT_ONLY)
    }

    /// The type as written.
    pub fn ace_type(&self) -> AceType {
        match &self.body {
            AceBody::Opaque { ace_type, .. } => *ace_type,
            AceBody::Entry(entry) => entry.ace_type(),
        }
    }

    /// Reads the ACE at the front of `bytes`, which stand at `offset` of the descriptor, and gives its length.
    pub(crate) fn take(bytes: &[u8], offset: usize) -> Result<(Self, usize), Malformed> {
        let truncated = |need| Malformed::Truncated {
            what: "ACE",
            offset,
            need,
            have: bytes.len(),
        };
        let Some((&[ace_type, flags, low, high], _)) = bytes.split_first_chunk::<4>() else {
            return Err(truncated(4));
        };
        let size = usize::from(u16::from_le_bytes([low, high]));
        if size < 4 {
            return Err(Malformed::Size {
                what: "ACE",
                offset,
                size,
            });
        }
        let data = bytes.get(4..size).ok_or_else(|| truncated(size))?;
        let ace_type = AceType(ace_type);
        let body = match Kind::of(ace_type) {
            Some((kind, is_object)) => {
                AceBody::Entry(Entry::decode(kind, is_object, data, offset + 4)?)
            }
            None => AceBody::Opaque {
                ace_type,
                data: data.to_vec(),
            },
        };
        Ok((
            Self {
                flags: AceFlags(flags),
                body,
            },
            size,
        ))
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) -> Result<(), TooLong> {
        let data = match &self.body {
            AceBody::Entry(entry) => entry.encode(),
            AceBody::Opaque { data, .. } => data.clone(),
        };
        let size = data.len() + 4;
        let size = u16::try_from(size).map_err(|_| TooLong { what: "ACE", size })?;
        out.extend([self.ace_type().0, self.flags.0]);
        out.extend(size.to_le_bytes());
        out.extend(data);
        Ok(())
    }
}

impl Kind {
    /// The meaning of a type, and whether it is an object type.
    fn of(ace_type: AceType) -> Option<(Self, bool)> {
        Some(match ace_type {
            AceType::ACCESS_ALLOWED => (Self::Allow, false),
            AceType::ACCESS_DENIED => (Self::Deny, false),
            AceType::SYSTEM_AUDIT => (Self::Audit, false),
            AceType::ACCESS_ALLOWED_OBJECT => (Self::Allow, true),
            AceType::ACCESS_DENIED_OBJECT => (Self::Deny, true),
            AceType::SYSTEM_AUDIT_OBJECT => (Self::Audit, true),
            _ => return None,
        })
    }
}

impl Entry {
    /// The type as written.
    pub fn ace_type(&self) -> AceType {
        match (self.kind, self.object.is_some()) {
            (Kind::Allow, false) => AceType::ACCESS_ALLOWED,
            (Kind::Deny, false) => AceType::ACCESS_DENIED,
            (Kind::Audit, false) => AceType::SYSTEM_AUDIT,
            (Kind::Allow, true) => AceType::ACCESS_ALLOWED_OBJECT,
            (Kind::Deny, true) => AceType::ACCESS_DENIED_OBJECT,
            (Kind::Audit, true) => AceType::SYSTEM_AUDIT_OBJECT,
        }
    }

    /// Whether it grants.
    pub fn is_allow(&self) -> bool {
        self.kind == Kind::Allow
    }

    /// Whether it denies.
    pub fn is_deny(&self) -> bool {
        self.kind == Kind::Deny
    }

    /// Attribute, property set, class, control access right or validated write; `None`: all of them.
    pub fn object_type(&self) -> Option<Guid> {
        self.object.and_then(|object| object.object_type)
    }

    /// The class of children that inherit the entry; `None`: all.
    pub fn inherited_object_type(&self) -> Option<Guid> {
        self.object.and_then(|object| object.inherited_object_type)
    }

    fn decode(kind: Kind, is_object: bool, data: &[u8], offset: usize) -> Result<Self, Malformed> {
        let mut rest = data;
        let mut number = |what| {
            let at = offset + (data.len() - rest.len());
            let (bytes, after) = rest.split_first_chunk::<4>().ok_or(Malformed::Truncated {
                what,
                offset: at,
                need: 4,
                have: rest.len(),
            })?;
            rest = after;
            Ok(u32::from_le_bytes(*bytes))
        };
        let mask = AccessMask(number("access mask")?);
        let object = if is_object {
            let flags = number("object ACE flags")?;
            let mut guid = |bit| {
                if flags & bit == 0 {
                    return Ok(None);
                }
                let at = offset + (data.len() - rest.len());
                let (bytes, after) =
                    rest.split_first_chunk::<16>().ok_or(Malformed::Truncated {
                        what: "object ACE GUID",
                        offset: at,
                        need: 16,
                        have: rest.len(),
                    })?;
                rest = after;
                Ok(Some(Guid::from_bytes_le(*bytes)))
            };
            Some(ObjectTypes {
                object_type: guid(OBJECT_TYPE_PRESENT)?,
                inherited_object_type: guid(INHERITED_OBJECT_TYPE_PRESENT)?,
                reserved_flags: flags & !(OBJECT_TYPE_PRESENT | INHERITED_OBJECT_TYPE_PRESENT),
            })
        } else {
            None
        };
        let offset = offset + (data.len() - rest.len());
        let (sid, trailing) = Sid::take(rest).map_err(|why| Malformed::Sid { offset, why })?;
        Ok(Self {
            kind,
            mask,
            object,
            sid,
            trailing: trailing.to_vec(),
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        out.extend(self.mask.0.to_le_bytes());
        if let Some(object) = &self.object {
            let bit = |guid: Option<Guid>, bit: u32| guid.map_or(0, |_| bit);
            let flags = (object.reserved_flags
                & !(OBJECT_TYPE_PRESENT | INHERITED_OBJECT_TYPE_PRESENT))
                | bit(object.object_type, OBJECT_TYPE_PRESENT)
                | bit(object.inherited_object_type, INHERITED_OBJECT_TYPE_PRESENT);
            out.extend(flags.to_le_bytes());
            for guid in [object.object_type, object.inherited_object_type]
                .iter()
                .flatten()
            {
                out.extend(guid.to_bytes_le());
            }
        }
        out.extend(self.sid.to_bytes());
        out.extend(&self.trailing);
        out
    }
}
