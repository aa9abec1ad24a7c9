//! The key of the ticket granting account: from a password that is chosen here, or from a keytab that the domain
//! controller wrote.

use std::path::Path;

use data_encoding::BASE64URL_NOPAD;
use kerberos::crypto::{EncryptionType, Key, string_to_key};
use kerberos::files::{Keytab, KeytabEntry, Principal};
use kerberos::messages::{EncryptionKey, Kvno, NameType, PrincipalName};
use types::{Clock, Entropy, Secret};
use zeroize::Zeroize;

use super::server_object::{Krbtgt, ServerObject};
use crate::io::{Failure, OsEntropy, SystemClock, Tell, read_input};

/// The one type of key that the cloud mints with.
pub(super) const ETYPE: EncryptionType = EncryptionType::AES256_CTS_HMAC_SHA1_96;

/// A key with the numbers that stand in its tickets.
pub(super) struct ServerKey {
    pub(super) number: u16,
    pub(super) version: u16,
    pub(super) key: Key,
}

/// A password of 384 random bits. Directories that let the key be chosen ask for forty characters; all ask for mixed ones.
pub(super) fn password() -> Secret<String> {
    let mut random = [0; 48];
    OsEntropy.fill(&mut random);
    let text = format!("{}-aA1", BASE64URL_NOPAD.encode(&random));
    random.zeroize();
    Secret::new(text)
}

/// The form of `unicodePwd` (MS-ADTS 3.1.1.3.1.5.1).
pub(super) fn quoted(password: &Secret<String>) -> Vec<u8> {
    format!("\"{}\"", password.expose())
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect()
}

impl ServerKey {
    /// What the directory makes of a password, where it takes the password as it is (MS-KILE 3.1.1.2).
    pub(super) fn of_password(
        object: &ServerObject,
        password: &Secret<String>,
    ) -> Result<Self, Failure> {
        let (krbtgt, number, version) = numbers(object)?;
        let salt = format!("{}{}", object.domain.realm, krbtgt.account_name);
        let key = string_to_key(ETYPE, password.expose().as_bytes(), salt.as_bytes(), None);
        Ok(Self {
            number,
            version,
            key: key.tell("no key can be made of the password")?,
        })
    }

    /// The key of the present version out of a keytab, under whichever name the domain controller gave it.
    pub(super) fn of_keytab(path: &Path, object: &ServerObject) -> Result<Self, Failure> {
        let (krbtgt, number, version) = numbers(object)?;
        let what = || format!("{} has not the key that is wanted", path.display());
        let keytab = Keytab::decode(&read_input(path)?).tell(what())?;
        let of_type = keytab
            .entries
            .iter()
            .filter(|entry| entry.key.keytype == ETYPE);
        let versions: Vec<Kvno> = of_type
            .clone()
            .filter_map(|entry| Kvno::from_wire(i64::from(entry.kvno)))
            .collect();
        // Samba writes number and version, other tools the version alone.
        let is_wanted =
            |kvno: &Kvno| kvno.version == version && (kvno.rodc == number || kvno.rodc == 0);
        let found = of_type
            .filter(|entry| names(&entry.principal, &krbtgt.account_name))
            .find(|entry| Kvno::from_wire(i64::from(entry.kvno)).is_some_and(|k| is_wanted(&k)));
        let Some(entry) = found else {
            let has: Vec<String> = versions
                .iter()
                .map(|kvno| format!("{}/{}", kvno.rodc, kvno.version))
                .collect();
            return Err(Failure::new(what())
                .why(format!(
                    "wanted is AES-256 of {} with number {number} and version {version}; the AES-256 keys in it have {}",
                    krbtgt.account_name,
                    if has.is_empty() { "none".to_owned() } else { has.join(", ") }
                ))
                .next(export_line(krbtgt)));
        };
        Ok(Self {
            number,
            version,
            key: entry.key.to_key(None).tell(what())?,
        })
    }

    /// A keytab with this key alone.
    pub(super) fn to_keytab(&self, object: &ServerObject) -> Result<Secret<Vec<u8>>, Failure> {
        let (krbtgt, ..) = numbers(object)?;
        let kvno = Kvno {
            rodc: self.number,
            version: self.version,
        };
        let kvno = u32::try_from(kvno.to_wire() & 0xFFFF_FFFF).unwrap_or_default();
        let entry = KeytabEntry {
            principal: Principal {
                name: PrincipalName::new(NameType::NT_PRINCIPAL, [krbtgt.account_name.as_str()]),
                realm: object.domain.realm.as_str().into(),
            },
            timestamp: SystemClock.now(),
            kvno,
            key: EncryptionKey::from_key(&self.key),
        };
        let keytab = Keytab {
            entries: vec![entry],
        };
        keytab
            .encode()
            .map(Secret::new)
            .tell("the key does not fit a keytab")
    }
}

/// How the key leaves a domain controller that makes its own.
pub(super) fn export_line(krbtgt: &Krbtgt) -> String {
    format!(
        "on a Samba domain controller: samba-tool domain exportkeytab krbtgt.keytab --principal={}; then: tombolo trust publish --keytab krbtgt.keytab --cloud URL --cloud-token-file FILE",
        krbtgt.account_name
    )
}

fn names(principal: &Principal, account: &str) -> bool {
    let parts = principal.name.parts().unwrap_or_default();
    parts
        .first()
        .is_some_and(|name| name.eq_ignore_ascii_case(account))
}

fn numbers(object: &ServerObject) -> Result<(&Krbtgt, u16, u16), Failure> {
    let krbtgt = object.krbtgt.as_ref();
    let found = krbtgt.and_then(|krbtgt| Some((krbtgt, krbtgt.number?, krbtgt.version?)));
    found.ok_or_else(|| {
        Failure::new("the Kerberos server object has no key yet")
            .why("its ticket granting account is not there, or has no number or no version")
            .next("look with `tombolo trust show`, and make it with `tombolo trust create`")
    })
}
