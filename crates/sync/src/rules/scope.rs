//! Scopes: which objects a rule is for. An OR of AND-groups of conditions, as text:
//! `sourceAnchor ISNOTNULL`, `cloudMastered EQUAL false`, `userAccountControl ISBITNOTSET 2`.
//!
//! The operators are those of the engine that admins know, except ISMEMBEROF and ISNOTMEMBEROF: group membership is
//! not imported.

use std::fmt;
use std::str::FromStr;

use crate::connector::{Attributes, Value};

/// An OR of AND-groups; no group at all means every object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope(pub Vec<Vec<Condition>>);

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The attribute that is looked at.
    pub attribute: String,
    /// How.
    pub operator: Operator,
    /// What with; empty for the operators that need nothing.
    pub operand: String,
}

/// How an attribute is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Same text, in any case.
    Equal,
    /// Not that text, or no value.
    NotEqual,
    /// Smaller, as numbers where both are.
    LessThan,
    /// Smaller or equal.
    LessThanOrEqual,
    /// Greater.
    GreaterThan,
    /// Greater or equal.
    GreaterThanOrEqual,
    /// The text is in it.
    Contains,
    /// It is not.
    NotContains,
    /// It begins so.
    StartsWith,
    /// It does not.
    NotStartsWith,
    /// It ends so.
    EndsWith,
    /// It does not.
    NotEndsWith,
    /// No value.
    IsNull,
    /// A value.
    IsNotNull,
    /// One of a list, separated by `;`.
    IsIn,
    /// None of a list.
    IsNotIn,
    /// All these bits of a number are set.
    IsBitSet,
    /// Not all of them are.
    IsBitNotSet,
}

use Operator as Op;

const OPERATORS: &[(&str, Operator)] = &[
    ("EQUAL", Op::Equal),
    ("NOTEQUAL", Op::NotEqual),
    ("LESSTHAN", Op::LessThan),
    ("LESSTHAN_OR_EQUAL", Op::LessThanOrEqual),
    ("GREATERTHAN", Op::GreaterThan),
    ("GREATERTHAN_OR_EQUAL", Op::GreaterThanOrEqual),
    ("CONTAINS", Op::Contains),
    ("NOTCONTAINS", Op::NotContains),
    ("STARTSWITH", Op::StartsWith),
    ("NOTSTARTSWITH", Op::NotStartsWith),
    ("ENDSWITH", Op::EndsWith),
    ("NOTENDSWITH", Op::NotEndsWith),
    ("ISNULL", Op::IsNull),
    ("ISNOTNULL", Op::IsNotNull),
    ("ISIN", Op::IsIn),
    ("ISNOTIN", Op::IsNotIn),
    ("ISBITSET", Op::IsBitSet),
    ("ISBITNOTSET", Op::IsBitNotSet),
];

impl Operator {
    const fn needs_operand(self) -> bool {
        !matches!(self, Op::IsNull | Op::IsNotNull)
    }

    const fn needs_number(self) -> bool {
        matches!(self, Op::IsBitSet | Op::IsBitNotSet)
    }

    /// The operator that is true exactly where this one is false.
    const fn positive(self) -> (Self, bool) {
        match self {
            Op::NotEqual => (Op::Equal, false),
            Op::NotContains => (Op::Contains, false),
            Op::NotStartsWith => (Op::StartsWith, false),
            Op::NotEndsWith => (Op::EndsWith, false),
            Op::IsNotIn => (Op::IsIn, false),
            Op::IsBitNotSet => (Op::IsBitSet, false),
            Op::IsNull => (Op::IsNotNull, false),
            other => (other, true),
        }
    }
}

impl Scope {
    /// Whether the object is in scope; otherwise a condition that it failed, for the explanation.
    pub fn admits(&self, attributes: &Attributes) -> Result<(), &Condition> {
        let mut failed = None;
        for group in &self.0 {
            match group.iter().find(|condition| !condition.holds(attributes)) {
                None => return Ok(()),
                Some(condition) => failed = failed.or(Some(condition)),
            }
        }
        failed.map_or(Ok(()), Err)
    }
}

impl Condition {
    /// Whether any value satisfies it; negative operators want that none does the opposite.
    pub fn holds(&self, attributes: &Attributes) -> bool {
        let (operator, wanted) = self.operator.positive();
        let values = attributes.get(&self.attribute);
        let any =
            values.is_some_and(|values| values.iter().any(|value| self.matches(operator, value)));
        any == wanted
    }

    fn matches(&self, operator: Operator, value: &Value) -> bool {
        if operator == Op::IsNotNull {
            return true;
        }
        let text = String::from_utf8_lossy(value).to_lowercase();
        let operand = self.operand.to_lowercase();
        match operator {
            Op::Equal => text == operand,
            Op::Contains => text.contains(&operand),
            Op::StartsWith => text.starts_with(&operand),
            Op::EndsWith => text.ends_with(&operand),
            Op::IsIn => operand.split(';').any(|item| item.trim() == text),
            Op::LessThan => compare(&text, &operand).is_lt(),
            Op::LessThanOrEqual => compare(&text, &operand).is_le(),
            Op::GreaterThan => compare(&text, &operand).is_gt(),
            Op::GreaterThanOrEqual => compare(&text, &operand).is_ge(),
            Op::IsBitSet => bits(&text)
                .zip(bits(&operand))
                .is_some_and(|(v, mask)| v & mask == mask),
            _ => false,
        }
    }
}

fn compare(a: &str, b: &str) -> std::cmp::Ordering {
    match (a.parse::<i64>(), b.parse::<i64>()) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}

fn bits(text: &str) -> Option<i64> {
    match text.strip_prefix("&h").or_else(|| text.strip_prefix("0x")) {
        Some(hex) => i64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The text is not a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a condition: {why}")]
pub struct InvalidCondition {
    text: String,
    why: String,
}

impl FromStr for Condition {
    type Err = InvalidCondition;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = |why: String| InvalidCondition {
            text: text.to_owned(),
            why,
        };
        let mut words = text.trim().splitn(3, char::is_whitespace);
        let attribute = words.next().filter(|word| !word.is_empty());
        let attribute = attribute.ok_or_else(|| invalid("it is empty".to_owned()))?;
        let word = words.next().unwrap_or_default().to_uppercase();
        let operand = words.next().unwrap_or_default().trim().to_owned();
        let operator = OPERATORS
            .iter()
            .find(|(name, _)| *name == word)
            .map(|(_, operator)| *operator);
        let operator = operator.ok_or_else(|| {
            let names: Vec<&str> = OPERATORS.iter().map(|(name, _)| *name).collect();
            invalid(match word.as_str() {
                "ISMEMBEROF" | "ISNOTMEMBEROF" => "group membership is not imported".to_owned(),
                _ => format!(
                    "write it as 'attribute OPERATOR value' with one of {}",
                    names.join(", ")
                ),
            })
        })?;
        if operator.needs_operand() && operand.is_empty() {
            return Err(invalid(format!("{word} needs a value")));
        }
        if !operator.needs_operand() && !operand.is_empty() {
            return Err(invalid(format!("{word} takes no value")));
        }
        if operator.needs_number() && bits(&operand.to_lowercase()).is_none() {
            return Err(invalid(format!(
                "{word} needs a number such as 2, 0x2 or &H2"
            )));
        }
        Ok(Self {
            attribute: attribute.to_owned(),
            operator,
            operand,
        })
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = OPERATORS
            .iter()
            .find(|(_, operator)| *operator == self.operator);
        write!(
            f,
            "{} {}",
            self.attribute,
            name.map_or("?", |(name, _)| name)
        )?;
        if self.operand.is_empty() {
            Ok(())
        } else {
            write!(f, " {}", self.operand)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(attribute: &str, values: &[&str]) -> Attributes {
        let values: crate::connector::Values =
            values.iter().map(|v| v.as_bytes().to_vec()).collect();
        if values.is_empty() {
            Attributes::new()
        } else {
            [(attribute.to_owned(), values)].into()
        }
    }

    #[test]
    fn each_operator_decides() {
        let check = |condition: &str, values: &[&str], expect: bool| {
            let parsed: Condition = condition.parse().expect(condition);
            assert_eq!(
                parsed.holds(&object("a", values)),
                expect,
                "{condition} on {values:?}"
            );
            assert_eq!(
                parsed.to_string().parse::<Condition>().as_ref(),
                Ok(&parsed)
            );
        };
        check("a ISNOTNULL", &["x"], true);
        check("a isnotnull", &[], false);
        check("a ISNULL", &[], true);
        check("a ISNULL", &["x"], false);
        check("a EQUAL False", &["false"], true);
        check("a EQUAL b c", &["B C"], true);
        check("a NOTEQUAL x", &["y"], true);
        check("a NOTEQUAL x", &["y", "X"], false);
        check("a NOTEQUAL x", &[], true);
        check("a STARTSWITH msol_", &["MSOL_sync"], true);
        check("a NOTSTARTSWITH msol_", &["MSOL_sync"], false);
        check("a ENDSWITH .com", &["a.com"], true);
        check("a NOTENDSWITH .com", &["a.com"], false);
        check("a CONTAINS b", &["abc"], true);
        check("a NOTCONTAINS b", &["ac"], true);
        check("a LESSTHAN 10", &["9"], true);
        check("a LESSTHAN_OR_EQUAL 10", &["10"], true);
        check("a GREATERTHAN 10", &["9"], false);
        check("a GREATERTHAN_OR_EQUAL 10", &["100"], true);
        check("a ISIN x; y", &["Y"], true);
        check("a ISNOTIN x;y", &["z"], true);
        check("a ISBITSET 2", &["514"], true);
        check("a ISBITNOTSET &H2", &["512"], true);
        check("a ISBITNOTSET 2", &["514"], false);
    }

    #[test]
    fn a_wrong_condition_says_why() {
        let check = |condition: &str, expect: &str| {
            let error = condition
                .parse::<Condition>()
                .expect_err(condition)
                .to_string();
            assert!(error.contains(expect), "{error}");
        };
        check("", "empty");
        check("a", "attribute OPERATOR value");
        check("a RESEMBLES b", "EQUAL, NOTEQUAL");
        check("a EQUAL", "needs a value");
        check("a ISNULL b", "takes no value");
        check("a ISBITSET two", "needs a number");
        check("a ISMEMBEROF g", "not imported");
    }

    #[test]
    fn groups_are_alternatives() {
        let scope = Scope(vec![
            vec![
                "a EQUAL 1".parse().expect("condition"),
                "b ISNOTNULL".parse().expect("condition"),
            ],
            vec!["a EQUAL 2".parse().expect("condition")],
        ]);
        assert!(scope.admits(&object("a", &["2"])).is_ok());
        let failed = scope
            .admits(&object("a", &["1"]))
            .expect_err("b is missing");
        assert_eq!(failed.to_string(), "b ISNOTNULL");
        assert!(Scope::default().admits(&Attributes::new()).is_ok());
    }
}
