//! The helper as a real process: what it inherits, and every way in which it can fail to answer.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test that cannot set up its process has failed"
)]

use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use pam_tombolo::conversation::{Broken, Wire};
use pam_tombolo::helper::Helper;
use pam_tombolo::options::Options;
use pam_tombolo::protocol::{self, FromHelper, Outcome};
use types::Secret;

/// A helper that is this script of `sh`.
fn helper(script: &str, patience: Duration) -> (Box<Helper>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("helper");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let options = Options {
        helper: path,
        patience,
        ..Options::default()
    };
    // Another test of this program may be between fork and exec, with this script still open for writing (ETXTBSY).
    for _ in 0..100 {
        match Helper::start(&options) {
            Ok(helper) => return (Box::new(helper), folder),
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => {
                std::thread::yield_now();
            }
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the script stays busy");
}

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(300);

#[track_caller]
fn check(script: &str, patience: Duration, wanted: &Result<FromHelper, Broken>) {
    let began = Instant::now();
    let (mut helper, _folder) = helper(script, patience);
    assert_eq!(helper.hear(), *wanted, "{script}");
    drop(helper);
    assert!(began.elapsed() < Duration::from_secs(20), "{script}");
}

fn told(text: &str) -> Result<FromHelper, Broken> {
    let text = text.to_owned();
    Ok(FromHelper::Tell {
        is_error: false,
        text,
    })
}

#[test]
fn lines_are_heard_in_whatever_pieces_they_come() {
    let said = r#"{"tell":"info","text":"one"}"#;
    check(&format!("echo '{said}'"), LONG, &told("one"));
    check(
        r#"printf '{"tell":"info",'; sleep 0.1; printf '"text":"two"}\n'; sleep 60"#,
        LONG,
        &told("two"),
    );
    let (mut helper, _folder) = helper(
        &format!("printf '%s\\n%s\\n' '{said}' '{said}'; exec sleep 60"),
        LONG,
    );
    assert_eq!(helper.hear(), told("one"));
    assert_eq!(helper.hear(), told("one"));
}

#[test]
fn a_helper_that_does_not_answer_is_given_up() {
    check("exec sleep 60", SHORT, &Err(Broken::Silent));
    // Not even when its ears and mouth are held open by a child, or when it does not want to end.
    check("sleep 3 & exec sleep 60", SHORT, &Err(Broken::Silent));
    check("trap '' TERM; exec sleep 60", SHORT, &Err(Broken::Silent));
    // A drop now and then is no line.
    check(
        "while :; do printf x; sleep 0.1; done",
        SHORT,
        &Err(Broken::Silent),
    );
    check("exit 0", LONG, &Err(Broken::Ended));
    check("kill -9 $$", LONG, &Err(Broken::Ended));
    // A line without its end may be half of one.
    check(
        r#"printf '{"tell":"info","text":"one"}'"#,
        LONG,
        &Err(Broken::Ended),
    );
}

#[test]
fn garbage_has_an_end() {
    for script in [
        "echo hello",
        "head -c 100000 /dev/urandom; echo",
        "echo",
        "exec cat /dev/zero",
        "exec yes",
    ] {
        let (mut helper, _folder) = helper(script, LONG);
        assert!(matches!(helper.hear(), Err(Broken::Bad(_))), "{script}");
    }
}

#[test]
fn a_helper_that_does_not_listen_is_given_up() {
    let session = Secret::new("A".repeat(4 * 1024 * 1024));
    let user = protocol::User {
        name: "testuser".to_owned(),
        uid: 1,
        gid: 1,
    };
    let line = protocol::establish(&user, &session);
    let (mut helper, _folder) = self::helper("exec sleep 60", SHORT);
    assert_eq!(helper.say(&line), Err(Broken::Silent));
    // Nor does one that has gone send this program a signal.
    let (mut helper, _folder) = self::helper("exec true", LONG);
    assert_eq!(helper.hear(), Err(Broken::Ended));
    assert_eq!(helper.say(&line), Err(Broken::Ended));
}

#[test]
fn the_helper_inherits_nothing() {
    // A file that a careless login program leaves open.
    let open = std::fs::File::open("/dev/null").unwrap();
    rustix::io::fcntl_setfd(&open, rustix::io::FdFlags::empty()).unwrap();
    let leaked = open.as_raw_fd();
    let script = format!(
        "n=$(env | grep -vcE '^(PWD|SHLVL|_|OLDPWD)='); f=no; [ -e /proc/$$/fd/{leaked} ] && f=yes\n\
         echo '{{\"tell\":\"info\",\"text\":\"'$n $f $PWD $*'\"}}'"
    );
    check(
        &script,
        LONG,
        &told(
            "0 no / login-helper --config /etc/tombolo/login.toml --state /var/lib/tombolo/workstation",
        ),
    );
}

#[test]
fn a_question_and_its_answer() {
    let script = r#"
read first; echo '{"ask":"secret","text":"PIN: "}'
read answer
case "$answer" in *hunter2*) echo '{"result":{"outcome":"removed"}}';; *) echo '{"result":{"outcome":"refused"}}';; esac"#;
    for (answer, outcome) in [("hunter2", Outcome::Removed), ("hunter3", Outcome::Refused)] {
        let (mut helper, _folder) = helper(script, LONG);
        helper.say(&protocol::cancelled()).unwrap();
        assert!(matches!(helper.hear(), Ok(FromHelper::Ask { .. })));
        helper
            .say(&protocol::answer(&Secret::new(answer.to_owned())))
            .unwrap();
        let text = String::new();
        assert_eq!(helper.hear(), Ok(FromHelper::Done { outcome, text }));
        helper.finish();
    }
}

#[test]
fn a_helper_that_lingers_after_its_last_word_is_ended() {
    let began = Instant::now();
    let (mut helper, _folder) = helper(
        r#"echo '{"result":{"outcome":"removed"}}'; exec sleep 60"#,
        LONG,
    );
    assert!(helper.hear().is_ok());
    helper.finish();
    assert!(began.elapsed() < Duration::from_secs(20));
}
