//! Who asks the ticket granting service: the ticket and its authenticator, RFC 4120 3.3.2 and 3.3.3.
//!
//! Deliberately absent: what the asker wants.

use std::sync::Arc;

use kerberos::crypto::{Key, KeyUsage};
use kerberos::messages::{
    ApReq, Authenticator, Der, EncTicketPart, ErrorCode, KdcOptions, Kvno, MessageType, PaType,
    Ticket, TicketFlags,
};
use types::Timestamp;

use crate::accounts::Account;
use crate::event::Event;
use crate::fast;
use crate::kdc::{Asked, Kdc};
use crate::names;
use crate::pac::PacDraft;
use crate::policy;
use crate::read_only_server::{self, ReadOnlyServer};
use crate::refusal::Refusal;
use crate::tickets::{self, CHANGE_PASSWORD_S};

/// A ticket granting ticket that this KDC sealed, whose holder proved to have its session key now, and whose account is
/// still the one that it was issued to. Only [`Proven::check`] makes one.
pub(crate) struct Proven {
    pub(crate) ticket: EncTicketPart,
    pub(crate) session: Key,
    /// What the reply is sealed with instead of the session key.
    pub(crate) subkey: Option<Key>,
    pub(crate) client: Arc<Account>,
    pub(crate) pac: PacDraft,
    /// The read-only server whose ticket it is; `None` for the domain's own.
    pub(crate) read_only: Option<Arc<ReadOnlyServer>>,
}

impl Proven {
    pub(crate) fn check(asked: &mut Asked<'_>) -> Result<Self, Refusal> {
        let value = asked.outer.padata(PaType::PA_TGS_REQ).ok_or_else(|| {
            let code = ErrorCode::KDC_ERR_PADATA_TYPE_NOSUPP;
            Refusal::new(code, "the request has no ticket")
        })?;
        let ap_req = ApReq::from_der(value)?;
        if ap_req.msg_type != MessageType::AP_REQ {
            let why = format!("an AP-REQ of message type {}", ap_req.msg_type);
            return Err(Refusal::new(ErrorCode::KRB_AP_ERR_MSG_TYPE, why));
        }
        let (opening, read_only) = opening(asked, &ap_req.ticket)?;
        let ticket = open_ticket(&ap_req.ticket, &opening)?;
        let is_renewal = asked.request.body().kdc_options.contains(KdcOptions::RENEW);
        let rest = if is_renewal {
            Rest::Any
        } else {
            Rest::OfATicketGrantingTicket
        };
        check_times(asked, &ticket, rest)?;
        let session = ticket.key.to_key(None)?;
        let subkey = check_authenticator(asked, &ap_req, &ticket, &session)?;
        let client = names::client(&*asked.kdc.accounts, &asked.kdc.settings, &ticket.cname)
            .map_err(|refusal| Refusal::new(ErrorCode::KDC_ERR_TGT_REVOKED, refusal.why))?;
        let pac = match &read_only {
            None => PacDraft::of_ticket(&ticket, &opening, &client)?,
            Some(server) => read_only_server::identity(asked, &ticket, &opening, server, &client)?,
        };
        // Windows asks again when the ticket is older than twenty minutes; asking always costs a lookup that was
        // made anyway, and a disabled account is out at once.
        policy::standing(&client, &*asked.kdc.lockout, asked.now)?;
        Ok(Self {
            ticket,
            session,
            subkey,
            client,
            pac,
            read_only,
        })
    }
}

impl Proven {
    /// What the reply is sealed with.
    pub(crate) fn reply_key(&self) -> (&Key, KeyUsage) {
        match &self.subkey {
            Some(subkey) => (subkey, KeyUsage::TGS_REP_SUBKEY),
            None => (&self.session, KeyUsage::TGS_REP_SESSION),
        }
    }
}

/// The key that a ticket granting ticket of the domain itself was sealed with.
pub(crate) fn opening_key(asked: &Asked<'_>, ticket: &Ticket) -> Result<Arc<Key>, Refusal> {
    match opening(asked, ticket)? {
        (key, None) => Ok(key),
        (_, Some(server)) => {
            let why = format!("a ticket of the read-only server '{}' here", server.name);
            Err(Refusal::new(ErrorCode::KRB_AP_ERR_NOKEY, why))
        }
    }
}

/// The key that a ticket granting ticket of this realm was sealed with, and whose it is. The upper half of the version
/// names a read-only server, 0 the domain; the lower half must be one of its versions exactly, and a missing version
/// means the domain's current key.
pub(crate) fn opening(
    asked: &Asked<'_>,
    ticket: &Ticket,
) -> Result<(Arc<Key>, Option<Arc<ReadOnlyServer>>), Refusal> {
    let settings = &asked.kdc.settings;
    let realm = ticket.realm.as_str().unwrap_or_default();
    let is_tgt = matches!(ticket.sname.parts().as_deref(), Some(["krbtgt", realm]) if settings.is_own_realm(realm));
    if !is_tgt || !settings.is_own_realm(realm) {
        let why = format!("the ticket is for '{}' of '{}'", ticket.sname, ticket.realm);
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_NOT_US, why));
    }
    let (key, number) = ticket_granting_key(asked.kdc, ticket)?;
    if number == 0 {
        return Ok((key, None));
    }
    let server = asked.kdc.accounts.read_only_server(number)?;
    let server = server.ok_or_else(|| {
        let why = format!("the ticket granting account {number} belongs to no read-only server");
        Refusal::new(ErrorCode::KDC_ERR_POLICY, why)
    })?;
    Ok((key, Some(server)))
}

/// The key of a ticket granting account that a ticket's version names, whatever the ticket is for, and the account's
/// number.
pub(crate) fn ticket_granting_key(kdc: &Kdc, ticket: &Ticket) -> Result<(Arc<Key>, u16), Refusal> {
    let kvno = ticket.enc_part.kvno.map(Kvno::from_wire);
    let number = kvno.flatten().map_or(0, |kvno| kvno.rodc);
    let krbtgt = names::krbtgt(&*kdc.accounts, number)?;
    let set = match kvno {
        None => krbtgt.current(),
        Some(kvno) => krbtgt
            .keys
            .iter()
            .find(|set| kvno.is_some_and(|kvno| tickets::low_half(set.version) == kvno.version)),
    };
    let set = set.ok_or_else(|| {
        let why = format!("no krbtgt key has version {:?}", ticket.enc_part.kvno);
        Refusal::new(ErrorCode::KRB_AP_ERR_BADKEYVER, why)
    })?;
    let types = &kdc.settings.encryption_types;
    let allowed = types.contains(&ticket.enc_part.etype);
    let key = set.of_type(ticket.enc_part.etype).filter(|_| allowed);
    let key = key.map(Arc::clone).ok_or_else(|| {
        let why = format!("a ticket under encryption type {}", ticket.enc_part.etype);
        Refusal::new(ErrorCode::KDC_ERR_ETYPE_NOSUPP, why)
    })?;
    Ok((key, number))
}

pub(crate) fn open_ticket(ticket: &Ticket, key: &Key) -> Result<EncTicketPart, Refusal> {
    let plain = ticket
        .enc_part
        .open(key, KeyUsage::TICKET)
        .map_err(|error| {
            Refusal::new(
                ErrorCode::KRB_AP_ERR_BAD_INTEGRITY,
                format!("the ticket: {error}"),
            )
        })?;
    Ok(EncTicketPart::from_der(&plain)?)
}

/// How much time must be left of a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// Any.
    Any,
    /// More than a ticket for changing a password has at its beginning.
    OfATicketGrantingTicket,
}

pub(crate) fn check_times(
    asked: &Asked<'_>,
    ticket: &EncTicketPart,
    rest: Rest,
) -> Result<(), Refusal> {
    check_times_at(asked.kdc, ticket, rest, asked.now)
}

pub(crate) fn check_times_at(
    kdc: &Kdc,
    ticket: &EncTicketPart,
    rest: Rest,
    now: Timestamp,
) -> Result<(), Refusal> {
    let (skew_s, end) = (kdc.settings.clock_skew_s, ticket.endtime.timestamp());
    let start = ticket.starttime.unwrap_or(ticket.authtime).timestamp();
    if ticket.flags.contains(TicketFlags::INVALID) {
        let why = "the ticket is not valid yet, and tickets are not validated here";
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_TKT_NYV, why));
    }
    if start > now.plus_seconds(skew_s) {
        let why = "the ticket begins in the future";
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_TKT_NYV, why));
    }
    if now >= end {
        let why = "the ticket has expired";
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_TKT_EXPIRED, why));
    }
    if rest == Rest::OfATicketGrantingTicket && end.seconds_since(now) <= CHANGE_PASSWORD_S {
        let why = "so little time is left that it may be a ticket for changing a password";
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_TKT_EXPIRED, why));
    }
    Ok(())
}

/// RFC 4120 3.3.3 and 5.5.1: who holds the session key now, and means exactly this request.
fn check_authenticator(
    asked: &mut Asked<'_>,
    ap_req: &ApReq,
    ticket: &EncTicketPart,
    session: &Key,
) -> Result<Option<Key>, Refusal> {
    let settings = &asked.kdc.settings;
    let sealed = &ap_req.authenticator;
    let plain = sealed
        .open(session, KeyUsage::TGS_REQ_AUTHENTICATOR)
        .map_err(|error| {
            Refusal::new(
                ErrorCode::KRB_AP_ERR_BAD_INTEGRITY,
                format!("the authenticator: {error}"),
            )
        })?;
    let authenticator = Authenticator::from_der(&plain)?;
    if !authenticator.cname.is_same_name(&ticket.cname) || authenticator.crealm != ticket.crealm {
        let why = format!(
            "'{}' came with a ticket of '{}'",
            authenticator.cname, ticket.cname
        );
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_BADMATCH, why));
    }
    let apart_s = authenticator.ctime.timestamp().seconds_since(asked.now);
    if apart_s.unsigned_abs() > settings.clock_skew_s.unsigned_abs() {
        let why = format!("the client's clock is {apart_s} s away");
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_SKEW, why));
    }
    fast::check_use(asked, ticket, &authenticator)?;
    match &authenticator.cksum {
        Some(checksum) => checksum
            .verify(
                session,
                KeyUsage::TGS_REQ_CHECKSUM,
                &[asked.outer.raw_body()],
            )
            .map_err(bad_checksum)?,
        None if settings.allow_missing_authenticator_checksum => {
            asked.events.push(Event::Tolerated {
                client: ticket.cname.to_string(),
                what: "an authenticator without a checksum over the request",
            });
        }
        None => {
            let why = "the authenticator has no checksum over the request";
            return Err(Refusal::new(ErrorCode::KRB_AP_ERR_INAPP_CKSUM, why));
        }
    }
    // Last, so that an authenticator that was refused for its request is not used up.
    if !asked.kdc.replays.is_new(&sealed.cipher, asked.now) {
        let why = "the authenticator was used before";
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_REPEAT, why));
    }
    let subkey = authenticator.subkey.map(|subkey| subkey.to_key(None));
    Ok(subkey.transpose()?)
}

fn bad_checksum(error: kerberos::crypto::CryptoError) -> Refusal {
    let code = match error {
        // An unkeyed one, or one of another key's type: it proves nothing.
        kerberos::crypto::CryptoError::ChecksumType { .. } => ErrorCode::KRB_AP_ERR_INAPP_CKSUM,
        _ => ErrorCode::KRB_AP_ERR_MODIFIED,
    };
    Refusal::new(code, format!("the checksum over the request: {error}"))
}
