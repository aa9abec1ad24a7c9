//! One client's conversation, without its socket: messages in, replies or [`Work`] out.

use std::net::IpAddr;
use std::sync::Arc;

use ldap::diagnostic::{Dsid, LogonError, win32};
use ldap::{
    Authentication, BindRequest, BindResponse, CompareRequest, Control, ExtendedRequest,
    LdapResult, Limits, Message, Operation, ResultCode, extended,
};
use types::Secret;

use super::controls::Asked;
use super::reply;
use super::sasl::{self, Layer, Mechanism, Negotiation, Progress, SignedIn};
use super::server::Shared;
use super::work::{Outcome, Work};
use super::{search, write};
use crate::{Error, Name, Session};

/// What the shell does next.
#[derive(Debug)]
pub(super) enum Step {
    /// The reply, if there is one, is in the buffer.
    Done,
    /// Do this on a thread that may wait, then call [`Conversation::finish`].
    Work(Work),
    /// Send the buffer, then let the layer sign or seal everything else.
    Secure(Box<Layer>),
    /// Send the buffer, then begin TLS.
    StartTls,
    /// Send the buffer, then hang up.
    Close,
}

/// A name and the password that should prove it.
type Credentials = (String, Secret<Vec<u8>>);

/// The state of a conversation.
pub(super) struct Conversation {
    pub(super) shared: Arc<Shared>,
    pub(super) session: Session,
    peer: IpAddr,
    remote: Arc<str>,
    encrypted: bool,
    /// A SASL layer is in effect.
    is_layered: bool,
    /// A SASL layer seals.
    is_sealed: bool,
    /// A SASL bind that has begun.
    negotiation: Option<Negotiation>,
    /// Passwords that were wrong.
    failures: u32,
}

/// Whoever is wrong that often must connect again.
const FAILURES_MAX: u32 = 10;

impl Conversation {
    /// With a client at `peer` (shown as `remote`), which has not said who it is.
    pub(super) fn new(shared: Arc<Shared>, peer: IpAddr, remote: Arc<str>) -> Self {
        let session = Session::anonymous().with_remote(Arc::clone(&remote));
        Self {
            shared,
            session,
            peer,
            remote,
            encrypted: false,
            is_layered: false,
            is_sealed: false,
            negotiation: None,
            failures: 0,
        }
    }

    /// Notes that TLS is there now.
    pub(super) fn encrypt(&mut self) {
        self.encrypted = true;
        self.session = self.session.clone().with_secure(true);
    }

    /// How large messages may be at this point.
    pub(super) fn limits(&self) -> &Limits {
        if self.session.is_anonymous() {
            &self.shared.options.limits_before_bind
        } else {
            &self.shared.options.limits
        }
    }

    /// Answers a message, or says what must be done for the answer.
    pub(super) fn take(&mut self, message: Message, out: &mut Vec<u8>) -> Step {
        let Message {
            id,
            operation,
            controls,
        } = message;
        // Whatever else comes, a bind that had begun is over (RFC 4511 4.2.1).
        let negotiation = self.negotiation.take();
        match operation {
            Operation::UnbindRequest => Step::Close,
            // What an abandon could stop runs in the shell, which looks for abandons itself.
            Operation::AbandonRequest(_) => {
                self.negotiation = negotiation;
                Step::Done
            }
            Operation::BindRequest(bind) => self.bind(id, bind, &controls, negotiation, out),
            Operation::ExtendedRequest(request) => self.extended(id, &request, &controls, out),
            Operation::SearchRequest(search) => search::take(self, id, search, &controls, out),
            Operation::CompareRequest(compare) => {
                let result = self.compare(&compare, &controls);
                reply::send(out, id, Operation::CompareResponse(result));
                Step::Done
            }
            Operation::AddRequest(_)
            | Operation::ModifyRequest(_)
            | Operation::DelRequest(_)
            | Operation::ModifyDnRequest(_) => write::take(self, id, operation, &controls, out),
            // A response from a client (RFC 4511 4.1.1: not a request we know).
            _ => {
                let comment = "a client sends requests";
                out.extend(reply::disconnection(ResultCode::PROTOCOL_ERROR, comment));
                Step::Close
            }
        }
    }

    /// Takes over what the work gave.
    pub(super) fn finish(&mut self, outcome: Outcome, out: &mut Vec<u8>) {
        match outcome {
            Outcome::Replied => {}
            Outcome::Reply(bytes) => out.extend(bytes),
            Outcome::Bound { id, session } => {
                let result = match session {
                    Ok(session) => {
                        self.shared.throttle.give_back(self.peer);
                        let remote = Arc::clone(&self.remote);
                        self.session = session.with_remote(remote).with_secure(self.is_private());
                        LdapResult::success()
                    }
                    Err(error) => {
                        self.failures += 1;
                        tracing::debug!(remote = %self.remote, %error, "Bind refused");
                        reply::refusal(&unrevealing(error))
                    }
                };
                reply::send(out, id, reply::bind_response(result));
            }
        }
    }

    /// Whether someone has signed in; if not, what AD says (MS-ADTS 5.1.1.1).
    pub(super) fn signed_in(&self) -> Result<(), LdapResult> {
        if self.session.is_anonymous() {
            return Err(reply::refusal(&Error::NotBound));
        }
        Ok(())
    }

    /// Whether nobody on the way can read along.
    fn is_private(&self) -> bool {
        self.encrypted || self.is_sealed
    }

    fn bind(
        &mut self,
        id: u32,
        bind: BindRequest,
        controls: &[Control],
        negotiation: Option<Negotiation>,
        out: &mut Vec<u8>,
    ) -> Step {
        if self.failures >= FAILURES_MAX {
            let comment = "too many failed binds on this connection";
            out.extend(reply::disconnection(ResultCode::BUSY, comment));
            return Step::Close;
        }
        // From here on the old identity is gone, whatever comes of the new one (RFC 4511 4.2.1).
        self.session = Session::anonymous()
            .with_remote(Arc::clone(&self.remote))
            .with_secure(self.is_private());
        let checked = self.check_version(&bind, controls);
        if let (
            Ok(()),
            Authentication::Sasl {
                mechanism,
                credentials,
            },
        ) = (&checked, &bind.authentication)
            && let Some(mechanism) = Mechanism::named(mechanism)
            && self.shared.sasl.is_ready()
        {
            // Another mechanism begins anew (RFC 4513 5.2.1.2).
            let negotiation = negotiation
                .filter(|begun| begun.mechanism() == mechanism)
                .unwrap_or_else(|| Negotiation::new(mechanism));
            let token = credentials.as_ref().map(|token| token.expose().as_slice());
            return self.sasl(id, negotiation, token.unwrap_or_default(), out);
        }
        match checked.and_then(|()| self.judge_bind(bind)) {
            Ok(Some((name, password))) => Step::Work(Work::Bind { id, name, password }),
            Ok(None) => {
                reply::send(out, id, reply::bind_response(LdapResult::success()));
                Step::Done
            }
            Err(result) => {
                reply::send(out, id, reply::bind_response(result));
                Step::Done
            }
        }
    }

    /// One step of a bind with Kerberos.
    fn sasl(&mut self, id: u32, negotiation: Negotiation, token: &[u8], out: &mut Vec<u8>) -> Step {
        let context = sasl::Context {
            service: &self.shared.sasl,
            wire: sasl::Wire {
                client: self.peer,
                is_tls: self.encrypted,
            },
            receive_max: self.shared.options.limits.message_length_max,
        };
        let (result, token, layer) = match negotiation.step(context, token) {
            Ok(Progress::Continue(negotiation, token)) => {
                self.negotiation = Some(negotiation);
                (
                    LdapResult::new(ResultCode::SASL_BIND_IN_PROGRESS),
                    token,
                    None,
                )
            }
            Ok(Progress::Done(signed_in)) => {
                let SignedIn {
                    session,
                    layer,
                    token,
                } = *signed_in;
                // A layer stays until another takes its place (RFC 4422 3.7, MS-ADTS 5.1.2.1).
                if let Some(layer) = &layer {
                    self.is_layered = true;
                    self.is_sealed = layer.seals();
                }
                self.session = session
                    .with_remote(Arc::clone(&self.remote))
                    .with_secure(self.is_private());
                (LdapResult::success(), token, layer)
            }
            Err(refused) => {
                tracing::debug!(remote = %self.remote, %refused, "Bind refused");
                (refused.to_result(), None, None)
            }
        };
        let reply = BindResponse {
            result,
            server_credentials: token,
        };
        reply::send(out, id, Operation::BindResponse(reply));
        layer.map_or(Step::Done, |layer| Step::Secure(Box::new(layer)))
    }

    fn check_version(&self, bind: &BindRequest, controls: &[Control]) -> Result<(), LdapResult> {
        Asked::read(controls)?;
        if bind.version != 3 {
            let comment = "The server supports version 3 of the protocol";
            return Err(reply::head_refusal(
                ResultCode::PROTOCOL_ERROR,
                win32::ERROR_INVALID_PARAMETER,
                Dsid::BIND,
                comment,
            ));
        }
        Ok(())
    }

    /// The name and password to try; `None` for an anonymous bind.
    fn judge_bind(&self, bind: BindRequest) -> Result<Option<Credentials>, LdapResult> {
        let Authentication::Simple(password) = bind.authentication else {
            return Err(reply::head_refusal(
                ResultCode::AUTH_METHOD_NOT_SUPPORTED,
                ERROR_DS_AUTH_METHOD_NOT_SUPPORTED,
                Dsid::BIND,
                "The server offers simple binds; see supportedSASLMechanisms for others",
            ));
        };
        // A name without a password proves nothing and stays anonymous (RFC 4513 5.1.2, MS-ADTS 5.1.1.1.1).
        if password.expose().is_empty() {
            return Ok(None);
        }
        let private =
            self.is_private() || self.peer.is_loopback() || self.shared.options.clear_text_binds;
        if !private {
            return Err(reply::head_refusal(
                ResultCode::STRONGER_AUTH_REQUIRED,
                win32::ERROR_DS_STRONG_AUTH_REQUIRED,
                Dsid::BIND,
                "The server requires binds to turn on integrity checking if SSL\\TLS are not already \
                 active on the connection",
            ));
        }
        let now = self.shared.directory.now();
        if !self.shared.throttle.charge(self.peer, now) {
            return Err(reply::head_refusal(
                ResultCode::BUSY,
                ERROR_DS_BUSY,
                Dsid::BIND,
                "Too many failed binds from this address, try again later",
            ));
        }
        Ok(Some((bind.name, password)))
    }

    fn extended(
        &mut self,
        id: u32,
        request: &ExtendedRequest,
        controls: &[Control],
        out: &mut Vec<u8>,
    ) -> Step {
        if let Err(result) = Asked::read(controls) {
            reply::send(out, id, reply::extended_response(result, None, None));
            return Step::Done;
        }
        match request.oid.as_str() {
            extended::START_TLS => self.start_tls(id, out),
            extended::WHO_AM_I => {
                let who = self.session.who_am_i().into_bytes();
                let reply = reply::extended_response(LdapResult::success(), None, Some(who));
                reply::send(out, id, reply);
                Step::Done
            }
            _ => {
                let result = reply::head_refusal(
                    ResultCode::PROTOCOL_ERROR,
                    ERROR_DS_DECODING_ERROR,
                    Dsid::DECODE,
                    "Unknown extended request OID",
                );
                reply::send(out, id, reply::extended_response(result, None, None));
                Step::Done
            }
        }
    }

    fn start_tls(&self, id: u32, out: &mut Vec<u8>) -> Step {
        let oid = Some(extended::START_TLS);
        let (result, step) = if self.encrypted {
            let comment = "TLS or SSL already in effect";
            let code = ResultCode::OPERATIONS_ERROR;
            let result =
                reply::head_refusal(code, ERROR_DS_OPERATIONS_ERROR, Dsid::SESSION, comment);
            (result, Step::Done)
        } else if self.is_layered {
            // MS-ADTS 5.1.2.1: the two are not to be mixed.
            let comment = "signing or sealing is already in effect";
            let code = ResultCode::OPERATIONS_ERROR;
            let result =
                reply::head_refusal(code, ERROR_DS_OPERATIONS_ERROR, Dsid::SESSION, comment);
            (result, Step::Done)
        } else if self.shared.options.tls.is_none() {
            let comment = "Error initializing SSL/TLS: the server has no certificate";
            let code = ResultCode::UNAVAILABLE;
            let result = reply::head_refusal(code, ERROR_DS_UNAVAILABLE, Dsid::SESSION, comment);
            (result, Step::Done)
        } else {
            (LdapResult::success(), Step::StartTls)
        };
        reply::send(out, id, reply::extended_response(result, oid, None));
        step
    }

    fn compare(&self, compare: &CompareRequest, controls: &[Control]) -> LdapResult {
        let verdict = Asked::read(controls)
            .and_then(|_| self.signed_in())
            .and_then(|()| {
                let name: Name = compare.dn.parse().map_err(|error| reply::refusal(&error))?;
                self.shared
                    .directory
                    .compare(&self.session, &name, &compare.attribute, &compare.value)
                    .map_err(|error| reply::refusal(&error))
            });
        match verdict {
            Ok(true) => LdapResult::new(ResultCode::COMPARE_TRUE),
            Ok(false) => LdapResult::new(ResultCode::COMPARE_FALSE),
            Err(result) => result,
        }
    }
}

/// Whoever has no password gets to know no names: an unknown account looks like a wrong password.
fn unrevealing(error: Error) -> Error {
    match error {
        Error::Credentials(LogonError::NO_SUCH_USER) => {
            Error::Credentials(LogonError::LOGON_FAILURE)
        }
        error => error,
    }
}

/// MS-ERREF 2.2, the block that maps LDAP results.
const ERROR_DS_OPERATIONS_ERROR: u32 = 0x2020;
const ERROR_DS_BUSY: u32 = 0x200E;
const ERROR_DS_AUTH_METHOD_NOT_SUPPORTED: u32 = 0x2027;
const ERROR_DS_UNAVAILABLE: u32 = 0x200F;
const ERROR_DS_DECODING_ERROR: u32 = 0x203D;
