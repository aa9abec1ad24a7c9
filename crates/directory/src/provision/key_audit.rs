//! The audit entry for writes of `msDS-KeyCredentialLink`, which no directory has by default.

use security_descriptor::{AccessMask, Ace, AceFlags, Acl, SecurityDescriptor};
use types::{Dn, Rdn, Sid};

use crate::access::{adminsdholder, rights};
use crate::{
    Directory, Error, Modification, ModificationKind, ModifyRequest, Name, Operation, Session,
};

/// Which writes of keys are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyAudit {
    /// Committed ones: event 5136 per value.
    pub success: bool,
    /// Refused ones: event 4662, failure.
    pub failure: bool,
}

/// SD flag of the SACL (MS-ADTS 3.1.1.3.4.1.11).
const SACL: u32 = 8;

/// Puts `(OU;CISA;WP;5b47d60f-...;;WD)` on the head of the domain, for all that inherit, and on AdminSDHolder, for the
/// protected accounts, whose SACL is replaced by its own. Takes effect at once for both.
pub fn enable(directory: &Directory, session: &Session, which: KeyAudit) -> Result<(), Error> {
    let Some(naming) = directory.naming() else {
        return Err(Error::no_object("the domain", Dn::ROOT));
    };
    let head = naming.domain_dn.clone();
    let holder = head
        .child(Rdn::new("CN", "System"))
        .child(Rdn::new("CN", "AdminSDHolder"));
    for dn in [head, holder] {
        let mut descriptor = adminsdholder::descriptor_of(directory, session, &dn)?;
        let mut sacl = descriptor
            .sacl
            .take()
            .unwrap_or_else(|| Acl::new(Vec::new()));
        let entry = entry(which);
        if !sacl.aces.contains(&entry) {
            sacl.add(entry);
        }
        descriptor.set_sacl(Some(sacl));
        write_sacl(directory, session, &dn, &descriptor)?;
    }
    adminsdholder::propagate(directory).map(|_| ())
}

fn entry(which: KeyAudit) -> Ace {
    let mut flags = AceFlags::CONTAINER_INHERIT;
    if which.success {
        flags = flags | AceFlags::SUCCESSFUL_ACCESS;
    }
    if which.failure {
        flags = flags | AceFlags::FAILED_ACCESS;
    }
    Ace::audit(Sid::everyone(), AccessMask::WRITE_PROPERTY)
        .on(rights::KEY_CREDENTIAL_LINK)
        .with(flags)
}

fn write_sacl(
    directory: &Directory,
    session: &Session,
    dn: &Dn,
    descriptor: &SecurityDescriptor,
) -> Result<(), Error> {
    let bytes = descriptor
        .to_bytes()
        .map_err(|why| Error::unwilling(0x2035, why.to_string()))?;
    let replace = Modification::new(ModificationKind::Replace, "nTSecurityDescriptor", [bytes]);
    let request = ModifyRequest {
        descriptor_flags: Some(SACL),
        ..ModifyRequest::new(Name::Dn(dn.clone()), vec![replace])
    };
    directory
        .apply(session, Operation::Modify(request))
        .map(|_| ())
}
