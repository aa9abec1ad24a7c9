//! What is due, and when to look again.

use kerberos::files::Credential;
use types::{Secret, Timestamp};

use super::{Job, Session, Standing};
use crate::connection::Connection;
use crate::offline::PrimaryRefreshToken;
use crate::tickets::PartialTicket;

/// A token in use is renewed so often, as the original system does it.
const REFRESH_S: i64 = 4 * 3600;
/// Without a working ticket, the cloud is asked for a new one so often.
const REFRESH_FOR_TICKET_S: i64 = 15 * 60;
/// Nobody sleeps longer: the time that a machine is suspended does not count for a waiting program.
const LOOK_S: i64 = 300;

impl Session {
    /// What should be done now, if anything.
    pub fn due(&self, now: Timestamp) -> Option<Job> {
        if matches!(self.standing, Standing::Ended(..)) {
            return None;
        }
        if self.domain.is_due(now) {
            if let Some(partial) = self.partial.as_ref().filter(|ticket| ticket.ends() > now) {
                return Some(Job::Exchange {
                    partial: PartialTicket::held(partial.credentials().clone()),
                    nt_hash: self.policy.nt_hash,
                });
            }
            let renewal = self.renewal_from().filter(|from| *from <= now);
            if let Some(granting) = renewal.and_then(|_| self.granting(now)) {
                return Some(Job::Renew { granting });
            }
        }
        let prt = self.prt.as_ref().filter(|prt| prt.expires > now)?;
        let is_due = self.refresh_from(now).is_some_and(|from| from <= now);
        (is_due && self.cloud.is_due(now)).then(|| Job::Refresh { prt: prt.again() })
    }

    /// A refresh that is not due: for somebody who waits for it.
    pub fn refresh_now(&self) -> Option<Job> {
        let prt = self.prt.as_ref()?.again();
        Some(Job::Refresh { prt })
    }

    /// Somebody waits: wires that were silent are tried again at once.
    pub fn hurry(&mut self) {
        self.cloud = Connection::Online;
        self.domain = Connection::Online;
    }

    /// When to ask [`Session::due`] again.
    pub fn next_look(&self, now: Timestamp) -> Timestamp {
        let wire = |connection| match connection {
            Connection::Online => None,
            Connection::OfflineUntil { next_check, .. } => Some(next_check),
        };
        let renewal = self.renewal_from().max(wire(self.domain));
        let exchange = self.partial.as_ref().and(wire(self.domain));
        let refresh = self.refresh_from(now).max(wire(self.cloud));
        let times = [renewal, exchange, refresh];
        let next = times.into_iter().flatten().filter(|at| *at > now).min();
        let latest = now.plus_seconds(LOOK_S);
        next.map_or(latest, |at| at.min(latest))
    }

    /// The ticket is renewed after half of its life, while it can be: earlier for nothing, later with less time for
    /// another attempt.
    fn renewal_from(&self) -> Option<Timestamp> {
        let ticket = self.tickets.as_ref()?.granting()?;
        let is_refused = self.not_renewed == Some(ticket.endtime);
        (ticket.renew_till > ticket.endtime && !is_refused).then(|| past(ticket, 2))
    }

    /// The token is refreshed for its own sake, and sooner where no ticket will work for long.
    fn refresh_from(&self, now: Timestamp) -> Option<Timestamp> {
        if self.standing != Standing::Good || self.prt.is_none() {
            return None;
        }
        let regular = self.refreshed_at.plus_seconds(REFRESH_S);
        // Where the clock was set back, a refresh that seems to lie ahead says nothing.
        if self.refreshed_at > now {
            return Some(now);
        }
        let granting = self.tickets.as_ref().and_then(|cache| cache.granting());
        let wanted = granting.map_or(self.refreshed_at, |ticket| past(ticket, 4));
        let again = self.refreshed_at.plus_seconds(REFRESH_FOR_TICKET_S);
        // A session that began by an unlock has never asked yet.
        Some(regular.min(wanted.max(again)))
    }
}

/// When only one part in `parts` of a ticket's life is left.
fn past(ticket: &Credential, parts: i64) -> Timestamp {
    let life_s = ticket
        .endtime
        .seconds_since(ticket.starttime.max(ticket.authtime));
    ticket.endtime.plus_seconds(-(life_s / parts))
}

impl PrimaryRefreshToken {
    /// The same token once more, for whoever carries it to the cloud.
    pub(crate) fn again(&self) -> Self {
        Self {
            token: Secret::new(self.token.expose().clone()),
            session_key: Secret::new(*self.session_key.expose()),
            expires: self.expires,
        }
    }
}
