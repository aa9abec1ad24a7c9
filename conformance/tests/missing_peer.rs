//! A judge that is missing fails the run, and says how to get it.

#![allow(clippy::unwrap_used, reason = "a test may stop")]

use conformance::peers;

#[test]
fn a_missing_judge_is_named() {
    let panic = std::panic::catch_unwind(|| peers::program("no-such-judge")).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(
        text.contains("no-such-judge") && text.contains("cargo xtask peers"),
        "{text}"
    );
}
