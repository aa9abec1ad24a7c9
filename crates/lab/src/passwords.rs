//! Passwords that come by Kerberos: `kdc::Passwords` over the directory, and the domain's rules for them
//! (MS-SAMR 3.1.1.7.1).
//!
//! Deliberately absent: a history longer than the password before the present one. The directory keeps no more.

use std::sync::Arc;

use directory::provision::accounts::unicode_password;
use directory::{
    Directory, Modification, ModificationKind, ModifyRequest, Name, Operation, Principal,
    PrincipalName, Principals, SearchRequest, Session,
};
use kdc::{LockoutPolicy, PasswordRefused, PasswordRules, Passwords, PolicyBreach};
use kerberos::crypto::string_to_key;
use types::{Secret, Sid, Timestamp};

use crate::Error;

/// `kdc::Passwords` over a directory.
#[derive(Debug)]
pub(crate) struct DirectoryPasswords {
    directory: Directory,
    principals: Arc<Principals>,
}

impl DirectoryPasswords {
    pub(crate) fn new(directory: Directory, principals: Arc<Principals>) -> Self {
        Self {
            directory,
            principals,
        }
    }

    fn principal(&self, account: &Sid) -> Result<Arc<Principal>, PasswordRefused> {
        let found = self.principals.find(PrincipalName::Sid(account));
        found
            .map_err(unavailable)?
            .ok_or(PasswordRefused::NoSuchAccount)
    }

    fn write(
        &self,
        session: &Session,
        account: &Sid,
        new: &Secret<String>,
    ) -> Result<(), PasswordRefused> {
        let value = unicode_password(new.expose());
        let step = Modification::new(ModificationKind::Replace, "unicodePwd", [value]);
        let request = ModifyRequest::new(Name::Sid(account.clone()), vec![step]);
        let done = self.directory.apply(session, Operation::Modify(request));
        done.map(|_| ()).map_err(|error| match error.code() {
            ldap::ResultCode::INSUFFICIENT_ACCESS_RIGHTS => PasswordRefused::AccessDenied,
            ldap::ResultCode::NO_SUCH_OBJECT => PasswordRefused::NoSuchAccount,
            _ => unavailable(error),
        })
    }
}

fn unavailable(error: directory::Error) -> PasswordRefused {
    PasswordRefused::Unavailable(error.to_string())
}

impl Passwords for DirectoryPasswords {
    fn change(
        &self,
        account: &Sid,
        new: &Secret<String>,
        now: Timestamp,
    ) -> Result<(), PasswordRefused> {
        let principal = self.principal(account)?;
        let rules = rules(&self.directory).map_err(unavailable)?;
        if let Some(breach) = breach(&rules, &principal, new, Some(now)) {
            return Err(PasswordRefused::Policy { breach, rules });
        }
        // The ticket proved that the account knows its password; no right is needed beyond that.
        self.write(&Session::system(), account, new)
    }

    fn set(
        &self,
        writer: &Sid,
        account: &Sid,
        new: &Secret<String>,
        _now: Timestamp,
    ) -> Result<(), PasswordRefused> {
        let principal = self.principal(account)?;
        let session = self.directory.session_of(writer).map_err(unavailable)?;
        let rules = rules(&self.directory).map_err(unavailable)?;
        if let Some(breach) = breach(&rules, &principal, new, None) {
            return Err(PasswordRefused::Policy { breach, rules });
        }
        // Kerberos sealed the request, as TLS would have.
        self.write(&session.with_secure(true), account, new)
    }
}

/// Which rule a new password breaks. `changed_at`: the account changes it by itself, so that age and history count.
fn breach(
    rules: &PasswordRules,
    account: &Principal,
    new: &Secret<String>,
    changed_at: Option<Timestamp>,
) -> Option<PolicyBreach> {
    let length = u32::try_from(new.expose().chars().count()).unwrap_or(u32::MAX);
    if length < rules.length_min {
        return Some(PolicyBreach::TooShort);
    }
    if rules.must_be_complex && !is_complex(new.expose(), account) {
        return Some(PolicyBreach::NotComplex);
    }
    let now = changed_at?;
    let is_young = account
        .password_set
        .is_some_and(|set| now.seconds_since(set) < rules.age_s_min);
    if is_young {
        return Some(PolicyBreach::TooYoung);
    }
    (rules.history > 0 && was_used(new, account)).then_some(PolicyBreach::InHistory)
}

/// Three kinds of characters, and neither the account's name nor a part of its display name.
fn is_complex(password: &str, account: &Principal) -> bool {
    let kinds: [fn(char) -> bool; 4] = [
        char::is_uppercase,
        char::is_lowercase,
        char::is_numeric,
        |c| !c.is_alphanumeric(),
    ];
    let kinds = kinds.iter().filter(|is| password.chars().any(is)).count();
    let lower = password.to_lowercase();
    let is_part = |name: &str| name.chars().count() > 2 && lower.contains(&name.to_lowercase());
    let mut parts = account
        .display_name
        .split(|c: char| c.is_whitespace() || ",.-_#".contains(c));
    kinds >= 3 && !is_part(&account.account_name) && !parts.any(is_part)
}

fn was_used(new: &Secret<String>, account: &Principal) -> bool {
    account.keys.iter().any(|set| {
        // The cheapest key tells as much as the others.
        let key = set.keys.iter().min_by_key(|key| key.etype().0);
        key.is_some_and(|key| {
            let password = new.expose().as_bytes();
            string_to_key(key.etype(), password, set.salt.as_bytes(), None)
                .is_ok_and(|same| same == **key)
        })
    })
}

/// The numbers that the domain's head holds.
fn domain_numbers<const N: usize>(
    directory: &Directory,
    names: [&str; N],
) -> Result<[i64; N], directory::Error> {
    let Some(naming) = directory.naming() else {
        return Ok([0; N]);
    };
    let head = Name::Dn(naming.domain_dn.clone());
    let everything = ldap::Filter::any_object();
    let request =
        SearchRequest::new(head, ldap::Scope::BaseObject, everything).with_attributes(names);
    let found = directory.find_all(&Session::system(), &request)?;
    Ok(names.map(|name| {
        let text = found.first().and_then(|found| found.text(name));
        text.and_then(|text| text.parse().ok()).unwrap_or_default()
    }))
}

/// The directory's intervals are negative, in units of 100 ns.
fn seconds(interval: i64) -> i64 {
    interval.checked_neg().unwrap_or_default() / Timestamp::TICKS_PER_SECOND
}

fn rules(directory: &Directory) -> Result<PasswordRules, directory::Error> {
    let [length, history, properties, longest, shortest] = domain_numbers(
        directory,
        [
            "minPwdLength",
            "pwdHistoryLength",
            "pwdProperties",
            "maxPwdAge",
            "minPwdAge",
        ],
    )?;
    let count = |number: i64| u32::try_from(number).unwrap_or_default();
    Ok(PasswordRules {
        length_min: count(length),
        history: count(history),
        must_be_complex: properties & 1 != 0,
        age_s_max: seconds(longest),
        age_s_min: seconds(shortest),
    })
}

/// The domain's rules for locking accounts.
pub(crate) fn lockout_policy(directory: &Directory) -> Result<LockoutPolicy, Error> {
    let [threshold, window, duration] = domain_numbers(
        directory,
        [
            "lockoutThreshold",
            "lockOutObservationWindow",
            "lockoutDuration",
        ],
    )?;
    Ok(LockoutPolicy {
        threshold: u32::try_from(threshold).unwrap_or_default(),
        window_s: seconds(window),
        duration_s: seconds(duration),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

    use types::{SeededEntropy, VirtualClock};

    use super::*;

    const OLD: &str = "The-0ld-one";

    fn domain() -> (DirectoryPasswords, Sid, Timestamp) {
        let now = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap();
        let clock = Arc::new(VirtualClock::new(now));
        let mut options = directory::Options::new(clock, Box::new(SeededEntropy::new(7)));
        options.password_rounds = 10;
        let directory = Directory::in_memory(options).unwrap();
        let plan = directory::provision::Plan::example(OLD);
        directory::provision::provision(&directory, &plan).unwrap();
        let principals = Arc::new(Principals::new(directory.clone()));
        let passwords = DirectoryPasswords::new(directory, principals);
        let sid = sid_of(&passwords, "testuser");
        (passwords, sid, now)
    }

    fn sid_of(passwords: &DirectoryPasswords, account: &str) -> Sid {
        let found = passwords.principals.find(PrincipalName::Account(account));
        found.unwrap().unwrap().sid.clone()
    }

    #[test]
    fn changes_keep_the_domains_rules() {
        let (passwords, sid, now) = domain();
        // A new domain's minimum age is a day.
        let later = now.plus_seconds(25 * 3600);
        let check = |new: &str, at: Timestamp, breach: Option<PolicyBreach>| {
            let got = passwords.change(&sid, &Secret::new(new.to_owned()), at);
            let got = got.err().map(|error| match error {
                PasswordRefused::Policy { breach, rules } => {
                    assert_eq!((rules.length_min, rules.history), (7, 24));
                    breach
                }
                other => unreachable!("{other}"),
            });
            assert_eq!(got, breach, "{new}");
        };
        check("Ab1-", later, Some(PolicyBreach::TooShort));
        check("lowercase-only", later, Some(PolicyBreach::NotComplex));
        check("My-TestUser-1", later, Some(PolicyBreach::NotComplex));
        check("The-next-0ne", now, Some(PolicyBreach::TooYoung));
        check(OLD, later, Some(PolicyBreach::InHistory));
        check("The-next-0ne", later, None);
        let bind = |password: &str| {
            let name = "testuser@corp.contoso.com";
            passwords
                .directory
                .simple_bind(name, password.as_bytes())
                .is_ok()
        };
        assert!(bind("The-next-0ne") && !bind(OLD));
        check(
            OLD,
            later.plus_seconds(25 * 3600),
            Some(PolicyBreach::InHistory),
        );
    }

    #[test]
    fn setting_needs_the_right_and_not_the_history() {
        let (passwords, sid, now) = domain();
        let new = Secret::new("The-next-0ne".to_owned());
        let administrator = sid_of(&passwords, "Administrator");
        let denied = passwords.set(&sid, &administrator, &new, now);
        assert_eq!(denied, Err(PasswordRefused::AccessDenied));
        passwords.set(&administrator, &sid, &new, now).unwrap();
        passwords.set(&administrator, &sid, &new, now).unwrap();
        let nobody = sid.domain().unwrap().with_rid(99_999);
        let missing = passwords.set(&administrator, &nobody, &new, now);
        assert_eq!(missing, Err(PasswordRefused::NoSuchAccount));
    }
}
