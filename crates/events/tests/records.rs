//! Records survive their line, and the Windows form hides what Windows hides.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may stop")]

use events::{
    Change, ChangeFormat, ChangedValue, DeniedWrite, Lines, ObjectName, Operation, Origin, Record,
    Subject, WindowsEvent, to_line,
};
use types::{Guid, Timestamp};

const ATTRIBUTE_GUID: &str = "5b47d60f-6090-40b2-9f37-2a4de88f3063";
const USER_GUID: &str = "bf967aba-0de6-11d0-a285-00aa003049e2";

fn origin() -> Origin {
    Origin {
        format: ChangeFormat,
        record_id: 7,
        time: Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap(),
        computer: "dc1.corp.contoso.com".into(),
        domain: "corp.contoso.com".into(),
        operation_id: Guid::v4([7; 16]),
        usn: 4711,
        subject: Subject {
            sid: "S-1-5-21-1-2-3-1104".parse().unwrap(),
            name: "MSOL_lab".into(),
            domain: "CORP".into(),
            logon_id: 0x1f00d,
        },
        remote: Some("127.0.0.1:50000".into()),
    }
}

fn object() -> ObjectName {
    ObjectName {
        guid: Guid::v4([9; 16]),
        dn: "CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com".into(),
        class: "user".into(),
        sid: Some("S-1-5-21-1-2-3-1105".parse().unwrap()),
    }
}

fn key_added() -> Record {
    Record::Change(Change {
        origin: origin(),
        object: object(),
        attribute: "msDS-KeyCredentialLink".into(),
        syntax: "2.5.5.7".into(),
        operation: Operation::ValueAdded,
        value: ChangedValue::DnBinary {
            data: vec![0xAB; 427],
            dn: object().dn,
        },
    })
}

fn key_denied() -> Record {
    Record::DeniedWrite(DeniedWrite {
        origin: origin(),
        object: object(),
        class_guid: USER_GUID.parse().unwrap(),
        attribute: Some("msDS-KeyCredentialLink".into()),
        attribute_guid: ATTRIBUTE_GUID.parse().ok(),
        access_mask: 0x20,
    })
}

#[test]
fn lines_round_trip() {
    let records = [key_added(), key_denied()];
    let text: String = records.iter().map(|r| to_line(r).unwrap()).collect();
    let read: Vec<Record> = Lines::new(&text).map(Result::unwrap).collect();
    assert_eq!(read, records);
}

#[test]
fn a_broken_line_is_named_and_the_rest_is_read() {
    let text = format!(
        "{}\n{{\"record\":\"change\"}}\n{}",
        to_line(&key_added()).unwrap(),
        to_line(&key_denied()).unwrap()
    );
    let (read, broken): (Vec<_>, Vec<_>) = Lines::<Record>::new(&text).partition(Result::is_ok);
    assert_eq!(read.len(), 2);
    let broken = broken.into_iter().next().unwrap().unwrap_err();
    assert_eq!((broken.line, broken.what), (3, "Record"));
}

#[test]
fn event_5136_shows_the_length_and_never_the_key() {
    let event = WindowsEvent::from(&key_added());
    assert_eq!(event.event_id, 5136);
    assert_eq!(
        event.field("AttributeValue"),
        Some("B:854:%%14672:CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com")
    );
    assert_eq!(event.field("OperationType"), Some("%%14674"));
    assert_eq!(event.field("AttributeSyntaxOID"), Some("2.5.5.7"));
    assert!(!event.to_json().to_string().to_lowercase().contains("abab"));
    assert_eq!(event.data.len(), 15);
}

#[test]
fn event_4662_tells_the_refused_write() {
    let event = WindowsEvent::from(&key_denied());
    assert_eq!(event.event_id, 4662);
    assert_eq!(event.keywords, 0x8010_0000_0000_0000);
    assert_eq!(event.field("AccessMask"), Some("0x20"));
    let properties = event.field("Properties").unwrap();
    assert!(properties.starts_with("%%7685") && properties.contains(ATTRIBUTE_GUID));
}

#[test]
fn xml_is_escaped() {
    let mut record = key_denied();
    if let Record::DeniedWrite(denied) = &mut record {
        denied.origin.subject.name = "a<b>&'c'".into();
    }
    assert!(
        WindowsEvent::from(&record)
            .to_xml()
            .contains("a&lt;b&gt;&amp;&apos;c&apos;")
    );
}

#[test]
fn lines_of_another_version_are_refused_by_name() {
    let line = to_line(&key_added()).unwrap();
    assert!(line.contains(r#""format":"tombolo-change/1""#));
    let newer = line.replace("tombolo-change/1", "tombolo-change/2");
    let broken = Lines::<Record>::new(&newer).next().unwrap().unwrap_err();
    assert!(broken.reason.contains("tombolo-change/2"), "{broken}");
    let unnamed = line.replace(r#""format":"tombolo-change/1","#, "");
    assert_eq!(
        Lines::<Record>::new(&unnamed).next().unwrap().unwrap(),
        key_added()
    );
}
