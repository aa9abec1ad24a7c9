//! The object that keys belong to, found by any of its names.

use keycred::{Blob, DnBinary, KeyCredential};
use serde::Serialize;
use sync::connector::{Anchor, Permission, Value};
use sync::ldap::{Connection, Entry, ldap_escape};
use types::{Dn, Guid, Sid};

use crate::io::{Failure, unreachable};

/// `lDAPDisplayName` of the attribute.
pub(super) const ATTRIBUTE: &str = "msDS-KeyCredentialLink";

const WANTED: [&str; 8] = [
    "objectGUID",
    "objectSid",
    "objectClass",
    "sAMAccountName",
    "userPrincipalName",
    "userAccountControl",
    "adminCount",
    ATTRIBUTE,
];

/// The object, and what it has now.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Owner {
    /// Its distinguished name.
    pub(super) dn: String,
    pub(super) object_guid: Guid,
    pub(super) object_sid: Option<Sid>,
    pub(super) account_name: String,
    /// `userPrincipalName`, or what AD implies where there is none.
    pub(super) user_principal_name: String,
    pub(super) is_disabled: bool,
    /// AdminSDHolder protects it.
    pub(super) is_protected: bool,
    #[serde(skip)]
    pub(super) is_person: bool,
    /// The values of the attribute as the directory shows them.
    #[serde(skip)]
    pub(super) values: Vec<Value>,
}

/// `userAccountControl`: ACCOUNTDISABLE.
const ACCOUNT_DISABLED: u32 = 2;

impl Owner {
    /// Finds one object by distinguished name, GUID, SID, user principal name or account name.
    pub(super) fn find(connection: &mut Connection, name: &str) -> Result<Self, Failure> {
        let what = || format!("{name} cannot be looked up");
        let domain = connection.root().map_err(unreachable(what()))?.domain;
        let base = if name.parse::<Dn>().is_ok_and(|dn| !dn.is_root()) {
            Some(name.to_owned())
        } else if let Ok(guid) = name.parse::<Guid>() {
            Some(format!("<GUID={guid}>"))
        } else if name.parse::<Sid>().is_ok() {
            Some(format!("<SID={name}>"))
        } else {
            None
        };
        let mut found = match &base {
            Some(base) => connection
                .object(base, &WANTED)
                .map_err(unreachable(what()))?
                .into_iter()
                .collect(),
            None => {
                let escaped = ldap_escape(name);
                let filter = format!(
                    "(&(objectClass=user)(|(sAMAccountName={escaped})(userPrincipalName={escaped})))"
                );
                search(connection, &domain, &filter, &what())?
            }
        };
        let none = || {
            Failure::new(format!("there is no {name} in {domain}"))
                .why("no user has that account name, user principal name or distinguished name, or it may not be seen")
                .next("give the name as the directory has it, such as testuser, testuser@corp.contoso.com or CN=Test User,OU=Users,...")
        };
        let mut entry = found.pop().ok_or_else(none)?;
        if let Some(other) = found.pop() {
            return Err(Failure::new(format!("{name} is not one user"))
                .why(format!("it is {} and {}", entry.dn, other.dn))
                .next("give the distinguished name"));
        }
        connection
            .complete(&mut entry, ATTRIBUTE)
            .map_err(unreachable(what()))?;
        Self::read(&entry, &domain)
    }

    /// The object as it is now, by a name that it had before.
    pub(super) fn read_again(connection: &mut Connection, base: &str) -> Result<Self, Failure> {
        let what = || format!("{base} cannot be read back");
        let domain = connection.root().map_err(unreachable(what()))?.domain;
        let found = connection
            .object(base, &WANTED)
            .map_err(unreachable(what()))?;
        let mut entry = found.ok_or_else(|| Failure::new(what()).why("it is gone"))?;
        connection
            .complete(&mut entry, ATTRIBUTE)
            .map_err(unreachable(what()))?;
        Self::read(&entry, &domain)
    }

    /// Every object that has a value with this key id, given by its first octets.
    pub(super) fn with_key(
        connection: &mut Connection,
        key_id: &[u8],
    ) -> Result<Vec<Self>, Failure> {
        let what = "the directory's keys cannot be read";
        let domain = connection.root().map_err(unreachable(what))?.domain;
        let found = search(connection, &domain, &format!("({ATTRIBUTE}=*)"), what)?;
        let owners: Vec<Self> = found
            .iter()
            .map(|entry| Self::read(entry, &domain))
            .collect::<Result<_, _>>()?;
        Ok(owners
            .into_iter()
            .filter(|owner| owner.keys().iter().any(|key| key.has_id(key_id)))
            .collect())
    }

    fn read(entry: &Entry, domain: &str) -> Result<Self, Failure> {
        let guid = entry
            .values("objectGUID")
            .first()
            .and_then(|octets| <[u8; 16]>::try_from(octets.as_slice()).ok())
            .map(Guid::from_bytes_le);
        let Some(object_guid) = guid else {
            return Err(Failure::new(format!("{} shows no objectGUID", entry.dn))
                .next("bind with an account that may read it"));
        };
        let number = |name: &str| {
            let text = entry.text(name)?;
            // AD writes the bits as a signed number.
            let number: i64 = text.parse().ok()?;
            u32::try_from(number & 0xFFFF_FFFF).ok()
        };
        let account_name = entry.text("sAMAccountName").unwrap_or_default();
        let dns_domain = domain
            .parse::<Dn>()
            .map(|dn| dn.dns_domain())
            .unwrap_or_default();
        let implied = format!("{account_name}@{dns_domain}");
        let classes = entry.values("objectClass");
        let is_of = |class: &str| {
            classes
                .iter()
                .any(|name| name.eq_ignore_ascii_case(class.as_bytes()))
        };
        Ok(Self {
            dn: entry.dn.clone(),
            object_guid,
            object_sid: entry
                .values("objectSid")
                .first()
                .and_then(|octets| Sid::from_bytes(octets).ok()),
            user_principal_name: entry.text("userPrincipalName").unwrap_or(implied),
            account_name,
            is_disabled: number("userAccountControl").unwrap_or(0) & ACCOUNT_DISABLED != 0,
            is_protected: number("adminCount").unwrap_or(0) != 0,
            is_person: is_of("user") && !is_of("computer"),
            values: entry.values(ATTRIBUTE).to_vec(),
        })
    }

    /// The object's name that stays.
    pub(super) fn anchor(&self) -> Anchor {
        Anchor::new(self.object_guid.to_string())
    }

    /// The same for a distinguished name of LDAP.
    pub(super) fn by_guid(&self) -> String {
        format!("<GUID={}>", self.object_guid)
    }

    /// What the directory says of our right to write its keys.
    pub(super) fn permission(&self, connection: &mut Connection) -> Result<Permission, Failure> {
        let what = format!("the permissions on {} cannot be read", self.dn);
        connection
            .permission(&self.anchor(), ATTRIBUTE)
            .map_err(unreachable(what))
    }

    /// The keys in words.
    pub(super) fn keys(&self) -> Vec<Key> {
        self.values.iter().map(|value| Key::read(value)).collect()
    }
}

fn search(
    connection: &mut Connection,
    base: &str,
    filter: &str,
    what: &str,
) -> Result<Vec<Entry>, Failure> {
    connection
        .find_all(base, filter, &WANTED)
        .map_err(unreachable(what))
}

/// One value in the words of a plan. A value that cannot be read is a key as well, and can be revoked.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Key {
    /// In hex; empty where the value cannot be read.
    pub(super) key_id: String,
    pub(super) usage: String,
    pub(super) source: String,
    pub(super) created: Option<String>,
    pub(super) device_id: Option<Guid>,
    pub(super) length: usize,
    /// The value as the directory shows it.
    #[serde(skip)]
    pub(super) raw: Value,
    /// Its binary part.
    #[serde(skip)]
    pub(super) binary: Value,
}

impl Key {
    /// Reads a value of the attribute.
    pub(super) fn read(raw: &[u8]) -> Self {
        let parsed = std::str::from_utf8(raw)
            .ok()
            .and_then(|text| text.parse::<DnBinary>().ok());
        let binary = parsed.map_or_else(|| raw.to_vec(), |parsed| parsed.binary);
        let mut key = match Blob::decode(&binary) {
            Ok(blob) => Self::of(&blob.credential()),
            Err(_) => Self {
                key_id: String::new(),
                usage: "unreadable".to_owned(),
                source: String::new(),
                created: None,
                device_id: None,
                length: 0,
                raw: Vec::new(),
                binary: Vec::new(),
            },
        };
        key.length = binary.len();
        key.raw = raw.to_vec();
        key.binary = binary;
        key
    }

    fn of(credential: &KeyCredential<'_>) -> Self {
        let moment = credential.created().and_then(keycred::KeyTime::moment);
        Self {
            key_id: data_encoding::HEXLOWER.encode(credential.key_id().unwrap_or_default()),
            usage: credential.usage().map_or_else(String::new, |u| u.label()),
            source: credential.source().map_or_else(String::new, |s| s.label()),
            created: moment.and_then(types::Timestamp::to_rfc3339),
            device_id: credential.device_id(),
            length: 0,
            raw: Vec::new(),
            binary: Vec::new(),
        }
    }

    /// Whether its key id begins with these octets.
    pub(super) fn has_id(&self, start: &[u8]) -> bool {
        let start = data_encoding::HEXLOWER.encode(start);
        !start.is_empty() && self.key_id.starts_with(&start)
    }

    /// Whether the cloud's sync wrote it, and would write it again.
    pub(super) fn is_from_cloud(&self) -> bool {
        self.source == keycred::KeySource::AZURE_AD.label()
    }
}
