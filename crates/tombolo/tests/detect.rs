//! `tombolo detect` from outside: exit codes, JSON, and what it says when it cannot read.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may stop")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

const CONNECTOR: &str = "S-1-5-21-1-2-3-1105";

fn event(writer: &str, class: &str, digits: u32) -> String {
    format!(
        "{{\"Event\":{{\"System\":{{\"EventID\":5136,\"EventRecordID\":7}},\"EventData\":{{\
         \"SubjectUserSid\":\"{writer}\",\"SubjectUserName\":\"somebody\",\"ObjectClass\":\"{class}\",\
         \"ObjectDN\":\"CN=Test User,DC=corp\",\"AttributeLDAPDisplayName\":\"msDS-KeyCredentialLink\",\
         \"OperationType\":\"%%14674\",\"AttributeValue\":\"B:{digits}:%%14672:CN=Test User,DC=corp\"}}}}}}\n"
    )
}

fn tombolo(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tombolo"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its arguments does not read.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}

fn check(input: &str, code: i32, said: &str) {
    let output = tombolo(&["detect", "scan", "-", "--connector", CONNECTOR], input);
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(said), "no '{said}' in {text}");
}

#[test]
fn exit_codes() {
    let stranger = "S-1-5-21-1-2-3-1666";
    check(&event(CONNECTOR, "user", 854), 0, "legitimate writeback");
    check(&event(stranger, "user", 806), 1, "suspicious");
    check(&event(stranger, "computer", 828), 2, "planted");
    let both = event(CONNECTOR, "user", 854) + &event(stranger, "computer", 828);
    check(&both, 2, "1 planted, 0 suspicious, 0 unknown, 1 legitimate");
    check("", 0, "0 changes");
    check("{\"msDS-KeyCredentialLink\n", 3, "-:1: ");
    let broken = "{\"msDS-KeyCredentialLink\n".to_owned() + &event(stranger, "computer", 828);
    check(&broken, 2, "1 record could not be read");
}

#[test]
fn wrong_usage_is_not_a_planted_key() {
    for arguments in [
        &["detect", "scan"][..],
        &["detect", "scan", "no-such-file"],
        &["detect", "scan", "-", "--connector", "mallory"],
        &["detect", "scan", "-", "--receipts", "no-such-file"],
        &["detect", "explain", "-", "--record", "9"],
        &["no-such-command"],
    ] {
        assert_eq!(
            tombolo(arguments, "").status.code(),
            Some(3),
            "{arguments:?}"
        );
    }
}

#[test]
fn json_is_one_document() {
    let output = tombolo(
        &["detect", "scan", "--json", "-"],
        &event("S-1-5-21-1-2-3-1666", "computer", 828),
    );
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["format"], "tombolo-detect/1");
    assert_eq!(report["verdicts"][0]["verdict"], "planted");
    assert_eq!(report["verdicts"][0]["change"]["origin"]["record_id"], 7);
    assert_eq!(
        report["verdicts"][0]["reasons"][0]["id"],
        "computer-written-by-other"
    );
    let output = tombolo(&["detect", "explain", "--json"], "");
    let rules: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        rules
            .as_array()
            .unwrap()
            .iter()
            .any(|rule| rule["id"] == "receipt-matches")
    );
}

#[test]
fn the_first_screen() {
    let output = tombolo(&[], "");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.contains("Passkeys in the cloud") && text.contains("tombolo lab"),
        "{text}"
    );
    assert_eq!(output.status.code(), Some(0));
}
