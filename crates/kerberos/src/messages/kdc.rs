//! Requests to and replies from a KDC, RFC 4120 5.4, and the ticket, 5.3.

use rasn::types::Any;
use rasn::{AsnType, Decode, Encode};

use super::{
    Der, EncryptedData, HostAddress, KdcOptions, KerberosTime, Malformed, MessageType, PaData,
    PrincipalName, Realm, sequence,
};
use crate::crypto::EncryptionType;

sequence! {
    /// Ticket, RFC 4120 5.3.
    Ticket [tag(explicit(application, 1))] {
        0 tkt_vno [i32],
        1 realm [Realm],
        2 sname [PrincipalName],
        3 enc_part [EncryptedData],
    }

    /// KDC-REQ-BODY, RFC 4120 5.4.1. The nonce is wide, because clients disagree about its sign.
    KdcReqBody {
        0 kdc_options [KdcOptions],
        1 cname [Option<PrincipalName>],
        2 realm [Realm],
        3 sname [Option<PrincipalName>],
        4 from [Option<KerberosTime>],
        5 till [KerberosTime],
        6 rtime [Option<KerberosTime>],
        7 nonce [i64],
        8 etype [Vec<EncryptionType>],
        9 addresses [Option<Vec<HostAddress>>],
        10 enc_authorization_data [Option<EncryptedData>],
        11 additional_tickets [Option<Vec<Ticket>>],
    }
}

// The forms with raw bodies; [`KdcRequest`] and [`KdcReply`] are what the rest of the world sees.
#[expect(unreachable_pub, reason = "the macro makes public structs")]
mod wire {
    use super::*;

    sequence! {
        KdcReq {
            1 pvno [i32],
            2 msg_type [MessageType],
            3 padata [Option<Vec<PaData>>],
            4 req_body [Any],
        }

        KdcRep {
            0 pvno [i32],
            1 msg_type [MessageType],
            2 padata [Option<Vec<PaData>>],
            3 crealm [Realm],
            4 cname [PrincipalName],
            5 ticket [Ticket],
            6 enc_part [EncryptedData],
        }
    }

    #[derive(AsnType, Encode, Decode)]
    #[rasn(delegate, tag(explicit(application, 10)))]
    pub struct AsReq(pub KdcReq);

    #[derive(AsnType, Encode, Decode)]
    #[rasn(delegate, tag(explicit(application, 12)))]
    pub struct TgsReq(pub KdcReq);

    #[derive(AsnType, Encode, Decode)]
    #[rasn(delegate, tag(explicit(application, 11)))]
    pub struct AsRep(pub KdcRep);

    #[derive(AsnType, Encode, Decode)]
    #[rasn(delegate, tag(explicit(application, 13)))]
    pub struct TgsRep(pub KdcRep);
}

/// Which of the two services is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestKind {
    /// The authentication service: AS-REQ and AS-REP.
    As,
    /// The ticket-granting service: TGS-REQ and TGS-REP.
    Tgs,
}

/// AS-REQ or TGS-REQ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KdcRequest {
    /// Which of the two.
    pub kind: RequestKind,
    /// Pre-authentication data; empty where the field is missing.
    pub padata: Vec<PaData>,
    body: KdcReqBody,
    raw_body: Vec<u8>,
}

impl KdcRequest {
    /// A request to be sent.
    pub fn new(
        kind: RequestKind,
        padata: Vec<PaData>,
        body: KdcReqBody,
    ) -> Result<Self, Malformed> {
        let raw_body = body.to_der()?;
        Ok(Self {
            kind,
            padata,
            body,
            raw_body,
        })
    }

    /// A request whose body stands by itself, as in a FAST armour (RFC 6113 5.4.2).
    pub fn from_parts(
        kind: RequestKind,
        padata: Vec<PaData>,
        raw_body: Vec<u8>,
    ) -> Result<Self, Malformed> {
        let body = KdcReqBody::from_der(&raw_body)?;
        Ok(Self {
            kind,
            padata,
            body,
            raw_body,
        })
    }

    /// What is asked for.
    pub fn body(&self) -> &KdcReqBody {
        &self.body
    }

    /// The body as it was sent: what the checksums cover.
    pub fn raw_body(&self) -> &[u8] {
        &self.raw_body
    }

    /// The content of the first pre-authentication data of a type.
    pub fn padata(&self, wanted: super::PaType) -> Option<&[u8]> {
        PaData::find(&self.padata, wanted)
    }

    /// Reads AS-REQ and TGS-REQ.
    pub fn from_der(bytes: &[u8]) -> Result<Self, Malformed> {
        let (kind, request) = match MessageType::of(bytes) {
            Some(MessageType::TGS_REQ) => (RequestKind::Tgs, wire::TgsReq::from_der(bytes)?.0),
            _ => (RequestKind::As, wire::AsReq::from_der(bytes)?.0),
        };
        let expected = match kind {
            RequestKind::As => MessageType::AS_REQ,
            RequestKind::Tgs => MessageType::TGS_REQ,
        };
        check("KDC-REQ", request.pvno, request.msg_type, expected)?;
        let raw_body = request.req_body.into_bytes();
        Ok(Self {
            kind,
            padata: request.padata.unwrap_or_default(),
            body: KdcReqBody::from_der(&raw_body)?,
            raw_body,
        })
    }

    /// The DER form.
    pub fn to_der(&self) -> Result<Vec<u8>, Malformed> {
        let request = |msg_type| wire::KdcReq {
            pvno: PVNO,
            msg_type,
            padata: (!self.padata.is_empty()).then(|| self.padata.clone()),
            req_body: Any::new(self.raw_body.clone()),
        };
        match self.kind {
            RequestKind::As => wire::AsReq(request(MessageType::AS_REQ)).to_der(),
            RequestKind::Tgs => wire::TgsReq(request(MessageType::TGS_REQ)).to_der(),
        }
    }
}

/// AS-REP or TGS-REP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KdcReply {
    /// Which of the two.
    pub kind: RequestKind,
    /// Pre-authentication data; empty where the field is missing.
    pub padata: Vec<PaData>,
    /// The client's realm.
    pub crealm: Realm,
    /// The client's name.
    pub cname: PrincipalName,
    /// The ticket.
    pub ticket: Ticket,
    /// EncKDCRepPart.
    pub enc_part: EncryptedData,
}

impl KdcReply {
    /// Reads AS-REP and TGS-REP.
    pub fn from_der(bytes: &[u8]) -> Result<Self, Malformed> {
        let (kind, reply) = match MessageType::of(bytes) {
            Some(MessageType::TGS_REP) => (RequestKind::Tgs, wire::TgsRep::from_der(bytes)?.0),
            _ => (RequestKind::As, wire::AsRep::from_der(bytes)?.0),
        };
        let expected = match kind {
            RequestKind::As => MessageType::AS_REP,
            RequestKind::Tgs => MessageType::TGS_REP,
        };
        check("KDC-REP", reply.pvno, reply.msg_type, expected)?;
        Ok(Self {
            kind,
            padata: reply.padata.unwrap_or_default(),
            crealm: reply.crealm,
            cname: reply.cname,
            ticket: reply.ticket,
            enc_part: reply.enc_part,
        })
    }

    /// The DER form.
    pub fn to_der(&self) -> Result<Vec<u8>, Malformed> {
        let reply = |msg_type| wire::KdcRep {
            pvno: PVNO,
            msg_type,
            padata: (!self.padata.is_empty()).then(|| self.padata.clone()),
            crealm: self.crealm.clone(),
            cname: self.cname.clone(),
            ticket: self.ticket.clone(),
            enc_part: self.enc_part.clone(),
        };
        match self.kind {
            RequestKind::As => wire::AsRep(reply(MessageType::AS_REP)).to_der(),
            RequestKind::Tgs => wire::TgsRep(reply(MessageType::TGS_REP)).to_der(),
        }
    }
}

/// The only protocol version there is.
pub(crate) const PVNO: i32 = 5;

pub(crate) fn check(
    what: &'static str,
    pvno: i32,
    msg_type: MessageType,
    expected: MessageType,
) -> Result<(), Malformed> {
    let invalid = |field, have: i32| Malformed::Field {
        what,
        field,
        have: i64::from(have),
    };
    if pvno != PVNO {
        return Err(invalid("pvno", pvno));
    }
    if msg_type != expected {
        return Err(invalid("msg-type", msg_type.0));
    }
    Ok(())
}
