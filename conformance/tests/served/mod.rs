//! A provisioned directory behind an LDAP server on loopback, for the judges of this directory.

#![allow(dead_code, reason = "each judge uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use directory::provision::Plan;
use directory::serve::{self, Server, Transport};
use directory::{AddRequest, Directory, Operation, Session};
use types::{Dn, SeededEntropy, Timestamp, VirtualClock};

/// The administrator's password, and everybody else's.
pub(crate) const PASSWORD: &str = "Correct-Horse-2026";
pub(crate) const DOMAIN: &str = "DC=corp,DC=contoso,DC=com";
pub(crate) const ADMINISTRATOR: &str = "administrator@corp.contoso.com";
pub(crate) const TEST_USER: &str = "CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com";

/// A directory, its server, and the CA that signed the server's certificate.
pub(crate) struct Served {
    pub(crate) directory: Directory,
    pub(crate) plain: SocketAddr,
    pub(crate) tls: SocketAddr,
    files: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Served {
    /// A fresh one with `testuser` and `count` more users in OU=Users.
    pub(crate) fn with_users(count: usize) -> Self {
        Self::new(count, serve::Options::default())
    }

    pub(crate) fn new(count: usize, options: serve::Options) -> Self {
        let directory = fresh_directory(count);
        let files = tempfile::tempdir().unwrap();
        let pki = lab::Pki::new("corp.contoso.com").unwrap();
        std::fs::write(files.path().join("ca.pem"), pki.ca_pem()).unwrap();
        let config = pki
            .server(&["dc1.corp.contoso.com", "localhost", "127.0.0.1"])
            .unwrap();
        let server = Server::new(
            directory.clone(),
            serve::Options {
                tls: Some(config),
                ..options
            },
        );
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let [plain, tls] = [Transport::Plain, Transport::Tls].map(|transport| {
            let listener = runtime
                .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
                .unwrap();
            let address = listener.local_addr().unwrap();
            let server = server.clone();
            runtime.spawn(async move { server.serve_listener(listener, transport).await });
            address
        });
        Self {
            directory,
            plain,
            tls,
            files,
            _runtime: runtime,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("ldap://127.0.0.1:{}", self.plain.port())
    }

    pub(crate) fn tls_url(&self) -> String {
        format!("ldaps://127.0.0.1:{}", self.tls.port())
    }

    /// The CA's certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.files.path().join("ca.pem")
    }

    /// A file with this content.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.files.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// One of OpenLDAP's programs, which trusts the CA and reads no one's configuration.
    pub(crate) fn openldap(&self, program: &str) -> Command {
        let mut command = Command::new(conformance::peers::program(program));
        command.env_clear().env("LDAPTLS_CACERT", self.ca());
        command.stdin(Stdio::null());
        command
    }
}

fn fresh_directory(count: usize) -> Directory {
    let clock = Arc::new(VirtualClock::new(
        Timestamp::parse_rfc3339("2026-06-01T08:00:00Z").unwrap(),
    ));
    let options = directory::Options {
        password_rounds: 100,
        ..directory::Options::new(clock, Box::new(SeededEntropy::new(20260601)))
    };
    let directory = Directory::in_memory(options).unwrap();
    let plan = Plan::example(PASSWORD);
    directory::provision::provision(&directory, &plan).unwrap();
    let users = (0..count)
        .map(|number| user(&format!("user{number:05}")))
        .collect();
    directory.apply_all(&Session::system(), users).unwrap();
    directory
}

/// A user of OU=Users.
pub(crate) fn user(name: &str) -> Operation {
    let dn: Dn = format!("CN={name},OU=Users,{DOMAIN}").parse().unwrap();
    Operation::Add(
        AddRequest::new(dn)
            .with("objectClass", ["user"])
            .with("sAMAccountName", [name])
            .with("userPrincipalName", [format!("{name}@corp.contoso.com")])
            .with("userAccountControl", ["512"]),
    )
}

/// What a program said, and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn by(command: &mut Command) -> Self {
        Self::from(command.output().unwrap())
    }

    /// The same, for a program that has to succeed.
    #[track_caller]
    pub(crate) fn well(command: &mut Command) -> String {
        let said = Self::by(command);
        assert_eq!(said.code, 0, "{command:?}: {said:?}");
        said.out
    }

    /// The values of an attribute in LDIF.
    pub(crate) fn values(ldif: &str, attribute: &str) -> Vec<String> {
        let unfolded = ldif.replace("\n ", "");
        let prefix = format!("{}:", attribute.to_lowercase());
        unfolded
            .lines()
            .filter(|line| line.to_lowercase().starts_with(&prefix))
            .filter_map(|line| line.get(prefix.len()..))
            .map(|value| value.trim_start_matches(':').trim().to_owned())
            .collect()
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}
