//! Which account holds a public key in a value of usage NGC: how the KDC tells somebody else's key from nobody's.
//!
//! Kept by commit number: only what was written since the last question is read again, so that whoever asks often makes
//! nobody read much.

use std::collections::HashMap;
use std::sync::Arc;

use directory::{Dnt, KeyHolders};
use kdc::key_trust::candidates;
use types::Sid;

/// An index of the directory as of one commit.
#[derive(Debug, Default)]
pub(crate) struct KeyIndex {
    /// The commit.
    pub(crate) usn: u64,
    held: HashMap<Dnt, Held>,
    // Two accounts with one key are rare, and allowed.
    holders: HashMap<Arc<[u8]>, Vec<Dnt>>,
}

/// Who, and the keys as SubjectPublicKeyInfo.
type Held = (Sid, Vec<Arc<[u8]>>);

impl KeyIndex {
    /// Takes over what was written since.
    pub(crate) fn follow(&mut self, holders: KeyHolders) {
        self.usn = holders.usn;
        for changed in holders.changed {
            self.forget(changed.dnt);
            let Some((sid, values)) = changed.held else {
                continue;
            };
            let (candidates, _) = candidates(&values);
            let keys: Vec<Arc<[u8]>> = candidates
                .iter()
                .filter_map(|candidate| Some(Arc::from(candidate.rsa()?.spki())))
                .collect();
            for key in &keys {
                let holders = self.holders.entry(Arc::clone(key)).or_default();
                holders.push(changed.dnt);
            }
            if !keys.is_empty() {
                self.held.insert(changed.dnt, (sid, keys));
            }
        }
    }

    /// One of the accounts that hold this key, as SubjectPublicKeyInfo.
    pub(crate) fn holder(&self, spki: &[u8]) -> Option<&Sid> {
        let dnt = self.holders.get(spki)?.first()?;
        self.held.get(dnt).map(|(sid, _)| sid)
    }

    fn forget(&mut self, dnt: Dnt) {
        let Some((_, keys)) = self.held.remove(&dnt) else {
            return;
        };
        for key in keys {
            if let Some(holders) = self.holders.get_mut(&key) {
                holders.retain(|other| *other != dnt);
                if holders.is_empty() {
                    self.holders.remove(&key);
                }
            }
        }
    }
}
