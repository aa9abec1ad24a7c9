//! What is wrong with a Kerberos server object, and what to do about it. Pure: everything is told to it.

use cloud_api::trust::PublishedServer;
use serde::Serialize;
use types::{Dn, Timestamp};

use super::names;
use super::probe::Verdict;
use super::server_object::{Computer, Krbtgt, ServerObject};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finding {
    /// Stable name, for filters.
    pub(super) id: &'static str,
    pub(super) severity: Severity,
    /// What it is.
    pub(super) sentence: String,
    /// What to do.
    pub(super) next: String,
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Severity {
    /// Sign-ins do not work, or not for long.
    Broken,
    /// More is allowed than should be.
    Danger,
    /// Worth a look.
    Note,
}

impl Severity {
    /// For tables.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Danger => "danger",
            Self::Note => "note",
        }
    }
}

/// A privileged account, and what the lists of the object say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Privileged {
    pub(super) dn: String,
    pub(super) is_allowed: bool,
    pub(super) is_denied: bool,
}

/// What is known beside the object.
#[derive(Debug)]
pub(super) struct Surroundings<'a> {
    pub(super) now: Timestamp,
    pub(super) age_days_max: i64,
    pub(super) privileged: &'a [Privileged],
    /// `None` where no cloud was asked.
    pub(super) cloud: Option<Option<&'a PublishedServer>>,
    /// What the KDC says of a key, where there is one to ask about.
    pub(super) verdict: Option<&'a Verdict>,
}

/// Everything that is wrong, what is broken first.
pub(super) fn judge(object: &ServerObject, around: &Surroundings<'_>) -> Vec<Finding> {
    let mut found = Findings::default();
    match (&object.computer, &object.krbtgt) {
        (None, None) => found.broken(
            "no-object",
            "there is no Kerberos server object: the cloud's tickets are worth nothing here",
            "tombolo trust create",
        ),
        (computer, krbtgt) => {
            match computer {
                Some(computer) => judge_computer(computer, krbtgt.as_ref(), &mut found),
                None => found.broken(
                    "no-computer",
                    format!("the computer object {} is missing", names::COMPUTER),
                    "tombolo trust create",
                ),
            }
            match krbtgt {
                Some(krbtgt) => judge_krbtgt(krbtgt, around, &mut found),
                None => found.broken(
                    "no-krbtgt",
                    format!("the ticket granting account {} is missing", names::KRBTGT),
                    "tombolo trust create",
                ),
            }
        }
    }
    judge_privileged(around.privileged, &mut found);
    judge_cloud(object, around, &mut found);
    found.0.sort_by_key(|finding| finding.severity);
    found.0
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn broken(&mut self, id: &'static str, sentence: impl Into<String>, next: impl Into<String>) {
        self.push(id, Severity::Broken, sentence.into(), next.into());
    }

    fn danger(&mut self, id: &'static str, sentence: impl Into<String>, next: impl Into<String>) {
        self.push(id, Severity::Danger, sentence.into(), next.into());
    }

    fn push(&mut self, id: &'static str, severity: Severity, sentence: String, next: String) {
        self.0.push(Finding {
            id,
            severity,
            sentence,
            next,
        });
    }
}

fn judge_computer(computer: &Computer, krbtgt: Option<&Krbtgt>, found: &mut Findings) {
    let control = computer.account_control;
    if control & names::PARTIAL_SECRETS == 0 || control & names::DISABLED != 0 {
        found.broken(
            "wrong-bits",
            format!(
                "userAccountControl of {} is {control:#x}; a KDC wants PARTIAL_SECRETS_ACCOUNT and no ACCOUNTDISABLE ({:#x})",
                computer.dn,
                names::READ_ONLY_CONTROLLER
            ),
            "tombolo trust create mends it",
        );
    }
    if computer.primary_group != names::READ_ONLY_CONTROLLERS {
        found.push(
            "wrong-group",
            Severity::Note,
            format!(
                "primaryGroupID of {} is {}; read-only domain controllers have {}",
                computer.dn,
                computer.primary_group,
                names::READ_ONLY_CONTROLLERS
            ),
            "a domain controller sets it when the object is made: remove the trust and create it anew".to_owned(),
        );
    }
    let krbtgt = krbtgt.map(|krbtgt| krbtgt.dn.as_str());
    match (&computer.link, krbtgt) {
        (None, _) => found.broken(
            "no-link",
            format!("{} has no {}", computer.dn, names::LINK),
            "tombolo trust create mends it",
        ),
        (Some(link), Some(dn)) if !is_same(link, dn) => found.broken(
            "wrong-link",
            format!("{} of {} leads to {link}", names::LINK, computer.dn),
            "tombolo trust create mends it",
        ),
        _ => {}
    }
    if computer.allowed.is_empty() {
        found.broken(
            "nobody-allowed",
            format!("{} is empty: nobody may use the trust", names::ALLOWED),
            "tombolo trust create --allow GROUP",
        );
    }
    if computer.denied.is_empty() {
        found.danger(
            "nobody-denied",
            format!(
                "{} is empty: whoever has the cloud's key may become any allowed account, administrators included",
                names::DENIED
            ),
            "tombolo trust create --deny GROUP",
        );
    }
}

fn judge_krbtgt(krbtgt: &Krbtgt, around: &Surroundings<'_>, found: &mut Findings) {
    if krbtgt.number.is_none() {
        found.broken(
            "no-number",
            format!("{} has no {}", krbtgt.dn, names::NUMBER),
            "tombolo trust remove, then tombolo trust create",
        );
    }
    if krbtgt.account_control & names::DISABLED == 0 {
        found.danger(
            "krbtgt-enabled",
            format!("{} is enabled: it can be signed in to", krbtgt.dn),
            "disable the account; its key works all the same",
        );
    }
    for other in &krbtgt.clashes {
        found.broken(
            "number-clash",
            format!("{other} has the same number: the KDC takes neither's tickets"),
            "remove one of the two",
        );
    }
    if let [_, _, ..] = krbtgt.owners.as_slice() {
        found.danger(
            "two-owners",
            format!(
                "more than one computer names {} as its own: {}",
                krbtgt.dn,
                krbtgt.owners.join(" and ")
            ),
            format!("delete {} of the one that is not the trust's", names::LINK),
        );
    }
    let age = krbtgt
        .key_set
        .map(|set| around.now.seconds_since(set) / (24 * 3600));
    match age {
        None => found.broken(
            "no-key",
            format!("{} never got a key", krbtgt.dn),
            "tombolo trust rotate",
        ),
        Some(days) if days > around.age_days_max => found.danger(
            "old-key",
            format!(
                "the key is {days} days old; the policy is {} days",
                around.age_days_max
            ),
            "tombolo trust rotate",
        ),
        Some(_) => {}
    }
    match around.verdict {
        Some(Verdict::Wrong | Verdict::Unknown) => found.broken(
            "wrong-key",
            "the KDC does not open tickets of the key at hand",
            super::key::export_line(krbtgt),
        ),
        Some(Verdict::Unclear(why)) => found.push(
            "key-unclear",
            Severity::Note,
            format!("whether the KDC has the key at hand is not clear: {why}"),
            "name the KDC with --kdc HOST:PORT".to_owned(),
        ),
        Some(Verdict::Right) | None => {}
    }
}

fn judge_privileged(privileged: &[Privileged], found: &mut Findings) {
    for account in privileged.iter().filter(|account| !account.is_denied) {
        let dn = &account.dn;
        if account.is_allowed {
            found.danger(
                "privileged-allowed",
                format!(
                    "{dn} is privileged, allowed and not denied: the cloud's key can become it"
                ),
                format!("add one of its groups to {}", names::DENIED),
            );
        } else {
            found.push(
                "privileged-not-denied",
                Severity::Note,
                format!("{dn} is privileged and not denied; it is not allowed either"),
                format!("add one of its groups to {}", names::DENIED),
            );
        }
    }
}

fn judge_cloud(object: &ServerObject, around: &Surroundings<'_>, found: &mut Findings) {
    let facts = object.facts();
    let (published, facts) = match (around.cloud, facts) {
        (None, _) | (Some(None), None) => return,
        (Some(None), Some(_)) => {
            return found.broken(
                "not-published",
                "the cloud does not know this trust: it mints no tickets for the domain",
                "tombolo trust rotate --cloud URL, or tombolo trust publish --keytab FILE --cloud URL",
            );
        }
        (Some(Some(published)), None) => {
            return found.broken(
                "only-in-cloud",
                format!(
                    "the cloud has a key for {}, and the directory has no complete object",
                    published.server.domain_dns_name
                ),
                "tombolo trust create, or tombolo trust remove to have the cloud forget it",
            );
        }
        (Some(Some(published)), Some(facts)) => (published, facts),
    };
    if published.server != facts {
        found.broken(
            "cloud-differs",
            format!(
                "the cloud was told of number {} of {}, and the directory has number {} of {}",
                published.server.number,
                published.server.computer_guid,
                facts.number,
                facts.computer_guid
            ),
            "tombolo trust rotate --cloud URL",
        );
    }
    let version = object.krbtgt.as_ref().and_then(|krbtgt| krbtgt.version);
    let minting = published.versions.first().map(|newest| newest.version);
    if minting != version {
        let told = |version: Option<u16>| {
            version.map_or_else(|| "none".to_owned(), |version| version.to_string())
        };
        found.broken(
            "version-differs",
            format!(
                "the cloud mints with version {} of the key, the directory is at {}; the KDC takes only the last ones",
                told(minting),
                told(version)
            ),
            "tombolo trust publish --keytab FILE --cloud URL, or tombolo trust rotate --cloud URL",
        );
    }
}

/// Whether two distinguished names are of one object.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    match (one.parse::<Dn>(), other.parse::<Dn>()) {
        (Ok(one), Ok(other)) => one.key() == other.key(),
        _ => one.eq_ignore_ascii_case(other),
    }
}

#[cfg(test)]
mod tests;
