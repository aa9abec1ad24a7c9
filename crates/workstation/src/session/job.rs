//! What is to be done over the wires, and what comes of it.

use kerberos::client::Credentials;
use types::{Entropy, Timestamp};

use super::{Session, Standing};
use crate::cloud::Cloud;
use crate::connection::{Attempt, CacheFate, Refusal};
use crate::domain::{self, DomainController, DomainError};
use crate::offline::PrimaryRefreshToken;
use crate::policy::NtHashPolicy;
use crate::sign_in::{self, SignIn, SignInError};
use crate::tickets::{FullTicket, PartialTicket};

/// Something to do. It holds what it needs, so that nobody waits for the session meanwhile.
#[derive(Debug)]
pub enum Job {
    /// The cloud gives a new primary refresh token and a new partial ticket for the one at hand.
    Refresh {
        /// The token at hand.
        prt: PrimaryRefreshToken,
    },
    /// A domain controller exchanges the partial ticket.
    Exchange {
        /// The cloud's ticket.
        partial: PartialTicket,
        /// Whether the NT hash is asked for.
        nt_hash: NtHashPolicy,
    },
    /// A domain controller renews its own ticket.
    Renew {
        /// The domain's ticket.
        granting: Credentials,
    },
}

/// What came of a job.
#[derive(Debug)]
pub enum Done {
    /// Of [`Job::Refresh`].
    Refreshed(Box<Result<SignIn, SignInError>>),
    /// Of [`Job::Exchange`].
    Exchanged(Box<Result<FullTicket, DomainError>>),
    /// Of [`Job::Renew`].
    Renewed(Box<Result<Credentials, DomainError>>),
}

impl Job {
    /// Does it. This is where time passes.
    pub fn run(
        self,
        cloud: &mut dyn Cloud,
        domain: &mut dyn DomainController,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Done {
        match self {
            Self::Refresh { prt } => {
                Done::Refreshed(Box::new(sign_in::renew(&prt, cloud, entropy)))
            }
            Self::Exchange { partial, nt_hash } => Done::Exchanged(Box::new(domain::exchange(
                &partial, nt_hash, domain, now, entropy,
            ))),
            Self::Renew { granting } => {
                Done::Renewed(Box::new(domain::renew(&granting, domain, now, entropy)))
            }
        }
    }
}

/// What an answer changed, in words for a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Happened {
    /// The cloud gave a new token.
    #[error("the cloud renewed the session")]
    Refreshed,
    /// The domain gave its ticket for the cloud's.
    #[error("the domain gave a ticket for the cloud's")]
    Exchanged {
        /// Until when it works.
        ends: Timestamp,
        /// Whether the NT hash came with it.
        nt_hash: bool,
    },
    /// The domain renewed its ticket.
    #[error("the domain renewed its ticket")]
    Renewed {
        /// Until when it works now.
        ends: Timestamp,
    },
    /// The cloud cannot be reached.
    #[error("{0}; what is held stays")]
    CloudSilent(String),
    /// No domain controller can be reached.
    #[error("{0}; what is held stays")]
    DomainSilent(String),
    /// A domain controller said no.
    #[error("{0}")]
    DomainRefused(String),
    /// The cloud wants a touch.
    #[error("{0}; sign in again")]
    TouchWanted(String),
    /// The cloud said no.
    #[error("{1}; the session and its offline cache end")]
    Ended(Refusal, String),
}

impl Happened {
    /// What becomes of the offline cache.
    pub fn cache_fate(&self) -> CacheFate {
        match self {
            Self::Refreshed | Self::Exchanged { .. } | Self::Renewed { .. } => CacheFate::Renewed,
            Self::CloudSilent(_)
            | Self::DomainSilent(_)
            | Self::DomainRefused(_)
            | Self::TouchWanted(_) => CacheFate::Kept,
            Self::Ended(..) => CacheFate::Destroyed,
        }
    }
}

impl Session {
    /// Takes what came of a job.
    pub fn apply(&mut self, done: Done, now: Timestamp) -> Happened {
        self.saw(now);
        match done {
            Done::Refreshed(answer) => self.refreshed(*answer, now),
            Done::Exchanged(answer) => self.exchanged(*answer, now),
            Done::Renewed(answer) => self.renewed(*answer, now),
        }
    }

    fn refreshed(&mut self, answer: Result<SignIn, SignInError>, now: Timestamp) -> Happened {
        let error = match answer {
            Ok(signed) => {
                self.cloud = self.cloud.after(&Attempt::Succeeded, now);
                self.take(signed, now);
                return Happened::Refreshed;
            }
            Err(error) => error,
        };
        let attempt = error.attempt();
        self.cloud = self.cloud.after(&attempt, now);
        let why = error.to_string();
        match attempt {
            Attempt::Refused(Refusal::Interaction) => {
                self.standing = Standing::TouchWanted(why.clone());
                Happened::TouchWanted(why)
            }
            Attempt::Refused(refusal) => {
                self.end(refusal, why.clone());
                Happened::Ended(refusal, why)
            }
            Attempt::Succeeded | Attempt::Unreachable => Happened::CloudSilent(why),
        }
    }

    fn exchanged(&mut self, answer: Result<FullTicket, DomainError>, now: Timestamp) -> Happened {
        let full = match answer {
            Ok(full) => full,
            Err(error) => {
                if matches!(error, DomainError::Refused { .. }) {
                    // The same ticket would get the same answer; the next refresh brings another.
                    self.partial = None;
                    self.no_partial = Some(error.to_string());
                }
                return self.domain_failed(&error, now);
            }
        };
        self.domain = self.domain.after(&Attempt::Succeeded, now);
        self.partial = None;
        self.put(&full.credentials);
        let nt_hash = full.nt_hash.is_some();
        // A domain controller that gives none today does not take back what it gave.
        self.nt_hash = full.nt_hash.or(self.nt_hash.take());
        Happened::Exchanged {
            ends: full.credentials.part.endtime.timestamp(),
            nt_hash,
        }
    }

    fn renewed(&mut self, answer: Result<Credentials, DomainError>, now: Timestamp) -> Happened {
        let ticket = match answer {
            Ok(ticket) => ticket,
            Err(error) => {
                if matches!(error, DomainError::Refused { .. }) {
                    let tickets = self.tickets.as_ref();
                    self.not_renewed = tickets
                        .and_then(|tickets| tickets.granting())
                        .map(|ticket| ticket.endtime);
                }
                return self.domain_failed(&error, now);
            }
        };
        self.domain = self.domain.after(&Attempt::Succeeded, now);
        self.put(&ticket);
        Happened::Renewed {
            ends: ticket.part.endtime.timestamp(),
        }
    }

    fn domain_failed(&mut self, error: &DomainError, now: Timestamp) -> Happened {
        let why = error.to_string();
        match error {
            DomainError::NoAnswer(_) | DomainError::Answer(_) => {
                self.domain = self.domain.after(&Attempt::Unreachable, now);
                Happened::DomainSilent(why)
            }
            DomainError::Refused { .. } => {
                self.domain = self.domain.after(&Attempt::Succeeded, now);
                Happened::DomainRefused(why)
            }
        }
    }
}
