//! Several keys: all of them blink, and the one that is touched is meant (CTAP 2.1, section 6.9).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use ctap::Attendant;

use super::KeyClient;
use super::interrupt::{self, Waiting};
use super::person::say;
use crate::io::Failure;

/// Keys that were not touched stop blinking within 100 ms, which is how often they ask.
const FAREWELL: Duration = Duration::from_secs(1);

/// A key that was opened, and what it is called.
pub(super) type Opened = (String, KeyClient);

/// The one of `keys` that is touched; the others are left alone.
pub(super) fn touched(keys: Vec<Opened>) -> Result<Opened, Failure> {
    let count = keys.len();
    let round = Arc::new(Round::default());
    let (outcomes, outcome) = channel();
    for (name, mut client) in keys {
        let (outcomes, round) = (outcomes.clone(), Arc::clone(&round));
        let blink = move || {
            client.attend(OneOfMany {
                round: Arc::clone(&round),
                count,
                waiting: None,
            });
            let selected = client.select();
            if selected.is_ok() {
                round.is_over.store(true, Ordering::SeqCst);
            }
            // When nobody listens any more, another key was touched.
            drop(outcomes.send((name, client, selected)));
        };
        std::thread::Builder::new()
            .name("security-key".to_owned())
            .spawn(blink)
            .map_err(|error| Failure::new("the security keys cannot be asked").why(error))?;
    }
    drop(outcomes);
    let mut meant = None;
    let mut failure = None;
    for left in (0..count).rev() {
        let patience = match meant {
            Some(_) => outcome.recv_timeout(FAREWELL),
            None => outcome.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let Ok((name, client, selected)) = patience else {
            break;
        };
        match selected {
            Ok(()) if meant.is_none() => meant = Some((name, client)),
            Ok(()) => (),
            Err(error) => {
                if left > 0 && meant.is_none() && !interrupt::is_interrupted() {
                    say(&format!("{name}: {error}"));
                }
                failure = Some((name, error));
            }
        }
    }
    match (meant, failure) {
        (Some(meant), _) => Ok(meant),
        (None, Some((name, error))) => {
            Err(Failure::new("no security key was touched").why(format!("{name}: {error}")))
        }
        (None, None) => Err(Failure::new("no security key was touched")),
    }
}

#[derive(Default)]
struct Round {
    is_announced: AtomicBool,
    is_over: AtomicBool,
}

/// One key of several: the person is told once, and every other key gives up when one was touched.
struct OneOfMany {
    round: Arc<Round>,
    count: usize,
    waiting: Option<Waiting>,
}

impl Attendant for OneOfMany {
    fn touch_wanted(&mut self) {
        self.waiting = Some(Waiting::new());
        if !self.round.is_announced.swap(true, Ordering::SeqCst) {
            say(&format!(
                "{} security keys: touch the one that is meant",
                self.count
            ));
        }
    }

    fn touch_over(&mut self) {
        self.waiting = None;
    }

    fn gives_up(&mut self) -> bool {
        self.round.is_over.load(Ordering::SeqCst) || interrupt::is_interrupted()
    }
}
