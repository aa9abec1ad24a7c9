//! From the cloud's partial ticket granting ticket to the domain's full one.
//!
//! The cloud answers a sign-in with an AS-REP that it wrote itself, and with the key that opens it. The ticket inside is
//! sealed for the domain, with the key that the domain shares with the cloud. A domain controller exchanges it in an
//! ordinary TGS exchange, and on demand hands over the account's NT hash beside it (KERB-KEY-LIST, MS-KILE 2.2.11).

use kerberos::client::{ClientError, Credentials, PendingTgs, Principal, TgsRequest};
use kerberos::crypto::{EncryptionType, Key, KeyUsage};
use kerberos::messages::{
    Der, EncKdcRepPart, KdcOptions, KdcReply, KerbKeyListRep, KerbKeyListReq, Malformed, PaData,
    PaType,
};
use types::{Entropy, Secret, Timestamp};

use crate::offline::NtHash;
use crate::policy::NtHashPolicy;

/// A ticket granting ticket of the cloud for a realm on the ground. No service takes it, and it says nothing of groups.
#[derive(Debug, Clone)]
pub struct PartialTicket(Credentials);

/// Why a partial ticket is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PartialTicketError {
    /// The message buffer is no AS-REP, or its sealed part is none.
    #[error("the cloud's ticket cannot be read: {0}")]
    Malformed(#[from] Malformed),
    /// The client key does not open it.
    #[error("the client key does not open the cloud's ticket: {0}")]
    Seal(#[from] kerberos::ticket::SealError),
    /// The session key inside is of no known type.
    #[error("the session key of the cloud's ticket cannot be used: {0}")]
    Crypto(#[from] kerberos::crypto::CryptoError),
    /// It is a ticket for something else.
    #[error("the cloud sent a ticket for '{0}' where one for the realm's krbtgt was asked for")]
    OtherService(String),
}

impl PartialTicket {
    /// Opens what came in `messageBuffer` with what came in `clientKey` (MS-KILE 3.1.5.9, key usage 3).
    pub fn open(message: &[u8], client_key: &Key) -> Result<Self, PartialTicketError> {
        let reply = KdcReply::from_der(message)?;
        let part = reply.open(client_key, KeyUsage::AS_REP_ENC_PART)?;
        let realm = reply.ticket.realm.as_str().unwrap_or_default();
        let is_krbtgt =
            matches!(part.sname.parts().as_deref(), Some(["krbtgt", of]) if *of == realm);
        if !is_krbtgt || !part.sname.is_same_name(&reply.ticket.sname) {
            return Err(PartialTicketError::OtherService(part.sname.to_string()));
        }
        Ok(Self(Credentials {
            client: Principal {
                name: reply.cname,
                realm: reply.crealm,
            },
            session: std::sync::Arc::new(part.key.to_key(None)?),
            ticket: reply.ticket,
            part,
        }))
    }

    /// A ticket that is held already, and what its holder knows of it.
    pub fn held(credentials: Credentials) -> Self {
        Self(credentials)
    }

    /// The realm that exchanges it.
    pub fn realm(&self) -> &str {
        self.0.client.realm.as_str().unwrap_or_default()
    }

    /// When the domain stops to take it.
    pub fn ends(&self) -> Timestamp {
        self.0.part.endtime.timestamp()
    }

    /// As a credential cache could keep it.
    pub fn credentials(&self) -> &Credentials {
        &self.0
    }

    /// The request for a domain controller.
    pub fn exchange(
        &self,
        nt_hash: NtHashPolicy,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<(Exchange, Vec<u8>), ClientError> {
        let realm = self.realm();
        let mut request = TgsRequest::new(Principal::service(&format!("krbtgt/{realm}"), realm));
        request.options =
            KdcOptions::FORWARDABLE | KdcOptions::RENEWABLE | KdcOptions::CANONICALIZE;
        if nt_hash.asks() {
            let types: KerbKeyListReq = vec![EncryptionType::RC4_HMAC];
            let value = types.to_der()?;
            request
                .padata
                .push(PaData::new(PaType::KERB_KEY_LIST_REQ, value));
        }
        let (pending, bytes) = request.seal(&self.0, now, entropy)?;
        Ok((Exchange(pending), bytes))
    }
}

/// An exchange that waits for the domain controller's answer.
#[derive(Debug)]
pub struct Exchange(PendingTgs);

/// What a domain controller gave.
#[derive(Debug)]
pub struct FullTicket {
    /// The ticket granting ticket of the domain.
    pub credentials: Credentials,
    /// The NT hash, where it was asked for and given.
    pub nt_hash: Option<NtHash>,
}

impl Exchange {
    /// Takes the answer.
    pub fn finish(self, answer: &[u8]) -> Result<FullTicket, ClientError> {
        let credentials = self.0.open(answer)?;
        Ok(FullTicket {
            nt_hash: nt_hash(&credentials.part),
            credentials,
        })
    }
}

/// The NT hash in the sealed part of a reply. The list may hold keys of other types, at any place.
fn nt_hash(part: &EncKdcRepPart) -> Option<NtHash> {
    let entries = part.encrypted_pa_data.as_deref().unwrap_or_default();
    let lists = entries
        .iter()
        .filter(|entry| entry.padata_type == PaType::KERB_KEY_LIST_REP);
    let keys = lists.filter_map(|entry| KerbKeyListRep::from_der(&entry.padata_value).ok());
    let hash = keys
        .flatten()
        .find(|key| key.keytype == EncryptionType::RC4_HMAC)?;
    let octets = hash.keyvalue.expose();
    (octets.len() == 16)
        .then(|| Secret::filled_by(|hash: &mut [u8; 16]| hash.copy_from_slice(octets)))
}
