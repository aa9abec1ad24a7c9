//! Whose `msDS-KeyCredentialLink` changed since a commit: what an index by public key is kept up to date with.
//!
//! Deliberately absent: what the values mean.

use std::ops::ControlFlow;

use types::Sid;

use super::{Principals, read};
use crate::Error;
use crate::model::{Dnt, Reader};
use crate::store::{Table, View, keys};

/// The accounts that changed after a commit, and their key credentials now.
#[derive(Debug)]
pub struct KeyHolders {
    /// `highestCommittedUSN` of what was read; ask again from here.
    pub usn: u64,
    /// Whatever was written since, those without any value included.
    pub changed: Vec<KeyHolder>,
}

/// An object that was written.
#[derive(Debug)]
pub struct KeyHolder {
    /// Its number.
    pub dnt: Dnt,
    /// `objectSid`, and the binary parts of its values; `None` where it has none, or is deleted.
    pub held: Option<Held>,
}

/// Who, and what.
type Held = (Sid, Vec<Vec<u8>>);

impl Principals {
    /// What was written after the commit `since`; 0 for all there is.
    pub fn key_holders(&self, since: u64) -> Result<KeyHolders, Error> {
        let snapshot = self.directory.snapshot();
        let reader = snapshot.reader();
        let mut numbers = Vec::new();
        let start = keys::number(since.saturating_add(1));
        snapshot
            .view
            .scan(Table::Usn, &start, None, &mut |_, value| {
                numbers.extend(keys::last_dnt(value));
                ControlFlow::Continue(())
            })?;
        let changed = numbers
            .into_iter()
            .map(|dnt| {
                let held = held(&reader, dnt)?;
                Ok(KeyHolder { dnt, held })
            })
            .collect::<Result<_, Error>>()?;
        Ok(KeyHolders {
            usn: snapshot.highest_usn(),
            changed,
        })
    }
}

fn held(reader: &Reader<'_>, dnt: Dnt) -> Result<Option<Held>, Error> {
    let values = read::key_credentials(reader, dnt)?;
    if values.is_empty() {
        return Ok(None);
    }
    let object = reader.object(dnt)?.filter(|object| !object.is_deleted());
    let sid = object.as_ref().and_then(|object| object.sid().cloned());
    Ok(sid.map(|sid| (sid, values)))
}
