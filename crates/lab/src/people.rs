//! Who lives in the house: the accounts of the story and their names.

use types::{Dn, Entropy, Secret, Sid};

use data_encoding::BASE64URL_NOPAD;

/// An account of the lab's domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// `cn`.
    pub name: &'static str,
    /// `sAMAccountName`.
    pub account: &'static str,
    /// The organizational unit below the domain.
    pub unit: &'static str,
    /// Groups it is a member of, by `sAMAccountName`.
    pub groups: &'static [&'static str],
    /// Whether it also has a user in the cloud.
    pub is_synced: bool,
}

/// The user of the story.
pub const TEST_USER: Person = Person {
    name: "Test User",
    account: "testuser",
    unit: "Users",
    groups: &[],
    is_synced: true,
};
/// A second user, to show that a refusal concerns one object only.
pub const SECOND_USER: Person = Person {
    name: "Grace Hopper",
    account: "grace",
    unit: "Users",
    groups: &[],
    is_synced: true,
};
/// A user that AdminSDHolder protects.
pub const PROTECTED_USER: Person = Person {
    name: "Ada Admin",
    account: "ada",
    unit: "Users",
    groups: &["Domain Admins"],
    is_synced: true,
};
/// The account that the sync binds as.
pub const CONNECTOR: Person = Person {
    name: "Sync Connector",
    account: "sync-connector",
    unit: "Services",
    groups: &["Key Admins"],
    is_synced: false,
};
/// A helpdesk account whose right to write keys an intruder has stolen.
pub const INTRUDER: Person = Person {
    name: "Mallory Helpdesk",
    account: "mallory",
    unit: "Users",
    groups: &["Key Admins"],
    is_synced: false,
};
/// All of them, in the order in which they are made.
pub const PEOPLE: [Person; 5] = [TEST_USER, SECOND_USER, PROTECTED_USER, CONNECTOR, INTRUDER];
/// The units they live in.
pub const UNITS: [&str; 3] = ["Users", "Services", "Workstations"];
/// A workstation's computer account.
pub const COMPUTER: &str = "WS01";

impl Person {
    /// The distinguished name in `domain`.
    pub fn dn(&self, domain: &Dn) -> Dn {
        unit_dn(domain, self.unit).child(types::Rdn::new("CN", self.name))
    }

    /// The user principal name.
    pub fn upn(&self, dns_domain: &str) -> String {
        format!("{}@{dns_domain}", self.account)
    }
}

/// The distinguished name of a unit.
pub fn unit_dn(domain: &Dn, unit: &str) -> Dn {
    domain.child(types::Rdn::new("OU", unit))
}

/// The distinguished name of the workstation.
pub fn computer_dn(domain: &Dn) -> Dn {
    unit_dn(domain, "Workstations").child(types::Rdn::new("CN", COMPUTER))
}

/// An account as it was made.
#[derive(Debug)]
pub struct Account {
    /// Who.
    pub person: Person,
    /// Its distinguished name.
    pub dn: String,
    /// Its security identifier.
    pub sid: Sid,
    /// `objectGUID`.
    pub guid: types::Guid,
    /// Its password.
    pub password: Secret<String>,
}

/// A random password of 144 bits that needs no quoting in a shell.
pub fn random_password(entropy: &mut dyn Entropy) -> Secret<String> {
    let mut bytes = [0; 18];
    entropy.fill(&mut bytes);
    // The ending satisfies every complexity rule.
    Secret::new(format!(
        "{}-aA1",
        BASE64URL_NOPAD.encode(&bytes).trim_start_matches('-')
    ))
}
