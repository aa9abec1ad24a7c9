//! Makes users, computers, groups and organizational units by the ordinary add path: whoever asks needs the right.

use types::{Dn, Entropy, Rdn, Secret};

use super::object::object;
use crate::{AddRequest, Directory, Error, Operation, Session};

/// A new user.
#[derive(Debug)]
pub struct NewUser<'a> {
    /// Where: `OU=Users,DC=corp,DC=contoso,DC=com`.
    pub container: &'a Dn,
    /// `cn`: `Test User`.
    pub name: &'a str,
    /// `sAMAccountName`: `testuser`. The UPN is made from it and the domain.
    pub account: &'a str,
    /// The password; without one the account is disabled.
    pub password: Option<&'a str>,
}

/// A new computer.
#[derive(Debug)]
pub struct NewComputer<'a> {
    /// Where: `CN=Computers,..`.
    pub container: &'a Dn,
    /// `PC1`; the account is `PC1$`.
    pub name: &'a str,
    /// The password, where the computer is to sign in.
    pub password: Option<&'a str>,
}

/// NORMAL_ACCOUNT (MS-ADTS 2.2.16).
const NORMAL_ACCOUNT: u32 = 0x200;
/// WORKSTATION_TRUST_ACCOUNT
const WORKSTATION: u32 = 0x1000;
/// ACCOUNTDISABLE
const DISABLED: u32 = 0x2;

/// Makes a user and gives its name.
pub fn create_user(
    directory: &Directory,
    session: &Session,
    user: &NewUser<'_>,
) -> Result<Dn, Error> {
    let dn = user.container.child(Rdn::new("CN", user.name));
    let control = NORMAL_ACCOUNT | user.password.map_or(DISABLED, |_| 0);
    let request = object(dn.clone(), "user")
        .with("sAMAccountName", [user.account])
        .with(
            "userPrincipalName",
            [format!("{}@{}", user.account, dn.dns_domain())],
        )
        .with("displayName", [user.name])
        .with("userAccountControl", [control.to_string()]);
    add(directory, session, with_password(request, user.password)).map(|()| dn)
}

/// Makes a computer and gives its name.
pub fn create_computer(
    directory: &Directory,
    session: &Session,
    computer: &NewComputer<'_>,
) -> Result<Dn, Error> {
    let dn = computer.container.child(Rdn::new("CN", computer.name));
    let host = format!("{}.{}", computer.name.to_lowercase(), dn.dns_domain());
    let request = object(dn.clone(), "computer")
        .with("sAMAccountName", [format!("{}$", computer.name)])
        .with(
            "servicePrincipalName",
            [
                format!("HOST/{}", computer.name),
                format!("HOST/{host}"),
                format!("RestrictedKrbHost/{}", computer.name),
                format!("RestrictedKrbHost/{host}"),
            ],
        )
        .with("dNSHostName", [host])
        .with("userAccountControl", [WORKSTATION.to_string()]);
    add(
        directory,
        session,
        with_password(request, computer.password),
    )
    .map(|()| dn)
}

/// Makes a global security group with these members and gives its name.
pub fn create_group(
    directory: &Directory,
    session: &Session,
    container: &Dn,
    name: &str,
    members: &[Dn],
) -> Result<Dn, Error> {
    let dn = container.child(Rdn::new("CN", name));
    let mut request = object(dn.clone(), "group")
        .with("sAMAccountName", [name])
        .with("groupType", ["-2147483646"]);
    if !members.is_empty() {
        request = request.with("member", members.iter().map(Dn::to_string));
    }
    add(directory, session, request).map(|()| dn)
}

/// Makes an organizational unit and gives its name.
pub fn create_unit(
    directory: &Directory,
    session: &Session,
    parent: &Dn,
    name: &str,
) -> Result<Dn, Error> {
    let dn = parent.child(Rdn::new("OU", name));
    add(directory, session, object(dn.clone(), "organizationalUnit")).map(|()| dn)
}

fn with_password(request: AddRequest, password: Option<&str>) -> AddRequest {
    match password {
        Some(password) => request.with("unicodePwd", [unicode_password(password)]),
        None => request,
    }
}

fn add(directory: &Directory, session: &Session, request: AddRequest) -> Result<(), Error> {
    directory
        .apply(session, Operation::Add(request))
        .map(|_| ())
}

/// The form of `unicodePwd`: in quotes, UTF-16LE (MS-ADTS 3.1.1.3.1.5).
pub fn unicode_password(password: &str) -> Vec<u8> {
    format!("\"{password}\"")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect()
}

/// A password that nobody will type, with characters of all kinds.
pub(super) fn random_password(entropy: &mut dyn Entropy) -> Secret<String> {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes);
    Secret::new(format!(
        "{}aA1!",
        data_encoding::BASE64_NOPAD.encode(&bytes)
    ))
}
