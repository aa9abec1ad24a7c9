//! What the SACL asks for is recorded, value by value, and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::as_conversions,
    reason = "helpers of tests, which clippy does not take for tests"
)]

mod small;

use directory::ModificationKind::{Add, Delete, Replace};
use directory::{AddRequest, Directory, Operation, Session};
use events::{ChangedValue, Record, WindowsEvent};
use small::{dn, modify, new, system, user};

const KEYS: &str = "msDS-KeyCredentialLink";
const ADA: &str = "CN=Ada,OU=Users";
/// Writes of keys are audited, and refused ones too; nobody but Administrators may write.
const AUDITED: &str = "O:BAG:BAD:(A;CI;CCDCLCSWRPWPDTLOCRSDRCWDWO;;;BA)(A;CI;RPLCLORC;;;WD)\
    S:(OU;CISAFA;WP;5b47d60f-6090-40b2-9f37-2a4de88f3063;;WD)";

fn account(directory: &Directory, name: &str) -> Session {
    let found = small::find(
        directory,
        &Session::system(),
        &format!("(sAMAccountName={name})"),
        &["objectSid"],
    );
    let sid = types::Sid::from_bytes(&found[0].values("objectSid")[0]).unwrap();
    directory.session_of(&sid).unwrap().with_remote("192.0.2.7")
}

fn key(hex: &str) -> String {
    format!("B:{}:{hex}:{}", hex.len(), dn(ADA))
}

fn told(records: &[Record]) -> Vec<String> {
    records
        .iter()
        .map(|record| match record {
            Record::Change(change) => {
                format!(
                    "{:?} {} {}",
                    change.operation,
                    change.attribute,
                    change.value.to_ldap_text()
                )
            }
            Record::DeniedWrite(denied) => {
                format!(
                    "Denied {} {:#x}",
                    denied.attribute.as_deref().unwrap_or("-"),
                    denied.access_mask
                )
            }
        })
        .collect()
}

#[test]
fn one_record_per_value_with_one_operation_id() {
    let directory = new(AUDITED);
    system(&directory, user("Ada")).unwrap();
    let start = directory.changes_since(0, 1000).unwrap().len() as u64;
    system(
        &directory,
        modify(ADA, Add, KEYS, &[&key("AA"), &key("BB")]),
    )
    .unwrap();
    system(
        &directory,
        modify(ADA, Add, "description", &["not audited"]),
    )
    .unwrap();
    system(
        &directory,
        modify(ADA, Replace, KEYS, &[&key("BB"), &key("CC")]),
    )
    .unwrap();
    system(
        &directory,
        modify(ADA, Replace, KEYS, &[&key("CC"), &key("BB")]),
    )
    .unwrap();
    let records = directory.changes_since(start, 1000).unwrap();
    assert_eq!(
        told(&records),
        [
            format!("ValueAdded {KEYS} {}", key("AA")),
            format!("ValueAdded {KEYS} {}", key("BB")),
            format!("ValueDeleted {KEYS} {}", key("AA")),
            format!("ValueAdded {KEYS} {}", key("CC")),
        ]
    );
    let ids: Vec<_> = records
        .iter()
        .map(|record| record.origin().operation_id)
        .collect();
    assert!(ids[0] == ids[1] && ids[2] == ids[3] && ids[0] != ids[2]);
    let numbers: Vec<_> = records
        .iter()
        .map(|record| record.origin().record_id)
        .collect();
    assert_eq!(numbers, (start + 1..=start + 4).collect::<Vec<_>>());
    assert!(records[0].origin().usn < records[2].origin().usn);
    let event = WindowsEvent::from(&records[0]);
    assert_eq!(event.event_id, 5136);
    assert_eq!(
        event.field("AttributeValue"),
        Some(format!("B:2:%%14672:{}", dn(ADA)).as_str())
    );
    assert_eq!(event.field("AttributeSyntaxOID"), Some("2.5.5.7"));
    assert_eq!(event.field("SubjectUserName"), Some("SYSTEM"));
    assert_eq!(event.field("ObjectClass"), Some("user"));
    assert_eq!(directory.changes_since(start + 3, 1000).unwrap().len(), 1);
    assert_eq!(directory.changes_since(start, 2).unwrap().len(), 2);
}

#[test]
fn keys_given_with_a_new_object_are_recorded() {
    let directory = new(AUDITED);
    system(&directory, user("Ada")).unwrap();
    let eve = AddRequest::new(dn("CN=Eve,OU=Users"))
        .with("objectClass", ["user"])
        .with("sAMAccountName", ["eve"])
        .with(KEYS, [key("AA")]);
    system(&directory, Operation::Add(eve)).unwrap();
    let records = directory.changes_since(0, 1000).unwrap();
    assert_eq!(told(&records), [format!("ValueAdded {KEYS} {}", key("AA"))]);
}

#[test]
fn refused_writes_are_recorded_where_the_sacl_says_so() {
    let directory = new(AUDITED);
    system(&directory, user("Ada")).unwrap();
    system(&directory, user("Eve")).unwrap();
    let eve = account(&directory, "eve");
    let refused = directory
        .apply(&eve, modify(ADA, Add, KEYS, &[&key("AA")]))
        .unwrap_err();
    assert_eq!(refused.code(), ldap::ResultCode::INSUFFICIENT_ACCESS_RIGHTS);
    assert!(
        refused.diagnostic().starts_with("00002098: SecErr"),
        "{}",
        refused.diagnostic()
    );
    let also_refused = directory.apply(&eve, modify(ADA, Add, "description", &["x"]));
    assert!(also_refused.is_err(), "but nobody asked to hear of it");
    let records = directory.changes_since(0, 1000).unwrap();
    assert_eq!(told(&records), [format!("Denied {KEYS} 0x20")]);
    assert_eq!(records[0].origin().remote.as_deref(), Some("192.0.2.7"));
    assert_eq!(records[0].origin().subject.name, "eve");
    assert_eq!(records[0].origin().usn, 0);
    assert_eq!(WindowsEvent::from(&records[0]).event_id, 4662);
}

#[test]
fn a_failed_change_leaves_no_record() {
    let directory = new(AUDITED);
    system(&directory, user("Ada")).unwrap();
    let twice = vec![
        modify(ADA, Add, KEYS, &[&key("AA")]),
        modify(ADA, Add, KEYS, &[&key("AA")]),
    ];
    assert!(directory.apply_all(&Session::system(), twice).is_err());
    system(&directory, modify(ADA, Delete, KEYS, &[&key("AA")])).unwrap_err();
    assert!(directory.changes_since(0, 1000).unwrap().is_empty());
    assert!(directory.snapshot().verify().unwrap().is_empty());
}

#[test]
fn descriptors_are_recorded_as_sddl() {
    let directory = new(small::OPEN);
    system(&directory, user("Ada")).unwrap();
    let start = directory.changes_since(0, 10_000).unwrap().len() as u64;
    let mut request = directory::ModifyRequest::new(
        dn(ADA),
        vec![directory::Modification::new(
            Replace,
            "nTSecurityDescriptor",
            [small::descriptor("D:P(A;;RPWP;;;WD)")],
        )],
    );
    request.descriptor_flags = Some(4);
    system(&directory, Operation::Modify(request)).unwrap();
    let records = directory.changes_since(start, 100).unwrap();
    let told = told(&records);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].starts_with("ValueDeleted nTSecurityDescriptor O:"),
        "{}",
        told[0]
    );
    assert!(told[1].contains("D:P"), "{}", told[1]);
    let Record::Change(change) = &records[1] else {
        panic!()
    };
    assert!(matches!(change.value, ChangedValue::Text { .. }));
}
