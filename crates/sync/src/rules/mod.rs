//! Rules: what flows from where to where, for whom, and whose values are whose.
//!
//! A rule is data. The engine knows scopes, joins, flows, precedence and ownership, and nothing of keys; the NGCKey
//! pair is `rules/ngckey.toml`, shipped inside the program and replaceable by a file of the same shape.
//!
//! Outbound rules into the cloud carry whole objects: those of the ground are made, changed and deleted there. `rules/ground.toml`
//! are the shipped ones.
//!
//! Deliberately absent: outbound rules that create directory objects. The sync never makes one.

mod expression;
mod file;
mod guard;
mod lint;
mod scope;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use expression::{Cel, Expression, Input, Output};
pub use guard::{Guard, InvalidGuard};
pub use lint::{RuleErrors, RuleProblem};
pub use scope::{Condition, InvalidCondition, Operator, Scope};

use crate::connector::{Connector, Kinds, Value};
use crate::schema::{Schema, Space, Syntax};

/// Which way a rule carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// From a connected system into the metaverse.
    Inbound,
    /// From the metaverse into a connected system.
    Outbound,
}

/// What a rule does with an object that is not joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// Looks for the metaverse object; without one the object waits.
    Join,
    /// Makes the metaverse object where none is found.
    Provision,
}

/// How contributions to one attribute come together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Merge {
    /// The rule of lowest precedence number that contributes anything wins, with its whole set of values.
    #[default]
    Update,
    /// All rules that say so contribute together.
    Merge,
}

/// Which values of the target a rule may delete.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owns {
    /// All: what the rule does not want is deleted.
    #[serde(rename = "full")]
    Full,
    /// Those that say they came from the cloud (KeySource AzureAD); others are reported as drift.
    #[default]
    #[serde(rename = "source=cloud")]
    SourceCloud,
    /// None: whatever is there beside the rule's own is reported as drift.
    #[serde(rename = "additive")]
    Additive,
}

impl Owns {
    /// Whether a value that the rule does not want is the rule's to delete.
    pub(crate) fn includes(self, value: &[u8]) -> bool {
        match self {
            Self::Full => true,
            Self::SourceCloud => crate::keys::is_from_cloud(value),
            Self::Additive => false,
        }
    }
}

/// What a flow carries.
#[derive(Debug, Clone)]
pub enum Transform {
    /// The values of an attribute as they are.
    Direct {
        /// The attribute.
        from: String,
    },
    /// Always the same value.
    Constant(Value),
    /// Each value of an attribute through an expression over `v`.
    PerValue {
        /// The attribute.
        from: String,
        /// The expression.
        expression: Arc<dyn Expression>,
    },
    /// An expression over the whole object.
    PerObject {
        /// The attributes that it asks for.
        from: BTreeSet<String>,
        /// The expression.
        expression: Arc<dyn Expression>,
    },
}

impl Transform {
    /// The attributes that it reads.
    pub fn reads(&self) -> Vec<&str> {
        match self {
            Self::Direct { from } | Self::PerValue { from, .. } => vec![from],
            Self::Constant(_) => Vec::new(),
            Self::PerObject { from, .. } => from.iter().map(String::as_str).collect(),
        }
    }
}

/// One attribute that a rule fills.
#[derive(Debug, Clone)]
pub struct Flow {
    /// The attribute.
    pub to: String,
    /// With what.
    pub transform: Transform,
    /// How it meets other rules' contributions.
    pub merge: Merge,
    /// What may be deleted (outbound only).
    pub owns: Owns,
    /// How many deletions are believed (outbound only).
    pub max_value_deletes: Guard,
}

/// `left = right`: an attribute of the connected object and one of the metaverse, compared octet for octet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinCondition {
    /// Of the connected object.
    pub connected: String,
    /// Of the metaverse.
    pub metaverse: String,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its name.
    pub id: String,
    /// What it is for, in a few words.
    pub description: String,
    /// Which way.
    pub direction: Direction,
    /// Which connected system.
    pub connector: Connector,
    /// Kind of object at the source.
    pub from: String,
    /// Kind of object at the destination.
    pub to: String,
    /// What happens to objects that are not joined.
    pub link: Link,
    /// The lower number wins.
    pub precedence: u32,
    /// A rule that is off sleeps; the plan says so.
    pub enabled: bool,
    /// For whom.
    pub scope: Scope,
    /// Alternatives of conditions that must all hold; empty for a rule that rides on another's join.
    pub join: Vec<Vec<JoinCondition>>,
    /// The attribute of the cloud's object that names it (outbound rules into the cloud only).
    pub anchor: Option<String>,
    /// How many deletions of objects are believed (outbound rules into the cloud only).
    pub max_object_deletes: Guard,
    /// Attributes that the target's schema must have.
    pub requires_schema: Vec<String>,
    /// What flows.
    pub flows: Vec<Flow>,
}

impl Rule {
    /// The side that the rule reads.
    pub fn source_space(&self) -> Space {
        match self.direction {
            Direction::Inbound => self.connector.into(),
            Direction::Outbound => Space::Metaverse,
        }
    }

    /// The side that the rule fills.
    pub fn target_space(&self) -> Space {
        match self.direction {
            Direction::Inbound => Space::Metaverse,
            Direction::Outbound => self.connector.into(),
        }
    }
}

/// All rules, checked, in order of precedence.
#[derive(Debug, Clone)]
pub struct RuleSet {
    rules: Vec<Rule>,
    schema: Schema,
    fingerprint: String,
}

/// A rule file: its name for messages, and its text.
#[derive(Debug, Clone, Copy)]
pub struct RuleFile<'a> {
    /// For messages.
    pub name: &'a str,
    /// TOML.
    pub text: &'a str,
}

/// The rules that are shipped.
pub const SHIPPED: &[RuleFile<'static>] = &[
    RuleFile {
        name: "ngckey.toml",
        text: include_str!("../../rules/ngckey.toml"),
    },
    RuleFile {
        name: "ground.toml",
        text: include_str!("../../rules/ground.toml"),
    },
];

impl RuleSet {
    /// The shipped rules.
    pub fn shipped() -> Result<Self, RuleErrors> {
        Self::read(&[])
    }

    /// The shipped rules with a user's files on top: a rule of the same id replaces the shipped one, an
    /// `[[override]]` changes parts of it.
    pub fn read(files: &[RuleFile<'_>]) -> Result<Self, RuleErrors> {
        file::read(SHIPPED, files)
    }

    /// In order: inbound before outbound, lower precedence number first.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// One rule.
    pub fn rule(&self, id: &str) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.id == id)
    }

    /// The attributes that the rules may name.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// SHA-256 of everything that the rules say, shortened; a plan belongs to one of them.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Inbound rules for one kind of connected object.
    pub fn inbound<'a>(
        &'a self,
        connector: Connector,
        kind: &'a str,
    ) -> impl Iterator<Item = &'a Rule> {
        self.rules.iter().filter(move |rule| {
            rule.direction == Direction::Inbound && rule.connector == connector && rule.from == kind
        })
    }

    /// Outbound rules into a connected system for one kind of metaverse object.
    pub fn outbound<'a>(
        &'a self,
        connector: Connector,
        kind: &'a str,
    ) -> impl Iterator<Item = &'a Rule> {
        self.rules.iter().filter(move |rule| {
            rule.direction == Direction::Outbound
                && rule.connector == connector
                && rule.from == kind
        })
    }

    /// Outbound rules that carry whole objects into the cloud.
    pub(crate) fn exports(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| {
            rule.direction == Direction::Outbound && rule.connector == Connector::Cloud
        })
    }

    /// What must be imported from a connected system.
    pub fn kinds(&self, connector: Connector) -> Kinds {
        let mut kinds: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for rule in self.rules.iter().filter(|rule| rule.connector == connector) {
            let kind = match rule.direction {
                Direction::Inbound => &rule.from,
                Direction::Outbound => &rule.to,
            };
            let names = kinds.entry(kind.clone()).or_default();
            let mut add = |name: &str| {
                names.insert(name.to_owned());
            };
            match rule.direction {
                Direction::Inbound => {
                    let flows = rule.flows.iter().flat_map(|flow| flow.transform.reads());
                    flows.for_each(&mut add);
                    let scope = rule.scope.0.iter().flatten();
                    scope.map(|c| c.attribute.as_str()).for_each(&mut add);
                    let join = rule.join.iter().flatten();
                    join.map(|c| c.connected.as_str()).for_each(&mut add);
                }
                Direction::Outbound => rule.flows.iter().map(|f| f.to.as_str()).for_each(&mut add),
            }
        }
        Kinds(kinds)
    }

    /// The attributes that the directory's schema should have: what outbound rules fill there or ask for.
    pub fn target_attributes(&self) -> BTreeSet<String> {
        let outbound = self.rules.iter().filter(|rule| {
            rule.direction == Direction::Outbound && rule.connector == Connector::Ad
        });
        outbound
            .flat_map(|rule| {
                let filled = rule.flows.iter().map(|flow| flow.to.clone());
                filled.chain(rule.requires_schema.iter().cloned())
            })
            .collect()
    }

    /// Attributes of connected objects that joins look up.
    pub(crate) fn join_attributes(&self, connector: Connector) -> BTreeSet<&str> {
        let rules = self
            .rules
            .iter()
            .filter(|r| r.direction == Direction::Inbound && r.connector == connector);
        rules
            .flat_map(|rule| rule.join.iter().flatten())
            .map(|c| c.connected.as_str())
            .collect()
    }

    /// Attributes of the metaverse that joins look up.
    pub(crate) fn metaverse_join_attributes(&self) -> BTreeSet<&str> {
        let rules = self
            .rules
            .iter()
            .filter(|rule| rule.direction == Direction::Inbound);
        rules
            .flat_map(|rule| rule.join.iter().flatten())
            .map(|c| c.metaverse.as_str())
            .collect()
    }

    /// What the values of an attribute are. Rules name only known attributes, so the default is never used.
    pub(crate) fn syntax(&self, space: Space, kind: &str, attribute: &str) -> Syntax {
        self.schema
            .syntax(space, kind, attribute)
            .unwrap_or(Syntax::Binary)
    }
}
