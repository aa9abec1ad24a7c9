//! MIT's krb5kdc with a database of its own: as it comes, and without the writes that it makes at each login. It keeps no
//! log, as ours does not here.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use conformance::{Said, peers};

use super::Failure;
use super::side_by_side::{PASSWORD, REALM, SERVICE, USER};
use crate::process::{Process, family};

/// How it keeps its books.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Last success and failures are written, as it comes.
    Default,
    /// Neither is kept.
    NoWrites,
    /// Neither is kept, and two processes serve.
    NoWritesTwoWorkers,
}

impl Mode {
    pub(crate) const ALL: [Self; 3] = [Self::Default, Self::NoWrites, Self::NoWritesTwoWorkers];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Default => "MIT krb5kdc, as it comes",
            Self::NoWrites => "MIT krb5kdc, no lockout",
            Self::NoWritesTwoWorkers => "MIT krb5kdc, no lockout, 2 workers",
        }
    }
}

/// A realm in a folder.
pub(crate) struct Realm {
    folder: PathBuf,
    port: u16,
}

impl Realm {
    /// Makes the database. `pki` has the certificates.
    pub(crate) fn make(folder: &Path, pki: &Path) -> Result<Self, Failure> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let realm = Self {
            folder: folder.to_owned(),
            port,
        };
        realm.configure(Mode::Default, pki)?;
        realm.tool("kdb5_util", &["create", "-s", "-P", PASSWORD])?;
        for (name, flags) in [(USER, "+requires_preauth"), (SERVICE, "")] {
            let query = format!(
                "addprinc {flags} -e aes256-cts:normal,aes128-cts:normal -pw {PASSWORD} {name}"
            );
            realm.tool("kadmin.local", &["-q", &query])?;
        }
        Ok(realm)
    }

    /// Starts the KDC, and waits until it answers.
    pub(crate) fn start(&self, mode: Mode, pki: &Path) -> Result<(Process, SocketAddr), Failure> {
        self.configure(mode, pki)?;
        let mut command = self.command("krb5kdc");
        command.args(["-n", "-P"]).arg(self.folder.join("pid"));
        if mode == Mode::NoWritesTwoWorkers {
            command.args(["-w", "2"]);
        }
        let process = Process(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?,
        );
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        let begun = Instant::now();
        let processes = if mode == Mode::NoWritesTwoWorkers {
            3
        } else {
            1
        };
        let is_up =
            || TcpStream::connect(address).is_ok() && family(process.0.id()).len() == processes;
        while !is_up() {
            if begun.elapsed() > Duration::from_secs(20) {
                return Err("krb5kdc does not start".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok((process, address))
    }

    fn configure(&self, mode: Mode, pki: &Path) -> Result<(), Failure> {
        let (folder, pki) = (self.folder.display(), pki.display());
        let writes = if mode == Mode::Default {
            "false"
        } else {
            "true"
        };
        let modules = modules()?;
        std::fs::write(
            self.folder.join("krb5.conf"),
            format!(
                "[libdefaults]\n default_realm = {REALM}\n dns_lookup_kdc = false\n rdns = false\n\
                 [realms]\n {REALM} = {{\n  kdc = 127.0.0.1:{port}\n  database_module = books\n }}\n\
                 [dbmodules]\n db_module_dir = {modules}\n books = {{\n  db_library = db2\n  database_name = {folder}/principal\n  \
                 disable_last_success = {writes}\n  disable_lockout = {writes}\n }}\n",
                port = self.port,
                modules = modules.display(),
            ),
        )?;
        std::fs::write(
            self.folder.join("kdc.conf"),
            format!(
                "[realms]\n {REALM} = {{\n  kdc_listen = 127.0.0.1:{port}\n  kdc_tcp_listen = 127.0.0.1:{port}\n  \
                 key_stash_file = {folder}/stash\n  acl_file = {folder}/acl\n  max_life = 10h\n  \
                 pkinit_identity = FILE:{pki}/kdc.pem,{pki}/kdc.key\n  pkinit_anchors = FILE:{pki}/strangers.pem\n  pkinit_anchors = FILE:{pki}/authority.pem\n  \
                 pkinit_allow_upn = true\n  pkinit_eku_checking = none\n }}\n\
                 [logging]\n kdc = FILE:/dev/null\n",
                port = self.port,
            ),
        )?;
        Ok(())
    }

    fn tool(&self, program: &str, arguments: &[&str]) -> Result<(), Failure> {
        let said = Said::of(self.command(program).args(arguments), "");
        if said.good {
            Ok(())
        } else {
            Err(format!("{program}: {}", said.text).into())
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(peers::unpacked(&format!("mit-kdc/usr/sbin/{program}")));
        command
            .env("KRB5_CONFIG", self.folder.join("krb5.conf"))
            .env("KRB5_KDC_PROFILE", self.folder.join("kdc.conf"))
            .env("LC_ALL", "C");
        command
    }
}

/// The directory with `db2.so`, below that of the machine's architecture.
fn modules() -> Result<PathBuf, Failure> {
    let lib = peers::root().join(".peers/mit-kdc/usr/lib");
    let entries = std::fs::read_dir(lib)?.flatten();
    let mut paths = entries.map(|entry| entry.path().join("krb5/plugins/kdb"));
    paths
        .find(|path| path.is_dir())
        .ok_or_else(|| "krb5kdc has no database module".into())
}
