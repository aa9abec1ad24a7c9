//! What was found, in one stable form: the JSON of `tombolo keys show --json`, format `tombolo-keys/1`.
//!
//! The format only ever grows members; a change of meaning gets another number. Its description for users is in
//! `docs/keys.md`.

mod key;
mod material;

use serde::Serialize;

pub use key::{
    CustomInformation, Device, ExtendedItem, Finding, Hash, Key, KeyId, RawEntry, Time, Usage,
    WriterMatch,
};
pub use material::{Attestation, Authenticator, Coordinates, Fido, Material, Rsa, Tpm};

use crate::inventory::{Content, Item, Place};
use crate::models::Models;

/// The format's name.
pub const FORMAT: &str = "tombolo-keys/1";

/// Everything that was found in one or more inputs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// [`FORMAT`].
    pub format: &'static str,
    /// The values that could be read.
    pub keys: Vec<Key>,
    /// The values that could not.
    pub broken: Vec<Broken>,
    /// What the user should know about the inputs.
    pub notices: Vec<Notice>,
    /// Counts.
    pub summary: Summary,
}

/// A value that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Broken {
    /// Where it stood.
    pub place: Place,
    /// The object it is about, where that is known.
    pub owner: Option<String>,
    /// Why.
    pub reason: String,
}

/// Something about an input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// Where.
    pub place: Place,
    /// What.
    pub sentence: String,
}

/// Counts of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Values that could be read.
    pub readable: usize,
    /// Values that could not.
    pub broken: usize,
    /// Readable values with at least one alarm.
    pub with_alarms: usize,
    /// Readable values with a warning and no alarm.
    pub with_warnings: usize,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            format: FORMAT,
            keys: Vec::new(),
            broken: Vec::new(),
            notices: Vec::new(),
            summary: Summary::default(),
        }
    }
}

impl Report {
    /// Adds one item of a reader.
    pub fn add(&mut self, item: Item, models: &Models) {
        match item {
            Item::Notice(notice) => self.notices.push(Notice {
                place: notice.place,
                sentence: notice.sentence,
            }),
            Item::Broken(broken) => self.add_broken(broken.place, broken.object, broken.reason),
            Item::Value(value) => {
                let owner = match &value.content {
                    Content::Directory { value, .. } if !value.dn.is_empty() => {
                        Some(value.dn.clone())
                    }
                    _ => value.object.clone(),
                };
                match Key::read(&value, owner.clone(), models) {
                    Ok(key) => self.add_key(key),
                    Err(reason) => self.add_broken(value.place, owner, reason),
                }
            }
        }
    }

    fn add_key(&mut self, key: Key) {
        let has = |word| key.findings.iter().any(|finding| finding.severity == word);
        self.summary.readable = self.summary.readable.saturating_add(1);
        if has("alarm") {
            self.summary.with_alarms = self.summary.with_alarms.saturating_add(1);
        } else if has("warning") {
            self.summary.with_warnings = self.summary.with_warnings.saturating_add(1);
        }
        self.keys.push(key);
    }

    fn add_broken(&mut self, place: Place, owner: Option<String>, reason: String) {
        self.summary.broken = self.summary.broken.saturating_add(1);
        self.broken.push(Broken {
            place,
            owner,
            reason,
        });
    }
}
