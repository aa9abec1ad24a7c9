//! A small directory made by hand, for tests of the directory itself: open to all, or with given descriptors.

#![allow(dead_code, reason = "each test uses its part")]

use std::sync::Arc;

use directory::{
    AddRequest, Directory, Error, Found, KeyPolicy, Modification, ModificationKind, ModifyRequest,
    Operation, Options, SearchRequest, Session,
};
use kerberos::crypto::EncryptionType;
use ldap::{Filter, Scope};
use security_descriptor::{Domains, SecurityDescriptor};
use types::{Clock, Dn, SeededEntropy, Sid, Timestamp, VirtualClock};

pub(crate) const DOMAIN: &str = "DC=corp,DC=contoso,DC=com";
/// Everybody may do everything, and every write is audited.
pub(crate) const OPEN: &str =
    "O:BAG:BAD:(A;CI;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;WD)S:(AU;CISAFA;WPWD;;;WD)";

pub(crate) fn domain_sid() -> Sid {
    "S-1-5-21-1111-2222-3333".parse().unwrap()
}

pub(crate) fn clock() -> Arc<VirtualClock> {
    Arc::new(VirtualClock::new(
        Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap(),
    ))
}

pub(crate) fn options() -> Options {
    let clock: Arc<dyn Clock> = clock();
    Options {
        password_rounds: 10,
        // One cheap key for each password; the others would take most of a test's time.
        kerberos_keys: KeyPolicy {
            types: vec![EncryptionType::AES256_CTS_HMAC_SHA1_96],
            ..KeyPolicy::default()
        },
        cache_bytes: 64 << 20,
        ..Options::new(clock, Box::new(SeededEntropy::new(7)))
    }
}

pub(crate) fn dn(text: &str) -> Dn {
    if text.is_empty() {
        DOMAIN.parse().unwrap()
    } else {
        format!("{text},{DOMAIN}").parse().unwrap()
    }
}

pub(crate) fn descriptor(sddl: &str) -> Vec<u8> {
    SecurityDescriptor::from_sddl(sddl, Domains::single(&domain_sid()))
        .unwrap()
        .to_bytes()
        .unwrap()
}

fn add(name: Dn, class: &str) -> AddRequest {
    AddRequest::new(name).with("objectClass", [class])
}

/// The objects without which nothing works.
pub(crate) fn heads(sddl: &str) -> Vec<Operation> {
    let configuration = dn("CN=Configuration");
    let schema: Dn = format!("CN=Schema,{configuration}").parse().unwrap();
    let head = |name: Dn, class: &str| {
        add(name, class)
            .with("instanceType", ["5"])
            .with("nTSecurityDescriptor", [descriptor(sddl)])
    };
    let below =
        |text: &str, class: &str| add(format!("{text},{configuration}").parse().unwrap(), class);
    vec![
        head(dn(""), "domainDNS").with("objectSid", [domain_sid().to_bytes()]),
        head(configuration.clone(), "configuration"),
        head(schema, "dMD"),
        add(dn("CN=Deleted Objects"), "container").with("isCriticalSystemObject", ["TRUE"]),
        below("CN=Partitions", "crossRefContainer"),
        below("CN=CORP,CN=Partitions", "crossRef")
            .with("nCName", [DOMAIN])
            .with("nETBIOSName", ["CORP"])
            .with("dnsRoot", ["corp.contoso.com"]),
        below("CN=Sites", "sitesContainer"),
        below("CN=Site,CN=Sites", "site"),
        below("CN=Servers,CN=Site,CN=Sites", "serversContainer"),
        below("CN=DC1,CN=Servers,CN=Site,CN=Sites", "server")
            .with("dNSHostName", ["dc1.corp.contoso.com"]),
        below(
            "CN=NTDS Settings,CN=DC1,CN=Servers,CN=Site,CN=Sites",
            "nTDSDSA",
        ),
        add(dn("OU=Users"), "organizationalUnit"),
        add(dn("OU=Other"), "organizationalUnit"),
    ]
    .into_iter()
    .map(Operation::Add)
    .chain([modify(
        "",
        ModificationKind::Add,
        "wellKnownObjects",
        &[&format!(
            "B:32:18E2EA80684F11D2B9AA00C04F79F805:CN=Deleted Objects,{DOMAIN}"
        )],
    )])
    .collect()
}

pub(crate) fn provision(directory: &Directory, sddl: &str) {
    directory
        .apply_all(&Session::system(), heads(sddl))
        .unwrap();
}

pub(crate) fn new(sddl: &str) -> Directory {
    let directory = Directory::in_memory(options()).unwrap();
    provision(&directory, sddl);
    directory
}

pub(crate) fn user(name: &str) -> Operation {
    Operation::Add(
        add(dn(&format!("CN={name},OU=Users")), "user")
            .with("sAMAccountName", [name.to_lowercase().replace(' ', "")])
            .with("userAccountControl", ["512"]),
    )
}

pub(crate) fn group(name: &str, members: &[&str]) -> Operation {
    let members: Vec<String> = members.iter().map(|m| dn(m).to_string()).collect();
    let request = add(dn(&format!("CN={name},OU=Users")), "group").with("sAMAccountName", [name]);
    Operation::Add(if members.is_empty() {
        request
    } else {
        request.with("member", members)
    })
}

pub(crate) fn modify(
    name: &str,
    kind: ModificationKind,
    attribute: &str,
    values: &[&str],
) -> Operation {
    let modification = Modification::new(
        kind,
        attribute,
        values.iter().map(|v| v.as_bytes().to_vec()),
    );
    Operation::Modify(ModifyRequest::new(dn(name), vec![modification]))
}

pub(crate) fn system(directory: &Directory, operation: Operation) -> Result<u64, Error> {
    directory
        .apply(&Session::system(), operation)
        .map(|applied| applied.usn)
}

pub(crate) fn find(
    directory: &Directory,
    session: &Session,
    filter: &str,
    attributes: &[&str],
) -> Vec<Found> {
    let filter: Filter = filter.parse().unwrap();
    let request = SearchRequest::new(dn(""), Scope::WholeSubtree, filter)
        .with_attributes(attributes.iter().copied());
    directory.find_all(session, &request).unwrap()
}

/// The relative names that a filter finds, sorted.
pub(crate) fn names(directory: &Directory, filter: &str) -> Vec<String> {
    let mut names: Vec<String> = find(directory, &Session::system(), filter, &["name"])
        .iter()
        .map(|found| found.text("name").unwrap_or("?").to_owned())
        .collect();
    names.sort();
    names
}

/// All values of an attribute of one object as text.
pub(crate) fn values(directory: &Directory, name: &str, attribute: &str) -> Vec<String> {
    let request = SearchRequest::new(dn(name), Scope::BaseObject, Filter::any_object())
        .with_attributes([attribute]);
    let found = directory.find_all(&Session::system(), &request).unwrap();
    let values = found
        .first()
        .map(|f| f.values(attribute).to_vec())
        .unwrap_or_default();
    values
        .into_iter()
        .map(|v| String::from_utf8_lossy(&v).into_owned())
        .collect()
}
