//! The plan: what the directory should hold, value by value, and why.
//!
//! Making it writes nothing anywhere ([`make`] only reads the state), so it can be saved, reviewed and applied later,
//! exactly: [`crate::Engine::apply`] refuses an object whose values are no longer those that the plan saw.

mod build;
mod decide;
mod exports;
mod preflight;

use serde::{Deserialize, Serialize};
use types::Timestamp;

pub use build::make;
pub(crate) use build::{base, make_again, make_and_settle, person_plans, why_waiting};
pub use exports::{ExportAction, ObjectExport};
pub(crate) use exports::{digest, filled};
pub use preflight::Preflight;

use crate::connector::{Anchor, Value};
pub use crate::keys::About;
use crate::mend::{Mend, Reason};

/// The format of a saved plan.
pub const PLAN_VERSION: u32 = 1;

/// Which persons a plan looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Coverage {
    /// Those that changed since they were last in order: the cost follows the changes.
    Pending,
    /// All of them.
    All,
}

/// What is to be done, and what is not and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// [`PLAN_VERSION`].
    pub version: u32,
    /// When it was made.
    pub made_at: Timestamp,
    /// Fingerprint of the rules that it follows.
    pub rules: String,
    /// Which persons it looked at.
    pub coverage: Coverage,
    /// The directory that it is for.
    pub target: String,
    /// One entry for each object and attribute with anything to tell, by name.
    pub objects: Vec<ObjectPlan>,
    /// Objects that are carried into the cloud, those with anything to tell, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exports: Vec<ObjectExport>,
    /// Rules that flow nothing at all.
    pub sleeping: Vec<SleepingRule>,
    /// Cloud objects with something to give that found nobody.
    pub waiting: Vec<Waiting>,
    /// Guards that stopped it; while there is one, nothing is applied.
    pub stopped: Vec<GuardStop>,
    /// How what is blocked can be mended, once for each reason.
    pub mends: Vec<Mend>,
    /// The sums.
    pub summary: Summary,
}

/// What is to be done with one attribute of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectPlan {
    /// The object; `None` where there is none to write to.
    pub anchor: Option<Anchor>,
    /// Its distinguished name, or the principal name of a person without an object.
    pub name: String,
    /// The person in the metaverse.
    pub person: i64,
    /// The cloud object that is joined to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cloud_object: Option<Anchor>,
    /// The attribute.
    pub attribute: String,
    /// The rule that decides.
    pub rule: String,
    /// SHA-256 of the values that the plan saw, shortened; the apply compares it with the directory.
    pub base: String,
    /// Value by value.
    pub items: Vec<Item>,
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// What happens to it.
    #[serde(flatten)]
    pub action: Action,
    /// The value; base64 in JSON.
    #[serde(with = "base64")]
    pub value: Value,
    /// What it is.
    pub about: About,
    /// Why.
    pub why: String,
}

/// What happens to a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// It is added.
    Add,
    /// It is deleted.
    Remove,
    /// It is there and should be.
    Unchanged,
    /// It would be added or deleted, but the directory will refuse.
    Blocked {
        /// What would happen.
        would: Would,
        /// Why it will not.
        reason: Reason,
    },
    /// It is there, nobody planned it, and the rule does not own it.
    Drift,
    /// It would be added or deleted, but the flow sleeps.
    Dormant {
        /// What would happen.
        would: Would,
        /// Why it will not.
        cause: Cause,
    },
    /// A transform gave nothing for it.
    Refused,
}

/// Added or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Would {
    /// Added.
    Add,
    /// Deleted.
    Remove,
}

/// Why a flow sleeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// A rule is disabled.
    RuleDisabled {
        /// Which.
        disabled: String,
    },
    /// The target's schema lacks an attribute.
    SchemaLacks {
        /// Which.
        lacks: String,
    },
    /// The person is not in the rule's scope.
    OutOfScope {
        /// The condition that fails.
        condition: String,
    },
    /// There is no directory object to write to.
    NotJoined,
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::RuleDisabled { disabled } => write!(f, "rule {disabled} is disabled"),
            Self::SchemaLacks { lacks } => write!(f, "the directory's schema has no {lacks}"),
            Self::OutOfScope { condition } => write!(f, "out of scope: {condition} does not hold"),
            Self::NotJoined => f.write_str("no directory object is joined"),
        }
    }
}

/// A rule that flows nothing at all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SleepingRule {
    /// The rule.
    pub rule: String,
    /// Why.
    #[serde(flatten)]
    pub cause: Cause,
}

/// A cloud object with something to give that found nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The object.
    pub anchor: Anchor,
    /// Its name.
    pub name: String,
    /// Why.
    pub why: String,
}

/// A guard that stopped the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardStop {
    /// The rule.
    pub rule: String,
    /// The attribute.
    pub attribute: String,
    /// Values that the plan would delete.
    pub deletes: u64,
    /// Values that are there.
    pub known: u64,
    /// What is allowed.
    pub allowed: String,
}

/// The sums of a plan.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Persons that were looked at.
    pub persons: u64,
    /// Values to add.
    pub add: u64,
    /// Values to delete.
    pub remove: u64,
    /// Values of the listed objects that stay.
    pub unchanged: u64,
    /// Values that the directory will refuse.
    pub blocked: u64,
    /// Values that nobody planned.
    pub drift: u64,
    /// Values whose flow sleeps.
    pub dormant: u64,
    /// Values that a transform refused.
    pub refused: u64,
    /// Objects to make in the cloud.
    #[serde(default)]
    pub create: u64,
    /// Objects to change there.
    #[serde(default)]
    pub update: u64,
    /// Objects to delete there.
    #[serde(default)]
    pub delete: u64,
}

impl Plan {
    /// Whether applying it would write anything.
    pub fn has_writes(&self) -> bool {
        self.summary.add > 0 || self.summary.remove > 0 || self.has_exports()
    }

    /// Whether applying it would write anything to the cloud.
    pub fn has_exports(&self) -> bool {
        self.exports.iter().any(ObjectExport::is_write)
    }

    /// Whether there is nothing to do, nothing blocked, and nothing to tell.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.exports.is_empty()
    }

    /// Reads a saved plan.
    pub fn from_json(text: &str) -> Result<Self, crate::Error> {
        let unreadable = |why: String| crate::Error::PlanUnreadable(why);
        let plan: Self =
            serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        if plan.version == PLAN_VERSION {
            Ok(plan)
        } else {
            Err(unreadable(format!(
                "it has version {}, known is {PLAN_VERSION}",
                plan.version
            )))
        }
    }

    pub(crate) fn sum(&mut self) {
        let mut summary = Summary {
            persons: self.summary.persons,
            ..Summary::default()
        };
        for item in self.objects.iter().flat_map(|object| &object.items) {
            let count = match item.action {
                Action::Add => &mut summary.add,
                Action::Remove => &mut summary.remove,
                Action::Unchanged => &mut summary.unchanged,
                Action::Blocked { .. } => &mut summary.blocked,
                Action::Drift => &mut summary.drift,
                Action::Dormant { .. } => &mut summary.dormant,
                Action::Refused => &mut summary.refused,
            };
            *count = count.saturating_add(1);
        }
        for export in &self.exports {
            let count = match export.action {
                ExportAction::Create => &mut summary.create,
                ExportAction::Update => &mut summary.update,
                ExportAction::Delete => &mut summary.delete,
                ExportAction::Blocked { .. } => &mut summary.blocked,
                ExportAction::Drift => &mut summary.drift,
                ExportAction::Dormant { .. } => &mut summary.dormant,
                ExportAction::Unchanged => continue,
            };
            *count = count.saturating_add(1);
        }
        self.summary = summary;
    }
}

impl ObjectPlan {
    /// Whether anything is to be written.
    pub fn has_writes(&self) -> bool {
        self.items
            .iter()
            .any(|item| matches!(item.action, Action::Add | Action::Remove))
    }

    /// The values with one action.
    pub fn values<'a>(&'a self, action: &'a Action) -> impl Iterator<Item = &'a Value> {
        self.items
            .iter()
            .filter(move |item| item.action == *action)
            .map(|item| &item.value)
    }

    /// Whether another plan of the same place adds and deletes all that this one does.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        let contains = |action: Action| {
            self.values(&action)
                .all(|value| other.values(&action).any(|known| known == value))
        };
        contains(Action::Add) && contains(Action::Remove)
    }

    /// Why it is blocked, if it is.
    pub fn blocked(&self) -> Option<Reason> {
        self.items.iter().find_map(|item| match item.action {
            Action::Blocked { reason, .. } => Some(reason),
            _ => None,
        })
    }
}

mod base64 {
    use data_encoding::BASE64;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(from)?;
        BASE64
            .decode(text.as_bytes())
            .map_err(serde::de::Error::custom)
    }
}
