//! Privileged accounts, and whether the lists of the object keep the cloud from becoming one of them.
//!
//! Who is privileged is asked of the groups that Windows protects, and of `adminCount`; what a list says of an account
//! is decided as a KDC does it: over the account itself and all its groups (`tokenGroups`, MS-ADTS 3.1.1.4.5.19).

use std::collections::{BTreeMap, BTreeSet};

use sync::ldap::{Connection, ldap_escape};
use types::Sid;

use super::findings::Privileged;
use super::names;
use super::server_object::{Computer, Domain, search};
use crate::io::{Failure, unreachable};

/// More accounts than this are not looked at one by one; a directory that has so many privileged ones has other problems.
const ACCOUNTS_MAX: usize = 500;

/// Every privileged account that could sign in.
pub(super) fn accounts(
    connection: &mut Connection,
    domain: &Domain,
    computer: &Computer,
) -> Result<Vec<Privileged>, Failure> {
    let allowed = sids(connection, &computer.allowed)?;
    let denied = sids(connection, &computer.denied)?;
    let mut privileged = Vec::new();
    for dn in privileged_users(connection, domain)?
        .into_values()
        .take(ACCOUNTS_MAX)
    {
        let identities = identities(connection, &dn)?;
        privileged.push(Privileged {
            is_allowed: !identities.is_disjoint(&allowed),
            is_denied: !identities.is_disjoint(&denied),
            dn,
        });
    }
    Ok(privileged)
}

fn privileged_users(
    connection: &mut Connection,
    domain: &Domain,
) -> Result<BTreeMap<String, String>, Failure> {
    let base = domain.dn.to_string();
    let own = names::PRIVILEGED.map(|rid| domain.sid.with_rid(rid));
    let builtin = names::DENIED_BUILTIN.map(Sid::builtin);
    let mut parts = String::from("(adminCount=1)");
    for sid in own.iter().chain(&builtin) {
        if let Some(dn) = dn_of(connection, sid)? {
            // LDAP_MATCHING_RULE_IN_CHAIN: members of members as well.
            parts.push_str(&format!(
                "(memberOf:1.2.840.113556.1.4.1941:={})",
                ldap_escape(dn)
            ));
        }
    }
    let filter = format!("(&(objectClass=user)(!(objectClass=computer))(|{parts}))");
    let found = search(connection, &base, &filter, &["sAMAccountName"])?;
    let is_krbtgt = |name: &str| {
        let name = name.to_lowercase();
        name == "krbtgt" || name.starts_with("krbtgt_")
    };
    Ok(found
        .into_iter()
        .filter(|entry| {
            !entry
                .text("sAMAccountName")
                .is_some_and(|name| is_krbtgt(&name))
        })
        .map(|entry| (entry.dn.to_lowercase(), entry.dn))
        .collect())
}

/// The distinguished name of a principal; `None` where there is none, or it may not be seen.
pub(super) fn dn_of(connection: &mut Connection, sid: &Sid) -> Result<Option<String>, Failure> {
    let found = connection
        .object(&names::by_sid(sid), &["cn"])
        .map_err(unreachable(format!("{sid} cannot be looked up")))?;
    Ok(found.map(|entry| entry.dn))
}

fn sids(connection: &mut Connection, dns: &[String]) -> Result<BTreeSet<Sid>, Failure> {
    let mut sids = BTreeSet::new();
    for dn in dns {
        let found = connection
            .object(dn, &["objectSid"])
            .map_err(unreachable(format!("{dn} cannot be looked up")))?;
        let octets = found
            .as_ref()
            .and_then(|entry| entry.values("objectSid").first());
        sids.extend(octets.and_then(|octets| Sid::from_bytes(octets).ok()));
    }
    Ok(sids)
}

fn identities(connection: &mut Connection, dn: &str) -> Result<BTreeSet<Sid>, Failure> {
    let found = connection
        .object(dn, &["objectSid", "tokenGroups"])
        .map_err(unreachable(format!("the groups of {dn} cannot be read")))?;
    let Some(entry) = found else {
        return Ok(BTreeSet::new());
    };
    let own = entry.values("objectSid").iter();
    Ok(own
        .chain(entry.values("tokenGroups"))
        .filter_map(|octets| Sid::from_bytes(octets).ok())
        .collect())
}
