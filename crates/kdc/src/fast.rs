//! FAST, RFC 6113 5.4: the armour around a request, and around its answer.
//!
//! Inside an armour only what was inside counts: the padata and the body that stand in the clear beside it are never
//! looked at, except for what proves the armour itself. So nobody on the way can take a stronger proof out or put a
//! weaker one in.
//!
//! Deliberately absent: explicit armour in TGS requests (compound identity), which is refused; and anything to remember
//! between two requests, so the cookie is empty of meaning.

use kerberos::crypto::{Key, KeyUsage, combine};
use kerberos::messages::{
    AdType, ApReq, Authenticator, AuthorizationData, Checksum, Der, EncTicketPart, EncryptedData,
    EncryptionKey, ErrorCode, KdcRequest, KerberosTime, KrbError, KrbFastArmor, KrbFastArmoredRep,
    KrbFastFinished, KrbFastReq, KrbFastResponse, MessageType, NameType, PaData, PaFxFastReply,
    PaFxFastRequest, PaType, PrincipalName, Realm, RequestKind, Ticket,
};
use types::{Entropy, Timestamp};

use crate::kdc::Asked;
use crate::names;
use crate::pac::PacDraft;
use crate::policy;
use crate::refusal::Refusal;
use crate::tgs_proof::{Rest, check_times, open_ticket, opening, opening_key};

/// What protects one request and its answer.
#[derive(Debug)]
pub(crate) struct Armour {
    key: Key,
    /// The nonce of the inner body, which the answer repeats.
    nonce: i64,
    /// The client's names stay inside.
    hides_names: bool,
}

/// An armour and what was in it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) armour: Armour,
    pub(crate) request: KdcRequest,
}

/// The key of an armoured reply, which nobody has without both the armour and the key that the client proved.
#[derive(Debug)]
pub(crate) struct Strengthened<'a> {
    pub(crate) key: Key,
    strengthen: Key,
    armour: &'a Armour,
}

/// Who an armoured reply is about.
pub(crate) struct Finished<'a> {
    pub(crate) ticket: &'a Ticket,
    pub(crate) crealm: &'a Realm,
    pub(crate) cname: &'a PrincipalName,
    pub(crate) now: Timestamp,
}

/// The request inside, where there is an armour. A TGS request's own ticket and authenticator are only used here to find
/// the key; whether they are good is asked of them later, as without armour.
pub(crate) fn open(asked: &Asked<'_>) -> Result<Option<Opened>, Refusal> {
    let outer = asked.outer;
    let value = match outer.padata(PaType::PA_FX_FAST) {
        // Empty it says no more than that the client knows FAST.
        None | Some([]) => return Ok(None),
        Some(value) => value,
    };
    let armoured = PaFxFastRequest::from_der(value)?.0;
    let (key, covered) = match outer.kind {
        RequestKind::As => (explicit(asked, armoured.armor.as_ref())?, outer.raw_body()),
        RequestKind::Tgs => implicit(asked, armoured.armor.as_ref())?,
    };
    let usage = KeyUsage::FAST_REQ_CHECKSUM;
    let checked = armoured.req_checksum.verify(&key, usage, &[covered]);
    checked.map_err(|error| {
        let why = format!("the armour's checksum over the request: {error}");
        Refusal::new(ErrorCode::KRB_AP_ERR_MODIFIED, why)
    })?;
    let plain = armoured.enc_fast_req.open(&key, KeyUsage::FAST_ENC);
    let plain = plain.map_err(|error| {
        let why = format!("what is in the armour: {error}");
        Refusal::new(ErrorCode::KRB_AP_ERR_BAD_INTEGRITY, why)
    })?;
    let inner = KrbFastReq::from_der(&plain)?;
    let options = inner.fast_options.0;
    let raw_body = inner.req_body.as_bytes().to_vec();
    let request = KdcRequest::from_parts(outer.kind, inner.padata, raw_body)?;
    let armour = Armour {
        key,
        nonce: request.body().nonce,
        hides_names: options & HIDE_CLIENT_NAMES != 0,
    };
    if options & CRITICAL & !HIDE_CLIENT_NAMES != 0 {
        let why = format!("unknown critical FAST options {options:#010x}");
        let code = ErrorCode::KDC_ERR_UNKNOWN_CRITICAL_FAST_OPTIONS;
        return Err(Refusal::new(code, why));
    }
    Ok(Some(Opened { armour, request }))
}

/// RFC 6113 5.4.1.1: an AP-REQ with a ticket granting ticket and a subkey. The ticket is as good as one that asks for
/// others: signed PAC, the requester's SID, enough time left, an account that stands.
fn explicit(asked: &Asked<'_>, armour: Option<&KrbFastArmor>) -> Result<Key, Refusal> {
    let failed = |why: &str| Refusal::new(ErrorCode::KDC_ERR_PREAUTH_FAILED, why);
    let armour = armour.ok_or_else(|| failed("an AS request's FAST without an armour"))?;
    if armour.armor_type != FX_FAST_ARMOR_AP_REQUEST {
        return Err(failed("an armour that is no AP-REQ"));
    }
    let kdc = asked.kdc;
    let ap_req = ap_req(&armour.armor_value)?;
    let opening = opening_key(asked, &ap_req.ticket)?;
    let ticket = open_ticket(&ap_req.ticket, &opening)?;
    check_times(asked, &ticket, Rest::OfATicketGrantingTicket)?;
    let session = ticket.key.to_key(None)?;
    let authenticator = authenticator(&ap_req, &session, KeyUsage::AP_REQ_AUTHENTICATOR)?;
    if !authenticator.cname.is_same_name(&ticket.cname) || authenticator.crealm != ticket.crealm {
        let why = "the armour's authenticator is of somebody else";
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_BADMATCH, why));
    }
    let apart_s = authenticator.ctime.timestamp().seconds_since(asked.now);
    if apart_s.unsigned_abs() > kdc.settings.clock_skew_s.unsigned_abs() {
        let why = format!("the armour's clock is {apart_s} s away");
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_SKEW, why));
    }
    let holder = names::client(&*kdc.accounts, &kdc.settings, &ticket.cname)
        .map_err(|refusal| Refusal::new(ErrorCode::KDC_ERR_TGT_REVOKED, refusal.why))?;
    PacDraft::of_ticket(&ticket, &opening, &holder)?;
    policy::standing(&holder, &*kdc.lockout, asked.now)?;
    armour_key(&authenticator, &session)
}

/// RFC 6113 5.4.2: the key of a TGS request's own ticket and subkey; the checksum covers its AP-REQ.
fn implicit<'a>(
    asked: &Asked<'a>,
    armour: Option<&KrbFastArmor>,
) -> Result<(Key, &'a [u8]), Refusal> {
    if armour.is_some() {
        let why = "a TGS request with an armour of its own";
        return Err(Refusal::new(ErrorCode::KDC_ERR_PREAUTH_FAILED, why));
    }
    let value = asked.outer.padata(PaType::PA_TGS_REQ).ok_or_else(|| {
        let code = ErrorCode::KDC_ERR_PADATA_TYPE_NOSUPP;
        Refusal::new(code, "the request has no ticket")
    })?;
    let ap_req = ap_req(value)?;
    let (opening, _) = opening(asked, &ap_req.ticket)?;
    let ticket = open_ticket(&ap_req.ticket, &opening)?;
    let session = ticket.key.to_key(None)?;
    let authenticator = authenticator(&ap_req, &session, KeyUsage::TGS_REQ_AUTHENTICATOR)?;
    Ok((armour_key(&authenticator, &session)?, value))
}

fn ap_req(value: &[u8]) -> Result<ApReq, Refusal> {
    let ap_req = ApReq::from_der(value)?;
    if ap_req.msg_type != MessageType::AP_REQ {
        let why = format!("an AP-REQ of message type {}", ap_req.msg_type);
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_MSG_TYPE, why));
    }
    Ok(ap_req)
}

fn authenticator(ap_req: &ApReq, session: &Key, usage: KeyUsage) -> Result<Authenticator, Refusal> {
    let plain = ap_req.authenticator.open(session, usage).map_err(|error| {
        let why = format!("the authenticator: {error}");
        Refusal::new(ErrorCode::KRB_AP_ERR_BAD_INTEGRITY, why)
    })?;
    Ok(Authenticator::from_der(&plain)?)
}

/// KRB-FX-CF2 of both keys. Without a subkey everybody who ever used the ticket with a service would have the same.
fn armour_key(authenticator: &Authenticator, session: &Key) -> Result<Key, Refusal> {
    let subkey = authenticator.subkey.as_ref().ok_or_else(|| {
        let why = "the armour's authenticator has no subkey";
        Refusal::new(ErrorCode::KDC_ERR_PREAUTH_FAILED, why)
    })?;
    let subkey = subkey.to_key(None)?;
    Ok(combine(&subkey, b"subkeyarmor", session, b"ticketarmor")?)
}

/// RFC 6113 5.4.1.1 and 5.4.2, of an authenticator that asks for tickets: one that was made to be an armour does not ask
/// for tickets, and one that was sent in an armour does not come without.
pub(crate) fn check_use(
    asked: &Asked<'_>,
    ticket: &EncTicketPart,
    authenticator: &Authenticator,
) -> Result<(), Refusal> {
    let has = |data: &Option<Vec<AuthorizationData>>, kind: AdType| {
        data.iter().flatten().any(|one| one.ad_type == kind)
    };
    let data = &authenticator.authorization_data;
    if has(data, AdType::AD_FX_FAST_ARMOR)
        || has(&ticket.authorization_data, AdType::AD_FX_FAST_ARMOR)
    {
        let why = "an authenticator that was made to be an armour asks for a ticket";
        return Err(Refusal::new(ErrorCode::KDC_ERR_POLICY, why));
    }
    if has(data, AdType::AD_FX_FAST_USED) && asked.armour.is_none() {
        let why = "the request had an armour when it was sent";
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_MODIFIED, why));
    }
    Ok(())
}

impl Armour {
    /// The keys of the encrypted challenge, RFC 6113 5.4.6: the client's and the KDC's.
    pub(crate) fn challenge_keys(&self, long_term: &Key) -> Result<(Key, Key), Refusal> {
        let second = b"challengelongterm";
        let client = combine(&self.key, b"clientchallengearmor", long_term, second)?;
        let kdc = combine(&self.key, b"kdcchallengearmor", long_term, second)?;
        Ok((client, kdc))
    }

    /// The key that a reply is sealed with instead of `reply_key`, RFC 6113 5.4.3.
    pub(crate) fn strengthen(
        &self,
        reply_key: &Key,
        entropy: &mut dyn Entropy,
    ) -> Result<Strengthened<'_>, Refusal> {
        let strengthen = Key::generate(self.key.etype(), entropy)?;
        let key = combine(&strengthen, b"strengthenkey", reply_key, b"replykey")?;
        Ok(Strengthened {
            key,
            strengthen,
            armour: self,
        })
    }

    /// METHOD-DATA of the error outside, RFC 6113 5.4.4: the real error and what belongs to it, inside.
    pub(crate) fn wrap_error(
        &self,
        error: &KrbError,
        mut method_data: Vec<PaData>,
        entropy: &mut dyn Entropy,
    ) -> Option<Vec<PaData>> {
        method_data.push(PaData::new(PaType::PA_FX_ERROR, error.to_der().ok()?));
        let response = KrbFastResponse {
            padata: method_data,
            strengthen_key: None,
            finished: None,
            nonce: self.nonce,
        };
        Some(vec![self.seal(&response, entropy).ok()?])
    }

    /// Whose name stands outside: nobody's, where the client asked for that (RFC 6112 3, RFC 6113 5.4.2).
    pub(crate) fn names_outside<'n>(
        &self,
        realm: &'n Realm,
        name: &'n PrincipalName,
    ) -> (Realm, PrincipalName) {
        if !self.hides_names {
            return (realm.clone(), name.clone());
        }
        let nobody = PrincipalName::new(NameType::NT_WELLKNOWN, ["WELLKNOWN", "ANONYMOUS"]);
        (Realm::from("WELLKNOWN:ANONYMOUS"), nobody)
    }

    fn seal(
        &self,
        response: &KrbFastResponse,
        entropy: &mut dyn Entropy,
    ) -> Result<PaData, Refusal> {
        let plain = response.to_der()?;
        let sealed = EncryptedData::seal(&self.key, None, KeyUsage::FAST_REP, &plain, entropy)?;
        let reply = PaFxFastReply(KrbFastArmoredRep {
            enc_fast_rep: sealed,
        });
        Ok(PaData::new(PaType::PA_FX_FAST, reply.to_der()?))
    }
}

impl Strengthened<'_> {
    /// The padata of the reply: all of it inside, with the proof that this ticket belongs to this request.
    pub(crate) fn wrap(
        &self,
        padata: Vec<PaData>,
        about: &Finished<'_>,
        entropy: &mut dyn Entropy,
    ) -> Result<PaData, Refusal> {
        let armour = self.armour;
        let ticket = about.ticket.to_der()?;
        let finished = KrbFastFinished {
            timestamp: KerberosTime::new(about.now),
            usec: 0,
            crealm: about.crealm.clone(),
            cname: about.cname.clone(),
            ticket_checksum: Checksum::compute(&armour.key, KeyUsage::FAST_FINISHED, &[&ticket])?,
        };
        let response = KrbFastResponse {
            padata,
            strengthen_key: Some(EncryptionKey::from_key(&self.strengthen)),
            finished: Some(finished),
            nonce: armour.nonce,
        };
        armour.seal(&response, entropy)
    }

    /// See [`Armour::names_outside`].
    pub(crate) fn names_outside(
        &self,
        realm: &Realm,
        name: &PrincipalName,
    ) -> (Realm, PrincipalName) {
        self.armour.names_outside(realm, name)
    }
}

/// PA-FX-COOKIE, RFC 6113 5.2: clients of FAST expect one and give it back; nothing is kept in it.
pub(crate) fn cookie() -> PaData {
    PaData::new(PaType::PA_FX_COOKIE, b"0".to_vec())
}

const FX_FAST_ARMOR_AP_REQUEST: i32 = 1;
/// Bits 0 to 15 of FastOptions.
const CRITICAL: u32 = 0xFFFF_0000;
const HIDE_CLIENT_NAMES: u32 = 1 << 30;
