//! A KDC on loopback with accounts in memory, and MIT's tools pointed at it, for the judges of the KDC.

#![allow(dead_code, reason = "each judge uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

pub(crate) mod pkinit;

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use kdc::serve::Surroundings;
use kdc::{
    Event, Kdc, KeyTrust, LockoutPolicy, MemoryAccounts, MemoryLockout, MemoryPasswords,
    PasswordRules, Settings,
};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use types::{Clock, Sid};

/// Everybody's password.
pub(crate) const PASSWORD: &str = "Correct-Horse-2026";
pub(crate) const REALM: &str = "CORP.CONTOSO.COM";
/// The service that every realm here has.
pub(crate) const WEB: &str = "HTTP/web.corp.contoso.com";

/// How MIT's tools reach the KDC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Udp,
    Tcp,
    /// Through the proxy; only after [`Served::open_proxy`].
    Https,
}

/// What a program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) good: bool,
    pub(crate) text: String,
}

/// A realm that is served until it is dropped.
pub(crate) struct Served {
    pub(crate) accounts: Arc<MemoryAccounts>,
    pub(crate) address: SocketAddr,
    events: Arc<Mutex<Vec<Event>>>,
    files: tempfile::TempDir,
    kdc: Arc<Kdc>,
    around: Surroundings,
    _stop: watch::Sender<bool>,
    runtime: tokio::runtime::Runtime,
}

/// The rules of the domain for passwords.
pub(crate) const RULES: PasswordRules = PasswordRules {
    length_min: 7,
    history: 2,
    must_be_complex: true,
    age_s_max: 42 * 86_400,
    age_s_min: 0,
};

impl Served {
    /// `testuser`, and the computer `WEB$` with a service.
    pub(crate) fn new() -> Self {
        let settings = Settings::new(REALM, "CORP", "DC1");
        Self::with(settings, LockoutPolicy::default())
    }

    pub(crate) fn with(settings: Settings, lockout: LockoutPolicy) -> Self {
        Self::build(settings, lockout, tempfile::tempdir().unwrap(), None)
    }

    /// With a directory for files that is there already, and key trust.
    pub(crate) fn build(
        settings: Settings,
        lockout: LockoutPolicy,
        files: tempfile::TempDir,
        key_trust: Option<KeyTrust>,
    ) -> Self {
        let mut entropy = lab::OsEntropy;
        let domain = Sid::nt(&[21, 1_004_336_348, 1_177_238_915, 682_003_330]);
        let accounts = MemoryAccounts::new(REALM, domain, &mut entropy).unwrap();
        accounts.add("testuser", PASSWORD, &[], |_| {}).unwrap();
        let services = [WEB, "HOST/web.corp.contoso.com"];
        accounts.add("WEB$", PASSWORD, &services, |_| {}).unwrap();
        let accounts = Arc::new(accounts);
        let lockout = Arc::new(MemoryLockout::new(lockout));
        let passwords = MemoryPasswords::new(accounts.clone(), RULES, writers(&accounts));
        let kdc = Kdc::new(settings, accounts.clone(), lockout);
        let kdc = kdc.with_passwords(Arc::new(passwords));
        let kdc = Arc::new(match key_trust {
            Some(trust) => kdc.with_key_trust(trust),
            None => kdc,
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        let events = Arc::new(Mutex::new(Vec::new()));
        let (sender, stop) = watch::channel(false);
        let log = events.clone();
        let clock: Arc<dyn Clock> = Arc::new(lab::SystemClock);
        let around = Surroundings {
            clock,
            entropy: Arc::new(|| Box::new(lab::OsEntropy)),
            audit: Arc::new(move |_, event| log.lock().unwrap().push(event)),
            stop,
        };
        let (tcp, udp) = runtime.block_on(sockets());
        let address = tcp.local_addr().unwrap();
        runtime.spawn(kdc::serve::udp(Arc::new(udp), kdc.clone(), around.clone()));
        runtime.spawn(kdc::serve::tcp(tcp, kdc.clone(), around.clone()));
        let served = Self {
            accounts,
            address,
            events,
            files,
            kdc,
            around,
            _stop: sender,
            runtime,
        };
        served.write_krb5_conf("");
        served
    }

    /// Serves tickets and passwords on the ports that some tools take for granted: in a network namespace only.
    pub(crate) fn open_standard_ports(&self) {
        let bind = |port| self.runtime.block_on(sockets_at(port)).unwrap();
        let ((tcp, udp), (set_tcp, set_udp)) = (bind(88), bind(464));
        let (kdc, around) = (|| self.kdc.clone(), || self.around.clone());
        let run = &self.runtime;
        run.spawn(kdc::serve::udp(Arc::new(udp), kdc(), around()));
        run.spawn(kdc::serve::tcp(tcp, kdc(), around()));
        let set_udp = kdc::serve::kpasswd_udp(Arc::new(set_udp), kdc(), around());
        run.spawn(set_udp);
        run.spawn(kdc::serve::kpasswd_tcp(set_tcp, kdc(), around()));
    }

    /// Serves the password service too, and tells MIT's tools where.
    pub(crate) fn open_kpasswd(&self) -> SocketAddr {
        let (tcp, udp) = self.runtime.block_on(sockets());
        let address = tcp.local_addr().unwrap();
        let (kdc, around) = (self.kdc.clone(), self.around.clone());
        let udp = kdc::serve::kpasswd_udp(Arc::new(udp), kdc.clone(), around.clone());
        self.runtime.spawn(udp);
        self.runtime
            .spawn(kdc::serve::kpasswd_tcp(tcp, kdc, around));
        self.write_krb5_conf(&format!("  kpasswd_server = {address}\n"));
        address
    }

    /// Serves the proxy over HTTPS, and writes the configuration of [`Wire::Https`].
    pub(crate) fn open_proxy(&self) -> SocketAddr {
        let pki = lab::Pki::new("corp.contoso.com").unwrap();
        let tls = pki.server(&["localhost"]).unwrap();
        std::fs::write(self.path("ca.pem"), pki.ca_pem()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0");
        let listener = self.runtime.block_on(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let (kdc, around) = (self.kdc.clone(), self.around.clone());
        self.runtime
            .spawn(kdc::serve::https(listener, tls, kdc, around));
        let module = "k5tls/usr/lib/x86_64-linux-gnu/krb5/plugins/tls/k5tls.so";
        let url = format!("https://localhost:{}/KdcProxy", address.port());
        let conf = format!(
            "{LIBDEFAULTS}[plugins]\n tls = {{\n  module = k5tls:{}\n }}\n\
             [realms]\n {REALM} = {{\n  kdc = {url}\n  kpasswd_server = {url}\n  http_anchors = FILE:{}\n }}\n",
            conformance::peers::unpacked(module).display(),
            self.path("ca.pem").display(),
        );
        std::fs::write(self.path("https.conf"), conf).unwrap();
        address
    }

    /// What the audit log was told so far, one line each.
    pub(crate) fn events(&self) -> Vec<String> {
        let events = self.events.lock().unwrap();
        events.iter().map(ToString::to_string).collect()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    fn write_krb5_conf(&self, more: &str) {
        for (name, limit) in [("udp.conf", 1_000_000), ("tcp.conf", 1)] {
            let conf = format!(
                "{LIBDEFAULTS} udp_preference_limit = {limit}\n\
                 [realms]\n {REALM} = {{\n  kdc = {}\n{more}  pkinit_kdc_hostname = dc1.corp.contoso.com\n }}\n",
                self.address
            );
            std::fs::write(self.path(name), conf).unwrap();
        }
    }

    /// A program of Heimdal with this realm's configuration, and more lines of `[libdefaults]`.
    pub(crate) fn heimdal(&self, program: &str, cache: &str, more: &str) -> Command {
        let directory = "heimdal/usr/bin";
        let program = conformance::peers::unpacked(&format!("{directory}/{program}"));
        let libraries = conformance::peers::root().join(".peers/heimdal/usr/lib/x86_64-linux-gnu");
        let conf = format!(
            "{LIBDEFAULTS}{more}[realms]\n {REALM} = {{\n  kdc = tcp/{}\n  pkinit_anchors = FILE:{}\n }}\n",
            self.address,
            self.path("kdc-ca.pem").display(),
        );
        let path = self.path("heimdal.conf");
        std::fs::write(&path, conf).unwrap();
        let mut command = Command::new(program);
        command
            .env(
                "LD_LIBRARY_PATH",
                format!("{0}:{0}/heimdal", libraries.display()),
            )
            .env("KRB5_CONFIG", path)
            .env("KRB5CCNAME", format!("FILE:{}", self.path(cache).display()))
            .env("LC_ALL", "C");
        command
    }

    /// A program of MIT Kerberos with this realm's configuration and a ticket cache of this name.
    pub(crate) fn mit(&self, program: &str, wire: Wire, cache: &str) -> Command {
        let mut command = Command::new(conformance::peers::program(program));
        let conf = match wire {
            Wire::Udp => "udp.conf",
            Wire::Tcp => "tcp.conf",
            Wire::Https => "https.conf",
        };
        command
            .env("KRB5_CONFIG", self.path(conf))
            .env("KRB5CCNAME", format!("FILE:{}", self.path(cache).display()))
            .env("KRB5_KTNAME", self.path("keytab"))
            .env("LC_ALL", "C")
            .env_remove("KRB5_TRACE");
        command
    }

    /// `kinit` with a password.
    pub(crate) fn kinit(
        &self,
        wire: Wire,
        cache: &str,
        password: &str,
        arguments: &[&str],
    ) -> Said {
        let mut command = self.mit("kinit", wire, cache);
        Said::of(command.args(arguments), &format!("{password}\n"))
    }

    /// `kvno` for a service with the tickets of that cache.
    pub(crate) fn kvno(&self, wire: Wire, cache: &str, arguments: &[&str]) -> Said {
        Said::of(self.mit("kvno", wire, cache).args(arguments), "")
    }

    /// MIT's own `ktutil` makes the keys of `WEB$` from its password, under the account's and the service's name.
    pub(crate) fn write_keytab(&self) {
        let salt = "CORP.CONTOSO.COMhostweb.corp.contoso.com";
        let entry = |principal: &str| {
            format!(
                "addent -password -p {principal} -k 1 -e aes256-cts-hmac-sha1-96 -s {salt}\n{PASSWORD}\n"
            )
        };
        let keytab = self.path("keytab");
        let script = format!(
            "{}{}wkt {}\nquit\n",
            entry(&format!("{WEB}@{REALM}")),
            entry(&format!("WEB$@{REALM}")),
            keytab.display()
        );
        let said = Said::of(&mut self.mit("ktutil", Wire::Udp, "none"), &script);
        assert!(keytab.is_file(), "{}", said.text);
    }

    /// `klist` of that cache: flags and encryption types.
    pub(crate) fn klist(&self, cache: &str) -> String {
        let said = Said::of(self.mit("klist", Wire::Udp, cache).args(["-f", "-e"]), "");
        assert!(said.good, "{said:?}");
        said.text
    }
}

impl Said {
    pub(crate) fn of(command: &mut Command, input: &str) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A program that does not read its input has its reasons.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        Self {
            good: output.status.success(),
            text: String::from_utf8_lossy(&text).into_owned(),
        }
    }

    #[track_caller]
    pub(crate) fn well(self) -> String {
        assert!(self.good, "{}", self.text);
        self.text
    }

    #[track_caller]
    pub(crate) fn refused(self, words: &str) {
        assert!(!self.good, "it was not refused: {}", self.text);
        assert!(
            self.text.contains(words),
            "'{words}' is missing in: {}",
            self.text
        );
    }
}

/// Who may set passwords.
fn writers(accounts: &MemoryAccounts) -> Vec<Sid> {
    let admin = accounts.add("testadmin", PASSWORD, &[], |_| {}).unwrap();
    vec![admin.sid.clone()]
}

const LIBDEFAULTS: &str = "[libdefaults]\n default_realm = CORP.CONTOSO.COM\n dns_lookup_kdc = false\n \
    dns_lookup_realm = false\n dns_canonicalize_hostname = false\n rdns = false\n";

/// Both protocols on the same port, as `krb5.conf` wants it.
async fn sockets() -> (TcpListener, UdpSocket) {
    for _ in 0..20 {
        if let Ok(both) = sockets_at(0).await {
            return both;
        }
    }
    panic!("no port is free for both TCP and UDP");
}

async fn sockets_at(port: u16) -> std::io::Result<(TcpListener, UdpSocket)> {
    let tcp = TcpListener::bind(("127.0.0.1", port)).await?;
    let udp = UdpSocket::bind(tcp.local_addr()?).await?;
    Ok((tcp, udp))
}
