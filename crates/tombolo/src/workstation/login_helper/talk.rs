//! The lines to and from the PAM module (`crates/pam/src/protocol.rs` is the other end, and says what they are).

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use ctap::Attendant;
use ctap::command::User;
use rustix::net::{RecvFlags, recv};
use serde::{Deserialize, Serialize};
use types::Secret;
use zeroize::Zeroizing;

use crate::io::{Failure, Tell};

/// The longest line, as at the other end.
const LINE_MAX: usize = 512 * 1024;
const CHUNK: usize = 4096;

/// What the module wants.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Request {
    /// Sign somebody in.
    SignIn {
        user: String,
        uid: u32,
        #[serde(default)]
        service: String,
    },
    /// Put the tickets of a session in place.
    Establish {
        user: String,
        uid: u32,
        gid: u32,
        session: String,
    },
    /// Take them away.
    Remove { uid: u32, gid: u32, lease: String },
}

/// How the work ended.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ended {
    pub(super) outcome: Outcome,
    /// For the person, and for the log of the machine.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) text: String,
    #[serde(flatten)]
    pub(super) more: More,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Outcome {
    Granted,
    Established,
    Removed,
    Refused,
    Unavailable,
    UnknownUser,
    TooMany,
    Expired,
}

/// What only some ends have.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum More {
    #[serde(rename_all = "camelCase")]
    Session {
        user_principal_name: String,
        offline: bool,
        session: String,
    },
    Tickets {
        cache: String,
        lease: String,
    },
    Nothing {},
}

impl Drop for More {
    fn drop(&mut self) {
        if let Self::Session { session, .. } = self {
            zeroize::Zeroize::zeroize(session);
        }
    }
}

impl Ended {
    pub(super) fn new(outcome: Outcome, text: impl Into<String>) -> Self {
        Self {
            outcome,
            text: text.into(),
            more: More::Nothing {},
        }
    }
}

/// The way to the person.
pub(super) struct Talk {
    from: File,
    voice: Voice,
    heard: Zeroizing<Vec<u8>>,
}

impl Talk {
    /// Over the standard streams, without the buffer that Rust keeps before them: a PIN would stay in it.
    pub(super) fn open() -> Result<Self, Failure> {
        let what = "the standard streams cannot be used";
        let from = io::stdin().as_fd().try_clone_to_owned().tell(what)?;
        let to = io::stdout().as_fd().try_clone_to_owned().tell(what)?;
        Ok(Self {
            from: File::from(from),
            voice: Voice(File::from(to)),
            heard: Zeroizing::new(Vec::with_capacity(LINE_MAX + CHUNK)),
        })
    }

    /// What the module wants.
    pub(super) fn request(&mut self) -> Result<Request, Failure> {
        let what = "this is no request of the PAM module";
        let line = self.line()?.ok_or_else(|| {
            Failure::new(what).next("`login-helper` is started by pam_tombolo.so, not by hand")
        })?;
        serde_json::from_slice(&line)
            .map_err(|_| Failure::new(what).next("install a module and a program of one version"))
    }

    /// Asks for something that nobody else sees. Nothing, when the person does not answer.
    pub(super) fn ask_secret(&mut self, text: &str) -> Result<Option<Secret<String>>, Failure> {
        #[derive(Serialize)]
        struct Ask<'a> {
            ask: &'a str,
            text: &'a str,
        }
        #[derive(Deserialize)]
        struct Answer {
            answer: Option<String>,
        }
        self.voice.say(&Ask {
            ask: "secret",
            text,
        })?;
        let Some(line) = self.line()? else {
            return Ok(None);
        };
        let answer: Answer = serde_json::from_slice(&line)
            .map_err(|_| Failure::new("the PAM module's answer cannot be read"))?;
        Ok(answer.answer.map(Secret::new))
    }

    /// A voice of its own, for whoever waits with the person.
    pub(super) fn voice(&self) -> Result<Voice, Failure> {
        self.voice.again()
    }

    /// The last line.
    pub(super) fn end(&self, ended: &Ended) -> Result<(), Failure> {
        #[derive(Serialize)]
        struct Result<'a> {
            result: &'a Ended,
        }
        self.voice.say(&Result { result: ended })
    }

    fn line(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
        let bad = |why: &str| Failure::new("the PAM module cannot be heard").why(why);
        loop {
            if let Some(end) = self.heard.iter().position(|byte| *byte == b'\n') {
                let line = Zeroizing::new(self.heard.get(..end).unwrap_or_default().to_vec());
                let rest = self.heard.len() - end - 1;
                self.heard.copy_within(end + 1.., 0);
                self.heard.truncate(rest);
                return Ok(Some(line));
            }
            if self.heard.len() > LINE_MAX {
                return Err(bad("its line does not end"));
            }
            let old = self.heard.len();
            self.heard.resize(old + CHUNK, 0);
            let place = self.heard.get_mut(old..).unwrap_or_default();
            let count = self.from.read(place);
            self.heard
                .truncate(old + count.as_ref().map_or(0, |count| *count));
            match count {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(bad(&error.to_string())),
            }
        }
    }
}

/// Says things to the person, and hears when nobody is there any more.
pub(super) struct Voice(File);

impl Voice {
    fn again(&self) -> Result<Self, Failure> {
        self.0
            .try_clone()
            .map(Self)
            .tell("the standard streams cannot be used")
    }

    /// Something to know.
    pub(super) fn info(&self, text: &str) {
        self.tell("info", text);
    }

    /// Bad news that is no end yet.
    pub(super) fn error(&self, text: &str) {
        self.tell("error", text);
    }

    fn tell(&self, kind: &str, text: &str) {
        #[derive(Serialize)]
        struct Told<'a> {
            tell: &'a str,
            text: &'a str,
        }
        // Whoever does not hear it gets the result, or has gone.
        drop(self.say(&Told { tell: kind, text }));
    }

    fn say(&self, line: &impl Serialize) -> Result<(), Failure> {
        let what = "the PAM module does not listen";
        // Room for a session, so that no copy is left behind by a vector that grows.
        let mut bytes = Zeroizing::new(Vec::with_capacity(LINE_MAX));
        serde_json::to_writer(&mut *bytes, line).tell(what)?;
        bytes.push(b'\n');
        (&self.0).write_all(&bytes).tell(what)
    }
}

/// Whoever waits for a touch at a login.
pub(super) struct Waiting {
    pub(super) voice: Voice,
    /// The names of the cloud that the Linux user may have.
    pub(super) names: Vec<String>,
}

impl Attendant for Waiting {
    fn touch_wanted(&mut self) {
        self.voice.info("Touch your security key.");
    }

    /// The login program is gone, or has lost its patience.
    fn gives_up(&mut self) -> bool {
        let mut nothing = [0; 1];
        let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
        recv(&self.voice.0, &mut nothing, flags).is_ok_and(|(count, _)| count == 0)
    }

    /// An account that is alone is taken whatever the key calls it: the cloud says who it is, and names change.
    fn choose(&mut self, accounts: &[User]) -> Option<usize> {
        if accounts.len() == 1 {
            return Some(0);
        }
        let is_meant = |name: &str| self.names.iter().any(|own| own.eq_ignore_ascii_case(name));
        accounts
            .iter()
            .position(|account| account.name.as_deref().is_some_and(is_meant))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ends_are_written_as_the_module_reads_them() {
        let granted = Ended {
            more: More::Session {
                user_principal_name: "ada@corp.contoso.com".to_owned(),
                offline: true,
                session: "QQ==".to_owned(),
            },
            ..Ended::new(Outcome::Granted, "")
        };
        let placed = Ended {
            more: More::Tickets {
                cache: "FILE:/run/x".to_owned(),
                lease: "a1".to_owned(),
            },
            ..Ended::new(Outcome::Established, "")
        };
        for (ended, wanted) in [
            (
                granted,
                json!({"outcome": "granted", "userPrincipalName": "ada@corp.contoso.com", "offline": true, "session": "QQ=="}),
            ),
            (
                placed,
                json!({"outcome": "established", "cache": "FILE:/run/x", "lease": "a1"}),
            ),
            (
                Ended::new(Outcome::UnknownUser, ""),
                json!({"outcome": "unknownUser"}),
            ),
            (
                Ended::new(Outcome::TooMany, "why"),
                json!({"outcome": "tooMany", "text": "why"}),
            ),
        ] {
            assert_eq!(serde_json::to_value(&ended).unwrap(), wanted);
        }
    }

    #[test]
    fn requests_are_read_as_the_module_writes_them() {
        let read = |text: &str| serde_json::from_str::<Request>(text).ok();
        assert!(matches!(
            read(r#"{"signIn":{"user":"ada","uid":1000,"service":"login"}}"#),
            Some(Request::SignIn { uid: 1000, .. })
        ));
        assert!(matches!(
            read(r#"{"establish":{"user":"ada","uid":1000,"gid":7,"session":"QQ=="}}"#),
            Some(Request::Establish { gid: 7, .. })
        ));
        assert!(matches!(
            read(r#"{"remove":{"user":"ada","uid":1000,"gid":7,"lease":"a1"}}"#),
            Some(Request::Remove { .. })
        ));
        for text in [
            "{}",
            r#"{"signIn":{"user":"ada"}}"#,
            r#"{"signIn":{"user":"ada","uid":-1}}"#,
            r#"{"becomeRoot":{}}"#,
        ] {
            assert!(read(text).is_none(), "{text}");
        }
    }
}
