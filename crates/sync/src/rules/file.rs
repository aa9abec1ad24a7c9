//! Rule files: TOML in, checked rules out.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::lint::{self, RuleErrors, RuleProblem};
use super::{
    Cel, Direction, Flow, Guard, JoinCondition, Link, Merge, Owns, Rule, RuleFile, RuleSet, Scope,
    Transform,
};
use crate::connector::Connector;
use crate::schema::{ExtraAttribute, Schema};

const VERSION: u32 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    version: u32,
    #[serde(default)]
    attribute: Vec<ExtraAttribute>,
    #[serde(default)]
    rule: Vec<RawRule>,
    #[serde(default, rename = "override")]
    overrides: Vec<RawOverride>,
}

#[derive(Clone, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    id: String,
    #[serde(default)]
    description: String,
    direction: String,
    connector: String,
    from: String,
    to: String,
    link: String,
    precedence: u32,
    #[serde(default = "yes")]
    enabled: bool,
    #[serde(default)]
    scope: Vec<Vec<String>>,
    #[serde(default)]
    join: Vec<Vec<String>>,
    #[serde(default)]
    anchor: Option<String>,
    #[serde(default)]
    guard: RawRuleGuard,
    #[serde(default)]
    requires: RawRequires,
    #[serde(default)]
    flow: Vec<RawFlow>,
}

#[derive(Clone, Default, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequires {
    #[serde(default)]
    schema: Vec<String>,
}

#[derive(Clone, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFlow {
    to: String,
    from: Option<String>,
    expr: Option<String>,
    constant: Option<String>,
    #[serde(default)]
    merge: Option<String>,
    #[serde(default)]
    owns: Option<String>,
    #[serde(default)]
    guard: RawGuard,
}

#[derive(Clone, Default, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRuleGuard {
    max_object_deletes: Option<String>,
}

#[derive(Clone, Default, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGuard {
    max_value_deletes: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOverride {
    id: String,
    enabled: Option<bool>,
    precedence: Option<u32>,
    owns: Option<String>,
    max_value_deletes: Option<String>,
    max_object_deletes: Option<String>,
}

const fn yes() -> bool {
    true
}

/// Collects problems while the rest is still read, so that one run of the linter shows them all.
struct Reader {
    problems: Vec<RuleProblem>,
    schema: Schema,
    rules: BTreeMap<String, (String, RawRule)>,
}

/// Reads the shipped files, then the user's on top.
pub(super) fn read(shipped: &[RuleFile<'_>], user: &[RuleFile<'_>]) -> Result<RuleSet, RuleErrors> {
    let mut reader = Reader {
        problems: Vec::new(),
        schema: Schema::default(),
        rules: BTreeMap::new(),
    };
    for file in shipped {
        reader.file(*file);
    }
    let shipped_ids: Vec<String> = reader.rules.keys().cloned().collect();
    let mut own = Vec::new();
    let mut overrides = Vec::new();
    for file in user {
        if let Some(raw) = reader.parse(*file) {
            own.extend(
                raw.rule
                    .into_iter()
                    .map(|rule| (file.name.to_owned(), rule)),
            );
            overrides.extend(raw.overrides.into_iter().map(|o| (file.name.to_owned(), o)));
        }
    }
    let mut replaced = Vec::new();
    for (file, rule) in own {
        if shipped_ids.contains(&rule.id) && !replaced.contains(&rule.id) {
            replaced.push(rule.id.clone());
            reader.rules.insert(rule.id.clone(), (file, rule));
        } else {
            reader.insert(file, rule);
        }
    }
    for (file, change) in overrides {
        reader.change(&file, change);
    }
    reader.finish()
}

impl Reader {
    fn complain(&mut self, file: &str, rule: Option<&str>, problem: impl Into<String>) {
        self.problems.push(RuleProblem {
            file: file.to_owned(),
            rule: rule.map(str::to_owned),
            problem: problem.into(),
        });
    }

    fn parse(&mut self, file: RuleFile<'_>) -> Option<RawFile> {
        let raw: RawFile = match toml::from_str(file.text) {
            Ok(raw) => raw,
            Err(error) => {
                self.complain(file.name, None, error.to_string().trim_end());
                return None;
            }
        };
        if raw.version != VERSION {
            let problem = format!(
                "version {} is unknown; write version = {VERSION}",
                raw.version
            );
            self.complain(file.name, None, problem);
            return None;
        }
        for extra in &raw.attribute {
            self.schema.add(extra);
        }
        Some(raw)
    }

    fn file(&mut self, file: RuleFile<'_>) {
        for rule in self.parse(file).into_iter().flat_map(|raw| raw.rule) {
            self.insert(file.name.to_owned(), rule);
        }
    }

    fn insert(&mut self, file: String, rule: RawRule) {
        let id = rule.id.clone();
        if let Some((other, _)) = self.rules.insert(id.clone(), (file.clone(), rule)) {
            let problem =
                format!("the id is used twice (also in {other}); each rule needs its own");
            self.complain(&file, Some(&id), problem);
        }
    }

    fn change(&mut self, file: &str, change: RawOverride) {
        let Some((_, rule)) = self.rules.get_mut(&change.id) else {
            let known: Vec<String> = self.rules.keys().cloned().collect();
            let problem = format!(
                "there is no such rule to override; there are {}",
                known.join(", ")
            );
            self.complain(file, Some(&change.id), problem);
            return;
        };
        rule.enabled = change.enabled.unwrap_or(rule.enabled);
        rule.precedence = change.precedence.unwrap_or(rule.precedence);
        let guard = &mut rule.guard.max_object_deletes;
        *guard = change.max_object_deletes.clone().or(guard.take());
        for flow in &mut rule.flow {
            flow.owns = change.owns.clone().or(flow.owns.take());
            let guard = &mut flow.guard.max_value_deletes;
            *guard = change.max_value_deletes.clone().or(guard.take());
        }
    }

    fn finish(mut self) -> Result<RuleSet, RuleErrors> {
        let mut fingerprint = Sha256::new();
        let mut rules = Vec::new();
        for (file, raw) in std::mem::take(&mut self.rules).into_values() {
            fingerprint.update(spelled(&raw));
            let (rule, mut problems) = Builder::build(&raw);
            if let Some(rule) = rule {
                problems.extend(lint::rule(&rule, &self.schema));
                rules.push((file.clone(), rule));
            }
            for problem in problems {
                self.complain(&file, Some(&raw.id), problem);
            }
        }
        self.problems.extend(lint::ties(&rules));
        if !self.problems.is_empty() {
            return Err(RuleErrors(self.problems));
        }
        let mut rules: Vec<Rule> = rules.into_iter().map(|(_, rule)| rule).collect();
        rules.sort_by(|a, b| {
            (a.direction, a.precedence, &a.id).cmp(&(b.direction, b.precedence, &b.id))
        });
        let mut fingerprint = data_encoding::HEXLOWER.encode(&fingerprint.finalize());
        fingerprint.truncate(16);
        Ok(RuleSet {
            rules,
            schema: self.schema,
            fingerprint,
        })
    }
}

/// Everything that a rule says, in one text without ambiguity.
fn spelled(raw: &RawRule) -> Vec<u8> {
    struct Spell(Vec<u8>);
    impl std::hash::Hasher for Spell {
        fn finish(&self) -> u64 {
            0
        }
        fn write(&mut self, bytes: &[u8]) {
            self.0.extend_from_slice(bytes);
        }
        fn write_usize(&mut self, number: usize) {
            // The same fingerprint on every machine.
            let number = u64::try_from(number).unwrap_or(u64::MAX);
            self.0.extend_from_slice(&number.to_le_bytes());
        }
        fn write_u32(&mut self, number: u32) {
            self.0.extend_from_slice(&number.to_le_bytes());
        }
    }
    let mut spell = Spell(Vec::new());
    std::hash::Hash::hash(raw, &mut spell);
    spell.0
}

struct Builder<'a> {
    raw: &'a RawRule,
    problems: Vec<String>,
}

impl<'a> Builder<'a> {
    /// The rule as far as it can be read, and what is wrong with the rest.
    fn build(raw: &'a RawRule) -> (Option<Rule>, Vec<String>) {
        let mut builder = Self {
            raw,
            problems: Vec::new(),
        };
        let rule = builder.rule();
        (rule, builder.problems)
    }

    /// A word out of a few.
    fn word<T: Copy>(&mut self, key: &str, text: &str, words: &[(&str, T)]) -> Option<T> {
        let found = words
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<String> = words
                .iter()
                .map(|(word, _)| format!("\"{word}\""))
                .collect();
            self.problems.push(format!(
                "{key} = \"{text}\" is unknown; write one of {}",
                known.join(", ")
            ));
        }
        found
    }

    fn rule(&mut self) -> Option<Rule> {
        let raw = self.raw;
        let directions = [
            ("inbound", Direction::Inbound),
            ("outbound", Direction::Outbound),
        ];
        let direction = self.word("direction", &raw.direction, &directions);
        let connectors = [("ad", Connector::Ad), ("cloud", Connector::Cloud)];
        let connector = self.word("connector", &raw.connector, &connectors);
        let links = [("join", Link::Join), ("provision", Link::Provision)];
        let link = self.word("link", &raw.link, &links);
        let scope = Scope(raw.scope.iter().map(|group| self.group(group)).collect());
        let join = raw
            .join
            .iter()
            .map(|group| self.join_group(group))
            .collect();
        let outbound = direction == Some(Direction::Outbound);
        let carries_objects = outbound && connector == Some(Connector::Cloud);
        if !carries_objects && (raw.anchor.is_some() || raw.guard.max_object_deletes.is_some()) {
            self.problems.push(
                "anchor and guard.max_object_deletes are for outbound rules into the cloud"
                    .to_owned(),
            );
        }
        let deletes = raw.guard.max_object_deletes.as_deref();
        let deletes = deletes.map_or(Ok(Guard::DEFAULT), str::parse);
        let max_object_deletes = deletes
            .map_err(|error| {
                self.problems
                    .push(format!("guard.max_object_deletes: {error}"))
            })
            .ok();
        let flows = raw
            .flow
            .iter()
            .filter_map(|flow| self.flow(flow, outbound))
            .collect();
        Some(Rule {
            id: raw.id.clone(),
            description: raw.description.clone(),
            direction: direction?,
            connector: connector?,
            from: raw.from.clone(),
            to: raw.to.clone(),
            link: link?,
            precedence: raw.precedence,
            enabled: raw.enabled,
            scope,
            join,
            anchor: raw.anchor.clone(),
            max_object_deletes: max_object_deletes?,
            requires_schema: raw.requires.schema.clone(),
            flows,
        })
    }

    fn group(&mut self, conditions: &[String]) -> Vec<super::Condition> {
        let parsed = conditions.iter().filter_map(|text| match text.parse() {
            Ok(condition) => Some(condition),
            Err(error) => {
                self.problems.push(format!("scope: {error}"));
                None
            }
        });
        parsed.collect()
    }

    fn join_group(&mut self, conditions: &[String]) -> Vec<JoinCondition> {
        if conditions.is_empty() {
            self.problems
                .push("join: an empty group would join everything".to_owned());
        }
        let parsed = conditions.iter().filter_map(|text| {
            let sides = text
                .split_once('=')
                .map(|(left, right)| (left.trim(), right.trim()));
            match sides {
                Some((left, right)) if !left.is_empty() && !right.is_empty() => {
                    Some(JoinCondition {
                        connected: left.to_owned(),
                        metaverse: right.to_owned(),
                    })
                }
                _ => {
                    self.problems.push(format!(
                        "join: '{text}' is not a condition; write 'attribute = metaverseAttribute'"
                    ));
                    None
                }
            }
        });
        parsed.collect()
    }

    fn flow(&mut self, raw: &RawFlow, outbound: bool) -> Option<Flow> {
        let merges = [("update", Merge::Update), ("merge", Merge::Merge)];
        let merge = raw.merge.as_deref().map_or(Some(Merge::Update), |text| {
            self.word("merge", text, &merges)
        });
        let owned = [
            ("full", Owns::Full),
            ("source=cloud", Owns::SourceCloud),
            ("additive", Owns::Additive),
        ];
        let owns = raw.owns.as_deref().map_or(Some(Owns::default()), |text| {
            self.word("owns", text, &owned)
        });
        if !outbound && (raw.owns.is_some() || raw.guard.max_value_deletes.is_some()) {
            self.problems.push(format!(
                "flow to '{}': owns and guard are for outbound rules",
                raw.to
            ));
        }
        let guard = raw
            .guard
            .max_value_deletes
            .as_deref()
            .map_or(Ok(Guard::DEFAULT), str::parse);
        let guard = guard
            .map_err(|error| self.problems.push(format!("flow to '{}': {error}", raw.to)))
            .ok();
        let transform = self.transform(raw);
        Some(Flow {
            to: raw.to.clone(),
            transform: transform?,
            merge: merge?,
            owns: owns?,
            max_value_deletes: guard?,
        })
    }

    fn transform(&mut self, raw: &RawFlow) -> Option<Transform> {
        let made = match (&raw.from, &raw.expr, &raw.constant) {
            (Some(from), None, None) => Ok(Transform::Direct { from: from.clone() }),
            (None, None, Some(constant)) => Ok(Transform::Constant(constant.clone().into_bytes())),
            (Some(from), Some(text), None) => {
                Cel::compile(text, &["v"]).map(|expression| Transform::PerValue {
                    from: from.clone(),
                    expression: Arc::new(expression),
                })
            }
            (None, Some(text), None) => Cel::compile(text, &["object"]).map(|expression| {
                let from = expression.quoted().into_iter().map(str::to_owned).collect();
                Transform::PerObject {
                    from,
                    expression: Arc::new(expression),
                }
            }),
            _ => Err("write 'from', 'expr', 'from' and 'expr', or 'constant'".to_owned()),
        };
        made.map_err(|why| self.problems.push(format!("flow to '{}': {why}", raw.to)))
            .ok()
    }
}
