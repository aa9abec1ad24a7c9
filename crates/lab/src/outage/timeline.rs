//! One outage of the cloud on a line: what each thing was good for that somebody held when it began.
//!
//! Every end is read from what the house gave: a ticket's own end, a renewal that was done, an unlock that was tried.

use serde::Serialize;
use types::Timestamp;
use workstation::session::Session;

use super::column::Column;
use super::{BEFORE_S, MORNING, Rules, Situation};
use crate::Error;

/// The line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// The sign-in.
    pub signed_in: Timestamp,
    /// The cloud goes away.
    pub outage: Timestamp,
    /// It comes back.
    pub back: Timestamp,
    /// What lives for how long.
    pub spans: Vec<Span>,
    /// What came when the cloud was back.
    pub after: String,
}

/// The life of something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Span {
    /// A name that stays the same from version to version.
    pub id: &'static str,
    /// What it is.
    pub title: &'static str,
    /// What it is good for.
    pub good_for: &'static str,
    /// Its end; absent where nothing ends it but the end of the session.
    pub until: Option<Timestamp>,
    /// When it was renewed.
    pub renewals: Vec<Timestamp>,
}

impl Span {
    /// Whether it is still there when the cloud is back.
    pub fn outlives(&self, outage_end: Timestamp) -> bool {
        self.until.is_none_or(|until| until >= outage_end)
    }
}

/// Lives through an outage of the cloud alone of `outage_s` seconds.
pub fn live(rules: Rules, outage_s: i64) -> Result<Timeline, Error> {
    let situation = Situation::new("", "", "", [true, false], outage_s);
    let mut column = Column::morning(rules, &situation)?;
    column.until_the_outage()?;
    let outage = MORNING.plus_seconds(BEFORE_S);
    let back = outage.plus_seconds(outage_s);
    let session = column.device().session();
    let prt = session.and_then(Session::renewable_until);
    let offline = session.and_then(Session::usable_until);
    column.away(true)?;
    column.agent_until(back)?;
    let renewed_until = column.kept_granting().map(|ticket| ticket.endtime);
    let renewals = std::mem::take(&mut column.renewals);
    column.away(false)?;
    let after = match column.back()? {
        Ok((why, _)) | Err((why, _)) => why,
    };
    let (tgt, ticket) = match &column.morning {
        Some((tgt, ticket)) => (
            Some(tgt.part.endtime.timestamp()),
            Some(ticket.part.endtime.timestamp()),
        ),
        None => (None, None),
    };
    let span = |id, title, good_for, until| Span {
        id,
        title,
        good_for,
        until,
        renewals: Vec::new(),
    };
    let spans = vec![
        span(
            "service",
            "service ticket at hand",
            "its own service, even without a domain controller",
            ticket,
        ),
        span(
            "tgt",
            "TGT of the sign-in",
            "new services, as long as nobody renews it",
            tgt,
        ),
        Span {
            renewals,
            ..span(
                "renewed",
                "TGT with renewals",
                "new services; the agent renews it at the domain controller",
                renewed_until,
            )
        },
        span(
            "nt-hash",
            "NT hash of the session",
            "servers that know NTLM alone, until the user signs out",
            None,
        ),
        span(
            "prt",
            "primary refresh token",
            "a fresh TGT without a touch, once the cloud is back",
            prt,
        ),
        span(
            "offline",
            "offline cache",
            "signing in to this device with the key",
            offline,
        ),
    ];
    Ok(Timeline {
        signed_in: MORNING,
        outage,
        back,
        spans,
        after,
    })
}
