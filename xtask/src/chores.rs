//! The chores that are one program each.

use std::process::Command;
use std::time::Instant;

use crate::run::{self, Context, Ended};
use crate::summary::{Count, Summary};

/// The tree is formatted.
pub(crate) fn fmt(context: &Context, summary: &mut Summary) {
    // The names of the files are enough: `cargo fmt --all` mends them.
    let list = ["fmt", "--all", "--", "--check", "-l"];
    one(summary, "fmt", context.cargo().args(list));
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
    tests(summary, "unit", &mut command, 0);
}

/// The outside judges. A judge that is missing fails its test and says how to get it.
pub(crate) fn conformance(context: &Context, names: &[String], summary: &mut Summary) {
    let mut all = judges(context);
    let lacks_vectors = names.is_empty() && std::env::var_os(VECTORS).is_none();
    if lacks_vectors {
        all.retain(|name| name != VECTORS_JUDGE);
        say!(
            "SKIPPED (not passed): {VECTORS_JUDGE}; set {VECTORS} to DSInternals' tests to run it"
        );
    }
    let chosen = if names.is_empty() { &all } else { names };
    let mut command = context.cargo();
    // The whole workspace is selected so that dependencies have the features, and so the builds, of the unit
    // tests.
    command.args(["test", "--workspace", "--no-fail-fast"]);
    for name in chosen {
        command.args(["--test", name]);
    }
    if chosen.is_empty() {
        say!("there is no file in conformance/tests");
        let took = std::time::Duration::ZERO;
        return summary.push("conformance", Count::one(false), took, "no judges");
    }
    for (judge, feature) in FEATURE_JUDGES {
        if chosen.iter().any(|name| name == judge) {
            with_feature(context, feature, summary);
        }
    }
    let skipped = u64::from(lacks_vectors);
    tests(summary, "conformance", &mut command, skipped);
}

/// The judges of what only a build with a feature has, and that feature.
const FEATURE_JUDGES: [(&str, &str); 2] = [("swtpm_seal", "tpm"), ("pcscd_softkey", "pcsc")];

/// Lints what a feature adds, and builds the program that its judge runs; the default build needs no foreign library.
fn with_feature(context: &Context, feature: &str, summary: &mut Summary) {
    let features = format!("--features=tombolo/{feature}");
    let features = ["--workspace", &features, "--quiet"];
    let mut clippy = context.cargo();
    clippy.arg("clippy").args(features);
    let clippy = clippy.args(["--", "-D", "warnings"]);
    one(summary, &format!("clippy ({feature})"), clippy);
    let mut build = context.cargo();
    build.arg("build").args(features);
    let build = build.args(["--bin", "tombolo"]);
    one(summary, &format!("build ({feature})"), build);
}

/// A judge that is a directory of files, which no package ships.
const VECTORS_JUDGE: &str = "dsinternals_vectors";
const VECTORS: &str = "TOMBOLO_DSINTERNALS_VECTORS";

/// The files of `conformance/tests`; directories there are shared by them.
fn judges(context: &Context) -> Vec<String> {
    let entries = std::fs::read_dir(context.path("conformance/tests"));
    let paths = entries
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    let mut names: Vec<String> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}

/// Licences, bans and sources. The advisories need a database from the internet: `cargo deny check
/// advisories` reads it where there is one.
pub(crate) fn deny(context: &Context, summary: &mut Summary) {
    let Some(program) = run::find_program(context, "cargo-deny") else {
        say!("cargo-deny is missing\nnext: run `cargo xtask peers`");
        let took = std::time::Duration::ZERO;
        return summary.push("deny", Count::one(false), took, "cargo-deny is missing");
    };
    for (chore, manifest) in [("deny", "Cargo.toml"), ("deny (fuzz)", "fuzz/Cargo.toml")] {
        let mut command = context.command(&program);
        command.args(["--log-level", "error", "--manifest-path", manifest]);
        command.args([
            "--config",
            "deny.toml",
            "check",
            "licenses",
            "bans",
            "sources",
        ]);
        one(summary, chore, &mut command);
    }
}

/// Side-by-side benchmarks: all of them, or one with its own options.
pub(crate) fn bench(context: &Context, arguments: &[String], summary: &mut Summary) {
    let all = benchmarks(context);
    let runs: Vec<&[String]> = match arguments {
        [] => all.chunks(1).collect(),
        one => vec![one],
    };
    for arguments in runs {
        let mut command = context.cargo();
        command
            .args(["run", "--release", "--quiet", "--package", "bench", "--"])
            .args(arguments);
        let name = arguments.first().map_or("bench", String::as_str);
        one(summary, name, &mut command);
    }
}

/// The benchmarks' names: the variants of `bench`'s command line, as clap spells them.
fn benchmarks(context: &Context) -> Vec<String> {
    let main = std::fs::read_to_string(context.path("bench/src/main.rs")).unwrap_or_default();
    let variants = main
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Bench::")?.split_once('('));
    variants.map(|(name, _)| kebab_case(name)).collect()
}

fn kebab_case(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

fn one(summary: &mut Summary, chore: &str, command: &mut Command) {
    let start = Instant::now();
    let ended = run::show(command);
    summary.push(chore, Count::one(ended.succeeded), start.elapsed(), "");
}

/// A runner that counts its tests. One that fails without a failed test (it did not build) counts as one.
fn tests(summary: &mut Summary, chore: &str, command: &mut Command, skipped: u64) {
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
        say!("failed: {line}");
    }
    count.skipped += skipped;
    let note = match (succeeded, count.failed) {
        (false, 0) => {
            count.failed = 1;
            "did not build, or a test died"
        }
        _ => "",
    };
    summary.push(chore, count, start.elapsed(), note);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn benchmarks_are_found() {
        assert_eq!(kebab_case("SyncPlan"), "sync-plan");
        let context = Context::find().unwrap();
        assert!(benchmarks(&context).contains(&"keycred".to_owned()));
    }
}
