//! The Kerberos keys of an account: what is made of a password when it is set (MS-KILE 3.1.1.2), and how it is kept.
//!
//! A row of the key table holds the current set and the one before it, so that tickets of the old password still open:
//! ```text
//! version 1 | number of sets 1
//! ( key version 4 | salt length 2, salt | number of keys 1 | ( encryption type 4 | length 1 | key )* )*
//! ```
//! All numbers are little-endian. The NT hash, where it is kept at all, is the key of type 23. Nothing here is an
//! attribute, so LDAP cannot show it, whatever the right.
//!
//! Deliberately absent: which key may be used for what. That is the KDC's policy.

use std::sync::Arc;

use kerberos::crypto::{EncryptionType, Key, nt_hash, string_to_key};
use types::Secret;

use crate::Error;

/// Which keys are made of a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPolicy {
    /// The types, strongest first: 17 to 20, others are passed over.
    pub types: Vec<EncryptionType>,
    /// Whether the NT hash is kept too. It is worth the password to whoever gets it, so it is not, unless something
    /// needs it. Switched on later, an account has it from its next password on.
    pub keeps_nt_hash: bool,
}

impl Default for KeyPolicy {
    fn default() -> Self {
        Self {
            types: vec![
                EncryptionType::AES256_CTS_HMAC_SHA1_96,
                EncryptionType::AES128_CTS_HMAC_SHA1_96,
                EncryptionType::AES256_CTS_HMAC_SHA384_192,
                EncryptionType::AES128_CTS_HMAC_SHA256_128,
            ],
            keeps_nt_hash: false,
        }
    }
}

/// The keys of one password.
#[derive(Debug)]
pub struct KeySet {
    /// `msDS-KeyVersionNumber`: the low 16 bits for a ticket granting account.
    pub version: u32,
    /// What the password was salted with. A renamed account keeps it until the next password.
    pub salt: String,
    /// AES keys in the order of [`KeyPolicy::types`].
    pub keys: Vec<Arc<Key>>,
    /// The NT hash, where [`KeyPolicy::keeps_nt_hash`] said so.
    pub nt_hash: Option<Secret<[u8; 16]>>,
}

impl KeySet {
    /// The keys of a password; slow by intent.
    pub(crate) fn of_password(
        policy: &KeyPolicy,
        password: &[u8],
        salt: String,
    ) -> Result<Self, Error> {
        let failed =
            |error: kerberos::crypto::CryptoError| Error::unwilling(0x1F, error.to_string());
        let types = policy.types.iter().copied();
        let keys = types
            .filter(|etype| *etype != EncryptionType::RC4_HMAC && etype.key_bytes().is_some())
            .map(|etype| string_to_key(etype, password, salt.as_bytes(), None).map(Arc::new))
            .collect::<Result<Vec<_>, _>>()
            .map_err(failed)?;
        let nt_hash = policy
            .keeps_nt_hash
            .then(|| nt_hash(password))
            .transpose()
            .map_err(failed)?;
        Ok(Self {
            version: 0,
            salt,
            keys,
            nt_hash,
        })
    }

    fn encode(&self, version: u32, into: &mut Vec<u8>) -> Option<()> {
        into.extend(version.to_le_bytes());
        into.extend(u16::try_from(self.salt.len()).ok()?.to_le_bytes());
        into.extend(self.salt.as_bytes());
        let aes = self
            .keys
            .iter()
            .map(|key| (key.etype(), key.value().expose().as_slice()));
        let nt = self
            .nt_hash
            .iter()
            .map(|hash| (EncryptionType::RC4_HMAC, hash.expose().as_slice()));
        let keys: Vec<_> = aes.chain(nt).collect();
        into.push(u8::try_from(keys.len()).ok()?);
        for (etype, value) in keys {
            into.extend(etype.0.to_le_bytes());
            into.push(u8::try_from(value.len()).ok()?);
            into.extend(value);
        }
        Some(())
    }
}

/// The name by which a password is salted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Salted<'a> {
    pub(crate) dns_domain: &'a str,
    pub(crate) account: &'a str,
    pub(crate) is_computer: bool,
}

impl Salted<'_> {
    /// MS-KILE 3.1.1.2: realm and name, for computers in the form of a host name.
    pub(crate) fn salt(self) -> String {
        let realm = self.dns_domain.to_uppercase();
        if !self.is_computer {
            return format!("{realm}{}", self.account);
        }
        let host = self.account.strip_suffix('$').unwrap_or(self.account);
        format!(
            "{realm}host{}.{}",
            host.to_lowercase(),
            self.dns_domain.to_lowercase()
        )
    }
}

/// A row with a new set before the newest of the old ones.
pub(crate) fn renewed(old: &[u8], new: &KeySet, is_krbtgt: bool) -> Result<Vec<u8>, Error> {
    let old = decode(old)?;
    let before = old.first();
    let version = before.map_or(0, |set| set.version).wrapping_add(1);
    // The high half of a read-only domain controller's version is its number.
    let version = if is_krbtgt { version & 0xFFFF } else { version };
    let version = version.max(1);
    let mut row = vec![VERSION, if before.is_some() { 2 } else { 1 }];
    let too_large = || Error::unwilling(0x1F, "the keys are too large to be kept");
    new.encode(version, &mut row).ok_or_else(too_large)?;
    if let Some(before) = before {
        before
            .encode(before.version, &mut row)
            .ok_or_else(too_large)?;
    }
    Ok(row)
}

/// The sets of a row, newest first; none of no row.
pub(crate) fn decode(row: &[u8]) -> Result<Vec<KeySet>, Error> {
    if row.is_empty() {
        return Ok(Vec::new());
    }
    Row(row)
        .sets()
        .ok_or_else(|| Error::damaged("an account's keys"))
}

/// The version of the newest set.
pub(crate) fn version(row: &[u8]) -> Option<u32> {
    let mut row = Row(row);
    let [VERSION, 1..=u8::MAX] = row.array::<2>()? else {
        return None;
    };
    row.array().map(u32::from_le_bytes)
}

const VERSION: u8 = 1;

struct Row<'a>(&'a [u8]);

impl<'a> Row<'a> {
    fn sets(mut self) -> Option<Vec<KeySet>> {
        let [VERSION, count] = self.array::<2>()? else {
            return None;
        };
        let sets: Option<Vec<_>> = (0..count).map(|_| self.set()).collect();
        sets.filter(|_| self.0.is_empty())
    }

    fn set(&mut self) -> Option<KeySet> {
        let version = u32::from_le_bytes(self.array()?);
        let salt = u16::from_le_bytes(self.array()?);
        let salt = String::from_utf8(self.slice(usize::from(salt))?.to_vec()).ok()?;
        let [count] = self.array()?;
        let mut set = KeySet {
            version,
            salt,
            keys: Vec::new(),
            nt_hash: None,
        };
        for _ in 0..count {
            let etype = EncryptionType(i32::from_le_bytes(self.array()?));
            let [length] = self.array()?;
            let value = self.slice(usize::from(length))?;
            if etype == EncryptionType::RC4_HMAC {
                let hash: &[u8; 16] = value.try_into().ok()?;
                set.nt_hash = Some(Secret::filled_by(|place: &mut [u8; 16]| {
                    place.copy_from_slice(hash);
                }));
            } else {
                set.keys.push(Arc::new(Key::new(etype, value).ok()?));
            }
        }
        Some(set)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(policy: &KeyPolicy) -> KeySet {
        KeySet::of_password(
            policy,
            b"Correct-Horse-2026",
            "CORP.CONTOSO.COMtestuser".into(),
        )
        .unwrap()
    }

    fn policy(keeps_nt_hash: bool) -> KeyPolicy {
        KeyPolicy {
            types: vec![
                EncryptionType::AES256_CTS_HMAC_SHA1_96,
                EncryptionType::RC4_HMAC,
            ],
            keeps_nt_hash,
        }
    }

    #[test]
    fn salts_follow_the_kind_of_account() {
        let check = |account, is_computer, expect: &str| {
            let salted = Salted {
                dns_domain: "corp.contoso.com",
                account,
                is_computer,
            };
            assert_eq!(salted.salt(), expect);
        };
        check("testuser", false, "CORP.CONTOSO.COMtestuser");
        check("TestUser", false, "CORP.CONTOSO.COMTestUser");
        check("WS01$", true, "CORP.CONTOSO.COMhostws01.corp.contoso.com");
    }

    #[test]
    fn a_row_keeps_two_sets_and_counts() {
        let mut row = Vec::new();
        for expect in 1..=4 {
            row = renewed(&row, &made(&policy(true)), false).unwrap();
            let sets = decode(&row).unwrap();
            let versions: Vec<u32> = sets.iter().map(|set| set.version).collect();
            let kept = [expect, expect - 1];
            assert_eq!(versions, kept[..if expect == 1 { 1 } else { 2 }]);
            assert_eq!(version(&row), Some(expect));
            assert_eq!(sets[0].keys, made(&policy(true)).keys);
            assert_eq!(sets[0].salt, "CORP.CONTOSO.COMtestuser");
            assert!(sets[0].nt_hash.is_some());
        }
    }

    #[test]
    fn an_nt_hash_is_kept_only_where_asked_for_and_rc4_is_never_a_key() {
        let set = made(&policy(false));
        assert!(set.nt_hash.is_none());
        assert_eq!(set.keys.len(), 1);
        let row = renewed(&[], &set, false).unwrap();
        assert!(decode(&row).unwrap()[0].nt_hash.is_none());
    }

    #[test]
    fn a_krbtgts_version_has_sixteen_bits() {
        let set = made(&policy(false));
        let mut row = vec![VERSION, 1];
        set.encode(0xFFFF, &mut row).unwrap();
        assert_eq!(version(&renewed(&row, &set, true).unwrap()), Some(1));
        assert_eq!(
            version(&renewed(&row, &set, false).unwrap()),
            Some(0x1_0000)
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            // The first byte of a row is always the version; without it nothing further would be read.
            let row = [&[VERSION][..], &bytes].concat();
            let _ = (decode(&row), version(&row), version(&bytes));
        }
    }

    #[test]
    fn damaged_rows_are_errors() {
        let row = renewed(&[], &made(&policy(true)), false).unwrap();
        for length in 1..row.len() {
            assert!(decode(&row[..length]).is_err(), "{length}");
        }
        assert!(decode(&[&row[..], &[0]].concat()).is_err());
        assert!(decode(&[2, 1]).is_err());
    }
}
