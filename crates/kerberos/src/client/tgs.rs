//! The TGS exchange, RFC 4120 3.3: from one ticket to another.

use types::{Entropy, Timestamp};

use super::{
    ClientError, Credentials, ENCRYPTION_TYPES, LIFETIME_S, Principal, Proof, accept, nonce,
};
use crate::crypto::{EncryptionType, Key, KeyUsage};
use crate::messages::{
    ApOptions, Checksum, Der, KdcOptions, KdcReqBody, KdcRequest, KerberosTime, PaData, PaType,
    RequestKind, Ticket,
};

/// What is asked of the ticket granting service.
#[derive(Debug, Clone)]
pub struct TgsRequest {
    /// The service; `krbtgt/REALM` for another ticket granting ticket.
    pub service: Principal,
    /// Options; canonicalize by default.
    pub options: KdcOptions,
    /// Encryption types, strongest first.
    pub encryption_types: Vec<EncryptionType>,
    /// Padata beside the ticket, such as KERB-KEY-LIST-REQ.
    pub padata: Vec<PaData>,
    /// Further tickets: of user-to-user and of S4U2Proxy.
    pub additional_tickets: Vec<Ticket>,
}

/// A request that waits for its answer.
#[derive(Debug)]
pub struct PendingTgs {
    body: KdcReqBody,
    subkey: Key,
}

impl TgsRequest {
    /// A ticket for a service.
    pub fn new(service: Principal) -> Self {
        Self {
            service,
            options: KdcOptions::CANONICALIZE,
            encryption_types: ENCRYPTION_TYPES.to_vec(),
            padata: Vec::new(),
            additional_tickets: Vec::new(),
        }
    }

    /// The request's bytes, sealed with the session key of the ticket that is at hand.
    pub fn seal(
        &self,
        at_hand: &Credentials,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<(PendingTgs, Vec<u8>), ClientError> {
        let tickets = self.additional_tickets.clone();
        let body = KdcReqBody {
            kdc_options: self.options,
            cname: None,
            realm: self.service.realm.clone(),
            sname: Some(self.service.name.clone()),
            from: None,
            till: KerberosTime::new(now.plus_seconds(LIFETIME_S)),
            rtime: None,
            nonce: nonce(entropy),
            etype: self.encryption_types.clone(),
            addresses: None,
            enc_authorization_data: None,
            additional_tickets: (!tickets.is_empty()).then_some(tickets),
        };
        let subkey = Key::generate(at_hand.session.etype(), entropy)?;
        let raw = body.to_der()?;
        let usage = KeyUsage::TGS_REQ_CHECKSUM;
        let proof = Proof {
            usage: KeyUsage::TGS_REQ_AUTHENTICATOR,
            checksum: Some(Checksum::compute(&at_hand.session, usage, &[&raw])?),
            subkey: Some(&subkey),
            sequence_number: None,
        };
        let ap_req = at_hand.ap_req(ApOptions::default(), proof, now, entropy)?;
        let mut padata = vec![PaData::new(PaType::PA_TGS_REQ, ap_req.to_der()?)];
        padata.extend(self.padata.iter().cloned());
        let request = KdcRequest::new(RequestKind::Tgs, padata, body.clone())?.to_der()?;
        Ok((PendingTgs { body, subkey }, request))
    }
}

impl PendingTgs {
    /// Takes the KDC's answer. What it put into encrypted-pa-data is in the part of the credentials.
    pub fn open(self, answer: &[u8]) -> Result<Credentials, ClientError> {
        let reply = super::reply(answer)?;
        let part = reply.open(&self.subkey, KeyUsage::TGS_REP_SUBKEY)?;
        accept(reply, part, &self.body)
    }
}
