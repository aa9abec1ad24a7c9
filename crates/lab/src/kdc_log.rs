//! The KDC's log: one JSON object per line, for people and for scripts.
//!
//! ```text
//! {"format":"tombolo-kdc-log/1","time":"2026-06-10T08:00:00Z","client":"127.0.0.1:40112","event":"keySkipped","text":".."}
//! ```

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use kdc::Event;
use serde::{Deserialize, Serialize};
use types::Timestamp;

use crate::Error;

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// [`Line::FORMAT`].
    pub format: String,
    /// When it was.
    pub time: String,
    /// Who asked.
    pub client: String,
    /// What kind of event it is.
    pub event: String,
    /// What happened, in words.
    pub text: String,
}

impl Line {
    /// The current format.
    pub const FORMAT: &'static str = "tombolo-kdc-log/1";
}

/// A file that only grows.
#[derive(Debug)]
pub struct KdcLog {
    path: PathBuf,
    file: Mutex<File>,
}

impl KdcLog {
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .map_err(Error::io("cannot open the KDC's log"))?;
        Ok(Self {
            path: path.to_owned(),
            file: Mutex::new(file),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line before the answer goes out, so that whoever has the answer finds the reason here.
    pub(crate) fn write(&self, now: Timestamp, client: SocketAddr, event: &Event) {
        let line = Line {
            format: Line::FORMAT.to_owned(),
            time: now.to_string(),
            client: client.to_string(),
            event: kind(event).to_owned(),
            text: event.to_string(),
        };
        let Ok(mut text) = serde_json::to_string(&line) else {
            return;
        };
        text.push('\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(text.as_bytes()) {
            tracing::error!(%error, "The KDC's log cannot be written");
        }
    }

    /// Every line so far.
    pub fn lines(&self) -> Result<Vec<Line>, Error> {
        let text =
            std::fs::read_to_string(&self.path).map_err(Error::io("cannot read the KDC's log"))?;
        text.lines()
            .map(|line| {
                serde_json::from_str(line)
                    .map_err(|error| Error::Story(format!("a line of the KDC's log: {error}")))
            })
            .collect()
    }
}

fn kind(event: &Event) -> &'static str {
    match event {
        Event::TicketGranted { .. } => "ticketGranted",
        Event::ServiceTicketGranted { .. } => "serviceTicketGranted",
        Event::Refused { .. } => "refused",
        Event::LockedOut { .. } => "lockedOut",
        Event::KeySkipped { .. } => "keySkipped",
        Event::Tolerated { .. } => "tolerated",
        _ => "other",
    }
}
