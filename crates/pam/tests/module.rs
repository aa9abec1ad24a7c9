//! Each function of the module, against a login program and a helper that are played.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;

use pam_tombolo::code::{Code, Flags};
use pam_tombolo::conversation::{Broken, Person, Wire};
use pam_tombolo::module::{self, Host, Kept, Level, State};
use pam_tombolo::options::Options;
use pam_tombolo::protocol::{FromHelper, ToHelper, User};
use types::Secret;

const QUIET: Flags = Flags(0x8000);
const PLAIN: Flags = Flags(0);
const DELETE: Flags = Flags(4);

const GRANTED: &str = r#"{"result":{"outcome":"granted","userPrincipalName":"testuser@corp.contoso.com","offline":false,"session":"U0VTU0lPTg=="}}"#;
const PIN: &str = r#"{"ask":"secret","text":"PIN: "}"#;
const TOUCH: &str = r#"{"tell":"info","text":"touch it"}"#;
const ESTABLISHED: &str =
    r#"{"result":{"outcome":"established","cache":"FILE:/run/tombolo/1000/krb5cc","lease":"a1"}}"#;
const REMOVED: &str = r#"{"result":{"outcome":"removed"}}"#;

/// What happened, in order.
type Story = Rc<RefCell<Vec<String>>>;

struct Program {
    user: Result<&'static str, Code>,
    remote: Option<&'static str>,
    answer: Result<&'static str, Code>,
    /// What each helper that is started will say; an empty script ends at once.
    helpers: VecDeque<Vec<&'static str>>,
    environment: BTreeMap<String, String>,
    kept: Option<Kept>,
    story: Story,
}

impl Program {
    fn new(helpers: &[&[&'static str]]) -> Self {
        Self {
            user: Ok("testuser"),
            remote: None,
            answer: Ok("12345678"),
            helpers: helpers.iter().map(|lines| lines.to_vec()).collect(),
            environment: BTreeMap::new(),
            kept: None,
            story: Rc::default(),
        }
    }

    fn told(&self) -> String {
        self.story.borrow().join("\n")
    }

    fn say(&self, line: String) {
        self.story.borrow_mut().push(line);
    }

    #[track_caller]
    fn authenticates(&mut self, flags: Flags, wanted: Code) {
        let code = module::authenticate(self, &Options::default(), flags);
        assert_eq!(code, wanted, "{}", self.told());
        assert_eq!(self.kept.is_some(), wanted == Code::SUCCESS);
    }
}

impl Person for Program {
    fn ask(&mut self, is_secret: bool, text: &str) -> Result<Secret<String>, Code> {
        self.say(format!("asked {text}(secret: {is_secret})"));
        self.answer.map(|answer| Secret::new(answer.to_owned()))
    }

    fn tell(&mut self, is_error: bool, text: &str) {
        self.say(format!("shown {text} (error: {is_error})"));
    }
}

impl Host for Program {
    fn user(&mut self) -> Result<String, Code> {
        self.user.map(str::to_owned)
    }

    fn account(&self, name: &str) -> Option<User> {
        (name != "nobody-here").then(|| User {
            name: name.to_owned(),
            uid: 1000,
            gid: 1001,
        })
    }

    fn remote_host(&self) -> Option<String> {
        self.remote.map(str::to_owned)
    }

    fn host_name(&self) -> String {
        "ws01".to_owned()
    }

    fn service(&self) -> String {
        "login".to_owned()
    }

    fn log(&self, level: Level, text: &str) {
        self.say(format!("log {level:?}: {text}"));
    }

    fn set_environment(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => drop(self.environment.insert(name.to_owned(), value.to_owned())),
            None => drop(self.environment.remove(name)),
        }
    }

    fn keep(&mut self, kept: Kept) -> Result<(), Code> {
        self.kept = Some(kept);
        Ok(())
    }

    fn take(&mut self) -> Option<Kept> {
        self.kept.take()
    }

    fn start(&mut self, _: &Options) -> std::io::Result<Box<dyn Wire>> {
        self.say("helper started".to_owned());
        match self.helpers.pop_front() {
            Some(lines) => Ok(Box::new(Script {
                lines: lines.into(),
                story: Rc::clone(&self.story),
            })),
            None => Err(std::io::ErrorKind::NotFound.into()),
        }
    }
}

struct Script {
    lines: VecDeque<&'static str>,
    story: Story,
}

impl Wire for Script {
    fn hear(&mut self) -> Result<FromHelper, Broken> {
        let line = self.lines.pop_front().ok_or(Broken::Ended)?;
        FromHelper::parse(line.as_bytes()).map_err(Broken::Bad)
    }

    fn say(&mut self, line: &ToHelper) -> Result<(), Broken> {
        let line = format!("helper heard {}", line.expose().trim_end());
        self.story.borrow_mut().push(line);
        Ok(())
    }

    fn finish(self: Box<Self>) {
        self.story.borrow_mut().push("helper finished".to_owned());
    }
}

#[test]
fn a_sign_in_asks_shows_and_keeps_the_session() {
    let mut program = Program::new(&[&[PIN, TOUCH, GRANTED]]);
    program.authenticates(PLAIN, Code::SUCCESS);
    let wanted = [
        "helper started",
        r#"helper heard {"signIn":{"user":"testuser","uid":1000,"service":"login"}}"#,
        "asked PIN: (secret: true)",
        r#"helper heard {"answer":"12345678"}"#,
        "shown touch it (error: false)",
        "helper finished",
        "log Notice: testuser signed in as testuser@corp.contoso.com",
    ];
    assert_eq!(*program.story.borrow(), wanted);
    let state = State::Granted(Secret::new("U0VTU0lPTg==".to_owned()));
    let user = "testuser".to_owned();
    assert_eq!(program.kept, Some(Kept { user, state }));
}

#[test]
fn a_silent_login_shows_nothing_and_still_asks() {
    let mut program = Program::new(&[&[PIN, TOUCH, GRANTED]]);
    program.authenticates(QUIET, Code::SUCCESS);
    assert!(!program.told().contains("shown"), "{}", program.told());
    assert!(program.told().contains("asked"), "{}", program.told());
}

#[test]
fn every_other_end_lets_nobody_in() {
    const UNKNOWN: &str = r#"{"result":{"outcome":"unknownUser","text":"not mapped"}}"#;
    const REFUSED: &str = r#"{"result":{"outcome":"refused","text":"wrong PIN"}}"#;
    for (lines, code) in [
        (&[PIN, REFUSED][..], Code::AUTH_ERR),
        (&[UNKNOWN], Code::USER_UNKNOWN),
        (&[], Code::AUTHINFO_UNAVAIL),
        (&[PIN], Code::AUTHINFO_UNAVAIL),
        (&["tombolo: panicked"], Code::AUTHINFO_UNAVAIL),
        (&[PIN, "{}", GRANTED], Code::AUTHINFO_UNAVAIL),
        // A result of other work is no sign-in.
        (&[ESTABLISHED], Code::AUTHINFO_UNAVAIL),
        (&[REMOVED], Code::AUTHINFO_UNAVAIL),
        (&[TOUCH; 40], Code::AUTHINFO_UNAVAIL),
        (&[PIN; 40], Code::AUTHINFO_UNAVAIL),
    ] {
        let mut program = Program::new(&[lines]);
        program.authenticates(PLAIN, code);
        // Most users of most machines hear nothing.
        let is_noisy = program.told().contains("shown") || program.told().contains("log ");
        assert_eq!(is_noisy, code != Code::USER_UNKNOWN, "{}", program.told());
    }
    // No helper at all.
    Program::new(&[]).authenticates(PLAIN, Code::AUTHINFO_UNAVAIL);
}

#[test]
fn an_unanswered_question_ends_it() {
    for (reason, code) in [
        (Code::CONV_ERR, Code::CONV_ERR),
        (Code::CONV_AGAIN, Code::INCOMPLETE),
    ] {
        let mut program = Program::new(&[&[PIN, GRANTED]]);
        program.answer = Err(reason);
        program.authenticates(PLAIN, code);
        assert!(program.told().contains(r#"{"cancelled":true}"#));
    }
}

#[test]
fn nobody_is_asked_who_is_not_here() {
    for (remote, is_here) in [
        ("203.0.113.7", false),
        ("evil.example", false),
        ("127.example", false),
        ("localhost.example", false),
        ("", true),
        ("localhost", true),
        ("127.0.0.1", true),
        ("::1", true),
        ("WS01", true),
    ] {
        let mut program = Program::new(&[&[GRANTED]]);
        program.remote = Some(remote);
        let code = if is_here {
            Code::SUCCESS
        } else {
            Code::AUTHINFO_UNAVAIL
        };
        program.authenticates(PLAIN, code);
        assert_eq!(program.told().contains("helper"), is_here, "{remote}");
    }
    for user in [Err(Code::CONV_ERR), Ok("nobody-here")] {
        let mut program = Program::new(&[&[GRANTED]]);
        program.user = user;
        program.authenticates(PLAIN, user.err().unwrap_or(Code::USER_UNKNOWN));
        assert!(!program.told().contains("helper"));
    }
}

#[test]
fn tickets_are_placed_once_and_taken_away_once() {
    let options = Options::default();
    let mut program = Program::new(&[&[GRANTED], &[ESTABLISHED], &[REMOVED]]);
    program.authenticates(PLAIN, Code::SUCCESS);
    for flags in [Flags(2), Flags(8), Flags(0x10), PLAIN] {
        assert_eq!(
            module::set_credentials(&mut program, &options, flags),
            Code::SUCCESS
        );
    }
    assert_eq!(
        module::open_session(&mut program, &options, PLAIN),
        Code::SUCCESS
    );
    let cache = program.environment.get("KRB5CCNAME").map(String::as_str);
    assert_eq!(cache, Some("FILE:/run/tombolo/1000/krb5cc"));
    let told = program.told();
    let establish = r#"helper heard {"establish":{"user":"testuser","uid":1000,"gid":1001,"session":"U0VTU0lPTg=="}}"#;
    assert_eq!(told.matches(establish).count(), 1, "{told}");

    assert_eq!(
        module::close_session(&mut program, &options, PLAIN),
        Code::SUCCESS
    );
    assert_eq!(
        module::set_credentials(&mut program, &options, DELETE),
        Code::SUCCESS
    );
    assert!(program.environment.is_empty());
    let told = program.told();
    let remove =
        r#"helper heard {"remove":{"user":"testuser","uid":1000,"gid":1001,"lease":"a1"}}"#;
    assert_eq!(told.matches(remove).count(), 1, "{told}");
}

#[test]
fn tickets_without_a_place_send_nobody_away() {
    for lines in [
        &[r#"{"result":{"outcome":"unavailable","text":"no space left on device"}}"#][..],
        &[],
        &["garbage"],
        // Nobody can answer here.
        &[PIN, ESTABLISHED],
        // And a second sign-in is not what was asked for.
        &[GRANTED],
    ] {
        let mut program = Program::new(&[&[GRANTED], lines]);
        program.authenticates(PLAIN, Code::SUCCESS);
        let code = module::set_credentials(&mut program, &Options::default(), Flags(2));
        assert_eq!(code, Code::SUCCESS);
        assert!(program.environment.is_empty());
        let told = program.told();
        assert!(told.contains("testuser has no tickets"), "{told}");
        assert!(!told.contains("asked"), "{told}");
    }
}

#[test]
fn the_session_of_another_user_gets_no_tickets() {
    // sudo signs in testuser, and opens a session for root.
    let options = Options::default();
    let mut program = Program::new(&[&[GRANTED], &[ESTABLISHED]]);
    program.authenticates(PLAIN, Code::SUCCESS);
    program.user = Ok("root");
    assert_eq!(
        module::account_management(&mut program, &options, PLAIN),
        Code::IGNORE
    );
    assert_eq!(
        module::set_credentials(&mut program, &options, Flags(2)),
        Code::SUCCESS
    );
    assert!(program.environment.is_empty());
    assert!(!program.told().contains("establish"), "{}", program.told());
}

#[test]
fn whoever_came_in_another_way_is_left_to_the_other_modules() {
    let options = Options::default();
    for act in [
        module::set_credentials,
        module::account_management,
        module::open_session,
        module::close_session,
        module::change_token,
    ] {
        for flags in [PLAIN, DELETE] {
            let mut program = Program::new(&[]);
            assert_eq!(act(&mut program, &options, flags), Code::IGNORE);
            assert_eq!(program.told(), "");
        }
    }
    let mut program = Program::new(&[&[GRANTED]]);
    program.authenticates(PLAIN, Code::SUCCESS);
    assert_eq!(
        module::account_management(&mut program, &options, PLAIN),
        Code::SUCCESS
    );
}

#[test]
fn a_second_attempt_does_not_inherit_the_session_of_the_first() {
    let mut program = Program::new(&[&[GRANTED], &[]]);
    program.authenticates(PLAIN, Code::SUCCESS);
    program.authenticates(PLAIN, Code::AUTHINFO_UNAVAIL);
}
