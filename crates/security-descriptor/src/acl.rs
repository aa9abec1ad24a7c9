//! Access control lists (MS-DTYP 2.4.5).

use crate::ace::{Ace, AceBody};
use crate::error::{Malformed, TooLong};

/// A list of entries, in the order in which they are evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acl {
    /// AclRevision: 2, or 4 when object ACEs may be inside. Kept as read.
    pub revision: u8,
    /// The entries.
    pub aces: Vec<Ace>,
    reserved: (u8, u16),
    slack: Vec<u8>,
}

/// AclRevision of a list that may hold object ACEs.
const REVISION_DS: u8 = 4;
const REVISION: u8 = 2;
const HEADER_LENGTH: usize = 8;

impl Acl {
    /// A list of these entries; its revision follows from their types.
    pub fn new(aces: Vec<Ace>) -> Self {
        let has_object = aces
            .iter()
            .any(|ace| matches!(&ace.body, AceBody::Entry(e) if e.object.is_some()));
        Self {
            revision: if has_object { REVISION_DS } else { REVISION },
            aces,
            reserved: (0, 0),
            slack: Vec::new(),
        }
    }

    /// Adds an entry where canonical order wants it: explicit before inherited, denials before grants.
    pub fn add(&mut self, ace: Ace) {
        let rank = |ace: &Ace| {
            let denies = ace.entry().is_some_and(crate::ace::Entry::is_deny);
            (ace.is_inherited(), !denies)
        };
        let wanted = rank(&ace);
        let at = self
            .aces
            .iter()
            .position(|other| rank(other) > wanted)
            .unwrap_or(self.aces.len());
        if ace.entry().is_some_and(|entry| entry.object.is_some()) {
            self.revision = self.revision.max(REVISION_DS);
        }
        self.aces.insert(at, ace);
    }

    /// Reads the list at the front of `bytes`, which stand at `offset` of the descriptor, and gives its length.
    pub(crate) fn take(bytes: &[u8], offset: usize) -> Result<(Self, usize), Malformed> {
        let truncated = |need| Malformed::Truncated {
            what: "ACL",
            offset,
            need,
            have: bytes.len(),
        };
        let Some((
            &[
                revision,
                sbz1,
                size_low,
                size_high,
                count_low,
                count_high,
                sbz2_low,
                sbz2_high,
            ],
            _,
        )) = bytes.split_first_chunk::<HEADER_LENGTH>()
        else {
            return Err(truncated(HEADER_LENGTH));
        };
        let size = usize::from(u16::from_le_bytes([size_low, size_high]));
        if size < HEADER_LENGTH {
            return Err(Malformed::Size {
                what: "ACL",
                offset,
                size,
            });
        }
        let mut rest = bytes
            .get(HEADER_LENGTH..size)
            .ok_or_else(|| truncated(size))?;
        let mut at = offset + HEADER_LENGTH;
        let mut aces = Vec::new();
        for _ in 0..u16::from_le_bytes([count_low, count_high]) {
            let (ace, length) = Ace::take(rest, at)?;
            aces.push(ace);
            at += length;
            rest = rest.get(length..).unwrap_or_default();
        }
        let acl = Self {
            revision,
            aces,
            reserved: (sbz1, u16::from_le_bytes([sbz2_low, sbz2_high])),
            slack: rest.to_vec(),
        };
        Ok((acl, size))
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, TooLong> {
        let mut body = Vec::new();
        for ace in &self.aces {
            ace.encode(&mut body)?;
        }
        body.extend(&self.slack);
        let size = body.len() + HEADER_LENGTH;
        let size = u16::try_from(size).map_err(|_| TooLong { what: "ACL", size })?;
        // INVARIANT: an ACE has at least four bytes, so fewer than 65536 of them fit `size`.
        let count = u16::try_from(self.aces.len()).unwrap_or(u16::MAX);
        let mut out = Vec::with_capacity(usize::from(size));
        out.extend([self.revision, self.reserved.0]);
        out.extend(size.to_le_bytes());
        out.extend(count.to_le_bytes());
        out.extend(self.reserved.1.to_le_bytes());
        out.extend(body);
        Ok(out)
    }
}
