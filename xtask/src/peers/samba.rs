//! Samba AD with key trust (4.24 or newer), which Debian 12 does not have: a newer Debian in a folder of `.peers/`.

use super::may_install;
use crate::run::{self, Context};

/// Where `conformance::samba` looks for it.
const ROOT: &str = ".peers/samba-424";
const SCRIPT: &str = "conformance/samba/make-chroot.sh";

/// Makes the folder, once. It takes about a minute and 330 MB.
pub(super) fn install(context: &Context) -> Result<(), String> {
    let root = context.path(ROOT);
    if root.join("usr/sbin/samba").is_file() {
        return Ok(());
    }
    let made = may_install(context)
        && std::fs::create_dir_all(context.path(".peers")).is_ok()
        && run::show(context.command(context.path(SCRIPT)).arg(&root)).succeeded;
    if made {
        return Ok(());
    }
    Err(
        "missing: Samba AD 4.24 (needed by conformance: key trust and the sync, side by side)\n\
         next: as root on Debian run `cargo xtask peers`"
            .to_owned(),
    )
}
