//! May this account sign in now? (MS-KILE 3.3.5.6.1, 3.3.5.7.1; the KDC's part of Windows' logon restrictions.)
//!
//! Deliberately absent: whether the password is right.

use types::Timestamp;

use crate::accounts::Account;
use crate::lockout::Lockout;

/// Why an account may not sign in, or not yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Restriction {
    /// ACCOUNTDISABLE, or an account that is never a client.
    #[error("the account is disabled")]
    Disabled,
    /// `accountExpires` is past.
    #[error("the account has expired")]
    Expired,
    /// Too many wrong passwords.
    #[error("the account is locked")]
    Locked,
    /// Outside `logonHours`.
    #[error("the account may not sign in at this hour")]
    Hours,
    /// The password must be changed first, or has expired.
    #[error("the password must be changed")]
    PasswordExpired,
    /// SMARTCARD_REQUIRED, and a password was offered.
    #[error("the account signs in by key or smart card only")]
    SmartcardRequired,
}

/// What stops an account whatever it proves: asked before any secret is touched, so that a locked account answers the
/// same to right and wrong passwords, and again at each TGS request.
pub fn standing(
    account: &Account,
    lockout: &dyn Lockout,
    now: Timestamp,
) -> Result<(), Restriction> {
    let policy = &account.policy;
    if policy.disabled || !account.is_client() {
        return Err(Restriction::Disabled);
    }
    if policy.expires.is_some_and(|end| now >= end) {
        return Err(Restriction::Expired);
    }
    if policy.locked_until.is_some_and(|end| now < end) || lockout.is_locked(&account.sid, now) {
        return Err(Restriction::Locked);
    }
    if let Some(hours) = &policy.logon_hours
        && !allows_hour(hours, now)
    {
        return Err(Restriction::Hours);
    }
    Ok(())
}

/// What stops a sign-in by password, asked only when the password was right: a stranger learns nothing from it.
pub fn password(account: &Account, now: Timestamp) -> Result<(), Restriction> {
    let policy = &account.policy;
    if policy.smartcard_required {
        return Err(Restriction::SmartcardRequired);
    }
    password_age(account, now)
}

/// Whether the password has come to its end. It stops even a sign-in that the password had no part in, where the
/// domain counts the password as the account's credential (a ticket of a read-only server); an account that has none
/// to type (SMARTCARD_REQUIRED) is not asked for its age.
pub fn password_age(account: &Account, now: Timestamp) -> Result<(), Restriction> {
    let policy = &account.policy;
    if policy.smartcard_required {
        return Ok(());
    }
    if policy.must_change_password || policy.password_expires.is_some_and(|end| now >= end) {
        return Err(Restriction::PasswordExpired);
    }
    Ok(())
}

/// `logonHours`: bit 0 is Sunday 00:00 to 01:00 UTC.
fn allows_hour(hours: &[u8; 21], now: Timestamp) -> bool {
    let hours_since_epoch = now.unix_seconds().div_euclid(3600);
    // 1970-01-01 was a Thursday, which starts 4 * 24 hours into the week.
    let hour = (hours_since_epoch + 4 * 24).rem_euclid(7 * 24);
    let Ok(hour) = usize::try_from(hour) else {
        return false;
    };
    hours
        .get(hour / 8)
        .is_some_and(|byte| byte & (1 << (hour % 8)) != 0)
}

#[cfg(test)]
mod tests {
    use types::{SeededEntropy, Sid};

    use super::*;
    use crate::accounts::{AccountKind, AccountPolicy};
    use crate::lockout::{LockoutPolicy, MemoryLockout};
    use crate::memory::MemoryAccounts;

    /// 2026-06-10 05:06:07 UTC, a Wednesday.
    fn now() -> Timestamp {
        Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap()
    }

    fn check(
        policy: AccountPolicy,
        stands: Result<(), Restriction>,
        by_password: Result<(), Restriction>,
    ) {
        let domain = Sid::nt(&[21, 1, 2, 3]);
        let realm = "CORP.CONTOSO.COM";
        let accounts = MemoryAccounts::new(realm, domain, &mut SeededEntropy::new(1)).unwrap();
        let mut account = accounts.draft("testuser", AccountKind::User, 1104);
        account.policy = policy;
        let lockout = MemoryLockout::new(LockoutPolicy::default());
        assert_eq!(standing(&account, &lockout, now()), stands, "{account:?}");
        assert_eq!(password(&account, now()), by_password, "{account:?}");
    }

    #[test]
    fn each_restriction_stops_and_its_absence_does_not() {
        let base = AccountPolicy::default;
        let soon = Some(now().plus_seconds(1));
        let past = Some(now());
        check(base(), Ok(()), Ok(()));
        let disabled = AccountPolicy {
            disabled: true,
            ..base()
        };
        check(disabled, Err(Restriction::Disabled), Ok(()));
        check(
            AccountPolicy {
                expires: past,
                ..base()
            },
            Err(Restriction::Expired),
            Ok(()),
        );
        check(
            AccountPolicy {
                expires: soon,
                ..base()
            },
            Ok(()),
            Ok(()),
        );
        check(
            AccountPolicy {
                locked_until: soon,
                ..base()
            },
            Err(Restriction::Locked),
            Ok(()),
        );
        check(
            AccountPolicy {
                locked_until: past,
                ..base()
            },
            Ok(()),
            Ok(()),
        );
        let must = AccountPolicy {
            must_change_password: true,
            ..base()
        };
        check(must, Ok(()), Err(Restriction::PasswordExpired));
        let old = AccountPolicy {
            password_expires: past,
            ..base()
        };
        check(old, Ok(()), Err(Restriction::PasswordExpired));
        let card = AccountPolicy {
            smartcard_required: true,
            ..base()
        };
        check(card, Ok(()), Err(Restriction::SmartcardRequired));
    }

    #[test]
    fn hours_count_from_sunday_in_utc() {
        let mut hours = [0; 21];
        // Wednesday, the sixth hour: bit 3 * 24 + 5 = 77 = byte 9, bit 5.
        hours[9] = 1 << 5;
        let only_now = AccountPolicy {
            logon_hours: Some(hours),
            ..AccountPolicy::default()
        };
        check(only_now, Ok(()), Ok(()));
        hours = [0xFF; 21];
        hours[9] = !(1 << 5);
        let never_now = AccountPolicy {
            logon_hours: Some(hours),
            ..AccountPolicy::default()
        };
        check(never_now, Err(Restriction::Hours), Ok(()));
    }

    #[test]
    fn krbtgt_and_trusts_never_sign_in() {
        let domain = Sid::nt(&[21, 1, 2, 3]);
        let accounts = MemoryAccounts::new("R", domain, &mut SeededEntropy::new(1)).unwrap();
        let lockout = MemoryLockout::new(LockoutPolicy::default());
        for kind in [
            AccountKind::Krbtgt(0),
            AccountKind::Krbtgt(7),
            AccountKind::Trust,
        ] {
            let account = accounts.draft("x", kind, 1104);
            assert_eq!(
                standing(&account, &lockout, now()),
                Err(Restriction::Disabled)
            );
        }
    }
}
