//! The NT hash of a key list opens a server that knows NTLM alone: `tombolo signin --key-list` at our cloud and KDC, then
//! Samba's `smbclient` with that hash at Samba's `smbd`, which was given the user's password. Where the domain releases no
//! hash, which is the default, none comes.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use conformance::{Said, peers, product};
use lab::people::TEST_USER;
use lab::{House, Options, SystemClock};

/// `smbd` in the foreground, with one share and one user.
struct Smbd {
    server: Child,
    port: u16,
}

impl Smbd {
    fn start(folder: &Path, user: &str, password: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = port.local_addr().unwrap().port();
        let share = folder.join("share");
        std::fs::create_dir(&share).unwrap();
        std::fs::write(share.join("hello.txt"), "hello by NTLM\n").unwrap();
        let place = folder.display();
        let configuration = folder.join("smb.conf");
        std::fs::write(
            &configuration,
            format!(
                "[global]\nworkgroup = LAB\nserver role = standalone server\nntlm auth = ntlmv2-only\n\
                 interfaces = 127.0.0.1\nbind interfaces only = yes\nsmb ports = {port}\n\
                 private dir = {place}/private\nlock directory = {place}/lock\nstate directory = {place}/state\n\
                 cache directory = {place}/cache\npid directory = {place}\nncalrpc dir = {place}/ncalrpc\n\
                 passdb backend = tdbsam:{place}/passdb.tdb\nlog file = {place}/log\n\
                 log level = 1 auth_audit:3\nload printers = no\ndisable spoolss = yes\nusername map = {place}/map\n\
                 [s]\npath = {share}\nread only = yes\n",
                share = share.display()
            ),
        )
        .unwrap();
        for name in ["private", "lock", "state", "cache", "ncalrpc"] {
            std::fs::create_dir(folder.join(name)).unwrap();
        }
        // The account of the system behind it; Samba keeps the password.
        std::fs::write(folder.join("map"), format!("root = {user}\n")).unwrap();
        let mut account = Command::new(peers::program("smbpasswd"));
        account
            .args(["-c"])
            .arg(&configuration)
            .args(["-a", "-s", "root"]);
        Said::of(&mut account, &format!("{password}\n{password}\n")).well();
        let server = Command::new(peers::program("smbd"))
            .args(["--foreground", "--no-process-group", "-s"])
            .arg(&configuration)
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(folder.join("told")).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { server, port }
    }

    /// Reads the file with an NT hash for a password; a server that has just been started may not listen yet.
    fn read(&self, user: &str, nt_hash: &str) -> Said {
        for _ in 0..100 {
            let said = self.try_to_read(user, nt_hash);
            if !said.text.contains("NT_STATUS_CONNECTION_REFUSED") {
                return said;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        self.try_to_read(user, nt_hash)
    }

    fn try_to_read(&self, user: &str, nt_hash: &str) -> Said {
        let mut command = Command::new(peers::program("smbclient"));
        command
            .args(["--use-kerberos=off", "--pw-nt-hash", "-p"])
            .arg(self.port.to_string())
            .args(["-U", &format!("{user}%{nt_hash}"), "//127.0.0.1/s"])
            .args(["-c", "get hello.txt -"]);
        Said::of(&mut command, "")
    }
}

/// What smbd said, on its output and in its log.
fn told(folder: &Path) -> String {
    let file = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    file("told") + &file("log")
}

impl Drop for Smbd {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

struct Device {
    house: House,
    folder: tempfile::TempDir,
}

impl Device {
    /// A house with a trust, and somebody with a key.
    fn new(nt_hashes: bool) -> Self {
        let house = House::start(Options {
            nt_hashes,
            ..Options::new(Arc::new(SystemClock))
        });
        let house = house.unwrap();
        house.register_first_key().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, line: &str| {
            std::fs::write(folder.path().join(name), format!("{line}\n")).unwrap();
        };
        write("ca.pem", house.ca_pem());
        write("admin.token", house.administrator_token().expose());
        write("admin.password", house.administrator().1.expose());
        write("pin", house.key_pin().expose());
        let pass = house.temporary_access_pass(TEST_USER).unwrap();
        write("pass", pass.expose());
        let device = Self { house, folder };
        device
            .tombolo(&["trust", "create", "--allow", "Domain Users", "--apply"])
            .well();
        device
    }

    fn tombolo(&self, arguments: &[&str]) -> Said {
        let addresses = self.house.addresses();
        let (administrator, _) = self.house.administrator();
        let mut command = Command::new(product::tombolo());
        command
            .current_dir(self.folder.path())
            .env("TOMBOLO_DIRECTORY", &addresses.ldaps)
            .env("TOMBOLO_BIND", administrator)
            .env("TOMBOLO_PASSWORD_FILE", "admin.password")
            .env("TOMBOLO_CA_FILE", "ca.pem")
            .env("TOMBOLO_CLOUD", &addresses.cloud)
            .env("TOMBOLO_CLOUD_CA_FILE", "ca.pem")
            .env("TOMBOLO_CLOUD_TOKEN_FILE", "admin.token")
            .env("TOMBOLO_CLOUD_ORIGIN", self.house.cloud_origin())
            .env("TOMBOLO_SOFTKEY_ADDRESS", addresses.key.to_string())
            .env("TOMBOLO_KDC", addresses.kdc.to_string())
            .args(arguments);
        Said::of(&mut command, "")
    }

    fn sign_in(&self, more: &[&str]) -> Said {
        let upn = TEST_USER.upn(self.house.dns_domain());
        let always = [
            "signin",
            "--user",
            &upn,
            "--pass-file",
            "pass",
            "--state",
            "state",
            "--pin-file",
            "pin",
            "--cache",
            "tickets",
        ];
        self.tombolo(&[&always[..], more].concat())
    }
}

#[test]
fn the_hash_of_a_key_list_opens_a_server_that_knows_ntlm_alone() {
    let device = Device::new(true);
    let said = device
        .sign_in(&["--key-list", "--nt-hash-file", "hash"])
        .well();
    let hash = std::fs::read_to_string(device.folder.path().join("hash")).unwrap();
    let hash = hash.trim();
    assert_eq!(hash.len(), 32);
    assert!(!said.contains(hash), "a hash is never shown");
    let released = std::fs::read_to_string(device.house.kdc_log().path()).unwrap();
    assert!(released.contains("released"), "{released}");

    let password = &device.house.account(TEST_USER).unwrap().password;
    let place = tempfile::tempdir().unwrap();
    let smbd = Smbd::start(place.path(), TEST_USER.account, password.expose());
    let read = smbd.read(TEST_USER.account, hash).well();
    assert!(read.contains("hello by NTLM"), "{read}");
    let other = "0123456789abcdef0123456789abcdef";
    smbd.read(TEST_USER.account, other)
        .refused("NT_STATUS_LOGON_FAILURE");
    let log = told(place.path());
    assert!(log.contains("NTLMv2"), "{log}");
}

#[test]
fn by_default_no_hash_is_released() {
    let device = Device::new(false);
    device
        .sign_in(&["--key-list", "--nt-hash-file", "hash"])
        .well();
    assert!(!device.folder.path().join("hash").exists());
    let log = std::fs::read_to_string(device.house.kdc_log().path()).unwrap();
    assert!(log.contains("asked for and not given"), "{log}");
}
