//! Inputs as administrators have them: every value is found, each with its place, none is lost to a broken one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests are tests"
)]

use audit::inventory::{self, Content, Item};
use audit::models::Models;
use audit::report::Report;
use keycred::{Draft, KeySource, KeyUsage};
use proptest::prelude::*;

const ADA: &str = "CN=Test User,OU=Users,DC=corp,DC=contoso,DC=com";

/// A readable blob in hex, different for each number.
fn hex(number: u8) -> String {
    let draft = Draft::hashed([b'?', number], KeyUsage::NGC, KeySource::AD);
    data_encoding::HEXUPPER.encode(draft.to_blob().unwrap().as_bytes())
}

fn value(number: u8, dn: &str) -> String {
    let hex = hex(number);
    format!("B:{}:{hex}:{dn}", hex.len())
}

/// As ldapsearch folds: at 76 columns, then one space.
fn folded(line: &str, break_with: &str) -> String {
    let chars: Vec<_> = line.chars().collect();
    let pieces: Vec<String> = chars
        .chunks(75)
        .map(|piece| piece.iter().collect())
        .collect();
    pieces.join(break_with)
}

/// One line for each item: place, object, what.
fn shown(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    inventory::read("in", text.as_bytes(), &mut |item| {
        lines.push(match item {
            Item::Value(found) => {
                let (what, dn) = match found.content {
                    Content::Directory {
                        value,
                        lower_case_hex,
                    } => {
                        let blob = keycred::Blob::decode(&value.binary).unwrap();
                        let number = blob.credential().key_material().unwrap()[1];
                        let case = if lower_case_hex { " lower" } else { "" };
                        (format!("{number}{case}"), value.dn)
                    }
                    Content::Cloud(key) => (format!("cloud {}", key.usage.label()), String::new()),
                };
                format!(
                    "{} {} {what} {dn}",
                    found.place,
                    found.object.unwrap_or("-".into())
                )
            }
            Item::Broken(broken) => {
                format!(
                    "{} {} broken: {}",
                    broken.place,
                    broken.object.unwrap_or("-".into()),
                    broken.reason
                )
            }
            Item::Notice(notice) => format!("{} notice: {}", notice.place, notice.sentence),
            _ => "?".to_owned(),
        });
    });
    lines
}

fn check(text: &str, expect: &[&str]) {
    let got = shown(text);
    assert_eq!(got.len(), expect.len(), "{got:#?}\nin {text}");
    for (got, expect) in got.iter().zip(expect) {
        assert!(got.starts_with(expect), "{got}\ninstead of {expect}");
    }
}

#[test]
fn plain_lines() {
    let ada = value(1, ADA);
    check(&ada, &[&format!("in:1 - 1 {ADA}")]);
    check(
        &ada.to_lowercase().replacen("b:", "B:", 1),
        &["in:1 - 1 lower cn=test user"],
    );
    let text = format!("# keys\r\n\r\n{ada}\r\n{}\r\n", value(2, "CN=b:c,DC=x"));
    check(&text, &[&format!("in:3 - 1 {ADA}"), "in:4 - 2 CN=b:c,DC=x"]);
    check("", &[]);
    check("AB:12:00 nothing B: here B:x:", &[]);
}

#[test]
fn ldif() {
    let one = folded(&format!("msDS-KeyCredentialLink: {}", value(1, ADA)), "\n ");
    let two = folded(
        &format!("msDS-KeyCredentialLink;range=0-1499: {}", value(2, ADA)),
        "\r\n ",
    );
    let dn = folded(&format!("dn: {ADA}"), "\n ");
    let text =
        format!("version: 1\n{dn}\nobjectClass: user\n{one}\n{two}\ncn: x\n\ndn: CN=b\n{one}\n");
    let lines: Vec<_> = shown(&text);
    assert_eq!(lines.len(), 3, "{lines:#?}");
    assert!(
        lines[0].ends_with(&format!("{ADA} 1 {ADA}")),
        "{}",
        lines[0]
    );
    assert!(
        lines[1].ends_with(&format!("{ADA} 2 {ADA}")),
        "{}",
        lines[1]
    );
    assert!(lines[2].ends_with(&format!("CN=b 1 {ADA}")), "{}", lines[2]);
    assert!(lines[0].starts_with("in:4 "));
}

#[test]
fn ldif_in_base64() {
    let name = "CN=Žofie,DC=corp,DC=contoso,DC=com";
    let encode = |text: &str| data_encoding::BASE64.encode(text.as_bytes());
    let line = folded(
        &format!("msDS-KeyCredentialLink:: {}", encode(&value(1, name))),
        "\n ",
    );
    let text = format!(
        "dn:: {}\n{line}\nmsDS-KeyCredentialLink: {}\n",
        encode(name),
        value(2, name)
    );
    check(&text, &[&format!("in:2 {name} 1 {name}"), "in:"]);
    check(
        "msDS-KeyCredentialLink:: AAAA*\n",
        &["in:1 - broken: the base64"],
    );
    check(
        "msDS-KeyCredentialLink:: QjoyOjAw\n",
        &["in:1 - broken: not a DN-Binary"],
    );
    check(
        "msDS-KeyCredentialLink;range=0-1:: QjoyOjAw\n",
        &["in:1 - broken"],
    );
}

#[test]
fn a_hostile_line_takes_no_longer_than_its_length() {
    // Bug: each of these names unfolded the whole rest of the line, which made a file of 2 MB take minutes.
    let text = "msDS-KeyCredentialLink:: ".repeat(80_000);
    check(&text, &["in:1 - broken: the base64"]);
    let text = format!("{{{}", "B:2:00:x, ".repeat(20_000));
    assert_eq!(shown(&text.replace("00", "0")).len(), 20_000);
}

#[test]
fn space_joined_and_quoted() {
    let (a, b) = (value(1, "CN=Ada B,DC=x"), value(2, "CN=O'Brien,DC=x"));
    let expect = ["in:1 - 1 CN=Ada B,DC=x", "in:1 - 2 CN=O'Brien,DC=x"];
    check(&format!("{a} {b}"), &expect);
    check(
        &format!("LDAP 10.0.0.1 389 DC01 msDS-KeyCredentialLink: {a} {b}"),
        &expect,
    );
    check(&format!("\"{a}\";\"{b}\"\n"), &expect);
    check(&format!("'{a}', \"{b}\""), &expect);
    let rows = format!("name,keys\nx,\"{a}\"\ny,\"{b}\"\n");
    check(&rows, &["in:2 - 1 CN=Ada B,DC=x", "in:3 - 2 CN=O'Brien"]);
}

#[test]
fn powershell_list_view() {
    let name = "msDS-KeyCredentialLink : {";
    let indent = format!("\r\n{}", " ".repeat(25));
    let body = format!("{}, {}}}", value(1, "CN=Ada,DC=x"), value(2, "CN=Bob,DC=x"));
    let text = format!(
        "Name : Ada\r\n{name}{}\r\nSID : x\r\n",
        folded(&body, &indent)
    );
    check(&text, &["in:2 - 1 CN=Ada,DC=x", "in:"]);
    assert!(
        shown(&text)[1].ends_with("2 CN=Bob,DC=x"),
        "{:?}",
        shown(&text)
    );
}

#[test]
fn utf16_from_powershell() {
    let text = format!("{}\r\n", value(1, ADA));
    let mut bytes = vec![0xFF, 0xFE];
    bytes.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    let mut found = 0;
    inventory::read("in", &bytes, &mut |item| {
        assert!(matches!(item, Item::Value(_)));
        found += 1;
    });
    assert_eq!(found, 1);
}

#[test]
fn what_was_cut_is_told_and_the_rest_is_read() {
    let (whole, other) = (value(1, ADA), value(2, ADA));
    let cut = &whole[..60];
    check(
        &format!("{cut}...\n{other}\n"),
        &[
            "in:1 - broken: the value is cut with '...' after",
            "in:2 - 2",
        ],
    );
    check(
        &format!("{cut}…}}\n{other}\n"),
        &["in:1 - broken: the value is cut", "in:2 - 2"],
    );
    check(cut, &["in:1 - broken: the value ends after"]);
    check(
        &format!("{cut}\n{other}"),
        &["in:1 - broken: after", "in:2 - 2"],
    );
    check("B:4:000:CN=a", &["in:1 - broken: after 3 of 4"]);
    check(
        "B:4:00000:CN=a",
        &["in:1 - broken: the value has more hex digits"],
    );
    check("B:3:000:CN=a", &["in:1 - broken: 3 hex digits do not make"]);
    check("B:4:0000", &["in:1 - broken: there is no colon"]);
    check("B:999999999:00:CN=a", &["in:1 - broken: the value claims"]);
    check(
        "B:854:%%14672:CN=a",
        &["in:1 - broken: this is an event's record of a value of 854"],
    );
    let csv = "\"Name\",\"msDS-KeyCredentialLink\"\n\"Ada\",\"Microsoft.ActiveDirectory.Management.ADPropertyValueCollection\"\n";
    check(
        csv,
        &["in:2 notice: the export holds PowerShell's type name"],
    );
}

#[test]
fn json() {
    let (a, b) = (value(1, ADA), value(2, ADA));
    check(
        &format!("[\"{a}\", \"{b}\"]"),
        &["in at [0] - 1", "in at [1] - 2"],
    );
    check(
        &format!("{{\"DistinguishedName\": \"CN=x\", \"msDS-KeyCredentialLink\": [\"{a}\"]}}"),
        &["in at msDS-KeyCredentialLink[0] CN=x 1"],
    );
    check(
        &format!("{{\"users\": [{{\"name\": \"ada\", \"keys\": \"{a} {b}\"}}]}}"),
        &["in at users[0].keys ada 1", "in at users[0].keys ada 2"],
    );
    check(
        &format!("{{\"k\":\"{a}\"}}\n{{\"k\":\"{b}\"}}\n"),
        &["in at [0].k - 1", "in at [1].k - 2"],
    );
    // Broken JSON is read as text.
    check(&format!("[\"{a}\", \"{b}\""), &["in:1 - 1", "in:1 - 2"]);
    check("[1, null, {}]", &[]);
    check(
        &format!("{}\"{a}\"{}", "[".repeat(60), "]".repeat(60)),
        &["in at"],
    );
}

#[test]
fn cloud_json() {
    let key = r#"{"usage":"NGC","keyIdentifier":"AQ==","keyMaterial":"Ag==","creationTime":"2026-03-04T05:06:07Z","deviceId":null,"customKeyInformation":null}"#;
    let broken = key.replace("2026", "then");
    let text = format!(
        r#"{{"value":[{{"userPrincipalName":"ada@corp","searchableDeviceKey":[{key},{broken}]}}]}}"#
    );
    check(
        &text,
        &[
            "in at value[0].searchableDeviceKey[0] ada@corp cloud NGC",
            "in at value[0].searchableDeviceKey[1] ada@corp broken: not a searchableDeviceKey",
        ],
    );
    check(key, &["in - cloud NGC"]);
}

#[test]
fn the_report_counts_and_names() {
    let models = Models::default();
    let mut report = Report::default();
    let text = format!("{}\nB:10:0000000000:CN=a\nB:8:00\n", value(1, ADA));
    inventory::read("in", text.as_bytes(), &mut |item| report.add(item, &models));
    assert_eq!((report.summary.readable, report.summary.broken), (1, 2));
    assert_eq!(report.keys[0].owner.as_deref(), Some(ADA));
    assert_eq!(report.keys[0].usage.as_ref().unwrap().name, "NGC");
    assert_eq!(report.broken[0].owner.as_deref(), Some("CN=a"));
    assert!(report.broken[0].reason.contains("truncated entry header"));
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["format"], "tombolo-keys/1");
    assert_eq!(json["keys"][0]["place"]["line"], 1);
    assert_eq!(json["keys"][0]["version"], "0x200");
    assert_eq!(json["keys"][0]["keyId"]["check"], "sha256OfMaterial");
}

#[test]
fn the_report_of_a_fido_key_names_its_model() {
    let mut auth_data = vec![0; 32];
    auth_data.extend([0x45, 0, 0, 0, 1]);
    auth_data.extend(*b"tombolo-softkey1");
    auth_data.extend([0, 1, 9, 0xA1, 3, 0x26]);
    let material = keycred::FidoKeyMaterial::encode(&auth_data, &[], "My key");
    let blob = Draft::new([9], material, KeyUsage::FIDO, KeySource::AZURE_AD)
        .to_blob()
        .unwrap();
    let key = audit::report::Key::of(&blob, Default::default(), &Models::default());
    assert_eq!(key.model.as_deref(), Some("Tombolo software key"));
    let fido = key.material.unwrap().fido.unwrap();
    assert_eq!(fido.display_name, "My key");
    assert_eq!(
        fido.authenticator_data.unwrap().flag_names,
        ["UP", "UV", "AT"]
    );
}

proptest! {
    #[test]
    fn whole_values_survive_any_surroundings(before in "[ -~\n]{0,60}", after in "[ -~\n]{0,60}", number: u8) {
        // A `B:` of the noise may swallow what follows it; everything else must not matter.
        prop_assume!(!before.contains("B:") && !before.trim_start().starts_with(['{', '[']));
        let text = format!("{before}\n{}\n{after}", value(number, ADA));
        let found = shown(&text);
        prop_assert!(found.iter().any(|line| line.contains(&format!(" {number} {ADA}"))), "{:?}", found);
    }

    #[test]
    fn never_panics(bytes: Vec<u8>, cut in 0_usize..300) {
        let mut report = Report::default();
        let models = Models::default();
        inventory::read("in", &bytes, &mut |item| report.add(item, &models));
        let text = format!("dn: x\nmsDS-KeyCredentialLink:: {}", value(1, ADA));
        let mut text = text.into_bytes();
        text.truncate(cut);
        text.extend(&bytes);
        inventory::read("in", &text, &mut |item| report.add(item, &models));
    }
}
