//! `smbd` alone, without a domain, knowing NTLMv2 and nothing else: one share, one user, and a log that says who came in.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    dead_code,
    reason = "a judge's test that cannot set up its peers has failed; not every judge wants everything of it"
)]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use conformance::{Said, peers};

/// `smbd` in the foreground, with one share and one user.
pub(crate) struct Smbd {
    server: Child,
    port: u16,
}

impl Smbd {
    /// Starts it, with the user's password.
    pub(crate) fn start(folder: &Path, user: &str, password: &str) -> Self {
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
    pub(crate) fn read(&self, user: &str, nt_hash: &str) -> Said {
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
pub(crate) fn told(folder: &Path) -> String {
    let file = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
    file("told") + &file("log")
}

impl Drop for Smbd {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}
