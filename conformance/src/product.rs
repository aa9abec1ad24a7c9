//! Our own program, as a judge's test runs it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::Said;
use crate::peers::root;

/// The `tombolo` of this build. Cargo makes a package's programs for the package's own tests alone, so it is asked for
/// this one; where it is up to date that takes a moment.
///
/// # Panics
/// When it cannot be built.
#[expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test without its program has failed"
)]
pub fn tombolo() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let own = std::env::current_exe().expect("a test is a program");
        // target/PROFILE/deps/TEST
        let Some(profile) = own.ancestors().nth(2) else {
            panic!("{} is in no target directory", own.display());
        };
        let mut command = Command::new(env!("CARGO"));
        command
            .current_dir(root())
            .args(["build", "--quiet", "--workspace", "--bin", "tombolo"])
            .arg("--target-dir")
            .arg(profile.parent().unwrap_or(profile));
        if profile.ends_with("release") {
            command.arg("--release");
        }
        Said::of(&mut command, "").well();
        profile.join("tombolo")
    });
    built.clone()
}

/// `tombolo lab shell` with these options, and a script of `sh` inside of it.
pub fn in_lab(options: &[&str], script: &str) -> Command {
    let mut command = Command::new(tombolo());
    command
        .args(["--quiet", "lab", "shell"])
        .args(options)
        .args(["--", "sh", "-c", script]);
    command
}
