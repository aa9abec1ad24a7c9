//! The person at the terminal, as a key's client sees them.

use std::io::{BufRead, IsTerminal, Write};

use ctap::Attendant;
use ctap::command::User;

use super::interrupt::{self, Waiting};

/// Told when the key waits, asked which account is meant.
pub(super) struct Person {
    user: Option<String>,
    waiting: Option<Waiting>,
}

impl Person {
    /// `user` is the account that was named on the command line.
    pub(super) fn new(user: Option<&str>) -> Self {
        Self {
            user: user.map(str::to_owned),
            waiting: None,
        }
    }
}

impl Attendant for Person {
    fn touch_wanted(&mut self) {
        self.waiting = Some(Waiting::new());
        say("touch your security key");
    }

    fn touch_over(&mut self) {
        self.waiting = None;
    }

    fn gives_up(&mut self) -> bool {
        interrupt::is_interrupted()
    }

    fn choose(&mut self, accounts: &[User]) -> Option<usize> {
        match (&self.user, accounts) {
            // A key need not tell the name of an account that is alone.
            (Some(_), [User { name: None, .. }]) | (None, [_]) => Some(0),
            (Some(wanted), _) => {
                let place = named(accounts, wanted);
                if place.is_none() {
                    say(&format!("the security key has no account {wanted} here"));
                }
                place
            }
            (None, _) if std::io::stdin().is_terminal() => ask(accounts),
            (None, _) => {
                say("the security key has several accounts here: choose one with --user");
                None
            }
        }
    }
}

/// Names of accounts are compared as the cloud does, without regard to case.
fn named(accounts: &[User], wanted: &str) -> Option<usize> {
    let wanted = wanted.to_lowercase();
    let is_it =
        |user: &User| user.name.as_ref().map(|name| name.to_lowercase()) == Some(wanted.clone());
    accounts.iter().position(is_it)
}

fn ask(accounts: &[User]) -> Option<usize> {
    for (number, account) in (1..).zip(accounts) {
        say(&format!("{number}  {account}"));
    }
    say("which account? its number, and Enter:");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).ok()?;
    let number: usize = line.trim().parse().ok()?;
    number
        .checked_sub(1)
        .filter(|place| *place < accounts.len())
}

/// One line on stderr, in place of a progress that may stand there.
pub(super) fn say(text: &str) {
    let mut stderr = std::io::stderr();
    let start = if stderr.is_terminal() {
        "\r\x1b[2K"
    } else {
        ""
    };
    // A closed stderr is no reason to stop.
    drop(writeln!(stderr, "{start}{text}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: Option<&str>) -> User {
        User {
            id: vec![1],
            name: name.map(str::to_owned),
            display_name: None,
        }
    }

    #[test]
    fn a_named_account_is_taken_and_no_other() {
        let check = |wanted: Option<&str>, names: &[Option<&str>], expect| {
            let accounts: Vec<User> = names.iter().map(|name| account(*name)).collect();
            assert_eq!(
                Person::new(wanted).choose(&accounts),
                expect,
                "{wanted:?} of {names:?}"
            );
        };
        let (ada, grace) = (Some("ada@contoso.com"), Some("grace@contoso.com"));
        check(None, &[ada], Some(0));
        check(None, &[None], Some(0));
        check(ada, &[None], Some(0));
        check(ada, &[ada], Some(0));
        check(ada, &[grace], None);
        check(ada, &[grace, ada], Some(1));
        check(Some("ADA@Contoso.com"), &[grace, ada], Some(1));
        check(Some("ada"), &[grace, ada], None);
        check(ada, &[None, None], None);
    }
}
