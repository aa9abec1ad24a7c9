//! The matrix for a terminal: marks, and the reasons below.

use ::lab::outage::{Cell, Matrix, Outcome, ROWS, SITUATIONS};

use super::duration::moment;
use crate::io::{Failure, Shell, table as new_table};

/// Reasons, each said once, in the order in which a reader meets them.
pub(super) struct Reasons<'a>(Vec<Vec<&'a Cell>>);

impl<'a> Reasons<'a> {
    pub(super) fn of(matrix: &'a Matrix) -> Self {
        let mut reasons: Vec<Vec<&Cell>> = Vec::new();
        for row in ROWS {
            for situation in &SITUATIONS {
                let Some(cell) = matrix.cell(row.id, situation.id) else {
                    continue;
                };
                let known = reasons.iter_mut().find(|cells| {
                    cells
                        .first()
                        .is_some_and(|first| first.mechanism == cell.mechanism)
                });
                match known {
                    Some(cells) => cells.push(cell),
                    None => reasons.push(vec![cell]),
                }
            }
        }
        Self(reasons)
    }

    /// The number of a cell's reason, from 1.
    pub(super) fn number(&self, cell: &Cell) -> usize {
        let at = self.0.iter().position(|cells| {
            cells
                .first()
                .is_some_and(|first| first.mechanism == cell.mechanism)
        });
        at.map_or(0, |at| at + 1)
    }

    /// Number, outcome, and text with the moments at which it ends.
    pub(super) fn each(&self) -> impl Iterator<Item = (usize, Outcome, String)> + '_ {
        self.0.iter().enumerate().filter_map(|(at, cells)| {
            let first = cells.first()?;
            let mut ends: Vec<_> = cells.iter().filter_map(|cell| cell.until).collect();
            ends.sort_unstable();
            ends.dedup();
            let text = match ends.as_slice() {
                [] => first.mechanism.clone(),
                [one] => format!("{}; until {}", first.mechanism, moment(*one)),
                [one, .., last] => format!(
                    "{}; until {} to {}",
                    first.mechanism,
                    moment(*one),
                    moment(*last)
                ),
            };
            Some((at + 1, first.outcome, text))
        })
    }
}

/// Prints the table.
pub(super) fn table(matrix: &Matrix, shell: &mut Shell) -> Result<(), Failure> {
    let reasons = Reasons::of(matrix);
    let head = std::iter::once("").chain(SITUATIONS.iter().map(|situation| situation.short));
    let mut rows = new_table(head);
    let mut group = "";
    for row in ROWS {
        if row.group != group {
            group = row.group;
            rows.add_row([group.to_uppercase()]);
        }
        let star = if row.is_documented { "" } else { " *" };
        let mut line = vec![format!("{}{star}", row.title)];
        for situation in &SITUATIONS {
            let cell = matrix.cell(row.id, situation.id);
            line.push(cell.map_or_else(String::new, |cell| {
                format!("{} {}", mark(cell.outcome), reasons.number(cell))
            }));
        }
        rows.add_row(line);
    }
    shell.line(format_args!(
        "Everybody signs in on {}; the outage begins at {}, and each cell is tried at its end.",
        moment(matrix.signed_in),
        moment(matrix.outage)
    ))?;
    shell.line(rows)?;
    for (number, outcome, text) in reasons.each() {
        shell.line(format_args!("{} {number:>2}  {text}", mark(outcome)))?;
    }
    shell.line("*  what the original system does here is not publicly documented; shown is ours. The record, row by row: --html FILE")?;
    let works = matrix
        .cells
        .iter()
        .filter(|cell| cell.outcome == Outcome::Works)
        .count();
    let tried = matrix.cells.len();
    shell.line(format_args!(
        "{tried} cells tried: {works} work, {} do not",
        tried - works
    ))
}

fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Works => "✓",
        Outcome::Fails => "✗",
    }
}
