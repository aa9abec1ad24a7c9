//! Writes SDDL.

use types::Sid;

use super::{Domains, RIGHTS, alias};
use crate::ace::{Ace, AceBody, AceFlags, Entry, Kind};
use crate::acl::Acl;
use crate::descriptor::{Control, SecurityDescriptor};
use crate::error::NotExpressible;
use crate::mask::AccessMask;

pub(super) const ACE_FLAGS: [(&str, AceFlags); 7] = [
    ("OI", AceFlags::OBJECT_INHERIT),
    ("CI", AceFlags::CONTAINER_INHERIT),
    ("NP", AceFlags::NO_PROPAGATE_INHERIT),
    ("IO", AceFlags::INHERIT_ONLY),
    ("ID", AceFlags::INHERITED),
    ("SA", AceFlags::SUCCESSFUL_ACCESS),
    ("FA", AceFlags::FAILED_ACCESS),
];

impl SecurityDescriptor {
    /// Writes SDDL with aliases where a SID has one.
    ///
    /// Bits of the Control field without letters, revisions and slack are left out; an ACE without a text (a callback
    /// ACE, say) is an error, because leaving it out would tell a lie about the rights.
    pub fn to_sddl(&self, domains: Domains<'_>) -> Result<String, NotExpressible> {
        let mut out = String::new();
        if let Some(owner) = &self.owner {
            out.push_str("O:");
            out.push_str(&sid_text(owner, domains));
        }
        if let Some(group) = &self.group {
            out.push_str("G:");
            out.push_str(&sid_text(group, domains));
        }
        if self.control.contains(Control::DACL_PRESENT) {
            out.push_str("D:");
            write_acl(&mut out, self.dacl.as_ref(), self.control, domains)?;
        }
        if self.control.contains(Control::SACL_PRESENT) {
            out.push_str("S:");
            // The bits of the SACL stand one to the left of the DACL's.
            let control = Control(self.control.0 >> 1);
            write_acl(&mut out, self.sacl.as_ref(), control, domains)?;
        }
        Ok(out)
    }
}

impl Ace {
    /// Writes the entry as `(OA;CI;RPWP;guid;;KA)`.
    pub fn to_sddl(&self, domains: Domains<'_>) -> Result<String, NotExpressible> {
        let AceBody::Entry(entry) = &self.body else {
            return Err(NotExpressible(format!("ACE of type {}", self.ace_type())));
        };
        let flags: String = ACE_FLAGS
            .iter()
            .filter(|(_, flag)| self.flags.contains(*flag))
            .map(|(name, _)| *name)
            .collect();
        if self.flags.0 & 0x20 != 0 || !entry.trailing.is_empty() {
            return Err(NotExpressible("ACE with reserved flags or data".into()));
        }
        let guid = |guid: Option<types::Guid>| guid.map(|g| g.to_string()).unwrap_or_default();
        Ok(format!(
            "({};{};{};{};{};{})",
            type_text(entry),
            flags,
            entry.mask,
            guid(entry.object_type()),
            guid(entry.inherited_object_type()),
            sid_text(&entry.sid, domains),
        ))
    }
}

fn type_text(entry: &Entry) -> &'static str {
    match (entry.kind, entry.object.is_some()) {
        (Kind::Allow, false) => "A",
        (Kind::Deny, false) => "D",
        (Kind::Audit, false) => "AU",
        (Kind::Allow, true) => "OA",
        (Kind::Deny, true) => "OD",
        (Kind::Audit, true) => "OU",
    }
}

fn sid_text(sid: &Sid, domains: Domains<'_>) -> String {
    alias::letters(sid, domains).map_or_else(|| sid.to_string(), str::to_owned)
}

fn write_acl(
    out: &mut String,
    acl: Option<&Acl>,
    control: Control,
    domains: Domains<'_>,
) -> Result<(), NotExpressible> {
    for (name, bit) in [
        ("P", Control::DACL_PROTECTED),
        ("AR", Control::DACL_AUTO_INHERIT_REQ),
        ("AI", Control::DACL_AUTO_INHERITED),
    ] {
        if control.contains(bit) {
            out.push_str(name);
        }
    }
    let Some(acl) = acl else {
        out.push_str("NO_ACCESS_CONTROL");
        return Ok(());
    };
    for ace in &acl.aces {
        out.push_str(&ace.to_sddl(domains)?);
    }
    Ok(())
}

/// The letters of a mask, or `None` where a bit has none.
pub(crate) fn mask_letters(mask: AccessMask) -> Option<String> {
    let known = RIGHTS
        .iter()
        .fold(AccessMask::NONE, |all, (_, bit)| all | *bit);
    known.contains(mask).then(|| {
        RIGHTS
            .iter()
            .filter(|(_, bit)| mask.contains(*bit))
            .map(|(name, _)| *name)
            .collect()
    })
}
