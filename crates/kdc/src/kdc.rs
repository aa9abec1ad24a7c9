//! The door: which exchange a request belongs to, and what is answered when it fails.

use std::fmt;
use std::sync::Arc;

use kerberos::messages::{
    Der, ErrorCode, KdcRequest, KerberosTime, KrbError, MessageType, PrincipalName, Realm,
    RequestKind,
};
use types::{Entropy, Timestamp};

use crate::accounts::Accounts;
use crate::event::Event;
use crate::key_trust_login::KeyTrust;
use crate::lockout::Lockout;
use crate::passwords::Passwords;
use crate::recent::{Lookaside, ReplayCache};
use crate::refusal::Refusal;
use crate::settings::Settings;
use crate::{as_exchange, tgs_exchange};

/// A key distribution centre for one realm. It is shared by every socket that serves it.
pub struct Kdc {
    pub(crate) settings: Settings,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) lockout: Arc<dyn Lockout>,
    pub(crate) replays: ReplayCache,
    pub(crate) key_trust: Option<KeyTrust>,
    pub(crate) passwords: Option<Arc<dyn Passwords>>,
    pub(crate) lookaside: Lookaside,
}

/// What a request leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The bytes to send back; `None` where the request is not worth one.
    pub reply: Option<Vec<u8>>,
    /// What the audit log is told.
    pub events: Vec<Event>,
}

/// One request while it is worked on.
pub(crate) struct Asked<'a> {
    pub(crate) kdc: &'a Kdc,
    pub(crate) request: &'a KdcRequest,
    pub(crate) raw: &'a [u8],
    pub(crate) now: Timestamp,
    pub(crate) entropy: &'a mut dyn Entropy,
    pub(crate) events: Vec<Event>,
}

impl Kdc {
    /// A KDC with empty caches.
    pub fn new(settings: Settings, accounts: Arc<dyn Accounts>, lockout: Arc<dyn Lockout>) -> Self {
        Self {
            replays: ReplayCache::new(settings.clock_skew_s),
            lookaside: Lookaside::new(),
            key_trust: None,
            passwords: None,
            settings,
            accounts,
            lockout,
        }
    }

    /// The same KDC, taking NGC keys too.
    #[must_use]
    pub fn with_key_trust(mut self, trust: KeyTrust) -> Self {
        self.key_trust = Some(trust);
        self
    }

    /// The same KDC, changing passwords too ([`Kdc::answer_password`]).
    #[must_use]
    pub fn with_passwords(mut self, passwords: Arc<dyn Passwords>) -> Self {
        self.passwords = Some(passwords);
        self
    }

    /// The realm's settings.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Answers one message as it came, without any framing.
    pub fn answer(&self, request: &[u8], now: Timestamp, entropy: &mut dyn Entropy) -> Answer {
        let kind = match MessageType::of(request) {
            Some(MessageType::AS_REQ) => RequestKind::As,
            Some(MessageType::TGS_REQ) => RequestKind::Tgs,
            // Not a request at all: an answer would only help to reach somebody else with a forged address.
            _ => {
                return Answer {
                    reply: None,
                    events: Vec::new(),
                };
            }
        };
        if request.len() > REQUEST_BYTES_MAX {
            let why = format!("a request of {} bytes", request.len());
            let refusal = Refusal::new(ErrorCode::KRB_ERR_FIELD_TOOLONG, why);
            return self.refuse(None, refusal, now, Vec::new());
        }
        if let Some(reply) = self.lookaside.answer(request, now) {
            return Answer {
                reply: Some(reply),
                events: Vec::new(),
            };
        }
        let answer = match KdcRequest::from_der(request) {
            Ok(read) => self.answer_read(kind, &read, request, now, entropy),
            Err(error) => self.refuse(None, error.into(), now, Vec::new()),
        };
        if let Some(reply) = &answer.reply {
            self.lookaside.keep(request, reply, now);
        }
        answer
    }

    fn answer_read(
        &self,
        kind: RequestKind,
        request: &KdcRequest,
        raw: &[u8],
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Answer {
        let mut asked = Asked {
            kdc: self,
            request,
            raw,
            now,
            entropy,
            events: Vec::new(),
        };
        let result = match kind {
            RequestKind::As => as_exchange::grant(&mut asked),
            RequestKind::Tgs => tgs_exchange::grant(&mut asked),
        };
        let events = asked.events;
        match result {
            Ok(reply) => Answer {
                reply: Some(reply),
                events,
            },
            Err(refusal) => self.refuse(Some(request), refusal, now, events),
        }
    }

    /// The answer to a datagram whose real answer is too long for one, RFC 4120 7.2.1: the client comes back by TCP.
    pub(crate) fn response_too_big(&self, now: Timestamp) -> Option<Vec<u8>> {
        let code = ErrorCode::KRB_ERR_RESPONSE_TOO_BIG;
        self.error(None, &Refusal::new(code, ""), now)
    }

    /// The answer to a stream that announces more than is read, RFC 4120 7.2.2.
    pub(crate) fn field_too_long(&self, now: Timestamp) -> Option<Vec<u8>> {
        let code = ErrorCode::KRB_ERR_FIELD_TOOLONG;
        self.error(None, &Refusal::new(code, ""), now)
    }

    fn refuse(
        &self,
        request: Option<&KdcRequest>,
        refusal: Refusal,
        now: Timestamp,
        mut events: Vec<Event>,
    ) -> Answer {
        let reply = self.error(request, &refusal, now);
        if !refusal.is_routine {
            let client = request.and_then(|request| request.body().cname.as_ref());
            events.push(Event::Refused {
                client: client.map(ToString::to_string).unwrap_or_default(),
                code: refusal.code.0,
                why: refusal.why,
            });
        }
        Answer { reply, events }
    }

    fn error(
        &self,
        request: Option<&KdcRequest>,
        refusal: &Refusal,
        now: Timestamp,
    ) -> Option<Vec<u8>> {
        let realm = Realm::from(self.settings.realm.as_str());
        let body = request.map(KdcRequest::body);
        let sname = body
            .and_then(|body| body.sname.clone())
            .unwrap_or_else(|| PrincipalName::krbtgt(&self.settings.realm));
        let time = KerberosTime::new(now);
        let mut error = KrbError::new(refusal.code, time, realm.clone(), sname);
        error.susec = microseconds(now);
        if let Some(cname) = body.and_then(|body| body.cname.clone()) {
            error.crealm = Some(realm);
            error.cname = Some(cname);
        }
        if !refusal.method_data.is_empty() {
            error = error.with_method_data(&refusal.method_data).ok()?;
        }
        error.to_der().ok()
    }
}

impl fmt::Debug for Kdc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kdc")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

pub(crate) fn microseconds(now: Timestamp) -> i32 {
    let ticks = now.ticks().rem_euclid(Timestamp::TICKS_PER_SECOND);
    i32::try_from(ticks / 10).unwrap_or_default()
}

/// A request with the largest PAC that Windows writes has 64 KiB.
pub(crate) const REQUEST_BYTES_MAX: usize = 128 * 1024;
