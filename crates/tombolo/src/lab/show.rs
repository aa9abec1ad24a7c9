//! The story for people: told step by step, and summed up in a table.

use ::lab::report::{Report, Step};
use comfy_table::CellAlignment;

use crate::io::{Failure, Shell, table};

/// Details longer than this are cut: they are there to be looked at, not to be copied.
const DETAIL_CHARACTERS_MAX: usize = 240;

/// One step, when it has been played.
pub(super) fn step(step: &Step, shell: &mut Shell) -> Result<(), Failure> {
    shell.line(format!("{:>2}  {}", step.number, step.title))?;
    let word = if step.passed { "seen" } else { "FAILED" };
    shell.line(format!("    {word}: {}", step.seen))?;
    if !step.passed {
        shell.line(format!("    expected: {}", step.expected))?;
    }
    for detail in &step.details {
        shell.line(format!("      {}", cut(detail)))?;
    }
    shell.line("")?;
    shell.flush()
}

/// The table at the end, and the line that programs count.
pub(super) fn summary(report: &Report, shell: &mut Shell) -> Result<(), Failure> {
    let mut summary = table(["", "what was done", "what should be seen", "", "ms"]);
    for step in &report.steps {
        let word = if step.passed { "ok" } else { "FAILED" };
        summary.add_row([
            step.number.to_string(),
            step.title.to_owned(),
            step.expected.to_owned(),
            word.to_owned(),
            step.milliseconds.to_string(),
        ]);
    }
    if let Some(column) = summary.column_mut(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    shell.line(summary)?;
    shell.line(claims(report))?;
    shell.line(format!(
        "realm {}, {} steps in {}.{:01} s; try it yourself: tombolo lab up",
        report.realm,
        report.steps.len(),
        report.milliseconds / 1000,
        report.milliseconds % 1000 / 100
    ))?;
    shell.line(format!(
        "{} passed, {} failed",
        report.passed, report.failed
    ))
}

/// What all of it shows, and who else can be asked.
fn claims(report: &Report) -> comfy_table::Table {
    let mut rows = table(["claim", "shown", "by whom it can be judged"]);
    for claim in &report.claims {
        let steps: Vec<String> = claim.steps.iter().map(ToString::to_string).collect();
        let steps = match steps.as_slice() {
            [only] => format!("step {only}"),
            _ => format!("steps {}", steps.join(", ")),
        };
        let shown = match claim.shown {
            true => steps,
            false => format!("FAILED: {steps}"),
        };
        let judge = match claim.judge {
            "" => format!("nobody else yet; {}", claim.command),
            judge => format!("{judge}: {}", claim.command),
        };
        rows.add_row([claim.claim.to_owned(), shown, judge]);
    }
    rows
}

fn cut(detail: &str) -> String {
    let mut characters = detail.chars();
    let head: String = characters.by_ref().take(DETAIL_CHARACTERS_MAX).collect();
    if characters.next().is_some() {
        format!("{head}…")
    } else {
        head
    }
}
