//! The tokens of one bind, and what they come to.
//!
//! GSSAPI ends with a choice of the security layer (RFC 4752 3.1). GSS-SPNEGO has no such exchange: the flags of the
//! context decide (MS-ADTS 5.1.1.1.2). Within it Kerberos comes under its own number or that of Windows, or with no
//! SPNEGO around it at all, framed or as a bare AP-REQ.

use kerberos::gss::{
    Accepted, GssFlags, Mech, MechToken, NegState, NegToken, NegTokenInit, NegTokenResp,
    PerMessage, Protection, SaslLayer, TokenKind,
};
use types::Sid;

use super::layer::{Layer, OVERHEAD, SEND_MIN};
use super::ticket::Believed;
use super::{Refused, Service, Wire};
use crate::Session;
use crate::operations::session_by_ticket;

/// A SASL mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::serve) enum Mechanism {
    Gssapi,
    Spnego,
}

impl Mechanism {
    /// The names in the rootDSE.
    pub(in crate::serve) const NAMES: &[&str] = &["GSSAPI", "GSS-SPNEGO"];

    /// By name.
    pub(in crate::serve) fn named(name: &str) -> Option<Self> {
        match name {
            "GSSAPI" => Some(Self::Gssapi),
            "GSS-SPNEGO" => Some(Self::Spnego),
            _ => None,
        }
    }
}

/// A bind that has begun.
#[derive(Debug)]
pub(in crate::serve) struct Negotiation {
    mechanism: Mechanism,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing was said yet.
    Start,
    /// SPNEGO: the mechanism was chosen, its first token is awaited.
    Chosen(Choice),
    /// SPNEGO: the context is there, the client's MIC over the list is missing.
    Mic(Box<Established>, Vec<u8>),
    /// GSSAPI: the AP-REP was sent, an empty token is awaited.
    Answered(Box<Established>),
    /// GSSAPI: layers were offered.
    Offered(Box<Established>, u8),
}

/// Kerberos out of a list that begins with something else.
#[derive(Debug)]
struct Choice {
    mech: Mech,
    list: Vec<u8>,
    needs_mic: bool,
}

/// A context, and whose.
#[derive(Debug)]
struct Established {
    context: PerMessage,
    flags: GssFlags,
    account: Sid,
    reply: Option<Vec<u8>>,
}

/// What the client hears next.
#[derive(Debug)]
pub(in crate::serve) enum Progress {
    /// More is to come.
    Continue(Negotiation, Option<Vec<u8>>),
    /// The bind is done.
    Done(Box<SignedIn>),
}

/// Somebody has signed in.
#[derive(Debug)]
pub(in crate::serve) struct SignedIn {
    pub(in crate::serve) session: Session,
    /// What signs or seals everything after the reply.
    pub(in crate::serve) layer: Option<Layer>,
    /// The last token.
    pub(in crate::serve) token: Option<Vec<u8>>,
}

/// What a step knows of its surroundings.
#[derive(Debug, Clone, Copy)]
pub(in crate::serve) struct Context<'a> {
    pub(in crate::serve) service: &'a Service,
    pub(in crate::serve) wire: Wire,
    /// Longest buffer that the server takes.
    pub(in crate::serve) receive_max: usize,
}

impl Negotiation {
    pub(in crate::serve) fn new(mechanism: Mechanism) -> Self {
        Self {
            mechanism,
            state: State::Start,
        }
    }

    pub(in crate::serve) fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Takes the client's next token.
    pub(in crate::serve) fn step(
        self,
        context: Context<'_>,
        token: &[u8],
    ) -> Result<Progress, Refused> {
        match self.state {
            // RFC 4422 3.1: a client without an initial response gets an empty challenge.
            State::Start if token.is_empty() => Ok(Progress::Continue(self, Some(Vec::new()))),
            State::Start if self.mechanism == Mechanism::Gssapi => context.gssapi(token),
            State::Start => context.spnego(token),
            State::Chosen(choice) => context.chosen(choice, token),
            State::Mic(established, list) => context.mic(*established, &list, token),
            State::Answered(established) if token.is_empty() => context.offer(established),
            State::Answered(_) => Err(Refused::unproven("an empty token was due")),
            State::Offered(established, offered) => context.layer(*established, offered, token),
        }
    }

    fn waiting(mechanism: Mechanism, state: State, token: Option<Vec<u8>>) -> Progress {
        Progress::Continue(Self { mechanism, state }, token)
    }
}

impl Context<'_> {
    /// The first token of GSSAPI.
    fn gssapi(self, token: &[u8]) -> Result<Progress, Refused> {
        let (mut established, mech) = self.establish(token)?;
        match established.reply.take() {
            Some(reply) => Ok(Negotiation::waiting(
                Mechanism::Gssapi,
                State::Answered(established.into()),
                Some(framed(mech, reply)),
            )),
            None => self.offer(established.into()),
        }
    }

    /// RFC 4752 3.2: the layers that there may be, in a wrap token.
    fn offer(self, mut established: Box<Established>) -> Result<Progress, Refused> {
        let has = |flag| established.flags.contains(flag) && !self.wire.is_tls;
        let mut layers = SaslLayer::NONE;
        if has(GssFlags::INTEG) {
            layers |= SaslLayer::INTEGRITY;
        }
        if has(GssFlags::INTEG | GssFlags::CONF) {
            layers |= SaslLayer::CONFIDENTIALITY;
        }
        let message_bytes_max = match layers {
            SaslLayer::NONE => 0,
            _ => u32::try_from(self.receive_max).unwrap_or(u32::MAX),
        };
        let offer = SaslLayer {
            layers,
            message_bytes_max,
        };
        let token = established
            .context
            .wrap(
                Protection::Integrity,
                &offer.encode(),
                &mut self.service.entropy(),
            )
            .map_err(Refused::unproven)?;
        let state = State::Offered(established, layers);
        Ok(Negotiation::waiting(Mechanism::Gssapi, state, Some(token)))
    }

    /// The client's choice, and maybe a name that it wants to act as.
    fn layer(
        self,
        mut established: Established,
        offered: u8,
        token: &[u8],
    ) -> Result<Progress, Refused> {
        let (choice, _) = established
            .context
            .unwrap(token)
            .map_err(Refused::unproven)?;
        let (choice, identity) = SaslLayer::decode(&choice).map_err(Refused::unproven)?;
        let protection = match choice.layers & offered {
            _ if !choice.layers.is_power_of_two() => return Err(Refused::Layer),
            SaslLayer::NONE => None,
            SaslLayer::INTEGRITY => Some(Protection::Integrity),
            SaslLayer::CONFIDENTIALITY => Some(Protection::Confidentiality),
            _ => return Err(Refused::Layer),
        };
        let client_max = usize::try_from(choice.message_bytes_max).unwrap_or(usize::MAX);
        if protection.is_some() && client_max < SEND_MIN {
            return Err(Refused::Layer);
        }
        let session = self.session(&established.account)?;
        if !is_identity(identity, &session) {
            return Err(Refused::unproven("nobody may act as somebody else here"));
        }
        let (context, receive_max) = (established.context, self.receive_max);
        let layer = protection
            .map(|protection| Layer::new(context, protection, Some(client_max), receive_max));
        let token = None;
        Ok(Progress::Done(Box::new(SignedIn {
            session,
            layer,
            token,
        })))
    }

    /// The first token of GSS-SPNEGO.
    fn spnego(self, token: &[u8]) -> Result<Progress, Refused> {
        if is_bare(token) {
            let (mut established, mech) = self.establish(token)?;
            let reply = established.reply.take().map(|reply| framed(mech, reply));
            return self.finish(established, reply);
        }
        let NegToken::Init(init) = NegToken::decode(token).map_err(Refused::unproven)? else {
            return Err(Refused::unproven("an answer came before the question"));
        };
        let list = init.mech_list();
        let NegTokenInit {
            mech_types,
            mech_token,
            mech_list_mic,
        } = init;
        let place = mech_types.iter().position(Mech::is_kerberos);
        let Some((place, mech)) = place.and_then(|at| Some((at, mech_types.get(at)?.clone())))
        else {
            return Err(Refused::NoCommonMechanism);
        };
        let choice = Choice {
            mech,
            list,
            // Somebody on the way may have put another mechanism first (RFC 4178 5).
            needs_mic: place > 0,
        };
        match mech_token {
            Some(token) if place == 0 => self.answer(choice, &token, mech_list_mic),
            _ => {
                let state = if place > 0 {
                    NegState::REQUEST_MIC
                } else {
                    NegState::ACCEPT_INCOMPLETE
                };
                let reply = NegTokenResp {
                    neg_state: Some(state),
                    supported_mech: Some(choice.mech.clone()),
                    ..NegTokenResp::default()
                };
                let reply = NegToken::Resp(reply).encode();
                let state = State::Chosen(choice);
                Ok(Negotiation::waiting(Mechanism::Spnego, state, Some(reply)))
            }
        }
    }

    /// The first token of Kerberos, after it was chosen.
    fn chosen(self, choice: Choice, token: &[u8]) -> Result<Progress, Refused> {
        let said = response(token)?;
        let token = said
            .response_token
            .ok_or_else(|| Refused::unproven("the mechanism's token is missing"))?;
        self.answer(choice, &token, said.mech_list_mic)
    }

    /// Establishes the context within SPNEGO.
    fn answer(
        self,
        choice: Choice,
        token: &[u8],
        their_mic: Option<Vec<u8>>,
    ) -> Result<Progress, Refused> {
        let (mut established, mech) = self.establish(token)?;
        let context = &mut established.context;
        if let Some(mic) = &their_mic {
            let verified = context.verify_mic(&choice.list, mic);
            verified.map_err(|_| Refused::unproven("the list of mechanisms was changed"))?;
        }
        // Without integrity there are no MICs (RFC 4178 5).
        let waits =
            choice.needs_mic && their_mic.is_none() && established.flags.contains(GssFlags::INTEG);
        let our_mic = (waits || their_mic.is_some())
            .then(|| established.context.mic(&choice.list))
            .transpose()
            .map_err(Refused::unproven)?;
        let reply = NegTokenResp {
            neg_state: Some(if waits {
                NegState::ACCEPT_INCOMPLETE
            } else {
                NegState::ACCEPT_COMPLETED
            }),
            supported_mech: Some(choice.mech),
            response_token: established.reply.take().map(|reply| framed(mech, reply)),
            mech_list_mic: our_mic,
        };
        let reply = NegToken::Resp(reply).encode();
        if waits {
            let state = State::Mic(established.into(), choice.list);
            return Ok(Negotiation::waiting(Mechanism::Spnego, state, Some(reply)));
        }
        self.finish(established, Some(reply))
    }

    /// The client's MIC over its own list.
    fn mic(
        self,
        mut established: Established,
        list: &[u8],
        token: &[u8],
    ) -> Result<Progress, Refused> {
        let mic = response(token)?.mech_list_mic;
        let verified = mic.map(|mic| established.context.verify_mic(list, &mic));
        if !matches!(verified, Some(Ok(()))) {
            return Err(Refused::unproven(
                "the list of mechanisms is not vouched for",
            ));
        }
        let reply = NegTokenResp {
            neg_state: Some(NegState::ACCEPT_COMPLETED),
            ..NegTokenResp::default()
        };
        self.finish(established, Some(NegToken::Resp(reply).encode()))
    }

    /// The end of GSS-SPNEGO.
    fn finish(self, established: Established, token: Option<Vec<u8>>) -> Result<Progress, Refused> {
        let protection = if established.flags.contains(GssFlags::CONF) {
            Some(Protection::Confidentiality)
        } else if established.flags.contains(GssFlags::INTEG) {
            Some(Protection::Integrity)
        } else {
            None
        };
        if protection.is_some() && self.wire.is_tls {
            return Err(Refused::LayerOverTls);
        }
        let session = self.session(&established.account)?;
        let (context, receive_max) = (established.context, self.receive_max);
        let layer = protection.map(|protection| Layer::new(context, protection, None, receive_max));
        Ok(Progress::Done(Box::new(SignedIn {
            session,
            layer,
            token,
        })))
    }

    /// From an AP-REQ to a context. Its reply is inside.
    fn establish(self, token: &[u8]) -> Result<(Established, Mech), Refused> {
        let token = MechToken::decode(token).map_err(Refused::unproven)?;
        if !token.mech.is_kerberos() || token.kind != TokenKind::AP_REQ {
            return Err(Refused::Unproven(format!(
                "{:?} of {:?} is not how a client begins",
                token.kind, token.mech
            )));
        }
        let believed = self.service.believe(&token.message, self.wire)?;
        let Believed {
            request,
            authenticator,
            session_key,
            account,
        } = believed;
        let mut entropy = self.service.entropy();
        let accepted = Accepted::new(&request, &authenticator, &session_key, &mut entropy)
            .map_err(Refused::unproven)?;
        self.check_bindings(&accepted.channel_bindings)?;
        let established = Established {
            context: accepted.context,
            flags: accepted.flags,
            account,
            reply: accepted.reply,
        };
        Ok((established, token.mech))
    }

    /// MS-ADTS 5.1.2.2: bindings that are there must be those of this connection.
    fn check_bindings(self, bindings: &[u8; 16]) -> Result<(), Refused> {
        let is_absent = *bindings == [0; 16];
        let wanted = self.service.server_end_point.filter(|_| self.wire.is_tls);
        let holds = match wanted {
            _ if is_absent => !(self.wire.is_tls && self.service.rules.channel_bindings_required),
            Some(wanted) => wanted == *bindings,
            // Whoever is bound to TLS, and arrives without it, was passed on by somebody. Over TLS of which we do
            // not know the certificate nothing can be said, except where it must be.
            None => self.wire.is_tls && !self.service.rules.channel_bindings_required,
        };
        if holds {
            Ok(())
        } else {
            Err(Refused::ChannelBindings)
        }
    }

    fn session(self, account: &Sid) -> Result<Session, Refused> {
        match session_by_ticket(&self.service.directory, account) {
            Err(crate::Error::Credentials(data)) => Err(Refused::Account(data)),
            other => Ok(other?),
        }
    }
}

/// An authorisation identity that says no more than the ticket (RFC 4513 5.2.1.8).
fn is_identity(identity: &[u8], session: &Session) -> bool {
    let Ok(identity) = std::str::from_utf8(identity) else {
        return false;
    };
    let name = identity.strip_prefix("u:").unwrap_or(identity);
    let subject = session.subject();
    let own = [
        String::new(),
        subject.name.clone(),
        format!("{}\\{}", subject.domain, subject.name),
    ];
    own.iter().any(|own| own.eq_ignore_ascii_case(name))
}

/// Kerberos without SPNEGO around it.
fn is_bare(token: &[u8]) -> bool {
    MechToken::decode(token).is_ok_and(|token| token.mech.is_kerberos())
}

fn response(token: &[u8]) -> Result<NegTokenResp, Refused> {
    match NegToken::decode(token).map_err(Refused::unproven)? {
        NegToken::Resp(response) => Ok(response),
        NegToken::Init(_) => Err(Refused::unproven("the negotiation has begun already")),
    }
}

fn framed(mech: Mech, message: Vec<u8>) -> Vec<u8> {
    MechToken {
        mech,
        kind: TokenKind::AP_REP,
        message,
    }
    .encode()
}

// A buffer that holds a whole message of the server's limit is within what the client is told.
const _: () = assert!(OVERHEAD < SEND_MIN);
