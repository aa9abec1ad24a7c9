//! A machine for logins: users, PAM services and the module in a folder of its own, and `pamtester` as the login program.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a judge's test that cannot set up its peers has failed"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use conformance::{Said, peers, product};

/// What Linux-PAM says in `pam_strerror`.
pub const SIGN_IN_FAILED: &str = "Authentication failure";
pub const NO_AUTHENTICATION: &str = "Authentication service cannot retrieve authentication info";
pub const TOO_MANY: &str = "Have exhausted maximum number of retries for service";
pub const UNKNOWN_USER: &str = "User not known to the underlying authentication module";

/// The folder of the machine, gone with it.
pub struct Machine {
    folder: tempfile::TempDir,
}

/// One login.
#[derive(Clone, Copy)]
pub struct Login<'a> {
    pub service: &'a str,
    pub user: &'a str,
    pub types: &'a str,
    pub operations: &'a [&'a str],
    pub remote: Option<&'a str>,
    /// What `pamtester` runs under.
    pub program: &'a [&'a str],
}

impl<'a> Login<'a> {
    pub fn at(service: &'a str) -> Self {
        Self {
            service,
            user: "testuser",
            types: "",
            operations: &["authenticate"],
            remote: None,
            program: &[],
        }
    }

    pub fn types(self, types: &'a str) -> Self {
        Self { types, ..self }
    }

    pub fn does(self, operations: &'a [&'a str]) -> Self {
        Self { operations, ..self }
    }
}

impl Machine {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Its users have their tickets below.
        open_to_all(folder.path());
        let machine = Self { folder };
        std::fs::copy(product::pam_module(), machine.path("pam_tombolo.so")).unwrap();
        std::fs::create_dir(machine.path("services")).unwrap();
        // Root can play any user; anybody else only themselves.
        let own = std::fs::metadata(machine.path("services")).unwrap();
        let own = std::os::unix::fs::MetadataExt::uid(&own);
        let uid = if own == 0 { 4242 } else { own };
        let user = |name: &str, uid: u32| format!("{name}:x:{uid}:{uid}::/:/bin/sh\n");
        let users = [
            user("root", 0),
            user("localonly+", uid + 1),
            user("testuser", uid),
            user("grace", uid),
        ];
        machine.write("passwd", &users.concat());
        machine.write("group", &format!("root:x:0:\nusers:x:{uid}:\n"));
        machine
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// A helper that is this script.
    pub fn script(&self, text: &str) -> PathBuf {
        let path = self.path("helper");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        open_to_all(&path);
        path
    }

    /// The real helper.
    pub fn helper(&self) -> PathBuf {
        product::tombolo()
    }

    pub fn tombolo(&self) -> Command {
        let mut command = Command::new(product::tombolo());
        command.current_dir(self.folder.path());
        command
    }

    /// A service of our module alone; in its session the user looks at the tickets.
    pub fn service(&self, name: &str, options: &str) {
        self.stack(name, options, "");
    }

    /// A service where another module may let somebody in whom ours does not know.
    pub fn stack(&self, name: &str, options: &str, next: &str) {
        let module = self.path("pam_tombolo.so");
        let module = module.display();
        let control = if next.is_empty() {
            "required"
        } else {
            "[success=done authinfo_unavail=ignore user_unknown=ignore default=die]"
        };
        let look = self.path("look");
        let text = format!(
            "auth {control} {module} {options}\n{next}\naccount required {module} {options}\n\
             session required {module} {options}\n\
             session optional pam_exec.so quiet {look}\n",
            look = look.display()
        );
        std::fs::write(self.path("services").join(name), text).unwrap();
        let own = self.folder.path().display();
        // `pam_exec` gives the session's variables and no others.
        let script = format!(
            "#!/bin/sh\n[ \"$PAM_TYPE\" = open_session ] || exit 0\nexport PATH=/usr/sbin:/usr/bin:/sbin:/bin\n\
             exec >{own}/session 2>&1\nenv | grep ^KRB5CCNAME=\n\
             as=\n[ \"$(id -u)\" = 0 ] && as='setpriv --reuid 4242 --regid 4242 --clear-groups'\n\
             export KRB5_CONFIG={own}/krb5.conf\n\
             $as klist\n$as kvno ldap/dc1.corp.contoso.com\n"
        );
        std::fs::write(&look, script).unwrap();
        open_to_all(&look);
    }

    /// Somebody logs in.
    pub fn login(&self, login: &Login<'_>) -> Said {
        let mut words: Vec<PathBuf> = Vec::new();
        if let Some((program, options)) = login.program.split_first() {
            words.push(peers::program(program));
            words.extend(options.iter().map(PathBuf::from));
        }
        words.push(peers::program("pamtester"));
        let mut command = Command::new(words.remove(0));
        command.args(words);
        if let Some(remote) = login.remote {
            command.args(["-I", &format!("rhost={remote}")]);
        }
        command
            .args([login.service, login.user])
            .args(login.operations)
            .env("LC_ALL", "C")
            .env("PAM_WRAPPER", "1")
            .env("PAM_WRAPPER_SERVICE_DIR", self.path("services"))
            .env("NSS_WRAPPER_PASSWD", self.path("passwd"))
            .env("NSS_WRAPPER_GROUP", self.path("group"))
            .env("LD_PRELOAD", "libpam_wrapper.so:libnss_wrapper.so");
        drop(std::fs::remove_file(self.path("session")));
        Said::of(&mut command, &format!("{}\n", login.types))
    }

    /// What the user saw in the session of the last login.
    pub fn session(&self) -> String {
        std::fs::read_to_string(self.path("session")).unwrap_or_default()
    }

    /// The ticket caches that are there.
    pub fn tickets(&self) -> Vec<String> {
        let mut found = Vec::new();
        for folder in std::fs::read_dir(self.path("run")).unwrap() {
            for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
                found.push(file.unwrap().path().display().to_string());
            }
        }
        found
    }
}

fn open_to_all(path: &Path) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
