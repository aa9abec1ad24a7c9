//! Objects that are carried whole from the directory into the cloud: made, changed, deleted.
//!
//! An object is wanted where a metaverse object of its kind is in the scope of an enabled outbound rule. What the cloud has
//! and nobody wants is deleted if it is of this directory's domain; another sync's objects are left alone.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use types::{Guid, Sid};

use super::{Cause, Would, build};
use crate::Error;
use crate::connector::{Anchor, Attributes, Connector, Value, Values};
use crate::flow;
use crate::keys::About;
use crate::mend::Reason;
use crate::rules::{Rule, RuleSet};
use crate::schema::Space;
use crate::store::{ObjectRow, PersonRow, State};

/// What is to be done with one object of the cloud.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectExport {
    /// What happens to it.
    #[serde(flatten)]
    pub action: ExportAction,
    /// `device`, `kerberosServer`.
    pub kind: String,
    /// Its lasting name in the cloud.
    pub anchor: Anchor,
    /// Its name for people: that of the directory's object where there is one.
    pub name: String,
    /// The metaverse object; absent for what nobody wants any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<i64>,
    /// The directory's object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Anchor>,
    /// The rule that decides.
    pub rule: String,
    /// Digest of what the cloud has, or nothing; the apply compares it with what is known then.
    pub base: String,
    /// All that it should have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", with = "spelled")]
    pub attributes: Attributes,
    /// What differs, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// Why.
    pub why: String,
}

/// What happens to an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum ExportAction {
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is deleted.
    Delete,
    /// It is there and should be so; shown where one object is explained.
    Unchanged,
    /// The cloud would refuse.
    Blocked {
        /// Why.
        reason: Reason,
    },
    /// It is there, nobody wants it, and it is not this sync's to delete.
    Drift,
    /// It would be made or deleted, but the rule sleeps.
    Dormant {
        /// What would happen.
        would: Would,
        /// Why it will not.
        cause: Cause,
    },
}

impl ObjectExport {
    /// Whether it is to be written.
    pub fn is_write(&self) -> bool {
        matches!(
            self.action,
            ExportAction::Create | ExportAction::Update | ExportAction::Delete
        )
    }

    /// Whether another plan says the same of the same object.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (&self.kind, &self.anchor, &self.action, &self.attributes)
            == (&other.kind, &other.anchor, &other.action, &other.attributes)
    }
}

/// Names a set of attributes. Nothing at all has the empty name.
pub(crate) fn digest(attributes: Option<&Attributes>) -> String {
    let Some(attributes) = attributes else {
        return String::new();
    };
    let mut hash = Sha256::new();
    for (name, values) in attributes.iter().filter(|(_, values)| !values.is_empty()) {
        hash.update(name.as_bytes());
        hash.update([0]);
        hash.update(build::base(values).as_bytes());
    }
    data_encoding::HEXLOWER.encode(&hash.finalize())
}

/// The attributes of an object of the cloud that a rule fills.
pub(crate) fn filled(rule: &Rule, attributes: &Attributes) -> Attributes {
    let filled = attributes
        .iter()
        .filter(|(name, _)| rule.flows.iter().any(|flow| flow.to == **name));
    filled
        .map(|(name, values)| (name.clone(), values.clone()))
        .collect()
}

/// What a metaverse object wants of the cloud; `None` where no rule concerns it.
pub(super) fn of_person(
    state: &State,
    rules: &RuleSet,
    person: &PersonRow,
    attributes: &Attributes,
    (directory, cloud): (Option<&ObjectRow>, Option<&ObjectRow>),
) -> Result<Option<ObjectExport>, Error> {
    let mut candidates: Vec<&Rule> = rules.outbound(Connector::Cloud, &person.kind).collect();
    // An enabled rule that has it in its scope decides; otherwise the first.
    candidates.sort_by_key(|rule| !(rule.enabled && rule.scope.admits(attributes).is_ok()));
    let Some(rule) = candidates.first() else {
        return Ok(None);
    };
    let present = match cloud {
        Some(object) => Some(filled(rule, &state.object_attributes(object.id)?)),
        None => None,
    };
    let name = directory.or(cloud).map(|object| object.name.clone());
    let mut export = ObjectExport {
        action: ExportAction::Unchanged,
        kind: rule.to.clone(),
        anchor: cloud.map_or_else(|| Anchor::new(""), |object| object.anchor.clone()),
        name: name.unwrap_or_else(|| format!("{} {}", person.kind, person.id)),
        person: Some(person.id),
        source: directory.map(|object| object.anchor.clone()),
        rule: rule.id.clone(),
        base: digest(present.as_ref()),
        attributes: Attributes::new(),
        changes: Vec::new(),
        why: format!("rule {}", rule.id),
    };
    if let Err(condition) = rule.scope.admits(attributes) {
        if cloud.is_none() {
            return Ok(None);
        }
        export.why = format!("out of scope: {condition} does not hold");
        export.action = ExportAction::Delete;
    } else {
        export.attributes = wanted(rules, rule, person, attributes);
        if cloud.is_none() {
            let anchor = rule.anchor.as_ref();
            let anchor = anchor.and_then(|name| export.attributes.get(name)?.first());
            let Some(anchor) = anchor else {
                return Ok(None);
            };
            export.anchor = Anchor::new(String::from_utf8_lossy(anchor));
        }
        compare(&mut export, present.as_ref());
    }
    if !rule.enabled && export.is_write() {
        let would = match export.action {
            ExportAction::Delete => Would::Remove,
            _ => Would::Add,
        };
        let cause = Cause::RuleDisabled {
            disabled: rule.id.clone(),
        };
        export.why = cause.to_string();
        export.action = ExportAction::Dormant { would, cause };
    }
    Ok(Some(export))
}

fn wanted(rules: &RuleSet, rule: &Rule, person: &PersonRow, attributes: &Attributes) -> Attributes {
    let syntax = |name: &str| rules.syntax(Space::Metaverse, &person.kind, name);
    let flows = rule.flows.iter().map(|flow| {
        let target = rules.syntax(Space::Cloud, &rule.to, &flow.to);
        let flowed = flow::run(flow, attributes, &syntax, target);
        (flow.to.clone(), flowed.values)
    });
    flows.filter(|(_, values)| !values.is_empty()).collect()
}

/// Properties that the cloud sets once: a plan can foresee that it will refuse.
const SET_ONCE: [&str; 3] = [
    "onPremisesSecurityIdentifier",
    "onPremisesSamAccountName",
    "domainSid",
];

fn compare(export: &mut ObjectExport, present: Option<&Attributes>) {
    let Some(present) = present else {
        export.action = ExportAction::Create;
        return;
    };
    let empty = Values::new();
    let mut names: Vec<&String> = export.attributes.keys().chain(present.keys()).collect();
    names.sort();
    names.dedup();
    let differs = |name: &&String| {
        export.attributes.get(*name).unwrap_or(&empty) != present.get(*name).unwrap_or(&empty)
    };
    let different: Vec<&String> = names.into_iter().filter(differs).collect();
    if different.is_empty() {
        return;
    }
    let words = |values: Option<&Values>| {
        let told: Vec<String> = values.into_iter().flatten().map(in_words).collect();
        if told.is_empty() {
            "nothing".to_owned()
        } else {
            told.join(", ")
        }
    };
    let changes = different.iter().map(|name| {
        let (old, new) = (present.get(*name), export.attributes.get(*name));
        format!("{name}: {} -> {}", words(old), words(new))
    });
    let changes: Vec<String> = changes.collect();
    let is_set = |name: &&String| SET_ONCE.contains(&name.as_str()) && present.contains_key(*name);
    export.action = match different.iter().any(is_set) {
        true => ExportAction::Blocked {
            reason: Reason::Immutable,
        },
        false => ExportAction::Update,
    };
    if let ExportAction::Blocked { reason } = export.action {
        export.why = reason.to_string();
    }
    export.changes = changes;
}

fn in_words(value: &Value) -> String {
    match std::str::from_utf8(value) {
        Ok(text) if !text.chars().any(char::is_control) => text.to_owned(),
        _ => About::of(value).label,
    }
}

/// Objects of the cloud that nobody wants any more.
pub(super) fn of_nobody(
    state: &State,
    rules: &RuleSet,
    domain: Option<&Sid>,
) -> Result<Vec<ObjectExport>, Error> {
    let mut exports = Vec::new();
    let mut kinds = std::collections::BTreeSet::new();
    for rule in rules.exports() {
        if !kinds.insert(rule.to.as_str()) {
            continue;
        }
        for object in state.lonely_objects(&rule.to)? {
            let present = filled(rule, &state.object_attributes(object.id)?);
            let is_ours =
                state.has_exported(&object.kind, &object.anchor)? || is_of(&present, domain);
            let (action, why) = match (is_ours, rule.enabled) {
                (false, _) => (
                    ExportAction::Drift,
                    "it is of another domain, and not of this sync".to_owned(),
                ),
                (true, true) => (
                    ExportAction::Delete,
                    "the directory has it no longer, or no rule wants it".to_owned(),
                ),
                (true, false) => {
                    let cause = Cause::RuleDisabled {
                        disabled: rule.id.clone(),
                    };
                    let why = cause.to_string();
                    let would = Would::Remove;
                    (ExportAction::Dormant { would, cause }, why)
                }
            };
            let source = object.anchor.as_str().parse::<Guid>().ok();
            exports.push(ObjectExport {
                action,
                kind: object.kind,
                name: object.name,
                person: None,
                source: source.map(|_| object.anchor.clone()),
                anchor: object.anchor,
                rule: rule.id.clone(),
                base: digest(Some(&present)),
                attributes: Attributes::new(),
                changes: Vec::new(),
                why,
            });
        }
    }
    Ok(exports)
}

/// Whether an object says that it is of this domain.
fn is_of(attributes: &Attributes, domain: Option<&Sid>) -> bool {
    let sid = |name: &str| {
        let value = attributes.get(name)?.first()?;
        std::str::from_utf8(value).ok()?.parse::<Sid>().ok()
    };
    let own = sid("onPremisesSecurityIdentifier").and_then(|sid| sid.domain());
    let own = own.or_else(|| sid("domainSid"));
    own.is_some() && own.as_ref() == domain
}

/// Attributes in JSON: text where it is text, octets in base64.
mod spelled {
    use std::collections::BTreeMap;

    use data_encoding::BASE64;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::connector::{Attributes, Value};

    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Spelled {
        Text(String),
        Base64(String),
    }

    pub(super) fn serialize<S: Serializer>(all: &Attributes, to: S) -> Result<S::Ok, S::Error> {
        let spell = |value: &Value| match String::from_utf8(value.clone()) {
            Ok(text) => Spelled::Text(text),
            Err(_) => Spelled::Base64(BASE64.encode(value)),
        };
        let all: BTreeMap<&String, Vec<Spelled>> = all
            .iter()
            .map(|(name, values)| (name, values.iter().map(spell).collect()))
            .collect();
        all.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Attributes, D::Error> {
        let read: BTreeMap<String, Vec<Spelled>> = BTreeMap::deserialize(from)?;
        let mut all = Attributes::new();
        for (name, values) in read {
            for value in values {
                let value = match value {
                    Spelled::Text(text) => text.into_bytes(),
                    Spelled::Base64(text) => BASE64
                        .decode(text.as_bytes())
                        .map_err(serde::de::Error::custom)?,
                };
                all.entry(name.clone()).or_default().insert(value);
            }
        }
        Ok(all)
    }
}
