//! One change of one key credential, as somebody saw it, whatever the log it was seen in.

use events::{Change, ChangedValue, DeniedWrite, Operation, Record};
use serde::Serialize;
use sha2::{Digest, Sha256};
use types::{Dn, Guid, Sid, Timestamp};

use crate::{ATTRIBUTE, ATTRIBUTE_GUID};

/// A change, and where it was read. What a log does not tell is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sighting {
    /// Where it was read.
    pub origin: Origin,
    /// When the change was made.
    pub time: Option<Timestamp>,
    /// The domain controller that took it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub computer: Option<String>,
    /// Shared by all values of one LDAP operation.
    pub operation_id: Option<Guid>,
    /// Who did it.
    pub writer: Writer,
    /// To which object.
    pub object: Object,
    /// What was done.
    pub act: Act,
    /// To which value.
    pub value: SeenValue,
}

/// Where a sighting was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// The file, as the caller names it.
    pub source: String,
    /// The line, from 1; 0 where it was not read from text.
    pub line: usize,
    /// The log's own number of the record.
    pub record_id: Option<u64>,
    /// The shape it was read from.
    pub form: Form,
}

/// The shapes of records that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// The directory's own record, which carries the value.
    Own,
    /// Event 5136 or 4662 as JSON.
    WindowsJson,
    /// Event 5136 or 4662 as XML.
    WindowsXml,
}

/// The account that made a change.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Writer {
    /// Its security identifier: the only name that counts.
    pub sid: Option<Sid>,
    /// `sAMAccountName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// NetBIOS name of its domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Joins to event 4624 on the same domain controller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logon_id: Option<u64>,
    /// The client's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
}

/// The object that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Object {
    /// `objectGUID`.
    pub guid: Option<Guid>,
    /// Its distinguished name at that moment.
    pub dn: String,
    /// Its most specific class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// `objectSid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<Sid>,
}

/// What was done to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// It was added.
    Added,
    /// It was deleted.
    Deleted,
    /// Somebody tried to write, and was refused.
    Refused,
}

/// What is known of the value.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SeenValue {
    /// How many hex digits it has: all that a Windows event tells.
    pub hex_digits: Option<usize>,
    /// Its octets.
    #[serde(skip)]
    pub octets: Option<Vec<u8>>,
    /// SHA-256 of the octets, lower-case hex: how a receipt names a value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The DN part of the value, normally the object itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dn: Option<String>,
    /// Whether the octets were read from the directory after the event.
    pub is_from_inventory: bool,
}

impl SeenValue {
    /// A value that is known whole.
    pub fn whole(octets: Vec<u8>, dn: Option<String>) -> Self {
        Self {
            hex_digits: octets.len().checked_mul(2),
            sha256: Some(data_encoding::HEXLOWER.encode(&Sha256::digest(&octets))),
            octets: Some(octets),
            dn,
            is_from_inventory: false,
        }
    }

    /// A value of which only the length is known.
    pub fn hidden(hex_digits: usize, dn: Option<String>) -> Self {
        Self {
            hex_digits: Some(hex_digits),
            dn,
            ..Self::default()
        }
    }
}

impl Sighting {
    /// The sightings among the directory's own records; `source` names the log for people.
    pub fn from_records(source: &str, records: &[Record]) -> Vec<Self> {
        records
            .iter()
            .filter_map(|record| Self::from_record(source, 0, record))
            .collect()
    }

    /// A sighting, where the record is about a key credential.
    pub fn from_record(source: &str, line: usize, record: &Record) -> Option<Self> {
        let (act, value) = match record {
            Record::Change(change) => (act_of(change)?, value_of(change)),
            Record::DeniedWrite(denied) => {
                is_about_keys(denied).then_some((Act::Refused, SeenValue::default()))?
            }
        };
        let (origin, object) = (record.origin(), record.object());
        Some(Self {
            origin: Origin {
                source: source.to_owned(),
                line,
                record_id: Some(origin.record_id),
                form: Form::Own,
            },
            time: Some(origin.time),
            computer: Some(origin.computer.clone()),
            operation_id: Some(origin.operation_id),
            writer: Writer {
                sid: Some(origin.subject.sid.clone()),
                name: Some(origin.subject.name.clone()),
                domain: Some(origin.subject.domain.clone()),
                logon_id: Some(origin.subject.logon_id),
                remote: origin.remote.clone(),
            },
            object: Object {
                guid: Some(object.guid),
                dn: object.dn.clone(),
                class: Some(object.class.clone()),
                sid: object.sid.clone(),
            },
            act,
            value,
        })
    }

    /// Whether two sightings are about the same object. The GUID decides; a DN only where one is missing.
    pub fn is_same_object(&self, other: &Self) -> bool {
        match (self.object.guid, other.object.guid) {
            (Some(a), Some(b)) => a == b,
            _ => dn_key(&self.object.dn) == dn_key(&other.object.dn),
        }
    }

    /// Whether the same account did both. The SID decides; a name only where one is missing.
    pub fn is_same_writer(&self, other: &Self) -> bool {
        match (&self.writer.sid, &other.writer.sid) {
            (Some(a), Some(b)) => a == b,
            _ => self.writer.name.is_some() && self.writer.name == other.writer.name,
        }
    }

    /// Whether an object of this class authenticates as a computer does (gMSA and dMSA are its subclasses).
    pub fn is_computer(&self) -> bool {
        const CLASSES: [&str; 4] = [
            "computer",
            "msDS-GroupManagedServiceAccount",
            "msDS-ManagedServiceAccount",
            "msDS-DelegatedManagedServiceAccount",
        ];
        let class = self.object.class.as_deref().unwrap_or_default();
        CLASSES
            .iter()
            .any(|known| known.eq_ignore_ascii_case(class))
    }

    /// Whether the object is a person's account.
    pub fn is_user(&self) -> bool {
        let class = self.object.class.as_deref().unwrap_or_default();
        ["user", "inetOrgPerson"]
            .iter()
            .any(|known| known.eq_ignore_ascii_case(class))
    }

    /// Whether the account wrote to itself. An event without the object's SID is judged by the name of a
    /// computer account, which is its RDN and a dollar sign.
    pub fn is_self_write(&self) -> bool {
        if let (Some(writer), Some(object)) = (&self.writer.sid, &self.object.sid) {
            return writer == object;
        }
        let name = self
            .writer
            .name
            .as_deref()
            .and_then(|name| name.strip_suffix('$'));
        let rdn = self.object.dn.parse::<Dn>().ok();
        let rdn = rdn.as_ref().and_then(Dn::rdn).map(types::Rdn::value);
        match (name, rdn) {
            (Some(name), Some(rdn)) => name.eq_ignore_ascii_case(rdn),
            _ => false,
        }
    }
}

/// A DN in the form in which two spellings of it compare equal; as it stands where it cannot be read.
pub(crate) fn dn_key(text: &str) -> String {
    // The extended form puts `<GUID=..>;<SID=..>;` before the name.
    let bare = text.rsplit_once(">;").map_or(text, |(_, dn)| dn);
    bare.parse::<Dn>()
        .map_or_else(|_| bare.to_lowercase(), |dn| dn.key())
}

fn act_of(change: &Change) -> Option<Act> {
    change
        .attribute
        .eq_ignore_ascii_case(ATTRIBUTE)
        .then_some(match change.operation {
            Operation::ValueAdded => Act::Added,
            Operation::ValueDeleted => Act::Deleted,
        })
}

fn value_of(change: &Change) -> SeenValue {
    match &change.value {
        ChangedValue::DnBinary { data, dn } => SeenValue::whole(data.clone(), Some(dn.clone())),
        ChangedValue::Binary { data } => SeenValue::whole(data.clone(), None),
        ChangedValue::Text { text } => crate::read::value(text).unwrap_or_default(),
    }
}

fn is_about_keys(denied: &DeniedWrite) -> bool {
    let by_name = denied
        .attribute
        .as_deref()
        .is_some_and(|name| name.eq_ignore_ascii_case(ATTRIBUTE));
    by_name
        || denied
            .attribute_guid
            .is_some_and(|guid| guid.to_string() == ATTRIBUTE_GUID)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_a_dn_compare_equal() {
        let key = dn_key("CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com");
        assert_eq!(
            dn_key("cn=test user,ou=USERS,dc=corp,dc=contoso,dc=com"),
            key
        );
        assert_eq!(
            dn_key(
                "<GUID=5b47d60f-6090-40b2-9f37-2a4de88f3063>;<SID=S-1-5-21-1-2-3-4>;CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com"
            ),
            key
        );
    }

    #[test]
    fn a_computer_is_known_by_its_name() {
        let mut sighting = Sighting {
            origin: Origin {
                source: String::new(),
                line: 0,
                record_id: None,
                form: Form::Own,
            },
            time: None,
            computer: None,
            operation_id: None,
            writer: Writer {
                name: Some("WS1$".into()),
                ..Writer::default()
            },
            object: Object {
                dn: "CN=ws1,CN=Computers,DC=corp".into(),
                ..Object::default()
            },
            act: Act::Added,
            value: SeenValue::default(),
        };
        assert!(sighting.is_self_write());
        sighting.writer.name = Some("WS2$".into());
        assert!(!sighting.is_self_write());
    }
}
