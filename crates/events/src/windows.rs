//! The same facts as a Windows domain controller tells them: events 5136 and 4662.
//!
//! The shapes are those of Microsoft's security auditing provider: field names and their order, `%%` message
//! numbers, task and keywords. The binary part of a value never appears; `%%14672` stands in its place.

use serde_json::{Map, Value, json};
use types::{Guid, Timestamp};

use crate::{Change, ChangedValue, DeniedWrite, Operation, Record};

/// An event of the channel `Security`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowsEvent {
    /// 5136 or 4662.
    pub event_id: u32,
    /// The event's number in its log.
    pub record_id: u64,
    /// When.
    pub time: Timestamp,
    /// The domain controller.
    pub computer: String,
    /// Audit success `0x8020000000000000` or failure `0x8010000000000000`.
    pub keywords: u64,
    /// The audit task of the event.
    pub task: u32,
    /// The named fields in their order.
    pub data: Vec<(&'static str, String)>,
}

const PROVIDER_NAME: &str = "Microsoft-Windows-Security-Auditing";
const PROVIDER_GUID: &str = "{54849625-5478-4994-A5BA-3E3B0328C30D}";
const AUDIT_SUCCESS: u64 = 0x8020_0000_0000_0000;
const AUDIT_FAILURE: u64 = 0x8010_0000_0000_0000;
/// Renders as `<Binary>`.
const BINARY: &str = "%%14672";

impl From<&Record> for WindowsEvent {
    fn from(record: &Record) -> Self {
        match record {
            Record::Change(change) => Self::directory_service_change(change),
            Record::DeniedWrite(denied) => Self::directory_service_access_failure(denied),
        }
    }
}

impl WindowsEvent {
    /// Event 5136, "a directory service object was modified".
    pub fn directory_service_change(change: &Change) -> Self {
        let origin = &change.origin;
        let operation = match change.operation {
            Operation::ValueAdded => "%%14674",
            Operation::ValueDeleted => "%%14675",
        };
        Self {
            event_id: 5136,
            record_id: origin.record_id,
            time: origin.time,
            computer: origin.computer.clone(),
            keywords: AUDIT_SUCCESS,
            task: 14081,
            data: vec![
                ("OpCorrelationID", braced(origin.operation_id)),
                ("AppCorrelationID", "-".to_owned()),
                ("SubjectUserSid", origin.subject.sid.to_string()),
                ("SubjectUserName", origin.subject.name.clone()),
                ("SubjectDomainName", origin.subject.domain.clone()),
                ("SubjectLogonId", format!("{:#x}", origin.subject.logon_id)),
                ("DSName", origin.domain.clone()),
                ("DSType", "%%14676".to_owned()),
                ("ObjectDN", change.object.dn.clone()),
                ("ObjectGUID", braced(change.object.guid)),
                ("ObjectClass", change.object.class.clone()),
                ("AttributeLDAPDisplayName", change.attribute.clone()),
                ("AttributeSyntaxOID", change.syntax.clone()),
                ("AttributeValue", shown_value(&change.value)),
                ("OperationType", operation.to_owned()),
            ],
        }
    }

    /// Event 4662, "an operation was performed on an object", as an audit failure.
    pub fn directory_service_access_failure(denied: &DeniedWrite) -> Self {
        let origin = &denied.origin;
        let access = if denied.access_mask == 0x8 {
            "%%7683"
        } else {
            "%%7685"
        };
        let mut properties = access.to_owned();
        for guid in denied.attribute_guid.iter().chain([&denied.class_guid]) {
            properties.push_str(&format!("\n\t{}", braced(*guid)));
        }
        Self {
            event_id: 4662,
            record_id: origin.record_id,
            time: origin.time,
            computer: origin.computer.clone(),
            keywords: AUDIT_FAILURE,
            task: 14080,
            data: vec![
                ("SubjectUserSid", origin.subject.sid.to_string()),
                ("SubjectUserName", origin.subject.name.clone()),
                ("SubjectDomainName", origin.subject.domain.clone()),
                ("SubjectLogonId", format!("{:#x}", origin.subject.logon_id)),
                ("ObjectServer", "DS".to_owned()),
                ("ObjectType", format!("%{}", braced(denied.class_guid))),
                ("ObjectName", format!("%{}", braced(denied.object.guid))),
                ("OperationType", "Object Access".to_owned()),
                ("HandleId", "0x0".to_owned()),
                ("AccessList", access.to_owned()),
                ("AccessMask", format!("{:#x}", denied.access_mask)),
                ("Properties", properties),
                ("AdditionalInfo", "-".to_owned()),
                ("AdditionalInfo2", String::new()),
            ],
        }
    }

    /// The value of a named field.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.data
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value.as_str())
    }

    /// JSON in the nesting that readers of EVTX files print.
    pub fn to_json(&self) -> Value {
        let data: Map<String, Value> = self
            .data
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str())))
            .collect();
        json!({
            "Event": {
                "System": {
                    "Provider": { "#attributes": { "Name": PROVIDER_NAME, "Guid": PROVIDER_GUID } },
                    "EventID": self.event_id,
                    "Version": 0,
                    "Level": 0,
                    "Task": self.task,
                    "Opcode": 0,
                    "Keywords": format!("{:#x}", self.keywords),
                    "TimeCreated": { "#attributes": { "SystemTime": self.time.to_string() } },
                    "EventRecordID": self.record_id,
                    "Channel": "Security",
                    "Computer": self.computer,
                },
                "EventData": data,
            }
        })
    }

    /// XML as the event viewer shows it.
    pub fn to_xml(&self) -> String {
        let data: String = self
            .data
            .iter()
            .map(|(name, value)| format!("<Data Name='{name}'>{}</Data>", escaped(value)))
            .collect();
        format!(
            "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>\
             <Provider Name='{PROVIDER_NAME}' Guid='{PROVIDER_GUID}'/><EventID>{}</EventID>\
             <Version>0</Version><Level>0</Level><Task>{}</Task><Opcode>0</Opcode>\
             <Keywords>{:#x}</Keywords><TimeCreated SystemTime='{}'/>\
             <EventRecordID>{}</EventRecordID><Channel>Security</Channel><Computer>{}</Computer>\
             </System><EventData>{data}</EventData></Event>",
            self.event_id,
            self.task,
            self.keywords,
            self.time,
            self.record_id,
            escaped(&self.computer),
        )
    }
}

fn shown_value(value: &ChangedValue) -> String {
    match value {
        ChangedValue::Text { text } => text.clone(),
        ChangedValue::Binary { .. } => BINARY.to_owned(),
        ChangedValue::DnBinary { data, dn } => {
            format!("B:{}:{BINARY}:{dn}", data.len().saturating_mul(2))
        }
    }
}

fn braced(guid: Guid) -> String {
    format!("{{{guid}}}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('\'', "&apos;")
}
