//! Passwords of accounts in memory, with the rules of a domain.

use std::sync::Arc;

use kerberos::crypto::string_to_key;
use types::{Secret, Sid, Timestamp};

use crate::accounts::{Account, Accounts as _, KeySet, Lookup};
use crate::memory::MemoryAccounts;
use crate::passwords::{PasswordRefused, PasswordRules, Passwords, PolicyBreach};

/// Changes passwords of [`MemoryAccounts`]. The history is as long as the keys that are kept: two passwords.
#[derive(Debug)]
pub struct MemoryPasswords {
    accounts: Arc<MemoryAccounts>,
    rules: PasswordRules,
    writers: Vec<Sid>,
}

impl MemoryPasswords {
    /// `writers` may set everybody's passwords.
    pub fn new(accounts: Arc<MemoryAccounts>, rules: PasswordRules, writers: Vec<Sid>) -> Self {
        Self {
            accounts,
            rules,
            writers,
        }
    }

    fn account(&self, sid: &Sid) -> Result<Arc<Account>, PasswordRefused> {
        let found = self.accounts.account(Lookup::Sid(sid));
        let found = found.map_err(|error| PasswordRefused::Unavailable(error.to_string()))?;
        found
            .filter(|account| account.is_client())
            .ok_or(PasswordRefused::NoSuchAccount)
    }

    fn breach(&self, breach: PolicyBreach) -> PasswordRefused {
        let rules = self.rules;
        PasswordRefused::Policy { breach, rules }
    }

    fn check(&self, account: &Account, new: &str) -> Result<(), PasswordRefused> {
        let length = u32::try_from(new.chars().count()).unwrap_or(u32::MAX);
        if length < self.rules.length_min {
            return Err(self.breach(PolicyBreach::TooShort));
        }
        if self.rules.must_be_complex && !is_complex(account, new) {
            return Err(self.breach(PolicyBreach::NotComplex));
        }
        Ok(())
    }

    fn write(&self, account: &Account, new: &str, now: Timestamp) -> Result<(), PasswordRefused> {
        let version = account.current().map_or(0, |set| set.version) + 1;
        let keys = self
            .accounts
            .keys_of(&account.name, account.kind, version, new)
            .map_err(|error| PasswordRefused::Unavailable(error.to_string()))?;
        let ends = (self.rules.age_s_max != 0).then(|| now.plus_seconds(self.rules.age_s_max));
        let changed = self.accounts.change(&account.sid, |account| {
            account.keys.insert(0, keys);
            account.keys.truncate(2);
            account.password_set = Some(now);
            account.policy.must_change_password = false;
            account.policy.password_expires = ends;
        });
        changed.map(drop).ok_or(PasswordRefused::NoSuchAccount)
    }
}

impl Passwords for MemoryPasswords {
    fn change(
        &self,
        account: &Sid,
        new: &Secret<String>,
        now: Timestamp,
    ) -> Result<(), PasswordRefused> {
        let account = self.account(account)?;
        let age_s = account.password_set.map(|set| now.seconds_since(set));
        let must = account.policy.must_change_password;
        if !must && age_s.is_some_and(|age_s| age_s < self.rules.age_s_min) {
            return Err(self.breach(PolicyBreach::TooYoung));
        }
        self.check(&account, new.expose())?;
        let was_used = account.keys.iter().any(|set| is_of(set, new.expose()));
        if self.rules.history > 0 && was_used {
            return Err(self.breach(PolicyBreach::InHistory));
        }
        self.write(&account, new.expose(), now)
    }

    fn set(
        &self,
        writer: &Sid,
        account: &Sid,
        new: &Secret<String>,
        now: Timestamp,
    ) -> Result<(), PasswordRefused> {
        if !self.writers.contains(writer) {
            return Err(PasswordRefused::AccessDenied);
        }
        let account = self.account(account)?;
        self.check(&account, new.expose())?;
        self.write(&account, new.expose(), now)
    }
}

/// Whether the keys are those of the password.
fn is_of(set: &KeySet, password: &str) -> bool {
    set.keys.first().is_some_and(|key| {
        let made = string_to_key(key.etype(), password.as_bytes(), set.salt.as_bytes(), None);
        made.is_ok_and(|made| made == **key)
    })
}

/// Three kinds of characters, and not the account's name (MS-SAMR 3.1.1.7.2).
fn is_complex(account: &Account, password: &str) -> bool {
    let has = |kind: fn(char) -> bool| u8::from(password.chars().any(kind));
    let kinds = has(char::is_lowercase)
        + has(char::is_uppercase)
        + has(char::is_numeric)
        + has(|c| !c.is_alphanumeric());
    let names_itself = account.name.chars().count() > 2
        && password
            .to_lowercase()
            .contains(&account.name.to_lowercase());
    kinds >= 3 && !names_itself
}
