//! Our own program, as a judge's test runs it.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

use crate::Said;
use crate::peers::root;

/// The `tombolo` of this build. Cargo makes a package's programs for the package's own tests alone, so it is asked for
/// this one; where it is up to date that takes a moment.
///
/// # Panics
/// When it cannot be built.
pub fn tombolo() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build(&[], "tombolo")).clone()
}

/// The `tombolo` that can talk to a TPM. It gets a name of its own, so that both are there.
///
/// # Panics
/// When it cannot be built: libtss2 and libclang are needed.
pub fn tombolo_with_tpm() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let features = ["--features", "tombolo/tpm"];
    BUILT
        .get_or_init(|| build(&features, "tombolo-with-tpm"))
        .clone()
}

/// The `tombolo` that speaks to keys on smart-card readers, beside the others.
///
/// # Panics
/// When it cannot be built: libpcsclite is needed.
pub fn tombolo_with_pcsc() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let features = ["--features", "tombolo/pcsc"];
    BUILT
        .get_or_init(|| build(&features, "tombolo-with-pcsc"))
        .clone()
}

/// The PAM module of this build.
///
/// # Panics
/// When it cannot be built.
pub fn pam_module() -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            // Beside the program: `--lib` names what each package's own tests have built already.
            build(&["--lib"], "tombolo").with_file_name("libpam_tombolo.so")
        })
        .clone()
}

#[expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test without its program has failed"
)]
fn build(features: &[&str], name: &str) -> PathBuf {
    // One at a time: both are made at the same place.
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock();
    let own = std::env::current_exe().expect("a test is a program");
    // target/PROFILE/deps/TEST
    let Some(profile) = own.ancestors().nth(2) else {
        panic!("{} is in no target directory", own.display());
    };
    let mut command = Command::new(env!("CARGO"));
    command
        .current_dir(root())
        .args(["build", "--quiet", "--workspace", "--bin", "tombolo"])
        .args(features)
        .arg("--target-dir")
        .arg(profile.parent().unwrap_or(profile));
    if profile.ends_with("release") {
        command.arg("--release");
    }
    Said::of(&mut command, "").well();
    let (made, named) = (profile.join("tombolo"), profile.join(name));
    if made != named {
        std::fs::copy(&made, &named).expect("the program can be copied");
    }
    drop(turn);
    named
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
