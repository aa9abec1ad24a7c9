//! A directory with many users, all of whom the cloud may speak for.

use std::path::Path;
use std::sync::Arc;

use directory::provision::accounts::{NewComputer, create_computer, create_unit, unicode_password};
use directory::provision::{Plan, provision};
use directory::{
    AddRequest, Directory, Modification, ModificationKind, ModifyRequest, Name, Operation, Options,
    PrincipalName, Principals, Session,
};
use types::{Dn, Rdn, Sid};

use crate::Failure;
use crate::kdc::ours::{Randomness, WallClock};
use crate::kdc::side_by_side::PASSWORD;

/// The directory, and the number of the read-only server in it.
pub(crate) struct Ground {
    pub(crate) directory: Directory,
    pub(crate) number: u16,
    users: usize,
}

const DOMAIN: &str = "corp.contoso.com";
/// Users of one commit.
const BATCH: usize = 500;
/// WORKSTATION_TRUST_ACCOUNT, TRUSTED_TO_AUTHENTICATE_FOR_DELEGATION, PARTIAL_SECRETS_ACCOUNT (MS-ADTS 2.2.16).
const READ_ONLY_CONTROLLER: &str = "83890176";

/// The name of an account.
pub(crate) fn name(number: usize) -> String {
    format!("user{number:06}")
}

impl Ground {
    /// Makes the domain in a file of the folder.
    pub(crate) fn make(folder: &Path, users: usize) -> Result<Self, Failure> {
        let mut options = Options::new(Arc::new(WallClock), Box::new(Randomness));
        // Verifiers for LDAP are not what is measured here.
        options.password_rounds = 10;
        let directory = Directory::open(&folder.join("directory.redb"), options)?;
        let plan = Plan::new(DOMAIN, PASSWORD, &mut Randomness);
        provision(&directory, &plan)?;
        let domain = plan.domain_dn();
        let people = create_unit(&directory, &Session::system(), &domain, "People");
        people?;
        for start in (0..users).step_by(BATCH) {
            let end = users.min(start + BATCH);
            let adds = (start..end).map(|number| add(&domain, number));
            apply(&directory, adds.collect())?;
            let members = (start..end).map(|number| person(&domain, number).to_string());
            let member = Modification::new(ModificationKind::Add, "member", members);
            let allowed = in_users(&domain, "Allowed RODC Password Replication Group");
            apply(&directory, vec![modify(allowed, vec![member])])?;
        }
        let workstation = NewComputer {
            container: &domain.child(Rdn::new("CN", "Computers")),
            name: "WS1",
            password: Some(PASSWORD),
        };
        create_computer(&directory, &Session::system(), &workstation)?;
        let number = trust(&directory, &domain)?;
        Ok(Self {
            directory,
            number,
            users,
        })
    }

    /// Everybody's name and SID.
    pub(crate) fn people(&self) -> Result<Vec<(String, Sid)>, Failure> {
        let principals = Principals::new(self.directory.clone());
        let all = (0..self.users).map(|number| {
            let name = name(number);
            let found = principals.find(PrincipalName::Account(&name))?;
            let sid = found.ok_or("an account is not there")?.sid.clone();
            Ok((name, sid))
        });
        all.collect()
    }
}

/// A write to an object that nobody asks about.
pub(crate) fn write(directory: &Directory, number: u64) -> Result<(), Failure> {
    let domain = Dn::from_dns_domain(DOMAIN);
    let text = Modification::new(
        ModificationKind::Replace,
        "description",
        [number.to_string()],
    );
    let unit = domain.child(Rdn::new("OU", "People"));
    apply(directory, vec![modify(unit, vec![text])])
}

fn add(domain: &Dn, number: usize) -> Operation {
    let name = name(number);
    let request = AddRequest::new(person(domain, number))
        .with("objectClass", ["user"])
        .with("sAMAccountName", [name.as_str()])
        .with("userPrincipalName", [format!("{name}@{DOMAIN}")])
        .with("displayName", [format!("User {number}")])
        .with("userAccountControl", ["512"])
        .with("unicodePwd", [unicode_password(PASSWORD)]);
    Operation::Add(request)
}

fn person(domain: &Dn, number: usize) -> Dn {
    domain
        .child(Rdn::new("OU", "People"))
        .child(Rdn::new("CN", name(number)))
}

/// What `tombolo trust create` makes.
fn trust(directory: &Directory, domain: &Dn) -> Result<u16, Failure> {
    let krbtgt = in_users(domain, "krbtgt_AzureAD");
    let mut request = AddRequest::new(krbtgt.clone())
        .with("objectClass", ["user"])
        .with("userAccountControl", ["514"]);
    request.makes_read_only_krbtgt = true;
    let computer = domain
        .child(Rdn::new("OU", "Domain Controllers"))
        .child(Rdn::new("CN", "AzureADKerberos"));
    let account = AddRequest::new(computer.clone())
        .with("objectClass", ["computer"])
        .with("sAMAccountName", ["AzureADKerberos$"])
        .with("userAccountControl", [READ_ONLY_CONTROLLER]);
    apply(
        directory,
        vec![Operation::Add(request), Operation::Add(account)],
    )?;
    let replace = |attribute: &str, values: Vec<String>| {
        Modification::new(ModificationKind::Replace, attribute, values)
    };
    let allowed = in_users(domain, "Allowed RODC Password Replication Group").to_string();
    let denied = ["Denied RODC Password Replication Group", "Domain Admins"];
    let denied = denied
        .map(|group| in_users(domain, group).to_string())
        .to_vec();
    let lists = vec![
        replace("msDS-KrbTgtLink", vec![krbtgt.to_string()]),
        replace("msDS-RevealOnDemandGroup", vec![allowed]),
        replace("msDS-NeverRevealGroup", denied),
    ];
    let secret = "A-Password-of-the-Kerberos-server-object-1";
    let password = unicode_password(secret);
    let password = Modification::new(ModificationKind::Replace, "unicodePwd", [password]);
    apply(
        directory,
        vec![
            modify(computer, lists),
            modify(krbtgt.clone(), vec![password]),
        ],
    )?;
    number_of(directory, krbtgt)
}

fn number_of(directory: &Directory, krbtgt: Dn) -> Result<u16, Failure> {
    let everything = ldap::Filter::any_object();
    let scope = ldap::Scope::BaseObject;
    let attribute = "msDS-SecondaryKrbTgtNumber";
    let request = directory::SearchRequest::new(Name::Dn(krbtgt), scope, everything)
        .with_attributes([attribute]);
    let found = directory.find_all(&Session::system(), &request)?;
    let number = found.first().and_then(|found| found.text(attribute));
    Ok(number
        .ok_or("the read-only server has no number")?
        .parse()?)
}

fn in_users(domain: &Dn, name: &str) -> Dn {
    domain
        .child(Rdn::new("CN", "Users"))
        .child(Rdn::new("CN", name))
}

fn modify(dn: Dn, steps: Vec<Modification>) -> Operation {
    Operation::Modify(ModifyRequest::new(Name::Dn(dn), steps))
}

fn apply(directory: &Directory, operations: Vec<Operation>) -> Result<(), Failure> {
    let done = directory.apply_all(&Session::system(), operations);
    Ok(done.map(drop).map_err(|(_, error)| error)?)
}
