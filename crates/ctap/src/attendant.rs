//! The person at the other side of a client: what they are told and asked while a key works.

use crate::command::User;

/// Whoever stands between a client and a person. Each method has an answer of its own, for programs that ask nobody.
pub trait Attendant: Send {
    /// The key waits for a touch from now on. Called once for each wait, and not before the key itself says so.
    fn touch_wanted(&mut self) {}

    /// The wait that was announced is over, whatever came of it.
    fn touch_over(&mut self) {}

    /// Whether to give up what is under way. Asked each time that a busy key shows that it is alive, which is every
    /// 100 ms (CTAP 2.1, section 11.2.9.1.7).
    fn gives_up(&mut self) -> bool {
        false
    }

    /// Which of several accounts is meant, by its place in the list, newest first. `None`: none of them.
    fn choose(&mut self, accounts: &[User]) -> Option<usize> {
        let _ = accounts;
        Some(0)
    }
}

/// Nobody: the newest account, and endless patience.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nobody;

impl Attendant for Nobody {}
