//! Fills a new directory: a forest of one domain with one domain controller, as Windows Server makes it.
//!
//! [`provision`] writes everything in one commit. [`accounts`] makes users, computers and groups by the ordinary add
//! path; [`key_audit`] puts the audit entry for key writes in place, which no directory has by default.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory: directory::Directory = unimplemented!();
//! # let mut entropy = types::SeededEntropy::new(1);
//! use directory::provision::{Plan, provision};
//! let plan = Plan::new("corp.contoso.com", "An administrator's passw0rd", &mut entropy);
//! provision(&directory, &plan)?;
//! # Ok(())
//! # }
//! ```
//!
//! Deliberately absent: group policy objects, DNS zones, and display specifiers: nothing here reads them.

pub mod accounts;
mod configuration;
mod descriptors;
mod domain;
pub mod key_audit;
mod object;
mod principals;

use types::{Dn, Entropy, Rdn, Secret, Sid};

use crate::access::adminsdholder;
use crate::schema::{Schema, SchemaLevel};
use crate::{Directory, Error, Operation, Session};

/// How far Microsoft's own domain preparation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Generation {
    /// As since Windows Server 1709 and 2019: Enterprise Key Admins may write keys.
    #[default]
    Current,
    /// As the first Windows Server 2016 left it (operation 87): Enterprise Key Admins have full control of the domain.
    Server2016Rtm,
}

/// What the new domain is to be.
#[derive(Debug)]
pub struct Plan {
    /// `corp.contoso.com`
    pub dns_domain: String,
    /// `CORP`
    pub netbios_domain: String,
    /// The domain controller's host name, `DC1`.
    pub server: String,
    /// The name of the only site.
    pub site: String,
    /// `S-1-5-21-...`
    pub domain_sid: Sid,
    /// What Enterprise Key Admins may do.
    pub generation: Generation,
    /// Makes OU=Users and in it CN=Test User (`testuser`) with the administrator's password.
    pub has_test_user: bool,
    admin_password: Secret<String>,
    krbtgt_password: Secret<String>,
    server_password: Secret<String>,
}

impl Plan {
    /// The usual choices for a domain of this name. `entropy` gives the domain's SID and the passwords nobody types.
    pub fn new(
        dns_domain: &str,
        admin_password: impl Into<String>,
        entropy: &mut dyn Entropy,
    ) -> Self {
        let label = dns_domain.split('.').next().unwrap_or_default();
        let mut number = || {
            let mut bytes = [0; 4];
            entropy.fill(&mut bytes);
            u32::from_le_bytes(bytes)
        };
        let domain_sid = Sid::nt(&[21, number(), number(), number()]);
        Self {
            dns_domain: dns_domain.to_lowercase(),
            // NetBIOS names have at most 15 characters.
            netbios_domain: label.to_uppercase().chars().take(15).collect(),
            server: "DC1".into(),
            site: "Default-First-Site-Name".into(),
            domain_sid,
            generation: Generation::default(),
            has_test_user: false,
            admin_password: Secret::new(admin_password.into()),
            krbtgt_password: accounts::random_password(entropy),
            server_password: accounts::random_password(entropy),
        }
    }

    /// `corp.contoso.com` with the user `testuser`, the same for ever: for tests and measurements, never for secrets.
    pub fn example(password: impl Into<String>) -> Self {
        let mut entropy = types::SeededEntropy::new(20_260_601);
        Self {
            has_test_user: true,
            ..Self::new("corp.contoso.com", password, &mut entropy)
        }
    }

    /// `DC=corp,DC=contoso,DC=com`
    pub fn domain_dn(&self) -> Dn {
        Dn::from_dns_domain(&self.dns_domain)
    }

    /// `CN=Configuration,DC=corp,DC=contoso,DC=com`
    pub fn configuration_dn(&self) -> Dn {
        self.domain_dn().child(Rdn::new("CN", "Configuration"))
    }

    /// `CN=Schema,CN=Configuration,DC=corp,DC=contoso,DC=com`
    pub fn schema_dn(&self) -> Dn {
        self.configuration_dn().child(Rdn::new("CN", "Schema"))
    }

    /// `dc1.corp.contoso.com`
    pub fn server_dns_name(&self) -> String {
        format!("{}.{}", self.server.to_lowercase(), self.dns_domain)
    }

    /// The NTDS Settings object of the domain controller.
    fn ntds_settings_dn(&self) -> Dn {
        self.server_dn().child(Rdn::new("CN", "NTDS Settings"))
    }

    fn server_dn(&self) -> Dn {
        self.configuration_dn()
            .child(Rdn::new("CN", "Sites"))
            .child(Rdn::new("CN", self.site.as_str()))
            .child(Rdn::new("CN", "Servers"))
            .child(Rdn::new("CN", self.server.as_str()))
    }

    fn computer_dn(&self) -> Dn {
        self.domain_dn()
            .child(Rdn::new("OU", "Domain Controllers"))
            .child(Rdn::new("CN", self.server.as_str()))
    }
}

/// All objects of a new domain, parents first, and the values that refer to objects made later.
///
/// Protected accounts are not marked yet: that is the last step of [`provision`].
pub fn operations(schema: &Schema, plan: &Plan) -> Result<Vec<Operation>, Error> {
    let has_keys = schema.level() == SchemaLevel::WindowsServer2016;
    let mut list = Vec::new();
    domain::heads(&mut list, schema, plan)?;
    domain::containers(&mut list, plan);
    configuration::objects(&mut list, plan);
    principals::groups(&mut list, plan, has_keys);
    principals::accounts(&mut list, plan);
    principals::members(&mut list, plan);
    if has_keys {
        domain::keys_container(&mut list, schema, plan)?;
    }
    domain::references(&mut list, plan, has_keys);
    if plan.has_test_user {
        principals::test_user(&mut list, plan);
    }
    Ok(list)
}

/// Writes a new domain into an empty directory and protects its administrators.
pub fn provision(directory: &Directory, plan: &Plan) -> Result<(), Error> {
    let operations = operations(directory.schema(), plan)?;
    directory
        .apply_all(&Session::system(), operations)
        .map_err(|(_, error)| error)?;
    adminsdholder::propagate(directory).map(|_| ())
}

#[cfg(test)]
mod tests;
