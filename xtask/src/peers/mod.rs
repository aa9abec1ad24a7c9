//! Installs the judges where it may (root on Debian and its children), and otherwise says what is missing.
//!
//! Everything that is not a system package goes into `.peers/` of the checkout: a Python environment with
//! the pinned packages of `conformance/requirements.txt`, those of `conformance/node`, `cargo-deny`, programs whose Debian package cannot
//! be installed beside another judge, and a newer Debian with a newer Samba.

mod node;
mod packages;
mod python;
mod samba;
mod unpacked;

use std::path::Path;
use std::time::Instant;

use crate::run::{self, Context};
use crate::summary::{Count, Summary};

/// Installs what is missing, or says how to.
pub(crate) fn install(context: &Context, with_bench: bool, summary: &mut Summary) {
    let start = Instant::now();
    let mut missing = packages::install(context, with_bench);
    for step in [
        unpacked::install,
        samba::install,
        python::environment,
        python::cargo_deny,
        node::packages,
    ] {
        if missing.is_empty()
            && let Err(error) = step(context)
        {
            missing.push(error);
        }
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

/// Whether this is root on a Debian.
fn may_install(context: &Context) -> bool {
    let is_root = run::capture(context.command("id").arg("-u")).output.trim() == "0";
    is_root && Path::new("/etc/debian_version").is_file()
}

/// Runs `apt-get` without questions.
fn apt(context: &Context, arguments: &[&str]) -> bool {
    let mut command = context.command("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(arguments);
    run::show(&mut command).succeeded
}
