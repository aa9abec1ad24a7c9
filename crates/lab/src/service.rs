//! Services that join the domain: a computer's account for each host, and a keytab for the services on it.

use directory::provision::accounts::{NewComputer, create_computer};
use directory::{
    Directory, Modification, ModificationKind, ModifyRequest, Name, Operation, PrincipalName,
    Principals, Session,
};
use types::{Dn, Entropy};

use crate::Error;
use crate::people::{random_password, unit_dn};

/// Makes sure that the domain knows `service` (`HTTP/www.corp.contoso.com`), and gives the account that runs it.
pub(crate) fn join(
    directory: &Directory,
    principals: &Principals,
    domain: &Dn,
    service: &str,
    entropy: &mut dyn Entropy,
) -> Result<String, Error> {
    let host = host_of(service, &domain.dns_domain())?;
    let account = format!("{host}$");
    let system = Session::system();
    if principals.find(PrincipalName::Account(&account))?.is_none() {
        let password = random_password(entropy);
        let computer = NewComputer {
            container: &unit_dn(domain, "Workstations"),
            name: &host,
            password: Some(password.expose()),
        };
        create_computer(directory, &system, &computer)?;
    }
    // HOST stands for most services; the others are written down.
    if principals.find(PrincipalName::Service(service))?.is_none() {
        let add = Modification::new(ModificationKind::Add, "servicePrincipalName", [service]);
        let dn = unit_dn(domain, "Workstations").child(types::Rdn::new("CN", host.as_str()));
        let request = ModifyRequest::new(Name::Dn(dn), vec![add]);
        directory.apply(&system, Operation::Modify(request))?;
    }
    Ok(account)
}

/// `WWW` of `HTTP/www.corp.contoso.com`, whose name must be one of the domain's.
fn host_of(service: &str, domain: &str) -> Result<String, Error> {
    let host = service
        .split_once('/')
        .filter(|(class, _)| !class.is_empty())
        .and_then(|(_, name)| name.strip_suffix(domain)?.strip_suffix('.'));
    match host {
        // A computer's account has at most 15 characters before the `$` (NetBIOS).
        Some(host)
            if (1..=15).contains(&host.len())
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') =>
        {
            Ok(host.to_ascii_uppercase())
        }
        _ => Err(Error::Story(format!(
            "'{service}' is no service of this domain: write CLASS/HOST.{domain}, HOST of at most 15 letters, digits \
             and hyphens"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_services() {
        let check = |service: &str, expect: Option<&str>| {
            let host = host_of(service, "corp.contoso.com").ok();
            assert_eq!(host.as_deref(), expect, "{service}");
        };
        check("HTTP/www.corp.contoso.com", Some("WWW"));
        check("cifs/fs-1.corp.contoso.com", Some("FS-1"));
        for wrong in [
            "www.corp.contoso.com",
            "/www.corp.contoso.com",
            "HTTP/www.example.com",
            "HTTP/corp.contoso.com",
            "HTTP/.corp.contoso.com",
            "HTTP/a.b.corp.contoso.com",
            "HTTP/averyveryverylongname.corp.contoso.com",
            "HTTP/evilcorp.contoso.com",
        ] {
            check(wrong, None);
        }
    }
}
