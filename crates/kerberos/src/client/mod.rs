//! The client's half of the exchanges with a KDC, without any I/O: bytes to send come out, bytes that came go in.
//!
//! [`PasswordSignIn`] and [`KeySignIn`] are AS exchanges (RFC 4120 3.1, RFC 4556), [`TgsRequest`] is the TGS exchange
//! (3.3), for service tickets as well as for exchanging one ticket granting ticket for another. What they end in is a
//! [`Credentials`].
//!
//! ```
//! use kerberos::client::{Principal, PasswordSignIn, Step};
//! use types::{Secret, SeededEntropy, Timestamp};
//!
//! let mut entropy = SeededEntropy::new(1);
//! let now = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z")?;
//! let client = Principal::user("testuser", "CORP.CONTOSO.COM");
//! let password = Secret::new("Correct-Horse-2026".to_owned());
//! let (sign_in, request) = PasswordSignIn::begin(&client, password, now, &mut entropy)?;
//! // Send the request; what comes back goes into `step`, until it is `Step::Done`.
//! assert!(sign_in.step(b"no reply at all", now, &mut entropy).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Deliberately absent: finding a KDC, sockets and their framing, keeping tickets, referrals to other realms.

mod key_sign_in;
mod password_sign_in;
mod tgs;

use std::sync::Arc;

use types::{Entropy, Timestamp};

pub use crate::files::Principal;
pub use key_sign_in::KeySignIn;
pub use password_sign_in::{PasswordSignIn, Step};
pub use tgs::{PendingTgs, TgsRequest};

use crate::crypto::{CryptoError, EncryptionType, Key, KeyUsage};
use crate::files::Credential;
use crate::messages::{
    ApOptions, ApReq, Authenticator, Checksum, Der, EncKdcRepPart, EncryptionKey, KdcOptions,
    KdcReply, KdcReqBody, KerberosTime, KrbError, Malformed, MessageType, NameType, PrincipalName,
    Ticket,
};
use crate::pkinit::PkinitError;
use crate::ticket::SealError;

/// Why there is no ticket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The KDC said no.
    #[error("the KDC refused with error {code}", code = .0.error_code)]
    Refused(Box<KrbError>),
    /// The bytes are no answer.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The answer does not open: another key, or it was changed.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A key cannot be made or used.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The public-key part of the answer is not believed.
    #[error(transparent)]
    Pkinit(#[from] PkinitError),
    /// The answer is an answer, but not to this request.
    #[error("the answer is not to this request: {0}")]
    Mismatch(&'static str),
    /// The KDC asks for a proof that this client does not have.
    #[error("the KDC offers no way to sign in that is known here")]
    NoWay,
}

impl Principal {
    /// A user.
    pub fn user(name: &str, realm: &str) -> Self {
        Self {
            name: PrincipalName::new(NameType::NT_PRINCIPAL, [name]),
            realm: realm.into(),
        }
    }

    /// A service, `ldap/dc1.corp.contoso.com`.
    pub fn service(name: &str, realm: &str) -> Self {
        Self {
            name: PrincipalName::new(NameType::NT_SRV_INST, name.split('/')),
            realm: realm.into(),
        }
    }
}

/// A ticket, and what its holder knows of it.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Whom the ticket is of, as the KDC names it.
    pub client: Principal,
    /// The ticket.
    pub ticket: Ticket,
    /// Its session key.
    pub session: Arc<Key>,
    /// What else the KDC said under seal.
    pub part: EncKdcRepPart,
}

impl Credentials {
    /// Proves to the ticket's service, now, to have its session key.
    pub fn ap_req(
        &self,
        options: ApOptions,
        shape: Proof<'_>,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<ApReq, ClientError> {
        let authenticator = Authenticator {
            authenticator_vno: 5,
            crealm: self.client.realm.clone(),
            cname: self.client.name.clone(),
            cksum: shape.checksum,
            cusec: microseconds(now),
            ctime: KerberosTime::new(now),
            subkey: shape.subkey.map(EncryptionKey::from_key),
            seq_number: shape.sequence_number,
            authorization_data: None,
        };
        let ticket = self.ticket.clone();
        let usage = shape.usage;
        Ok(ApReq::seal(
            options,
            ticket,
            &authenticator,
            &self.session,
            usage,
            entropy,
        )?)
    }

    /// From an entry of a credential cache.
    pub fn of_credential(kept: &Credential) -> Result<Self, ClientError> {
        let time = |at: Timestamp| (at.unix_seconds() != 0).then(|| KerberosTime::new(at));
        Ok(Self {
            client: kept.client.clone(),
            ticket: Ticket::from_der(&kept.ticket)?,
            session: Arc::new(kept.key.to_key(None)?),
            part: EncKdcRepPart {
                key: kept.key.clone(),
                last_req: Vec::new(),
                nonce: 0,
                key_expiration: None,
                flags: kept.flags,
                authtime: KerberosTime::new(kept.authtime),
                starttime: time(kept.starttime),
                endtime: KerberosTime::new(kept.endtime),
                renew_till: time(kept.renew_till),
                srealm: kept.server.realm.clone(),
                sname: kept.server.name.clone(),
                caddr: None,
                encrypted_pa_data: None,
            },
        })
    }

    /// As a credential cache keeps it.
    pub fn to_credential(&self) -> Result<Credential, ClientError> {
        let part = &self.part;
        let never = KerberosTime::new(Timestamp::from_unix_seconds(0));
        Ok(Credential {
            client: self.client.clone(),
            server: Principal {
                name: part.sname.clone(),
                realm: part.srealm.clone(),
            },
            key: part.key.clone(),
            authtime: part.authtime.timestamp(),
            starttime: part.starttime.unwrap_or(part.authtime).timestamp(),
            endtime: part.endtime.timestamp(),
            renew_till: part.renew_till.unwrap_or(never).timestamp(),
            is_session_key: false,
            flags: part.flags,
            addresses: Vec::new(),
            authdata: Vec::new(),
            ticket: self.ticket.to_der()?,
            second_ticket: Vec::new(),
        })
    }
}

/// What goes into an authenticator beside names and time.
#[derive(Debug)]
pub struct Proof<'a> {
    /// [`KeyUsage::AP_REQ_AUTHENTICATOR`] towards a service, [`KeyUsage::TGS_REQ_AUTHENTICATOR`] towards a KDC.
    pub usage: KeyUsage,
    /// The checksum over what the request is about.
    pub checksum: Option<Checksum>,
    /// A key for this conversation alone.
    pub subkey: Option<&'a Key>,
    /// The first sequence number.
    pub sequence_number: Option<i64>,
}

impl Proof<'_> {
    /// Towards a service, with nothing beside names and time.
    pub fn to_service() -> Self {
        Self {
            usage: KeyUsage::AP_REQ_AUTHENTICATOR,
            checksum: None,
            subkey: None,
            sequence_number: None,
        }
    }
}

/// The types that are asked for, strongest first.
pub const ENCRYPTION_TYPES: [EncryptionType; 4] = [
    EncryptionType::AES256_CTS_HMAC_SHA1_96,
    EncryptionType::AES128_CTS_HMAC_SHA1_96,
    EncryptionType::AES256_CTS_HMAC_SHA384_192,
    EncryptionType::AES128_CTS_HMAC_SHA256_128,
];

/// So long a ticket is asked for; the KDC shortens it by its policy.
const LIFETIME_S: i64 = 24 * 3600;

/// The body of an AS request for a ticket granting ticket.
fn sign_in_body(client: &Principal, now: Timestamp, entropy: &mut dyn Entropy) -> KdcReqBody {
    let realm = client.realm.as_str().unwrap_or_default();
    KdcReqBody {
        kdc_options: KdcOptions::FORWARDABLE | KdcOptions::RENEWABLE | KdcOptions::CANONICALIZE,
        cname: Some(client.name.clone()),
        realm: client.realm.clone(),
        sname: Some(PrincipalName::krbtgt(realm)),
        from: None,
        till: KerberosTime::new(now.plus_seconds(LIFETIME_S)),
        rtime: Some(KerberosTime::new(now.plus_seconds(7 * LIFETIME_S))),
        nonce: nonce(entropy),
        etype: ENCRYPTION_TYPES.to_vec(),
        addresses: None,
        enc_authorization_data: None,
        additional_tickets: None,
    }
}

/// A number that fits every client's and server's idea of one.
fn nonce(entropy: &mut dyn Entropy) -> i64 {
    let mut bytes = [0; 4];
    entropy.fill(&mut bytes);
    i64::from(u32::from_be_bytes(bytes) & 0x7FFF_FFFF)
}

fn microseconds(now: Timestamp) -> i32 {
    let ticks = now.ticks().rem_euclid(Timestamp::TICKS_PER_SECOND);
    i32::try_from(ticks / 10).unwrap_or_default()
}

/// A reply, or the KDC's no.
fn reply(bytes: &[u8]) -> Result<KdcReply, ClientError> {
    if MessageType::of(bytes) == Some(MessageType::KRB_ERROR) {
        return Err(ClientError::Refused(Box::new(KrbError::from_der(bytes)?)));
    }
    Ok(KdcReply::from_der(bytes)?)
}

/// RFC 4120 3.1.5 and 3.3.4: the sealed part says that this is the answer to that request.
fn accept(
    reply: KdcReply,
    part: EncKdcRepPart,
    body: &KdcReqBody,
) -> Result<Credentials, ClientError> {
    if part.nonce != body.nonce {
        return Err(ClientError::Mismatch("the nonce is another"));
    }
    let canonical = body.kdc_options.contains(KdcOptions::CANONICALIZE);
    let is_service = |name: &PrincipalName| {
        body.sname
            .as_ref()
            .is_some_and(|wanted| wanted.is_same_name(name))
    };
    if !part.sname.is_same_name(&reply.ticket.sname) || part.srealm != reply.ticket.realm {
        return Err(ClientError::Mismatch("the ticket is of another service"));
    }
    if !is_service(&part.sname) && !canonical {
        return Err(ClientError::Mismatch("another service was asked for"));
    }
    Ok(Credentials {
        client: Principal {
            name: reply.cname,
            realm: reply.crealm,
        },
        ticket: reply.ticket,
        session: Arc::new(part.key.to_key(None)?),
        part,
    })
}
