//! What the module says and shows until the helper has a result.

use types::Secret;

use crate::code::Code;
use crate::protocol::{self, BadLine, FromHelper, Outcome, ToHelper};

/// The helper, as a conversation sees it.
pub trait Wire {
    /// Its next line.
    fn hear(&mut self) -> Result<FromHelper, Broken>;
    /// A line to it.
    fn say(&mut self, line: &ToHelper) -> Result<(), Broken>;
    /// It has said its last line.
    fn finish(self: Box<Self>);
}

/// The person in front of the login program.
pub trait Person {
    /// Asks, and gives the answer or PAM's reason why there is none.
    fn ask(&mut self, is_secret: bool, text: &str) -> Result<Secret<String>, Code>;
    /// Shows a text.
    fn tell(&mut self, is_error: bool, text: &str);
}

/// What the helper may do in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manners {
    /// Ask the person.
    pub asks: bool,
    /// Show texts.
    pub tells: bool,
}

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// The helper broke the protocol.
    Bad(BadLine),
    /// It ended without a result.
    Ended,
    /// It said nothing for too long.
    Silent,
    /// It talks and talks.
    Talkative,
    /// It cannot be heard or spoken to.
    Unreachable(std::io::ErrorKind),
    /// The person gave no answer; PAM's reason.
    Cancelled(Code),
}

impl Broken {
    /// What PAM is told. A helper that does not work is no word about the user, so another module may go on.
    pub fn code(self) -> Code {
        match self {
            Self::Cancelled(Code::CONV_AGAIN) => Code::INCOMPLETE,
            Self::Cancelled(code) => code,
            _ => Code::AUTHINFO_UNAVAIL,
        }
    }
}

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bad(bad) => write!(f, "the helper sent {bad}"),
            Self::Ended => f.write_str("the helper ended without a result"),
            Self::Silent => f.write_str("the helper said nothing for too long"),
            Self::Talkative => f.write_str("the helper did not come to a result"),
            Self::Unreachable(kind) => write!(f, "the helper cannot be spoken to: {kind}"),
            Self::Cancelled(code) => write!(f, "the question was not answered ({code})"),
        }
    }
}

/// A helper says so many lines at most: together with its end of patience this is the longest that a login can take.
const LINES_MAX: usize = 32;

/// Says the first line, carries questions and answers, and gives the result with its text.
pub fn carry(
    wire: &mut dyn Wire,
    person: &mut dyn Person,
    first: &ToHelper,
    manners: Manners,
) -> Result<(Outcome, String), Broken> {
    wire.say(first)?;
    for _ in 0..LINES_MAX {
        match wire.hear()? {
            FromHelper::Ask { is_secret, text } if manners.asks => {
                match person.ask(is_secret, &text) {
                    Ok(answer) => wire.say(&protocol::answer(&answer))?,
                    Err(code) => {
                        // The person's refusal counts, whether the helper hears of it or not.
                        let _ = wire.say(&protocol::cancelled());
                        return Err(Broken::Cancelled(code));
                    }
                }
            }
            FromHelper::Ask { .. } => {
                return Err(Broken::Bad(BadLine("a question where nobody can answer")));
            }
            FromHelper::Tell { is_error, text } => {
                if manners.tells {
                    person.tell(is_error, &text);
                }
            }
            FromHelper::Done { outcome, text } => return Ok((outcome, text)),
        }
    }
    Err(Broken::Talkative)
}
