//! Explaining one person: what each side shows, which rule carried which value, and what the plan makes of it.

use events::Receipt;
use serde::Serialize;
use types::{Guid, Sid};

use crate::Error;
use crate::connector::{Anchor, Connector, Value};
use crate::keys::About;
use crate::mend::Reason;
use crate::plan::{ObjectExport, ObjectPlan, Preflight, person_plans, why_waiting};
use crate::rules::RuleSet;
use crate::schema::{Space, Syntax};
use crate::store::{AttemptRow, ObjectRow, State};

/// Everything that is known of one person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The person's number in the metaverse; `None` for an object that found nobody.
    pub person: Option<i64>,
    /// The connected objects.
    pub objects: Vec<ExplainedObject>,
    /// The person's values, and where each came from.
    pub values: Vec<Lineage>,
    /// What the rules make of them, value by value.
    pub plan: Vec<ObjectPlan>,
    /// What becomes of its object in the cloud, where rules carry it there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exports: Vec<ObjectExport>,
    /// Why the last cycle did not write it, where the directory would have refused.
    pub blocked: Option<Reason>,
    /// Writes that failed.
    pub failures: Vec<AttemptRow>,
    /// What this sync wrote there.
    pub receipts: Vec<Receipt>,
}

/// One connected object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExplainedObject {
    /// Which system.
    pub connector: Connector,
    /// Its lasting name.
    pub anchor: Anchor,
    /// Its name for people.
    pub name: String,
    /// Attribute and value, in words.
    pub values: Vec<(String, String)>,
    /// Why it is not joined, if it is not.
    pub waiting: Option<String>,
}

/// One value of the metaverse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lineage {
    /// The attribute.
    pub attribute: String,
    /// The value, in words.
    pub value: String,
    /// The rule that carried it.
    pub rule: String,
    /// The object that it came from.
    pub from: String,
}

/// Explains whoever has this name: a distinguished name, account name, principal name, GUID, SID or source anchor.
pub fn explain(state: &State, rules: &RuleSet, who: &str) -> Result<Explanation, Error> {
    let found = state.find_objects(&spellings(who), who)?;
    let first = found
        .first()
        .ok_or_else(|| Error::UnknownObject(who.to_owned()))?;
    let person = found.iter().find_map(|object| object.person);
    let objects = match person {
        Some(person) => state.objects_of(person)?,
        None => vec![first.clone()],
    };
    let mut explanation = Explanation {
        person,
        objects: Vec::new(),
        values: Vec::new(),
        plan: Vec::new(),
        exports: Vec::new(),
        blocked: None,
        failures: Vec::new(),
        receipts: Vec::new(),
    };
    for object in &objects {
        explanation.objects.push(explained(state, rules, object)?);
    }
    if let Some(row) = person.map(|id| state.person(id)).transpose()?.flatten() {
        for one in state.contributions(row.id)? {
            let syntax = rules.syntax(Space::Metaverse, &row.kind, &one.attribute);
            let from = objects.iter().find(|object| object.id == one.object);
            explanation.values.push(Lineage {
                value: in_words(&one.attribute, syntax, &one.value),
                attribute: one.attribute,
                rule: one.rule,
                from: from.map_or_else(String::new, |o| format!("{} {}", o.connector, o.name)),
            });
        }
        (explanation.plan, explanation.exports) =
            person_plans(state, rules, &Preflight::default(), &row)?;
    }
    if let Some(object) = objects
        .iter()
        .find(|object| object.connector == Connector::Ad)
    {
        let report = state.last_report()?;
        let planned = report.iter().flat_map(|report| &report.plan.objects);
        let mut same = planned.filter(|plan| plan.anchor.as_ref() == Some(&object.anchor));
        explanation.blocked = same.find_map(ObjectPlan::blocked);
        explanation.failures = state
            .failures()?
            .into_iter()
            .filter(|f| f.anchor == object.anchor)
            .collect();
        explanation.receipts = receipts_of(state, &object.anchor)?;
    }
    Ok(explanation)
}

fn explained(state: &State, rules: &RuleSet, object: &ObjectRow) -> Result<ExplainedObject, Error> {
    let space = Space::from(object.connector);
    let mut values = Vec::new();
    for (attribute, all) in state.object_attributes(object.id)? {
        let syntax = rules.syntax(space, &object.kind, &attribute);
        values.extend(
            all.iter()
                .map(|value| (attribute.clone(), in_words(&attribute, syntax, value))),
        );
    }
    let waiting = object
        .person
        .is_none()
        .then(|| why_waiting(state, rules, object))
        .transpose()?;
    Ok(ExplainedObject {
        connector: object.connector,
        anchor: object.anchor.clone(),
        name: object.name.clone(),
        values,
        waiting,
    })
}

fn receipts_of(state: &State, anchor: &Anchor) -> Result<Vec<Receipt>, Error> {
    let Ok(guid) = anchor.as_str().parse::<Guid>() else {
        return Ok(Vec::new());
    };
    let all = state.receipts(0, u32::MAX)?;
    Ok(all
        .into_iter()
        .filter(|receipt| receipt.object_guid == guid)
        .collect())
}

/// The octets by which a name could be stored.
fn spellings(who: &str) -> Vec<Value> {
    let mut spellings = vec![who.as_bytes().to_vec()];
    spellings.extend(who.parse::<Sid>().ok().map(|sid| sid.to_bytes()));
    spellings.extend(
        who.parse::<Guid>()
            .ok()
            .map(|guid| guid.to_bytes_le().to_vec()),
    );
    // DOMAIN\name is how people write an account name.
    spellings.extend(
        who.split_once('\\')
            .map(|(_, name)| name.as_bytes().to_vec()),
    );
    spellings
}

fn in_words(attribute: &str, syntax: Syntax, value: &Value) -> String {
    match syntax {
        Syntax::KeyCredential => {
            let about = About::of(value);
            let source = about
                .source
                .map_or_else(String::new, |source| format!(", source {source}"));
            format!("{}{source}", about.label)
        }
        Syntax::Binary if attribute.ends_with("Sid") => Sid::from_bytes(value).map_or_else(
            |_| data_encoding::HEXLOWER.encode(value),
            |sid| sid.to_string(),
        ),
        Syntax::Binary if attribute.to_lowercase().ends_with("guid") => {
            <[u8; 16]>::try_from(value.as_slice()).map_or_else(
                |_| data_encoding::HEXLOWER.encode(value),
                |b| Guid::from_bytes_le(b).to_string(),
            )
        }
        Syntax::Binary => data_encoding::HEXLOWER.encode(value),
        Syntax::Text | Syntax::Boolean | Syntax::Integer => {
            String::from_utf8_lossy(value).into_owned()
        }
    }
}
