//! From a name to the object that has it.

use super::PrincipalName;
use crate::Error;
use crate::model::{Object, Snapshot};
use crate::schema::AttributeId;

/// The one living object of that name.
pub(super) fn locate(
    snapshot: &Snapshot,
    name: PrincipalName<'_>,
) -> Result<Option<Object>, Error> {
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
pub(super) const KRBTGT_RID: u32 = 502;

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
