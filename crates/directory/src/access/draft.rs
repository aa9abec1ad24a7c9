//! What is asked of the access check.

use types::{Dn, Guid, Sid};

use crate::model::Descriptor;
use crate::schema::{AttributeId, ClassId};

/// An object, as far as the access check must know it.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// Its security descriptor.
    pub descriptor: &'a Descriptor,
    /// Its most specific class.
    pub class: ClassId,
    /// Its `objectSid`, which stands for PRINCIPAL_SELF.
    pub sid: Option<&'a Sid>,
    /// Its `objectGUID`.
    pub guid: Guid,
}

/// A new object.
#[derive(Debug)]
pub struct AddDraft {
    /// Its class.
    pub class: ClassId,
    /// The SID it will have.
    pub sid: Option<Sid>,
    /// What the client writes, without `objectClass` and the name.
    pub writes: Vec<AttributeWrite>,
    /// The client gives a descriptor of its own.
    pub gives_descriptor: bool,
    /// The client sets a password.
    pub sets_password: bool,
    /// What validated writes look at.
    pub context: WriteContext,
}

/// What validated writes look at besides the values (MS-ADTS 3.1.1.5.3.1.1).
#[derive(Debug, Clone, Default)]
pub struct WriteContext {
    /// The caller's own name, for Self-Membership.
    pub caller_dn: Option<Dn>,
    /// `sAMAccountName` of the object, as it is before the write (in an add: as given).
    pub sam_account_name: Option<String>,
    /// `dNSHostName` of the object, likewise; where the same modify writes it, the new value.
    pub dns_host_name: Option<String>,
    /// DNS name of the domain.
    pub dns_domain: String,
    /// NetBIOS name of the domain.
    pub netbios_domain: String,
}

/// Other values.
#[derive(Debug)]
pub struct ModifyDraft {
    /// What changes, attribute by attribute.
    pub writes: Vec<AttributeWrite>,
    /// Parts of the security descriptor that are written: SD flags, 1 owner, 2 group, 4 DACL, 8 SACL.
    pub descriptor: Option<(u32, Descriptor)>,
    /// How the password is written, where it is.
    pub password: Option<PasswordWrite>,
    /// What validated writes look at.
    pub context: WriteContext,
}

/// How one attribute is written.
#[derive(Debug, Clone)]
pub struct AttributeWrite {
    /// Which.
    pub attribute: AttributeId,
    /// How many values it had.
    pub existing: usize,
    /// New values, in the form of LDAP (DN-Binary as `B:..`).
    pub added: Vec<Vec<u8>>,
    /// Values that go, in the form of LDAP.
    pub removed: Vec<Vec<u8>>,
    /// The client said replace.
    pub replaced: bool,
}

/// MS-ADTS 3.1.1.3.1.5: two ways to write a password, two rights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PasswordWrite {
    /// Replace: the right User-Force-Change-Password.
    Reset,
    /// Delete of the old one and add of the new one: User-Change-Password.
    Change,
}

/// One object, or a tree, less.
#[derive(Debug, Clone, Copy)]
pub struct DeleteDraft {
    /// With all below.
    pub tree: bool,
}

/// Another name or place.
#[derive(Debug, Clone, Copy)]
pub struct RenameDraft {
    /// The naming attribute of the object.
    pub rdn_attribute: AttributeId,
    /// The relative name changes.
    pub renames: bool,
    /// The parent changes.
    pub moves: bool,
}

/// The access check said no.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the right {right:#x} on {on} is missing{}", .attribute_name.as_deref().map(|name| format!(" for {name}")).unwrap_or_default())]
pub struct Denied {
    /// The missing right (an access mask of MS-ADTS 5.1.3.2).
    pub right: u32,
    /// The attribute it is about, where it is about one.
    pub attribute: Option<AttributeId>,
    /// `lDAPDisplayName` of that attribute.
    pub attribute_name: Option<String>,
    /// `objectGUID` of the object that lacks the right: the object itself, or its parent.
    pub on: Guid,
    /// The code that leads AD's text: 0x2098 for attributes and objects, 5 for descriptors and creation.
    pub win32: u32,
}
