//! A Samba AD domain controller (4.24 or newer, which has key trust) that lives as long as a test.
//!
//! Domain CORP.CONTOSO.COM, on all standard ports of 127.0.0.30 in a network of its own: see [`Samba::run`] for programs of
//! its own Debian, [`Samba::beside`] for our own. PKINIT is on. Its Debian is `.peers/samba-424`, which nothing here
//! changes; all that a domain controller writes is in a temporary folder.
//!
//! Deliberately absent: a domain that outlives its test, and a second domain controller.

mod enclosure;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use data_encoding::BASE64;

use crate::{Said, peers, pki};
use enclosure::Enclosure;

/// Its realm.
pub const REALM: &str = "CORP.CONTOSO.COM";
/// Its domain, as DNS writes it.
pub const DOMAIN: &str = "corp.contoso.com";
/// Its domain, as LDAP writes it.
pub const BASE: &str = "DC=corp,DC=contoso,DC=com";
/// The name of the domain controller.
pub const HOST: &str = "dc1.corp.contoso.com";
/// Its address, which only programs in its network reach.
pub const ADDRESS: &str = "127.0.0.30";
/// Everybody's password: `administrator`'s, the users', and the connector's.
pub const PASSWORD: &str = "Correct-Horse-2026";
/// The people in it.
pub const USERS: [&str; 5] = ["testuser", "alice", "bob", "carol", "dave"];
/// The account that the sync writes with: a member of Key Admins, so it may write `msDS-KeyCredentialLink`.
pub const CONNECTOR: &str = "MSOL_sync";

/// A domain controller until it is dropped.
pub struct Samba {
    // Ends before its folder goes.
    enclosure: Enclosure,
    server: Child,
    lab: tempfile::TempDir,
}

impl Samba {
    /// A fresh domain, with a domain controller that answers. It takes about ten seconds.
    ///
    /// # Panics
    /// When it is not installed, or does not start; the message says what to do.
    #[expect(clippy::panic, reason = "a judge that cannot be started has failed")]
    pub fn start() -> Self {
        match Self::try_start() {
            Ok(samba) => samba,
            Err(error) => panic!("Samba AD does not run: {error}"),
        }
    }

    fn try_start() -> Result<Self, String> {
        let program = peers::unpacked("samba-424/usr/sbin/samba");
        let root = program.ancestors().nth(3).ok_or("no root")?;
        let lab = tempfile::tempdir().map_err(|error| error.to_string())?;
        write_files(lab.path())?;
        let enclosure = Enclosure::start(root, lab.path())?;
        let server = provision(&enclosure, lab.path())?;
        let mut samba = Self {
            enclosure,
            server,
            lab,
        };
        samba.wait_until_it_answers()?;
        samba.populate()?;
        Ok(samba)
    }

    /// Runs a program of the domain controller's own Debian to its end: `samba.run(["samba-tool", "user", "list"])`.
    /// The lab's files are in `/lab`.
    pub fn run<const N: usize>(&self, words: [&str; N]) -> Said {
        self.run_with_input(&words, "")
    }

    /// The same with an input.
    pub fn run_with_input(&self, words: &[&str], input: &str) -> Said {
        let (program, arguments) = words.split_first().unwrap_or((&"true", &[]));
        Said::of(self.inside(program).args(arguments), input)
    }

    /// A program of the domain controller's own Debian.
    pub fn inside(&self, program: &str) -> Command {
        let mut command = self.enclosure.inside(program);
        command
            .env("KRB5_CONFIG", "/lab/krb5.conf")
            .env("KRB5CCNAME", "FILE:/lab/krb5cc")
            .env("LDAPTLS_REQCERT", "never")
            .env("LC_ALL", "C");
        command
    }

    /// A program of the host, such as `tombolo`, with the host's files, in the domain controller's network. It is
    /// started in the root directory.
    pub fn beside(&self, program: &Path) -> Command {
        let mut command = self.enclosure.beside(program);
        command
            .env("KRB5_CONFIG", self.path("krb5-host.conf"))
            .env(
                "KRB5CCNAME",
                format!("FILE:{}", self.path("krb5cc").display()),
            )
            .env("LDAPTLS_REQCERT", "never")
            .env("LC_ALL", "C");
        command
    }

    /// A file of the lab as programs of the host see it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.lab.path().join(name)
    }

    /// The certificates' folder: `kdc.pem`, `authority.pem` (which issued it), `strangers.pem` (an authority for users that
    /// the KDC does not know).
    pub fn pki(&self) -> PathBuf {
        self.path("pki")
    }

    /// Runs an LDIF as the administrator, over LDAPS.
    pub fn modify(&self, ldif: &str) -> Said {
        self.modify_as("administrator", &[], ldif)
    }

    /// Runs an LDIF as somebody, with further options of `ldapmodify`.
    pub fn modify_as(&self, who: &str, options: &[&str], ldif: &str) -> Said {
        let (url, name) = (format!("ldaps://{HOST}"), format!("{who}@{DOMAIN}"));
        let mut words = vec!["ldapmodify", "-x", "-H", &url, "-D", &name, "-w", PASSWORD];
        words.extend(options);
        self.run_with_input(&words, ldif)
    }

    /// The distinguished name of a user.
    pub fn dn(user: &str) -> String {
        format!("CN={user},CN=Users,{BASE}")
    }

    /// The lines that the KDC and the directory logged for auditors, one JSON object each.
    pub fn audit(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.path("log/audit.json")).unwrap_or_default();
        // Plain text of other levels is glued in front of some lines.
        let objects = text
            .lines()
            .filter_map(|line| line.find('{').and_then(|at| line.get(at..)));
        objects.map(str::to_owned).collect()
    }

    /// What it logged for people.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("log/samba.log")).unwrap_or_default()
    }

    /// The processes of the domain controller, as the host counts: for measuring them.
    pub fn processes(&self) -> Vec<u32> {
        self.enclosure.processes()
    }

    /// The process whose network namespace is the domain controller's.
    pub fn holder(&self) -> u32 {
        self.enclosure.pid()
    }

    fn wait_until_it_answers(&mut self) -> Result<(), String> {
        let begun = Instant::now();
        let (kdc, ldaps) = (probe(88), probe(636));
        let answers = |samba: &Self| {
            samba.run(["bash", "-c", &format!("{kdc} && {ldaps}")]).good
                && samba
                    .run([
                        "ldapsearch",
                        "-x",
                        "-H",
                        "ldap://127.0.0.30",
                        "-b",
                        "",
                        "-s",
                        "base",
                    ])
                    .good
        };
        while !answers(self) {
            let ended = self.server.try_wait().map_err(|error| error.to_string())?;
            if ended.is_some() || begun.elapsed() > START_LIMIT {
                return Err(format!("it does not answer\n{}", tail(&self.log())));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Users, a workstation, the connector, all by one LDIF.
    fn populate(&self) -> Result<(), String> {
        let password: Vec<u8> = format!("\"{PASSWORD}\"")
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let password = BASE64.encode(&password);
        let user = |name: &str| {
            format!(
                "dn: {}\nchangetype: add\nobjectClass: user\nsAMAccountName: {name}\nuserPrincipalName: {name}@{DOMAIN}\n\
                 mail: {name}@{DOMAIN}\nuserAccountControl: 512\nunicodePwd:: {password}\n\n",
                Self::dn(name)
            )
        };
        let mut ldif: String = USERS
            .iter()
            .chain([&CONNECTOR])
            .map(|name| user(name))
            .collect();
        ldif.push_str(&format!(
            "dn: CN=WS1,CN=Computers,{BASE}\nchangetype: add\nobjectClass: computer\nsAMAccountName: WS1$\n\
             userAccountControl: 4096\nservicePrincipalName: HOST/ws1.{DOMAIN}\ndNSHostName: ws1.{DOMAIN}\n\n\
             dn: CN=Key Admins,CN=Users,{BASE}\nchangetype: modify\nadd: member\nmember: {}\n\n",
            Self::dn(CONNECTOR)
        ));
        let said = self.modify(&ldif);
        if said.good { Ok(()) } else { Err(said.text) }
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        let _gone = self.server.kill();
        let _reaped = self.server.wait();
    }
}

/// Everything that is there before the domain is.
fn write_files(lab: &Path) -> Result<(), String> {
    let pki = lab.join("pki");
    for folder in [&pki, &lab.join("log")] {
        std::fs::create_dir(folder).map_err(|error| error.to_string())?;
    }
    pki::authority(&pki, "authority");
    pki::authority(&pki, "strangers");
    pki::key(&pki, "kdc");
    pki::issued(
        &pki,
        "kdc",
        "kdc",
        "authority",
        &pki::kdc_extensions(REALM, HOST),
    );
    let hosts = format!("127.0.0.1 localhost\n{ADDRESS} {HOST} dc1 {DOMAIN}\n");
    let resolver = format!("nameserver {ADDRESS}\nsearch {DOMAIN}\n");
    for (name, text) in [
        ("hosts", hosts),
        ("resolv.conf", resolver),
        ("empty.conf", String::new()),
        ("krb5.conf", krb5_conf("/lab/pki")),
        ("krb5-host.conf", krb5_conf(&pki.display().to_string())),
    ] {
        std::fs::write(lab.join(name), text).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// One file for both sides: `[realms]` is read by MIT's clients, `[kdc]` by Samba.
fn krb5_conf(pki: &str) -> String {
    format!(
        "[libdefaults]\n default_realm = {REALM}\n dns_lookup_realm = false\n dns_lookup_kdc = false\n rdns = false\n \
         dns_canonicalize_hostname = false\n\
         [realms]\n {REALM} = {{\n  kdc = {ADDRESS}\n  kpasswd_server = {ADDRESS}\n  \
         pkinit_anchors = FILE:{pki}/authority.pem\n }}\n\
         [domain_realm]\n .{DOMAIN} = {REALM}\n {DOMAIN} = {REALM}\n\
         [kdc]\n enable-pkinit = yes\n pkinit_identity = FILE:{pki}/kdc.pem,{pki}/kdc.key\n \
         pkinit_anchors = FILE:{pki}/authority.pem\n"
    )
}

/// Makes the domain and starts its server.
fn provision(enclosure: &Enclosure, lab: &Path) -> Result<Child, String> {
    let mut command = enclosure.inside("samba-tool");
    // Without a file of its own it would copy the host's.
    command
        .args([
            "domain",
            "provision",
            "-s",
            "/lab/empty.conf",
            "--targetdir=/lab/dc",
        ])
        .args([
            "--server-role=dc",
            "--dns-backend=SAMBA_INTERNAL",
            "--host-name=dc1",
            "--domain=CORP",
        ])
        .arg(format!("--realm={REALM}"))
        .arg(format!("--host-ip={ADDRESS}"))
        .arg(format!("--adminpass={PASSWORD}"))
        .arg(format!("--option=interfaces=lo {ADDRESS}/8"))
        .args([
            "--option=bind interfaces only=yes",
            "--option=dns forwarder=",
        ])
        .arg("--option=vfs objects=dfs_samba4 acl_xattr")
        .args([
            "--base-schema=2019",
            "--function-level=2016",
            "--option=ad dc functional level = 2016",
        ])
        .env("KRB5_CONFIG", "/lab/krb5.conf");
    let said = Said::of(&mut command, "");
    if !said.good {
        return Err(format!("no domain could be made\n{}", tail(&said.text)));
    }
    configure(&lab.join("dc/etc/smb.conf")).map_err(|error| error.to_string())?;
    add_key_admins(enclosure)?;
    let mut server = enclosure.inside("samba");
    server
        .args([
            "-F",
            "--no-process-group",
            "-M",
            "single",
            "-s",
            "/lab/dc/etc/smb.conf",
        ])
        .env("KRB5_CONFIG", "/lab/krb5.conf")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    server.spawn().map_err(|error| error.to_string())
}

/// Options of `[global]` must stand before the first share.
fn configure(path: &Path) -> std::io::Result<()> {
    let text = std::fs::read_to_string(path)?;
    std::fs::write(
        path,
        text.replacen("[global]\n", &format!("[global]\n{OPTIONS}"), 1),
    )
}

/// No Samba makes these groups; 4.24 only grants rights to their SIDs.
fn add_key_admins(enclosure: &Enclosure) -> Result<(), String> {
    let sam = |program: &str, arguments: &[&str], input: &str| {
        let mut command = enclosure.inside(program);
        let said = Said::of(
            command
                .args(["-H", "/lab/dc/private/sam.ldb"])
                .args(arguments),
            input,
        );
        if said.good {
            Ok(said.text)
        } else {
            Err(format!("{program}: {}", said.text))
        }
    };
    let found = sam("ldbsearch", &["-s", "base", "-b", BASE, "objectSid"], "")?;
    let sid = found
        .lines()
        .find_map(|line| line.strip_prefix("objectSid: "));
    let sid = sid.ok_or("the domain has no SID")?;
    let groups = [("526", "Key Admins"), ("527", "Enterprise Key Admins")].map(|(rid, name)| {
        format!(
            "dn: CN={name},CN=Users,{BASE}\nobjectClass: group\nsAMAccountName: {name}\nobjectSid: {sid}-{rid}\n\
             groupType: -2147483646\n\n"
        )
    });
    sam(
        "ldbadd",
        &["--relax", "--controls=provision:0"],
        &groups.concat(),
    )
    .map(drop)
}

fn probe(port: u16) -> String {
    format!("(exec 3<> /dev/tcp/{ADDRESS}/{port}) 2> /dev/null")
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines
        .get(lines.len().saturating_sub(20)..)
        .unwrap_or_default()
        .join("\n")
}

const OPTIONS: &str = "	log file = /lab/log/samba.log
	logging = file
	max log size = 0
	pid directory = /lab/dc
	ncalrpc dir = /lab/dc/ncalrpc
	log level = 1 auth_json_audit:5@/lab/log/audit.json dsdb_json_audit:5@/lab/log/audit.json dsdb_password_json_audit:5@/lab/log/audit.json
	ldap server require strong auth = no
	tls certfile = /lab/pki/kdc.pem
	tls keyfile = /lab/pki/kdc.key
	tls cafile = /lab/pki/authority.pem
	disable netbios = yes
	server services = -nbt
	winbind enum users = no
	load printers = no
";

/// It takes four seconds on an idle machine, and many times that on a loaded one.
const START_LIMIT: Duration = Duration::from_secs(120);
