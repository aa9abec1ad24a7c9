//! What both exchanges do: choose keys and times, seal the ticket and the reply.

use std::sync::Arc;

use kerberos::crypto::{EncryptionType, Key, KeyUsage};
use kerberos::messages::{
    Der, EncKdcRepPart, EncTicketPart, EncryptedData, EncryptionKey, ErrorCode, HostAddress,
    KdcOptions, KdcReply, KdcReqBody, KerberosTime, Kvno, LastReqEntry, PaData, PrincipalName,
    Realm, RequestKind, Ticket, TicketFlags, TransitedEncoding,
};
use types::{Entropy, Timestamp};

use crate::accounts::{Account, AccountKind};
use crate::encryption;
use crate::fast::{Finished, Strengthened};
use crate::names::{Role, Service};
use crate::pac::PacDraft;
use crate::refusal::Refusal;
use crate::settings::Settings;

/// When a ticket begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    pub(crate) renew_till: Option<Timestamp>,
}

/// What nothing that is issued may outlive.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ceiling {
    pub(crate) end: Timestamp,
    pub(crate) renew_till: Option<Timestamp>,
}

impl Ceiling {
    /// The realm's and the account's limits for a fresh sign-in.
    pub(crate) fn of_sign_in(
        settings: &Settings,
        client: &Account,
        role: Role,
        now: Timestamp,
    ) -> Self {
        let life = |realm_s: i64| {
            let own_s = client.policy.ticket_lifetime_s_max.unwrap_or(realm_s);
            let protected_s = if client.is_protected() {
                PROTECTED_LIFETIME_S
            } else {
                realm_s
            };
            now.plus_seconds(own_s.min(protected_s).min(realm_s))
        };
        let end = match role {
            Role::ChangePassword => now.plus_seconds(CHANGE_PASSWORD_S),
            _ => life(settings.ticket_lifetime_s),
        };
        let renew_till =
            (role != Role::ChangePassword).then(|| life(settings.renewable_lifetime_s));
        Self { end, renew_till }
    }
}

/// The times of a new ticket (RFC 4120 3.1.3, 3.3.3). Postdated tickets are not issued, as in Active Directory.
pub(crate) fn life(
    body: &KdcReqBody,
    ceiling: Ceiling,
    skew_s: i64,
    now: Timestamp,
) -> Result<Life, Refusal> {
    let options = body.kdc_options;
    let from = body.from.map_or(now, KerberosTime::timestamp);
    if options.contains(KdcOptions::POSTDATED) || from > now.plus_seconds(skew_s) {
        let code = ErrorCode::KDC_ERR_CANNOT_POSTDATE;
        return Err(Refusal::new(code, "postdated tickets are not issued"));
    }
    let till = body.till.timestamp();
    // The epoch means "as long as you like".
    let wanted = if till.unix_seconds() == 0 {
        ceiling.end
    } else {
        till
    };
    let end = wanted.min(ceiling.end);
    if end <= now {
        let code = ErrorCode::KDC_ERR_NEVER_VALID;
        return Err(Refusal::new(code, "the ticket would end before it begins"));
    }
    let renewable_instead = options.contains(KdcOptions::RENEWABLE_OK) && wanted > end;
    let renew_till = match (options.contains(KdcOptions::RENEWABLE), renewable_instead) {
        (true, _) => {
            let rtime = body.rtime.map(KerberosTime::timestamp);
            rtime
                .filter(|at| at.unix_seconds() != 0)
                .or(ceiling.renew_till)
        }
        (false, true) => Some(wanted),
        (false, false) => None,
    };
    let renew_till = renew_till
        .zip(ceiling.renew_till)
        .map(|(wanted, most)| wanted.min(most))
        .filter(|till| *till > end);
    Ok(Life {
        start: now,
        end,
        renew_till,
    })
}

/// The key that seals a ticket for a service, and its version.
#[derive(Debug, Clone)]
pub(crate) struct SealingKey {
    pub(crate) key: Arc<Key>,
    pub(crate) kvno: Option<Kvno>,
}

/// The strongest current key that the realm's settings allow.
pub(crate) fn sealing_key(settings: &Settings, account: &Account) -> Result<SealingKey, Refusal> {
    let nothing = || {
        let why = format!("'{}' has no key of an allowed type", account.name);
        Refusal::new(ErrorCode::KDC_ERR_ETYPE_NOSUPP, why)
    };
    let set = account.current().ok_or_else(nothing)?;
    let mut allowed = encryption::key_types(settings, account).into_iter();
    let key = allowed.find_map(|etype| set.of_type(etype));
    let kvno = match account.kind {
        AccountKind::Krbtgt(rodc) => Kvno {
            rodc,
            version: low_half(set.version),
        }
        .into(),
        _ => Kvno::from_wire(i64::from(set.version)),
    };
    Ok(SealingKey {
        key: Arc::clone(key.ok_or_else(nothing)?),
        kvno,
    })
}

pub(crate) fn low_half(version: u32) -> u16 {
    u16::try_from(version & 0xFFFF).unwrap_or_default()
}

/// The type of a session key: the strongest that the realm allows, the client offers, and the service has a key of.
pub(crate) fn session_type(
    settings: &Settings,
    offered: &[EncryptionType],
    service: &Account,
) -> Result<EncryptionType, Refusal> {
    encryption::session_types(settings, service)
        .into_iter()
        .find(|etype| offered.contains(etype))
        .ok_or_else(|| {
            let why = format!("none of the offered encryption types {offered:?} is allowed here");
            Refusal::new(ErrorCode::KDC_ERR_ETYPE_NOSUPP, why)
        })
}

/// All that stands in a new ticket and in the reply about it.
pub(crate) struct Issue<'a> {
    pub(crate) kind: RequestKind,
    pub(crate) flags: TicketFlags,
    pub(crate) session: &'a Key,
    pub(crate) cname: PrincipalName,
    pub(crate) authtime: Timestamp,
    pub(crate) life: Life,
    pub(crate) addresses: Option<Vec<HostAddress>>,
    pub(crate) sname: PrincipalName,
    pub(crate) service: &'a Service,
    pub(crate) sealing: SealingKey,
    pub(crate) pac: PacDraft,
    pub(crate) nonce: i64,
    pub(crate) key_expiration: Option<Timestamp>,
    pub(crate) padata: Vec<PaData>,
    pub(crate) encrypted_padata: Vec<PaData>,
    pub(crate) reply_key: &'a Key,
    /// Seals the reply instead of `reply_key`, where the request had an armour.
    pub(crate) strengthened: Option<Strengthened<'a>>,
    pub(crate) reply_kvno: Option<Kvno>,
    pub(crate) reply_usage: KeyUsage,
}

impl Issue<'_> {
    /// The reply's bytes. `kdc_key` signs the PAC.
    pub(crate) fn seal(
        self,
        settings: &Settings,
        kdc_key: &Key,
        entropy: &mut dyn Entropy,
    ) -> Result<Vec<u8>, Refusal> {
        let realm = Realm::from(settings.realm.as_str());
        let start = KerberosTime::new(self.life.start);
        let end = KerberosTime::new(self.life.end);
        let renew_till = self.life.renew_till.map(KerberosTime::new);
        let mut part = EncTicketPart {
            flags: self.flags,
            key: EncryptionKey::from_key(self.session),
            crealm: realm.clone(),
            cname: self.cname.clone(),
            transited: no_transit(),
            authtime: KerberosTime::new(self.authtime),
            starttime: Some(start),
            endtime: end,
            renew_till,
            caddr: self.addresses.clone(),
            authorization_data: None,
        };
        self.pac
            .sign_into(&mut part, &self.sealing.key, kdc_key, self.service.role)?;
        let sealed = EncryptedData::seal(
            &self.sealing.key,
            self.sealing.kvno,
            KeyUsage::TICKET,
            &part.to_der()?,
            entropy,
        )?;
        let enc_part = EncKdcRepPart {
            key: EncryptionKey::from_key(self.session),
            last_req: vec![LastReqEntry {
                lr_type: 0,
                lr_value: start,
            }],
            nonce: self.nonce,
            key_expiration: self.key_expiration.map(KerberosTime::new),
            flags: self.flags,
            authtime: part.authtime,
            starttime: Some(start),
            endtime: end,
            renew_till,
            srealm: realm.clone(),
            sname: self.sname.clone(),
            caddr: self.addresses,
            encrypted_pa_data: (!self.encrypted_padata.is_empty()).then_some(self.encrypted_padata),
        };
        let plain = match self.kind {
            RequestKind::As => enc_part.to_as_reply()?,
            RequestKind::Tgs => enc_part.to_tgs_reply()?,
        };
        let ticket = Ticket {
            tkt_vno: 5,
            realm: realm.clone(),
            sname: self.sname,
            enc_part: sealed,
        };
        let (mut padata, mut outside) = (self.padata, (realm.clone(), self.cname.clone()));
        if let Some(strengthened) = &self.strengthened {
            let about = Finished {
                ticket: &ticket,
                crealm: &realm,
                cname: &self.cname,
                now: self.life.start,
            };
            padata = vec![strengthened.wrap(padata, &about, entropy)?];
            outside = strengthened.names_outside(&realm, &self.cname);
        }
        let stronger = self.strengthened.as_ref();
        let reply = KdcReply {
            kind: self.kind,
            padata,
            crealm: outside.0,
            cname: outside.1,
            ticket,
            enc_part: EncryptedData::seal(
                stronger.map_or(self.reply_key, |stronger| &stronger.key),
                self.reply_kvno,
                self.reply_usage,
                &plain,
                entropy,
            )?,
        };
        Ok(reply.to_der()?)
    }
}

/// DOMAIN-X500-COMPRESS with nothing in it, RFC 4120 3.3.3.2.
fn no_transit() -> TransitedEncoding {
    TransitedEncoding {
        tr_type: 1,
        contents: Vec::new().into(),
    }
}

/// What Protected Users get.
const PROTECTED_LIFETIME_S: i64 = 4 * 3600;

/// Tickets for changing a password live this long at most, and no ticket with so little left is taken for a ticket
/// granting one (CVE-2022-2031: both are sealed with the same key, and the name outside is not protected).
pub(crate) const CHANGE_PASSWORD_S: i64 = 120;
