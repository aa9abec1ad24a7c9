//! Running one flow of a rule over one object.

use crate::connector::{Attributes, Value, Values};
use crate::keys;
use crate::rules::{Expression, Flow, Input, Transform};
use crate::schema::Syntax;

/// What a flow gave.
#[derive(Debug, Default)]
pub(crate) struct Flowed {
    pub(crate) values: Values,
    /// Values that gave nothing, and why.
    pub(crate) refused: Vec<(Value, String)>,
}

/// Runs a flow. `syntax` tells what the source's attributes hold, `target` what the filled one takes.
pub(crate) fn run(
    flow: &Flow,
    attributes: &Attributes,
    syntax: &dyn Fn(&str) -> Syntax,
    target: Syntax,
) -> Flowed {
    let mut flowed = Flowed::default();
    match &flow.transform {
        Transform::Direct { from } => {
            flowed.values = attributes.get(from).cloned().unwrap_or_default();
        }
        Transform::Constant(value) => {
            flowed.values.insert(value.clone());
        }
        Transform::PerValue { from, expression } => {
            for value in attributes.get(from).into_iter().flatten() {
                each(
                    expression.as_ref(),
                    value,
                    syntax(from),
                    target,
                    &mut flowed,
                );
            }
        }
        Transform::PerObject { from, expression } => {
            // An expression names what it asks for; the rest (keys above all) is not copied for it.
            let asked = attributes.iter().filter(|(name, _)| from.contains(*name));
            let asked: Attributes = asked
                .map(|(name, values)| (name.clone(), values.clone()))
                .collect();
            let evaluated = expression.evaluate(Input::Object(&asked, syntax));
            let octets = evaluated.and_then(|outputs| {
                outputs
                    .into_iter()
                    .map(|output| output.into_octets(target))
                    .collect::<Result<Values, _>>()
            });
            match octets {
                Ok(values) => flowed.values = values,
                Err(why) => flowed.refused.push((Value::new(), why)),
            }
        }
    }
    flowed
}

fn each(
    expression: &dyn Expression,
    value: &Value,
    from: Syntax,
    target: Syntax,
    flowed: &mut Flowed,
) {
    let outputs = match expression.evaluate(Input::Value(from, value)) {
        Ok(outputs) => outputs,
        Err(why) => {
            flowed.refused.push((value.clone(), why));
            return;
        }
    };
    if outputs.is_empty() {
        let why = Some(value)
            .filter(|_| from == Syntax::KeyCredential)
            .and_then(|v| keys::why_not(v));
        let why = why.unwrap_or_else(|| "the expression gives null".to_owned());
        flowed.refused.push((value.clone(), why));
    }
    for output in outputs {
        match output.into_octets(target) {
            Ok(octets) => {
                flowed.values.insert(octets);
            }
            Err(why) => flowed.refused.push((value.clone(), why)),
        }
    }
}
