//! `tombolo keys show` from outside: what it reads, how it ends, and that a reader may go away.

#![allow(clippy::unwrap_used, reason = "helpers of tests, which may stop")]
#![expect(
    clippy::disallowed_methods,
    reason = "the test makes the files that the command reads"
)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

const DN: &str = "CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com";

/// A small value: KeyID, a FIDO material without anything in it, usage FIDO, source AzureAD.
fn value() -> String {
    let hex = "00020000010001550200037B7D0100040701000501";
    format!("B:{}:{hex}:{DN}", hex.len())
}

fn show(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tombolo"))
        .args(["keys", "show"])
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

fn check(arguments: &[&str], input: &str, code: i32, on_stdout: &[&str], on_stderr: &[&str]) {
    let output = show(arguments, input);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stdout}{stderr}");
    for part in on_stdout {
        assert!(stdout.contains(part), "no '{part}' in {stdout}");
    }
    for part in on_stderr {
        assert!(stderr.contains(part), "no '{part}' in {stderr}");
    }
}

#[test]
fn values_files_and_stdin() {
    let row = ["Usage", "FIDO", "AzureAD", DN, "[key-material-unreadable]"];
    check(&[&value()], "", 0, &row, &[]);
    check(
        &["-"],
        &format!("dn: {DN}\nmsDS-KeyCredentialLink: {}\n", value()),
        0,
        &row,
        &[],
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.json");
    std::fs::write(&file, format!("[\"{}\"]", value())).unwrap();
    check(&[file.to_str().unwrap()], "", 0, &row, &[]);
}

#[test]
fn a_broken_value_costs_no_other() {
    let input = format!("B:8:00020\n{}\nB:10:0002000001:CN=a\n", value());
    let said = [
        "stdin:1: broken value",
        "stdin:3: broken value of CN=a",
        "2 broken, 1 readable",
    ];
    check(&["-"], &input, 1, &[DN], &said);
}

#[test]
fn nothing_to_show() {
    check(
        &["-"],
        "hello",
        3,
        &[],
        &["no key credential found", "next:"],
    );
    check(&["B:x"], "", 3, &[], &["argument 1 is not a value"]);
    // Hex alone is no file's name, and is not printed whole.
    let said = ["argument 1 is not a value", "hex alone", "'B:400:"];
    check(&[&"00".repeat(200)], "", 3, &[], &said);
    check(
        &["no-such-file", &value()],
        "",
        3,
        &[DN],
        &["could not read no-such-file"],
    );
    check(&[], "", 3, &[], &["Usage:"]);
}

#[test]
fn json_is_one_document() {
    let output = show(
        &["--json", "-"],
        &format!("{}\n{}\nB:2:0\n", value(), value()),
    );
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(json["format"], "tombolo-keys/1");
    assert_eq!(json["keys"][1]["place"]["line"], 2);
    assert_eq!(json["keys"][0]["owner"], DN);
    assert_eq!(json["keys"][0]["keyId"]["hex"], "55");
    assert_eq!(json["broken"].as_array().unwrap().len(), 1);
    assert_eq!(json["summary"]["readable"], 2);
}

#[test]
fn models_of_the_user() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("models.json");
    std::fs::write(&file, r#"{"not an aaguid": "x"}"#).unwrap();
    let path = file.to_str().unwrap();
    check(
        &["--aaguids", path, &value()],
        "",
        3,
        &[],
        &["'not an aaguid'"],
    );
}

#[test]
fn the_reader_may_go_away() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tombolo"))
        .args(["keys", "show", "--json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        for _ in 0..2000 {
            if writeln!(stdin, "{}", value()).is_err() {
                break;
            }
        }
    });
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    writer.join().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}
