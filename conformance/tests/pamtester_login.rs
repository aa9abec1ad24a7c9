//! A Linux login with a security key: Linux-PAM itself and `pamtester`, with our module and our helper, at our cloud and
//! domain. `pam_wrapper` gives PAM a service directory of the test's own, `nss_wrapper` gives it users; nothing of the
//! machine is changed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a judge's test that cannot set up its peers has failed"
)]

mod pam;

use std::sync::Arc;
use std::time::{Duration, Instant};

use conformance::Said;
use lab::people::{SECOND_USER, TEST_USER};
use lab::registration::register_key;
use lab::{House, Options, SystemClock};
use pam::{Login, Machine, NO_AUTHENTICATION, SIGN_IN_FAILED, TOO_MANY, UNKNOWN_USER};

const SIGN_IN: &[&str] = &["authenticate", "acct_mgmt"];
const SESSION: &[&str] = &[
    "authenticate",
    "acct_mgmt",
    "setcred(PAM_ESTABLISH_CRED)",
    "open_session",
    "close_session",
];

/// What a person at this machine sees where the helper does not work.
const BROKEN: &str = "Signing in with a security key does not work at the moment.";

#[test]
fn a_helper_that_fails_lets_nobody_in_and_harms_nobody() {
    let machine = Machine::new();
    let granted = r#"{"result":{"outcome":"granted","userPrincipalName":"x","offline":false,"session":"QQ=="}}"#;
    for (name, script) in [
        ("garbage", "head -c 100000 /dev/urandom; echo".to_owned()),
        ("endless", "exec cat /dev/zero".to_owned()),
        ("dies", "kill -9 $$".to_owned()),
        ("leaves", "exit 0".to_owned()),
        ("hangs", "exec sleep 60".to_owned()),
        ("is deaf", "sleep 2; exit 0".to_owned()),
        ("breaks off", format!("printf '%s' '{granted}'")),
        (
            "has no session",
            r#"echo '{"result":{"outcome":"granted","userPrincipalName":"x"}}'"#.to_owned(),
        ),
        (
            "does other work",
            r#"echo '{"result":{"outcome":"removed"}}'"#.to_owned(),
        ),
        (
            "chatters",
            r#"while :; do echo '{"tell":"info","text":"hm"}'; done"#.to_owned(),
        ),
    ] {
        let helper = machine.script(&script);
        machine.service("broken", &format!("helper={} timeout=1", helper.display()));
        let began = Instant::now();
        let login = Login::at("broken").does(SIGN_IN);
        let said = machine.login(&login);
        assert!(
            !said.good && said.text.contains(NO_AUTHENTICATION),
            "{name}: {}",
            said.text
        );
        assert!(said.text.contains(BROKEN), "{name}: {}", said.text);
        assert!(began.elapsed() < Duration::from_secs(20), "{name}");
    }
    machine.service("absent", "helper=/nonexistent/tombolo");
    machine
        .login(&Login::at("absent").does(SIGN_IN))
        .refused(NO_AUTHENTICATION);
    // The module says nothing about this user, so the next one in the stack decides.
    machine.stack(
        "next",
        "helper=/nonexistent/tombolo",
        "auth required pam_permit.so",
    );
    machine
        .login(&Login::at("next").does(&["authenticate"]))
        .well();
}

#[test]
fn the_module_leaves_no_memory_behind() {
    let machine = Machine::new();
    let helper = machine.script(
        r#"read first
case "$first" in
*signIn*) echo '{"ask":"secret","text":"PIN: "}'; read answer; echo '{"tell":"info","text":"Touch"}'
  echo '{"result":{"outcome":"granted","userPrincipalName":"a@b","offline":false,"session":"QQ=="}}';;
*establish*) echo '{"result":{"outcome":"established","cache":"FILE:/nonexistent/krb5cc","lease":"a1"}}';;
*) echo '{"result":{"outcome":"removed"}}';;
esac"#,
    );
    machine.service("watched", &format!("helper={}", helper.display()));
    let login = Login {
        program: &[
            "valgrind",
            "--leak-check=full",
            "--errors-for-leak-kinds=definite,indirect",
            "--error-exitcode=99",
        ],
        ..Login::at("watched").types("1234").does(SESSION)
    };
    let said = machine.login(&login).well();
    assert!(said.contains("ERROR SUMMARY: 0 errors"), "{said}");
}

/// A joined machine, and a house around it.
struct Desk {
    machine: Machine,
    house: House,
}

impl Desk {
    /// The first user of this machine has a key and has joined it; nobody has logged in.
    fn new() -> Self {
        let house = House::start(Options::new(Arc::new(SystemClock))).unwrap();
        house.register_first_key().unwrap();
        lab::trust::establish(&house).unwrap();
        let desk = Self {
            machine: Machine::new(),
            house,
        };
        desk.join();
        desk.configure(&desk.house.addresses().key.to_string(), "");
        let options = format!(
            "helper={} config={} state={} timeout=30",
            desk.machine.helper().display(),
            desk.machine.path("login.toml").display(),
            desk.machine.path("state").display(),
        );
        desk.machine.service("login", &options);
        desk.machine
            .stack("stack", &options, "auth required pam_permit.so");
        desk
    }

    fn join(&self) {
        let pass = self.house.temporary_access_pass(TEST_USER).unwrap();
        self.machine.write("ca.pem", self.house.ca_pem());
        self.machine.write("pin", self.house.key_pin().expose());
        self.machine.write("pass", pass.expose());
        let krb5 = std::fs::read_to_string(self.house.krb5_conf()).unwrap();
        self.machine.write("krb5.conf", &krb5);
        let addresses = self.house.addresses();
        let cloud_origin = self.house.cloud_origin();
        let key = addresses.key.to_string();
        let mut command = self.machine.tombolo();
        command.args(["signin", "--cloud", &addresses.cloud]);
        command.args(["--origin", &cloud_origin, "--cloud-ca-file", "ca.pem"]);
        command.args(["--softkey", &key, "--pin-file", "pin", "--state", "state"]);
        command.args(["--user", "testuser@corp.contoso.com", "--pass-file", "pass"]);
        command.args([
            "--kdc",
            &addresses.kdc.to_string(),
            "--ccache",
            "FILE:joined",
        ]);
        Said::of(&mut command, "").well();
        self.forget();
    }

    /// Removes the offline caches: the device has joined, and nobody has logged in yet.
    fn forget(&self) {
        for entry in std::fs::read_dir(self.machine.path("state")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|ending| ending == "cache") {
                std::fs::remove_file(path).unwrap();
            }
        }
    }

    fn offline_caches(&self) -> usize {
        let entries = std::fs::read_dir(self.machine.path("state")).unwrap();
        let is_cache = |path: std::path::PathBuf| path.extension().is_some_and(|e| e == "cache");
        entries
            .filter(|entry| is_cache(entry.as_ref().unwrap().path()))
            .count()
    }

    fn configure(&self, key: &str, more: &str) {
        let text = format!(
            "softkey = [\"{key}\"]\ntickets = \"{}\"\ndomains = [\"corp.contoso.com\"]\n{more}",
            self.machine.path("run").display(),
        );
        self.machine.write("login.toml", &text);
    }

    fn login<'a>(&'a self, user: &'a str) -> Login<'a> {
        Login {
            user,
            ..Login::at("login")
                .types(self.house.key_pin().expose())
                .does(SESSION)
        }
    }

    fn set_enabled(&self, is_enabled: bool) {
        let user = self.house.cloud_user(TEST_USER).unwrap();
        let change = serde_json::json!({ "accountEnabled": is_enabled });
        let cloud = self.house.cloud_as_administrator().unwrap();
        cloud.patch(&cloud_api::paths::user(user), &change).unwrap();
    }
}

#[test]
fn a_login_works_online_and_then_offline_with_the_domains_tickets() {
    let desk = Desk::new();
    let login = desk.login("testuser");
    // Before anybody has logged in here, only the cloud can say who somebody is.
    desk.house.cut_cloud().unwrap();
    desk.machine.login(&login).refused(NO_AUTHENTICATION);
    desk.house.mend_cloud().unwrap();

    desk.machine.login(&login).well();
    // The session had tickets, which the user's own programs use, and is over.
    let session = desk.machine.session();
    let shown = |words: &str| {
        assert!(
            session.contains(words),
            "'{words}' is missing in: {session}"
        )
    };
    shown("KRB5CCNAME=FILE:");
    shown("Default principal: testuser@CORP.CONTOSO.COM");
    shown("krbtgt/CORP.CONTOSO.COM@CORP.CONTOSO.COM");
    shown("ldap/dc1.corp.contoso.com@CORP.CONTOSO.COM: kvno = ");
    assert_eq!(desk.machine.tickets(), Vec::<String>::new());
    assert_eq!(desk.offline_caches(), 1);

    desk.house.cut_cloud().unwrap();
    let said = desk.machine.login(&login).well();
    assert!(said.contains("without the cloud"), "{said}");
    let session = desk.machine.session();
    assert!(
        session.contains("krbtgt/CORP.CONTOSO.COM@CORP.CONTOSO.COM"),
        "{session}"
    );
    // The wrong PIN opens nothing offline either.
    desk.machine
        .login(&desk.login("testuser").types("00000000"))
        .refused(SIGN_IN_FAILED);
    // Nor does the right key for somebody else.
    desk.machine
        .login(&desk.login("grace"))
        .refused(SIGN_IN_FAILED);
    desk.machine.login(&login).well();
    desk.house.mend_cloud().unwrap();
    desk.machine.login(&login).well();
}

#[test]
fn whoever_is_not_the_user_is_not_let_in() {
    let desk = Desk::new();
    // Linux users that nobody in the cloud stands for hear nothing, and the rest of the stack decides.
    for user in ["root", "localonly+"] {
        let said = desk.machine.login(&Login {
            user,
            ..desk.login(user)
        });
        assert!(!said.text.contains("key"), "{}", said.text);
        said.refused(UNKNOWN_USER);
    }
    desk.machine
        .login(&Login {
            service: "stack",
            user: "root",
            ..desk.login("root").does(&["authenticate"])
        })
        .well();
    // A user whom this machine does not know.
    desk.machine
        .login(&desk.login("stranger"))
        .refused(UNKNOWN_USER);
    // Somebody who is elsewhere is not asked for the key that is plugged in here.
    let remote = Login {
        remote: Some("203.0.113.7"),
        ..desk.login("testuser")
    };
    let said = desk.machine.login(&remote);
    assert!(!said.text.contains("PIN"), "{}", said.text);
    said.refused(NO_AUTHENTICATION);

    let wrong = desk
        .machine
        .login(&desk.login("testuser").types("00000000"));
    assert!(wrong.text.contains("PIN"), "{}", wrong.text);
    wrong.refused(SIGN_IN_FAILED);
    // testuser's key is not grace's, and then there are both on one key: each opens the door of its own user.
    desk.machine
        .login(&desk.login("grace"))
        .refused(SIGN_IN_FAILED);
    assert_eq!(
        desk.offline_caches(),
        0,
        "nothing is kept of a sign-in that was refused"
    );
    let cloud = desk.house.cloud_as_administrator().unwrap();
    let grace = desk.house.cloud_user(SECOND_USER).unwrap();
    let (mut key, pin) = (desk.house.key().unwrap(), desk.house.pin().unwrap());
    let origin = desk.house.cloud_origin();
    register_key(&cloud, &mut key, &pin, &origin, grace, "Shared key").unwrap();
    drop(key);
    for (user, owner) in [("grace", "grace"), ("testuser", "testuser")] {
        desk.machine.login(&desk.login(user)).well();
        let session = desk.machine.session();
        let words = format!("Default principal: {owner}@CORP.CONTOSO.COM");
        assert!(session.contains(&words), "{session}");
    }
    // The administrator's map wins over the rule.
    let key = desk.house.addresses().key.to_string();
    desk.configure(
        &key,
        "[users]\ntestuser = \"grace@corp.contoso.com\"\ngrace = \"nobody@corp.contoso.com\"\n",
    );
    desk.machine.login(&desk.login("testuser")).well();
    let session = desk.machine.session();
    assert!(
        session.contains("Default principal: grace@CORP.CONTOSO.COM"),
        "{session}"
    );
    desk.machine
        .login(&desk.login("grace"))
        .refused(SIGN_IN_FAILED);
    desk.configure(&key, "");

    // A key that is not there is said at once, and the stack goes on.
    desk.configure("127.0.0.1:1", "");
    let began = Instant::now();
    let said = desk.machine.login(&desk.login("testuser"));
    assert!(!said.text.contains("PIN"), "{}", said.text);
    assert!(said.text.contains("security key"), "{}", said.text);
    said.refused(NO_AUTHENTICATION);
    let passed = desk.machine.login(&Login {
        service: "stack",
        ..desk.login("testuser").does(&["authenticate"])
    });
    passed.well();
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_pin_that_was_guessed_too_often_says_so() {
    let desk = Desk::new();
    let guess = || {
        desk.machine
            .login(&desk.login("testuser").types("00000000"))
            .text
    };
    let told: Vec<String> = (0..4).map(|_| guess()).collect();
    let has = |index: usize, words: &str| told.get(index).is_some_and(|text| text.contains(words));
    assert!(has(0, SIGN_IN_FAILED), "{told:?}");
    assert!(has(3, TOO_MANY), "{told:?}");
    // The right one does not help either, until the key was taken out and put in again.
    desk.machine
        .login(&desk.login("testuser"))
        .refused(TOO_MANY);
}

#[test]
fn a_disabled_user_is_refused_and_what_was_kept_is_destroyed() {
    let desk = Desk::new();
    let login = desk.login("testuser");
    desk.machine.login(&login).well();
    assert_eq!(desk.offline_caches(), 1);
    desk.set_enabled(false);
    desk.machine.login(&login).refused(SIGN_IN_FAILED);
    assert_eq!(desk.offline_caches(), 0);
    desk.house.cut_cloud().unwrap();
    desk.machine.login(&login).refused(NO_AUTHENTICATION);
    desk.house.mend_cloud().unwrap();
    desk.set_enabled(true);
    desk.machine.login(&login).well();
}
