//! Signing in with Kerberos: the SASL mechanisms GSSAPI (RFC 4752) and GSS-SPNEGO (MS-ADTS 5.1.1.1.2).
//!
//! - `ticket` judges an AP-REQ: whether it is for this server, alive, not a replay, and whose it is by its PAC.
//! - `negotiation` is the conversation of a bind: tokens in, tokens and at last a [`SignedIn`] out.
//! - `layer` signs or seals what follows.
//!
//! The server's keys are those of its own account in the directory, and the groups of a session are those that the
//! directory itself knows now, not the PAC's: the directory is where the KDC had them from, and a membership that was
//! taken away after the ticket was made must not live on in it. The PAC decides one thing, whose SID it is.
//!
//! Deliberately absent: NTLM within SPNEGO, delegated credentials, DCE style.

mod layer;
mod negotiation;
mod replay;
mod ticket;

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::sync::Arc;

use ldap::diagnostic::{Dsid, LogonError, win32};
use ldap::{LdapResult, ResultCode};
use types::Entropy;

use super::reply;
use crate::{Directory, Error, Principal, PrincipalName, Principals};

pub(super) use layer::Layer;
pub(super) use negotiation::{Context, Mechanism, Negotiation, Progress, SignedIn};

/// What all Kerberos binds of a server share.
#[derive(Debug)]
pub(super) struct Service {
    directory: Directory,
    principals: Principals,
    replays: replay::Replays,
    rules: KerberosRules,
    /// What `tls-server-end-point` is here.
    server_end_point: Option<[u8; 16]>,
}

/// How Kerberos binds are judged.
#[derive(Debug, Clone)]
pub struct KerberosRules {
    /// Whether GSSAPI and GSS-SPNEGO are offered, once the server's account has keys.
    pub enabled: bool,
    /// How far clocks may be apart.
    pub clock_skew_s: i64,
    /// The certificate of TLS (DER), which channel bindings are compared with.
    pub certificate: Option<Vec<u8>>,
    /// Refuses binds over TLS that are not bound to it. Those that are bound to something else always fail.
    pub channel_bindings_required: bool,
}

impl Default for KerberosRules {
    fn default() -> Self {
        Self {
            enabled: true,
            clock_skew_s: 300,
            certificate: None,
            channel_bindings_required: false,
        }
    }
}

/// The connection that a bind comes over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wire {
    pub(super) client: IpAddr,
    pub(super) is_tls: bool,
}

impl Service {
    pub(super) fn new(directory: &Directory, rules: KerberosRules) -> Self {
        let certificate = rules.certificate.as_deref();
        let server_end_point = certificate.and_then(|certificate| {
            kerberos::gss::tls_server_end_point(certificate)
                .inspect_err(|error| tracing::warn!(%error, "No channel bindings"))
                .ok()
        });
        Self {
            directory: directory.clone(),
            principals: Principals::new(directory.clone()),
            replays: replay::Replays::new(rules.clock_skew_s),
            rules,
            server_end_point,
        }
    }

    /// The server's own account, if it has keys: without them nobody can come with a ticket.
    fn account(&self) -> Result<Option<Arc<Principal>>, Error> {
        let Some(naming) = self.directory.naming().filter(|_| self.rules.enabled) else {
            return Ok(None);
        };
        let host = naming.dns_host_name.split('.').next().unwrap_or_default();
        let found = self
            .principals
            .find(PrincipalName::Account(&format!("{host}$")))?;
        Ok(found.filter(|account| account.keys.iter().any(|set| !set.keys.is_empty())))
    }

    /// Whether the mechanisms work.
    pub(super) fn is_ready(&self) -> bool {
        matches!(self.account(), Ok(Some(_)))
    }

    /// The directory's randomness.
    pub(super) fn entropy(&self) -> impl Entropy + use<> {
        DirectoryEntropy(self.directory.clone())
    }
}

struct DirectoryEntropy(Directory);

impl Entropy for DirectoryEntropy {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.0.fill_random(bytes);
    }
}

/// Why a bind with Kerberos fails.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// The token or the ticket is not to be believed; the client learns no more than that.
    #[error("{0}")]
    Unproven(String),
    /// The account may not sign in.
    #[error("the account may not sign in (data {:x})", .0.0)]
    Account(LogonError),
    /// Bound to another channel, or to none where one is required.
    #[error("the channel bindings are missing or of another connection")]
    ChannelBindings,
    /// No mechanism in common.
    #[error("of the mechanisms of SPNEGO the server has Kerberos alone")]
    NoCommonMechanism,
    /// MS-ADTS 5.1.2.1.
    #[error("signing and sealing are not allowed on a connection with TLS")]
    LayerOverTls,
    /// RFC 4752 3.1: the client chose what was not offered.
    #[error("the security layer was not offered")]
    Layer,
    /// The directory failed.
    #[error(transparent)]
    Directory(#[from] Error),
}

impl Refused {
    fn unproven(why: impl std::fmt::Display) -> Self {
        Self::Unproven(why.to_string())
    }

    /// What the client hears.
    pub(super) fn to_result(&self) -> LdapResult {
        let comment = self.to_string();
        match self {
            Self::Unproven(_) => reply::refusal(&Error::Credentials(LogonError::LOGON_FAILURE)),
            Self::Account(data) => reply::refusal(&Error::Credentials(*data)),
            // SEC_E_BAD_BINDINGS, which clients look for in the text.
            Self::ChannelBindings => reply::refusal(&Error::Credentials(LogonError(0x8009_0346))),
            Self::NoCommonMechanism => reply::head_refusal(
                ResultCode::AUTH_METHOD_NOT_SUPPORTED,
                win32::SEC_E_INVALID_TOKEN,
                Dsid::BIND,
                &comment,
            ),
            Self::LayerOverTls => reply::head_refusal(
                ResultCode::UNWILLING_TO_PERFORM,
                win32::ERROR_DS_UNWILLING_TO_PERFORM,
                Dsid::BIND,
                &comment,
            ),
            Self::Layer => reply::head_refusal(
                ResultCode::INVALID_CREDENTIALS,
                win32::SEC_E_INVALID_TOKEN,
                Dsid::BIND,
                &comment,
            ),
            Self::Directory(error) => reply::refusal(error),
        }
    }
}
