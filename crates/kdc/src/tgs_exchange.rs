//! The ticket granting service: tickets for tickets (RFC 4120 3.3, MS-KILE 3.3.5.7).
//!
//! Deliberately absent so far: S4U2Self and S4U2Proxy (refused), FAST, referrals to other realms, and tickets of
//! read-only domain controllers (no key of theirs opens a ticket here).

use std::sync::Arc;

use kerberos::crypto::{Key, KeyUsage};
use kerberos::messages::{
    ApReq, Authenticator, Der, EncTicketPart, ErrorCode, KdcOptions, KdcReqBody, KerberosTime,
    Kvno, MessageType, PaType, PrincipalName, RequestKind, Ticket, TicketFlags,
};
use types::Timestamp;

use crate::accounts::Account;
use crate::event::Event;
use crate::kdc::Asked;
use crate::names::{self, Role, Service};
use crate::pac::PacDraft;
use crate::policy;
use crate::refusal::Refusal;
use crate::tickets::{self, CHANGE_PASSWORD_S, Ceiling, Issue, Life, SealingKey};

/// A ticket granting ticket that this KDC sealed, whose holder proved to have its session key now, and whose account is
/// still the one that it was issued to. Only [`Proven::check`] makes one.
struct Proven {
    ticket: EncTicketPart,
    session: Key,
    /// What the reply is sealed with instead of the session key.
    subkey: Option<Key>,
    client: Arc<Account>,
    pac: PacDraft,
}

/// The bytes of a TGS-REP.
pub(crate) fn grant(asked: &mut Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let (kdc, body) = (asked.kdc, asked.request.body());
    refuse_options(asked)?;
    let proven = Proven::check(asked)?;
    let sname = body.sname.as_ref().ok_or_else(|| {
        let code = ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN;
        Refusal::new(code, "the request has no service name")
    })?;
    let service = names::service(&*kdc.accounts, &kdc.settings, sname)?;
    refuse_service(&service)?;
    let krbtgt = names::krbtgt(&*kdc.accounts, 0)?;
    let kdc_key = tickets::sealing_key(&kdc.settings, &krbtgt)?;
    let is_renewal = body.kdc_options.contains(KdcOptions::RENEW);
    let life = if is_renewal {
        renewed_life(&proven, &service, asked.now)?
    } else {
        granted_life(asked, body, &proven)?
    };
    let session_type = tickets::session_type(&kdc.settings, &body.etype, &service.account)?;
    let session = Key::generate(session_type, asked.entropy)?;
    let cname = proven.ticket.cname.clone();
    let (reply_key, reply_usage) = match &proven.subkey {
        Some(subkey) => (subkey, KeyUsage::TGS_REP_SUBKEY),
        None => (&proven.session, KeyUsage::TGS_REP_SESSION),
    };
    let issue = Issue {
        kind: RequestKind::Tgs,
        flags: flags(body, &proven, &service, life.renew_till.is_some()),
        session: &session,
        cname: cname.clone(),
        authtime: proven.ticket.authtime.timestamp(),
        life,
        addresses: addresses(body, &proven),
        sname: sname.clone(),
        sealing: sealing_key(asked, body, &service, sname)?,
        service: &service,
        pac: proven.pac.for_service(service.role),
        nonce: body.nonce,
        key_expiration: None,
        padata: Vec::new(),
        encrypted_padata: Vec::new(),
        reply_key,
        reply_kvno: None,
        reply_usage,
    };
    let bytes = issue.seal(&kdc.settings, &kdc_key.key, asked.entropy)?;
    asked.events.push(Event::ServiceTicketGranted {
        account: proven.client.sid.clone(),
        client: cname.to_string(),
        service: sname.to_string(),
        renewed: is_renewal,
    });
    Ok(bytes)
}

fn refuse_options(asked: &Asked<'_>) -> Result<(), Refusal> {
    let body = asked.request.body();
    let realm = body.realm.as_str().unwrap_or_default();
    if !asked.kdc.settings.is_own_realm(realm) {
        let why = format!("the realm '{}' is not served here", body.realm);
        return Err(Refusal::new(ErrorCode::KDC_ERR_WRONG_REALM, why));
    }
    let options = body.kdc_options;
    let never = KdcOptions::CNAME_IN_ADDL_TKT | KdcOptions::REQUEST_ANONYMOUS;
    if options.0 & never.0 != 0 {
        let why = format!("{options:?} is not supported");
        return Err(Refusal::new(ErrorCode::KDC_ERR_BADOPTION, why));
    }
    // Without these two a ticket would be issued to the wrong client, so passing over them is no choice.
    for kind in [PaType::PA_FOR_USER, PaType::PA_S4U_X509_USER] {
        if asked.request.padata(kind).is_some() {
            let code = ErrorCode::KDC_ERR_PADATA_TYPE_NOSUPP;
            return Err(Refusal::new(code, format!("{kind} is not supported")));
        }
    }
    Ok(())
}

/// MS-KILE 3.3.5.7: a disabled service gets no tickets; RFC 4120 gives it a code of its own.
fn refuse_service(service: &Service) -> Result<(), Refusal> {
    if service.role == Role::ChangePassword {
        let why = "tickets for changing a password come from a sign-in only";
        return Err(Refusal::new(ErrorCode::KDC_ERR_POLICY, why));
    }
    if service.role == Role::Other && service.account.policy.disabled {
        let why = format!(
            "the service's account '{}' is disabled",
            service.account.name
        );
        return Err(Refusal::new(ErrorCode::KDC_ERR_SERVICE_REVOKED, why));
    }
    Ok(())
}

impl Proven {
    fn check(asked: &mut Asked<'_>) -> Result<Self, Refusal> {
        let value = asked.request.padata(PaType::PA_TGS_REQ).ok_or_else(|| {
            let code = ErrorCode::KDC_ERR_PADATA_TYPE_NOSUPP;
            Refusal::new(code, "the request has no ticket")
        })?;
        let ap_req = ApReq::from_der(value)?;
        if ap_req.msg_type != MessageType::AP_REQ {
            let why = format!("an AP-REQ of message type {}", ap_req.msg_type);
            return Err(Refusal::new(ErrorCode::KRB_AP_ERR_MSG_TYPE, why));
        }
        let opening = opening_key(asked, &ap_req.ticket)?;
        let ticket = open_ticket(&ap_req.ticket, &opening)?;
        let is_renewal = asked.request.body().kdc_options.contains(KdcOptions::RENEW);
        check_times(asked, &ticket, is_renewal)?;
        let session = ticket.key.to_key(None)?;
        let subkey = check_authenticator(asked, &ap_req, &ticket, &session)?;
        let client = names::client(&*asked.kdc.accounts, &asked.kdc.settings, &ticket.cname)
            .map_err(|refusal| Refusal::new(ErrorCode::KDC_ERR_TGT_REVOKED, refusal.why))?;
        let pac = PacDraft::of_ticket(&ticket, &opening, &client)?;
        // Windows asks again when the ticket is older than twenty minutes; asking always costs a lookup that was
        // made anyway, and a disabled account is out at once.
        policy::standing(&client, &*asked.kdc.lockout, asked.now)?;
        Ok(Self {
            ticket,
            session,
            subkey,
            client,
            pac,
        })
    }
}

/// The key that a ticket granting ticket of this realm was sealed with. The type and the exact version must be one of
/// the domain's own `krbtgt`: the upper half of a version names a read-only domain controller, whose key opens nothing
/// here, and a missing version means the current key.
fn opening_key(asked: &Asked<'_>, ticket: &Ticket) -> Result<Arc<Key>, Refusal> {
    let settings = &asked.kdc.settings;
    let realm = ticket.realm.as_str().unwrap_or_default();
    let is_tgt = matches!(ticket.sname.parts().as_deref(), Some(["krbtgt", realm]) if settings.is_own_realm(realm));
    if !is_tgt || !settings.is_own_realm(realm) {
        let why = format!("the ticket is for '{}' of '{}'", ticket.sname, ticket.realm);
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_NOT_US, why));
    }
    let krbtgt = names::krbtgt(&*asked.kdc.accounts, 0)?;
    let set = match ticket.enc_part.kvno {
        None => krbtgt.current(),
        Some(number) => match Kvno::from_wire(number) {
            Some(Kvno { rodc: 0, version }) => krbtgt
                .keys
                .iter()
                .find(|set| tickets::low_half(set.version) == version),
            Some(Kvno { rodc, .. }) => {
                let why = format!("the ticket is of read-only domain controller {rodc}");
                return Err(Refusal::new(ErrorCode::KRB_AP_ERR_NOKEY, why));
            }
            None => None,
        },
    };
    let set = set.ok_or_else(|| {
        let why = format!("no krbtgt key has version {:?}", ticket.enc_part.kvno);
        Refusal::new(ErrorCode::KRB_AP_ERR_BADKEYVER, why)
    })?;
    let allowed = settings.encryption_types.contains(&ticket.enc_part.etype);
    let key = set.of_type(ticket.enc_part.etype).filter(|_| allowed);
    key.map(Arc::clone).ok_or_else(|| {
        let why = format!("a ticket under encryption type {}", ticket.enc_part.etype);
        Refusal::new(ErrorCode::KDC_ERR_ETYPE_NOSUPP, why)
    })
}

fn open_ticket(ticket: &Ticket, key: &Key) -> Result<EncTicketPart, Refusal> {
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

fn check_times(asked: &Asked<'_>, ticket: &EncTicketPart, is_renewal: bool) -> Result<(), Refusal> {
    let skew_s = asked.kdc.settings.clock_skew_s;
    let (now, end) = (asked.now, ticket.endtime.timestamp());
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
    if !is_renewal && end.seconds_since(now) <= CHANGE_PASSWORD_S {
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
    match &authenticator.cksum {
        Some(checksum) => checksum
            .verify(
                session,
                KeyUsage::TGS_REQ_CHECKSUM,
                &[asked.request.raw_body()],
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

/// Nothing outlives the ticket that it was granted for.
fn granted_life(asked: &Asked<'_>, body: &KdcReqBody, proven: &Proven) -> Result<Life, Refusal> {
    if body.kdc_options.contains(KdcOptions::VALIDATE) {
        let why = "only a postdated ticket is validated, and none is issued here";
        return Err(Refusal::new(ErrorCode::KDC_ERR_BADOPTION, why));
    }
    let ticket = &proven.ticket;
    for (option, flag) in [
        (KdcOptions::FORWARDED, TicketFlags::FORWARDABLE),
        (KdcOptions::PROXY, TicketFlags::PROXIABLE),
    ] {
        if body.kdc_options.contains(option) && !ticket.flags.contains(flag) {
            let why = format!("{option:?} of a ticket without {flag:?}");
            return Err(Refusal::new(ErrorCode::KDC_ERR_BADOPTION, why));
        }
    }
    let settings = &asked.kdc.settings;
    let is_renewable = ticket.flags.contains(TicketFlags::RENEWABLE);
    let ceiling = Ceiling {
        end: ticket
            .endtime
            .timestamp()
            .min(asked.now.plus_seconds(settings.ticket_lifetime_s)),
        renew_till: ticket
            .renew_till
            .filter(|_| is_renewable)
            .map(KerberosTime::timestamp),
    };
    tickets::life(body, ceiling, settings.clock_skew_s, asked.now)
}

/// RFC 4120 3.3.3.1: the same span again, within the time that was promised at sign-in.
fn renewed_life(proven: &Proven, service: &Service, now: Timestamp) -> Result<Life, Refusal> {
    let ticket = &proven.ticket;
    let renew_till = ticket
        .renew_till
        .filter(|_| ticket.flags.contains(TicketFlags::RENEWABLE))
        .map(KerberosTime::timestamp);
    let (Some(renew_till), Role::TicketGranting) = (renew_till, service.role) else {
        let why = "the ticket cannot be renewed";
        return Err(Refusal::new(ErrorCode::KDC_ERR_BADOPTION, why));
    };
    if renew_till <= now {
        let why = "the time for renewals is over";
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_TKT_EXPIRED, why));
    }
    let start = ticket.starttime.unwrap_or(ticket.authtime).timestamp();
    let span_s = ticket.endtime.timestamp().seconds_since(start);
    Ok(Life {
        start: now,
        end: now.plus_seconds(span_s).min(renew_till),
        renew_till: Some(renew_till),
    })
}

fn flags(body: &KdcReqBody, proven: &Proven, service: &Service, is_renewable: bool) -> TicketFlags {
    let old = proven.ticket.flags;
    let wants = |option| body.kdc_options.contains(option);
    let renews = wants(KdcOptions::RENEW);
    let keeps = |option, flag| (wants(option) || renews) && old.contains(flag);
    let may_delegate = !proven.client.policy.not_delegated;
    let delegates = service.role == Role::Other && service.account.policy.trusted_for_delegation;
    [
        (
            old.contains(TicketFlags::PRE_AUTHENT),
            TicketFlags::PRE_AUTHENT,
        ),
        (
            old.contains(TicketFlags::HW_AUTHENT),
            TicketFlags::HW_AUTHENT,
        ),
        (
            old.contains(TicketFlags::INITIAL) && renews,
            TicketFlags::INITIAL,
        ),
        (
            may_delegate && keeps(KdcOptions::FORWARDABLE, TicketFlags::FORWARDABLE),
            TicketFlags::FORWARDABLE,
        ),
        (
            may_delegate && keeps(KdcOptions::PROXIABLE, TicketFlags::PROXIABLE),
            TicketFlags::PROXIABLE,
        ),
        (
            wants(KdcOptions::FORWARDED) || old.contains(TicketFlags::FORWARDED),
            TicketFlags::FORWARDED,
        ),
        (wants(KdcOptions::PROXY), TicketFlags::PROXY),
        (is_renewable, TicketFlags::RENEWABLE),
        (delegates, TicketFlags::OK_AS_DELEGATE),
        (true, TicketFlags::ENC_PA_REP),
    ]
    .into_iter()
    .filter(|(is_set, _)| *is_set)
    .fold(TicketFlags::default(), |all, (_, flag)| all | flag)
}

fn addresses(body: &KdcReqBody, proven: &Proven) -> Option<Vec<kerberos::messages::HostAddress>> {
    let moves = KdcOptions::FORWARDED | KdcOptions::PROXY;
    if body.kdc_options.0 & moves.0 == 0 {
        proven.ticket.caddr.clone()
    } else {
        body.addresses.clone()
    }
}

/// The service's own key, or for user-to-user the session key of the ticket granting ticket that the service lent to
/// the client (RFC 4120 3.3.3, ENC-TKT-IN-SKEY).
fn sealing_key(
    asked: &Asked<'_>,
    body: &KdcReqBody,
    service: &Service,
    sname: &PrincipalName,
) -> Result<SealingKey, Refusal> {
    let settings = &asked.kdc.settings;
    if !body.kdc_options.contains(KdcOptions::ENC_TKT_IN_SKEY) {
        if service.role == Role::Other && !service.account.is_service && sname.name_string.len() < 2
        {
            let why = format!(
                "'{}' has no service name, so only user-to-user reaches it",
                service.account.name
            );
            return Err(Refusal::new(ErrorCode::KDC_ERR_MUST_USE_USER2USER, why));
        }
        return tickets::sealing_key(settings, &service.account);
    }
    let lent = body
        .additional_tickets
        .as_deref()
        .and_then(<[Ticket]>::first);
    let lent = lent.ok_or_else(|| {
        let why = "user-to-user without the other side's ticket";
        Refusal::new(ErrorCode::KDC_ERR_BADOPTION, why)
    })?;
    let opening = opening_key(asked, lent)?;
    let part = open_ticket(lent, &opening)?;
    check_times(asked, &part, false)?;
    let holder = names::client(&*asked.kdc.accounts, settings, &part.cname)?;
    PacDraft::of_ticket(&part, &opening, &holder)?;
    if holder.sid != service.account.sid {
        let why = format!("the lent ticket is of '{}', not of '{sname}'", part.cname);
        return Err(Refusal::new(ErrorCode::KDC_ERR_SERVER_NOMATCH, why));
    }
    Ok(SealingKey {
        key: Arc::new(part.key.to_key(None)?),
        kvno: None,
    })
}
