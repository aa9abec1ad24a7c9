//! Programs whose package excludes that of another judge (Heimdal's tools and MIT's), unpacked into `.peers/`
//! without being installed. The libraries that they need do not exclude each other and are installed.

use std::path::PathBuf;

use super::{apt, may_install};
use crate::run::{self, Context};

struct Unpacked {
    /// Directory below `.peers`.
    directory: &'static str,
    packages: &'static [&'static str],
    /// A program that shows it is there.
    program: &'static str,
    needed_by: &'static str,
}

const UNPACKED: [Unpacked; 4] = [
    Unpacked {
        directory: "heimdal",
        packages: &["heimdal-clients"],
        program: "usr/bin/kinit.heimdal",
        needed_by: "conformance: Heimdal's tools",
    },
    // Not installed, because Debian would start it, and MIT's programs of the machine might find it.
    Unpacked {
        directory: "heimdal-kcm",
        packages: &["heimdal-kcm"],
        program: "usr/sbin/kcm",
        needed_by: "conformance: Heimdal's cache manager",
    },
    // Not installed, because Debian would start it.
    Unpacked {
        directory: "mit-kdc",
        packages: &["krb5-kdc", "krb5-admin-server"],
        program: "usr/sbin/krb5kdc",
        needed_by: "bench: MIT's KDC",
    },
    // What MIT's tools speak HTTPS with. Installed, it would change every Kerberos program of the machine.
    Unpacked {
        directory: "k5tls",
        packages: &["krb5-k5tls"],
        program: "usr/lib/x86_64-linux-gnu/krb5/plugins/tls/k5tls.so",
        needed_by: "conformance: MIT's tools over the proxy",
    },
];

/// Unpacks what is missing, once.
pub(super) fn install(context: &Context) -> Result<(), String> {
    for wanted in &UNPACKED {
        let root = context.path(&format!(".peers/{}", wanted.directory));
        if root.join(wanted.program).is_file() {
            continue;
        }
        let hint = format!(
            "missing: {} (needed by {})\nnext: as root on Debian run `cargo xtask peers`",
            wanted.program, wanted.needed_by
        );
        if !may_install(context) || !unpack(context, wanted, root) {
            return Err(hint);
        }
    }
    Ok(())
}

fn unpack(context: &Context, wanted: &Unpacked, root: PathBuf) -> bool {
    let downloads = context.path(".peers/downloads");
    if let Err(error) =
        std::fs::create_dir_all(&downloads).and_then(|()| std::fs::create_dir_all(&root))
    {
        say!("could not make {}: {error}", root.display());
        return false;
    }
    let mut command = context.command("apt-get");
    command.current_dir(&downloads).arg("-qq").arg("download");
    if !run::show(command.args(wanted.packages)).succeeded {
        return false;
    }
    let unpacked = wanted.packages.iter().all(|package| {
        let Some(archive) = archive(&downloads, package) else {
            return false;
        };
        let libraries = libraries(context, &archive);
        let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
        arguments.extend(libraries.iter().map(String::as_str));
        let mut unpack = context.command("dpkg-deb");
        unpack.arg("-x").arg(&archive).arg(&root);
        apt(context, &arguments) && run::show(&mut unpack).succeeded
    });
    unpacked && root.join(wanted.program).is_file()
}

fn archive(downloads: &std::path::Path, package: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(downloads).ok()?.flatten();
    let mut paths = entries.map(|entry| entry.path());
    paths.find(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(&format!("{package}_")) && name.ends_with(".deb")
    })
}

/// The libraries among what a package depends on.
fn libraries(context: &Context, archive: &std::path::Path) -> Vec<String> {
    let mut command = context.command("dpkg-deb");
    command.arg("--field").arg(archive).arg("Depends");
    let depends = run::capture(&mut command).output;
    first_alternatives(&depends)
        .filter(|name| name.starts_with("lib"))
        .map(str::to_owned)
        .collect()
}

fn first_alternatives(depends: &str) -> impl Iterator<Item = &str> {
    depends
        .split(',')
        .filter_map(|item| item.split(['|', '(', ' ']).find(|word| !word.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_are_read() {
        let depends = "debconf (>= 0.5) | debconf-2.0, libc6 (>= 2.34), libverto-libev1 | libverto-libevent1\n";
        let names: Vec<&str> = first_alternatives(depends).collect();
        assert_eq!(names, ["debconf", "libc6", "libverto-libev1"]);
    }
}
