//! Which accesses a SACL wants recorded (MS-DTYP 2.4.4.5, 2.4.4.8, 2.5.3.2).

use types::{Guid, Sid};

use crate::ace::{AceFlags, Kind};
use crate::check::Token;
use crate::descriptor::SecurityDescriptor;
use crate::mask::AccessMask;

/// How an access ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was granted.
    Success,
    /// It was refused.
    Failure,
}

/// Whether the SACL of `descriptor` wants a record of `token` doing `mask` on `path` (see [`crate::Rights::granted`]).
///
/// One right of `mask` in an entry is enough.
pub fn audits(
    descriptor: &SecurityDescriptor,
    token: &Token,
    self_sid: Option<&Sid>,
    mask: AccessMask,
    path: &[Guid],
    outcome: Outcome,
) -> bool {
    let flag = match outcome {
        Outcome::Success => AceFlags::SUCCESSFUL_ACCESS,
        Outcome::Failure => AceFlags::FAILED_ACCESS,
    };
    let principal_self = Sid::nt(&[10]);
    descriptor.effective_sacl().is_some_and(|sacl| {
        sacl.aces.iter().any(|ace| {
            !ace.is_inherit_only()
                && ace.flags.contains(flag)
                && ace.entry().is_some_and(|entry| {
                    let concerned = token.contains(&entry.sid)
                        || (entry.sid == principal_self
                            && self_sid.is_some_and(|sid| token.contains(sid)));
                    entry.kind == Kind::Audit
                        && entry.mask.intersects(mask)
                        && entry.object_type().is_none_or(|guid| path.contains(&guid))
                        && concerned
                })
        })
    })
}
