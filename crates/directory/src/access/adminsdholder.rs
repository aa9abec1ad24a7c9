//! SDProp: gives protected accounts the descriptor of AdminSDHolder (MS-ADTS 3.1.1.6.1).
//!
//! Protected are Administrator, krbtgt, the administrative groups, and whoever is in one of them, however deep. They
//! get owner, group, DACL and audit entries of `CN=AdminSDHolder,CN=System`, inherit nothing more, and are marked with
//! `adminCount` 1. A real domain controller runs this every hour; here the caller does, see [`propagate`].
//!
//! As in AD, who leaves the groups keeps both the mark and the descriptor. Only the explicit audit entries of
//! AdminSDHolder are given on: an audit entry on the head of the domain does not reach protected accounts.

use std::collections::BTreeMap;

use ldap::{ExtensibleMatch, Filter, Scope};
use security_descriptor::{Acl, Control, SecurityDescriptor};
use types::{Dn, Rdn, Sid};

use crate::{
    Directory, Error, Modification, ModificationKind, ModifyRequest, Name, Operation,
    SearchRequest, Session,
};

/// RIDs of the domain: Domain Admins, Domain Controllers, Schema Admins, Enterprise Admins, Read-only Domain
/// Controllers.
const DOMAIN_GROUPS: [u32; 5] = [512, 516, 518, 519, 521];
/// Administrators, Account Operators, Server Operators, Print Operators, Backup Operators, Replicator; with the bit of
/// `dSHeuristics` character 16 that leaves the group out (MS-ADTS 6.1.1.2.4.1.2, dwAdminSDExMask).
const BUILTIN_GROUPS: [(u32, u32); 6] =
    [(544, 0), (548, 1), (549, 2), (550, 4), (551, 8), (552, 0)];
/// Administrator and krbtgt.
const ACCOUNTS: [u32; 2] = [500, 502];

/// LDAP_MATCHING_RULE_TRANSITIVE_EVAL (MS-ADTS 3.1.1.3.4.4.3).
const IN_CHAIN: &str = "1.2.840.113556.1.4.1941";

/// Gives every protected account what AdminSDHolder has, and tells how many had to be changed.
///
/// Runs as the directory itself, one commit for all. It is what the rootDSE modify `RunProtectAdminGroupsTask` asks
/// for, and what a caller with a clock runs every hour.
pub fn propagate(directory: &Directory) -> Result<usize, Error> {
    let system = Session::system();
    let Some(naming) = directory.naming() else {
        return Ok(0);
    };
    let Some(domain_sid) = &naming.domain_sid else {
        return Ok(0);
    };
    let domain = &naming.domain_dn;
    let holder = domain
        .child(Rdn::new("CN", "System"))
        .child(Rdn::new("CN", "AdminSDHolder"));
    let wanted = given_on(descriptor_of(directory, &system, &holder)?);
    let excluded = excluded_groups(directory, &system, &naming.configuration_dn)?;
    let mut changes = Vec::new();
    for dn in protected(directory, &system, domain, domain_sid, excluded)? {
        changes.extend(change(directory, &system, dn, &wanted)?);
    }
    let count = changes.len();
    if count > 0 {
        directory
            .apply_all(&system, changes)
            .map_err(|(_, error)| error)?;
    }
    Ok(count)
}

/// What protected accounts get: everything explicit, nothing inherited, and nothing more to come.
fn given_on(mut holder: SecurityDescriptor) -> SecurityDescriptor {
    let explicit = |acl: Acl| {
        let kept = acl.aces.into_iter().filter(|ace| !ace.is_inherited());
        Acl::new(kept.collect())
    };
    holder.dacl = holder.dacl.map(explicit);
    let sacl = holder.sacl.take().map(explicit);
    holder.set_sacl(Some(sacl.unwrap_or_else(|| Acl::new(Vec::new()))));
    holder.control = holder.control | Control::DACL_PROTECTED | Control::SACL_PROTECTED;
    holder
}

/// The write that one account needs, if any.
fn change(
    directory: &Directory,
    session: &Session,
    dn: Dn,
    wanted: &SecurityDescriptor,
) -> Result<Option<Operation>, Error> {
    let request = SearchRequest::new(dn.clone(), Scope::BaseObject, Filter::any_object())
        .with_attributes(["nTSecurityDescriptor", "adminCount"]);
    let found = directory.find_all(session, &request)?;
    let Some(found) = found.first() else {
        return Ok(None);
    };
    let has = found
        .values("nTSecurityDescriptor")
        .first()
        .and_then(|bytes| SecurityDescriptor::from_bytes(bytes).ok());
    let mut modifications = Vec::new();
    if !has.is_some_and(|has| says_the_same(&has, wanted)) {
        let bytes = wanted
            .to_bytes()
            .map_err(|why| Error::unwilling(0x2035, why.to_string()))?;
        modifications.push(replace("nTSecurityDescriptor", bytes));
    }
    if found.text("adminCount") != Some("1") {
        modifications.push(replace("adminCount", b"1".to_vec()));
    }
    if modifications.is_empty() {
        return Ok(None);
    }
    let request = ModifyRequest::new(Name::Dn(dn), modifications);
    Ok(Some(Operation::Modify(request)))
}

fn replace(attribute: &str, value: Vec<u8>) -> Modification {
    Modification::new(ModificationKind::Replace, attribute, [value])
}

/// Whether both have the same parts and the same protection. The marks of automatic inheritance do not matter.
fn says_the_same(a: &SecurityDescriptor, b: &SecurityDescriptor) -> bool {
    let aces = |acl: Option<&Acl>| acl.map(|acl| acl.aces.clone());
    a.owner == b.owner
        && a.group == b.group
        && aces(a.effective_dacl()) == aces(b.effective_dacl())
        && aces(a.effective_sacl()) == aces(b.effective_sacl())
        && a.is_dacl_protected() == b.is_dacl_protected()
        && a.is_sacl_protected() == b.is_sacl_protected()
}

/// The names of all protected objects, each once.
fn protected(
    directory: &Directory,
    session: &Session,
    domain: &Dn,
    domain_sid: &Sid,
    excluded: u32,
) -> Result<Vec<Dn>, Error> {
    let mut all: BTreeMap<String, Dn> = BTreeMap::new();
    let mut note = |found: Vec<Dn>| all.extend(found.into_iter().map(|dn| (dn.key(), dn)));
    let find = |filter: Filter| -> Result<Vec<Dn>, Error> {
        let request = SearchRequest::new(domain.clone(), Scope::WholeSubtree, filter)
            .with_attributes(["1.1"]);
        let found = directory.find_all(session, &request)?;
        Ok(found
            .iter()
            .filter_map(|found| found.dn.parse().ok())
            .collect())
    };
    let by_sid = |sid: &Sid| Filter::equality("objectSid", sid.to_bytes());
    for rid in ACCOUNTS {
        note(find(by_sid(&domain_sid.with_rid(rid)))?);
    }
    let builtin = BUILTIN_GROUPS
        .iter()
        .filter(|(_, bit)| excluded & bit == 0)
        .map(|(rid, _)| Sid::builtin(*rid));
    let groups = DOMAIN_GROUPS.iter().map(|rid| domain_sid.with_rid(*rid));
    for sid in groups.chain(builtin) {
        for group in find(by_sid(&sid))? {
            note(find(members_of(&group))?);
            if sid.domain().as_ref() == Some(domain_sid) {
                note(find(primary_members_of(&sid))?);
            }
            note(vec![group]);
        }
    }
    Ok(all.into_values().collect())
}

/// Users, computers and groups in the group, however deep; not the foreign security principals.
fn members_of(group: &Dn) -> Filter {
    Filter::And(vec![
        Filter::Present("sAMAccountName".into()),
        Filter::Extensible(ExtensibleMatch {
            rule: Some(IN_CHAIN.into()),
            attribute: Some("memberOf".into()),
            value: group.to_string().into_bytes(),
            dn_attributes: false,
        }),
    ])
}

/// Users (not the domain controllers' own accounts) whose primary group it is: that is no link.
fn primary_members_of(group: &Sid) -> Filter {
    let rid = group.rid().unwrap_or_default();
    Filter::And(vec![
        Filter::equality("objectClass", "user"),
        Filter::Not(Box::new(Filter::equality("objectClass", "computer"))),
        Filter::equality("primaryGroupID", rid.to_string()),
    ])
}

/// dwAdminSDExMask: one hex digit.
fn excluded_groups(
    directory: &Directory,
    session: &Session,
    configuration: &Dn,
) -> Result<u32, Error> {
    let service = ["Services", "Windows NT", "Directory Service"]
        .iter()
        .fold(configuration.clone(), |dn, name| {
            dn.child(Rdn::new("CN", *name))
        });
    let request = SearchRequest::new(service, Scope::BaseObject, Filter::any_object())
        .with_attributes(["dSHeuristics"]);
    let found = match directory.find_all(session, &request) {
        Err(Error::NoSuchObject { .. }) => return Ok(0),
        other => other?,
    };
    let digit = found
        .first()
        .and_then(|found| found.text("dSHeuristics"))
        .and_then(|text| text.chars().nth(15))
        .and_then(|digit| digit.to_digit(16));
    Ok(digit.unwrap_or(0))
}

/// The whole descriptor of an object, as `session` may read it.
pub(crate) fn descriptor_of(
    directory: &Directory,
    session: &Session,
    dn: &Dn,
) -> Result<SecurityDescriptor, Error> {
    let request = SearchRequest {
        descriptor_flags: Some(15),
        ..SearchRequest::new(dn.clone(), Scope::BaseObject, Filter::any_object())
    }
    .with_attributes(["nTSecurityDescriptor"]);
    directory
        .find_all(session, &request)?
        .first()
        .and_then(|found| found.values("nTSecurityDescriptor").first())
        .and_then(|bytes| SecurityDescriptor::from_bytes(bytes).ok())
        .ok_or_else(|| Error::no_object(dn, Dn::ROOT))
}
