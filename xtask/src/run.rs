//! Starts programs in the checkout, shows what they say, and counts the tests in it.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::summary::Count;

/// Where the checkout is.
#[derive(Debug)]
pub(crate) struct Context {
    root: PathBuf,
}

impl Context {
    /// The checkout that this program was built from.
    pub(crate) fn find() -> Result<Self, String> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        match here
            .parent()
            .filter(|root| root.join("Cargo.toml").is_file())
        {
            Some(root) => Ok(Self {
                root: root.to_owned(),
            }),
            None => Err(format!(
                "no workspace above {}; run it as `cargo xtask`",
                here.display()
            )),
        }
    }

    /// The root of the checkout.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A path inside the checkout.
    pub(crate) fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A program that will run in the root of the checkout.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        command
    }

    /// The cargo that started us, so that a toolchain given by `cargo +name` stays the same.
    pub(crate) fn cargo(&self) -> Command {
        self.command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }
}

/// Where cargo puts what it builds.
pub(crate) fn target_directory(context: &Context) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || context.path("target"),
        |given| context.root().join(PathBuf::from(given)),
    )
}

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Whether it said so by exit code 0.
    pub(crate) succeeded: bool,
    /// The tests that it reported.
    pub(crate) tests: Count,
    /// What it wrote to stdout.
    pub(crate) output: String,
}

/// Runs a program with its output shown as it comes.
pub(crate) fn show(command: &mut Command) -> Ended {
    say(command);
    run(command, true)
}

/// Runs a program and keeps its stdout for the caller.
pub(crate) fn capture(command: &mut Command) -> Ended {
    run(command.stderr(Stdio::null()), false)
}

fn say(command: &Command) {
    let mut line = command.get_program().to_string_lossy().into_owned();
    if let Some(name) = Path::new(&line).file_name() {
        line = name.to_string_lossy().into_owned();
    }
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    say!("$ {line}");
    drop(std::io::stdout().flush());
}

fn run(command: &mut Command, is_shown: bool) -> Ended {
    let mut child = match command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            if is_shown {
                say!(
                    "could not start {}: {error}",
                    command.get_program().to_string_lossy()
                );
            }
            return Ended {
                succeeded: false,
                tests: Count::default(),
                output: String::new(),
            };
        }
    };
    let mut tests = Count::default();
    let mut output = String::new();
    if let Some(stdout) = child.stdout.take() {
        for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            if is_shown {
                say!("{line}");
            }
            if let Some(count) = count_of(&line) {
                tests.add(count);
            }
            output.push_str(&line);
            output.push('\n');
        }
    }
    let succeeded = child.wait().is_ok_and(|status| status.success());
    Ended {
        succeeded,
        tests,
        output,
    }
}

/// Reads libtest's `test result: ok. 5 passed; 0 failed; 1 ignored; …`.
fn count_of(line: &str) -> Option<Count> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut count = Count::default();
    for part in counts.split(';') {
        let mut words = part.split_whitespace();
        let (Some(number), Some(word)) = (words.next(), words.next()) else {
            continue;
        };
        let Ok(number) = number.parse::<u64>() else {
            continue;
        };
        match word {
            "passed" => count.passed = number,
            "failed" => count.failed = number,
            "ignored" => count.skipped = number,
            _ => {}
        }
    }
    Some(count)
}

/// A program's path, if it is installed; `sbin` is not on everybody's `PATH`.
pub(crate) fn find_program(context: &Context, name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(context.path(".peers/bin"))
        .chain(std::env::split_paths(&path))
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_libtest_prints() {
        let line = "test result: FAILED. 5 passed; 2 failed; 1 ignored; 0 measured; 9 filtered out; finished in 0.01s";
        assert_eq!(
            count_of(line),
            Some(Count {
                passed: 5,
                failed: 2,
                skipped: 1
            })
        );
        assert_eq!(count_of("running 5 tests"), None);
        assert_eq!(count_of("test result: "), None);
    }
}
