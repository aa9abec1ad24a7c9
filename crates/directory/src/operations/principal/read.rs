//! Reads an account, and a read-only domain controller, whole.

use types::{Sid, Timestamp};

use super::names::KRBTGT_RID;
use super::{Principal, ReadOnlyController};
use crate::Error;
use crate::kerberos_keys;
use crate::model::{Dnt, Object, Reader, Snapshot};
use crate::operations::account::{self, Kind};
use crate::operations::bind::groups_of;
use crate::schema::AttributeId;
use crate::store::{Table, View, keys};

/// Everything about one account; `None` where the object is none.
pub(super) fn principal(snapshot: &Snapshot, object: &Object) -> Result<Option<Principal>, Error> {
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
        key_credentials: key_credentials(&reader, object.dnt)?,
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

/// The binary parts of `msDS-KeyCredentialLink`.
pub(super) fn key_credentials(reader: &Reader<'_>, dnt: Dnt) -> Result<Vec<Vec<u8>>, Error> {
    let Some(attribute) = reader.schema.attribute("msDS-KeyCredentialLink") else {
        return Ok(Vec::new());
    };
    let links = reader.links(dnt, attribute.id)?;
    Ok(links.into_iter().map(|link| link.payload).collect())
}

/// The one living account that names this ticket granting account as its own.
pub(super) fn read_only_server(
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
