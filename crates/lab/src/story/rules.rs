//! Why nothing flows: a rule that is off, a schema that lacks the attribute.

use std::sync::Arc;

use directory::schema::SchemaLevel;
use sync::plan::Cause;

use super::stage::{KEYS, Run, Stage, engine, ensure};
use crate::people::{SECOND_USER, TEST_USER};
use crate::registration::register_key;
use crate::report::Seen;
use crate::{Error, House, Options};

const RULE: &str = "out-ad-user-ngckey";
const RULE_OFF: &str = "
version = 1
[[override]]
id = \"out-ad-user-ngckey\"
enabled = false
";

pub(super) fn rule_off(stage: &mut Stage) -> Result<Seen, Error> {
    let before = stage.directory_keys(SECOND_USER)?.len();
    stage.register_hello(SECOND_USER)?;
    let off = Run {
        rules: Some(RULE_OFF),
        ..Run::default()
    };
    let report = stage.cycle(off)?;
    let during = stage.directory_keys(SECOND_USER)?.len();
    ensure(during == before, || {
        format!("{} values flowed", during.saturating_sub(before))
    })?;
    let cause = sleeping(
        &report.plan.sleeping,
        |cause| matches!(cause, Cause::RuleDisabled { disabled } if disabled == RULE),
    )?;
    let report = stage.cycle(Run::default())?;
    let after = stage.directory_keys(SECOND_USER)?.len();
    ensure(after == before + 1, || {
        format!("then {after} values: {:?}", report.outcome)
    })?;
    Ok(Seen::new(format!("plan: {cause}"))
        .with("switched on again: the key arrives with the next cycle"))
}

pub(super) fn schema_too_old(stage: &mut Stage) -> Result<Seen, Error> {
    let house = House::start(Options {
        schema: SchemaLevel::WindowsServer2012R2,
        ..Options::new(Arc::clone(stage.house.clock()))
    })?;
    let user = house.cloud_user(TEST_USER)?;
    let cloud = house.cloud_as_administrator()?;
    register_key(
        &cloud,
        &mut house.key()?,
        &house.pin()?,
        &house.cloud_origin(),
        user,
        "Key",
    )?;
    let report = engine(&house, Run::default())?.cycle(house.clock().now())?;
    ensure(report.apply.added == 0, || {
        format!("{} values added", report.apply.added)
    })?;
    let cause = sleeping(
        &report.plan.sleeping,
        |cause| matches!(cause, Cause::SchemaLacks { lacks } if lacks == KEYS),
    )?;
    Ok(Seen::new(format!("plan: {cause}")))
}

fn sleeping(
    rules: &[sync::plan::SleepingRule],
    wanted: impl Fn(&Cause) -> bool,
) -> Result<String, Error> {
    let found = rules
        .iter()
        .find(|rule| rule.rule == RULE && wanted(&rule.cause));
    match found {
        Some(rule) => Ok(rule.cause.to_string()),
        None => Err(Error::Story(format!(
            "the plan says of sleeping rules: {rules:?}"
        ))),
    }
}
