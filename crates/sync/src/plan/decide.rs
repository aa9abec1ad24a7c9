//! The fate of one value: wanted and there, wanted and missing, there and unwanted, and why.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{About, Action, Cause, Item, Preflight, Would};
use crate::Error;
use crate::connector::{Anchor, Attributes, Value, Values};
use crate::flow;
use crate::keys;
use crate::rules::{Flow, Owns, Rule};
use crate::schema::Syntax;
use crate::store::{Contribution, ObjectRow, PersonRow, RefusalRow, State};

/// What is known of a person while it is planned.
pub(super) struct Person<'a> {
    pub(super) row: &'a PersonRow,
    pub(super) attributes: Attributes,
    pub(super) contributions: Vec<Contribution>,
    pub(super) refusals: Vec<RefusalRow>,
    pub(super) directory: Option<ObjectRow>,
    pub(super) cloud: Option<ObjectRow>,
}

/// Everything that the fate of a value depends on.
pub(super) struct Decision<'m> {
    pub(super) state: &'m State,
    pub(super) preflight: &'m Preflight,
    pub(super) person: &'m Person<'m>,
    pub(super) rule: &'m Rule,
    pub(super) flow: &'m Flow,
    pub(super) cause: Option<Cause>,
    pub(super) syntax: Syntax,
}

impl Decision<'_> {
    /// The fate of each value that the flow gave or that is there.
    pub(super) fn items(
        &self,
        flowed: &flow::Flowed,
        present: &Values,
    ) -> Result<Vec<Item>, Error> {
        let identity = |value| keys::identity(self.syntax, value);
        let wanted: BTreeMap<Cow<'_, [u8]>, &Value> =
            flowed.values.iter().map(|v| (identity(v), v)).collect();
        let there: BTreeMap<Cow<'_, [u8]>, &Value> =
            present.iter().map(|v| (identity(v), v)).collect();
        let mut items = Vec::new();
        for (identity, value) in &wanted {
            match there.get(identity) {
                Some(kept) => items.push(item(Action::Unchanged, kept, self.origin(value))),
                None => items.push(self.write(Would::Add, value)?),
            }
        }
        for value in present {
            if wanted.contains_key(&identity(value)) {
                continue;
            }
            if self.flow.owns.includes(value) {
                items.push(self.write(Would::Remove, value)?);
            } else {
                items.push(item(Action::Drift, value, self.why_drift(value)));
            }
        }
        let read = self.flow.transform.reads();
        let inward = self
            .person
            .refusals
            .iter()
            .filter(|refusal| read.contains(&refusal.attribute.as_str()));
        items.extend(inward.map(|r| {
            item(
                Action::Refused,
                &r.value,
                format!("rule {}: {}", r.rule, r.why),
            )
        }));
        let outward = flowed.refused.iter();
        items.extend(
            outward
                .map(|(v, why)| item(Action::Refused, v, format!("rule {}: {why}", self.rule.id))),
        );
        Ok(items)
    }

    /// A value that is to be added or deleted, unless the flow sleeps or the directory would refuse.
    fn write(&self, would: Would, value: &Value) -> Result<Item, Error> {
        let anchor = self.person.directory.as_ref().map(|object| &object.anchor);
        let why = self.why(would, value, anchor)?;
        let blocked = anchor.and_then(|anchor| self.preflight.blocks(anchor, &self.flow.to));
        let (action, why) = match (&self.cause, blocked, would) {
            (Some(cause), _, would) => (
                Action::Dormant {
                    would,
                    cause: cause.clone(),
                },
                cause.to_string(),
            ),
            (None, Some(reason), would) => (
                Action::Blocked { would, reason },
                format!("{reason} ({why})"),
            ),
            (None, None, Would::Add) => (Action::Add, why),
            (None, None, Would::Remove) => (Action::Remove, why),
        };
        Ok(item(action, value, why))
    }

    /// Where a wanted value came from.
    fn origin(&self, value: &Value) -> String {
        let read = self.flow.transform.reads();
        let mut sources = self
            .person
            .contributions
            .iter()
            .filter(|c| read.contains(&c.attribute.as_str()));
        let source = sources
            .clone()
            .find(|c| &c.value == value)
            .or_else(|| sources.next());
        let object = self
            .person
            .cloud
            .as_ref()
            .map_or("the cloud", |object| &object.name);
        match source {
            Some(source) => format!(
                "{object} has it (rules {} and {})",
                source.rule, self.rule.id
            ),
            None => format!("rule {}", self.rule.id),
        }
    }

    fn why(&self, would: Would, value: &Value, anchor: Option<&Anchor>) -> Result<String, Error> {
        let export = match anchor {
            Some(anchor) => self.state.export(anchor, &self.flow.to, value)?,
            None => None,
        };
        let export = export.filter(|row| row.added == (would == Would::Add));
        Ok(match (would, export) {
            (Would::Add, Some(row)) if row.confirmed => {
                format!("it was deleted in the directory; {}", self.origin(value))
            }
            (Would::Add, Some(row)) => {
                format!(
                    "it was exported at {}, but no import has seen it; {}",
                    row.exported_at,
                    self.origin(value)
                )
            }
            (Would::Add, None) => self.origin(value),
            (Would::Remove, Some(row)) => {
                format!(
                    "its deletion was exported at {}, but an import still shows it",
                    row.exported_at
                )
            }
            (Would::Remove, None) => self.why_removed(value, anchor)?,
        })
    }

    fn why_removed(&self, value: &Value, anchor: Option<&Anchor>) -> Result<String, Error> {
        let written = match anchor {
            Some(anchor) => self.state.export(anchor, &self.flow.to, value)?,
            None => None,
        };
        Ok(match (written, self.flow.owns) {
            (Some(_), _) => "it was removed in the cloud".to_owned(),
            (None, Owns::Full) => "the cloud does not have it, and the rule owns every value".to_owned(),
            (None, _) => "it says that it came from the cloud, but the cloud does not have it and this sync never \
                 wrote it"
                .to_owned(),
        })
    }

    fn why_drift(&self, value: &Value) -> String {
        let source = keys::source(value).unwrap_or_else(|| "none".to_owned());
        let owned = match self.flow.owns {
            Owns::Full => "every value",
            Owns::SourceCloud => "values of source AzureAD",
            Owns::Additive => "no value that it did not add",
        };
        format!(
            "nobody planned it: its source is {source}, and rule {} owns {owned}",
            self.rule.id
        )
    }
}

fn item(action: Action, value: &Value, why: String) -> Item {
    Item {
        action,
        value: value.clone(),
        about: About::of(value),
        why,
    }
}
