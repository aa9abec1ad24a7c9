//! Making the plan: reads the state, decides value by value, writes nothing.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};
use types::Timestamp;

use super::decide::{Decision, Person};
use super::exports::{self, ExportAction, ObjectExport};
use super::{
    Action, Cause, Coverage, GuardStop, ObjectPlan, PLAN_VERSION, Plan, Preflight, SleepingRule,
    Summary, Waiting,
};
use crate::Error;
use crate::connector::{Connector, Values};
use crate::engine::synchronise::{Found, enabled_targets, find, spell};
use crate::flow;
use crate::mend::{Mend, Reason};
use crate::rules::{Direction, Flow, Rule, RuleSet};
use crate::schema::Space;
use crate::store::{ObjectRow, PersonRow, State};

/// Persons read at a time.
const CHUNK: i64 = 1000;

/// Makes the plan. The same state, rules and answers always give the same plan.
pub fn make(
    state: &State,
    rules: &RuleSet,
    preflight: &Preflight,
    coverage: Coverage,
    now: Timestamp,
) -> Result<Plan, Error> {
    make_and_settle(state, rules, preflight, coverage, now).map(|(plan, _)| plan)
}

/// Also tells which of the persons that were looked at are in order.
pub(crate) fn make_and_settle(
    state: &State,
    rules: &RuleSet,
    preflight: &Preflight,
    coverage: Coverage,
    now: Timestamp,
) -> Result<(Plan, Vec<i64>), Error> {
    let mut maker = Maker::new(state, rules, preflight);
    let mut after = 0;
    loop {
        let chunk = state.persons(coverage == Coverage::Pending, after, CHUNK)?;
        let Some(last) = chunk.last() else { break };
        after = last.id;
        for person in &chunk {
            maker.person(person)?;
        }
    }
    maker.nobody()?;
    let settled = std::mem::take(&mut maker.settled);
    Ok((maker.finish(coverage, now)?, settled))
}

/// The part of a plan that concerns one person; for `sync explain`.
pub(crate) fn person_plans(
    state: &State,
    rules: &RuleSet,
    preflight: &Preflight,
    person: &PersonRow,
) -> Result<(Vec<ObjectPlan>, Vec<ObjectExport>), Error> {
    let mut maker = Maker::new(state, rules, preflight);
    maker.keep_all = true;
    maker.person(person)?;
    Ok((maker.objects, maker.exports))
}

/// What the rules make today of the persons of a saved plan, with the guards' opinion of it.
///
/// A plan file passes through hands and editors. What it says is only believed where this says the same.
pub(crate) fn make_again(
    state: &State,
    rules: &RuleSet,
    preflight: &Preflight,
    saved: &Plan,
    now: Timestamp,
) -> Result<Plan, Error> {
    let exported = saved.exports.iter().filter_map(|export| export.person);
    let persons = saved.objects.iter().map(|object| object.person);
    let persons: BTreeSet<i64> = persons.chain(exported).collect();
    let mut maker = Maker::new(state, rules, preflight);
    for id in persons {
        if let Some(person) = state.person(id)? {
            maker.person(&person)?;
        }
    }
    if !saved.exports.is_empty() {
        maker.nobody()?;
    }
    maker.finish(saved.coverage, now)
}

/// Names a set of values, so that a later look can tell whether it is still the same.
pub(crate) fn base(values: &Values) -> String {
    let mut hash = Sha256::new();
    for value in values {
        hash.update(u64::try_from(value.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(value);
    }
    let mut text = data_encoding::HEXLOWER.encode(&hash.finalize());
    text.truncate(16);
    text
}

struct Maker<'a> {
    state: &'a State,
    rules: &'a RuleSet,
    preflight: &'a Preflight,
    /// Outbound flows by kind of person and attribute filled, best precedence first.
    flows: BTreeMap<(&'a str, &'a str), Vec<(&'a Rule, &'a Flow)>>,
    /// Metaverse attributes, by kind, that only a disabled rule fills, and that rule.
    disabled: BTreeMap<(&'a str, &'a str), &'a str>,
    objects: Vec<ObjectPlan>,
    exports: Vec<ObjectExport>,
    settled: Vec<i64>,
    persons: u64,
    keep_all: bool,
}

impl<'a> Maker<'a> {
    fn new(state: &'a State, rules: &'a RuleSet, preflight: &'a Preflight) -> Self {
        let mut flows: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for rule in rules
            .rules()
            .iter()
            .filter(|rule| rule.direction == Direction::Outbound && rule.connector == Connector::Ad)
        {
            for flow in &rule.flows {
                flows
                    .entry((rule.from.as_str(), flow.to.as_str()))
                    .or_default()
                    .push((rule, flow));
            }
        }
        Self {
            state,
            rules,
            preflight,
            flows,
            disabled: disabled_targets(rules),
            objects: Vec::new(),
            exports: Vec::new(),
            settled: Vec::new(),
            persons: 0,
            keep_all: false,
        }
    }

    fn person(&mut self, row: &PersonRow) -> Result<(), Error> {
        self.persons = self.persons.saturating_add(1);
        let contributions = self.state.contributions(row.id)?;
        let mut person = Person {
            row,
            attributes: State::person_attributes(&contributions),
            contributions,
            refusals: self.state.refusals(row.id)?,
            directory: None,
            cloud: None,
        };
        for object in self.state.objects_of(row.id)? {
            match object.connector {
                Connector::Ad => person.directory = Some(object),
                Connector::Cloud => person.cloud = Some(object),
            }
        }
        let mut in_order = true;
        let flows: Vec<Vec<(&Rule, &Flow)>> = self
            .flows
            .range((row.kind.as_str(), "")..)
            .take_while(|((kind, _), _)| *kind == row.kind)
            .map(|(_, flows)| flows.clone())
            .collect();
        for candidates in flows {
            let Some(object) = self.attribute(&person, &candidates)? else {
                continue;
            };
            let tells = object
                .items
                .iter()
                .any(|item| item.action != Action::Unchanged);
            in_order &= !tells;
            if tells || self.keep_all {
                self.objects.push(object);
            }
        }
        let sides = (person.directory.as_ref(), person.cloud.as_ref());
        let export = exports::of_person(self.state, self.rules, row, &person.attributes, sides)?;
        if let Some(export) = export {
            let tells = export.action != ExportAction::Unchanged;
            in_order &= !tells;
            if tells || self.keep_all {
                self.exports.push(export);
            }
        }
        if in_order {
            self.settled.push(row.id);
        }
        Ok(())
    }

    /// What the cloud has and nobody wants.
    fn nobody(&mut self) -> Result<(), Error> {
        let domain = self.preflight.account.sid.as_ref();
        let domain = domain.and_then(types::Sid::domain);
        let exports = exports::of_nobody(self.state, self.rules, domain.as_ref())?;
        self.exports.extend(exports);
        Ok(())
    }

    /// Why a flow sleeps for this person.
    fn cause(&self, rule: &Rule, flow: &Flow, person: &Person<'_>) -> Option<Cause> {
        if !rule.enabled {
            return Some(Cause::RuleDisabled {
                disabled: rule.id.clone(),
            });
        }
        if let Some(disabled) = self.disabled_source(flow, &person.row.kind) {
            return Some(Cause::RuleDisabled { disabled });
        }
        let needed = rule.requires_schema.iter().chain([&flow.to]);
        if let Some(lacks) = self.preflight.lacks(needed) {
            return Some(Cause::SchemaLacks {
                lacks: lacks.clone(),
            });
        }
        if let Err(condition) = rule.scope.admits(&person.attributes) {
            return Some(Cause::OutOfScope {
                condition: condition.to_string(),
            });
        }
        person.directory.is_none().then_some(Cause::NotJoined)
    }

    /// The disabled inbound rule that alone would fill an attribute that the flow reads.
    fn disabled_source(&self, flow: &Flow, kind: &str) -> Option<String> {
        let reads = flow.transform.reads();
        let mut sources = self.disabled.iter().filter(|((to, _), _)| *to == kind);
        let source = sources.find(|((_, attribute), _)| reads.contains(attribute));
        source.map(|(_, rule)| (*rule).to_owned())
    }

    fn attribute(
        &self,
        person: &Person<'_>,
        candidates: &[(&Rule, &Flow)],
    ) -> Result<Option<ObjectPlan>, Error> {
        let causes = candidates
            .iter()
            .map(|(rule, flow)| (*rule, *flow, self.cause(rule, flow, person)));
        let mut causes: Vec<_> = causes.collect();
        let awake = causes
            .iter()
            .position(|(_, _, cause)| cause.is_none())
            .unwrap_or(0);
        let Some((rule, flow, cause)) = (awake < causes.len()).then(|| causes.swap_remove(awake))
        else {
            return Ok(None);
        };
        let syntax = |name: &str| self.rules.syntax(Space::Metaverse, &person.row.kind, name);
        let target = self.rules.syntax(rule.target_space(), &rule.to, &flow.to);
        let flowed = flow::run(flow, &person.attributes, &syntax, target);
        let present = match &person.directory {
            Some(object) => self.state.object_values(object.id, &flow.to)?,
            None => Values::new(),
        };
        let items = Decision {
            state: self.state,
            preflight: self.preflight,
            person,
            rule,
            flow,
            cause,
            syntax: target,
        }
        .items(&flowed, &present)?;
        if items.is_empty() {
            return Ok(None);
        }
        let upn = person
            .attributes
            .get("userPrincipalName")
            .and_then(|values| values.first());
        let name = match &person.directory {
            Some(object) => object.name.clone(),
            None => upn.map_or_else(
                || format!("person {}", person.row.id),
                |v| String::from_utf8_lossy(v).into_owned(),
            ),
        };
        Ok(Some(ObjectPlan {
            anchor: person
                .directory
                .as_ref()
                .map(|object| object.anchor.clone()),
            name,
            person: person.row.id,
            cloud_object: person.cloud.as_ref().map(|object| object.anchor.clone()),
            attribute: flow.to.clone(),
            rule: rule.id.clone(),
            base: base(&present),
            items,
        }))
    }

    fn finish(self, coverage: Coverage, now: Timestamp) -> Result<Plan, Error> {
        let mut plan = Plan {
            version: PLAN_VERSION,
            made_at: now,
            rules: self.rules.fingerprint().to_owned(),
            coverage,
            target: self.preflight.account.url.clone(),
            sleeping: self.sleeping(),
            waiting: self.waiting()?,
            objects: self.objects,
            exports: self.exports,
            stopped: Vec::new(),
            mends: Vec::new(),
            summary: Summary {
                persons: self.persons,
                ..Summary::default()
            },
        };
        plan.objects
            .sort_by_cached_key(|o| (o.name.to_lowercase(), o.anchor.clone(), o.attribute.clone()));
        plan.exports
            .sort_by_cached_key(|e| (e.kind.clone(), e.name.to_lowercase(), e.anchor.clone()));
        plan.sum();
        plan.mends = mends(&plan, self.preflight);
        if !self.preflight.accept_deletes {
            plan.stopped = stops(self.state, self.rules, &plan)?;
        }
        Ok(plan)
    }

    fn sleeping(&self) -> Vec<SleepingRule> {
        let causes = self.rules.rules().iter().filter_map(|rule| {
            let outbound = rule.direction == Direction::Outbound && rule.connector == Connector::Ad;
            let needed = rule
                .requires_schema
                .iter()
                .chain(rule.flows.iter().map(|flow| &flow.to));
            let cause = if !rule.enabled {
                Cause::RuleDisabled {
                    disabled: rule.id.clone(),
                }
            } else {
                let lacks = outbound.then(|| self.preflight.lacks(needed)).flatten()?;
                Cause::SchemaLacks {
                    lacks: lacks.clone(),
                }
            };
            Some(SleepingRule {
                rule: rule.id.clone(),
                cause,
            })
        });
        causes.collect()
    }

    fn waiting(&self) -> Result<Vec<Waiting>, Error> {
        let mut waiting = Vec::new();
        for object in self.state.waiting_objects()? {
            let why = why_waiting(self.state, self.rules, &object)?;
            waiting.push(Waiting {
                anchor: object.anchor,
                name: object.name,
                why,
            });
        }
        Ok(waiting)
    }
}

/// Metaverse attributes, by kind, that only disabled rules fill, with the first of them.
fn disabled_targets(rules: &RuleSet) -> BTreeMap<(&str, &str), &str> {
    let mut disabled = BTreeMap::new();
    let sleeping = |rule: &&Rule| rule.direction == Direction::Inbound && !rule.enabled;
    for rule in rules.rules().iter().filter(sleeping) {
        let filled = enabled_targets(rules, &rule.to);
        for flow in rule
            .flows
            .iter()
            .filter(|flow| !filled.contains(flow.to.as_str()))
        {
            disabled
                .entry((rule.to.as_str(), flow.to.as_str()))
                .or_insert(rule.id.as_str());
        }
    }
    disabled
}

/// Why an object found nobody.
pub(crate) fn why_waiting(
    state: &State,
    rules: &RuleSet,
    object: &ObjectRow,
) -> Result<String, Error> {
    let attributes = state.object_attributes(object.id)?;
    Ok(match find(state, rules, object, &attributes)? {
        Found::Several(group) => format!("more than one person matches {group}"),
        Found::Taken(person) => format!(
            "person {person} is already joined to another {} object",
            object.connector
        ),
        Found::NoRule => "no rule with a join has it in its scope".to_owned(),
        Found::Person(_) => "it is joined with the next cycle".to_owned(),
        Found::Nobody { .. } => {
            let joins = rules
                .inbound(object.connector, &object.kind)
                .flat_map(|rule| rule.join.iter());
            let groups: Vec<String> = joins.map(|group| spell(group)).collect();
            format!("not joined: no person matches {}", groups.join(" or "))
        }
    })
}

/// How what is blocked can be mended, once for each reason and attribute.
fn mends(plan: &Plan, preflight: &Preflight) -> Vec<Mend> {
    let mut reasons: BTreeSet<(Reason, &str)> = plan
        .objects
        .iter()
        .filter_map(|o| Some((o.blocked()?, o.attribute.as_str())))
        .collect();
    for export in &plan.exports {
        if let ExportAction::Blocked { reason } = export.action {
            reasons.insert((reason, &export.kind));
        }
    }
    for sleeping in &plan.sleeping {
        if let Cause::SchemaLacks { lacks } = &sleeping.cause {
            reasons.insert((Reason::SchemaTooOld, lacks));
        }
    }
    reasons
        .into_iter()
        .filter_map(|(reason, attribute)| Mend::of(reason, attribute, &preflight.account))
        .collect()
}

fn stops(state: &State, rules: &RuleSet, plan: &Plan) -> Result<Vec<GuardStop>, Error> {
    let mut deletes: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for object in &plan.objects {
        let here = u64::try_from(object.values(&Action::Remove).count()).unwrap_or(u64::MAX);
        let sum = deletes
            .entry((&object.rule, &object.attribute))
            .or_default();
        *sum = sum.saturating_add(here);
    }
    let mut stopped = Vec::new();
    for ((rule, attribute), deletes) in deletes {
        let flow = rules
            .rule(rule)
            .and_then(|r| r.flows.iter().find(|f| f.to == attribute));
        let Some(guard) = flow.map(|flow| flow.max_value_deletes) else {
            continue;
        };
        // Counting all values is work that grows with the directory; a few deletions never need it.
        if guard.allows(deletes, 0) {
            continue;
        }
        let known = state.count_values(Connector::Ad, attribute)?;
        if !guard.allows(deletes, known) {
            stopped.push(GuardStop {
                rule: rule.to_owned(),
                attribute: attribute.to_owned(),
                deletes,
                known,
                allowed: guard.to_string(),
            });
        }
    }
    for rule in rules.exports() {
        let deletes = plan
            .exports
            .iter()
            .filter(|export| export.rule == rule.id && export.action == ExportAction::Delete);
        let deletes = u64::try_from(deletes.count()).unwrap_or(u64::MAX);
        let guard = rule.max_object_deletes;
        if guard.allows(deletes, 0) {
            continue;
        }
        let known = state.count_cloud_objects(&rule.to)?;
        if !guard.allows(deletes, known) {
            stopped.push(GuardStop {
                rule: rule.id.clone(),
                attribute: rule.to.clone(),
                deletes,
                known,
                allowed: guard.to_string(),
            });
        }
    }
    Ok(stopped)
}
