//! The story, whole: every step holds.

use lab::story::{self, Moment};

#[test]
fn every_step_holds() {
    let report = story::play(&mut |moment| {
        if let Moment::After(step) = moment {
            let word = if step.passed { "ok" } else { "FAILED" };
            println!(
                "{:>2} {word:<6} {}: {} ({} ms)",
                step.number, step.id, step.seen, step.milliseconds
            );
            for detail in &step.details {
                println!("      {detail}");
            }
        }
    })
    .unwrap();
    let failed: Vec<_> = report
        .steps
        .iter()
        .filter(|step| !step.passed)
        .map(|step| (step.id, &step.seen))
        .collect();
    assert!(report.all_passed(), "{failed:#?}");
}
