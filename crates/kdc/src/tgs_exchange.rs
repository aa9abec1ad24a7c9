//! The ticket granting service: tickets for tickets (RFC 4120 3.3, MS-KILE 3.3.5.7).
//!
//! `tgs_proof` finds out who asks; `s4u_self` and `s4u_proxy` whether a service may ask in the name of somebody else;
//! here is what everybody gets.
//!
//! Deliberately absent so far: referrals to other realms.

use std::sync::Arc;

use kerberos::crypto::Key;
use kerberos::messages::{
    ErrorCode, HostAddress, KdcOptions, KdcReqBody, KerberosTime, PaData, PrincipalName,
    RequestKind, Ticket, TicketFlags,
};
use types::Timestamp;

use crate::accounts::Account;
use crate::event::Event;
use crate::kdc::Asked;
use crate::names::{self, Role, Service};
use crate::pac::PacDraft;
use crate::refusal::Refusal;
use crate::tgs_proof::{Proven, Rest, check_times, open_ticket, opening_key};
use crate::tickets::{self, Ceiling, Issue, Life, SealingKey};
use crate::{key_list, s4u_proxy, s4u_self};

/// In whose name a ticket will be: the asker's own, or by S4U somebody else's.
pub(crate) struct Subject {
    pub(crate) account: Arc<Account>,
    pub(crate) cname: PrincipalName,
    pub(crate) authtime: Timestamp,
    pub(crate) pac: PacDraft,
    /// Whether the ticket may be forwardable, if it is asked for.
    pub(crate) forwardable: bool,
    /// Nothing of it lives longer.
    pub(crate) end_max: Timestamp,
    /// What the reply says about it.
    pub(crate) padata: Vec<PaData>,
    /// The service that asked in the subject's name.
    pub(crate) through: Option<String>,
}

impl Subject {
    /// The asker itself.
    fn asker(proven: &mut Proven) -> Self {
        Self {
            account: Arc::clone(&proven.client),
            cname: proven.ticket.cname.clone(),
            authtime: proven.ticket.authtime.timestamp(),
            pac: std::mem::take(&mut proven.pac),
            forwardable: !proven.client.is_sensitive(),
            end_max: proven.ticket.endtime.timestamp(),
            padata: Vec::new(),
            through: None,
        }
    }

    fn find(asked: &Asked<'_>, proven: &mut Proven, service: &Service) -> Result<Self, Refusal> {
        let for_self = s4u_self::is_asked(asked.request);
        let proxied = s4u_proxy::is_asked(asked.request);
        if !for_self && !proxied {
            return Ok(Self::asker(proven));
        }
        // Who speaks for others must have signed in at the domain itself.
        if let Some(server) = &proven.read_only {
            let why = format!(
                "S4U with a ticket of the read-only server '{}'",
                server.name
            );
            return Err(Refusal::new(ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN, why));
        }
        // One ticket in one other name, and nothing else with it.
        let alone =
            KdcOptions::RENEW | KdcOptions::VALIDATE | KdcOptions::FORWARDED | KdcOptions::PROXY;
        let options = asked.request.body().kdc_options;
        if options.0 & alone.0 != 0 || (for_self && proxied) {
            let why = format!("S4U together with {options:?}");
            return Err(Refusal::new(ErrorCode::KDC_ERR_BADOPTION, why));
        }
        // A ticket granting ticket in somebody else's name would be that person's sign-in.
        if service.role != Role::Other {
            let why = "S4U for the ticket granting service";
            return Err(Refusal::new(ErrorCode::KDC_ERR_BADOPTION, why));
        }
        if for_self {
            s4u_self::subject(asked, proven, service)
        } else {
            s4u_proxy::subject(asked, proven, service)
        }
    }
}

/// The bytes of a TGS-REP.
pub(crate) fn grant(asked: &mut Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let (kdc, body) = (asked.kdc, asked.request.body());
    refuse_options(asked)?;
    let mut proven = Proven::check(asked)?;
    let wanted = body.sname.as_ref().ok_or_else(|| {
        let code = ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN;
        Refusal::new(code, "the request has no service name")
    })?;
    let service = names::service(&*kdc.accounts, &kdc.settings, wanted)?;
    refuse_service(&service)?;
    let subject = Subject::find(asked, &mut proven, &service)?;
    let kdc_key = tickets::sealing_key(&kdc.settings, &*names::krbtgt(&*kdc.accounts, 0)?)?;
    let is_renewal = body.kdc_options.contains(KdcOptions::RENEW);
    let life = if is_renewal {
        renewed_life(&proven, &service, asked.now)?
    } else {
        granted_life(asked, body, &proven, subject.end_max)?
    };
    let session_type = tickets::session_type(&kdc.settings, &body.etype, &service.account)?;
    let session = Key::generate(session_type, asked.entropy)?;
    let encrypted_padata = key_list(asked, &proven, &service)?;
    let (reply_key, reply_usage) = proven.reply_key();
    let strengthened = match asked.armour {
        Some(armour) => Some(armour.strengthen(reply_key, asked.entropy)?),
        None => None,
    };
    let sname = canonical_service(body, &service, &kdc.settings.realm, wanted);
    let issue = Issue {
        kind: RequestKind::Tgs,
        flags: flags(body, &proven, &subject, &service, life.renew_till.is_some()),
        session: &session,
        cname: subject.cname.clone(),
        authtime: subject.authtime,
        life,
        addresses: addresses(body, &proven, &subject),
        sname: sname.clone(),
        sealing: sealing_key(asked, body, &service, wanted)?,
        service: &service,
        pac: subject.pac.for_service(service.role),
        nonce: body.nonce,
        key_expiration: None,
        padata: subject.padata,
        encrypted_padata,
        reply_key,
        strengthened,
        reply_kvno: None,
        reply_usage,
    };
    let bytes = issue.seal(&kdc.settings, &kdc_key.key, asked.entropy)?;
    asked.events.push(Event::ServiceTicketGranted {
        account: subject.account.sid.clone(),
        client: subject.cname.to_string(),
        service: sname.to_string(),
        renewed: is_renewal,
        through: subject.through,
        read_only_server: proven.read_only.as_ref().map(|server| server.number),
    });
    Ok(bytes)
}

/// The keys that were asked for stand first: some clients look no further.
fn key_list(
    asked: &mut Asked<'_>,
    proven: &Proven,
    service: &Service,
) -> Result<Vec<PaData>, Refusal> {
    if service.role != Role::TicketGranting {
        return Ok(Vec::new());
    }
    let keys = key_list::answer(asked, proven.read_only.as_deref(), &proven.client)?;
    Ok(keys.into_iter().collect())
}

/// The realm's own spelling in the name of its ticket granting service, where the client takes another name than it
/// asked for (RFC 6806 8). Other services keep the name that they were asked by, as in Active Directory.
fn canonical_service(
    body: &KdcReqBody,
    service: &Service,
    realm: &str,
    wanted: &PrincipalName,
) -> PrincipalName {
    let takes_another = body.kdc_options.contains(KdcOptions::CANONICALIZE);
    if takes_another && service.role == Role::TicketGranting {
        PrincipalName::krbtgt(realm)
    } else {
        wanted.clone()
    }
}

fn refuse_options(asked: &Asked<'_>) -> Result<(), Refusal> {
    let body = asked.request.body();
    let realm = body.realm.as_str().unwrap_or_default();
    if !asked.kdc.settings.is_own_realm(realm) {
        let why = format!("the realm '{}' is not served here", body.realm);
        return Err(Refusal::new(ErrorCode::KDC_ERR_WRONG_REALM, why));
    }
    if body.kdc_options.contains(KdcOptions::REQUEST_ANONYMOUS) {
        let why = "anonymous tickets are not issued";
        return Err(Refusal::new(ErrorCode::KDC_ERR_BADOPTION, why));
    }
    if body.kdc_options.contains(KdcOptions::VALIDATE) {
        let why = "only a postdated ticket is validated, and none is issued here";
        return Err(Refusal::new(ErrorCode::KDC_ERR_BADOPTION, why));
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

/// Nothing outlives the ticket that it was granted for.
fn granted_life(
    asked: &Asked<'_>,
    body: &KdcReqBody,
    proven: &Proven,
    end_max: Timestamp,
) -> Result<Life, Refusal> {
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
    // A ticket of the cloud promises what the cloud likes; how long its exchange is renewed is the domain's own affair.
    let renewable_until = ticket
        .authtime
        .timestamp()
        .plus_seconds(settings.renewable_lifetime_s);
    let ceiling = Ceiling {
        end: ticket
            .endtime
            .timestamp()
            .min(end_max)
            .min(asked.now.plus_seconds(settings.ticket_lifetime_s)),
        renew_till: ticket
            .renew_till
            .filter(|_| is_renewable)
            .map(|till| till.timestamp().min(renewable_until)),
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

fn flags(
    body: &KdcReqBody,
    proven: &Proven,
    subject: &Subject,
    service: &Service,
    is_renewable: bool,
) -> TicketFlags {
    let old = proven.ticket.flags;
    let wants = |option| body.kdc_options.contains(option);
    let renews = wants(KdcOptions::RENEW);
    let keeps = |option, flag| (wants(option) || renews) && old.contains(flag);
    let is_own = subject.through.is_none();
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
            subject.forwardable && keeps(KdcOptions::FORWARDABLE, TicketFlags::FORWARDABLE),
            TicketFlags::FORWARDABLE,
        ),
        (
            is_own && subject.forwardable && keeps(KdcOptions::PROXIABLE, TicketFlags::PROXIABLE),
            TicketFlags::PROXIABLE,
        ),
        (
            is_own && (wants(KdcOptions::FORWARDED) || old.contains(TicketFlags::FORWARDED)),
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

fn addresses(body: &KdcReqBody, proven: &Proven, subject: &Subject) -> Option<Vec<HostAddress>> {
    // A service's own addresses say nothing about where its user is.
    if subject.through.is_some() {
        return None;
    }
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
    check_times(asked, &part, Rest::OfATicketGrantingTicket)?;
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
