//! Plans, reports and explanations for people.

use sync::mend::Mend;
use sync::plan::{Action, ExportAction, Item, ObjectPlan, Plan, Would};
use sync::report::OutcomeState;
use sync::{CycleReport, Explanation};

use super::work::in_words;
use crate::io::{Failure, Shell, counted, table};

/// More objects than a person reads; the rest is in `--json`.
const OBJECTS_SHOWN: usize = 200;

pub(super) fn report(report: &CycleReport, shell: &mut Shell) -> Result<(), Failure> {
    plan(&report.plan, shell)?;
    for stop in &report.plan.stopped {
        shell.line(format!(
            "stopped: rule {} would delete {} of {} values or objects of {}; allowed are {}",
            stop.rule, stop.deletes, stop.known, stop.attribute, stop.allowed
        ))?;
        shell.line("next: look at the plan, and if it is right run again with --accept-deletes")?;
    }
    refusals(report, shell)?;
    let apply = &report.apply;
    if apply.added + apply.removed > 0 {
        let (added, removed, confirmed) = (apply.added, apply.removed, apply.confirmed);
        shell.line(format!(
            "written: {added} added, {removed} deleted; {confirmed} confirmed by an import"
        ))?;
    }
    if apply.exported + apply.withdrawn > 0 {
        shell.line(format!(
            "in the cloud: {} made or changed, {} deleted",
            counted(apply.exported, "object"),
            apply.withdrawn
        ))?;
    }
    let unconfirmed = apply.objects.iter().filter(|object| {
        matches!(
            object.state,
            OutcomeState::Written {
                confirmed: false,
                ..
            }
        )
    });
    for object in unconfirmed {
        shell.line(format!(
            "not seen by the import yet: {}; the next cycle looks again",
            object.name
        ))?;
    }
    if report.recovered > 0 {
        shell.line(format!(
            "recovered: {} values of an interrupted cycle were found written",
            report.recovered
        ))?;
    }
    shell.line(in_words(report.outcome))
}

fn plan(plan: &Plan, shell: &mut Shell) -> Result<(), Failure> {
    if !plan.objects.is_empty() {
        let mut rows = table(["", "Object", "Value", "Why"]);
        for object in plan.objects.iter().take(OBJECTS_SHOWN) {
            for item in &object.items {
                rows.add_row([
                    sign(item),
                    object.name.clone(),
                    value(item),
                    item.why.clone(),
                ]);
            }
        }
        shell.line(rows)?;
        let hidden = plan.objects.len().saturating_sub(OBJECTS_SHOWN);
        if hidden > 0 {
            shell.line(format!("and {hidden} more objects; --json shows all"))?;
        }
    }
    exports(plan, shell)?;
    for sleeping in &plan.sleeping {
        shell.line(format!(
            "asleep: rule {}: {}",
            sleeping.rule, sleeping.cause
        ))?;
    }
    for waiting in &plan.waiting {
        shell.line(format!("waiting: {}: {}", waiting.name, waiting.why))?;
    }
    let sum = &plan.summary;
    let parts = [
        (sum.create, "to make in the cloud"),
        (sum.update, "to change there"),
        (sum.delete, "to delete there"),
        (sum.add, "to add"),
        (sum.remove, "to delete"),
        (sum.unchanged, "unchanged"),
        (sum.blocked, "blocked"),
        (sum.drift, "drift"),
        (sum.dormant, "dormant"),
        (sum.refused, "refused by a transform"),
    ];
    let told: Vec<String> = parts
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
    let told = if told.is_empty() {
        "no changes".to_owned()
    } else {
        told.join(", ")
    };
    let persons = counted(sum.persons, "person");
    shell.line(format!("plan: {told} ({persons} looked at)"))
}

/// Objects that are carried into the cloud.
fn exports(plan: &Plan, shell: &mut Shell) -> Result<(), Failure> {
    if plan.exports.is_empty() {
        return Ok(());
    }
    let mut rows = table(["", "Kind", "In the cloud", "Of", "Why"]);
    for export in plan.exports.iter().take(OBJECTS_SHOWN) {
        let mut why = export.changes.clone();
        why.push(export.why.clone());
        rows.add_row([
            export_sign(&export.action),
            export.kind.clone(),
            export.anchor.to_string(),
            export.name.clone(),
            why.join("\n"),
        ]);
    }
    shell.line(rows)?;
    let hidden = plan.exports.len().saturating_sub(OBJECTS_SHOWN);
    if hidden > 0 {
        shell.line(format!("and {hidden} more objects; --json shows all"))?;
    }
    Ok(())
}

fn export_sign(action: &ExportAction) -> String {
    match action {
        ExportAction::Create => "+".to_owned(),
        ExportAction::Update => "±".to_owned(),
        ExportAction::Delete => "-".to_owned(),
        ExportAction::Unchanged => "=".to_owned(),
        ExportAction::Blocked { .. } => "! blocked".to_owned(),
        ExportAction::Drift => "? drift".to_owned(),
        ExportAction::Dormant { .. } => "~ asleep".to_owned(),
    }
}

fn refusals(report: &CycleReport, shell: &mut Shell) -> Result<(), Failure> {
    let refusals = report.refusals();
    let mut told: Vec<&Mend> = Vec::new();
    for refusal in &refusals {
        shell.line("")?;
        shell.line(format!(
            "{} not written to {}",
            refusal.attribute, refusal.name
        ))?;
        shell.line(format!("why:  {}", refusal.reason))?;
        if let Some(message) = refusal.message {
            shell.line(format!("      {message}"))?;
        }
        match refusal.mend {
            Some(mend) if told.contains(&mend) => shell.line("next: as above")?,
            Some(mend) => {
                told.push(mend);
                mended(mend, shell)?;
            }
            None => {}
        }
    }
    for mend in report.plan.mends.iter().filter(|mend| !told.contains(mend)) {
        shell.line("")?;
        mended(mend, shell)?;
    }
    if refusals.is_empty() {
        Ok(())
    } else {
        shell.line("")
    }
}

pub(super) fn mended(mend: &Mend, shell: &mut Shell) -> Result<(), Failure> {
    shell.line(format!("next: {}", mend.advice))?;
    for line in &mend.lines {
        shell.line(format!("      {}", line.line))?;
    }
    Ok(())
}

pub(super) fn drift(plan: &Plan, unconfirmed: u64, shell: &mut Shell) -> Result<(), Failure> {
    exports(plan, shell)?;
    if plan.objects.is_empty() {
        if plan.exports.is_empty() {
            shell.line("no drift: every value is planned or not this sync's to judge")?;
        }
    } else {
        let mut rows = table(["Object", "Value", "Source", "Why"]);
        for object in &plan.objects {
            for item in &object.items {
                let source = item.about.source.clone().unwrap_or_default();
                rows.add_row([
                    object.name.clone(),
                    item.about.label.clone(),
                    source,
                    item.why.clone(),
                ]);
            }
        }
        shell.line(rows)?;
        shell.line("next: `tombolo detect` tells a planted key from a legitimate one")?;
    }
    if unconfirmed > 0 {
        shell.line(format!(
            "{unconfirmed} writes have not been seen by an import"
        ))?;
    }
    Ok(())
}

pub(super) fn explanation(explained: &Explanation, shell: &mut Shell) -> Result<(), Failure> {
    for object in &explained.objects {
        shell.line(format!(
            "{} {} ({})",
            object.connector, object.name, object.anchor
        ))?;
        for (attribute, value) in &object.values {
            shell.line(format!("    {attribute}: {value}"))?;
        }
        if let Some(why) = &object.waiting {
            shell.line(format!("    {why}"))?;
        }
    }
    if let Some(person) = explained.person {
        shell.line(format!("person {person}"))?;
    }
    for value in &explained.values {
        shell.line(format!("    {}: {}", value.attribute, value.value))?;
        shell.line(format!(
            "        from {}, by rule {}",
            value.from, value.rule
        ))?;
    }
    for object in &explained.plan {
        planned(object, shell)?;
    }
    for export in &explained.exports {
        shell.line(format!(
            "{} {} {} in the cloud by rule {}: {}",
            export_sign(&export.action),
            export.kind,
            export.anchor,
            export.rule,
            export.why
        ))?;
    }
    if let Some(reason) = explained.blocked {
        shell.line(format!("the last cycle was blocked: {reason}"))?;
    }
    for failure in &explained.failures {
        let (times, message) = (failure.failures, &failure.message);
        shell.line(format!(
            "{} failed {} in a row, last at {}: {message}",
            failure.attribute,
            counted(times, "time"),
            failure.last_at
        ))?;
    }
    for receipt in &explained.receipts {
        let state = if receipt.state == events::ReceiptState::Written {
            "written"
        } else {
            "confirmed"
        };
        let what = if receipt.operation == events::Operation::ValueAdded {
            "added"
        } else {
            "deleted"
        };
        let hash: String = receipt.value_sha256.chars().take(16).collect();
        shell.line(format!(
            "receipt {}: {what} {hash}…, {state} at {}",
            receipt.sequence, receipt.time
        ))?;
    }
    Ok(())
}

fn planned(object: &ObjectPlan, shell: &mut Shell) -> Result<(), Failure> {
    shell.line(format!(
        "{} of {} by rule {}",
        object.attribute, object.name, object.rule
    ))?;
    for item in &object.items {
        shell.line(format!("    {} {}: {}", sign(item), value(item), item.why))?;
    }
    Ok(())
}

fn value(item: &Item) -> String {
    match &item.about.source {
        Some(source) => format!("{} from {source}", item.about.label),
        None => item.about.label.clone(),
    }
}

/// One sign for each action, with a word where the sign alone would puzzle.
fn sign(item: &Item) -> String {
    let would = |would: &Would| if *would == Would::Add { "+" } else { "-" };
    match &item.action {
        Action::Add => "+".to_owned(),
        Action::Remove => "-".to_owned(),
        Action::Unchanged => "=".to_owned(),
        Action::Blocked { would: w, .. } => format!("!{} blocked", would(w)),
        Action::Dormant { would: w, .. } => format!("~{} asleep", would(w)),
        Action::Drift => "? drift".to_owned(),
        Action::Refused => "x refused".to_owned(),
    }
}
