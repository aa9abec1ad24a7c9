//! `tombolo lab shell`: unmodified clients find the lab by its names, on the ports that they know, as root and as an
//! ordinary user; the command's end is the lab's end, and the machine's own network and files are as they were.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use conformance::{Said, peers, product};

/// The code that a script in the lab ends with.
fn code(script: &str) -> Option<i32> {
    product::in_lab(&[], script).status().unwrap().code()
}

/// What clients do there: none is told where anything is.
const TOUR: &str = r#"
set -e
! grep -w kdc "$KRB5_CONFIG" | grep =
echo "$TOMBOLO_LAB_PASSWORD" | kinit testuser
kvno ldap/dc1.corp.contoso.com
klist
ldapsearch -LLL -Y GSSAPI -H ldap://dc1.corp.contoso.com -b "$TOMBOLO_LAB_BASE_DN" '(sAMAccountName=testuser)' cn
ldapsearch -LLL -x -H 'ldap:///dc%3Dcorp%2Cdc%3Dcontoso%2Cdc%3Dcom' -b '' -s base defaultNamingContext
ldapsearch -LLL -x -H ldaps://corp.contoso.com -b '' -s base dnsHostName
curl -sS -o /dev/null -w 'cloud %{http_code}\n' https://login.corp.contoso.com/.well-known/openid-configuration
"#;

fn check_tour(said: Said) {
    let text = said.well();
    for words in [
        "krbtgt/CORP.CONTOSO.COM@CORP.CONTOSO.COM",
        "ldap/dc1.corp.contoso.com@CORP.CONTOSO.COM: kvno = 1",
        "SASL username: testuser@CORP.CONTOSO.COM",
        "dn: CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com",
        "defaultNamingContext: DC=corp,DC=contoso,DC=com",
        "dnsHostName: dc1.corp.contoso.com",
        "cloud ",
    ] {
        assert!(text.contains(words), "'{words}' is missing in: {text}");
    }
}

#[test]
fn clients_find_everything_by_its_name() {
    for program in ["kinit", "kvno", "klist", "ldapsearch", "curl"] {
        peers::program(program);
    }
    check_tour(Said::of(&mut product::in_lab(&[], TOUR), ""));
}

#[test]
fn an_ordinary_user_gets_a_lab_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    // Where nobody may look, nobody can run it.
    let own = folder.path().join("tombolo");
    std::fs::copy(product::tombolo(), &own).unwrap();
    open(folder.path());
    open(&own);
    let nobody = |program: &Path| {
        let mut command = Command::new(peers::program("setpriv"));
        command
            .current_dir("/")
            .env("HOME", "/")
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(program);
        command
    };
    let mut unshare = nobody(&peers::program("unshare"));
    let is_allowed = Said::of(unshare.args(["-U", "-r", "-n", "-m", "true"]), "").good;
    let mut command = nobody(&own);
    command.args(["--quiet", "lab", "shell", "--", "sh", "-c", TOUR]);
    let said = Said::of(&mut command, "");
    if is_allowed {
        check_tour(said);
    } else {
        said.refused("run it as root, or allow user namespaces");
    }
}

#[test]
fn kpasswd_is_found_and_the_old_password_is_gone() {
    let script = r#"
new='A-new-0ne-2026'
printf '%s\n%s\n%s\n' "$TOMBOLO_LAB_PASSWORD" "$new" "$new" | kpasswd testuser || exit 1
echo "$new" | kinit testuser || exit 2
echo "$TOMBOLO_LAB_PASSWORD" | kinit testuser && exit 3
exit 0
"#;
    assert_eq!(code(script), Some(0));
}

#[test]
fn exit_codes_are_the_commands_own() {
    for (script, expect) in [
        ("exit 42", 42),
        ("kill -9 $$", 137),
        ("no-such-program", 127),
    ] {
        assert_eq!(code(script), Some(expect), "{script}");
    }
    let mut command = Command::new(product::tombolo());
    let said = command
        .args(["lab", "shell", "--", "/no/such/program"])
        .output();
    assert_eq!(said.unwrap().status.code(), Some(127));
}

#[test]
fn signals_reach_the_command_and_nothing_is_left() {
    // By a manager to the lab alone; by a terminal to all that stand before it.
    for (signal, is_to_all) in [("TERM", false), ("INT", true)] {
        let script = format!(
            "trap 'exit 9' {signal}; sleep 300 & echo $! \"$TOMBOLO_LAB_STATE\"; while :; do sleep 1; done"
        );
        let mut lab = product::in_lab(&[], &script)
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = String::new();
        let mut output = BufReader::new(lab.stdout.take().unwrap());
        output.read_line(&mut told).unwrap();
        let (left, state) = told.trim().split_once(' ').unwrap();
        assert!(Path::new(state).exists());
        let whom = if is_to_all { "-" } else { "" };
        let mut kill = Command::new(peers::program("kill"));
        kill.args(["-s", signal, "--", &format!("{whom}{}", lab.id())]);
        Said::of(&mut kill, "").well();
        assert_eq!(lab.wait().unwrap().code(), Some(9), "{signal}");
        assert!(!Path::new(state).exists(), "{state} is left");
        let left = Path::new("/proc").join(left);
        assert!(!left.exists(), "{} is left", left.display());
    }
}

#[test]
fn the_machine_keeps_its_own_names_and_network() {
    let read = || {
        ["/etc/hosts", "/etc/resolv.conf", "/proc/self/mounts"]
            .map(|file| std::fs::read_to_string(file).unwrap_or_default())
    };
    let before = read();
    let script = "grep -q dc1.corp.contoso.com /etc/hosts && echo inside; umask; getent hosts www.example.com; \
                  getent hosts printer.corp.contoso.com; cat";
    let mut lab = product::in_lab(&["--host", "elsewhere.example"], script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(lab.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert_eq!(next(), "inside");
    let umask = Command::new("sh").args(["-c", "umask"]).output().unwrap();
    assert_eq!(next(), String::from_utf8_lossy(&umask.stdout).trim());
    // Nobody of the outside is there, and every host of the domain is.
    assert!(next().contains("printer.corp.contoso.com"));
    // The lab is up, and outside nothing is to be seen of it.
    assert_eq!(read(), before);
    assert!(std::net::TcpStream::connect("127.0.0.1:88").is_err());
    drop(lab.stdin.take());
    assert!(lab.wait().unwrap().success());
}
