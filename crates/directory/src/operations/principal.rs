//! Accounts as a KDC sees them: names, keys, groups and policy of one account, read at once.
//!
//! A sign-in asks for the same few accounts again and again, so what was read is kept: an answer as long as nothing at
//! all was written, and an account as long as it, the domain's head and every group stay as they are.
//!
//! Deliberately absent: any decision, and any access check. Whoever holds a [`Principals`] reads keys.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use types::{Dn, Guid, Sid, Timestamp};

use super::account::{self, Kind};
use super::bind::groups_of;
use crate::kerberos_keys::{self, KeySet};
use crate::model::{Dnt, Object, Reader, Snapshot};
use crate::schema::AttributeId;
use crate::store::{Table, View, keys};
use crate::{Directory, Error};

/// How an account is asked for. Text is compared as the directory compares it, without regard to case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrincipalName<'a> {
    /// `sAMAccountName`, exactly as given: `pc1` does not find `PC1$`.
    Account(&'a str),
    /// `userPrincipalName`, or the implied one: `sAMAccountName@domain`.
    UserPrincipalName(&'a str),
    /// A value of `servicePrincipalName`, or one that `HOST` stands for by the forest's `sPNMappings`.
    Service(&'a str),
    /// `objectSid`.
    Sid(&'a Sid),
    /// `krbtgt` (0), or the ticket granting account with this `msDS-SecondaryKrbTgtNumber`.
    Krbtgt(u16),
}

/// One account with all that a ticket needs.
#[derive(Debug)]
pub struct Principal {
    /// `objectGUID`.
    pub guid: Guid,
    /// `objectSid`.
    pub sid: Sid,
    /// Its distinguished name.
    pub dn: Dn,
    /// `sAMAccountName`.
    pub account_name: String,
    /// `userPrincipalName`, where it has one of its own.
    pub user_principal_name: Option<String>,
    /// `displayName`, or else its relative name.
    pub display_name: String,
    /// Whether it is a computer.
    pub is_computer: bool,
    /// The number of a ticket granting account: 0 for `krbtgt`.
    pub krbtgt_number: Option<u16>,
    /// `userAccountControl`, the bits of MS-ADTS 2.2.16.
    pub account_control: u32,
    /// `primaryGroupID`.
    pub primary_group: u32,
    /// Every other security group, nested ones and those of the primary group included, in no order.
    pub groups: Vec<Sid>,
    /// The current keys, then those of the password before.
    pub keys: Vec<KeySet>,
    /// `pwdLastSet`; `None` where the password must be changed.
    pub password_set: Option<Timestamp>,
    /// When the password ends by the domain's policy.
    pub password_expires: Option<Timestamp>,
    /// `accountExpires`.
    pub expires: Option<Timestamp>,
    /// The end of a lock that the directory itself holds (`lockoutTime`).
    pub locked_until: Option<Timestamp>,
    /// `logonHours`.
    pub logon_hours: Option<[u8; 21]>,
    /// `logonCount`.
    pub logon_count: u16,
    /// `servicePrincipalName`.
    pub service_names: Vec<String>,
    /// The binary parts of `msDS-KeyCredentialLink`.
    pub key_credentials: Vec<Vec<u8>>,
    /// `msDS-SupportedEncryptionTypes`.
    pub supported_encryption_types: Option<u32>,
    /// `msDS-AllowedToDelegateTo`.
    pub allowed_to_delegate_to: Vec<String>,
    /// `msDS-AllowedToActOnBehalfOfOtherIdentity`: a self-relative security descriptor.
    pub allowed_to_act: Option<Vec<u8>>,
}

/// A read-only domain controller: the account to which `msDS-KrbTgtLinkBl` of its ticket granting account leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadOnlyController {
    /// `objectSid`.
    pub sid: Sid,
    /// `sAMAccountName`.
    pub account_name: String,
    /// `userAccountControl`, the bits of MS-ADTS 2.2.16.
    pub account_control: u32,
    /// `msDS-RevealOnDemandGroup`.
    pub reveal_on_demand: Vec<Sid>,
    /// `msDS-NeverRevealGroup`.
    pub never_reveal: Vec<Sid>,
}

/// Reads accounts of one directory, and keeps what it read.
#[derive(Debug)]
pub struct Principals {
    directory: Directory,
    answers: RwLock<Answers>,
    read: RwLock<HashMap<Dnt, (Stamp, Arc<Principal>)>>,
}

/// What was asked since the last write.
#[derive(Debug, Default)]
struct Answers {
    usn: u64,
    found: HashMap<Asked, Arc<Principal>>,
}

#[derive(Debug, PartialEq, Eq, Hash)]
enum Asked {
    Account(String),
    UserPrincipalName(String),
    Service(String),
    Sid(Sid),
    Krbtgt(u16),
}

impl From<PrincipalName<'_>> for Asked {
    fn from(name: PrincipalName<'_>) -> Self {
        match name {
            PrincipalName::Account(name) => Self::Account(name.to_lowercase()),
            PrincipalName::UserPrincipalName(name) => Self::UserPrincipalName(name.to_lowercase()),
            PrincipalName::Service(name) => Self::Service(name.to_lowercase()),
            PrincipalName::Sid(sid) => Self::Sid(sid.clone()),
            PrincipalName::Krbtgt(number) => Self::Krbtgt(number),
        }
    }
}

/// As long as these stay the same, so does an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    account: u64,
    domain: u64,
    groups: u64,
}

/// Accounts and names kept.
const KEPT_MAX: usize = 200_000;

impl Principals {
    /// Over a directory, with nothing read yet.
    pub fn new(directory: Directory) -> Self {
        Self {
            directory,
            answers: RwLock::default(),
            read: RwLock::default(),
        }
    }

    /// The account of that name, as of the last commit. Two accounts of the same name are none.
    pub fn find(&self, name: PrincipalName<'_>) -> Result<Option<Arc<Principal>>, Error> {
        if text_length(name) > NAME_LENGTH_MAX {
            return Ok(None);
        }
        let snapshot = self.directory.snapshot();
        let usn = snapshot.highest_usn();
        let asked = Asked::from(name);
        let answers = self.answers.read().unwrap_or_else(PoisonError::into_inner);
        if answers.usn == usn
            && let Some(known) = answers.found.get(&asked)
        {
            return Ok(Some(Arc::clone(known)));
        }
        drop(answers);
        let found = locate(&snapshot, name)?
            .map(|object| self.principal(&snapshot, &object))
            .transpose()?
            .flatten();
        let Some(found) = found else {
            // Names that nobody has are not kept: there is no end to them.
            return Ok(None);
        };
        let mut answers = self.answers.write().unwrap_or_else(PoisonError::into_inner);
        if answers.usn < usn || answers.found.len() >= KEPT_MAX {
            answers.found.clear();
        }
        answers.usn = answers.usn.max(usn);
        if answers.usn == usn {
            answers.found.insert(asked, Arc::clone(&found));
        }
        Ok(Some(found))
    }

    /// The read-only domain controller to which the ticket granting account with that number belongs. It is read each
    /// time.
    pub fn read_only_server(&self, number: u16) -> Result<Option<ReadOnlyController>, Error> {
        let snapshot = self.directory.snapshot();
        match locate(&snapshot, PrincipalName::Krbtgt(number))? {
            Some(krbtgt) if number != 0 => read_only_server(&snapshot, &krbtgt),
            _ => Ok(None),
        }
    }

    fn principal(
        &self,
        snapshot: &Snapshot,
        object: &Object,
    ) -> Result<Option<Arc<Principal>>, Error> {
        let domain = snapshot.naming.domain_head;
        let domain = domain.map(|head| snapshot.parent(head)).transpose()?;
        let stamp = Stamp {
            account: object.usn_changed(),
            domain: domain.map_or(0, |domain| domain.usn_changed()),
            groups: snapshot.groups_generation,
        };
        let read = self.read.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, principal)) = read.get(&object.dnt)
            && *known == stamp
        {
            return Ok(Some(Arc::clone(principal)));
        }
        drop(read);
        let Some(principal) = principal(snapshot, object)?.map(Arc::new) else {
            return Ok(None);
        };
        let mut read = self.read.write().unwrap_or_else(PoisonError::into_inner);
        if read.len() >= KEPT_MAX {
            read.clear();
        }
        read.insert(object.dnt, (stamp, Arc::clone(&principal)));
        Ok(Some(principal))
    }
}

/// The one living account that names this ticket granting account as its own.
fn read_only_server(
    snapshot: &Snapshot,
    krbtgt: &Object,
) -> Result<Option<ReadOnlyController>, Error> {
    let schema = snapshot.schema;
    let known = schema.known();
    let reader = snapshot.reader();
    let Some(link) = schema.attribute("msDS-KrbTgtLink") else {
        return Ok(None);
    };
    let mut owners = reader.back_links(krbtgt.dnt, Some(link.id))?.into_iter();
    let (Some(owner), None) = (owners.next(), owners.next()) else {
        return Ok(None);
    };
    let owner = reader.object(owner.source)?;
    let Some(owner) = owner.filter(|owner| !owner.is_deleted()) else {
        return Ok(None);
    };
    let (Some(sid), Some(name)) = (owner.sid(), owner.text(known.sam_account_name)) else {
        return Ok(None);
    };
    let list = |name: &str| -> Result<Vec<Sid>, Error> {
        let mut sids = Vec::new();
        if let Some(attribute) = schema.attribute(name) {
            for link in reader.links(owner.dnt, attribute.id)? {
                let target = reader.object(link.target)?;
                sids.extend(target.and_then(|target| target.sid().cloned()));
            }
        }
        Ok(sids)
    };
    Ok(Some(ReadOnlyController {
        sid: sid.clone(),
        account_name: name.to_owned(),
        account_control: low_bits(owner.number(known.user_account_control).unwrap_or_default()),
        reveal_on_demand: list("msDS-RevealOnDemandGroup")?,
        never_reveal: list("msDS-NeverRevealGroup")?,
    }))
}

/// Longest name that is looked up.
const NAME_LENGTH_MAX: usize = 1024;

fn text_length(name: PrincipalName<'_>) -> usize {
    match name {
        PrincipalName::Account(name)
        | PrincipalName::UserPrincipalName(name)
        | PrincipalName::Service(name) => name.len(),
        PrincipalName::Sid(_) | PrincipalName::Krbtgt(_) => 0,
    }
}

fn locate(snapshot: &Snapshot, name: PrincipalName<'_>) -> Result<Option<Object>, Error> {
    let known = snapshot.schema.known();
    match name {
        PrincipalName::Account(name) => single(snapshot, known.sam_account_name, name),
        PrincipalName::UserPrincipalName(name) => by_principal_name(snapshot, name),
        PrincipalName::Service(name) => by_service(snapshot, name),
        PrincipalName::Sid(sid) => {
            let found = snapshot.reader().by_sid(sid)?;
            Ok(found.filter(|object| !object.is_deleted()))
        }
        PrincipalName::Krbtgt(0) => match snapshot.naming.domain_sid.as_ref() {
            Some(domain) => locate(snapshot, PrincipalName::Sid(&domain.with_rid(KRBTGT_RID))),
            None => Ok(None),
        },
        PrincipalName::Krbtgt(number) => {
            single(snapshot, known.secondary_krbtgt_number, &number.to_string())
        }
    }
}

/// DOMAIN_USER_RID_KRBTGT (MS-DTYP 2.4.2.4).
const KRBTGT_RID: u32 = 502;

/// The one living object with this value.
fn single(snapshot: &Snapshot, id: AttributeId, value: &str) -> Result<Option<Object>, Error> {
    let attribute = snapshot.schema.attribute_by_id(id);
    let mut found = snapshot.lookup(attribute, value.as_bytes())?.into_iter();
    Ok(found.next().filter(|_| found.next().is_none()))
}

/// MS-ADTS 5.1.1.1.1: the attribute goes before the implied name.
fn by_principal_name(snapshot: &Snapshot, name: &str) -> Result<Option<Object>, Error> {
    let known = snapshot.schema.known();
    let attribute = snapshot.schema.attribute_by_id(known.user_principal_name);
    let mut found = snapshot.lookup(attribute, name.as_bytes())?.into_iter();
    match (found.next(), found.next()) {
        (Some(only), None) => return Ok(Some(only)),
        (Some(_), Some(_)) => return Ok(None),
        (None, _) => {}
    }
    let naming = &snapshot.naming;
    match name.rsplit_once('@') {
        Some((account, domain))
            if domain.eq_ignore_ascii_case(&naming.dns_domain)
                || domain.eq_ignore_ascii_case(&naming.netbios_domain) =>
        {
            single(snapshot, known.sam_account_name, account)
        }
        _ => Ok(None),
    }
}

/// By a value, or by the value of `HOST` where that stands for the class of the name.
fn by_service(snapshot: &Snapshot, name: &str) -> Result<Option<Object>, Error> {
    let id = snapshot.schema.known().service_principal_name;
    if let Some(found) = single(snapshot, id, name)? {
        return Ok(Some(found));
    }
    let Some((class, rest)) = name.split_once('/') else {
        return Ok(None);
    };
    if is_host_alias(snapshot, class)? {
        return single(snapshot, id, &format!("HOST/{rest}"));
    }
    Ok(None)
}

/// `sPNMappings` of the Directory Service object: `host=alerter,..,cifs,http,..`.
fn is_host_alias(snapshot: &Snapshot, class: &str) -> Result<bool, Error> {
    let Some(attribute) = snapshot.schema.attribute("sPNMappings") else {
        return Ok(false);
    };
    for service in snapshot.reader().objects_of_class("nTDSService")? {
        for value in service.values(attribute.id) {
            let text = std::str::from_utf8(value).unwrap_or_default();
            let Some((host, aliases)) = text.split_once('=') else {
                continue;
            };
            let mut aliases = aliases.split(',');
            if host.eq_ignore_ascii_case("host")
                && aliases.any(|alias| alias.trim().eq_ignore_ascii_case(class))
            {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Everything about one account; `None` where the object is none.
fn principal(snapshot: &Snapshot, object: &Object) -> Result<Option<Principal>, Error> {
    let schema = snapshot.schema;
    let known = schema.known();
    let kind = account::kind(schema, object.class());
    let is_computer = kind == Some(Kind::Computer);
    let (Some(Kind::User | Kind::Computer), Some(sid)) = (kind, object.sid()) else {
        return Ok(None);
    };
    let Some(account_name) = object.text(known.sam_account_name) else {
        return Ok(None);
    };
    let named = |name: &str| schema.attribute(name).map(|attribute| attribute.id);
    let number = |name: &str| named(name).and_then(|id| object.number(id));
    let bits = |number: Option<i64>| number.map(low_bits);
    let texts = |id: Option<AttributeId>| -> Vec<String> {
        id.map(|id| object.values(id))
            .into_iter()
            .flatten()
            .filter_map(|value| String::from_utf8(value.to_vec()).ok())
            .collect()
    };
    let octets = |name: &str| named(name).and_then(|id| object.values(id).next());
    let reader = snapshot.reader();
    let dn = reader.dn(object)?.parse();
    let row = snapshot.view.get(Table::Key, &keys::dnt(object.dnt))?;
    Ok(Some(Principal {
        guid: object.guid(),
        sid: sid.clone(),
        dn: dn.map_err(|_| Error::damaged(format!("the name of object {}", object.dnt.0)))?,
        account_name: account_name.to_owned(),
        user_principal_name: object.text(known.user_principal_name).map(str::to_owned),
        display_name: object
            .text(known.display_name)
            .unwrap_or(object.rdn())
            .to_owned(),
        is_computer,
        krbtgt_number: krbtgt_number(snapshot, object, sid),
        account_control: bits(object.number(known.user_account_control)).unwrap_or_default(),
        primary_group: bits(object.number(known.primary_group_id)).unwrap_or_default(),
        groups: groups(&reader, object)?,
        keys: kerberos_keys::decode(row.as_deref().unwrap_or_default())?,
        password_set: moment(object.number(known.pwd_last_set)),
        password_expires: moment(Some(account::password_expiry(snapshot, object))),
        expires: moment(object.number(known.account_expires)),
        locked_until: locked_until(snapshot, number("lockoutTime")),
        logon_hours: octets("logonHours").and_then(|value| value.try_into().ok()),
        logon_count: u16::try_from(number("logonCount").unwrap_or_default()).unwrap_or(u16::MAX),
        service_names: texts(Some(known.service_principal_name)),
        key_credentials: key_credentials(&reader, object)?,
        supported_encryption_types: bits(number("msDS-SupportedEncryptionTypes")),
        allowed_to_delegate_to: texts(named("msDS-AllowedToDelegateTo")),
        allowed_to_act: octets("msDS-AllowedToActOnBehalfOfOtherIdentity").map(<[u8]>::to_vec),
    }))
}

/// LDAP shows flag words as signed numbers.
fn low_bits(number: i64) -> u32 {
    let [a, b, c, d, ..] = number.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// A moment that is neither "not set" nor "never".
fn moment(ticks: Option<i64>) -> Option<Timestamp> {
    ticks
        .filter(|ticks| !matches!(*ticks, 0 | account::NEVER))
        .map(Timestamp::from_ticks)
}

/// `lockoutDuration` is negative; 0 and the least number mean that only an administrator unlocks.
fn locked_until(snapshot: &Snapshot, since: Option<i64>) -> Option<Timestamp> {
    let since = since.filter(|ticks| *ticks != 0)?;
    let duration = account::domain_number(snapshot, "lockoutDuration");
    let until = match duration {
        None | Some(0 | i64::MIN) => i64::MAX,
        Some(duration) => since.saturating_sub(duration),
    };
    Some(Timestamp::from_ticks(until))
}

fn krbtgt_number(snapshot: &Snapshot, object: &Object, sid: &Sid) -> Option<u16> {
    let domain = snapshot.naming.domain_sid.as_ref();
    if domain.is_some_and(|domain| *sid == domain.with_rid(KRBTGT_RID)) {
        return Some(0);
    }
    let number = object.number(snapshot.schema.known().secondary_krbtgt_number)?;
    u16::try_from(number).ok().filter(|number| *number != 0)
}

/// All groups but the primary one, which has a place of its own.
fn groups(reader: &Reader<'_>, object: &Object) -> Result<Vec<Sid>, Error> {
    let primary = object
        .number(reader.schema.known().primary_group_id)
        .and_then(|rid| Some(object.sid()?.domain()?.with_rid(low_bits(rid))));
    let mut seen: Vec<Dnt> = vec![object.dnt];
    if let Some(sid) = &primary {
        seen.extend(reader.by_sid(sid)?.map(|group| group.dnt));
    }
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(member) = seen.get(at).copied() {
        for (group, sid) in groups_of(reader, member)? {
            if !seen.contains(&group) {
                seen.push(group);
                found.push(sid);
            }
        }
        at += 1;
    }
    Ok(found)
}

fn key_credentials(reader: &Reader<'_>, object: &Object) -> Result<Vec<Vec<u8>>, Error> {
    let Some(attribute) = reader.schema.attribute("msDS-KeyCredentialLink") else {
        return Ok(Vec::new());
    };
    let links = reader.links(object.dnt, attribute.id)?;
    Ok(links.into_iter().map(|link| link.payload).collect())
}
