//! The directory's accounts as the KDC wants them: each room's words in those of the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use directory::{Principal, PrincipalName, Principals, ReadOnlyController};
use kdc::{
    Account, AccountKind, AccountPolicy, Accounts, KeySet, Lookup, ReadOnlyServer, Unavailable,
};
use kerberos::messages::SupportedEncryptionTypes;
use types::{Guid, Secret, Timestamp};

use crate::key_index::KeyIndex;

/// `kdc::Accounts` over a directory.
#[derive(Debug)]
pub struct DirectoryAccounts {
    principals: Arc<Principals>,
    // The directory keeps what it read for as long as it holds; what was made of it holds as long.
    made: RwLock<HashMap<Guid, Made>>,
    servers: RwLock<HashMap<u16, MadeServer>>,
    keys: Mutex<KeyIndex>,
}

/// What was read, and what was made of it.
type Made = (Arc<Principal>, Arc<Account>);
/// The same of a read-only server.
type MadeServer = (Arc<ReadOnlyController>, Arc<ReadOnlyServer>);

impl DirectoryAccounts {
    /// Over what is read of a directory.
    pub fn new(principals: Arc<Principals>) -> Self {
        Self {
            principals,
            made: RwLock::default(),
            servers: RwLock::default(),
            keys: Mutex::default(),
        }
    }
}

impl Accounts for DirectoryAccounts {
    fn account(&self, by: Lookup<'_>) -> Result<Option<Arc<Account>>, Unavailable> {
        let name = match by {
            Lookup::Name(name) => PrincipalName::Account(name),
            Lookup::UserPrincipalName(name) => PrincipalName::UserPrincipalName(name),
            Lookup::ServicePrincipalName(name) => PrincipalName::Service(name),
            Lookup::Sid(sid) => PrincipalName::Sid(sid),
            Lookup::Krbtgt(number) => PrincipalName::Krbtgt(number),
        };
        let found = self
            .principals
            .find(name)
            .map_err(|error| Unavailable(error.to_string()))?;
        let Some(principal) = found else {
            return Ok(None);
        };
        let made = self.made.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, account)) = made.get(&principal.guid)
            && Arc::ptr_eq(of, &principal)
        {
            return Ok(Some(Arc::clone(account)));
        }
        drop(made);
        let account = Arc::new(account(&principal));
        let mut made = self.made.write().unwrap_or_else(PoisonError::into_inner);
        if made.len() >= MADE_MAX {
            made.clear();
        }
        made.insert(principal.guid, (principal, Arc::clone(&account)));
        Ok(Some(account))
    }

    fn holder_of_key(&self, spki: &[u8]) -> Result<Option<Arc<Account>>, Unavailable> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let holders = self
            .principals
            .key_holders(keys.usn)
            .map_err(|error| Unavailable(error.to_string()))?;
        keys.follow(holders);
        let holder = keys.holder(spki).cloned();
        drop(keys);
        holder.map_or(Ok(None), |sid| self.account(Lookup::Sid(&sid)))
    }

    fn read_only_server(&self, number: u16) -> Result<Option<Arc<ReadOnlyServer>>, Unavailable> {
        let found = self
            .principals
            .read_only_server(number)
            .map_err(|error| Unavailable(error.to_string()))?;
        let Some(controller) = found else {
            return Ok(None);
        };
        let servers = self.servers.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, server)) = servers.get(&number)
            && Arc::ptr_eq(of, &controller)
        {
            return Ok(Some(Arc::clone(server)));
        }
        drop(servers);
        let server = Arc::new(server(number, &controller));
        let mut servers = self.servers.write().unwrap_or_else(PoisonError::into_inner);
        servers.insert(number, (controller, Arc::clone(&server)));
        Ok(Some(server))
    }
}

fn server(number: u16, controller: &ReadOnlyController) -> ReadOnlyServer {
    let has = |bit: u32| controller.account_control & bit != 0;
    ReadOnlyServer {
        number,
        sid: controller.sid.clone(),
        name: controller.account_name.clone(),
        disabled: has(DISABLED),
        partial_secrets: has(PARTIAL_SECRETS),
        allowed: controller.reveal_on_demand.clone(),
        denied: controller.never_reveal.clone(),
        revealed: None,
    }
}

const MADE_MAX: usize = 200_000;

fn account(principal: &Principal) -> Account {
    let kind = match principal.krbtgt_number {
        Some(number) => AccountKind::Krbtgt(number),
        None if principal.account_control & INTERDOMAIN_TRUST != 0 => AccountKind::Trust,
        None if principal.is_computer => AccountKind::Computer,
        None => AccountKind::User,
    };
    Account {
        sid: principal.sid.clone(),
        name: principal.account_name.clone(),
        user_principal_name: principal.user_principal_name.clone(),
        display_name: principal.display_name.clone(),
        kind,
        keys: principal.keys.iter().map(key_set).collect(),
        policy: policy(principal, kind),
        account_control: samr_control(principal.account_control),
        primary_group: principal.primary_group,
        groups: principal.groups.clone(),
        password_set: principal.password_set,
        logon_count: principal.logon_count,
        is_service: !principal.service_names.is_empty(),
        key_credentials: principal.key_credentials.clone(),
        allowed_to_delegate_to: principal.allowed_to_delegate_to.clone(),
        allowed_to_act: principal.allowed_to_act.clone(),
        supported_encryption_types: principal
            .supported_encryption_types
            .map(SupportedEncryptionTypes),
    }
}

fn key_set(set: &directory::KeySet) -> KeySet {
    KeySet {
        version: set.version,
        salt: set.salt.clone(),
        keys: set.keys.clone(),
        nt_hash: set.nt_hash.as_ref().map(|hash| {
            Secret::filled_by(|place: &mut [u8; 16]| place.copy_from_slice(hash.expose()))
        }),
    }
}

fn policy(principal: &Principal, kind: AccountKind) -> AccountPolicy {
    let has = |bit: u32| principal.account_control & bit != 0;
    let is_person = kind == AccountKind::User;
    let protected = principal
        .sid
        .domain()
        .map(|of| of.with_rid(PROTECTED_USERS));
    let is_protected = protected.is_some_and(|group| principal.groups.contains(&group));
    // The passwords of machines do not end, and those that never end are not changed by force (MS-KILE 3.3.5.7.1).
    let ends = |moment: Option<Timestamp>| moment.filter(|_| is_person);
    AccountPolicy {
        disabled: has(DISABLED),
        expires: principal.expires,
        locked_until: principal.locked_until,
        logon_hours: principal.logon_hours,
        must_change_password: is_person
            && principal.password_set.is_none()
            && !has(PASSWORD_DOES_NOT_EXPIRE),
        password_expires: ends(principal.password_expires),
        smartcard_required: has(SMARTCARD_REQUIRED),
        no_preauthentication: has(NO_PREAUTHENTICATION),
        not_delegated: has(NOT_DELEGATED),
        trusted_for_delegation: has(TRUSTED_FOR_DELEGATION),
        trusted_to_authenticate_for_delegation: has(TRUSTED_TO_AUTHENTICATE),
        ticket_lifetime_s_max: is_protected.then_some(4 * 3600),
    }
}

/// RID of the group Protected Users, whose members' tickets live four hours.
const PROTECTED_USERS: u32 = 525;

// `userAccountControl`, MS-ADTS 2.2.16.
const DISABLED: u32 = 0x2;
const INTERDOMAIN_TRUST: u32 = 0x800;
const PASSWORD_DOES_NOT_EXPIRE: u32 = 0x1_0000;
const SMARTCARD_REQUIRED: u32 = 0x4_0000;
const TRUSTED_FOR_DELEGATION: u32 = 0x8_0000;
const NOT_DELEGATED: u32 = 0x10_0000;
const NO_PREAUTHENTICATION: u32 = 0x40_0000;
const TRUSTED_TO_AUTHENTICATE: u32 = 0x100_0000;
const PARTIAL_SECRETS: u32 = 0x400_0000;

/// `(bit of the LDAP attribute, bit of the PAC)`: MS-ADTS 2.2.16 beside MS-SAMR 2.2.1.12.
const CONTROL_BITS: &[(u32, u32)] = &[
    (DISABLED, 0x1),
    (0x8, 0x2),
    (0x20, 0x4),
    (0x100, 0x8),
    (0x200, 0x10),
    (0x2_0000, 0x20),
    (INTERDOMAIN_TRUST, 0x40),
    (0x1000, 0x80),
    (0x2000, 0x100),
    (PASSWORD_DOES_NOT_EXPIRE, 0x200),
    (0x10, 0x400),
    (0x80, 0x800),
    (SMARTCARD_REQUIRED, 0x1000),
    (TRUSTED_FOR_DELEGATION, 0x2000),
    (NOT_DELEGATED, 0x4000),
    (0x20_0000, 0x8000),
    (NO_PREAUTHENTICATION, 0x1_0000),
    (0x80_0000, 0x2_0000),
    (TRUSTED_TO_AUTHENTICATE, 0x4_0000),
    (0x200_0000, 0x8_0000),
    (PARTIAL_SECRETS, 0x10_0000),
];

fn samr_control(ldap: u32) -> u32 {
    CONTROL_BITS
        .iter()
        .filter(|(bit, _)| ldap & bit != 0)
        .fold(0, |all, (_, bit)| all | bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn account_control_is_told_in_the_bits_of_samr() {
        let check = |ldap, samr| assert_eq!(samr_control(ldap), samr, "{ldap:#x}");
        check(0x200, 0x10);
        check(0x202, 0x11);
        // A domain controller: SERVER_TRUST_ACCOUNT | TRUSTED_FOR_DELEGATION.
        check(0x8_2000, 0x2100);
        // A read-only one.
        check(0x500_1000, 0x14_0080);
        check(0, 0);
    }
}
