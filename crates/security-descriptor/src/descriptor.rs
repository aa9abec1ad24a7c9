//! The self-relative security descriptor (MS-DTYP 2.4.6), byte for byte both ways.

use std::ops::{BitAnd, BitOr, Not};

use types::Sid;

use crate::acl::Acl;
use crate::error::{Malformed, TooLong};

/// The Control field, MS-DTYP 2.4.6. Bits without a name survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Control(pub u16);

impl Control {
    /// DP: there is a DACL, even when it is null (which grants everything).
    pub const DACL_PRESENT: Self = Self(0x0004);
    /// SP: there is a SACL.
    pub const SACL_PRESENT: Self = Self(0x0010);
    /// DC: propagate the DACL to children (SDDL `AR`).
    pub const DACL_AUTO_INHERIT_REQ: Self = Self(0x0100);
    /// SC: propagate the SACL to children (SDDL `AR`).
    pub const SACL_AUTO_INHERIT_REQ: Self = Self(0x0200);
    /// DI: the DACL was made by automatic inheritance (SDDL `AI`).
    pub const DACL_AUTO_INHERITED: Self = Self(0x0400);
    /// SI: the SACL was made by automatic inheritance (SDDL `AI`).
    pub const SACL_AUTO_INHERITED: Self = Self(0x0800);
    /// PD: the DACL takes nothing from the parent (SDDL `P`).
    pub const DACL_PROTECTED: Self = Self(0x1000);
    /// PS: the SACL takes nothing from the parent (SDDL `P`).
    pub const SACL_PROTECTED: Self = Self(0x2000);
    /// RM: the byte `Sbz1` belongs to the resource manager.
    pub const RM_CONTROL_VALID: Self = Self(0x4000);
    /// SR: offsets, not pointers.
    pub const SELF_RELATIVE: Self = Self(0x8000);

    /// Whether all bits of `other` are set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The same bits with those of `other` set or cleared.
    #[must_use]
    pub fn with(self, other: Self, set: bool) -> Self {
        if set { self | other } else { self & !other }
    }
}

impl BitOr for Control {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Control {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Control {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0)
    }
}

/// Who owns an object, who may do what with it, and what is audited.
#[derive(Debug, Clone)]
pub struct SecurityDescriptor {
    /// The Control field. [`Self::effective_dacl`] reads it together with `dacl`.
    pub control: Control,
    /// Who may always read and change the DACL.
    pub owner: Option<Sid>,
    /// The owner's group; it decides nothing in the directory.
    pub group: Option<Sid>,
    /// What is audited.
    pub sacl: Option<Acl>,
    /// Who may do what.
    pub dacl: Option<Acl>,
    reserved: u8,
    layout: Layout,
}

/// Descriptors are equal when they say the same: where the parts lie in the bytes is not compared.
impl PartialEq for SecurityDescriptor {
    fn eq(&self, other: &Self) -> bool {
        self.control == other.control
            && self.owner == other.owner
            && self.group == other.group
            && self.sacl == other.sacl
            && self.dacl == other.dacl
    }
}

impl Eq for SecurityDescriptor {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Owner,
    Group,
    Sacl,
    Dacl,
}

/// Where the parts lay: their order, the bytes before each, and the bytes after the last.
#[derive(Debug, Clone, Default)]
struct Layout {
    parts: Vec<(Part, Vec<u8>)>,
    tail: Vec<u8>,
}

/// Windows lays the parts out in this order.
const ORDER: [Part; 4] = [Part::Sacl, Part::Dacl, Part::Owner, Part::Group];
const HEADER_LENGTH: usize = 20;
const LENGTH_MAX: usize = 256 * 1024;

impl SecurityDescriptor {
    /// An owner, a group and a DACL.
    pub fn new(owner: Sid, group: Sid, dacl: Acl) -> Self {
        Self {
            control: Control::SELF_RELATIVE | Control::DACL_PRESENT,
            owner: Some(owner),
            group: Some(group),
            sacl: None,
            dacl: Some(dacl),
            reserved: 0,
            layout: Layout::default(),
        }
    }

    /// Nothing at all: no owner, and no DACL, which grants everything.
    pub fn empty() -> Self {
        Self {
            control: Control::SELF_RELATIVE,
            owner: None,
            group: None,
            sacl: None,
            dacl: None,
            reserved: 0,
            layout: Layout::default(),
        }
    }

    /// The DACL that decides; `None` grants everything (none present, or a null one).
    pub fn effective_dacl(&self) -> Option<&Acl> {
        self.dacl
            .as_ref()
            .filter(|_| self.control.contains(Control::DACL_PRESENT))
    }

    /// The SACL that decides.
    pub fn effective_sacl(&self) -> Option<&Acl> {
        self.sacl
            .as_ref()
            .filter(|_| self.control.contains(Control::SACL_PRESENT))
    }

    /// Puts a DACL in place and says so in the Control field.
    pub fn set_dacl(&mut self, dacl: Option<Acl>) {
        self.control = self.control | Control::DACL_PRESENT;
        self.dacl = dacl;
    }

    /// Puts a SACL in place, or takes it away.
    pub fn set_sacl(&mut self, sacl: Option<Acl>) {
        self.control = self.control.with(Control::SACL_PRESENT, sacl.is_some());
        self.sacl = sacl;
    }

    /// Whether the DACL takes nothing from the parent.
    pub fn is_dacl_protected(&self) -> bool {
        self.control.contains(Control::DACL_PROTECTED)
    }

    /// Whether the SACL takes nothing from the parent.
    pub fn is_sacl_protected(&self) -> bool {
        self.control.contains(Control::SACL_PROTECTED)
    }

    /// Reads a self-relative descriptor.
    ///
    /// [`Self::to_bytes`] of an unchanged descriptor gives the same bytes again, except where parts overlap: those are
    /// written apart.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        if bytes.len() > LENGTH_MAX {
            return Err(Malformed::TooLong(bytes.len()));
        }
        let header = Header::read(bytes)?;
        let mut spans = Spans {
            whole: bytes,
            taken: Vec::new(),
        };
        Ok(Self {
            control: header.control,
            owner: spans.sid(Part::Owner, header.owner)?,
            group: spans.sid(Part::Group, header.group)?,
            sacl: spans.acl(Part::Sacl, header.sacl)?,
            dacl: spans.acl(Part::Dacl, header.dacl)?,
            reserved: header.reserved,
            layout: spans.layout(),
        })
    }

    /// Writes the self-relative form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TooLong> {
        let (mut owner, mut group, mut sacl, mut dacl) = (0, 0, 0, 0);
        let mut body = Vec::new();
        let empty = Vec::new();
        let listed = self.layout.parts.iter().map(|(part, gap)| (*part, gap));
        let missing = ORDER
            .iter()
            .filter(|part| !self.layout.parts.iter().any(|(p, _)| p == *part))
            .map(|part| (*part, &empty));
        let last = self.layout.parts.len();
        for (index, (part, gap)) in listed.chain(missing).enumerate() {
            if index == last {
                body.extend(&self.layout.tail);
            }
            let bytes = match part {
                Part::Owner => self.owner.as_ref().map(Sid::to_bytes),
                Part::Group => self.group.as_ref().map(Sid::to_bytes),
                Part::Sacl => self.sacl.as_ref().map(Acl::encode).transpose()?,
                Part::Dacl => self.dacl.as_ref().map(Acl::encode).transpose()?,
            };
            let Some(bytes) = bytes else { continue };
            body.extend(gap);
            let size = HEADER_LENGTH + body.len();
            let offset = u32::try_from(size).map_err(|_| TooLong {
                what: "security descriptor",
                size,
            })?;
            *match part {
                Part::Owner => &mut owner,
                Part::Group => &mut group,
                Part::Sacl => &mut sacl,
                Part::Dacl => &mut dacl,
            } = offset;
            body.extend(bytes);
        }
        if last == ORDER.len() {
            body.extend(&self.layout.tail);
        }
        let mut out = Vec::with_capacity(HEADER_LENGTH + body.len());
        out.extend([1, self.reserved]);
        out.extend((self.control | Control::SELF_RELATIVE).0.to_le_bytes());
        for offset in [owner, group, sacl, dacl] {
            out.extend(u32::to_le_bytes(offset));
        }
        out.extend(body);
        Ok(out)
    }
}

struct Header {
    reserved: u8,
    control: Control,
    owner: u32,
    group: u32,
    sacl: u32,
    dacl: u32,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, Malformed> {
        let truncated = Malformed::Truncated {
            what: "security descriptor header",
            offset: 0,
            need: HEADER_LENGTH,
            have: bytes.len(),
        };
        let (head, rest) = bytes.split_first_chunk::<4>().ok_or(truncated.clone())?;
        let (offsets, _) = rest.split_first_chunk::<16>().ok_or(truncated)?;
        let [revision, reserved, low, high] = *head;
        if revision != 1 {
            return Err(Malformed::Revision(revision));
        }
        let control = Control(u16::from_le_bytes([low, high]));
        if !control.contains(Control::SELF_RELATIVE) {
            return Err(Malformed::NotSelfRelative);
        }
        let mut offsets = offsets
            .as_chunks::<4>()
            .0
            .iter()
            .map(|c| u32::from_le_bytes(*c));
        let mut next = || offsets.next().unwrap_or(0);
        Ok(Self {
            reserved,
            control,
            owner: next(),
            group: next(),
            sacl: next(),
            dacl: next(),
        })
    }
}

/// Notes which bytes each part took, so that the rest can be kept.
struct Spans<'a> {
    whole: &'a [u8],
    taken: Vec<(Part, usize, usize)>,
}

impl Spans<'_> {
    /// The bytes from `offset` on; offset 0 means that the part is absent.
    fn tail(&self, offset: u32) -> Result<Option<(usize, &[u8])>, Malformed> {
        if offset == 0 {
            return Ok(None);
        }
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let tail = self.whole.get(offset..).ok_or(Malformed::Truncated {
            what: "part of the security descriptor",
            offset,
            need: 1,
            have: 0,
        })?;
        Ok(Some((offset, tail)))
    }

    fn sid(&mut self, part: Part, offset: u32) -> Result<Option<Sid>, Malformed> {
        let Some((offset, tail)) = self.tail(offset)? else {
            return Ok(None);
        };
        let (sid, rest) = Sid::take(tail).map_err(|why| Malformed::Sid { offset, why })?;
        let length = tail.len() - rest.len();
        self.taken.push((part, offset, offset + length));
        Ok(Some(sid))
    }

    fn acl(&mut self, part: Part, offset: u32) -> Result<Option<Acl>, Malformed> {
        let Some((offset, tail)) = self.tail(offset)? else {
            return Ok(None);
        };
        let (acl, length) = Acl::take(tail, offset)?;
        self.taken.push((part, offset, offset + length));
        Ok(Some(acl))
    }

    /// Overlapping parts have no layout that could be written again: the default one serves.
    fn layout(mut self) -> Layout {
        self.taken.sort_by_key(|(_, start, _)| *start);
        let mut layout = Layout::default();
        let mut at = HEADER_LENGTH;
        for (part, start, end) in self.taken {
            let Some(gap) = self.whole.get(at..start) else {
                return Layout::default();
            };
            layout.parts.push((part, gap.to_vec()));
            at = end;
        }
        layout.tail = self.whole.get(at..).unwrap_or_default().to_vec();
        layout
    }
}
