//! A software key on a socket, and judges that are asked about it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    unreachable_pub,
    dead_code,
    reason = "a judge's test that cannot set up its peers has failed"
)]

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use softkey::{Options, Server, Softkey};
use types::{SeededEntropy, Timestamp, VirtualClock};

/// A key that is served until this is dropped.
pub struct ServedKey {
    pub key: Softkey,
    server: Server,
}

impl ServedKey {
    /// The key in a state file.
    pub fn in_file(path: &Path) -> Self {
        Self::new(Softkey::open(path, options()).unwrap())
    }

    /// A key that is gone afterwards.
    pub fn in_memory() -> Self {
        Self::new(Softkey::in_memory(options()).unwrap())
    }

    /// Serves `key`.
    pub fn new(key: Softkey) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Server::start(key.clone(), listener).unwrap();
        Self { key, server }
    }

    pub fn address(&self) -> String {
        self.server.address().to_string()
    }
}

fn options() -> Options {
    let now = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap();
    Options::new(
        Arc::new(VirtualClock::new(now)),
        Box::new(SeededEntropy::new(2026)),
    )
}

/// Runs a judge; it must end well and say so.
pub fn judge(command: &mut Command, verdict: &str) {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.trim_end().ends_with(verdict),
        "{command:?} does not agree:\n{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
