//! Provisions the lab's domain and moves its people in.

use directory::provision::accounts::{
    NewComputer, NewUser, create_computer, create_unit, create_user,
};
use directory::provision::key_audit::{self, KeyAudit};
use directory::provision::{Plan, provision};
use directory::schema::SchemaLevel;
use directory::{
    Directory, Modification, ModificationKind, ModifyRequest, Name, Operation, SearchRequest,
    Session,
};
use types::{Dn, Entropy, Guid, Rdn, Secret, Sid};

use crate::Error;
use crate::people::{self, Account, COMPUTER, PEOPLE, Person, UNITS, random_password, unit_dn};

/// The domain as it was made.
#[derive(Debug)]
pub(crate) struct Domain {
    pub(crate) dns_name: String,
    pub(crate) dn: Dn,
    pub(crate) server: String,
    pub(crate) administrator_password: Secret<String>,
    pub(crate) accounts: Vec<Account>,
}

/// Makes the domain, its units, its people and a workstation, and has all writes of keys audited.
pub(crate) fn build(
    directory: &Directory,
    dns_name: &str,
    entropy: &mut dyn Entropy,
) -> Result<Domain, Error> {
    let administrator_password = random_password(entropy);
    let plan = Plan::new(dns_name, administrator_password.expose().as_str(), entropy);
    provision(directory, &plan)?;
    let domain = plan.domain_dn();
    let system = Session::system();
    for unit in UNITS {
        create_unit(directory, &system, &domain, unit)?;
    }
    set_password_rules(directory, &domain)?;
    let has_key_admins = directory.schema().level() == SchemaLevel::WindowsServer2016;
    let mut accounts = Vec::with_capacity(PEOPLE.len());
    for person in PEOPLE {
        accounts.push(move_in(
            directory,
            &domain,
            person,
            has_key_admins,
            entropy,
        )?);
    }
    let machine_password = random_password(entropy);
    let workstation = NewComputer {
        container: &unit_dn(&domain, "Workstations"),
        name: COMPUTER,
        password: Some(machine_password.expose()),
    };
    create_computer(directory, &system, &workstation)?;
    if has_key_admins {
        key_audit::enable(
            directory,
            &system,
            KeyAudit {
                success: true,
                failure: true,
            },
        )?;
    }
    // Membership of a protected group takes effect with the next run of SDProp, here at once.
    directory::access::adminsdholder::propagate(directory)?;
    Ok(Domain {
        dns_name: plan.dns_domain.clone(),
        dn: domain,
        server: plan.server_dns_name(),
        administrator_password,
        accounts,
    })
}

/// A new domain never locks an account, and lets nobody change a password on its first day. Here both are to be seen.
fn set_password_rules(directory: &Directory, domain: &Dn) -> Result<(), Error> {
    let rules = [("minPwdAge", "0"), ("lockoutThreshold", "10")];
    let steps = rules
        .map(|(attribute, value)| Modification::new(ModificationKind::Replace, attribute, [value]))
        .to_vec();
    let request = ModifyRequest::new(Name::Dn(domain.clone()), steps);
    directory.apply(&Session::system(), Operation::Modify(request))?;
    Ok(())
}

fn move_in(
    directory: &Directory,
    domain: &Dn,
    person: Person,
    has_key_admins: bool,
    entropy: &mut dyn Entropy,
) -> Result<Account, Error> {
    let system = Session::system();
    let password = random_password(entropy);
    let user = NewUser {
        container: &unit_dn(domain, person.unit),
        name: person.name,
        account: person.account,
        password: Some(password.expose()),
    };
    let dn = create_user(directory, &system, &user)?;
    for group in person.groups {
        // The Key Admins groups came with Windows Server 2016.
        if *group == "Key Admins" && !has_key_admins {
            continue;
        }
        let member = Modification::new(ModificationKind::Add, "member", [dn.to_string()]);
        let request = ModifyRequest::new(Name::Dn(group_dn(domain, group)), vec![member]);
        directory.apply(&system, Operation::Modify(request))?;
    }
    let (sid, guid) = identity(directory, &dn)?;
    Ok(Account {
        person,
        dn: dn.to_string(),
        sid,
        guid,
        password,
    })
}

/// The distinguished name of a built-in group of the domain.
pub(crate) fn group_dn(domain: &Dn, group: &str) -> Dn {
    domain
        .child(Rdn::new("CN", "Users"))
        .child(Rdn::new("CN", group))
}

/// The container whose descriptor protected accounts get.
pub(crate) fn admin_sd_holder_dn(domain: &Dn) -> Dn {
    domain
        .child(Rdn::new("CN", "System"))
        .child(Rdn::new("CN", "AdminSDHolder"))
}

pub(crate) fn identity(directory: &Directory, dn: &Dn) -> Result<(Sid, Guid), Error> {
    let everything = ldap::Filter::any_object();
    let request = SearchRequest::new(Name::Dn(dn.clone()), ldap::Scope::BaseObject, everything)
        .with_attributes(["objectSid", "objectGUID"]);
    let found = directory.find_all(&Session::system(), &request)?;
    let value = |attribute: &str| {
        found
            .first()
            .and_then(|entry| entry.values(attribute).first())
    };
    let sid = value("objectSid").and_then(|bytes| Sid::from_bytes(bytes).ok());
    let guid = value("objectGUID")
        .and_then(|bytes| <[u8; 16]>::try_from(bytes.as_slice()).ok())
        .map(Guid::from_bytes_le);
    sid.zip(guid)
        .ok_or_else(|| Error::Story(format!("{dn} has no objectSid or no objectGUID")))
}

/// The distinguished name of the workstation.
pub(crate) fn workstation_dn(domain: &Dn) -> Dn {
    people::computer_dn(domain)
}
