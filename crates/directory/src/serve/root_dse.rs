//! The rootDSE: what this server is and can do (MS-ADTS 3.1.1.3.2). Read without signing in.
//!
//! It offers what is really there: controls of [`SUPPORTED`], StartTLS only with a certificate, SASL mechanisms only
//! when the server has Kerberos keys.

use std::borrow::Cow;

use ldap::extended;

use super::controls::SUPPORTED;
use super::conversation::Conversation;
use super::sasl::Mechanism;
use super::search::{self, MadeUp};
use super::subschema;
use crate::Naming;

/// Answers a base search on the empty name.
pub(super) fn answer(
    conversation: &Conversation,
    id: u32,
    search: &ldap::SearchRequest,
    out: &mut Vec<u8>,
) {
    let mut entry = common(conversation);
    if let Some(naming) = conversation.shared.directory.naming() {
        add_naming(&mut entry, conversation, &naming);
    }
    // Only by name: who the client is here (MS-ADTS 3.1.1.3.2.29).
    if search
        .attributes
        .iter()
        .any(|name| name.eq_ignore_ascii_case("tokenGroups"))
    {
        let sids = conversation
            .session
            .token()
            .sids()
            .iter()
            .map(|sid| sid.to_bytes().into())
            .collect();
        entry.push(("tokenGroups", sids));
    }
    search::answer_made_up(id, "", &entry, search, out);
}

/// What every server says, whatever it holds.
fn common(conversation: &Conversation) -> MadeUp {
    let shared = &conversation.shared;
    let now = shared
        .directory
        .now()
        .to_generalized_time()
        .unwrap_or_default();
    let usn = shared.directory.snapshot().highest_usn();
    let mut extensions = vec![extended::WHO_AM_I];
    if shared.options.tls.is_some() {
        extensions.push(extended::START_TLS);
    }
    let mut capabilities = CAPABILITIES.to_vec();
    let mut mechanisms = Vec::new();
    if shared.sasl.is_ready() {
        capabilities.push(LDAP_INTEGRITY);
        mechanisms.extend(Mechanism::NAMES);
    }
    let mut entry = vec![
        ("currentTime", one(now)),
        ("supportedLDAPVersion", words(&["3"])),
        ("supportedControl", words(SUPPORTED)),
        ("supportedExtension", words(&extensions)),
        ("supportedCapabilities", words(&capabilities)),
        ("supportedLDAPPolicies", words(POLICIES)),
        ("highestCommittedUSN", one(usn.to_string())),
        // DS_BEHAVIOR_WIN2016 (MS-ADTS 6.1.4.2).
        ("domainFunctionality", words(&["7"])),
        ("forestFunctionality", words(&["7"])),
        ("domainControllerFunctionality", words(&["7"])),
        ("isSynchronized", words(&["TRUE"])),
        ("isGlobalCatalogReady", words(&["TRUE"])),
    ];
    if !mechanisms.is_empty() {
        entry.push(("supportedSASLMechanisms", words(&mechanisms)));
    }
    entry
}

fn add_naming(entry: &mut MadeUp, conversation: &Conversation, naming: &Naming) {
    let domain = naming.domain_dn.to_string();
    let configuration = naming.configuration_dn.to_string();
    let schema = naming.schema_dn.to_string();
    let host = &naming.dns_host_name;
    let account = host.split('.').next().unwrap_or_default();
    let realm = naming.dns_domain.to_uppercase();
    entry.extend([
        (
            "ldapServiceName",
            one(format!("{}:{account}$@{realm}", naming.dns_domain)),
        ),
        ("dnsHostName", one(host.clone())),
        ("dsServiceName", one(naming.ntds_settings.to_string())),
        ("serverName", one(naming.server_dn.to_string())),
        (
            "subschemaSubentry",
            one(subschema::dn(&conversation.shared.directory)),
        ),
        ("defaultNamingContext", one(domain.clone())),
        ("rootDomainNamingContext", one(domain.clone())),
        ("configurationNamingContext", one(configuration.clone())),
        ("schemaNamingContext", one(schema.clone())),
        (
            "namingContexts",
            [domain, configuration, schema].map(owned).into(),
        ),
    ]);
}

fn one(value: String) -> Vec<Cow<'static, [u8]>> {
    vec![owned(value)]
}

fn owned(value: String) -> Cow<'static, [u8]> {
    Cow::Owned(value.into_bytes())
}

fn words(values: &[&'static str]) -> Vec<Cow<'static, [u8]>> {
    values
        .iter()
        .map(|value| Cow::Borrowed(value.as_bytes()))
        .collect()
}

/// MS-ADTS 3.1.1.3.4.3: an Active Directory, of Windows 2000, Server 2003 (V51), 2008 (V61), 2008 R2 (V61R2) and 2012
/// (W8) ways.
const CAPABILITIES: &[&str] = &[
    "1.2.840.113556.1.4.800",
    "1.2.840.113556.1.4.1670",
    "1.2.840.113556.1.4.1935",
    "1.2.840.113556.1.4.2080",
    "1.2.840.113556.1.4.2237",
];

/// Signing and sealing, and binds after it (V51LDAP_INTEG).
const LDAP_INTEGRITY: &str = "1.2.840.113556.1.4.1791";

/// Policies of MS-ADTS 3.1.1.3.4.6 that `Options` has.
const POLICIES: &[&str] = &[
    "MaxPageSize",
    "MaxQueryDuration",
    "MaxConnIdleTime",
    "InitRecvTimeout",
    "MaxActiveConnections",
    "MaxReceiveBuffer",
];
