//! S4U2Self: a service gets a ticket to itself in a user's name (MS-SFU 3.2.5.1).
//!
//! The ticket says who the user is, so that the service can decide what the user may do. Whether it can be carried
//! further (S4U2Proxy) is decided by the forwardable flag here.
//!
//! Deliberately absent: users named by a certificate alone, and users of other realms.

use kerberos::crypto::{CryptoError, KeyUsage};
use kerberos::messages::{
    Checksum, Der, ErrorCode, KdcOptions, KdcRequest, NameType, PaData, PaForUser, PaS4uX509User,
    PaType, PrincipalName, Realm, S4uOptions, S4uUserId,
};

use crate::event::Proof;
use crate::kdc::Asked;
use crate::names::{self, Service};
use crate::pac::PacDraft;
use crate::policy;
use crate::refusal::Refusal;
use crate::tgs_exchange::Subject;
use crate::tgs_proof::Proven;

/// Whether the request is one for somebody else.
pub(crate) fn is_asked(request: &KdcRequest) -> bool {
    [PaType::PA_FOR_USER, PaType::PA_S4U_X509_USER]
        .into_iter()
        .any(|kind| request.padata(kind).is_some())
}

/// The user that the service asks for.
pub(crate) fn subject(
    asked: &Asked<'_>,
    proven: &Proven,
    service: &Service,
) -> Result<Subject, Refusal> {
    if service.account.sid != proven.client.sid {
        let why = format!(
            "'{}' asks for a ticket to '{}' in another name; it may do so to itself only",
            proven.client.name, service.account.name
        );
        return Err(Refusal::new(ErrorCode::KRB_AP_ERR_BADMATCH, why));
    }
    let settings = &asked.kdc.settings;
    let named = Named::check(asked, proven)?;
    if !settings.is_own_realm(named.realm.as_str().unwrap_or_default()) {
        let why = format!("the user is of the realm '{}'", named.realm);
        return Err(Refusal::new(ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN, why));
    }
    let user = names::client(&*asked.kdc.accounts, settings, &named.name)?;
    // The user proves nothing here, so all that stops a sign-in stops this, and nothing of its password does.
    policy::standing(&user, &*asked.kdc.lockout, asked.now)?;
    let takes_another = asked
        .request
        .body()
        .kdc_options
        .contains(KdcOptions::CANONICALIZE);
    let cname = if takes_another || named.name.name_type == NameType::NT_ENTERPRISE {
        PrincipalName::new(NameType::NT_PRINCIPAL, [user.name.as_str()])
    } else {
        named.name.clone()
    };
    let authtime = proven.ticket.authtime.timestamp();
    let proof = Proof::Service;
    let life_s = user.policy.ticket_lifetime_s_max;
    let end = proven.ticket.endtime.timestamp();
    Ok(Subject {
        pac: PacDraft::of_sign_in(settings, &user, &cname, authtime, service.role, &proof)?,
        forwardable: !user.is_sensitive() && may_carry_on(service),
        end_max: life_s.map_or(end, |s| end.min(asked.now.plus_seconds(s))),
        padata: named.answer(proven, &cname, &settings.realm)?,
        through: Some(service.account.name.clone()),
        account: user,
        cname,
        authtime,
    })
}

/// MS-SFU 3.2.5.1.2: a service that has partners to delegate to must be trusted for it before tickets that it made
/// itself go there. One that has none can show such a ticket only to services that name it themselves.
fn may_carry_on(service: &Service) -> bool {
    let policy = &service.account.policy;
    policy.trusted_to_authenticate_for_delegation
        || service.account.allowed_to_delegate_to.is_empty()
}

/// A user as a service named it, with a checksum that says that the service did.
struct Named {
    name: PrincipalName,
    realm: Realm,
    /// The newer form, which is answered in kind.
    newer: Option<S4uUserId>,
}

impl Named {
    fn check(asked: &Asked<'_>, proven: &Proven) -> Result<Self, Refusal> {
        if let Some(value) = asked.request.padata(PaType::PA_S4U_X509_USER) {
            return Self::newer(asked, proven, value);
        }
        let value = asked
            .request
            .padata(PaType::PA_FOR_USER)
            .unwrap_or_default();
        let older = PaForUser::from_der(value)?;
        older.verify(&proven.session).map_err(bad_checksum)?;
        Ok(Self {
            name: older.user_name,
            realm: older.user_realm,
            newer: None,
        })
    }

    /// PA-S4U-X509-USER, MS-SFU 2.2.2.
    fn newer(asked: &Asked<'_>, proven: &Proven, value: &[u8]) -> Result<Self, Refusal> {
        let sent = PaS4uX509User::from_der(value)?;
        let (key, _) = proven.reply_key();
        let covered = sent.user_id.to_der()?;
        sent.checksum
            .verify(key, KeyUsage::S4U_X509_REQUEST, &[&covered])
            .map_err(bad_checksum)?;
        if sent.user_id.nonce != asked.request.body().nonce {
            let why = "PA-S4U-X509-USER is of another request";
            return Err(Refusal::new(ErrorCode::KRB_AP_ERR_MODIFIED, why));
        }
        let name = sent
            .user_id
            .cname
            .clone()
            .filter(|name| !name.name_string.is_empty());
        let name = name.ok_or_else(|| {
            let why = "a user named by a certificate alone";
            Refusal::new(ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN, why)
        })?;
        Ok(Self {
            name,
            realm: sent.user_id.crealm.clone(),
            newer: Some(sent.user_id),
        })
    }

    /// The user that the ticket is for, in the newer form, with a checksum of the KDC (MS-SFU 3.2.5.1.2).
    fn answer(
        &self,
        proven: &Proven,
        cname: &PrincipalName,
        realm: &str,
    ) -> Result<Vec<PaData>, Refusal> {
        let Some(asked) = &self.newer else {
            return Ok(Vec::new());
        };
        let user_id = S4uUserId {
            nonce: asked.nonce,
            cname: Some(cname.clone()),
            crealm: Realm::from(realm),
            subject_certificate: None,
            options: asked.options,
        };
        let options = asked.options.unwrap_or_default();
        let usage = if options.contains(S4uOptions::USE_REPLY_KEY_USAGE) {
            KeyUsage::S4U_X509_REPLY
        } else {
            KeyUsage::S4U_X509_REQUEST
        };
        let (key, _) = proven.reply_key();
        let checksum = Checksum::compute(key, usage, &[&user_id.to_der()?])?;
        let answer = PaS4uX509User { user_id, checksum };
        Ok(vec![PaData::new(
            PaType::PA_S4U_X509_USER,
            answer.to_der()?,
        )])
    }
}

fn bad_checksum(error: CryptoError) -> Refusal {
    let code = match error {
        CryptoError::ChecksumType { .. } => ErrorCode::KRB_AP_ERR_INAPP_CKSUM,
        _ => ErrorCode::KRB_AP_ERR_MODIFIED,
    };
    Refusal::new(code, format!("the checksum over the user's name: {error}"))
}
