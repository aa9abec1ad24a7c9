//! Which encryption types an account's keys may have: the realm's settings, and `msDS-SupportedEncryptionTypes` of the
//! account (MS-KILE 2.2.7, 3.3.5.7; CVE-2022-37966).
//!
//! RC4 needs two yeses, the realm's and the account's own, and is never a session key's type.

use kerberos::crypto::EncryptionType;
use kerberos::messages::SupportedEncryptionTypes;

use crate::accounts::{Account, AccountKind};
use crate::settings::Settings;

/// Types of the account's own keys that may be used, strongest first.
pub(crate) fn key_types(settings: &Settings, account: &Account) -> Vec<EncryptionType> {
    let allowed = settings.encryption_types.iter().copied();
    let strong = allowed.filter(|etype| !is_rc4(*etype) && supports(account, *etype));
    let rc4 = (settings.allow_rc4 && names_rc4(account)).then_some(EncryptionType::RC4_HMAC);
    strong.chain(rc4).collect()
}

/// Types of session keys for tickets to the account, strongest first.
pub(crate) fn session_types(settings: &Settings, service: &Account) -> Vec<EncryptionType> {
    let bits = own_bits(service);
    let any_aes = bits.is_some_and(|bits| bits.contains(SupportedEncryptionTypes::AES256_SK));
    let has_key = |etype| {
        let set = service.current();
        supports(service, etype) && set.is_some_and(|set| set.of_type(etype).is_some())
    };
    let allowed = settings.encryption_types.iter().copied();
    allowed
        .filter(|etype| !is_rc4(*etype) && (any_aes || has_key(*etype)))
        .collect()
}

pub(crate) fn is_rc4(etype: EncryptionType) -> bool {
    etype == EncryptionType::RC4_HMAC
}

/// Members of Protected Users have no RC4 keys, whatever the attribute says.
fn names_rc4(account: &Account) -> bool {
    let bits = own_bits(account);
    bits.is_some_and(|bits| bits.contains(SupportedEncryptionTypes::RC4_HMAC))
        && !account.is_protected()
}

/// The newer AES types have no bits of their own.
fn supports(account: &Account, etype: EncryptionType) -> bool {
    let Some(bits) = own_bits(account) else {
        return true;
    };
    let aes128 = bits.contains(SupportedEncryptionTypes::AES128);
    let aes256 = bits.contains(SupportedEncryptionTypes::AES256);
    match etype {
        EncryptionType::AES128_CTS_HMAC_SHA1_96 | EncryptionType::AES128_CTS_HMAC_SHA256_128 => {
            aes128
        }
        EncryptionType::AES256_CTS_HMAC_SHA1_96 | EncryptionType::AES256_CTS_HMAC_SHA384_192 => {
            aes256
        }
        _ => false,
    }
}

/// The attribute, where it says something. A person's says nothing (MS-ADTS 2.2.8 is about services) as long as it is 0,
/// and the realm's own keys are the realm's settings' matter.
fn own_bits(account: &Account) -> Option<SupportedEncryptionTypes> {
    let mask = SupportedEncryptionTypes::RC4_HMAC.0
        | SupportedEncryptionTypes::AES128.0
        | SupportedEncryptionTypes::AES256.0;
    account
        .supported_encryption_types
        .filter(|bits| bits.0 & mask != 0)
        .filter(|_| !matches!(account.kind, AccountKind::Krbtgt(_)))
}

#[cfg(test)]
mod tests {
    use types::{SeededEntropy, Sid};

    use super::*;
    use crate::memory::MemoryAccounts;

    const RC4: EncryptionType = EncryptionType::RC4_HMAC;
    const AES128: EncryptionType = EncryptionType::AES128_CTS_HMAC_SHA1_96;
    const AES256: EncryptionType = EncryptionType::AES256_CTS_HMAC_SHA1_96;

    #[track_caller]
    fn check(
        bits: Option<u32>,
        allow_rc4: bool,
        groups: &[u32],
        keys: &[EncryptionType],
        sessions: &[EncryptionType],
    ) {
        let domain = Sid::nt(&[21, 1, 2, 3]);
        let mut entropy = SeededEntropy::new(1);
        let accounts = MemoryAccounts::new("R", domain.clone(), &mut entropy).unwrap();
        let mut account = accounts.draft("WEB$", AccountKind::Computer, 1104);
        let set = accounts.keys_of("WEB$", AccountKind::Computer, 1, "password");
        account.keys = vec![set.unwrap()];
        account.supported_encryption_types = bits.map(SupportedEncryptionTypes);
        account.groups = groups.iter().map(|rid| domain.with_rid(*rid)).collect();
        let mut settings = Settings::new("R", "R", "DC1");
        settings.encryption_types = vec![AES256, AES128];
        settings.allow_rc4 = allow_rc4;
        assert_eq!(key_types(&settings, &account), keys, "keys, {bits:?}");
        assert_eq!(
            session_types(&settings, &account),
            sessions,
            "sessions, {bits:?}"
        );
    }

    #[test]
    fn cve_2022_37966_rc4_needs_two_yeses_and_is_never_a_session_key() {
        let both = &[AES256, AES128];
        check(None, false, &[], both, both);
        check(None, true, &[], both, both);
        check(Some(0x1C), false, &[], both, both);
        check(Some(0x1C), true, &[], &[AES256, AES128, RC4], both);
        check(Some(0x04), true, &[], &[RC4], &[]);
        check(Some(0x04), false, &[], &[], &[]);
        // AES256-SK: the service's key is RC4, its session keys are not.
        check(Some(0x24), true, &[], &[RC4], both);
        // Protected Users.
        check(Some(0x1C), true, &[525], both, both);
    }

    #[test]
    fn an_account_may_narrow_aes() {
        check(Some(0x10), false, &[], &[AES256], &[AES256]);
        check(Some(0x08), false, &[], &[AES128], &[AES128]);
        check(Some(0), false, &[], &[AES256, AES128], &[AES256, AES128]);
        // Flags that are no encryption types say nothing about them.
        check(
            Some(0x1_0000),
            false,
            &[],
            &[AES256, AES128],
            &[AES256, AES128],
        );
    }
}
