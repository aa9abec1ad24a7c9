//! The directory's own record of a change: one attribute value, with the value.

use data_encoding::{BASE64, HEXLOWER, HEXUPPER};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use types::{Guid, Sid, Timestamp};

use crate::ChangeFormat;

/// One line of the directory's change log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// A value was added or deleted, and the change is committed.
    Change(Change),
    /// A write was refused, and a failure audit entry asks for that to be told.
    DeniedWrite(DeniedWrite),
}

/// One value of one attribute, added or deleted by a committed operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Where, when and by whom.
    #[serde(flatten)]
    pub origin: Origin,
    /// The object that was changed.
    pub object: ObjectName,
    /// `lDAPDisplayName` of the attribute.
    pub attribute: String,
    /// The attribute's syntax, `2.5.5.7` for DN-Binary.
    pub syntax: String,
    /// What happened to the value.
    pub operation: Operation,
    /// The value itself.
    pub value: ChangedValue,
}

/// A write that the access check refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeniedWrite {
    /// Where, when and by whom.
    #[serde(flatten)]
    pub origin: Origin,
    /// The object that should have been changed.
    pub object: ObjectName,
    /// `schemaIDGUID` of the object's class.
    pub class_guid: Guid,
    /// `lDAPDisplayName` of the attribute; `None` where the whole object was meant.
    pub attribute: Option<String>,
    /// `schemaIDGUID` of the attribute.
    pub attribute_guid: Option<Guid>,
    /// The right that was missing (MS-ADTS 5.1.3.2): 0x20 write property, 0x8 validated write.
    pub access_mask: u32,
}

/// Where, when and by whom something was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The name and version of the form; a line without one is read as this version.
    #[serde(default)]
    pub format: ChangeFormat,
    /// The record's number in this log, rising by one.
    pub record_id: u64,
    /// When it was committed or refused.
    pub time: Timestamp,
    /// DNS name of the domain controller.
    pub computer: String,
    /// DNS name of the domain.
    pub domain: String,
    /// Shared by all records of one LDAP operation.
    pub operation_id: Guid,
    /// The update sequence number that the change got; 0 where nothing was changed.
    pub usn: u64,
    /// Who asked for it.
    pub subject: Subject,
    /// The client's address, which a Windows event leaves to event 4624.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
}

/// The account behind an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Its security identifier.
    pub sid: Sid,
    /// `sAMAccountName`.
    pub name: String,
    /// NetBIOS name of its domain.
    pub domain: String,
    /// The logon session; joins to event 4624.
    pub logon_id: u64,
}

/// The object of an operation, by all its names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectName {
    /// `objectGUID`: the one name that stays.
    pub guid: Guid,
    /// Its distinguished name at that moment.
    pub dn: String,
    /// Its most specific class.
    pub class: String,
    /// `objectSid`, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<Sid>,
}

/// What happened to a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `%%14674`
    ValueAdded,
    /// `%%14675`
    ValueDeleted,
}

/// A value as the directory holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ChangedValue {
    /// A string, number, name or anything else that LDAP shows as text.
    Text {
        /// The text.
        text: String,
    },
    /// Octets.
    Binary {
        /// The octets; base64 in JSON.
        #[serde(with = "base64")]
        data: Vec<u8>,
    },
    /// DN-Binary: octets and the name of an object.
    DnBinary {
        /// The octets; base64 in JSON.
        #[serde(with = "base64")]
        data: Vec<u8>,
        /// The name.
        dn: String,
    },
}

impl Record {
    /// Where, when and by whom.
    pub fn origin(&self) -> &Origin {
        match self {
            Self::Change(change) => &change.origin,
            Self::DeniedWrite(denied) => &denied.origin,
        }
    }

    /// The object it is about.
    pub fn object(&self) -> &ObjectName {
        match self {
            Self::Change(change) => &change.object,
            Self::DeniedWrite(denied) => &denied.object,
        }
    }
}

impl ChangedValue {
    /// The octets behind the value, without a name.
    pub fn octets(&self) -> &[u8] {
        match self {
            Self::Text { text } => text.as_bytes(),
            Self::Binary { data } | Self::DnBinary { data, .. } => data,
        }
    }

    /// SHA-256 of [`Self::octets`] in lower-case hex: how a receipt names a value.
    pub fn sha256(&self) -> String {
        HEXLOWER.encode(&Sha256::digest(self.octets()))
    }

    /// The value as LDAP shows it; base64 where it is octets alone.
    pub fn to_ldap_text(&self) -> String {
        match self {
            Self::Text { text } => text.clone(),
            Self::Binary { data } => BASE64.encode(data),
            Self::DnBinary { data, dn } => {
                let hex = HEXUPPER.encode(data);
                format!("B:{}:{hex}:{dn}", hex.len())
            }
        }
    }
}

mod base64 {
    use super::BASE64;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64
            .decode(text.as_bytes())
            .map_err(serde::de::Error::custom)
    }
}
