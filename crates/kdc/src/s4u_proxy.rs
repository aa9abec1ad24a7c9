//! S4U2Proxy: a service carries a user's name on to the next service (MS-SFU 3.2.5.2).
//!
//! What the user's coming is proven by is a ticket to the asking service, the evidence. The service has its key and
//! could have written anything into it, so only what the KDC's own signatures cover is believed: the ticket signature
//! covers the flags (CVE-2020-17049), the full signature the PAC (CVE-2022-37967).
//!
//! Deliberately absent: evidence of other realms, and evidence that was sealed for user-to-user.

use std::sync::Arc;

use kerberos::crypto::Key;
use kerberos::messages::{
    Der, EncTicketPart, ErrorCode, KdcOptions, KdcRequest, PaPacOptions, PaType, PacOptions,
    Ticket, TicketFlags,
};
use kerberos::pac::VerifiedPac;

use crate::accounts::Account;
use crate::delegation::{self, Way};
use crate::kdc::Asked;
use crate::names::{self, Service};
use crate::pac::PacDraft;
use crate::policy;
use crate::refusal::Refusal;
use crate::tgs_exchange::Subject;
use crate::tgs_proof::{Proven, Rest, check_times};

/// Whether the request comes with evidence in the place of a name.
pub(crate) fn is_asked(request: &KdcRequest) -> bool {
    let options = request.body().kdc_options;
    options.contains(KdcOptions::CNAME_IN_ADDL_TKT)
}

/// The user whose name is carried on.
pub(crate) fn subject(
    asked: &Asked<'_>,
    proven: &Proven,
    service: &Service,
) -> Result<Subject, Refusal> {
    let refused = |why: String| Refusal::new(ErrorCode::KDC_ERR_BADOPTION, why);
    let body = asked.request.body();
    if body.kdc_options.contains(KdcOptions::ENC_TKT_IN_SKEY) {
        return Err(refused("S4U2Proxy and user-to-user at once".to_owned()));
    }
    let tickets = body.additional_tickets.as_deref().unwrap_or_default();
    let offered = tickets
        .first()
        .ok_or_else(|| refused("S4U2Proxy without evidence".to_owned()))?;
    let evidence = Evidence::check(asked, proven, offered)?;
    let target = body
        .sname
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let way = way(asked, proven, service, &target, &evidence)?;
    let mut pac = evidence.pac;
    pac.delegated(
        &target,
        &format!("{}@{}", proven.client.name, asked.kdc.settings.realm),
    )?;
    let is_forwardable = evidence.part.flags.contains(TicketFlags::FORWARDABLE);
    Ok(Subject {
        cname: evidence.part.cname.clone(),
        authtime: evidence.part.authtime.timestamp(),
        pac,
        // A name that came by the target's consent goes no further by somebody else's.
        forwardable: is_forwardable && way == Way::Constrained,
        end_max: proven
            .ticket
            .endtime
            .timestamp()
            .min(evidence.part.endtime.timestamp()),
        padata: Vec::new(),
        through: Some(proven.client.name.clone()),
        account: evidence.user,
    })
}

fn way(
    asked: &Asked<'_>,
    proven: &Proven,
    service: &Service,
    target: &str,
    evidence: &Evidence,
) -> Result<Way, Refusal> {
    let refused = |why: String| Refusal::new(ErrorCode::KDC_ERR_BADOPTION, why);
    if evidence.user.is_sensitive() {
        let why = format!("nobody may come in the name of '{}'", evidence.user.name);
        return Err(refused(why));
    }
    let by_list = delegation::is_listed(&proven.client, target);
    let is_forwardable = evidence.part.flags.contains(TicketFlags::FORWARDABLE);
    if by_list && is_forwardable {
        return Ok(Way::Constrained);
    }
    if asks_resource_based(asked.request)?
        && delegation::is_let_in(&proven.client, &service.account)
    {
        return Ok(Way::ResourceBased);
    }
    let why = match by_list {
        true => format!(
            "the ticket that '{}' shows is not forwardable",
            proven.client.name
        ),
        false => format!("'{}' may not delegate to '{target}'", proven.client.name),
    };
    Err(refused(why))
}

/// PA-PAC-OPTIONS, MS-KILE 2.2.10.
fn asks_resource_based(request: &KdcRequest) -> Result<bool, Refusal> {
    let Some(value) = request.padata(PaType::PA_PAC_OPTIONS) else {
        return Ok(false);
    };
    let options = PaPacOptions::from_der(value)?.flags;
    Ok(options.contains(PacOptions::RESOURCE_BASED_DELEGATION))
}

/// A ticket of a user to the asking service, with every signature of this KDC. Only [`Evidence::check`] makes one.
struct Evidence {
    part: EncTicketPart,
    user: Arc<Account>,
    pac: PacDraft,
}

impl Evidence {
    fn check(asked: &Asked<'_>, proven: &Proven, offered: &Ticket) -> Result<Self, Refusal> {
        let kdc = asked.kdc;
        let realm = offered.realm.as_str().unwrap_or_default();
        let is_own = kdc.settings.is_own_realm(realm)
            && names::service(&*kdc.accounts, &kdc.settings, &offered.sname)
                .is_ok_and(|service| service.account.sid == proven.client.sid);
        if !is_own {
            let why = format!("the evidence is a ticket to '{}'", offered.sname);
            return Err(Refusal::new(ErrorCode::KDC_ERR_BADOPTION, why));
        }
        let (part, key) = open(asked, &proven.client, offered)?;
        check_times(asked, &part, Rest::Any)?;
        let verified = verify(asked, &part, &key)?;
        let user = names::client(&*kdc.accounts, &kdc.settings, &part.cname)?;
        let pac = PacDraft::of_evidence(&part, &verified, &user)?;
        policy::standing(&user, &*kdc.lockout, asked.now)?;
        Ok(Self { part, user, pac })
    }
}

/// Opens the evidence with the asker's own key.
fn open(
    asked: &Asked<'_>,
    asker: &Account,
    offered: &Ticket,
) -> Result<(EncTicketPart, Arc<Key>), Refusal> {
    let sealed = &offered.enc_part;
    let types = &asked.kdc.settings.encryption_types;
    let fits = |version: u32| sealed.kvno.is_none_or(|kvno| kvno == i64::from(version));
    let opened = asker
        .keys
        .iter()
        .filter(|set| fits(set.version) && types.contains(&sealed.etype))
        .filter_map(|set| set.of_type(sealed.etype))
        .find_map(|key| Some((offered.open(key).ok()?, Arc::clone(key))));
    opened.ok_or_else(|| {
        let why = format!("no key of '{}' opens the evidence", asker.name);
        Refusal::new(ErrorCode::KRB_AP_ERR_MODIFIED, why)
    })
}

/// All four signatures of the PAC, under a key of the domain's `krbtgt`: it may have changed since.
fn verify(asked: &Asked<'_>, part: &EncTicketPart, key: &Key) -> Result<VerifiedPac, Refusal> {
    let krbtgt = names::krbtgt(&*asked.kdc.accounts, 0)?;
    let types = &asked.kdc.settings.encryption_types;
    let candidates = krbtgt
        .keys
        .iter()
        .flat_map(|set| types.iter().filter_map(|etype| set.of_type(*etype)));
    let mut why = "there is no krbtgt key".to_owned();
    for candidate in candidates {
        match VerifiedPac::for_evidence(part, key, candidate, 0) {
            Ok(Some(verified)) => return Ok(verified),
            Ok(None) => {
                let why = "the evidence has no PAC";
                return Err(Refusal::new(ErrorCode::KDC_ERR_BADOPTION, why));
            }
            Err(error) => why = error.to_string(),
        }
    }
    let why = format!("the evidence's PAC: {why}");
    Err(Refusal::new(ErrorCode::KRB_AP_ERR_MODIFIED, why))
}
