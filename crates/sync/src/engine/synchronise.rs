//! Joining and flowing inwards: from the connector spaces to the metaverse.
//!
//! Only what changed is looked at; with other rules than last time, everything. The result does not depend on the
//! order in which changes came: an object that finds nobody waits, and is looked at again when a person gets a value
//! that it could join by.

use std::collections::BTreeSet;

use crate::Error;
use crate::connector::{Attributes, Connector};
use crate::flow;
use crate::report::SyncCount;
use crate::rules::{Flow, JoinCondition, Link, Merge, Rule, RuleSet};
use crate::schema::Space;
use crate::store::{Contribution, ObjectRow, PersonRow, RefusalRow, Side, State};

/// Objects in one transaction.
const CHUNK: i64 = 10_000;

/// Brings the metaverse up to date.
pub(crate) fn synchronise(state: &State, rules: &RuleSet) -> Result<SyncCount, Error> {
    let mut worker = Worker {
        state,
        rules,
        count: SyncCount::default(),
    };
    worker.note_rules()?;
    state.expect_much(worker.count.full)?;
    let ended = worker.run();
    state.expect_much(false)?;
    ended.map(|()| worker.count)
}

struct Worker<'a> {
    state: &'a State,
    rules: &'a RuleSet,
    count: SyncCount,
}

impl Worker<'_> {
    /// Round and round, until nobody is dirty: a person's new value may wake an object that waited for it.
    fn run(&mut self) -> Result<(), Error> {
        loop {
            let directory = self.objects(Connector::Ad)?;
            let persons = self.persons()?;
            let cloud = self.objects(Connector::Cloud)?;
            let again = self.persons()?;
            if !(directory || persons || cloud || again) {
                return Ok(());
            }
        }
    }

    fn note_rules(&mut self) -> Result<(), Error> {
        if self.state.meta("rules")?.as_deref() == Some(self.rules.fingerprint()) {
            return Ok(());
        }
        let transaction = self.state.begin()?;
        self.state.mark_everything_dirty()?;
        self.state.set_meta("rules", self.rules.fingerprint())?;
        transaction.commit()?;
        self.count.full = true;
        Ok(())
    }

    /// Looks at the dirty objects of one connected system; tells whether there were any.
    fn objects(&mut self, connector: Connector) -> Result<bool, Error> {
        let mut after = 0;
        let mut any = false;
        loop {
            let transaction = self.state.begin()?;
            let chunk = self.state.dirty_objects(connector, after, CHUNK)?;
            let Some(last) = chunk.last() else {
                return Ok(any);
            };
            after = last.id;
            any = true;
            for object in &chunk {
                self.object(object)?;
            }
            transaction.commit()?;
        }
    }

    fn object(&mut self, object: &ObjectRow) -> Result<(), Error> {
        self.count.objects = self.count.objects.saturating_add(1);
        let attributes = self.state.object_attributes(object.id)?;
        let names = self.rules.join_attributes(object.connector);
        let found = names.into_iter().flat_map(|name| {
            let values = attributes.get(name).into_iter().flatten();
            values.map(move |value| (name, value))
        });
        let indexed: Vec<_> = found.collect();
        self.state
            .set_join_values(Side::Object, object.id, &indexed)?;
        if let Some(person) = object.person {
            self.state.mark_person_dirty(person)?;
            return self.state.set_clean(object.id, false);
        }
        let found = find(self.state, self.rules, object, &attributes)?;
        let person = match &found {
            Found::Person(person) => {
                self.count.joined = self.count.joined.saturating_add(1);
                Some(*person)
            }
            Found::Nobody {
                provision: Some(kind),
            } => {
                self.count.provisioned = self.count.provisioned.saturating_add(1);
                Some(self.state.add_person(kind)?)
            }
            Found::Nobody { provision: None }
            | Found::Several(_)
            | Found::Taken(_)
            | Found::NoRule => None,
        };
        if let Some(person) = person {
            self.state.set_person(object.id, Some(person))?;
            self.state.mark_person_dirty(person)?;
            return self.state.set_clean(object.id, false);
        }
        let waits =
            !matches!(found, Found::NoRule) && self.has_something_to_give(object, &attributes);
        self.state.set_clean(object.id, waits)
    }

    /// Whether a rule that rides on the join would carry anything.
    fn has_something_to_give(&self, object: &ObjectRow, attributes: &Attributes) -> bool {
        let mut rules = self
            .rules
            .inbound(object.connector, &object.kind)
            .filter(|rule| rule.join.is_empty());
        rules.any(|rule| {
            let mut reads = rule.flows.iter().flat_map(|flow| flow.transform.reads());
            reads.any(|name| attributes.contains_key(name))
        })
    }

    /// Computes dirty persons; tells whether there were any.
    fn persons(&mut self) -> Result<bool, Error> {
        let mut any = false;
        loop {
            let transaction = self.state.begin()?;
            let chunk = self.state.dirty_persons(CHUNK)?;
            if chunk.is_empty() {
                return Ok(any);
            }
            any = true;
            for person in &chunk {
                self.person(person)?;
            }
            transaction.commit()?;
        }
    }

    fn person(&mut self, person: &PersonRow) -> Result<(), Error> {
        let mut objects = Vec::new();
        for row in self.state.objects_of(person.id)? {
            let attributes = self.state.object_attributes(row.id)?;
            objects.push((row, attributes));
        }
        let lives = objects.iter().any(|(row, attributes)| {
            let mut rules = self.rules.inbound(row.connector, &row.kind);
            rules.any(|rule| {
                rule.enabled
                    && rule.link == Link::Provision
                    && rule.to == person.kind
                    && rule.scope.admits(attributes).is_ok()
            })
        });
        if !lives {
            return self.state.remove_person(person.id);
        }
        let (contributions, refusals) = contributions(self.rules, &person.kind, &objects);
        self.state.set_person_clean(person.id)?;
        let known_refusals = self.state.refusals(person.id)?;
        if known_refusals != refusals {
            self.state.set_refusals(person.id, &refusals)?;
        }
        let known = self.state.contributions(person.id)?;
        if known != contributions {
            self.count.changed = self.count.changed.saturating_add(1);
            self.state
                .set_contributions(person.id, &known, &contributions)?;
        }
        self.index(person.id, &contributions)
    }

    /// Notes what joins look up, and wakes objects that wait for it.
    fn index(&self, person: i64, contributions: &[Contribution]) -> Result<(), Error> {
        let wanted = self.rules.metaverse_join_attributes();
        let indexed = contributions
            .iter()
            .filter(|one| wanted.contains(one.attribute.as_str()));
        let indexed: Vec<_> = indexed
            .map(|one| (one.attribute.as_str(), &one.value))
            .collect();
        for (attribute, value) in self.state.set_join_values(Side::Person, person, &indexed)? {
            for name in self.connected_names(attribute) {
                for id in self.state.look_up(Side::Object, name, value)? {
                    let object = self.state.object_by_id(id)?;
                    if object.is_some_and(|object| object.person.is_none()) {
                        self.state.mark_dirty(id)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The attributes of connected objects that a join compares with one of the metaverse.
    fn connected_names(&self, metaverse: &str) -> BTreeSet<&str> {
        let conditions = self
            .rules
            .rules()
            .iter()
            .flat_map(|rule| rule.join.iter().flatten());
        conditions
            .filter(|c| c.metaverse == metaverse)
            .map(|c| c.connected.as_str())
            .collect()
    }
}

/// What came of looking for an object's person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// Exactly one.
    Person(i64),
    /// None; a rule may make one of this kind.
    Nobody { provision: Option<String> },
    /// More than one: precedence does not settle that, a human must.
    Several(String),
    /// One, but another object of the same connected system is joined to it.
    Taken(i64),
    /// No rule with a join has the object in its scope.
    NoRule,
}

/// Looks for an object's person: the rules in order, their groups in order, exactly one match wins.
pub(crate) fn find(
    state: &State,
    rules: &RuleSet,
    object: &ObjectRow,
    attributes: &Attributes,
) -> Result<Found, Error> {
    let mut best = Found::NoRule;
    let joining = |rule: &&Rule| {
        rule.enabled && !rule.join.is_empty() && rule.scope.admits(attributes).is_ok()
    };
    for rule in rules
        .inbound(object.connector, &object.kind)
        .filter(joining)
    {
        for group in &rule.join {
            let persons = matches(state, group, attributes)?;
            let mut persons = persons.into_iter();
            match (persons.next(), persons.next()) {
                (None, _) => {}
                (Some(person), None) => {
                    let others = state.objects_of(person)?;
                    let taken = others
                        .iter()
                        .any(|o| o.connector == object.connector && o.id != object.id);
                    return Ok(if taken {
                        Found::Taken(person)
                    } else {
                        Found::Person(person)
                    });
                }
                (Some(_), Some(_)) => return Ok(Found::Several(spell(group))),
            }
        }
        let provision = (rule.link == Link::Provision).then(|| rule.to.clone());
        if provision.is_some() {
            return Ok(Found::Nobody { provision });
        }
        best = Found::Nobody { provision: None };
    }
    Ok(best)
}

/// The persons for whom every condition of a group holds.
fn matches(
    state: &State,
    group: &[JoinCondition],
    attributes: &Attributes,
) -> Result<BTreeSet<i64>, Error> {
    let mut found: Option<BTreeSet<i64>> = None;
    for condition in group {
        let mut here = BTreeSet::new();
        for value in attributes.get(&condition.connected).into_iter().flatten() {
            here.extend(state.look_up(Side::Person, &condition.metaverse, value)?);
        }
        found = Some(match found {
            None => here,
            Some(before) => before.intersection(&here).copied().collect(),
        });
    }
    Ok(found.unwrap_or_default())
}

pub(crate) fn spell(group: &[JoinCondition]) -> String {
    let spelled: Vec<String> = group
        .iter()
        .map(|c| format!("{} = {}", c.connected, c.metaverse))
        .collect();
    spelled.join(" and ")
}

/// What flows into a person of this kind from its objects.
///
/// An attribute that only disabled rules fill is computed from those, so that the plan can say what it would do; the
/// plan sees that the rule is disabled and lets nothing flow on.
fn contributions(
    rules: &RuleSet,
    kind: &str,
    objects: &[(ObjectRow, Attributes)],
) -> (Vec<Contribution>, Vec<RefusalRow>) {
    let filled: BTreeSet<&str> = enabled_targets(rules, kind);
    let mut candidates: Vec<(&Rule, &Flow, &ObjectRow, &Attributes)> = Vec::new();
    for (row, attributes) in objects {
        for rule in rules.inbound(row.connector, &row.kind) {
            if rule.to != kind || rule.scope.admits(attributes).is_err() {
                continue;
            }
            let flows = rule
                .flows
                .iter()
                .filter(|f| rule.enabled || !filled.contains(f.to.as_str()));
            candidates.extend(flows.map(|flow| (rule, flow, row, attributes)));
        }
    }
    candidates.sort_by_key(|(rule, flow, row, _)| (&flow.to, rule.precedence, &rule.id, row.id));
    let (mut all, mut refusals) = (Vec::new(), Vec::new());
    let mut decided: Option<(&str, Merge)> = None;
    for (rule, flow, row, attributes) in candidates {
        if let Some((attribute, merge)) = decided
            && attribute == flow.to
            && (merge == Merge::Update || flow.merge == Merge::Update)
        {
            continue;
        }
        let syntax = |name: &str| rules.syntax(row.connector.into(), &row.kind, name);
        let target = rules.syntax(Space::Metaverse, kind, &flow.to);
        let flowed = flow::run(flow, attributes, &syntax, target);
        if !flowed.values.is_empty() {
            decided = Some((&flow.to, flow.merge));
        }
        all.extend(flowed.values.into_iter().map(|value| Contribution {
            attribute: flow.to.clone(),
            value,
            rule: rule.id.clone(),
            object: row.id,
        }));
        refusals.extend(flowed.refused.into_iter().map(|(value, why)| RefusalRow {
            object: row.id,
            rule: rule.id.clone(),
            attribute: flow.to.clone(),
            value,
            why,
        }));
    }
    // Two rules that merge may give the same value: the first keeps it, as in the table.
    all.sort_by(|a, b| (&a.attribute, &a.value).cmp(&(&b.attribute, &b.value)));
    all.dedup_by(|b, a| a.attribute == b.attribute && a.value == b.value);
    all.sort();
    refusals.sort();
    refusals
        .dedup_by(|b, a| (&a.attribute, &a.value, &a.rule) == (&b.attribute, &b.value, &b.rule));
    (all, refusals)
}

/// Attributes of the metaverse that an enabled inbound rule fills.
pub(crate) fn enabled_targets<'a>(rules: &'a RuleSet, kind: &str) -> BTreeSet<&'a str> {
    let inbound = rules.rules().iter().filter(|rule| {
        rule.enabled && rule.direction == crate::rules::Direction::Inbound && rule.to == kind
    });
    inbound
        .flat_map(|rule| rule.flows.iter().map(|flow| flow.to.as_str()))
        .collect()
}
