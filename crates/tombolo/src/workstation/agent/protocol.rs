//! What is said on the agent's socket: one line of JSON, one line back.

use std::io::{self, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use types::Timestamp;
use workstation::connection::Connection;
use workstation::session::{Session, Standing};
use zeroize::Zeroizing;

use crate::workstation::settings::Settings;

/// A question.
#[derive(Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(super) enum Request {
    /// Keep a session from now on.
    Hold {
        /// [`Session::to_bytes`], base64.
        session: String,
        /// Where its cloud and domain are.
        settings: Box<Settings>,
        /// Its credential cache.
        cache: String,
    },
    /// What is held?
    Status,
    /// Let go of a session, or of all.
    SignOut {
        /// Whose.
        user: Option<String>,
    },
    /// The NT hash of a session.
    NtHash {
        /// Whose.
        user: Option<String>,
        /// What for, as the journal tells it.
        purpose: String,
    },
    /// Look at once, without waiting for what is due.
    Look,
}

/// An answer.
#[derive(Serialize, Deserialize)]
#[serde(
    tag = "answer",
    rename_all = "camelCase",
    rename_all_fields = "camelCase"
)]
pub(super) enum Answer {
    /// Done.
    Done,
    /// What is held.
    Status {
        /// Each session.
        sessions: Vec<SessionStatus>,
    },
    /// Sessions that were let go of: whose, and the cache of each.
    SignedOut {
        /// User, cache.
        sessions: Vec<(String, String)>,
    },
    /// The NT hash, hex.
    NtHash {
        /// Whose.
        user: String,
        /// 32 digits.
        hash: String,
    },
    /// No.
    No {
        /// Why.
        why: String,
    },
}

/// What an agent tells of a session. No secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::workstation) struct SessionStatus {
    pub(in crate::workstation) user: String,
    /// `good`, `touchWanted`, `ended`.
    pub(in crate::workstation) standing: String,
    /// Why, where it is not good.
    pub(in crate::workstation) why: Option<String>,
    pub(in crate::workstation) last_online: Timestamp,
    /// The cloud did not answer; the next attempt.
    pub(in crate::workstation) cloud_silent_until: Option<Timestamp>,
    /// No domain controller answered; the next attempt.
    pub(in crate::workstation) domain_silent_until: Option<Timestamp>,
    pub(in crate::workstation) primary_refresh_token_expires: Option<Timestamp>,
    pub(in crate::workstation) ticket_ends: Option<Timestamp>,
    pub(in crate::workstation) ticket_renewable_until: Option<Timestamp>,
    pub(in crate::workstation) offline_until: Option<Timestamp>,
    pub(in crate::workstation) nt_hash: bool,
    pub(in crate::workstation) cache: String,
    /// The last thing that happened, in words.
    pub(in crate::workstation) last: Option<String>,
}

impl SessionStatus {
    pub(super) fn of(session: &Session, cache: &str, last: Option<&str>, now: Timestamp) -> Self {
        let (standing, why) = match session.standing() {
            Standing::Good => ("good", None),
            Standing::TouchWanted(why) => ("touchWanted", Some(why.clone())),
            Standing::Ended(_, why) => ("ended", Some(why.clone())),
        };
        let silent = |connection| match connection {
            Connection::Online => None,
            Connection::OfflineUntil { next_check, .. } => Some(next_check),
        };
        let granting = session.granting(now);
        Self {
            user: session.user().to_string(),
            standing: standing.to_owned(),
            why,
            last_online: session.last_online(),
            cloud_silent_until: silent(session.cloud()),
            domain_silent_until: silent(session.domain()),
            primary_refresh_token_expires: session.renewable_until(),
            ticket_ends: granting.as_ref().map(|it| it.part.endtime.timestamp()),
            ticket_renewable_until: granting
                .and_then(|it| it.part.renew_till)
                .map(|till| till.timestamp()),
            offline_until: session.usable_until(),
            nt_hash: session.nt_hash().is_some(),
            cache: cache.to_owned(),
            last: last.map(str::to_owned),
        }
    }
}

/// No line is longer.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// Reads one line. It may hold secrets, so no copy of it stays.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl Read) -> io::Result<T> {
    let mut line = Zeroizing::new(Vec::with_capacity(64 * 1024));
    let mut limited = io::BufReader::new(from.take(LINE_BYTES_MAX));
    io::BufRead::read_until(&mut limited, b'\n', &mut line)?;
    if line.last() != Some(&b'\n') {
        return Err(io::Error::other(
            "half a line, or one of more than a megabyte",
        ));
    }
    serde_json::from_slice(&line).map_err(io::Error::other)
}

/// Writes one line.
pub(super) fn write(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut line = Zeroizing::new(Vec::with_capacity(64 * 1024));
    serde_json::to_writer(&mut *line, value)?;
    line.push(b'\n');
    to.write_all(&line)
}
