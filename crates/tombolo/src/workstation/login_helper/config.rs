//! `login.toml`: which Linux user stands for whom. Where the cloud and the domain are, the device remembers itself.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::io::{Failure, Tell, read_file};

/// The configuration of logins on this machine.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Security keys by their devices, or software keys by their addresses. Without both, any that is plugged in.
    #[serde(default)]
    pub(super) hidraw: Vec<PathBuf>,
    #[serde(default)]
    pub(super) softkey: Vec<String>,
    /// Below it, each user who is logged in has a folder with tickets.
    #[serde(default = "tickets")]
    pub(super) tickets: PathBuf,
    /// A Linux user stands for the user of the same name in these domains.
    #[serde(default)]
    domains: Vec<String>,
    /// ... unless it is one of the system's own accounts.
    #[serde(default = "uid_min")]
    uid_min: u32,
    /// Linux users that stand for somebody by name. It wins over `domains`.
    #[serde(default)]
    users: BTreeMap<String, String>,
}

/// A file system in memory: tickets do not outlive the machine's uptime.
fn tickets() -> PathBuf {
    PathBuf::from("/run/tombolo")
}

/// As login.defs has it on most systems.
const fn uid_min() -> u32 {
    1000
}

impl Config {
    /// Reads the file. Whoever may write it may log in as anybody, so it must be root's own.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let what = || format!("{} cannot be used", path.display());
        let held = std::fs::metadata(path).tell(what())?;
        if !is_safe(&held, rustix::process::geteuid().as_raw()) {
            return Err(Failure::new(what())
                .why("somebody else than root may write it")
                .next(format!("chown root {0} && chmod 644 {0}", path.display())));
        }
        let text = String::from_utf8(read_file(path)?).tell(what())?;
        let config = toml::from_str(&text).tell(what())?;
        Ok(config)
    }

    /// Whom a Linux user stands for; nobody, for most.
    pub(super) fn stands_for(&self, user: &str, uid: u32) -> Option<Person<'_>> {
        if let Some(name) = self.users.get(user) {
            return Some(Person(vec![name.as_str().into()]));
        }
        // root@corp.contoso.com must not be root here because somebody could get that name in the cloud.
        let is_person = uid >= self.uid_min && !NOBODY.contains(&uid) && is_plain(user);
        let names = self.domains.iter().map(|domain| format!("{user}@{domain}"));
        let names: Vec<_> = names.map(Into::into).collect();
        (is_person && !names.is_empty()).then_some(Person(names))
    }
}

/// `nobody`, and the users that systemd invents for services.
const NOBODY: std::ops::RangeInclusive<u32> = 61_184..=65_535;

/// A name that means the same in the cloud: no `@`, no `+`, nothing that looks like something else.
fn is_plain(user: &str) -> bool {
    let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    !user.is_empty() && user.bytes().all(is_good)
}

fn is_safe(held: &std::fs::Metadata, own_uid: u32) -> bool {
    use std::os::unix::fs::MetadataExt;
    held.is_file() && (held.uid() == 0 || held.uid() == own_uid) && held.mode() & 0o022 == 0
}

/// The cloud's names that a Linux user may have.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Person<'a>(Vec<std::borrow::Cow<'a, str>>);

impl Person<'_> {
    /// The names, for whoever must keep them.
    pub(super) fn names(&self) -> Vec<String> {
        self.0.iter().map(|name| name.to_string()).collect()
    }

    /// Whether this is who has signed in. Such names have no case.
    pub(super) fn is(&self, user_principal_name: &str) -> bool {
        let is_same = |name: &str| name.eq_ignore_ascii_case(user_principal_name);
        self.0.iter().any(|name| is_same(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "softkey = [\"127.0.0.1:8690\"]\n";

    #[track_caller]
    fn check(rest: &str, user: (&str, u32), who: &str, wanted: bool) {
        let config: Config = toml::from_str(&format!("{BASE}{rest}")).unwrap();
        let person = config.stands_for(user.0, user.1);
        assert_eq!(person.is_some_and(|person| person.is(who)), wanted);
    }

    #[test]
    fn who_stands_for_whom() {
        const DOMAIN: &str = "domains = [\"corp.contoso.com\"]\n";
        const MAP: &str =
            "[users]\nada = \"ada.lovelace@corp.contoso.com\"\nroot = \"admin@corp.contoso.com\"\n";
        let both = format!("{DOMAIN}{MAP}");
        let ada = ("ada", 1000);
        check(DOMAIN, ada, "ada@corp.contoso.com", true);
        check(DOMAIN, ada, "Ada@CORP.contoso.com", true);
        for other in [
            "",
            "ada",
            "grace@corp.contoso.com",
            "ada@corp.contoso.com.evil.example",
            "ada@evil.example",
            "ada+x@corp.contoso.com",
        ] {
            check(DOMAIN, ada, other, false);
        }
        // The system's accounts stand for nobody, unless the administrator says so by name.
        check(DOMAIN, ("root", 0), "root@corp.contoso.com", false);
        check(DOMAIN, ("daemon", 1), "daemon@corp.contoso.com", false);
        check(DOMAIN, ("nobody", 65534), "nobody@corp.contoso.com", false);
        check(DOMAIN, ("ada", 1_600_001), "ada@corp.contoso.com", true);
        check(&both, ("root", 0), "admin@corp.contoso.com", true);
        check(&both, ("root", 0), "root@corp.contoso.com", false);
        // The map wins over the rule.
        check(&both, ada, "ada.lovelace@corp.contoso.com", true);
        check(&both, ada, "ada@corp.contoso.com", false);
        // Names that could mean two things mean none.
        for name in ["ada@corp.contoso.com", "a da", "", "ada\u{0301}", "ada$"] {
            let who = format!("{name}@corp.contoso.com");
            check(DOMAIN, (name, 1000), &who, false);
        }
        check("", ada, "ada@corp.contoso.com", false);
        let later = "uid_min = 5000\ndomains = [\"corp.contoso.com\"]\n";
        check(later, ada, "ada@corp.contoso.com", false);
        check(later, ("ada", 5000), "ada@corp.contoso.com", true);
    }

    #[test]
    fn a_file_that_others_may_write_is_not_read() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("login.toml");
        std::fs::write(&path, BASE).unwrap();
        for (mode, is_read) in [(0o600, true), (0o644, true), (0o664, false), (0o666, false)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(Config::read(&path).is_ok(), is_read, "{mode:o}");
        }
        assert!(Config::read(&folder.path().join("absent")).is_err());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        std::fs::write(&path, format!("{BASE}nullok = true\n")).unwrap();
        assert!(Config::read(&path).is_err());
    }
}
