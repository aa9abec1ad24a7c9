//! What each runner counted, as a table, and the one line that a machine reads.

use std::time::Duration;

/// What one runner counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
}

impl Count {
    /// One check that went well or did not.
    pub(crate) fn one(passed: bool) -> Self {
        Self {
            passed: u64::from(passed),
            failed: u64::from(!passed),
            skipped: 0,
        }
    }

    /// Adds another count.
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

#[derive(Debug)]
struct Row {
    chore: String,
    count: Count,
    took: Duration,
    note: String,
}

/// All rows of one run.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    rows: Vec<Row>,
}

impl Summary {
    /// Adds a row and says at once how it went.
    pub(crate) fn push(&mut self, chore: &str, count: Count, took: Duration, note: &str) {
        let verdict = if count.failed == 0 { "ok" } else { "FAILED" };
        say!(
            "== {chore}: {verdict}{}{note}\n",
            if note.is_empty() { "" } else { ", " }
        );
        self.rows.push(Row {
            chore: chore.to_owned(),
            count,
            took,
            note: note.to_owned(),
        });
    }

    /// Whether nothing failed, and something was checked at all.
    pub(crate) fn all_passed(&self) -> bool {
        let total = self.total();
        total.failed == 0 && total.passed > 0
    }

    /// The table and, as the last line, the sum.
    pub(crate) fn print(&self) {
        say!(
            "{:<14} {:>7} {:>7} {:>8} {:>8}  note",
            "chore",
            "passed",
            "failed",
            "skipped",
            "seconds"
        );
        for row in &self.rows {
            let Count {
                passed,
                failed,
                skipped,
            } = row.count;
            let seconds = row.took.as_secs_f64();
            let line = format!(
                "{:<14} {passed:>7} {failed:>7} {skipped:>8} {seconds:>8.1}  {}",
                row.chore, row.note
            );
            say!("{}", line.trim_end());
        }
        say!("\n{}", self.last_line());
    }

    fn last_line(&self) -> String {
        let Count {
            passed,
            failed,
            skipped,
        } = self.total();
        let skipped = if skipped == 0 {
            String::new()
        } else {
            format!(", {skipped} skipped")
        };
        format!("{passed} passed, {failed} failed{skipped}")
    }

    fn total(&self) -> Count {
        let mut total = Count::default();
        for row in &self.rows {
            total.add(row.count);
        }
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_over_all_runners() {
        let mut summary = Summary::default();
        assert!(!summary.all_passed(), "nothing was checked");
        summary.push(
            "a",
            Count {
                passed: 3,
                failed: 0,
                skipped: 1,
            },
            Duration::ZERO,
            "",
        );
        assert!(summary.all_passed());
        summary.push("b", Count::one(false), Duration::ZERO, "broken");
        assert!(!summary.all_passed());
        assert_eq!(summary.last_line(), "3 passed, 1 failed, 1 skipped");
    }
}
