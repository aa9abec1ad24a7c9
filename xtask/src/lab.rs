//! Plays the lab's story and its experiments from the release binary, as the README tells people to, and counts their
//! steps.

use std::time::Instant;

use crate::run::{self, Context};
use crate::summary::{Count, Summary};

/// Builds the release binary, plays the story, and runs the experiments.
pub(crate) fn play(context: &Context, summary: &mut Summary) {
    let start = Instant::now();
    let built =
        run::show(
            context
                .cargo()
                .args(["build", "--release", "--quiet", "--package", "tombolo"]),
        );
    if !built.succeeded {
        return summary.push(
            "lab",
            Count::one(false),
            start.elapsed(),
            "the release did not build",
        );
    }
    let binary = run::target_directory(context).join("release/tombolo");
    let story = Instant::now();
    let ended = run::show(context.command(&binary).arg("lab"));
    let count = count_steps(&ended.output, ended.succeeded);
    let note = format!("the story took {:.1} s", story.elapsed().as_secs_f64());
    summary.push("lab", count, start.elapsed(), &note);
    let experiments = Instant::now();
    let ended = run::show(context.command(&binary).args(["lab", "run", "--all"]));
    let count = count_steps(&ended.output, ended.succeeded);
    summary.push("experiments", count, experiments.elapsed(), "");
}

/// The report ends with `N passed, M failed`; a story that dies before that counts as one failure.
fn count_steps(report: &str, succeeded: bool) -> Count {
    let counted = report.lines().rev().find_map(|line| {
        let (passed, failed) = line.trim().split_once(" passed, ")?;
        let failed = failed.strip_suffix(" failed")?;
        let passed = passed.rsplit(' ').next()?;
        Some((passed.parse().ok()?, failed.parse().ok()?))
    });
    match counted {
        Some((passed, failed)) if succeeded == (failed == 0) => Count {
            passed,
            failed,
            skipped: 0,
        },
        Some((passed, failed)) => Count {
            passed,
            failed: failed + 1,
            skipped: 0,
        },
        None => Count::one(succeeded),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_counted() {
        let report = "a step\n12 passed, 0 failed\n";
        assert_eq!(
            count_steps(report, true),
            Count {
                passed: 12,
                failed: 0,
                skipped: 0
            }
        );
        assert_eq!(
            count_steps(report, false),
            Count {
                passed: 12,
                failed: 1,
                skipped: 0
            }
        );
        assert_eq!(count_steps("", true), Count::one(true));
        assert_eq!(count_steps("", false), Count::one(false));
    }
}
