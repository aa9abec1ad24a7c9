//! The authentication service: a ticket granting ticket for whoever proves to be the account (RFC 4120 3.1).
//!
//! The order of the checks is part of the design: names, then the account's standing, then the proof, then what only
//! somebody with the right password may learn.

use std::sync::Arc;

use kerberos::crypto::{Key, KeyUsage};
use kerberos::messages::{
    Checksum, Der, EncryptedData, ErrorCode, EtypeInfo2Entry, KdcOptions, KdcReqBody,
    KerberosString, Kvno, NameType, PaData, PaEncTsEnc, PaType, PrincipalName, RequestKind,
    SupportedEncryptionTypes, TicketFlags,
};

use crate::accounts::{Account, KeySet};
use crate::event::{Event, Proof};
use crate::kdc::Asked;
use crate::key_trust_login;
use crate::names::{self, Role, Service};
use crate::pac::PacDraft;
use crate::policy;
use crate::refusal::Refusal;
use crate::tickets::{self, Ceiling, Issue, SealingKey};

/// The bytes of an AS-REP.
pub(crate) fn grant(asked: &mut Asked<'_>) -> Result<Vec<u8>, Refusal> {
    let (kdc, body) = (asked.kdc, asked.request.body());
    let (cname, sname) = parties(asked, body)?;
    let client = names::client(&*kdc.accounts, &kdc.settings, cname)?;
    policy::standing(&client, &*kdc.lockout, asked.now)?;
    let service = names::service(&*kdc.accounts, &kdc.settings, sname)?;
    refuse_options(body)?;
    let session_type = tickets::session_type(&kdc.settings, &body.etype, &service.account)?;
    let (reply, padata, proof) = prove(asked, &client)?;
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
        pac: PacDraft::of_sign_in(&kdc.settings, &client, &cname, now, service.role, &proof)?,
        service: &service,
        nonce: body.nonce,
        key_expiration: client.policy.password_expires,
        padata: vec![padata],
        encrypted_padata: encrypted_padata(asked.raw, &reply.key, enc_pa_rep)?,
        reply_key: &reply.key,
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

/// The key that the reply is sealed with, how the client comes to it, and how it proved to be the account.
fn prove(asked: &mut Asked<'_>, client: &Account) -> Result<(SealingKey, PaData, Proof), Refusal> {
    let settings = &asked.kdc.settings;
    if let Some(trust) = &asked.kdc.key_trust
        && let Some(value) = asked.request.padata(PaType::PA_PK_AS_REQ)
    {
        let proved = key_trust_login::prove(asked, trust, client, value)?;
        return Ok((proved.key, proved.padata, proved.proof));
    }
    let offered = &asked.request.body().etype;
    let no_common = || {
        let why = format!(
            "'{}' has no key of the offered types {offered:?}",
            client.name
        );
        Refusal::new(ErrorCode::KDC_ERR_ETYPE_NOSUPP, why)
    };
    let set = client.current().ok_or_else(no_common)?;
    let usable: Vec<Arc<Key>> = settings
        .encryption_types
        .iter()
        .filter(|etype| offered.contains(etype))
        .filter_map(|etype| set.of_type(*etype).map(Arc::clone))
        .collect();
    let strongest = usable.first().ok_or_else(no_common)?;
    let kvno = Kvno::from_wire(i64::from(set.version));
    if let Some(timestamp) = asked.request.padata(PaType::PA_ENC_TIMESTAMP) {
        let key = check_timestamp(asked, client, &usable, timestamp)?;
        let info = etype_info(client, std::slice::from_ref(&key))?;
        return Ok((SealingKey { key, kvno }, info, Proof::EncryptedTimestamp));
    }
    if client.policy.no_preauthentication {
        let key = Arc::clone(strongest);
        let info = etype_info(client, std::slice::from_ref(&key))?;
        return Ok((SealingKey { key, kvno }, info, Proof::Nothing));
    }
    let mut hints = vec![
        etype_info(client, &usable)?,
        PaData::new(PaType::PA_ENC_TIMESTAMP, Vec::new()),
    ];
    if asked.kdc.key_trust.is_some() {
        hints.push(PaData::new(PaType::PA_PK_AS_REQ, Vec::new()));
    }
    Err(Refusal::preauthentication_required(hints))
}

/// PA-ENC-TIMESTAMP, RFC 4120 5.2.7.2: the key that opened it.
fn check_timestamp(
    asked: &mut Asked<'_>,
    client: &Account,
    usable: &[Arc<Key>],
    timestamp: &[u8],
) -> Result<Arc<Key>, Refusal> {
    let sealed = EncryptedData::from_der(timestamp)?;
    let key = usable.iter().find(|key| key.etype() == sealed.etype);
    let key = key.ok_or_else(|| {
        let why = format!("a timestamp under encryption type {}", sealed.etype);
        Refusal::new(ErrorCode::KDC_ERR_ETYPE_NOSUPP, why)
    })?;
    let Ok(plain) = sealed.open(key, KeyUsage::AS_REQ_TIMESTAMP) else {
        return Err(wrong_password(asked, client, &sealed));
    };
    let inside = PaEncTsEnc::from_der(&plain)
        .map_err(|error| Refusal::new(ErrorCode::KDC_ERR_PREAUTH_FAILED, error.to_string()))?;
    let apart_s = inside.patimestamp.timestamp().seconds_since(asked.now);
    if apart_s.unsigned_abs() > asked.kdc.settings.clock_skew_s.unsigned_abs() {
        let why = format!("the client's clock is {apart_s} s away");
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_SKEW, why));
    }
    asked.kdc.lockout.succeeded(&client.sid);
    Ok(Arc::clone(key))
}

fn wrong_password(asked: &mut Asked<'_>, client: &Account, sealed: &EncryptedData) -> Refusal {
    let code = ErrorCode::KDC_ERR_PREAUTH_FAILED;
    // A service that still has last month's password must not lock its account out.
    let opens = |set: &KeySet| {
        let key = set.of_type(sealed.etype);
        key.is_some_and(|key| sealed.open(key, KeyUsage::AS_REQ_TIMESTAMP).is_ok())
    };
    if client.keys.iter().skip(1).any(opens) {
        return Refusal::new(code, "the password is the previous one");
    }
    if asked.kdc.lockout.failed(&client.sid, asked.now) {
        asked.events.push(Event::LockedOut {
            account: client.sid.clone(),
        });
    }
    Refusal::new(code, "the password is wrong")
}

/// PA-ETYPE-INFO2: how to make the key from the password.
fn etype_info(client: &Account, keys: &[Arc<Key>]) -> Result<PaData, Refusal> {
    let salt = client.current().map(|set| set.salt.as_str());
    let entries: Vec<EtypeInfo2Entry> = keys
        .iter()
        .map(|key| EtypeInfo2Entry {
            etype: key.etype(),
            salt: salt.map(KerberosString::from),
            s2kparams: None,
        })
        .collect();
    Ok(PaData::new(PaType::PA_ETYPE_INFO2, entries.to_der()?))
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

/// RFC 6806 11: a checksum over the request, so that nobody changed it on the way; MS-KILE 2.2.8.
fn encrypted_padata(raw: &[u8], key: &Key, enc_pa_rep: bool) -> Result<Vec<PaData>, Refusal> {
    if !enc_pa_rep {
        return Ok(Vec::new());
    }
    let checksum = Checksum::compute(key, KeyUsage::AS_REQ, &[raw])?;
    let supported = SupportedEncryptionTypes(
        SupportedEncryptionTypes::AES128.0 | SupportedEncryptionTypes::AES256.0,
    );
    Ok(vec![
        PaData::new(PaType::PA_REQ_ENC_PA_REP, checksum.to_der()?),
        PaData::new(PaType::PA_SUPPORTED_ENCTYPES, supported.to_bytes()),
    ])
}
