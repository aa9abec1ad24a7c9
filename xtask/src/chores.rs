//! The chores that are one program each.

use std::process::Command;
use std::time::Instant;

use crate::run::{self, Context, Ended};
use crate::summary::{Count, Summary};

/// The tree is formatted.
pub(crate) fn fmt(context: &Context, summary: &mut Summary) {
    one(
        summary,
        "fmt",
        context.cargo().args(["fmt", "--all", "--check"]),
    );
}

/// No lint complains.
pub(crate) fn clippy(context: &Context, summary: &mut Summary) {
    let mut command = context.cargo();
    command.args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "-D",
        "warnings",
    ]);
    one(summary, "clippy", &mut command);
}

/// Unit, property and documentation tests. None of them needs a foreign program.
pub(crate) fn unit(context: &Context, summary: &mut Summary) {
    let mut command = context.cargo();
    command.args([
        "test",
        "--workspace",
        "--exclude",
        "conformance",
        "--no-fail-fast",
    ]);
    tests(summary, "unit", &mut command);
}

/// The outside judges. A judge that is missing fails its test and says how to get it.
pub(crate) fn conformance(context: &Context, summary: &mut Summary) {
    let mut command = context.cargo();
    command.args(["test", "--package", "conformance", "--no-fail-fast"]);
    tests(summary, "conformance", &mut command);
}

/// Licences, bans and sources. The advisories need a database from the internet: `cargo deny check
/// advisories` reads it where there is one.
pub(crate) fn deny(context: &Context, summary: &mut Summary) {
    let Some(program) = run::find_program(context, "cargo-deny") else {
        println!("cargo-deny is missing\nnext: run `cargo xtask peers`");
        let took = std::time::Duration::ZERO;
        return summary.push("deny", Count::one(false), took, "cargo-deny is missing");
    };
    let mut command = context.command(program);
    command.args([
        "--log-level",
        "error",
        "check",
        "licenses",
        "bans",
        "sources",
    ]);
    one(summary, "deny", &mut command);
}

/// Side-by-side benchmarks: all of them, or the named ones.
pub(crate) fn bench(context: &Context, names: &[String], summary: &mut Summary) {
    let found = std::fs::read_dir(context.path("bench/src/bin"))
        .into_iter()
        .flatten()
        .flatten();
    let mut all: Vec<String> = found
        .filter_map(|entry| Some(entry.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    all.sort();
    let chosen = if names.is_empty() { &all } else { names };
    for name in chosen {
        let mut command = context.cargo();
        command.args([
            "run",
            "--release",
            "--quiet",
            "--package",
            "bench",
            "--bin",
            name,
        ]);
        one(summary, name, &mut command);
    }
}

fn one(summary: &mut Summary, chore: &str, command: &mut Command) {
    let start = Instant::now();
    let ended = run::show(command);
    summary.push(chore, Count::one(ended.succeeded), start.elapsed(), "");
}

/// A runner that counts its tests. One that fails without a failed test (it did not build) counts as one.
fn tests(summary: &mut Summary, chore: &str, command: &mut Command) {
    let start = Instant::now();
    let Ended {
        succeeded,
        tests: mut count,
        output,
    } = run::show(command);
    for line in output
        .lines()
        .filter(|line| line.starts_with("test ") && line.ends_with("FAILED"))
    {
        println!("failed: {line}");
    }
    let note = match (succeeded, count.failed) {
        (false, 0) => {
            count.failed = 1;
            "did not build, or a test died"
        }
        _ => "",
    };
    summary.push(chore, count, start.elapsed(), note);
}
