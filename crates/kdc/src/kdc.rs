//! The door: which exchange a request belongs to, and what is answered when it fails.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use kerberos::messages::{
    Der, ErrorCode, KdcRequest, KerberosTime, KrbError, MessageType, PrincipalName, Realm,
    RequestKind, TypedData,
};
use types::{Entropy, Timestamp};

use crate::accounts::Accounts;
use crate::event::Event;
use crate::fast::{self, Armour};
use crate::key_trust_login::KeyTrust;
use crate::lockout::Lockout;
use crate::passwords::Passwords;
use crate::rate::SourceLimit;
use crate::recent::{InProgress, Lookaside, ReplayCache, RequestHash};
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
    pub(crate) sources: SourceLimit,
    pub(crate) passwords: Option<Arc<dyn Passwords>>,
    pub(crate) lookaside: Lookaside,
    /// AP-REQs at the password service.
    pub(crate) changing: InProgress,
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
    /// What is asked: where there is an armour, what was in it.
    pub(crate) request: &'a KdcRequest,
    /// The message around it, which counts only for what proves the armour.
    pub(crate) outer: &'a KdcRequest,
    pub(crate) armour: Option<&'a Armour>,
    /// Where it came from, if that is known.
    pub(crate) source: Option<IpAddr>,
    /// The whole message as it came.
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
            changing: InProgress::default(),
            key_trust: None,
            sources: SourceLimit::default(),
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

    /// Answers one message as it came, without any framing, from nobody knows where: no limit is kept for its source.
    pub fn answer(&self, request: &[u8], now: Timestamp, entropy: &mut dyn Entropy) -> Answer {
        self.answer_from(None, request, now, entropy)
    }

    /// Answers one message of a source, which gets no more of the expensive work than its share.
    pub fn answer_from(
        &self,
        source: Option<IpAddr>,
        request: &[u8],
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Answer {
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
            return self.refuse(None, refusal, now, Vec::new(), entropy);
        }
        let hash = RequestHash::of(request);
        if let Some(reply) = self.lookaside.answer(&hash, now) {
            return Answer {
                reply: Some(reply),
                events: Vec::new(),
            };
        }
        let answer = match KdcRequest::from_der(request) {
            Ok(read) => self.answer_read(
                kind,
                Asked {
                    kdc: self,
                    request: &read,
                    outer: &read,
                    armour: None,
                    source,
                    raw: request,
                    now,
                    entropy,
                    events: Vec::new(),
                },
            ),
            Err(error) => self.refuse(None, error.into(), now, Vec::new(), entropy),
        };
        if let Some(reply) = &answer.reply {
            self.lookaside.keep(hash, reply, now);
        }
        answer
    }

    fn answer_read(&self, kind: RequestKind, asked: Asked<'_>) -> Answer {
        match fast::open(&asked) {
            Ok(None) => self.answer_opened(kind, asked),
            Ok(Some(opened)) => self.answer_opened(
                kind,
                Asked {
                    request: &opened.request,
                    armour: Some(&opened.armour),
                    outer: asked.outer,
                    kdc: asked.kdc,
                    source: asked.source,
                    raw: asked.raw,
                    now: asked.now,
                    entropy: &mut *asked.entropy,
                    events: asked.events,
                },
            ),
            Err(refusal) => self.refuse(
                Some((asked.request, None)),
                refusal,
                asked.now,
                asked.events,
                asked.entropy,
            ),
        }
    }

    fn answer_opened(&self, kind: RequestKind, mut asked: Asked<'_>) -> Answer {
        let result = match kind {
            RequestKind::As => as_exchange::grant(&mut asked),
            RequestKind::Tgs => tgs_exchange::grant(&mut asked),
        };
        match result {
            Ok(reply) => Answer {
                reply: Some(reply),
                events: asked.events,
            },
            Err(refusal) => self.refuse(
                Some((asked.request, asked.armour)),
                refusal,
                asked.now,
                asked.events,
                asked.entropy,
            ),
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
        request: Option<(&KdcRequest, Option<&Armour>)>,
        refusal: Refusal,
        now: Timestamp,
        mut events: Vec<Event>,
        entropy: &mut dyn Entropy,
    ) -> Answer {
        let reply = match request {
            Some((request, Some(armour))) => {
                self.armoured_error(request, armour, &refusal, now, entropy)
            }
            Some((request, None)) => self.error(Some(request), &refusal, now),
            None => self.error(None, &refusal, now),
        };
        if !refusal.is_routine {
            let client = request.and_then(|(request, _)| request.body().cname.as_ref());
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
        let error = self.bare_error(request, refusal, now);
        let error = if refusal.method_data.is_empty() {
            error
        } else if refusal.is_typed {
            let typed = refusal.method_data.iter().map(|data| TypedData {
                data_type: data.padata_type,
                data_value: Some(data.padata_value.clone()),
            });
            error.with_typed_data(&typed.collect()).ok()?
        } else {
            error.with_method_data(&refusal.method_data).ok()?
        };
        error.to_der().ok()
    }

    /// The error inside, and around it one that says no more than its code.
    fn armoured_error(
        &self,
        request: &KdcRequest,
        armour: &Armour,
        refusal: &Refusal,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Option<Vec<u8>> {
        let inside = self.bare_error(Some(request), refusal, now);
        let data = armour.wrap_error(&inside, refusal.method_data.clone(), entropy)?;
        let mut outside = inside;
        if let (Some(realm), Some(name)) = (&outside.crealm, &outside.cname) {
            let (realm, name) = armour.names_outside(realm, name);
            (outside.crealm, outside.cname) = (Some(realm), Some(name));
        }
        outside.with_method_data(&data).ok()?.to_der().ok()
    }

    fn bare_error(
        &self,
        request: Option<&KdcRequest>,
        refusal: &Refusal,
        now: Timestamp,
    ) -> KrbError {
        let realm = Realm::from(self.settings.realm.as_str());
        let body = request.map(KdcRequest::body);
        let sname = body
            .and_then(|body| body.sname.clone())
            .unwrap_or_else(|| PrincipalName::krbtgt(&self.settings.realm));
        let time = KerberosTime::new(now);
        let mut error = KrbError::new(refusal.code, time, realm.clone(), sname);
        error.susec = microseconds(now);
        // RFC 6806 7: in this error the client's realm is where it should go on. That is not known here, and one's own
        // would send everybody's users to this realm's accounts of the same name.
        let knows = refusal.code != ErrorCode::KDC_ERR_WRONG_REALM;
        if let Some(cname) = body.and_then(|body| body.cname.clone()).filter(|_| knows) {
            error.crealm = Some(realm);
            error.cname = Some(cname);
        }
        error
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
