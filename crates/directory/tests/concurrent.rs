//! Many writers and readers at once: no update is lost, and no reader sees time run backwards.

#![allow(
    clippy::unwrap_used,
    reason = "helpers of tests, which clippy does not take for tests"
)]

mod small;

use std::sync::atomic::{AtomicBool, Ordering};

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
