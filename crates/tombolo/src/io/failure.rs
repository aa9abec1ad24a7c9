//! How a command ends: the exit codes, and errors in three lines (what, why, next).

use std::fmt;
use std::process::ExitCode;

/// How a command ended, the same for every command.
///
/// | code | meaning |
/// |---|---|
/// | 0 | done, nothing to worry about |
/// | 1 | done, and something needs a look: a finding, a refused write, a failed step, a suspicious change |
/// | 2 | done, and it is bad: `detect` found a planted key |
/// | 3 | not done: bad input, wrong usage, something could not be reached |
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// Done, nothing to worry about.
    Good,
    /// Done, and something needs a look.
    Look,
    /// Done, and it is bad.
    Bad,
    /// Not done.
    Failed,
    /// A command with exit codes of its own, which its help lists.
    Code(u8),
}

/// The exit codes as each command's `--help` shows them.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done, nothing to worry about
  1  done, and something needs a look (a finding, a refused write, a failed step)
  2  done, and it is bad (detect: a planted key)
  3  not done: bad input, wrong usage, or something could not be reached";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Good => 0,
            Exit::Look => 1,
            Exit::Bad => 2,
            Exit::Failed => 3,
            Exit::Code(code) => code,
        })
    }
}

/// Why a command could not do its work, in the words a person needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    what: String,
    why: Option<String>,
    next: Option<String>,
}

impl Failure {
    /// What happened, to which object.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            why: None,
            next: None,
        }
    }

    /// Why it happened.
    #[must_use]
    pub(crate) fn why(mut self, why: impl fmt::Display) -> Self {
        self.why = Some(why.to_string());
        self
    }

    /// What to do next.
    #[must_use]
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if let Some(why) = &self.why {
            write!(f, "\nwhy:  {why}")?;
        }
        if let Some(next) = &self.next {
            write!(f, "\nnext: {next}")?;
        }
        Ok(())
    }
}

/// Gives a library's error the object and the advice that only the command knows.
pub(crate) trait Tell<T> {
    /// Turns an error into a [`Failure`] that says `what` failed; the error is the why.
    fn tell(self, what: impl Into<String>) -> Result<T, Failure>;
}

impl<T, E: std::error::Error> Tell<T> for Result<T, E> {
    fn tell(self, what: impl Into<String>) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(what).why(chain(&error)))
    }
}

/// An error and what caused it, once each: many libraries repeat the cause in their own text.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_lines() {
        let failure = Failure::new("key not written to CN=Ada")
            .why("the connector account may not write msDS-KeyCredentialLink")
            .next("add the account to Key Admins");
        assert_eq!(
            failure.to_string(),
            "key not written to CN=Ada\n\
             why:  the connector account may not write msDS-KeyCredentialLink\n\
             next: add the account to Key Admins"
        );
    }

    #[test]
    fn causes_are_told_once() {
        let inner = std::io::Error::other("disk full");
        let outer = std::io::Error::other(inner);
        let failure = Err::<(), _>(outer).tell("no receipt").unwrap_err();
        assert_eq!(failure.to_string(), "no receipt\nwhy:  disk full");
    }
}
