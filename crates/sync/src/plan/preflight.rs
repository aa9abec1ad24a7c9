//! What is known of the directory before anything is written: its schema and our rights.

use std::collections::BTreeMap;

use crate::connector::{Account, Anchor, Permission, SchemaProbe};
use crate::mend::Reason;

/// Answers of the directory that a plan takes into account. An empty one blocks nothing.
#[derive(Debug, Clone, Default)]
pub struct Preflight {
    /// Which attributes there are; `None` where nobody asked.
    pub schema: Option<SchemaProbe>,
    /// May we write this attribute of this object? Only answers that somebody asked for.
    pub permissions: BTreeMap<(Anchor, String), Permission>,
    /// Who we are there.
    pub account: Account,
    /// Guards are overruled: a human looked at the plan.
    pub accept_deletes: bool,
}

impl Preflight {
    /// The first attribute out of some that the schema lacks.
    pub(super) fn lacks<'a>(
        &self,
        attributes: impl IntoIterator<Item = &'a String>,
    ) -> Option<&'a String> {
        let schema = self.schema.as_ref()?;
        attributes
            .into_iter()
            .find(|name| !schema.present.contains(*name))
    }

    /// Why a write would be refused.
    pub(super) fn blocks(&self, anchor: &Anchor, attribute: &str) -> Option<Reason> {
        match self
            .permissions
            .get(&(anchor.clone(), attribute.to_owned()))?
        {
            Permission::Granted | Permission::Unknown => None,
            Permission::Denied => Some(Reason::NoRight),
            Permission::DeniedByProtection => Some(Reason::ProtectedByAdminSdHolder),
            Permission::Gone => Some(Reason::ObjectGone),
        }
    }
}
