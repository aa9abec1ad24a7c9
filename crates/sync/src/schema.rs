//! The attributes that rules may name, and what their values are.
//!
//! The list is short on purpose: a misspelt attribute is an error of `sync rules lint` and not a flow that never
//! flows. A rule file adds what it needs with `[[attribute]]`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::connector::Connector;

/// What the values of an attribute are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Syntax {
    /// UTF-8 text, compared without regard to case in scopes.
    Text,
    /// `true` or `false`.
    Boolean,
    /// A decimal number.
    Integer,
    /// Octets.
    Binary,
    /// The binary part of a key credential.
    KeyCredential,
}

impl Syntax {
    /// Whether expressions see the value as octets.
    pub const fn is_binary(self) -> bool {
        matches!(self, Self::Binary | Self::KeyCredential)
    }

    /// Whether a value of `self` can be stored as `other` without a transform.
    pub const fn flows_to(self, other: Self) -> bool {
        matches!(
            (self, other),
            (Self::Text, Self::Text)
                | (Self::Boolean, Self::Boolean | Self::Text)
                | (Self::Integer, Self::Integer | Self::Text)
                | (Self::Binary, Self::Binary)
                | (Self::KeyCredential, Self::KeyCredential | Self::Binary)
        )
    }
}

/// One side of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Space {
    /// Objects of the directory.
    Ad,
    /// Objects of the cloud.
    Cloud,
    /// What the two are joined to.
    Metaverse,
}

impl From<Connector> for Space {
    fn from(connector: Connector) -> Self {
        match connector {
            Connector::Ad => Self::Ad,
            Connector::Cloud => Self::Cloud,
        }
    }
}

/// An attribute that a rule file adds to the list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtraAttribute {
    /// Where it lives.
    pub space: Space,
    /// The kind of object, `user` or `person`.
    #[serde(default)]
    pub kind: Option<String>,
    /// Its name there.
    pub name: String,
    /// What its values are.
    pub syntax: Syntax,
}

/// The attributes that rules may name.
#[derive(Debug, Clone)]
pub struct Schema(BTreeMap<(Space, String, String), Syntax>);

const KNOWN: &[(Space, &str, &str, Syntax)] = &[
    (Space::Ad, "user", "objectGUID", Syntax::Binary),
    (Space::Ad, "user", "objectSid", Syntax::Binary),
    (Space::Ad, "user", "sAMAccountName", Syntax::Text),
    (Space::Ad, "user", "userPrincipalName", Syntax::Text),
    (Space::Ad, "user", "displayName", Syntax::Text),
    (Space::Ad, "user", "mail", Syntax::Text),
    (Space::Ad, "user", "department", Syntax::Text),
    (Space::Ad, "user", "employeeID", Syntax::Text),
    (Space::Ad, "user", "mS-DS-ConsistencyGuid", Syntax::Binary),
    (Space::Ad, "user", "adminCount", Syntax::Integer),
    (Space::Ad, "user", "userAccountControl", Syntax::Integer),
    (Space::Ad, "user", "isCriticalSystemObject", Syntax::Boolean),
    (
        Space::Ad,
        "user",
        "msDS-KeyCredentialLink",
        Syntax::KeyCredential,
    ),
    (Space::Cloud, "user", "cloudAnchor", Syntax::Text),
    (Space::Cloud, "user", "sourceAnchor", Syntax::Text),
    (Space::Cloud, "user", "userPrincipalName", Syntax::Text),
    (Space::Cloud, "user", "displayName", Syntax::Text),
    (Space::Cloud, "user", "accountEnabled", Syntax::Boolean),
    (Space::Cloud, "user", "cloudMastered", Syntax::Boolean),
    (
        Space::Cloud,
        "user",
        "searchableDeviceKey",
        Syntax::KeyCredential,
    ),
    (Space::Metaverse, "person", "objectSid", Syntax::Binary),
    (Space::Metaverse, "person", "sourceAnchor", Syntax::Text),
    (Space::Metaverse, "person", "cloudAnchor", Syntax::Text),
    (Space::Metaverse, "person", "accountName", Syntax::Text),
    (
        Space::Metaverse,
        "person",
        "userPrincipalName",
        Syntax::Text,
    ),
    (Space::Metaverse, "person", "displayName", Syntax::Text),
    (Space::Metaverse, "person", "department", Syntax::Text),
    (
        Space::Metaverse,
        "person",
        "accountEnabled",
        Syntax::Boolean,
    ),
    (
        Space::Metaverse,
        "person",
        "deviceKey",
        Syntax::KeyCredential,
    ),
    (Space::Ad, "computer", "objectGUID", Syntax::Binary),
    (Space::Ad, "computer", "objectSid", Syntax::Binary),
    (Space::Ad, "computer", "cn", Syntax::Text),
    (Space::Ad, "computer", "sAMAccountName", Syntax::Text),
    (Space::Ad, "computer", "displayName", Syntax::Text),
    (Space::Ad, "computer", "dNSHostName", Syntax::Text),
    (Space::Ad, "computer", "distinguishedName", Syntax::Text),
    (Space::Ad, "computer", "operatingSystem", Syntax::Text),
    (
        Space::Ad,
        "computer",
        "operatingSystemVersion",
        Syntax::Text,
    ),
    (Space::Ad, "computer", "userAccountControl", Syntax::Integer),
    (Space::Ad, "computer", "userCertificate", Syntax::Binary),
    (Space::Ad, "kerberosServer", "cn", Syntax::Text),
    (Space::Ad, "kerberosServer", "objectSid", Syntax::Binary),
    (
        Space::Ad,
        "kerberosServer",
        "distinguishedName",
        Syntax::Text,
    ),
    (Space::Ad, "kerberosServer", "sAMAccountName", Syntax::Text),
    (
        Space::Ad,
        "kerberosServer",
        "msDS-SecondaryKrbTgtNumber",
        Syntax::Integer,
    ),
    (
        Space::Ad,
        "kerberosServer",
        "msDS-KeyVersionNumber",
        Syntax::Integer,
    ),
    (
        Space::Ad,
        "kerberosServer",
        "msDS-KrbTgtLinkBl",
        Syntax::Text,
    ),
    (Space::Cloud, "device", "deviceId", Syntax::Text),
    (
        Space::Cloud,
        "device",
        "onPremisesSecurityIdentifier",
        Syntax::Text,
    ),
    (
        Space::Cloud,
        "device",
        "onPremisesSamAccountName",
        Syntax::Text,
    ),
    (
        Space::Cloud,
        "device",
        "onPremisesDistinguishedName",
        Syntax::Text,
    ),
    (Space::Cloud, "device", "onPremisesDomainName", Syntax::Text),
    (Space::Cloud, "device", "displayName", Syntax::Text),
    (Space::Cloud, "device", "accountEnabled", Syntax::Boolean),
    (Space::Cloud, "device", "operatingSystem", Syntax::Text),
    (
        Space::Cloud,
        "device",
        "operatingSystemVersion",
        Syntax::Text,
    ),
    (Space::Cloud, "device", "userCertificate", Syntax::Binary),
    (
        Space::Cloud,
        "kerberosServer",
        "domainDnsName",
        Syntax::Text,
    ),
    (Space::Cloud, "kerberosServer", "domainSid", Syntax::Text),
    (Space::Cloud, "kerberosServer", "number", Syntax::Integer),
    (
        Space::Cloud,
        "kerberosServer",
        "keyVersion",
        Syntax::Integer,
    ),
    (Space::Cloud, "kerberosServer", "krbtgtName", Syntax::Text),
    (Space::Cloud, "kerberosServer", "computerDn", Syntax::Text),
    (Space::Metaverse, "device", "deviceId", Syntax::Text),
    (Space::Metaverse, "device", "objectSid", Syntax::Binary),
    (
        Space::Metaverse,
        "device",
        "securityIdentifier",
        Syntax::Text,
    ),
    (Space::Metaverse, "device", "accountName", Syntax::Text),
    (Space::Metaverse, "device", "displayName", Syntax::Text),
    (
        Space::Metaverse,
        "device",
        "accountEnabled",
        Syntax::Boolean,
    ),
    (
        Space::Metaverse,
        "device",
        "distinguishedName",
        Syntax::Text,
    ),
    (Space::Metaverse, "device", "domainName", Syntax::Text),
    (Space::Metaverse, "device", "operatingSystem", Syntax::Text),
    (
        Space::Metaverse,
        "device",
        "operatingSystemVersion",
        Syntax::Text,
    ),
    (
        Space::Metaverse,
        "device",
        "userCertificate",
        Syntax::Binary,
    ),
    (
        Space::Metaverse,
        "kerberosServer",
        "objectSid",
        Syntax::Binary,
    ),
    (
        Space::Metaverse,
        "kerberosServer",
        "domainName",
        Syntax::Text,
    ),
    (
        Space::Metaverse,
        "kerberosServer",
        "domainSid",
        Syntax::Text,
    ),
    (
        Space::Metaverse,
        "kerberosServer",
        "number",
        Syntax::Integer,
    ),
    (
        Space::Metaverse,
        "kerberosServer",
        "keyVersion",
        Syntax::Integer,
    ),
    (
        Space::Metaverse,
        "kerberosServer",
        "accountName",
        Syntax::Text,
    ),
    (
        Space::Metaverse,
        "kerberosServer",
        "computerName",
        Syntax::Text,
    ),
];

impl Default for Schema {
    fn default() -> Self {
        let known = KNOWN.iter().map(|(space, kind, name, syntax)| {
            ((*space, (*kind).to_owned(), (*name).to_owned()), *syntax)
        });
        Self(known.collect())
    }
}

impl Schema {
    /// Adds an attribute, or changes what a known one is.
    pub fn add(&mut self, extra: &ExtraAttribute) {
        let usual = if extra.space == Space::Metaverse {
            "person"
        } else {
            "user"
        };
        let kind = extra.kind.clone().unwrap_or_else(|| usual.to_owned());
        self.0
            .insert((extra.space, kind, extra.name.clone()), extra.syntax);
    }

    /// What the values of an attribute are; `None` where nobody knows it.
    pub fn syntax(&self, space: Space, kind: &str, name: &str) -> Option<Syntax> {
        self.0
            .get(&(space, kind.to_owned(), name.to_owned()))
            .copied()
    }

    /// Whether any attribute of this kind of object is known.
    pub fn knows_kind(&self, space: Space, kind: &str) -> bool {
        self.0.keys().any(|(s, k, _)| *s == space && k == kind)
    }

    /// A known name that is close to a misspelt one.
    pub fn suggestion(&self, space: Space, kind: &str, name: &str) -> Option<&str> {
        let bare = |text: &str| text.to_lowercase().replace(['-', '_'], "");
        let wanted = bare(name);
        let names = self.0.keys().filter(|(s, k, _)| *s == space && k == kind);
        names
            .map(|(_, _, known)| (distance(&bare(known), &wanted), known.as_str()))
            .min()
            .filter(|(edits, _)| *edits <= 3)
            .map(|(_, known)| known)
    }
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i.saturating_add(1);
        for (cell, y) in row.iter_mut().skip(1).zip(b.chars()) {
            let here = if x == y {
                diagonal
            } else {
                diagonal.min(left).min(*cell).saturating_add(1)
            };
            diagonal = *cell;
            *cell = here;
            left = here;
        }
        if let Some(first) = row.first_mut() {
            *first = i.saturating_add(1);
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_attribute_finds_its_neighbour() {
        let schema = Schema::default();
        let check =
            |name, expect| assert_eq!(schema.suggestion(Space::Ad, "user", name), expect, "{name}");
        check("msDS-KeyCredentialLinks", Some("msDS-KeyCredentialLink"));
        check("MSDSKeyCredentialLink", Some("msDS-KeyCredentialLink"));
        check("objectSID", Some("objectSid"));
        check("colour", None);
    }

    #[test]
    fn distance_counts_edits() {
        let check = |a, b, expect| assert_eq!(distance(a, b), expect, "{a} {b}");
        check("", "", 0);
        check("kitten", "sitting", 3);
        check("abc", "", 3);
        check("abc", "abc", 0);
    }
}
