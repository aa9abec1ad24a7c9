//! Events as their shippers spell them, and what is no event.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, which may stop"
)]

mod common;

use common::*;
use detect::{Act, Form, read};
use events::Operation::ValueAdded;
use events::WindowsEvent;
use proptest::prelude::*;
use types::Sid;

/// One added value, by all the names that a shipper may give it.
fn check(text: &str, form: Form) {
    let read = read::changes("file", text.as_bytes());
    assert_eq!(read.broken, [], "{text}");
    let [sighting] = &read.sightings[..] else {
        panic!("{} sightings in {text}", read.sightings.len())
    };
    assert_eq!(sighting.origin.form, form, "{text}");
    assert_eq!(sighting.act, Act::Added);
    assert_eq!(sighting.value.hex_digits, Some(806));
    assert_eq!(
        sighting.writer.sid,
        Some("S-1-5-21-1-2-3-1666".parse::<Sid>().unwrap()),
        "{text}"
    );
    assert_eq!(sighting.writer.logon_id, Some(0x3E7));
    assert_eq!(sighting.object.dn, USER_DN);
    assert_eq!(sighting.object.guid, Some(guid(20)), "{text}");
    assert_eq!(sighting.object.class.as_deref(), Some("user"));
    assert_eq!(sighting.time, Some(at("10:00:00")), "{text}");
    assert_eq!(sighting.computer.as_deref(), Some("dc1.corp.contoso.com"));
    assert!(sighting.operation_id.is_some());
}

fn event() -> WindowsEvent {
    let mut log = Log::new();
    log.write(
        at("10:00:00"),
        STRANGER,
        user(),
        ValueAdded,
        &shape("impacket 0.13.1", 1, at("09:59:59")),
    );
    WindowsEvent::from(&log.records[0])
}

/// The event's data with the first letter of each name small, or not, in flat JSON.
fn data(small: bool) -> String {
    let name = |name: &str| {
        if small {
            name[..1].to_lowercase() + &name[1..]
        } else {
            name.to_owned()
        }
    };
    let members: Vec<String> = event()
        .data
        .iter()
        .map(|(field, value)| format!("\"{}\":{value:?}", name(field)))
        .collect();
    members.join(",")
}

#[test]
fn every_shipper() {
    let mut log = Log::new();
    log.write(
        at("10:00:00"),
        STRANGER,
        user(),
        ValueAdded,
        &shape("impacket 0.13.1", 1, at("09:59:59")),
    );
    check(&log.own(), Form::Own);
    check(&event().to_json().to_string(), Form::WindowsJson);
    check(
        &format!(
            "Record 1\n{:#}\nRecord 2\n{{\"Event\":{{}}}}\n",
            event().to_json()
        ),
        Form::WindowsJson,
    );
    check(
        &format!("[{}, {{\"EventID\": 1}}]", event().to_json()),
        Form::WindowsJson,
    );
    check(&event().to_xml(), Form::WindowsXml);
    let pretty = event().to_xml().replace("><", ">\n  <");
    check(
        &format!("<?xml version='1.0'?>\n<Events>\n{pretty}\n</Events>"),
        Form::WindowsXml,
    );
    // winlogbeat
    check(
        &format!(
            "{{\"@timestamp\":\"2026-06-10T10:00:00.000Z\",\"event\":{{\"code\":\"5136\"}},\
             \"winlog\":{{\"computer_name\":\"dc1.corp.contoso.com\",\"record_id\":\"7\",\"event_data\":{{{}}}}}}}",
            data(false)
        ),
        Form::WindowsJson,
    );
    // Wazuh
    check(
        &format!(
            "{{\"win\":{{\"system\":{{\"eventID\":\"5136\",\"systemTime\":\"2026-06-10T10:00:00.0000000Z\",\
             \"computer\":\"dc1.corp.contoso.com\"}},\"eventdata\":{{{}}}}}}}",
            data(true)
        ),
        Form::WindowsJson,
    );
    // NXLog, flat
    check(
        &format!(
            "{{\"EventTime\":\"2026-06-10 10:00:00\",\"EventID\":5136,\"Hostname\":\"dc1.corp.contoso.com\",{}}}",
            data(false)
        ),
        Form::WindowsJson,
    );
    // A table with the event's data as XML in one column.
    let xml = event().to_xml();
    let (_, xml) = xml.split_once("<EventData>").unwrap();
    let (xml, _) = xml.split_once("</EventData>").unwrap();
    check(
        &format!(
            "{{\"TimeGenerated\":\"2026-06-10T10:00:00Z\",\"Computer\":\"dc1.corp.contoso.com\",\"EventID\":5136,\
             \"EventData\":{:?}}}",
            format!("<EventData>{xml}</EventData>")
        ),
        Form::WindowsJson,
    );
    // A converter from XML with named members.
    let named: Vec<String> = event()
        .data
        .iter()
        .map(|(name, value)| format!("{{\"@Name\":\"{name}\",\"#text\":{value:?}}}"))
        .collect();
    check(
        &format!(
            "{{\"Event\":{{\"System\":{{\"EventID\":{{\"#text\":\"5136\",\"@Qualifiers\":\"\"}},\
             \"TimeCreated\":{{\"@SystemTime\":\"x\",\"SystemTime\":\"2026-06-10T10:00:00Z\"}},\
             \"Computer\":\"dc1.corp.contoso.com\"}},\"EventData\":{{\"Data\":[{}]}}}}}}",
            named.join(",")
        ),
        Form::WindowsJson,
    );
    // Rendered messages, lower-case braces, UTF-16 as PowerShell writes it.
    let rendered = event()
        .to_json()
        .to_string()
        .replace("%%14672", "<Binary>")
        .replace("%%14674", "Value Added");
    check(&rendered, Form::WindowsJson);
    let wide: Vec<u8> = [0xFEFF]
        .into_iter()
        .chain(rendered.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(read::changes("file", &wide).sightings.len(), 1);
}

#[test]
fn broken_records_are_named_and_the_others_read() {
    let good = event().to_json().to_string();
    let lines = [
        good.clone(),
        "{\"cut\": \"msDS-KeyCredentialLink".to_owned(),
        good.replace("%%14674", "Wert hinzugefügt"),
        good.replace("B:806", "B:many"),
        good.replace("\"ObjectDN\"", "\"ObjectName\""),
        "msDS-KeyCredentialLink changed".to_owned(),
        "<Event><Data>msDS-KeyCredentialLink".to_owned(),
        String::new(),
        good,
    ];
    let read = read::changes("dc1.jsonl", lines.join("\n").as_bytes());
    assert_eq!(read.sightings.len(), 2);
    let places: Vec<usize> = read.broken.iter().map(|broken| broken.line).collect();
    assert_eq!(places, [2, 3, 4, 5, 6, 7], "{:#?}", read.broken);
    assert!(
        read.broken[1]
            .to_string()
            .starts_with("dc1.jsonl:3: OperationType 'Wert hinzugefügt'")
    );
    assert_eq!(read.broken_count, 6);
}

#[test]
fn a_cut_event_does_not_take_the_next_one_with_it() {
    let good = event().to_xml();
    let cut = &good[..good.len() / 2];
    for text in [format!("{cut}\n{good}"), format!("{cut}{good}\n")] {
        let read = read::changes("file", text.as_bytes());
        assert_eq!(read.sightings.len(), 1, "{text}");
        assert_eq!(read.sightings[0].object.dn, USER_DN);
    }
    let read = read::changes("file", format!("{good}{cut}").as_bytes());
    assert_eq!(read.sightings.len(), 1);
    // JSON between markup is not swallowed.
    let text = format!("<Events>\n{}\n<x/>\n{good}\n</Events>", event().to_json());
    assert_eq!(read::changes("file", text.as_bytes()).sightings.len(), 2);
}

#[test]
fn hostile_files_take_linear_time() {
    // Each of these was a search to the end of the file for every line.
    for line in [
        "<Event >\n",
        "<x>\n",
        "{\n",
        "[\n",
        "{\"a\":\n",
        "<Event ><Event ></Event\n",
    ] {
        read::changes("file", line.repeat(5_000).as_bytes());
    }
}

#[test]
fn other_events_are_passed_over() {
    let text = "{\"Event\":{\"System\":{\"EventID\":4624}}}\n\
                {\"Event\":{\"System\":{\"EventID\":4104},\"EventData\":{\"ScriptBlockText\":\"msDS-KeyCredentialLink\"}}}\n\
                {\"Event\":{\"System\":{\"EventID\":5136},\"EventData\":{\"AttributeLDAPDisplayName\":\"member\",\
                \"AttributeValue\":\"CN=msDS-KeyCredentialLink\"}}}\n";
    let read = read::changes("file", text.as_bytes());
    assert_eq!(
        (read.sightings.len(), read.broken_count, read.passed_over),
        (0, 0, 3)
    );
}

#[test]
fn a_file_of_another_kind_is_no_quiet_log() {
    // Bug: scanning the wrong file said "0 changes" and ended with 0.
    let read = |text: &str| detect::read::changes("file", text.as_bytes()).broken_count;
    assert_eq!(read("127.0.0.1 localhost\n"), 1);
    assert_eq!(
        read("Level,Date,Source\nInformation,2026-06-10,Security\n"),
        1
    );
    for quiet in [
        "",
        "\n",
        "[]",
        "{\"EventID\":4624}\n",
        "Record 1\n<Event></Event>\n",
    ] {
        assert_eq!(read(quiet), 0, "{quiet}");
    }
}

#[test]
fn what_is_no_text() {
    for (bytes, word) in [
        (&b"ElfFile\0\0\0"[..], "evtx_dump"),
        (&[0x1F, 0x8B, 8][..], "gunzip"),
    ] {
        let read = read::changes("file", bytes);
        assert!(read.broken[0].reason.contains(word), "{:?}", read.broken);
    }
    assert_eq!(read::changes("file", b"").broken_count, 0);
    let deep = format!(
        "{}\"msDS-KeyCredentialLink\"{}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert_eq!(read::changes("file", deep.as_bytes()).broken_count, 1);
}

#[test]
fn a_flood_of_broken_records_is_counted() {
    let text = "{\"msDS-KeyCredentialLink\" }\n".repeat(1000);
    let read = read::changes("file", text.as_bytes());
    assert_eq!((read.broken.len(), read.broken_count), (50, 1000));
}

proptest! {
    #[test]
    fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let read = read::changes("file", &bytes);
        detect::judge(&read.sightings, &accounts());
        let _ = detect::Inventory::read(&String::from_utf8_lossy(&bytes));
        let _ = detect::CloudKeys::read(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn a_damaged_event_never_panics(at in 0_usize..4000, byte: u8, blob in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut log = Log::new();
        log.write(common::at("10:00:00"), STRANGER, user(), ValueAdded, &blob);
        for text in [log.own(), log.windows(), event().to_xml()] {
            let mut bytes = text.into_bytes();
            let at = at % bytes.len();
            bytes[at] = byte;
            let read = read::changes("file", &bytes);
            detect::judge(&read.sightings, &accounts());
        }
    }
}
