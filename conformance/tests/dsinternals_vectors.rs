//! The public vectors of the DSInternals test-suite: genuine values of Windows, of the cloud and of tools.
//!
//! They may belong to real people, so none is in this repository. Name a checkout and they are judged:
//! `TOMBOLO_DSINTERNALS_VECTORS=…/DSInternals cargo test -p conformance --test dsinternals_vectors -- --nocapture`.
//! Without it the test says what it did not do; `cargo xtask test` lists it as left out.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a judge's failure ends its test"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the judge's files are named by the environment"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use keycred::{
    Blob, BlobBuilder, DnBinary, EntryId, FidoKeyMaterial, HashCheck, KeyIdCheck, KeySource,
    KeyUsage, SearchableDeviceKey,
};

const VARIABLE: &str = "TOMBOLO_DSINTERNALS_VECTORS";

/// The texts of all tests below the named directory, by file.
fn tests() -> Option<Vec<(PathBuf, String)>> {
    let root = std::env::var_os(VARIABLE)?;
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::from(&root)];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder);
        let entries = entries.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for entry in entries {
            let path = entry.unwrap().path();
            let is_test = |path: &Path| path.extension().is_some_and(|e| e == "cs" || e == "ps1");
            if path.is_dir() {
                folders.push(path);
            } else if is_test(&path) {
                let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
                files.push((path, text));
            }
        }
    }
    files.sort();
    assert!(
        !files.is_empty(),
        "{VARIABLE} names a directory without C# or PowerShell tests"
    );
    Some(files)
}

/// String literals of a test's text.
fn literals(text: &str) -> impl Iterator<Item = &str> {
    text.split(['"', '\''])
        .filter(|literal| literal.len() >= 60)
}

/// Every blob that stands in a literal, as hex or inside a `B:` line. Some occur twice.
fn blobs(text: &str) -> Vec<Vec<u8>> {
    literals(text)
        .filter_map(|literal| match literal.parse::<DnBinary>() {
            Ok(value) => Some(value.binary),
            Err(_) => HEXLOWER_PERMISSIVE.decode(literal.as_bytes()).ok(),
        })
        .filter(|bytes| bytes.starts_with(&[0, 2, 0, 0]) && bytes.get(6) == Some(&1))
        .collect()
}

#[test]
fn every_vector_is_read_and_written_back() {
    let Some(tests) = tests() else {
        println!("LEFT OUT: {VARIABLE} names no checkout of DSInternals");
        return;
    };
    let distinct: BTreeSet<Vec<u8>> = tests.iter().flat_map(|(_, text)| blobs(text)).collect();
    let mut counts = [0_usize; 6];
    let [fido, ngc, stk, cloud, wrong_hash, alarmed] = &mut counts;
    for bytes in &distinct {
        let blob = Blob::decode(bytes).unwrap();
        assert_eq!(blob.as_bytes(), &bytes[..]);
        let key = blob.credential();
        match key.usage() {
            Some(KeyUsage::FIDO) => *fido += 1,
            Some(KeyUsage::NGC) => *ngc += 1,
            Some(KeyUsage::STK) => *stk += 1,
            other => panic!("unexpected usage {other:?}"),
        }
        let material = key.material().unwrap().unwrap();
        assert!(material.public_key().is_some(), "{}", material.format());
        if key.usage() == Some(KeyUsage::FIDO) {
            assert_eq!(key.key_id_check(), KeyIdCheck::CredentialId);
        }
        match key.key_hash_check() {
            HashCheck::Holds => {
                let created = key
                    .created()
                    .unwrap()
                    .moment()
                    .unwrap()
                    .to_date_time()
                    .unwrap();
                assert!((2015..=2026).contains(&created.year()), "{created}");
            }
            _ => *wrong_hash += 1,
        }
        *cloud += usize::from(key.source() == Some(KeySource::AZURE_AD));
        let findings = key.findings();
        *alarmed += usize::from(
            findings
                .iter()
                .any(|f| f.severity == keycred::Severity::Alarm),
        );
        converts_back(&blob);
    }
    assert!(
        distinct.len() >= 10,
        "only {} vectors found",
        distinct.len()
    );
    let [fido, ngc, stk, cloud, wrong_hash, alarmed] = counts;
    println!(
        "{} distinct vectors read: {fido} FIDO, {ngc} NGC, {stk} STK; {cloud} from the cloud; \
         {wrong_hash} with a wrong KeyHash, {alarmed} with an alarm",
        distinct.len()
    );
}

/// A value of the cloud, taken to its cloud form and back, is the same to the last byte, but for the "never" of its
/// time: that is put back, and KeyHash computed anew.
fn converts_back(blob: &Blob<'_>) {
    let key = blob.credential();
    if key.source() != Some(KeySource::AZURE_AD) {
        return;
    }
    let last_logon = key.last_logon().unwrap();
    assert!(last_logon.is_never());
    let rebuilt = SearchableDeviceKey::from_blob(blob)
        .unwrap()
        .to_blob()
        .unwrap();
    let start = BlobBuilder::new(rebuilt.version());
    let with_their_never = rebuilt
        .entries()
        .fold(start, |builder, entry| match entry.id {
            EntryId::KEY_HASH => builder.key_hash().unwrap(),
            EntryId::LAST_LOGON => builder
                .entry(entry.id, &last_logon.raw.to_le_bytes())
                .unwrap(),
            id => builder.entry(id, entry.value).unwrap(),
        });
    assert_eq!(&with_their_never.build(), blob);
}

#[test]
fn fido_material_and_cloud_json_are_read() {
    let Some(tests) = tests() else {
        println!("LEFT OUT: {VARIABLE} names no checkout of DSInternals");
        return;
    };
    let (mut materials, mut keys) = (0, 0);
    for (_, text) in &tests {
        for literal in literals(text) {
            let Ok(json) = BASE64.decode(literal.as_bytes()) else {
                continue;
            };
            if json.starts_with(b"{\"version\":1,\"authData\"") {
                let fido = FidoKeyMaterial::decode(&json).unwrap();
                assert!(fido.credential_id().is_some());
                assert!(!fido.attestation().is_empty());
                let written =
                    FidoKeyMaterial::encode(&fido.auth_data, &fido.x5c, &fido.display_name);
                assert_eq!(
                    written, json,
                    "FIDO material is written as the cloud writes it"
                );
                materials += 1;
            }
        }
        keys += cloud_keys(text);
    }
    println!(
        "{materials} FIDO materials written back byte for byte, {keys} cloud keys converted both ways"
    );
}

/// Cloud keys in single-quoted JSON, which only older revisions have.
fn cloud_keys(text: &str) -> usize {
    let mut count = 0;
    for piece in text.split("@\"").skip(1) {
        let json = piece
            .split('"')
            .next()
            .unwrap_or_default()
            .replace('\'', "\"");
        if !json.contains("\"keyIdentifier\"") {
            continue;
        }
        let key: SearchableDeviceKey = serde_json::from_str(&json).unwrap();
        let blob = key.to_blob().unwrap();
        assert!(blob.credential().key_hash_check().holds());
        let mut back = SearchableDeviceKey::from_blob(&blob).unwrap();
        // The cloud lists the issuing CA too, which the material lacks.
        let listed: BTreeSet<_> = key.fido_attestation_certificates.iter().collect();
        assert!(
            back.fido_attestation_certificates
                .iter()
                .all(|thumbprint| listed.contains(thumbprint))
        );
        back.fido_attestation_certificates
            .clone_from(&key.fido_attestation_certificates);
        assert_eq!(back, key);
        count += 1;
    }
    count
}
