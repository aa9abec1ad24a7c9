//! From principal names to accounts: clients (RFC 6806 enterprise names, user principal names) and services.
//!
//! Deliberately absent: adding a `$` to a name that is not found. It let an account that was renamed to a domain
//! controller's name without its `$` borrow the controller's tickets (CVE-2021-42278, CVE-2021-42287).

use std::sync::Arc;

use kerberos::messages::{ErrorCode, NameType, PrincipalName};

use crate::accounts::{Account, AccountKind, Accounts, Lookup};
use crate::refusal::Refusal;
use crate::settings::Settings;

/// What a ticket is for.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) account: Arc<Account>,
    pub(crate) role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The realm's own ticket granting service.
    TicketGranting,
    /// `kadmin/changepw`, which has the same keys and must never be taken for it (CVE-2022-2031).
    ChangePassword,
    /// Anything else.
    Other,
}

/// The account of a client's name. Service names of several parts never sign in.
pub(crate) fn client(
    accounts: &dyn Accounts,
    settings: &Settings,
    name: &PrincipalName,
) -> Result<Arc<Account>, Refusal> {
    let found = match name.parts().as_deref() {
        Some([one]) => by_one_part(accounts, settings, name.name_type, one)?,
        _ => None,
    };
    found.ok_or_else(|| {
        let why = format!("no account signs in as '{name}'");
        Refusal::new(ErrorCode::KDC_ERR_C_PRINCIPAL_UNKNOWN, why)
    })
}

/// The service of a ticket.
pub(crate) fn service(
    accounts: &dyn Accounts,
    settings: &Settings,
    name: &PrincipalName,
) -> Result<Service, Refusal> {
    let unknown = || {
        let why = format!("no service is called '{name}'");
        Refusal::new(ErrorCode::KDC_ERR_S_PRINCIPAL_UNKNOWN, why)
    };
    let parts = name.parts().ok_or_else(unknown)?;
    let (found, role) = match *parts {
        ["krbtgt", realm] if settings.is_own_realm(realm) => {
            (accounts.account(Lookup::Krbtgt(0))?, Role::TicketGranting)
        }
        ["kadmin", "changepw"] => (accounts.account(Lookup::Krbtgt(0))?, Role::ChangePassword),
        // Other realms: there are no trusts here, so nothing to refer to.
        ["krbtgt", ..] | [] => (None, Role::Other),
        [one] => (
            by_one_part(accounts, settings, name.name_type, one)?,
            Role::Other,
        ),
        _ => {
            let joined = parts.join("/");
            (
                accounts.account(Lookup::ServicePrincipalName(&joined))?,
                Role::Other,
            )
        }
    };
    let account = found.ok_or_else(unknown)?;
    // By its account name `krbtgt` is reached neither as client nor as service.
    if role == Role::Other && !account.is_client() {
        return Err(unknown());
    }
    Ok(Service { account, role })
}

/// A ticket granting account: of the domain, or of a read-only domain controller.
pub(crate) fn krbtgt(accounts: &dyn Accounts, number: u16) -> Result<Arc<Account>, Refusal> {
    let found = accounts.account(Lookup::Krbtgt(number))?;
    found
        .filter(|account| account.kind == AccountKind::Krbtgt(number))
        .ok_or_else(|| {
            let why = format!("no ticket granting account has the number {number}");
            Refusal::new(ErrorCode::KRB_AP_ERR_NOKEY, why)
        })
}

fn by_one_part(
    accounts: &dyn Accounts,
    settings: &Settings,
    name_type: NameType,
    name: &str,
) -> Result<Option<Arc<Account>>, Refusal> {
    if name_type != NameType::NT_ENTERPRISE {
        if let Some(account) = accounts.account(Lookup::Name(name))? {
            return Ok(Some(account));
        }
        let implied = format!("{name}@{}", settings.realm);
        return Ok(accounts.account(Lookup::UserPrincipalName(&implied))?);
    }
    if let Some(account) = accounts.account(Lookup::UserPrincipalName(name))? {
        return Ok(Some(account));
    }
    match name.rsplit_once('@') {
        Some((name, realm)) if settings.is_own_realm(realm) => {
            Ok(accounts.account(Lookup::Name(name))?)
        }
        Some(_) => Ok(None),
        None => Ok(accounts.account(Lookup::Name(name))?),
    }
}
