//! What a device did with secrets, one line of JSON each: an NT hash handed out, an offline cache destroyed, a device opened.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use serde::Serialize;
use types::{Clock, Timestamp};

use crate::io::{Failure, SystemClock, Tell};

/// One line.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    at: Timestamp,
    activity: &'a str,
    user: &'a str,
    detail: &'a str,
}

/// The file, below the device's state.
pub(super) const FILE: &str = "journal.jsonl";

/// Writes a line into the journal of a device's directory. Whoever cannot write it does not do what it would have told.
pub(super) fn tell(folder: &Path, activity: &str, user: &str, detail: &str) -> Result<(), Failure> {
    let path = folder.join(FILE);
    let what = || format!("{} cannot be written", path.display());
    let line = Line {
        at: SystemClock.now(),
        activity,
        user,
        detail,
    };
    let mut text = serde_json::to_string(&line).tell(what())?;
    text.push('\n');
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .tell(what())?;
    // One write: lines of several programs do not mix.
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_data())
        .tell(what())
}
