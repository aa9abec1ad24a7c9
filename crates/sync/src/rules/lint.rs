//! What is wrong with rules, said so that it can be mended.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::{Direction, Link, Rule, Transform};
use crate::connector::Connector;
use crate::schema::{Schema, Space, Syntax};

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RuleProblem {
    /// The file.
    pub file: String,
    /// The rule, where one is known.
    pub rule: Option<String>,
    /// What is wrong and what to write instead.
    pub problem: String,
}

impl fmt::Display for RuleProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "{}: rule '{rule}': {}", self.file, self.problem),
            None => write!(f, "{}: {}", self.file, self.problem),
        }
    }
}

/// Everything that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct RuleErrors(pub Vec<RuleProblem>);

impl fmt::Display for RuleErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RuleErrors {}

/// Checks one rule against the schema.
pub(super) fn rule(rule: &Rule, schema: &Schema) -> Vec<String> {
    let mut problems = Vec::new();
    if rule.direction == Direction::Outbound {
        problems.extend(outbound(rule));
        if !rule.join.is_empty() {
            problems.push("outbound rules ride on inbound joins; leave 'join' out".to_owned());
        }
    }
    let inbound = rule.direction == Direction::Inbound;
    if inbound && rule.link == Link::Provision && rule.join.is_empty() {
        problems.push(
            "a rule that provisions needs a 'join', so that it finds what it made".to_owned(),
        );
    }
    if rule.flows.is_empty() && rule.join.is_empty() {
        problems.push("it neither joins nor flows anything".to_owned());
    }
    let source = (rule.source_space(), rule.from.as_str());
    let target = (rule.target_space(), rule.to.as_str());
    for (space, kind) in [source, target] {
        if !schema.knows_kind(space, kind) {
            problems.push(format!(
                "there are no objects of kind '{kind}' in {}",
                named(space)
            ));
            return problems;
        }
    }
    let mut mismatched = Vec::new();
    let mut want = |(space, kind): (Space, &str), name: &str| {
        let known = schema.syntax(space, kind, name);
        if known.is_none() {
            let hint = match schema.suggestion(space, kind, name) {
                Some(close) => format!("; did you mean '{close}'?"),
                None => "; declare it with [[attribute]] if it is right".to_owned(),
            };
            problems.push(format!(
                "{} {kind} has no attribute '{name}'{hint}",
                named(space)
            ));
        }
        known
    };
    for condition in rule.scope.0.iter().flatten() {
        want(source, &condition.attribute);
    }
    for join in rule.join.iter().flatten() {
        let sides = (want(source, &join.connected), want(target, &join.metaverse));
        if let (Some(left), Some(right)) = sides
            && left.is_binary() != right.is_binary()
        {
            mismatched.push(format!(
                "'{}' is {} but '{}' is {}; they can never be equal",
                join.connected,
                syntax(left),
                join.metaverse,
                syntax(right)
            ));
        }
    }
    for flow in &rule.flows {
        let to = want(target, &flow.to);
        let mut from = None;
        for name in flow.transform.reads() {
            from = want(source, name).or(from);
        }
        if let (Transform::Direct { from: name }, Some(from), Some(to)) =
            (&flow.transform, from, to)
            && !from.flows_to(to)
        {
            mismatched.push(format!(
                "'{name}' is {} but '{}' is {}; write an 'expr' that turns one into the other",
                syntax(from),
                flow.to,
                syntax(to)
            ));
        }
    }
    problems.extend(mismatched);
    problems
}

/// What each connected system takes: values of objects that are there, or whole objects.
fn outbound(rule: &Rule) -> Option<String> {
    let fills = |name: &String| rule.flows.iter().any(|flow| flow.to == *name);
    match (rule.connector, rule.link, &rule.anchor) {
        (Connector::Ad, Link::Provision, _) => {
            Some("the sync makes no directory objects; write link = \"join\"".to_owned())
        }
        (Connector::Cloud, Link::Join, _) => Some(
            "the cloud's users are never written, and other objects as a whole; write link = \"provision\""
                .to_owned(),
        ),
        (Connector::Cloud, Link::Provision, _) if rule.to == "user" => {
            Some("the sync makes no users; outbound rules into the cloud carry other objects".to_owned())
        }
        (Connector::Cloud, Link::Provision, None) => {
            Some("write anchor = the attribute that names the object in the cloud".to_owned())
        }
        (Connector::Cloud, Link::Provision, Some(anchor)) if !fills(anchor) => {
            Some(format!("no flow fills '{anchor}', the anchor"))
        }
        _ => None,
    }
}

/// Two enabled rules that fill the same attribute need different precedence.
pub(super) fn ties(rules: &[(String, Rule)]) -> Vec<RuleProblem> {
    let mut seen: BTreeMap<(Space, &str, &str, u32), &str> = BTreeMap::new();
    let mut problems = Vec::new();
    for (file, rule) in rules.iter().filter(|(_, rule)| rule.enabled) {
        for flow in rule
            .flows
            .iter()
            .filter(|flow| flow.merge == super::Merge::Update)
        {
            let place = (
                rule.target_space(),
                rule.to.as_str(),
                flow.to.as_str(),
                rule.precedence,
            );
            if let Some(other) = seen.insert(place, &rule.id) {
                problems.push(RuleProblem {
                    file: file.clone(),
                    rule: Some(rule.id.clone()),
                    problem: format!(
                        "precedence {} is also that of rule '{other}', and both fill '{}'; one must have another",
                        rule.precedence, flow.to
                    ),
                });
            }
        }
    }
    problems
}

const fn named(space: Space) -> &'static str {
    match space {
        Space::Ad => "the directory's",
        Space::Cloud => "the cloud's",
        Space::Metaverse => "the metaverse's",
    }
}

const fn syntax(syntax: Syntax) -> &'static str {
    match syntax {
        Syntax::Text => "text",
        Syntax::Boolean => "a boolean",
        Syntax::Integer => "a number",
        Syntax::Binary => "octets",
        Syntax::KeyCredential => "a key credential",
    }
}
