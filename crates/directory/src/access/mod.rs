//! Decides who may see and change what (MS-ADTS 5.1.3; `docs/access-control.md` is the reference page).
//!
//! Reading: [`Readable`] is asked once per session, descriptor and class, and then per attribute. Writing: each
//! `authorize_*` takes a draft and gives it back as [`Authorized`], without which nothing is committed. Descriptors:
//! [`new_descriptor`], [`changed_descriptor`] and [`inherited_descriptor`] say what is stored. [`audits`] asks a SACL.
//! [`adminsdholder`] keeps protected accounts protected.
//!
//! The directory itself (`Session::system`) passes every check.

pub mod adminsdholder;
mod audit;
mod descriptors;
mod draft;
mod effective;
mod proof;
mod read;
pub mod rights;
mod token;
mod validated;
mod write;

use keycred::ValidatedWriteMode;
use security_descriptor::{AccessMask, Rights};
use types::{Guid, Sid};

pub use audit::audits;
pub use descriptors::{changed_descriptor, inherited_descriptor, new_descriptor, read_descriptor};
pub use draft::{
    AddDraft, AttributeWrite, DeleteDraft, Denied, ModifyDraft, PasswordWrite, RenameDraft, Target,
    WriteContext,
};
pub use effective::{effective_attributes, effective_child_classes, effective_descriptor_rights};
pub use proof::Authorized;
pub use read::{Readable, may_see};
pub use security_descriptor::{Outcome, Token};
pub use token::token;
pub use write::{
    authorize_add, authorize_add_attempt, authorize_attempt, authorize_delete, authorize_modify,
    authorize_rename,
};

use crate::schema::{Attribute, ClassId, Schema};

/// Domain-wide rules from `dSHeuristics` (MS-ADTS 6.1.1.2.4.1.2), and the one that is ours.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// Character 3 is `1`: list-object mode.
    pub list_object: bool,
    /// Character 28 is not `2`: attributes given with a new computer are checked as in a modify (CVE-2021-42291).
    ///
    /// Deviates from MS-ADTS, where the absent character checks nothing: domain controllers have enforced it by
    /// default since January 2024.
    pub authorizes_attributes_on_add: bool,
    /// Character 29 is `1`: the owner of a computer has no implicit rights.
    pub blocks_owner_rights: bool,
    /// What a computer may write to its own `msDS-KeyCredentialLink`. Default: as patched since January 2026.
    pub key_write_mode: ValidatedWriteMode,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            list_object: false,
            authorizes_attributes_on_add: true,
            blocks_owner_rights: false,
            key_write_mode: ValidatedWriteMode::default(),
        }
    }
}

impl Policy {
    /// Reads `dSHeuristics`; `None` gives the defaults.
    pub fn from_heuristics(heuristics: Option<&str>) -> Self {
        let character = |number: usize| heuristics.and_then(|text| text.chars().nth(number - 1));
        Self {
            list_object: character(3) == Some('1'),
            authorizes_attributes_on_add: character(28) != Some('2'),
            blocks_owner_rights: character(29) == Some('1'),
            ..Self::default()
        }
    }

    /// Adds what `msDS-Other-Settings` says, values of the form `Name=Value`:
    /// `KeyCredentialValidatedWrite=Patched2026`, `=Spec` or `=Pre2026`. The name is ours; others are left alone.
    #[must_use]
    pub fn with_settings<'a>(mut self, settings: impl IntoIterator<Item = &'a str>) -> Self {
        for (name, value) in settings.into_iter().filter_map(|text| text.split_once('=')) {
            if !name.eq_ignore_ascii_case("KeyCredentialValidatedWrite") {
                continue;
            }
            self.key_write_mode = match value.to_ascii_lowercase().as_str() {
                "spec" => ValidatedWriteMode::Spec,
                "pre2026" => ValidatedWriteMode::Pre2026,
                _ => ValidatedWriteMode::Patched2026,
            };
        }
        self
    }
}

/// Whether this is the directory itself.
pub(crate) fn is_system(token: &Token) -> bool {
    token
        .user()
        .is_some_and(|sid| sid.authority() == 5 && sid.sub_authorities() == [18])
}

/// What `token` may do with `target`.
fn rights_on(token: &Token, target: &Target<'_>) -> Rights {
    if is_system(token) {
        Rights::everything(AccessMask::ACCESS_SYSTEM_SECURITY)
    } else {
        target.descriptor.compiled().rights(token, target.sid)
    }
}

/// The GUIDs at which an entry about `attribute` may stand: class, property set, attribute. Without a property set the
/// class stands there twice, which changes nothing.
fn path_of(schema: &Schema, class: ClassId, attribute: &Attribute) -> [Guid; 3] {
    let class = schema.class_by_id(class).guid;
    [
        class,
        attribute.security_guid.unwrap_or(class),
        attribute.guid,
    ]
}

/// Whether `token` is a member of the group with this RID in the domain of `domain`.
fn is_member(token: &Token, domain: Option<&Sid>, rid: u32) -> bool {
    domain.is_some_and(|domain| token.contains(&domain.with_rid(rid)))
}

#[cfg(test)]
pub(crate) mod tests;
