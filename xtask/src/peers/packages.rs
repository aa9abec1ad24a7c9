//! The judges that are Debian packages.

use std::path::{Path, PathBuf};

use super::{apt, may_install};
use crate::run::{self, Context};

/// What a package must bring, and what needs it.
struct Package {
    name: &'static str,
    brings: Brings,
    needed_by: &'static str,
}

enum Brings {
    /// A program on the `PATH` or in an `sbin`.
    Program(&'static str),
    /// A file below `/usr/lib`, or below the directory of the machine's architecture there.
    Library(&'static str),
    /// Python's module for virtual environments.
    Venv,
}

use Brings::{Library, Program, Venv};

const fn package(name: &'static str, brings: Brings, needed_by: &'static str) -> Package {
    Package {
        name,
        brings,
        needed_by,
    }
}

const PACKAGES: [Package; 31] = [
    package("gcc", Program("cc"), "everything"),
    package("g++", Program("g++"), "fuzz: libFuzzer's runtime"),
    package(
        "python3",
        Program("python3"),
        "conformance: Python's judges",
    ),
    package("python3-venv", Venv, "conformance: Python's judges"),
    package(
        "ldap-utils",
        Program("ldapsearch"),
        "conformance: OpenLDAP's tools",
    ),
    package(
        "libsasl2-modules-gssapi-mit",
        Library("sasl2/libgssapiv2.so"),
        "conformance: OpenLDAP's tools with a ticket",
    ),
    package(
        "fido2-tools",
        Program("fido2-token"),
        "conformance: libfido2",
    ),
    package(
        "pcscd",
        Program("pcscd"),
        "conformance: security keys on readers",
    ),
    package(
        "vsmartcard-vpcd",
        Library("pcsc/drivers/serial/libifdvpcd.so"),
        "conformance: security keys on readers",
    ),
    package(
        "libpcsclite-dev",
        Library("pkgconfig/libpcsclite.pc"),
        "conformance: a build that speaks to readers",
    ),
    package(
        "python3-pyscard",
        Library("python3/dist-packages/smartcard/__init__.py"),
        "conformance: python-fido2 over readers",
    ),
    package(
        "krb5-user",
        Program("kinit"),
        "conformance: MIT Kerberos' tools",
    ),
    package(
        "krb5-pkinit",
        Library("krb5/plugins/preauth/pkinit.so"),
        "conformance: key trust",
    ),
    package("openssl", Program("openssl"), "conformance: certificates"),
    package(
        "apache2-bin",
        Program("apache2"),
        "conformance: a web server with tickets",
    ),
    package(
        "libapache2-mod-auth-gssapi",
        Library("apache2/modules/mod_auth_gssapi.so"),
        "conformance: a web server with tickets",
    ),
    package(
        "chromium",
        Program("chromium"),
        "conformance: a browser on the sign-in page",
    ),
    package(
        "curl",
        Program("curl"),
        "conformance: a web client with tickets",
    ),
    package(
        "samba",
        Program("smbd"),
        "conformance: a file server with tickets",
    ),
    package(
        "smbclient",
        Program("smbclient"),
        "conformance: a file server with tickets",
    ),
    package("iproute2", Program("ip"), "conformance: network namespaces"),
    package(
        "mmdebstrap",
        Program("mmdebstrap"),
        "conformance: a Samba AD domain controller",
    ),
    package("swtpm", Program("swtpm"), "conformance: a TPM"),
    package(
        "tpm2-tools",
        Program("tpm2_clear"),
        "conformance: a TPM's administrator",
    ),
    package(
        "libtss2-dev",
        Library("pkgconfig/tss2-esys.pc"),
        "conformance: tombolo with a TPM",
    ),
    package(
        "libclang-14-dev",
        Library("llvm-14/lib/libclang.so"),
        "conformance: tombolo with a TPM",
    ),
    package(
        "pkg-config",
        Program("pkg-config"),
        "conformance: tombolo with a TPM",
    ),
    package(
        "pamtester",
        Program("pamtester"),
        "conformance: a login program",
    ),
    package(
        "libpam-wrapper",
        Library("libpam_wrapper.so"),
        "conformance: PAM services of a test's own",
    ),
    package(
        "libnss-wrapper",
        Library("libnss_wrapper.so"),
        "conformance: Linux users of a test's own",
    ),
    package(
        "valgrind",
        Program("valgrind"),
        "conformance: the memory of the PAM module",
    ),
];

/// Only for the benchmarks.
const BENCH_PACKAGES: [Package; 1] = [package(
    "slapd",
    Program("slapd"),
    "bench: OpenLDAP's server",
)];

/// Installs what is missing. What is still missing after that, one line each.
pub(super) fn install(context: &Context, with_bench: bool) -> Vec<String> {
    let bench: &[Package] = if with_bench { &BENCH_PACKAGES } else { &[] };
    let missing = || -> Vec<&Package> {
        let all = PACKAGES.iter().chain(bench);
        all.filter(|package| !is_there(context, &package.brings))
            .collect()
    };
    let names: Vec<&str> = missing().iter().map(|package| package.name).collect();
    if names.is_empty() {
        return Vec::new();
    }
    if may_install(context) {
        install_quietly(context, &names);
    }
    let hint = format!("apt-get install {}", names.join(" "));
    let lines = missing().into_iter().map(|package| {
        format!(
            "missing: {} (needed by {})\nnext: {hint}",
            package.name, package.needed_by
        )
    });
    lines.collect()
}

/// Installs packages, and starts no service of theirs: a file server that nobody asked for would be a surprise.
fn install_quietly(context: &Context, names: &[&str]) {
    let policy = Path::new(POLICY);
    let is_ours = !policy.exists() && write_policy(policy).is_ok();
    // An old list names packages that are gone; a failed update may still leave a usable one.
    apt(context, &["update", "-qq"]);
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(names);
    apt(context, &arguments);
    if is_ours && let Err(error) = std::fs::remove_file(policy) {
        say!(
            "could not remove {POLICY}: {error}\nnext: remove it, or Debian starts no service any more"
        );
    }
    if names.contains(&"samba") && Path::new("/run/systemd/system").is_dir() {
        say!(
            "Debian starts Samba's services at the next boot\nnext: systemctl disable smbd nmbd samba-ad-dc"
        );
    }
}

/// Debian asks this program whether a service may be started.
const POLICY: &str = "/usr/sbin/policy-rc.d";

fn write_policy(path: &Path) -> std::io::Result<()> {
    std::fs::write(path, "#!/bin/sh\nexit 101\n")?;
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    Ok(())
}

fn is_there(context: &Context, brings: &Brings) -> bool {
    match brings {
        Program(name) => run::find_program(context, name).is_some(),
        Library(path) => library_directories().any(|directory| directory.join(path).is_file()),
        Venv => {
            let mut command = context.command("python3");
            run::capture(command.args(["-c", "import venv, ensurepip"])).succeeded
        }
    }
}

fn library_directories() -> impl Iterator<Item = PathBuf> {
    let below = std::fs::read_dir("/usr/lib").into_iter().flatten();
    let below = below.flatten().map(|entry| entry.path());
    std::iter::once(PathBuf::from("/usr/lib")).chain(below)
}
