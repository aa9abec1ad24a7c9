//! User presence: who touches a key that has no button.

use std::time::Duration;

/// What came of waiting for a touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Somebody touched the key.
    Touched,
    /// Somebody said no.
    Declined,
    /// Nobody did anything yet.
    NotYet,
}

/// Where touches come from.
#[derive(Default)]
pub enum Touch {
    /// Every request is taken as touched: for laboratories and tests.
    #[default]
    Auto,
    /// The function waits at most the given time for a person and says what happened. It is called again
    /// until there is an answer, the platform gives up, or half a minute has passed.
    Ask(Box<dyn FnMut(Duration) -> Answer + Send>),
}

impl Touch {
    pub(crate) fn wait(&mut self, patience: Duration) -> Answer {
        match self {
            Self::Auto => Answer::Touched,
            Self::Ask(ask) => ask(patience),
        }
    }
}

impl std::fmt::Debug for Touch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Auto => "Auto",
            Self::Ask(_) => "Ask(..)",
        })
    }
}
