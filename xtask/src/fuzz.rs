//! The fuzz targets on stable Rust: libFuzzer with coverage, without cargo-fuzz and without nightly.
//!
//! What cargo-fuzz does with `-Zsanitizer`, the stable flag `-Cpasses=sancov-module` does for coverage alone;
//! there is no address sanitizer, which code without `unsafe` needs least.

use std::process::Command;
use std::time::Instant;

use crate::run::{self, Context};
use crate::summary::{Count, Summary};

/// How long, and which targets.
#[derive(Debug)]
pub(crate) struct Options {
    seconds: u32,
    targets: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seconds: 4,
            targets: Vec::new(),
        }
    }
}

impl Options {
    /// Reads `[--seconds N] [TARGET...]`.
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            match argument.as_str() {
                "--seconds" => {
                    let number = rest.next().and_then(|text| text.parse().ok());
                    options.seconds = number.ok_or("--seconds needs a number")?;
                }
                other if other.starts_with('-') => return Err(format!("unknown option {other}")),
                target => options.targets.push(target.to_owned()),
            }
        }
        Ok(options)
    }
}

const COVERAGE: &str = "--cfg fuzzing -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cdebug-assertions=on -Coverflow-checks=on -Cforce-frame-pointers=yes";

/// An input longer than this teaches nothing in a few seconds.
const INPUT_BYTES_MAX: &str = "-max_len=65536";

/// Runs each target from a fixed seed; the same checkout explores the same inputs.
pub(crate) fn smoke(context: &Context, options: &Options, summary: &mut Summary) {
    let start = Instant::now();
    let listed = match targets(context) {
        Ok(listed) => listed,
        Err(error) => {
            say!("{error}");
            return summary.push(
                "fuzz",
                Count::one(false),
                start.elapsed(),
                "targets and manifest differ",
            );
        }
    };
    let chosen: Vec<&String> = listed
        .iter()
        .filter(|name| options.targets.is_empty() || options.targets.contains(name))
        .collect();
    let Some(triple) = host(context) else {
        say!("rustc does not say which machine this is");
        return summary.push(
            "fuzz",
            Count::one(false),
            start.elapsed(),
            "rustc -vV failed",
        );
    };
    // `--target` keeps the coverage flags away from build scripts and macros.
    let mut build = context.cargo();
    build
        .env("RUSTFLAGS", COVERAGE)
        .args(["build", "--manifest-path", "fuzz/Cargo.toml"]);
    build.args([
        "--quiet",
        "--release",
        "--target",
        &triple,
        "--target-dir",
        "fuzz/target",
    ]);
    for name in &chosen {
        build.args(["--bin", name]);
    }
    if chosen.is_empty() || !run::show(&mut build).succeeded {
        return summary.push("fuzz", Count::one(false), start.elapsed(), "did not build");
    }
    let mut count = Count::default();
    for name in chosen {
        let succeeded = run_target(context, name, &triple, options.seconds);
        count.add(Count::one(succeeded));
    }
    summary.push("fuzz", count, start.elapsed(), "");
}

fn run_target(context: &Context, name: &str, triple: &str, seconds: u32) -> bool {
    let artifacts = format!("fuzz/artifacts/{name}/");
    let corpus = format!("fuzz/corpus/{name}");
    for directory in [&artifacts, &corpus] {
        if let Err(error) = std::fs::create_dir_all(context.path(directory)) {
            say!("could not make {directory}: {error}");
            return false;
        }
    }
    let binary = context.path(&format!("fuzz/target/{triple}/release/{name}"));
    let mut command: Command = context.command(binary);
    command.arg(format!("-max_total_time={seconds}"));
    command.args([
        "-seed=2026",
        INPUT_BYTES_MAX,
        "-timeout=10",
        "-rss_limit_mb=2048",
    ]);
    command.arg("-print_final_stats=1");
    command
        .arg(format!("-artifact_prefix={artifacts}"))
        .arg(corpus);
    let seeds = format!("fuzz/seeds/{name}");
    if context.path(&seeds).is_dir() {
        command.arg(seeds);
    }
    // libFuzzer tells everything on stderr; only a failure is worth reading.
    let Ok(ended) = command.output() else {
        say!("{name}: could not be started");
        return false;
    };
    let told = String::from_utf8_lossy(&ended.stderr);
    let inputs = executed(&told);
    if ended.status.success() && inputs > 0 {
        say!("{name}: {inputs} inputs in {seconds} s");
        return true;
    }
    say!("{told}\n{name} FAILED; the input that does it is in {artifacts}");
    false
}

/// How many inputs libFuzzer tried, from its closing statistics.
fn executed(told: &str) -> u64 {
    let line = told
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    line.and_then(|number| number.trim().parse().ok())
        .unwrap_or(0)
}

/// The targets of `fuzz/fuzz_targets`, each of which must have its `[[bin]]` in `fuzz/Cargo.toml`.
fn targets(context: &Context) -> Result<Vec<String>, String> {
    let directory = context.path("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&directory)
        .map_err(|error| format!("could not read {}: {error}", directory.display()))?;
    let mut names: Vec<String> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    let manifest = std::fs::read_to_string(context.path("fuzz/Cargo.toml"))
        .map_err(|error| format!("could not read fuzz/Cargo.toml: {error}"))?;
    let missing: Vec<&String> = names
        .iter()
        .filter(|name| !manifest.contains(&format!("fuzz_targets/{name}.rs")))
        .collect();
    if missing.is_empty() {
        return Ok(names);
    }
    Err(format!(
        "fuzz/Cargo.toml has no [[bin]] for {missing:?}\nnext: add one for each, as for the others"
    ))
}

fn host(context: &Context) -> Option<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = run::capture(context.command(rustc).arg("-vV")).output;
    told.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_counted() {
        assert_eq!(executed("x\nstat::number_of_executed_units: 4711\n"), 4711);
        assert_eq!(executed("==12== ERROR"), 0);
    }

    #[test]
    fn options_are_read() {
        let words =
            |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_owned).collect() };
        let options = Options::parse(&words("--seconds 60 sddl blob")).unwrap();
        assert_eq!((options.seconds, options.targets.len()), (60, 2));
        assert!(Options::parse(&words("--seconds")).is_err());
        assert!(Options::parse(&words("--second 5")).is_err());
    }
}
