//! Names of containers, remembered until a rename or a deletion makes them doubtful.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use types::Rdn;

use super::Dnt;

/// The form of a relative name in the name table.
pub(crate) fn folded_rdn(rdn: &Rdn) -> Vec<u8> {
    let mut folded = rdn.attribute().to_ascii_lowercase().into_bytes();
    folded.push(b'=');
    folded.extend(crate::schema::folded(rdn.value().as_bytes()));
    folded
}

/// A container by its number.
#[derive(Debug, Clone)]
pub(crate) struct ContainerName {
    pub(crate) parent: Dnt,
    /// The whole name.
    pub(crate) dn: Arc<str>,
}

/// Shared by snapshots between which no name has changed; a directory with renames starts a new one.
#[derive(Debug, Default)]
pub(crate) struct NameCache {
    containers: RwLock<HashMap<Dnt, ContainerName>>,
    resolved: RwLock<HashMap<Box<str>, Dnt>>,
}

const LENGTH_MAX: usize = 50_000;

impl NameCache {
    pub(crate) fn container(&self, dnt: Dnt) -> Option<ContainerName> {
        self.containers
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&dnt)
            .cloned()
    }

    pub(crate) fn remember_container(&self, dnt: Dnt, name: ContainerName) {
        let mut map = self
            .containers
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if map.len() >= LENGTH_MAX {
            map.clear();
        }
        map.insert(dnt, name);
    }

    pub(crate) fn resolved(&self, dn: &str) -> Option<Dnt> {
        self.resolved
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(dn)
            .copied()
    }

    pub(crate) fn remember_resolved(&self, dn: &str, dnt: Dnt) {
        let mut map = self
            .resolved
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if map.len() >= LENGTH_MAX {
            map.clear();
        }
        map.insert(dn.into(), dnt);
    }
}
