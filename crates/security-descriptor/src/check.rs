//! The access check of MS-ADTS 5.1.3.3, arranged for the hot path of a search.
//!
//! A [`CompiledDescriptor`] is made once per stored descriptor. [`CompiledDescriptor::rights`] sorts out once which
//! entries concern a [`Token`]. [`Rights::allows`] then answers per attribute: without a walk where no entry names the
//! attribute, its property set or its class.
//!
//! The object type tree of the specification (class, property set, attribute) is a `path` here: the GUIDs from the
//! class down to what is asked about. A request for several attributes is one question per attribute, all of which
//! must be answered with yes: the same result as the tree, because a denial of one of its leaves denies the request.

use types::{Guid, Sid};

use crate::ace::{Ace, Kind};
use crate::descriptor::SecurityDescriptor;
use crate::mask::AccessMask;

/// Who asks: the user, its groups, and the privileges that count in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Token {
    user: Option<Sid>,
    sids: Vec<Sid>,
    /// SeSecurityPrivilege: may read and write the SACL.
    pub has_security_privilege: bool,
    /// SeTakeOwnershipPrivilege: may become the owner.
    pub has_take_ownership_privilege: bool,
    /// SeRestorePrivilege: may make anybody the owner.
    pub has_restore_privilege: bool,
}

impl Token {
    /// A token of these SIDs, the user's own first, without privileges.
    pub fn new(sids: impl IntoIterator<Item = Sid>) -> Self {
        let mut sids: Vec<Sid> = sids.into_iter().collect();
        let user = sids.first().cloned();
        sids.sort_unstable();
        sids.dedup();
        Self {
            user,
            sids,
            ..Self::default()
        }
    }

    /// The same token with every privilege that Administrators have on a domain controller.
    #[must_use]
    pub fn with_all_privileges(mut self) -> Self {
        self.has_security_privilege = true;
        self.has_take_ownership_privilege = true;
        self.has_restore_privilege = true;
        self
    }

    /// The user's own SID.
    pub fn user(&self) -> Option<&Sid> {
        self.user.as_ref()
    }

    /// All SIDs, sorted.
    pub fn sids(&self) -> &[Sid] {
        &self.sids
    }

    /// Whether the user is `sid` or a member of it.
    pub fn contains(&self, sid: &Sid) -> bool {
        self.sids.binary_search(sid).is_ok()
    }
}

/// A descriptor with its DACL in the form that the check wants.
#[derive(Debug, Clone)]
pub struct CompiledDescriptor {
    owner: Option<Sid>,
    /// `None` grants everything.
    aces: Option<Box<[CompiledAce]>>,
    /// Each SID once; entries refer to it by index.
    subjects: Box<[Subject]>,
    has_owner_rights: bool,
}

#[derive(Debug, Clone)]
struct CompiledAce {
    subject: usize,
    verdict: Verdict,
}

/// One entry without its SID.
#[derive(Debug, Clone, Copy)]
struct Verdict {
    allows: bool,
    mask: AccessMask,
    object_type: Option<Guid>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Subject {
    Sid(Sid),
    /// S-1-5-10: the object itself.
    PrincipalSelf,
    /// S-1-3-4: whoever owns the object.
    OwnerRights,
}

impl Subject {
    fn of(sid: &Sid) -> Self {
        match (sid.authority(), sid.sub_authorities()) {
            (5, [10]) => Self::PrincipalSelf,
            (3, [4]) => Self::OwnerRights,
            _ => Self::Sid(sid.clone()),
        }
    }
}

impl CompiledDescriptor {
    /// Prepares `descriptor` for any number of checks.
    pub fn new(descriptor: &SecurityDescriptor) -> Self {
        let mut subjects: Vec<Subject> = Vec::new();
        let compile = |ace: &Ace| {
            let entry = ace.entry().filter(|_| !ace.is_inherit_only())?;
            if entry.kind == Kind::Audit {
                return None;
            }
            let subject = Subject::of(&entry.sid);
            let index = subjects
                .iter()
                .position(|s| *s == subject)
                .unwrap_or_else(|| {
                    subjects.push(subject);
                    subjects.len() - 1
                });
            Some(CompiledAce {
                subject: index,
                verdict: Verdict {
                    allows: entry.is_allow(),
                    mask: entry.mask,
                    object_type: entry.object_type(),
                },
            })
        };
        let aces: Option<Box<[CompiledAce]>> = descriptor
            .effective_dacl()
            .map(|dacl| dacl.aces.iter().filter_map(compile).collect());
        Self {
            owner: descriptor.owner.clone(),
            aces,
            has_owner_rights: subjects.contains(&Subject::OwnerRights),
            subjects: subjects.into(),
        }
    }

    /// Whether an entry names PRINCIPAL_SELF: otherwise the rights do not depend on the object's own SID.
    pub fn depends_on_self(&self) -> bool {
        self.subjects.contains(&Subject::PrincipalSelf)
    }

    /// What `token` may do with an object that carries this descriptor and whose objectSid is `self_sid`.
    pub fn rights(&self, token: &Token, self_sid: Option<&Sid>) -> Rights {
        let is_self = self_sid.is_some_and(|sid| token.contains(sid));
        let is_owner = self.owner.as_ref().is_some_and(|sid| token.contains(sid));
        let concerned: Vec<bool> = self
            .subjects
            .iter()
            .map(|subject| match subject {
                Subject::Sid(sid) => token.contains(sid),
                Subject::PrincipalSelf => is_self,
                Subject::OwnerRights => is_owner,
            })
            .collect();
        let mut implicit = AccessMask::NONE;
        if token.has_security_privilege {
            implicit |= AccessMask::ACCESS_SYSTEM_SECURITY;
        }
        if token.has_take_ownership_privilege {
            implicit |= AccessMask::WRITE_OWNER;
        }
        if is_owner && !self.has_owner_rights {
            implicit |= AccessMask::READ_CONTROL | AccessMask::WRITE_DAC;
        }
        let Some(aces) = &self.aces else {
            return Rights::everything(implicit);
        };
        let verdicts = aces
            .iter()
            .filter(|ace| concerned.get(ace.subject).copied().unwrap_or(false))
            .map(|ace| ace.verdict)
            .collect();
        Rights::new(implicit, verdicts)
    }
}

/// What one token may do with one object.
#[derive(Debug, Clone)]
pub struct Rights {
    /// Granted whatever the entries say.
    implicit: AccessMask,
    verdicts: Box<[Verdict]>,
    /// Granted where no entry names the GUIDs of the path.
    plain: AccessMask,
    /// One bit per GUID named by an entry, by a hash of its bytes: a miss is certain, a hit is not.
    named: u64,
}

impl Rights {
    fn new(implicit: AccessMask, verdicts: Box<[Verdict]>) -> Self {
        let named = verdicts
            .iter()
            .filter_map(|verdict| verdict.object_type)
            .fold(0, |named, guid| named | bit_of(guid));
        let mut rights = Self {
            implicit,
            verdicts,
            plain: AccessMask::NONE,
            named,
        };
        rights.plain = rights.walk(&[]);
        rights
    }

    /// The rights of the directory itself, or under a null DACL.
    pub fn everything(implicit: AccessMask) -> Self {
        Self {
            implicit,
            verdicts: Box::default(),
            plain: AccessMask(!AccessMask::ACCESS_SYSTEM_SECURITY.0) | implicit,
            named: 0,
        }
    }

    /// Everything that is granted on `path`: MAXIMUM_ALLOWED (MS-DTYP 2.5.3.2).
    ///
    /// The path is `[]` for the object as a whole, `[class, property set, attribute]` for a property, `[class]` for a
    /// child, and the GUID of the right alone for a control access right or a validated write.
    pub fn granted(&self, path: &[Guid]) -> AccessMask {
        if path.iter().any(|guid| self.named & bit_of(*guid) != 0) {
            self.walk(path)
        } else {
            self.plain
        }
    }

    /// Whether every right of `mask` is granted on `path`; see [`Self::granted`].
    pub fn allows(&self, mask: AccessMask, path: &[Guid]) -> bool {
        self.granted(path).contains(mask)
    }

    /// Whether the control access right `right` is granted (MS-ADTS 5.1.3.3.4).
    pub fn allows_control(&self, right: Guid) -> bool {
        self.allows(AccessMask::CONTROL_ACCESS, &[right])
    }

    /// Whether the validated write `right` is granted (MS-ADTS 5.1.3.3.5).
    pub fn allows_validated_write(&self, right: Guid) -> bool {
        self.allows(AccessMask::SELF_WRITE, &[right])
    }

    /// The first entry that speaks of a right decides about it.
    fn walk(&self, path: &[Guid]) -> AccessMask {
        let mut granted = AccessMask::NONE;
        let mut denied = AccessMask::NONE;
        for verdict in &self.verdicts {
            if verdict
                .object_type
                .is_some_and(|guid| !path.contains(&guid))
            {
                continue;
            }
            if verdict.allows {
                granted |= verdict.mask & !denied;
            } else {
                denied |= verdict.mask & !granted;
            }
        }
        // Only the privilege opens the SACL, whatever a DACL says (MS-DTYP 2.5.3.2).
        (granted & !AccessMask::ACCESS_SYSTEM_SECURITY) | self.implicit
    }
}

fn bit_of(guid: Guid) -> u64 {
    // Well-known GUIDs differ in their first field; the others are random.
    let [a, b, c, d, ..] = guid.to_bytes_le();
    let hash = u32::from_le_bytes([a, b, c, d]).wrapping_mul(0x9E37_79B1) >> 26;
    1 << hash
}

/// One check without preparation: may `token` do `mask` on `path` of an object with this descriptor and objectSid?
pub fn check(
    descriptor: &SecurityDescriptor,
    token: &Token,
    self_sid: Option<&Sid>,
    mask: AccessMask,
    path: &[Guid],
) -> bool {
    CompiledDescriptor::new(descriptor)
        .rights(token, self_sid)
        .allows(mask, path)
}
