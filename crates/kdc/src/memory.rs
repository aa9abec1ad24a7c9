//! Accounts in memory: for tests, benchmarks, and realms that live as long as a process.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use kerberos::crypto::{CryptoError, EncryptionType, Key, string_to_key};
use types::{Entropy, Sid, Timestamp};

use crate::accounts::{Account, AccountKind, AccountPolicy, Accounts, KeySet, Lookup, Unavailable};
use crate::key_trust::candidates;
use crate::read_only_server::ReadOnlyServer;

/// The types that an account gets keys of, strongest first.
const TYPES: [EncryptionType; 2] = [
    EncryptionType::AES256_CTS_HMAC_SHA1_96,
    EncryptionType::AES128_CTS_HMAC_SHA1_96,
];

/// A realm's accounts in maps. Later accounts replace earlier ones of the same name.
#[derive(Debug)]
pub struct MemoryAccounts {
    realm: String,
    domain: Sid,
    maps: RwLock<Maps>,
}

#[derive(Debug, Default)]
struct Maps {
    by_name: HashMap<String, Arc<Account>>,
    by_upn: HashMap<String, Arc<Account>>,
    by_spn: HashMap<String, Arc<Account>>,
    by_sid: HashMap<Sid, Arc<Account>>,
    by_key: HashMap<Vec<u8>, Arc<Account>>,
    krbtgt: HashMap<u16, Arc<Account>>,
    read_only: HashMap<u16, Arc<ReadOnlyServer>>,
    next_rid: u32,
}

impl MemoryAccounts {
    /// A realm with nothing but its `krbtgt`, whose keys come from `entropy`.
    pub fn new(realm: &str, domain: Sid, entropy: &mut dyn Entropy) -> Result<Self, CryptoError> {
        let accounts = Self {
            realm: realm.to_owned(),
            domain,
            maps: RwLock::default(),
        };
        accounts.add_krbtgt(0, 2, entropy)?;
        Ok(accounts)
    }

    /// Adds or replaces a ticket granting account with fresh keys.
    pub fn add_krbtgt(
        &self,
        number: u16,
        version: u32,
        entropy: &mut dyn Entropy,
    ) -> Result<(), CryptoError> {
        let keys = TYPES
            .iter()
            .map(|etype| Key::generate(*etype, entropy).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()?;
        let (name, rid) = match number {
            0 => ("krbtgt".to_owned(), 502),
            other => (format!("krbtgt_{other}"), 10_000 + u32::from(other)),
        };
        let mut account = self.draft(&name, AccountKind::Krbtgt(number), rid);
        account.policy.disabled = true;
        account.keys = vec![KeySet {
            version,
            salt: String::new(),
            keys,
            nt_hash: None,
        }];
        self.insert(account, &[]);
        Ok(())
    }

    /// An account that is not yet in the realm: give it keys and facts, then [`MemoryAccounts::insert`] it.
    pub fn draft(&self, name: &str, kind: AccountKind, rid: u32) -> Account {
        let upn = format!("{name}@{}", self.realm.to_ascii_lowercase());
        Account {
            sid: self.domain.with_rid(rid),
            name: name.to_owned(),
            user_principal_name: (kind == AccountKind::User).then_some(upn),
            display_name: name.to_owned(),
            kind,
            keys: Vec::new(),
            policy: AccountPolicy::default(),
            account_control: match kind {
                AccountKind::User => 0x10,
                AccountKind::Computer => 0x80,
                AccountKind::Krbtgt(_) => 0x11,
                AccountKind::Trust => 0x40,
            },
            primary_group: match kind {
                AccountKind::Computer => 515,
                _ => 513,
            },
            groups: Vec::new(),
            password_set: Some(Timestamp::from_unix_seconds(1_767_225_600)),
            logon_count: 0,
            is_service: false,
            key_credentials: Vec::new(),
            allowed_to_delegate_to: Vec::new(),
            allowed_to_act: None,
            supported_encryption_types: None,
        }
    }

    /// The keys of a password: salt of a user, or of a computer (MS-KILE 3.1.1.2).
    pub fn keys_of(
        &self,
        name: &str,
        kind: AccountKind,
        version: u32,
        password: &str,
    ) -> Result<KeySet, CryptoError> {
        let salt = match kind {
            AccountKind::Computer => {
                let host = name.trim_end_matches('$').to_ascii_lowercase();
                let dns = self.realm.to_ascii_lowercase();
                format!("{}host{host}.{dns}", self.realm)
            }
            _ => format!("{}{name}", self.realm),
        };
        let keys = TYPES
            .iter()
            .map(|etype| {
                string_to_key(*etype, password.as_bytes(), salt.as_bytes(), None).map(Arc::new)
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(KeySet {
            version,
            salt,
            keys,
            nt_hash: None,
        })
    }

    /// A user or computer with a password, a free RID and service names; `shape` sets the rest.
    pub fn add(
        &self,
        name: &str,
        password: &str,
        services: &[&str],
        shape: impl FnOnce(&mut Account),
    ) -> Result<Arc<Account>, CryptoError> {
        let kind = if name.ends_with('$') {
            AccountKind::Computer
        } else {
            AccountKind::User
        };
        let rid = {
            let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
            maps.next_rid += 1;
            1103 + maps.next_rid
        };
        let mut account = self.draft(name, kind, rid);
        account.keys = vec![self.keys_of(name, kind, 1, password)?];
        shape(&mut account);
        Ok(self.insert(account, services))
    }

    /// Puts an account in, with its service names.
    pub fn insert(&self, mut account: Account, services: &[&str]) -> Arc<Account> {
        account.is_service |= !services.is_empty();
        let account = Arc::new(account);
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        maps.by_name
            .insert(account.name.to_lowercase(), Arc::clone(&account));
        if let Some(upn) = &account.user_principal_name {
            maps.by_upn.insert(upn.to_lowercase(), Arc::clone(&account));
        }
        for service in services {
            maps.by_spn
                .insert(service.to_lowercase(), Arc::clone(&account));
        }
        if let AccountKind::Krbtgt(number) = account.kind {
            maps.krbtgt.insert(number, Arc::clone(&account));
        }
        for candidate in candidates(&account.key_credentials).0 {
            if let Some(key) = candidate.rsa() {
                maps.by_key
                    .insert(key.spki().to_vec(), Arc::clone(&account));
            }
        }
        maps.by_sid
            .insert(account.sid.clone(), Arc::clone(&account));
        account
    }

    /// Says to whom the ticket granting account with the server's number belongs.
    pub fn set_read_only_server(&self, server: ReadOnlyServer) {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        maps.read_only.insert(server.number, Arc::new(server));
    }

    /// Changes an account where it is, under all its names; its name, kind and SID stay. `None` where there is none.
    pub fn change(&self, sid: &Sid, shape: impl FnOnce(&mut Account)) -> Option<Arc<Account>> {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        let mut account = maps.by_sid.get(sid)?.duplicate();
        let (name, kind) = (account.name.clone(), account.kind);
        shape(&mut account);
        (account.sid, account.name, account.kind) = (sid.clone(), name, kind);
        let account = Arc::new(account);
        let maps = &mut *maps;
        let named = maps.by_name.values_mut().chain(maps.by_upn.values_mut());
        let others = maps.by_spn.values_mut().chain(maps.by_sid.values_mut());
        for place in named.chain(others).chain(maps.krbtgt.values_mut()) {
            if place.sid == account.sid {
                *place = Arc::clone(&account);
            }
        }
        Some(account)
    }

    /// Takes an account out by its name.
    pub fn remove(&self, name: &str) {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        let Some(account) = maps.by_name.remove(&name.to_lowercase()) else {
            return;
        };
        maps.by_upn.retain(|_, other| other.sid != account.sid);
        maps.by_spn.retain(|_, other| other.sid != account.sid);
        maps.by_key.retain(|_, other| other.sid != account.sid);
        maps.by_sid.remove(&account.sid);
    }
}

impl Accounts for MemoryAccounts {
    fn account(&self, by: Lookup<'_>) -> Result<Option<Arc<Account>>, Unavailable> {
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        let found = match by {
            Lookup::Name(name) => maps.by_name.get(&name.to_lowercase()),
            Lookup::UserPrincipalName(name) => maps.by_upn.get(&name.to_lowercase()),
            Lookup::ServicePrincipalName(name) => maps.by_spn.get(&name.to_lowercase()),
            Lookup::Sid(sid) => maps.by_sid.get(sid),
            Lookup::Krbtgt(number) => maps.krbtgt.get(&number),
        };
        Ok(found.cloned())
    }

    fn holder_of_key(&self, spki: &[u8]) -> Result<Option<Arc<Account>>, Unavailable> {
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        Ok(maps.by_key.get(spki).cloned())
    }

    fn read_only_server(&self, number: u16) -> Result<Option<Arc<ReadOnlyServer>>, Unavailable> {
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        Ok(maps.read_only.get(&number).cloned())
    }
}
