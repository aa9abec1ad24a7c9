//! The lines between the module and `tombolo login-helper`: one JSON object each.
//!
//! ```text
//! module → helper, first    {"signIn":{"user":…,"uid":…,"service":…}}
//!                           {"establish":{"user":…,"uid":…,"gid":…,"session":…}}
//!                           {"remove":{"user":…,"uid":…,"gid":…,"lease":…}}
//! helper → module           {"ask":"secret"|"visible","text":…}    {"tell":"info"|"error","text":…}
//! module → helper           {"answer":…}    {"cancelled":true}
//! helper → module, last     {"result":{"outcome":…,…}}
//! ```
//! The first line says what is wanted, so that no name of a user is ever a word on a command line. Fields that are not known
//! are passed over; a line that is too long, is no JSON, or says two things at once is an error. Texts lose control
//! characters before a terminal sees them: some of them come from the cloud.

use serde::Deserialize;
use types::Secret;

use crate::code::Code;

/// The longest line. A session carries tickets, and a ticket carries as many groups as its user has.
pub const LINE_MAX: usize = 512 * 1024;
/// The longest text that is shown.
const TEXT_MAX: usize = 512;

/// What the helper says.
#[derive(Debug, PartialEq, Eq)]
pub enum FromHelper {
    /// It needs an answer of the person.
    Ask {
        /// Whether what is typed stays unseen.
        is_secret: bool,
        /// The question.
        text: String,
    },
    /// The person should know.
    Tell {
        /// Whether it is bad news.
        is_error: bool,
        /// What.
        text: String,
    },
    /// It is done.
    Done {
        /// How it ended.
        outcome: Outcome,
        /// Why, for the person and the log.
        text: String,
    },
}

/// How the helper's work ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The key signed in whom the Linux user stands for.
    Granted {
        /// The cloud's name of the person.
        user_principal_name: String,
        /// Whether the cache said so, and not the cloud.
        is_offline: bool,
        /// What `establish` needs; only the helper looks inside.
        session: Secret<String>,
    },
    /// The tickets are in place.
    Established {
        /// KRB5CCNAME; nothing where the session has no tickets.
        cache: Option<String>,
        /// What `remove` needs.
        lease: String,
    },
    /// The tickets are gone.
    Removed,
    /// No: wrong PIN, somebody else's key, or the cloud's own word.
    Refused,
    /// Nobody can say: no key, no cloud and no cache.
    Unavailable,
    /// This Linux user has nothing to do with the cloud.
    UnknownUser,
    /// The PIN may not be tried any more.
    TooMany,
    /// The account or its cache has ended.
    Expired,
}

impl Outcome {
    /// What PAM is told.
    pub fn code(&self) -> Code {
        match self {
            Self::Granted { .. } | Self::Established { .. } | Self::Removed => Code::SUCCESS,
            Self::Refused => Code::AUTH_ERR,
            Self::Unavailable => Code::AUTHINFO_UNAVAIL,
            Self::UnknownUser => Code::USER_UNKNOWN,
            Self::TooMany => Code::MAXTRIES,
            Self::Expired => Code::ACCT_EXPIRED,
        }
    }
}

/// What is wrong with a line. It never repeats the line, which may hold a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadLine(pub &'static str);

impl std::fmt::Display for BadLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

#[derive(Deserialize)]
struct Line {
    ask: Option<String>,
    tell: Option<String>,
    #[serde(default)]
    text: String,
    result: Option<Ended>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Ended {
    outcome: String,
    #[serde(default)]
    text: String,
    user_principal_name: Option<String>,
    #[serde(default)]
    offline: bool,
    session: Option<Session>,
    cache: Option<String>,
    lease: Option<String>,
}

/// A session is in its box as soon as it is read.
struct Session(Secret<String>);

impl<'de> Deserialize<'de> for Session {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Secret::new(text)))
    }
}

impl FromHelper {
    /// Reads one line.
    pub fn parse(line: &[u8]) -> Result<Self, BadLine> {
        if line.len() > LINE_MAX {
            return Err(BadLine("a line that is too long"));
        }
        let line: Line = serde_json::from_slice(line)
            .map_err(|_| BadLine("a line that is not of the protocol"))?;
        match (line.ask.as_deref(), line.tell.as_deref(), line.result) {
            (Some(kind @ ("secret" | "visible")), None, None) => Ok(Self::Ask {
                is_secret: kind == "secret",
                text: harmless(&line.text),
            }),
            (None, Some(kind @ ("info" | "error")), None) => Ok(Self::Tell {
                is_error: kind == "error",
                text: harmless(&line.text),
            }),
            (None, None, Some(ended)) => ended.read(),
            _ => Err(BadLine("a line that says nothing, or two things at once")),
        }
    }
}

impl Ended {
    fn read(self) -> Result<FromHelper, BadLine> {
        let text = harmless(&self.text);
        let outcome = match self.outcome.as_str() {
            "granted" => {
                let (Some(user), Some(session)) = (self.user_principal_name, self.session) else {
                    return Err(BadLine("a sign-in without a user or a session"));
                };
                Outcome::Granted {
                    user_principal_name: harmless(&user),
                    is_offline: self.offline,
                    session: session.0,
                }
            }
            "established" => Outcome::Established {
                cache: self.cache.map(cache_name).transpose()?,
                lease: self.lease.filter(|lease| is_lease(lease)).ok_or(BadLine(
                    "tickets without the word that takes them away again",
                ))?,
            },
            "removed" => Outcome::Removed,
            "refused" => Outcome::Refused,
            "unavailable" => Outcome::Unavailable,
            "unknownUser" => Outcome::UnknownUser,
            "tooMany" => Outcome::TooMany,
            "expired" => Outcome::Expired,
            _ => return Err(BadLine("an outcome that nobody knows")),
        };
        Ok(FromHelper::Done { outcome, text })
    }
}

/// The name of a ticket cache goes into the environment of the whole session.
fn cache_name(name: String) -> Result<String, BadLine> {
    let is_plain = name.bytes().all(|byte| byte.is_ascii_graphic()) && name.len() <= CACHE_MAX;
    let has_kind = ["FILE:/", "DIR:/", "KEYRING:", "KCM:"]
        .iter()
        .any(|kind| name.starts_with(kind));
    (is_plain && has_kind)
        .then_some(name)
        .ok_or(BadLine("a ticket cache whose name nobody can use"))
}

const CACHE_MAX: usize = 256;

fn is_lease(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// One line of text that does nothing to a terminal.
fn harmless(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    // U+202A to U+202E and U+2066 to U+2069 turn the direction of what follows.
    let turns = |c: &char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .filter(|c| !turns(c))
        .map(plain)
        .take(TEXT_MAX)
        .collect()
}

/// A line to the helper, with its line end. Nothing of it stays in memory after it was sent.
pub type ToHelper = Secret<String>;

/// Whom the login program asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The number.
    pub uid: u32,
    /// The number of its first group.
    pub gid: u32,
}

/// Asks for a sign-in.
pub fn sign_in(user: &User, service: &str) -> ToHelper {
    let fields = [
        ("user", Text(&user.name)),
        ("uid", Number(user.uid)),
        ("service", Text(service)),
    ];
    line(Some("signIn"), &fields)
}

/// Asks for the tickets of a session.
pub fn establish(user: &User, session: &Secret<String>) -> ToHelper {
    for_session("establish", user, ("session", Text(session.expose())))
}

/// Asks for the end of a session's tickets.
pub fn remove(user: &User, lease: &str) -> ToHelper {
    for_session("remove", user, ("lease", Text(lease)))
}

fn for_session(name: &str, user: &User, last: (&str, Value<'_>)) -> ToHelper {
    let fields = [
        ("user", Text(&user.name)),
        ("uid", Number(user.uid)),
        ("gid", Number(user.gid)),
        last,
    ];
    line(Some(name), &fields)
}

/// What the person typed.
pub fn answer(text: &Secret<String>) -> ToHelper {
    line(None, &[("answer", Text(text.expose()))])
}

/// The person did not answer.
pub fn cancelled() -> ToHelper {
    line(None, &[("cancelled", True)])
}

#[derive(Clone, Copy)]
enum Value<'a> {
    Text(&'a str),
    Number(u32),
    True,
}

use Value::{Number, Text, True};

/// Written by hand into one piece of memory that is large enough from the start: a string that grows leaves copies of what
/// it held, and what it holds may be a PIN.
fn line(name: Option<&str>, fields: &[(&str, Value<'_>)]) -> ToHelper {
    let longest = |value: &Value<'_>| match value {
        Text(text) => text.bytes().map(escaped_len).sum::<usize>() + 2,
        Number(_) => 10,
        True => 4,
    };
    let around = |name: &str| name.len() + 4;
    let fields_length = |(name, value): &(&str, Value<'_>)| around(name) + longest(value);
    let length = 8 + name.map_or(0, around) + fields.iter().map(fields_length).sum::<usize>();
    Secret::filled_by(|out: &mut String| {
        out.reserve_exact(length);
        out.push('{');
        if let Some(name) = name {
            quote(out, name);
            out.push_str(":{");
        }
        for (index, (name, value)) in fields.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            quote(out, name);
            out.push(':');
            match value {
                Text(text) => quote(out, text),
                Number(number) => out.push_str(&number.to_string()),
                True => out.push_str("true"),
            }
        }
        out.push_str(if name.is_some() { "}}\n" } else { "}\n" });
        debug_assert!(out.len() <= length, "the memory was large enough");
    })
}

fn escaped_len(byte: u8) -> usize {
    match byte {
        b'"' | b'\\' => 2,
        ..b' ' => 6,
        _ => 1,
    }
}

/// RFC 8259 7.
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c < ' ' => {
                out.push_str("\\u00");
                let digit = |value| char::from_digit(value, 16).unwrap_or('0');
                out.push(digit(u32::from(c) >> 4));
                out.push(digit(u32::from(c) & 15));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(line: &str, wanted: Result<FromHelper, BadLine>) {
        assert_eq!(FromHelper::parse(line.as_bytes()), wanted, "{line}");
    }

    fn done(outcome: Outcome, text: &str) -> Result<FromHelper, BadLine> {
        let text = text.to_owned();
        Ok(FromHelper::Done { outcome, text })
    }

    #[test]
    fn lines_of_the_helper_are_read() {
        check(
            r#"{"ask":"secret","text":"PIN: "}"#,
            Ok(FromHelper::Ask {
                is_secret: true,
                text: "PIN: ".to_owned(),
            }),
        );
        check(
            r#"{"tell":"error","text":"no key","since":3}"#,
            Ok(FromHelper::Tell {
                is_error: true,
                text: "no key".to_owned(),
            }),
        );
        check(
            r#"{"result":{"outcome":"granted","userPrincipalName":"a@b.c","offline":true,"session":"QQ=="}}"#,
            done(
                Outcome::Granted {
                    user_principal_name: "a@b.c".to_owned(),
                    is_offline: true,
                    session: Secret::new("QQ==".to_owned()),
                },
                "",
            ),
        );
        for (cache, wanted) in [
            (r#""FILE:/run/x""#, Some("FILE:/run/x".to_owned())),
            ("null", None),
        ] {
            let line =
                format!(r#"{{"result":{{"outcome":"established","cache":{cache},"lease":"a1"}}}}"#);
            let lease = "a1".to_owned();
            let cache = wanted;
            check(&line, done(Outcome::Established { cache, lease }, ""));
        }
        for (word, outcome, code) in [
            ("refused", Outcome::Refused, Code::AUTH_ERR),
            ("unavailable", Outcome::Unavailable, Code::AUTHINFO_UNAVAIL),
            ("unknownUser", Outcome::UnknownUser, Code::USER_UNKNOWN),
            ("tooMany", Outcome::TooMany, Code::MAXTRIES),
            ("expired", Outcome::Expired, Code::ACCT_EXPIRED),
            ("removed", Outcome::Removed, Code::SUCCESS),
        ] {
            assert_eq!(outcome.code(), code);
            let line = format!(r#"{{"result":{{"outcome":"{word}","text":"why"}}}}"#);
            check(&line, done(outcome, "why"));
        }
    }

    #[test]
    fn other_lines_are_refused() {
        for line in [
            "",
            "{}",
            "null",
            "[]",
            "tombolo: error",
            r#"{"ask":"secret","tell":"info","text":"x"}"#,
            r#"{"ask":"everything","text":"x"}"#,
            r#"{"tell":"loudly","text":"x"}"#,
            r#"{"result":{}}"#,
            r#"{"result":{"outcome":"Granted"}}"#,
            r#"{"result":{"outcome":"granted"}}"#,
            r#"{"result":{"outcome":"granted","session":"QQ=="}}"#,
            r#"{"result":{"outcome":"granted","userPrincipalName":"a@b.c"}}"#,
            r#"{"result":{"outcome":"granted","userPrincipalName":"a@b.c","session":7}}"#,
            r#"{"result":{"outcome":"granted"}} {"result":{"outcome":"granted"}}"#,
            r#"{"result":{"outcome":"established","cache":"FILE:/run/x"}}"#,
            r#"{"result":{"outcome":"established","lease":"../x"}}"#,
            r#"{"result":{"outcome":"established","cache":"/run/x","lease":"a1"}}"#,
            r#"{"result":{"outcome":"established","cache":"FILE:/run/x\nLD_PRELOAD=/x","lease":"a1"}}"#,
        ] {
            assert!(FromHelper::parse(line.as_bytes()).is_err(), "{line}");
        }
        assert!(FromHelper::parse(&vec![b' '; LINE_MAX + 1]).is_err());
        assert!(FromHelper::parse(&[b"{\"ask\":\"", &[0xff; 9][..]].concat()).is_err());
    }

    #[test]
    fn texts_do_nothing_to_a_terminal() {
        let line = r#"{"tell":"info","text":"a\u001b[2J\nb\u202ec"}"#;
        let text = "a [2J bc".to_owned();
        let is_error = false;
        check(line, Ok(FromHelper::Tell { is_error, text }));
    }

    #[test]
    fn lines_of_the_module_are_json() {
        let user = User {
            name: "test\"user\n".to_owned(),
            uid: u32::MAX,
            gid: 0,
        };
        let session = Secret::new("QQ==".to_owned());
        for (line, wanted) in [
            (
                sign_in(&user, "login"),
                json!({"signIn": {"user": user.name, "uid": user.uid, "service": "login"}}),
            ),
            (
                establish(&user, &session),
                json!({"establish": {"user": user.name, "uid": user.uid, "gid": 0, "session": "QQ=="}}),
            ),
            (
                remove(&user, "a1"),
                json!({"remove": {"user": user.name, "uid": user.uid, "gid": 0, "lease": "a1"}}),
            ),
            (cancelled(), json!({"cancelled": true})),
        ] {
            let text = line.expose();
            assert!(text.ends_with('\n') && text.matches('\n').count() == 1);
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(text).unwrap(),
                wanted
            );
        }
    }

    proptest! {
        #[test]
        fn any_answer_survives(text: String) {
            let line = answer(&Secret::new(text.clone()));
            let read: serde_json::Value = serde_json::from_str(line.expose()).unwrap();
            prop_assert_eq!(&read, &json!({"answer": text}));
            prop_assert_eq!(line.expose().matches('\n').count(), 1);
        }

        #[test]
        fn any_line_is_read_or_refused(line: Vec<u8>) {
            let _ = FromHelper::parse(&line);
        }
    }
}
