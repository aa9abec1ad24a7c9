//! Ctrl-C: while a key waits for a touch it gives the request up, so that the key stops blinking; at any other time it
//! ends the process, as ever.

use std::io;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// How many keys wait for a touch.
static WAITING: AtomicUsize = AtomicUsize::new(0);
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
static WATCH: Once = Once::new();

/// What a shell reports of a program that Ctrl-C ended.
const EXIT: i32 = 130;

/// Watches from now on. Where that is not possible, Ctrl-C ends the process at once.
pub(super) fn watch() {
    WATCH.call_once(|| {
        let watching = std::thread::Builder::new()
            .name("interrupt".to_owned())
            .spawn(|| drop(run()));
        drop(watching);
    });
}

fn run() -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?;
    runtime.block_on(async {
        loop {
            tokio::signal::ctrl_c().await?;
            let is_waiting = WAITING.load(Ordering::SeqCst) > 0;
            if !is_waiting || INTERRUPTED.swap(true, Ordering::SeqCst) {
                std::process::exit(EXIT);
            }
        }
    })
}

/// Whether the person has had enough.
pub(super) fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// As long as this lives, a key waits.
pub(super) struct Waiting;

impl Waiting {
    pub(super) fn new() -> Self {
        WAITING.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::SeqCst);
    }
}
