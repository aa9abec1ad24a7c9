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
        match Line::read(item, models) {
            Line::Key(key) => {
                self.summary.count_key(&key);
                self.keys.push(*key);
            }
            Line::Broken(broken) => {
                self.summary.count_broken();
                self.broken.push(broken);
            }
            Line::Notice(notice) => self.notices.push(notice),
        }
    }
}

/// One line of a report, for those who stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Line {
    /// A readable value.
    Key(Box<Key>),
    /// One that is not.
    Broken(Broken),
    /// Something about the input.
    Notice(Notice),
}

impl Line {
    /// What an item of a reader turns out to be.
    pub fn read(item: Item, models: &Models) -> Self {
        match item {
            Item::Notice(notice) => Self::Notice(Notice {
                place: notice.place,
                sentence: notice.sentence,
            }),
            Item::Broken(broken) => Self::Broken(Broken {
                place: broken.place,
                owner: broken.object,
                reason: broken.reason,
            }),
            Item::Value(value) => {
                let owner = match &value.content {
                    Content::Directory { value, .. } if !value.dn.is_empty() => {
                        Some(value.dn.clone())
                    }
                    _ => value.object.clone(),
                };
                match Key::read(&value, owner.clone(), models) {
                    Ok(key) => Self::Key(Box::new(key)),
                    Err(reason) => Self::Broken(Broken {
                        place: value.place,
                        owner,
                        reason,
                    }),
                }
            }
        }
    }
}

impl Summary {
    /// Counts a readable value.
    pub fn count_key(&mut self, key: &Key) {
        let has = |word| key.findings.iter().any(|finding| finding.severity == word);
        self.readable = self.readable.saturating_add(1);
        if has("alarm") {
            self.with_alarms = self.with_alarms.saturating_add(1);
        } else if has("warning") {
            self.with_warnings = self.with_warnings.saturating_add(1);
        }
    }

    /// Counts a value that is not readable.
    pub fn count_broken(&mut self) {
        self.broken = self.broken.saturating_add(1);
    }
}
