//! The authentication service: a ticket granting ticket for whoever proves to be the account (RFC 4120 3.1).
//!
//! The order of the checks is part of the design: names, then the account's standing, then the proof, then what only
//! somebody with the right password may learn.

use std::sync::Arc;

use kerberos::crypto::{Key, KeyUsage};
use kerberos::messages::{
    Checksum, Der, ErrorCode, KdcOptions, KdcReqBody, NameType, PaData, PaPacRequest, PaType,
    PrincipalName, RequestKind, SupportedEncryptionTypes, TicketFlags,
};
use kerberos::pac::PacAttributes;

use crate::accounts::Account;
use crate::event::{Event, Proof};
use crate::kdc::Asked;
use crate::names::{self, Role, Service};
use crate::pac::PacDraft;
use crate::password_login::{self, Proved};
use crate::refusal::Refusal;
use crate::tickets::{self, Ceiling, Issue};
use crate::{fast, freshness, key_trust_login, nt_hash, policy};

/// The bytes of an AS-REP.
pub(crate) fn grant(asked: &mut Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let (kdc, body) = (asked.kdc, asked.request.body());
    let (cname, sname) = parties(asked, body)?;
    let client = names::client(&*kdc.accounts, &kdc.settings, cname)?;
    policy::standing(&client, &*kdc.lockout, asked.now)?;
    let service = names::service(&*kdc.accounts, &kdc.settings, sname)?;
    refuse_options(body)?;
    let session_type = tickets::session_type(&kdc.settings, &body.etype, &service.account)?;
    let Proved {
        key: reply,
        padata,
        proof,
    } = prove(asked, &client)?;
    // Changing the password is what a client with an expired one may still do; a key does not expire with it.
    match policy::password(&client, asked.now) {
        _ if matches!(proof, Proof::KeyTrust { .. }) => {}
        Err(policy::Restriction::PasswordExpired) if service.role == Role::ChangePassword => {}
        other => other?,
    }
    let now = asked.now;
    let ceiling = Ceiling::of_sign_in(&kdc.settings, &client, service.role, now);
    let life = tickets::life(body, ceiling, kdc.settings.clock_skew_s, now)?;
    let cname = canonical_name(body, cname, &client);
    let enc_pa_rep = asked.request.padata(PaType::PA_REQ_ENC_PA_REP).is_some();
    let flags = flags(
        body,
        &client,
        &service,
        &proof,
        enc_pa_rep,
        life.renew_till.is_some(),
    );
    let session = Key::generate(session_type, asked.entropy)?;
    let krbtgt = names::krbtgt(&*kdc.accounts, 0)?;
    let kdc_key = tickets::sealing_key(&kdc.settings, &krbtgt)?;
    let strengthened = match asked.armour {
        Some(armour) => Some(armour.strengthen(&reply.key, asked.entropy)?),
        None => None,
    };
    let sealing = strengthened.as_ref().map_or(&*reply.key, |key| &key.key);
    let encrypted_padata = encrypted_padata(asked.raw, sealing, enc_pa_rep)?;
    let mut pac = PacDraft::of_sign_in(&kdc.settings, &client, &cname, now, service.role, &proof)?
        .with_attributes(attributes(asked)?);
    if service.role == Role::TicketGranting && matches!(proof, Proof::KeyTrust { .. }) {
        pac = pac.with_credentials(nt_hash::sealed(asked, &client, &reply.key)?);
    }
    let issue = Issue {
        kind: RequestKind::As,
        flags,
        session: &session,
        cname: cname.clone(),
        authtime: now,
        life,
        addresses: body.addresses.clone(),
        sname: sname.clone(),
        sealing: tickets::sealing_key(&kdc.settings, &service.account)?,
        pac,
        service: &service,
        nonce: body.nonce,
        key_expiration: client.policy.password_expires,
        padata,
        encrypted_padata,
        reply_key: &reply.key,
        strengthened,
        reply_kvno: reply.kvno,
        reply_usage: KeyUsage::AS_REP_ENC_PART,
    };
    let bytes = issue.seal(&kdc.settings, &kdc_key.key, asked.entropy)?;
    asked.events.push(Event::TicketGranted {
        account: client.sid.clone(),
        client: cname.to_string(),
        service: sname.to_string(),
        proof,
    });
    Ok(bytes)
}

/// The names of a request that is meant for this realm.
fn parties<'a>(
    asked: &Asked<'_>,
    body: &'a KdcReqBody,
) -> Result<(&'a PrincipalName, &'a PrincipalName), Refusal> {
    let realm = body.realm.as_str().unwrap_or_default();
    if !asked.kdc.settings.is_own_realm(realm) {
        let why = format!("the realm '{}' is not served here", body.realm);
        return Err(Refusal::new(ErrorCode::KDC_ERR_WRONG_REALM, why));
    }
    let missing = |code, what: &str| Refusal::new(code, format!("the request has no {what}"));
    let cname = body
        .cname
        .as_ref()
        .ok_or_else(|| missing(ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN, "client name"))?;
    let sname = body
        .sname
        .as_ref()
        .ok_or_else(|| missing(ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN, "service name"))?;
    Ok((cname, sname))
}

/// Options that have no meaning in an AS request, RFC 4120 3.1.3.
fn refuse_options(body: &KdcReqBody) -> Result<(), Refusal> {
    let never = KdcOptions::FORWARDED
        | KdcOptions::PROXY
        | KdcOptions::RENEW
        | KdcOptions::VALIDATE
        | KdcOptions::ENC_TKT_IN_SKEY
        | KdcOptions::CNAME_IN_ADDL_TKT
        | KdcOptions::REQUEST_ANONYMOUS;
    if body.kdc_options.0 & never.0 == 0 {
        return Ok(());
    }
    let why = format!("{:?} in an AS request", body.kdc_options);
    Err(Refusal::new(ErrorCode::KDC_ERR_BADOPTION, why))
}

/// How the client proved to be the account, or how it could.
fn prove(asked: &mut Asked<'_>, client: &Account) -> Result<Proved, Refusal> {
    if let Some(trust) = &asked.kdc.key_trust
        && let Some(value) = asked.request.padata(PaType::PA_PK_AS_REQ)
    {
        return key_trust_login::prove(asked, trust, client, value);
    }
    let usable = password_login::usable_keys(asked, client);
    if usable.is_empty() && asked.kdc.key_trust.is_none() {
        let why = format!(
            "'{}' has no key of the offered types {:?}",
            client.name,
            asked.request.body().etype
        );
        return Err(Refusal::new(ErrorCode::KDC_ERR_ETYPE_NOSUPP, why));
    }
    if let Some(proved) = password_login::prove(asked, client, &usable)? {
        return Ok(proved);
    }
    if client.policy.no_preauthentication
        && let Some(key) = usable.first()
    {
        return password_login::unproved(client, key);
    }
    Err(Refusal::preauthentication_required(hints(
        asked, client, &usable,
    )?))
}

/// What a client may prove itself with.
fn hints(
    asked: &mut Asked<'_>,
    client: &Account,
    usable: &[Arc<Key>],
) -> Result<Vec<PaData>, Refusal> {
    let says = |kind| PaData::new(kind, Vec::new());
    let mut hints = Vec::new();
    if !usable.is_empty() {
        hints.push(password_login::etype_info(client, usable)?);
        hints.push(match asked.armour {
            None => says(PaType::PA_ENC_TIMESTAMP),
            Some(_) => says(PaType::PA_ENCRYPTED_CHALLENGE),
        });
    }
    if asked.kdc.key_trust.is_some() {
        hints.push(says(PaType::PA_PK_AS_REQ));
        if asked.request.padata(PaType::PA_AS_FRESHNESS).is_some() {
            hints.push(freshness::token(asked)?);
        }
    }
    hints.push(match asked.armour {
        None => says(PaType::PA_FX_FAST),
        Some(_) => fast::cookie(),
    });
    Ok(hints)
}

/// The account's own name where the client asked for it, or came by an enterprise name, which no ticket carries
/// (RFC 6806 5 and 6).
fn canonical_name(body: &KdcReqBody, asked: &PrincipalName, client: &Account) -> PrincipalName {
    if body.kdc_options.contains(KdcOptions::CANONICALIZE)
        || asked.name_type == NameType::NT_ENTERPRISE
    {
        PrincipalName::new(NameType::NT_PRINCIPAL, [client.name.as_str()])
    } else {
        asked.clone()
    }
}

fn flags(
    body: &KdcReqBody,
    client: &Account,
    service: &Service,
    proof: &Proof,
    enc_pa_rep: bool,
    is_renewable: bool,
) -> TicketFlags {
    let wants = |option| body.kdc_options.contains(option);
    let may_delegate = !client.policy.not_delegated && service.role != Role::ChangePassword;
    [
        (true, TicketFlags::INITIAL),
        (*proof != Proof::Nothing, TicketFlags::PRE_AUTHENT),
        (enc_pa_rep, TicketFlags::ENC_PA_REP),
        (is_renewable, TicketFlags::RENEWABLE),
        (
            may_delegate && wants(KdcOptions::FORWARDABLE),
            TicketFlags::FORWARDABLE,
        ),
        (
            may_delegate && wants(KdcOptions::PROXIABLE),
            TicketFlags::PROXIABLE,
        ),
        (
            service.account.policy.trusted_for_delegation,
            TicketFlags::OK_AS_DELEGATE,
        ),
    ]
    .into_iter()
    .filter(|(is_set, _)| *is_set)
    .fold(TicketFlags::default(), |all, (_, flag)| all | flag)
}

/// What the client said about the PAC (MS-KILE 3.3.5.6.4.8). It gets one whatever it said: without a PAC nobody could tell
/// whether a ticket was changed.
fn attributes(asked: &Asked<'_>) -> Result<PacAttributes, Refusal> {
    let Some(value) = asked.request.padata(PaType::PA_PAC_REQUEST) else {
        return Ok(PacAttributes::GIVEN_IMPLICITLY);
    };
    Ok(match PaPacRequest::from_der(value)?.include_pac {
        true => PacAttributes::REQUESTED,
        false => PacAttributes::default(),
    })
}

/// RFC 6806 11: a checksum over the request, so that nobody changed it on the way; MS-KILE 2.2.8.
fn encrypted_padata(raw: &[u8], key: &Key, enc_pa_rep: bool) -> Result<Vec<PaData>, Refusal> {
    if !enc_pa_rep {
        return Ok(Vec::new());
    }
    let checksum = Checksum::compute(key, KeyUsage::AS_REQ, &[raw])?;
    let supported = SupportedEncryptionTypes(
        SupportedEncryptionTypes::AES128.0
            | SupportedEncryptionTypes::AES256.0
            | SupportedEncryptionTypes::FAST.0,
    );
    Ok(vec![
        PaData::new(PaType::PA_REQ_ENC_PA_REP, checksum.to_der()?),
        PaData::new(PaType::PA_SUPPORTED_ENCTYPES, supported.to_bytes()),
        PaData::new(PaType::PA_FX_FAST, Vec::new()),
    ])
}
