//! Evidence that could mislead: a read-out of a later day, one receipt for two writes, a list of another day, a
//! value with two keys in it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, which may stop"
)]

mod common;

use common::*;
use detect::{Baseline, Verdict, Word};
use events::Operation::{ValueAdded, ValueDeleted};

fn judged_with_inventory(log: &Log, value: &[u8], baseline: &Baseline) -> Vec<Verdict> {
    let mut read = detect::read::changes("log", log.windows().as_bytes());
    let line = keycred::DnBinary::new(value.to_vec(), USER_DN);
    detect::Inventory::read(&format!("msDS-KeyCredentialLink: {line}\n"))
        .complete(&mut read.sightings);
    detect::judge(&read.sightings, baseline)
}

fn cloud_value(seed: u64) -> Vec<u8> {
    shape("cloud ngc", seed, at("09:59:55"))
}

#[test]
fn a_later_read_out_does_not_hide_a_swap() {
    // Bug: the deletion was completed with the value that the addition had left, so the two looked like a rewrite
    // that changes nothing, and the planted key got no verdict at all.
    let mut log = Log::new();
    log.write(
        at("10:00:00"),
        STRANGER,
        user(),
        ValueDeleted,
        &cloud_value(1),
    );
    log.write(
        at("10:00:00"),
        STRANGER,
        user(),
        ValueAdded,
        &cloud_value(2),
    );
    let verdicts = judged_with_inventory(&log, &cloud_value(2), &whole(vec![], vec![]));
    let addition = verdicts
        .iter()
        .find(|verdict| verdict.change.act == detect::Act::Added)
        .expect("the addition has a verdict");
    assert_eq!(addition.verdict, Word::Planted, "{:#?}", addition.reasons);
    assert!(addition.change.value.is_from_inventory);
}

#[test]
fn a_later_read_out_does_not_lend_a_real_key_to_one_that_is_gone() {
    // Bug: a key of the connector's stolen account was there for a minute; the sync's own key of the same length
    // was read back later, and spoke for both.
    let real = cloud_value(1);
    let mut log = Log::new();
    log.write(
        at("10:00:00"),
        CONNECTOR,
        user(),
        ValueAdded,
        &cloud_value(2),
    );
    log.next_operation();
    log.write(
        at("10:01:00"),
        CONNECTOR,
        user(),
        ValueDeleted,
        &cloud_value(2),
    );
    let receipts = vec![receipt(at("09:58:00"), &user(), ValueAdded, &real)];
    let baseline = whole(vec![cloud_ngc(1, at("09:59:55"))], receipts);
    let verdict = &judged_with_inventory(&log, &real, &baseline)[0];
    assert!(
        !verdict.has_reason("receipt-matches"),
        "{:#?}",
        verdict.reasons
    );
    assert!(verdict.change.value.octets.is_none());
}

#[test]
fn one_receipt_does_not_speak_for_two_hidden_writes() {
    // Bug: whoever had the connector's password could add a key of the same length within ten minutes of a write
    // of the sync, and the sync's receipt spoke for both.
    let mut log = Log::new();
    log.write(
        at("10:00:00"),
        CONNECTOR,
        user(),
        ValueAdded,
        &cloud_value(1),
    );
    log.next_operation();
    log.write(
        at("10:05:00"),
        CONNECTOR,
        user(),
        ValueAdded,
        &cloud_value(2),
    );
    let one = receipt(at("10:00:00"), &user(), ValueAdded, &cloud_value(1));
    let two = receipt(at("10:05:00"), &user(), ValueAdded, &cloud_value(2));
    let judged = |receipts: Vec<events::Receipt>| {
        let mut baseline = accounts();
        baseline.add_receipts(receipts);
        log.judge_windows(&baseline)
    };
    let written = |mut receipt: events::Receipt| {
        receipt.state = events::ReceiptState::Written;
        receipt
    };
    // Written and confirmed are two receipts for one write.
    for verdict in judged(vec![written(one.clone()), one.clone()]) {
        assert_eq!(verdict.verdict, Word::Suspicious, "{:#?}", verdict.reasons);
        assert!(verdict.has_reason("connector-without-receipt"));
    }
    for verdict in judged(vec![written(one.clone()), one, written(two)]) {
        assert_eq!(verdict.verdict, Word::LegitimateWriteback);
    }
}

#[test]
fn a_key_that_was_removed_since_is_not_planted() {
    // Bug: without receipts, every old write of the sync whose key the user had removed since was 'planted'.
    let mut log = Log::new();
    log.write(
        at("10:00:00"),
        CONNECTOR,
        user(),
        ValueAdded,
        &cloud_value(1),
    );
    let mut baseline = accounts();
    baseline.set_cloud(detect::CloudKeys::new([cloud_user(user().guid, vec![])]));
    let verdict = &log.judge(&baseline)[0];
    assert_eq!(verdict.verdict, Word::Suspicious, "{:#?}", verdict.reasons);
    assert!(verdict.has_reason("cloud-lacks-key-today"));
    assert!(verdict.settle.as_ref().unwrap().contains("receipts"));
    // Receipts that begin later say nothing of that time either.
    baseline.add_receipts([receipt(
        at("13:00:00"),
        &user(),
        ValueAdded,
        &cloud_value(9),
    )]);
    assert_eq!(log.judge(&baseline)[0].verdict, Word::Suspicious);
}

#[test]
fn a_value_with_two_keys_is_not_the_clouds() {
    // Bug: a second KeyMaterial behind the real one was 'other entries differ', and the verdict was legitimate.
    use sha2::Digest;
    let real = cloud_value(1);
    // Version, KeyID and KeyHash stay; the forged entry follows, and the hash is made anew.
    let (head, tail) = real.split_at(4 + 35 + 35);
    let mut tail = tail.to_vec();
    let material = rsa1(99);
    tail.extend(u16::try_from(material.len()).unwrap().to_le_bytes());
    tail.push(3);
    tail.extend(&material);
    let mut value = head[..4 + 35 + 3].to_vec();
    value.extend(sha2::Sha256::digest(&tail));
    value.extend(&tail);
    assert!(blob_is_sound(&value));
    let mut log = Log::new();
    log.write(at("10:00:00"), CONNECTOR, user(), ValueAdded, &value);
    let mut baseline = accounts();
    let keys = vec![cloud_ngc(1, at("09:59:55"))];
    baseline.set_cloud(detect::CloudKeys::new([cloud_user(user().guid, keys)]));
    let verdict = &log.judge(&baseline)[0];
    assert_eq!(verdict.verdict, Word::Suspicious, "{:#?}", verdict.reasons);
    assert!(verdict.has_reason("entry-repeated"));
}

#[test]
fn receipts_that_end_too_early_are_named_and_excuse_nothing() {
    let mut log = Log::new();
    log.write(
        at("10:00:00"),
        CONNECTOR,
        user(),
        ValueAdded,
        &cloud_value(1),
    );
    let mut baseline = accounts();
    baseline.add_receipts([receipt(
        at("08:00:00"),
        &user(),
        ValueAdded,
        &cloud_value(9),
    )]);
    let verdict = &log.judge(&baseline)[0];
    assert_eq!(verdict.verdict, Word::Suspicious, "{:#?}", verdict.reasons);
    let named = |what: &String| what.contains("read it again");
    assert!(verdict.not_available.iter().any(named));
}

#[test]
fn the_note_of_a_keys_last_use_is_no_attack() {
    // Bug: a domain controller rewrites LastLogon of a key that is used; where that is audited, every user with
    // Windows Hello had a key planted by SYSTEM.
    let mut log = Log::new();
    let mut used = cloud_value(1);
    let created = used.len() - 11;
    // LastLogon and its hash, which stands behind version and KeyID.
    used[created - 8] = 7;
    let hash = {
        use sha2::Digest;
        sha2::Sha256::digest(&used[4 + 35 + 35..])
    };
    used[4 + 35 + 3..4 + 35 + 35].copy_from_slice(&hash);
    assert!(blob_is_sound(&used));
    log.write(
        at("10:00:00"),
        STRANGER,
        user(),
        ValueDeleted,
        &cloud_value(1),
    );
    log.write(at("10:00:00"), STRANGER, user(), ValueAdded, &used);
    for record in &mut log.records {
        if let events::Record::Change(change) = record {
            change.origin.subject.sid = "S-1-5-18".parse().unwrap();
        }
    }
    let one = receipt(at("09:59:58"), &user(), ValueAdded, &cloud_value(1));
    let baseline = whole(vec![cloud_ngc(1, at("09:59:55"))], vec![one]);
    for verdicts in [log.judge(&baseline), log.judge_windows(&baseline)] {
        let added = verdicts
            .iter()
            .find(|verdict| verdict.change.act == detect::Act::Added)
            .unwrap();
        assert_eq!(added.verdict, Word::Unknown, "{:#?}", added.reasons);
    }
}
