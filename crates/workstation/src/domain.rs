//! A domain controller as a workstation sees it: a wire that carries a request and its answer, and what is asked over it.

use kerberos::client::{ClientError, Credentials, Principal, TgsRequest};
use kerberos::messages::KdcOptions;
use types::{Entropy, Timestamp};

use crate::policy::NtHashPolicy;
use crate::tickets::{FullTicket, PartialTicket};

/// The wire to a domain controller of the user's realm. Kerberos itself proves who answers.
pub trait DomainController {
    /// Carries one message of RFC 4120 there, and its answer back.
    fn ask(&mut self, request: &[u8]) -> Result<Vec<u8>, NoAnswer>;
}

/// Nobody answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no domain controller answers: {0}")]
pub struct NoAnswer(pub String);

/// Why the domain gave no ticket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DomainError {
    /// No answer.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// The domain controller said no.
    #[error("{error}{}", reason(error))]
    Refused {
        /// Its error.
        error: ClientError,
    },
    /// An answer that is none, or not to this request.
    #[error("the domain controller's answer cannot be used: {0}")]
    Answer(ClientError),
}

impl From<ClientError> for DomainError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Refused(_) => Self::Refused { error },
            error => Self::Answer(error),
        }
    }
}

/// The codes of RFC 4120 7.5.9 that a sign-in meets, in words.
fn reason(error: &ClientError) -> &'static str {
    let ClientError::Refused(refusal) = error else {
        return "";
    };
    match refusal.error_code.0 {
        12 => " (its policy: the Kerberos server object is not what it must be)",
        18 => " (the account is disabled, locked or expired)",
        20 => " (the account may not use the trust, or the ticket is not its own)",
        23 => " (the password has expired)",
        31 | 44 | 45 => {
            " (it does not have the key that the cloud uses; publish it again with `tombolo trust publish`)"
        }
        32 => " (the ticket has ended)",
        37 => " (the clocks are too far apart)",
        _ => "",
    }
}

/// Exchanges the cloud's partial ticket for the domain's own, and asks for the NT hash where the policy does.
pub fn exchange(
    partial: &PartialTicket,
    nt_hash: NtHashPolicy,
    domain: &mut dyn DomainController,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Result<FullTicket, DomainError> {
    let (exchange, request) = partial.exchange(nt_hash, now, entropy)?;
    Ok(exchange.finish(&domain.ask(&request)?)?)
}

/// A ticket for a service, `cifs/files.corp.contoso.com`.
pub fn service_ticket(
    granting: &Credentials,
    service: &str,
    domain: &mut dyn DomainController,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Result<Credentials, DomainError> {
    let realm = granting.client.realm.as_str().unwrap_or_default();
    let request = TgsRequest::new(Principal::service(service, realm));
    ask(&request, granting, domain, now, entropy)
}

/// The same ticket granting ticket, with its life begun anew (RFC 4120 3.3.3.1). No key and no cloud is needed for it.
pub fn renew(
    granting: &Credentials,
    domain: &mut dyn DomainController,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Result<Credentials, DomainError> {
    let realm = granting.client.realm.as_str().unwrap_or_default();
    let mut request = TgsRequest::new(Principal::service(&format!("krbtgt/{realm}"), realm));
    request.options = KdcOptions::CANONICALIZE
        | KdcOptions::FORWARDABLE
        | KdcOptions::RENEWABLE
        | KdcOptions::RENEW;
    ask(&request, granting, domain, now, entropy)
}

fn ask(
    request: &TgsRequest,
    at_hand: &Credentials,
    domain: &mut dyn DomainController,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Result<Credentials, DomainError> {
    let (pending, bytes) = request.seal(at_hand, now, entropy)?;
    Ok(pending.open(&domain.ask(&bytes)?)?)
}
