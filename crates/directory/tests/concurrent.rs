//! Many writers and readers at once: no update is lost, and no reader sees time run backwards.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not take for tests"
)]

mod small;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};

use directory::ModificationKind::{Increment, Replace};
use directory::Session;
use small::{modify, new, system, user, values};

const ADA: &str = "CN=Ada,OU=Users";
const COUNTER: &str = "codePage";
const WRITERS: i64 = 6;
const EACH: i64 = 40;

#[test]
fn increments_add_up() {
    let directory = new(small::OPEN);
    system(&directory, user("Ada")).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut last = 0;
            while !done.load(Ordering::SeqCst) {
                let now: i64 = values(&directory, ADA, COUNTER)[0].parse().unwrap();
                assert!(now >= last, "{now} after {last}");
                last = now;
            }
        });
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..EACH {
                        let add_one = modify(ADA, Increment, COUNTER, &["1"]);
                        directory.apply(&Session::system(), add_one).unwrap();
                    }
                })
            })
            .collect();
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
        done.store(true, Ordering::SeqCst);
        reader.join().unwrap();
    });
    assert_eq!(
        values(&directory, ADA, COUNTER),
        [(WRITERS * EACH).to_string()]
    );
    assert_eq!(directory.snapshot().verify().unwrap(), Vec::<String>::new());
}

#[test]
fn one_bad_request_among_many_spoils_nothing() {
    let directory = new(small::OPEN);
    system(&directory, user("Ada")).unwrap();
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let directory = &directory;
            scope.spawn(move || {
                for number in 0..EACH {
                    let good = modify(ADA, Replace, "title", &[&format!("{writer}-{number}")]);
                    directory.apply(&Session::system(), good).unwrap();
                    let bad = modify(ADA, Replace, "badPwdCount", &["many"]);
                    assert!(directory.apply(&Session::system(), bad).is_err());
                }
            });
        }
    });
    assert_eq!(values(&directory, ADA, "badPwdCount"), ["0"]);
    assert_eq!(values(&directory, ADA, "title").len(), 1);
    assert_eq!(directory.snapshot().verify().unwrap(), Vec::<String>::new());
}

/// Stops the first caller until the gate opens, and panics at the second.
#[derive(Debug)]
struct Trap {
    calls: AtomicUsize,
    gate: Mutex<Receiver<()>>,
}

impl types::Clock for Trap {
    fn now(&self) -> types::Timestamp {
        match self.calls.fetch_add(1, Ordering::SeqCst) {
            ARMED => self.gate.lock().unwrap().recv().unwrap(),
            call => assert!(call != ARMED + 1, "the trap"),
        }
        small::clock().now()
    }
}

/// Calls before the trap is set start from nought and do not reach this.
const ARMED: usize = 1 << 20;

#[test]
fn nobody_waits_for_a_writer_that_panicked() {
    // Bug: whoever's change was in the hands of a writer that panicked waited for its answer for ever, at full load.
    let (open, gate) = std::sync::mpsc::channel();
    let trap = Arc::new(Trap {
        calls: AtomicUsize::new(0),
        gate: Mutex::new(gate),
    });
    let options = directory::Options {
        clock: Arc::<Trap>::clone(&trap),
        ..small::options()
    };
    let directory = directory::Directory::in_memory(options).unwrap();
    small::provision(&directory, small::OPEN);
    system(&directory, user("Ada")).unwrap();
    trap.calls.store(ARMED, Ordering::SeqCst);
    let add_one = || {
        let change = modify(ADA, Increment, COUNTER, &["1"]);
        directory.apply(&Session::system(), change).is_ok()
    };
    let good = std::thread::scope(|scope| {
        let mut threads = vec![scope.spawn(add_one)];
        while trap.calls.load(Ordering::SeqCst) == ARMED {
            std::thread::yield_now();
        }
        threads.extend((0..6).map(|_| scope.spawn(add_one)));
        (0..1000).for_each(|_| std::thread::yield_now());
        open.send(()).unwrap();
        let outcomes = threads.into_iter().map(|thread| thread.join());
        outcomes
            .filter(|outcome| matches!(outcome, Ok(true)))
            .count()
    });
    assert!((1..=6).contains(&good), "one panicked: {good}");
    assert_eq!(values(&directory, ADA, COUNTER), [good.to_string()]);
    assert_eq!(directory.snapshot().verify().unwrap(), Vec::<String>::new());
}
