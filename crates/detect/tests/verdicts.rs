//! Every writer's shape in both directions: by the account that writes such things, and by one that does not.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests, which may stop"
)]

mod common;

use common::*;
use detect::{Baseline, Confidence, Tier, Verdict, Word};
use events::Operation::{ValueAdded, ValueDeleted};

fn said(verdict: &Verdict) -> String {
    format!(
        "{} {} {}",
        verdict.verdict, verdict.confidence, verdict.tier
    )
}

fn check(verdict: &Verdict, expect: &str, reasons: &[&str]) {
    assert_eq!(said(verdict), expect, "{:#?}", verdict.reasons);
    for id in reasons {
        assert!(
            verdict.has_reason(id),
            "no reason '{id}' in {:#?}",
            verdict.reasons
        );
    }
    assert_eq!(
        verdict.score,
        verdict
            .reasons
            .iter()
            .map(|reason| reason.weight)
            .sum::<i32>()
    );
}

/// A value added to the user by an account, as the directory records it and as Windows tells it.
fn added(writer: u32, shape_of: &str) -> Log {
    let mut log = Log::new();
    let time = at("10:00:00");
    log.write(
        time,
        writer,
        user(),
        ValueAdded,
        &shape(shape_of, 1, time.plus_seconds(-5)),
    );
    log
}

#[test]
fn the_syncs_own_write() {
    for (name, key) in [
        ("cloud ngc", cloud_ngc(1, at("09:59:55"))),
        ("cloud fido", cloud_fido(1, at("09:59:55"))),
    ] {
        let log = added(CONNECTOR, name);
        let value = shape(name, 1, at("09:59:55"));
        let receipt = receipt(at("10:00:01"), &user(), ValueAdded, &value);
        let baseline = whole(vec![key.clone()], vec![receipt.clone()]);
        check(
            &log.judge(&baseline)[0],
            "legitimate writeback high T3",
            &[
                "writer-is-connector",
                "receipt-matches",
                "cloud-has-value",
                "shape-of-sync",
            ],
        );
        // Less is known: less is said.
        check(
            &log.judge(&accounts())[0],
            "legitimate writeback low T2",
            &["shape-of-sync"],
        );
        // A Windows event hides the value.
        let verdict = &log.judge_windows(&baseline)[0];
        check(verdict, "legitimate writeback medium T1", &["receipt-fits"]);
        assert!(
            verdict
                .settle
                .as_ref()
                .unwrap()
                .contains("msDS-ReplValueMetaData")
        );
        assert!(
            verdict
                .not_available
                .iter()
                .any(|what| what.contains("only its length"))
        );
        // The key has gone from the cloud since: the receipt still speaks for the write.
        let later = whole(vec![], vec![receipt]);
        check(
            &log.judge(&later)[0],
            "legitimate writeback high T3",
            &["receipt-matches"],
        );
    }
}

#[test]
fn every_tool_on_a_user() {
    for name in [
        "whisker",
        "impacket 0.12",
        "impacket 0.13.0",
        "impacket 0.13.1",
        "keycred",
        "pydsinternals user",
        "pydsinternals computer",
        "passthecert",
        "drs",
        "bloodyad",
        "forged cloud",
    ] {
        let log = added(STRANGER, name);
        let verdict = &log.judge(&whole(vec![], vec![]))[0];
        assert_eq!(
            (verdict.verdict, verdict.tier),
            (Word::Planted, Tier::T3),
            "{name}: {:#?}",
            verdict.reasons
        );
        assert!(
            verdict.has_reason("writer-not-in-baseline") && verdict.has_reason("no-receipt"),
            "{name}"
        );

        // With the accounts alone, a shape that a product shares is suspicious, all others are planted.
        let verdict = &log.judge(&accounts())[0];
        let is_shared = matches!(name, "whisker" | "drs");
        let expect = if is_shared {
            Word::Suspicious
        } else {
            Word::Planted
        };
        assert_eq!(
            (verdict.verdict, verdict.tier),
            (expect, Tier::T2),
            "{name}: {:#?}",
            verdict.reasons
        );

        // Without any baseline only the shape speaks, and never for innocence.
        let verdict = &log.judge(&Baseline::default())[0];
        assert!(
            !matches!(verdict.verdict, Word::LegitimateWriteback),
            "{name}"
        );

        // A Windows event without the value: suspicious, and a command that would settle it.
        let verdict = &log.judge_windows(&accounts())[0];
        assert!(
            verdict.verdict.is_alarming() && verdict.tier == Tier::T1,
            "{name}: {:#?}",
            verdict.reasons
        );
        assert!(verdict.confidence <= Confidence::Medium && verdict.settle.is_some());
    }
}

#[test]
fn a_perfect_forgery_by_a_stranger() {
    // Padding, source, times and device id can be copied; the cloud's list and the receipts cannot.
    let log = added(STRANGER, "cloud ngc");
    check(
        &log.judge(&whole(vec![], vec![]))[0],
        "planted high T3",
        &[
            "cloud-lacks-key",
            "never-enrolled",
            "writer-not-in-baseline",
        ],
    );
    check(
        &log.judge(&accounts())[0],
        "suspicious low T2",
        &["shape-of-sync"],
    );
}

#[test]
fn a_stolen_connector_account() {
    let log = added(CONNECTOR, "cloud ngc");
    check(
        &log.judge(&whole(vec![], vec![]))[0],
        "planted high T3",
        &["connector-without-receipt", "cloud-lacks-key"],
    );
    // From a host that is not the connector's.
    let mut elsewhere = Baseline::default();
    elsewhere
        .read_accounts(
            r#"{"connectors": [{"sid": "S-1-5-21-1-2-3-1105", "addresses": ["10.0.0.9"]}]}"#,
        )
        .unwrap();
    let verdict = &log.judge(&elsewhere)[0];
    check(verdict, "suspicious medium T2", &["writer-from-other-host"]);
    // A tool's key under the connector's name.
    let log = added(CONNECTOR, "impacket 0.13.1");
    check(
        &log.judge(&accounts())[0],
        "planted low T2",
        &["connector-wrote-ad-source", "shape-of-tool"],
    );
}

#[test]
fn the_clouds_list_decides() {
    let log = added(CONNECTOR, "cloud ngc");
    let mut other_material = cloud_ngc(1, at("09:59:55"));
    other_material.key_material = rsa1(99);
    check(
        &log.judge(&whole(vec![other_material], vec![]))[0],
        "planted high T3",
        &["cloud-material-differs"],
    );

    let mut baseline = accounts();
    let owner = cloud_user(guid(77), vec![cloud_ngc(1, at("09:59:55"))]);
    baseline.set_cloud(detect::CloudKeys::new([owner]));
    check(
        &log.judge(&baseline)[0],
        "planted high T3",
        &["cloud-key-of-other-user"],
    );

    // Somebody else puts a real key back by hand: it opens no door to them, but is no writeback either.
    let log = added(STRANGER, "cloud ngc");
    let baseline = whole(vec![cloud_ngc(1, at("09:59:55"))], vec![]);
    check(
        &log.judge(&baseline)[0],
        "suspicious low T3",
        &["cloud-key-from-other-writer"],
    );
}

#[test]
fn evidence_that_contradicts_itself_is_suspicious() {
    let log = added(CONNECTOR, "cloud ngc");
    let value = shape("cloud ngc", 1, at("09:59:55"));
    let mut other_material = cloud_ngc(1, at("09:59:55"));
    other_material.key_material = rsa1(99);
    let receipts = vec![receipt(at("10:00:00"), &user(), ValueAdded, &value)];
    check(
        &log.judge(&whole(vec![other_material], receipts))[0],
        "suspicious high T3",
        &["receipt-matches", "cloud-material-differs"],
    );
}

#[test]
fn a_receipt_speaks_for_its_own_account_object_and_time() {
    let value = shape("cloud ngc", 1, at("09:59:55"));
    let good = receipt(at("10:00:01"), &user(), ValueAdded, &value);
    let judged = |writer, receipt| {
        let mut baseline = accounts();
        baseline.add_receipts([receipt]);
        added(writer, "cloud ngc").judge(&baseline).remove(0)
    };
    assert!(judged(CONNECTOR, good.clone()).has_reason("receipt-matches"));
    assert!(judged(STRANGER, good.clone()).has_reason("receipt-of-other-account"));
    let mut late = good.clone();
    late.time = at("13:00:00");
    // The feed begins later than the change, so its silence says nothing.
    assert!(!judged(CONNECTOR, late).has_reason("connector-without-receipt"));
    let mut early = good.clone();
    early.time = at("07:00:00");
    assert!(judged(CONNECTOR, early).has_reason("connector-without-receipt"));
    let mut other = good;
    other.object_guid = guid(99);
    assert!(judged(CONNECTOR, other).has_reason("connector-without-receipt"));
}

#[test]
fn computers() {
    let write = |writer, shape_of: &str| {
        let mut log = Log::new();
        log.write(
            at("10:00:00"),
            writer,
            computer(),
            ValueAdded,
            &shape(shape_of, 1, at("10:00:00")),
        );
        log
    };
    let own = write(COMPUTER, "windows computer");
    check(
        &own.judge(&accounts())[0],
        "legitimate registration low T2",
        &["self-write", "shape-of-computer"],
    );
    check(
        &own.judge_windows(&accounts())[0],
        "legitimate registration low T1",
        &["length-of-computer"],
    );

    // A relayed machine account writes to itself, with a key that Windows would not make.
    let relayed = write(COMPUTER, "impacket 0.13.1");
    check(
        &relayed.judge(&accounts())[0],
        "planted low T2",
        &["computer-key-of-tool"],
    );
    check(
        &relayed.judge_windows(&accounts())[0],
        "suspicious low T1",
        &["length-of-tool-on-computer"],
    );

    for shape_of in ["windows computer", "keycred", "whisker"] {
        let log = write(STRANGER, shape_of);
        check(
            &log.judge(&accounts())[0],
            "planted high T2",
            &["computer-written-by-other"],
        );
        check(
            &log.judge(&Baseline::default())[0],
            "planted high T2",
            &["computer-written-by-other"],
        );
        check(
            &log.judge_windows(&accounts())[0],
            "planted medium T1",
            &["computer-written-by-other"],
        );
    }
    check(
        &write(CONNECTOR, "cloud ngc").judge(&accounts())[0],
        "planted high T2",
        &["connector-out-of-scope"],
    );
}

#[test]
fn a_federation_server_registers_on_the_ground() {
    let mut baseline = accounts();
    baseline.registrars.push(sid(FEDERATION));
    let log = added(FEDERATION, "whisker");
    check(
        &log.judge(&baseline)[0],
        "legitimate registration low T2",
        &["writer-is-registrar", "ambiguous-shape"],
    );
    // Its account with a tool's key.
    let log = added(FEDERATION, "keycred");
    assert!(!matches!(
        log.judge(&baseline)[0].verdict,
        Word::LegitimateRegistration
    ));
}

#[test]
fn deletions() {
    let value = shape("cloud ngc", 1, at("09:00:00"));
    let delete = |writer| {
        let mut log = Log::new();
        log.write(at("10:00:00"), writer, user(), ValueDeleted, &value);
        log
    };
    // By the sync.
    let receipts = vec![receipt(at("10:00:00"), &user(), ValueDeleted, &value)];
    check(
        &delete(CONNECTOR).judge(&whole(vec![], receipts))[0],
        "legitimate writeback high T3",
        &["receipt-matches"],
    );
    check(
        &delete(CONNECTOR).judge(&accounts())[0],
        "legitimate writeback low T2",
        &["plants-nothing"],
    );
    // A real key, by hand.
    let receipts = vec![receipt(at("08:00:00"), &user(), ValueAdded, &value)];
    let baseline = whole(vec![cloud_ngc(1, at("09:00:00"))], receipts);
    check(
        &delete(STRANGER).judge(&baseline)[0],
        "suspicious medium T3",
        &["real-key-removed"],
    );
}

#[test]
fn a_planted_key_that_is_taken_away_again() {
    let planted = shape("impacket 0.13.1", 5, at("10:00:00"));
    let story = |remover| {
        let mut log = Log::new();
        log.write(at("10:00:00"), STRANGER, user(), ValueAdded, &planted);
        log.next_operation();
        log.write(at("10:00:07"), remover, user(), ValueDeleted, &planted);
        log
    };
    let verdicts = story(STRANGER).judge(&accounts());
    check(&verdicts[0], "planted high T2", &["removed-within-seconds"]);
    check(&verdicts[1], "planted high T2", &["cleans-up-planted"]);
    // Somebody else cleans up: no alarm.
    let verdicts = story(1777).judge(&accounts());
    assert!(verdicts[1].has_reason("removes-planted") && !verdicts[1].verdict.is_alarming());
    // Windows hides the values; the lengths pair.
    let verdicts = story(STRANGER).judge_windows(&accounts());
    check(
        &verdicts[0],
        "planted medium T1",
        &["removed-within-seconds", "length-of-tool"],
    );
    check(&verdicts[1], "planted medium T1", &["cleans-up-planted"]);
}

#[test]
fn a_replace_that_keeps_the_real_keys() {
    // Tools write with "replace": the real values are deleted and added again, and one is new.
    let real = shape("cloud ngc", 1, at("09:00:00"));
    let second = shape("cloud ngc", 2, at("09:00:00"));
    let planted = shape("impacket 0.13.1", 5, at("10:00:00"));
    let mut log = Log::new();
    for value in [&real, &second] {
        log.write(at("10:00:00"), STRANGER, user(), ValueDeleted, value);
    }
    for value in [&real, &second, &planted] {
        log.write(at("10:00:00"), STRANGER, user(), ValueAdded, value);
    }
    let verdicts = log.judge(&accounts());
    assert_eq!(verdicts.len(), 1, "{verdicts:#?}");
    check(&verdicts[0], "planted high T2", &["shape-of-tool"]);
    assert_eq!(log.judge_windows(&accounts()).len(), 1);

    // Only the new value: the real keys are gone.
    let mut log = Log::new();
    log.write(at("10:00:00"), STRANGER, user(), ValueDeleted, &real);
    log.write(at("10:00:00"), STRANGER, user(), ValueAdded, &planted);
    check(
        &log.judge(&accounts())[1],
        "planted high T2",
        &["replaced-other-keys"],
    );
}

#[test]
fn a_swap_of_equal_length_is_not_hidden() {
    // Delete one value and add another of equal length: in Windows' events this looks like a rewrite.
    let real = shape("cloud ngc", 1, at("09:00:00"));
    let forged = shape("cloud ngc", 6, at("10:00:00"));
    let mut log = Log::new();
    log.write(at("10:00:00"), STRANGER, user(), ValueDeleted, &real);
    log.write(at("10:00:00"), STRANGER, user(), ValueAdded, &forged);
    let verdicts = log.judge_windows(&accounts());
    assert_eq!(verdicts.len(), 2);
    check(
        &verdicts[1],
        "suspicious medium T1",
        &["looks-like-rotation"],
    );
}

#[test]
fn one_account_on_many_objects() {
    let mut log = Log::new();
    for number in 1..=3 {
        log.next_operation();
        let value = shape("whisker", 9, at("10:00:00"));
        log.write(
            at("10:00:00"),
            STRANGER,
            other_user(number),
            ValueAdded,
            &value,
        );
    }
    for verdict in log.judge(&accounts()) {
        check(
            &verdict,
            "planted high T2",
            &["several-objects", "same-key-on-several"],
        );
    }
}

#[test]
fn the_name_inside_the_value() {
    let mut log = Log::new();
    let mut object = user();
    log.write(
        at("10:00:00"),
        STRANGER,
        object.clone(),
        ValueAdded,
        &shape("whisker", 1, at("10:00:00")),
    );
    assert!(!log.judge(&accounts())[0].has_reason("dn-part-differs"));
    // Another spelling of the same name is the same name.
    object.dn = USER_DN.to_lowercase();
    let mut read = log.sightings();
    read[0].object.dn = object.dn;
    assert!(!detect::judge(&read, &accounts())[0].has_reason("dn-part-differs"));
    read[0].value.dn = Some("CN=ShadowSpray,DC=corp,DC=contoso,DC=com".into());
    check(
        &detect::judge(&read, &accounts())[0],
        "planted medium T2",
        &["dn-part-differs"],
    );
}

#[test]
fn refusals() {
    let deny = |writer| {
        let mut log = Log::new();
        log.deny(at("10:00:00"), writer, user());
        log
    };
    check(
        &deny(STRANGER).judge(&accounts())[0],
        "suspicious medium T1",
        &["refused"],
    );
    check(
        &deny(STRANGER).judge_windows(&accounts())[0],
        "suspicious medium T1",
        &["refused"],
    );
    let refused = &deny(CONNECTOR).judge(&accounts())[0];
    assert!(!refused.verdict.is_alarming());
    assert!(
        refused
            .reasons
            .iter()
            .any(|reason| reason.sentence.contains("lacks a right"))
    );
}

#[test]
fn a_value_that_is_no_key() {
    let mut log = Log::new();
    log.write(at("10:00:00"), STRANGER, user(), ValueAdded, b"foo bar baz");
    check(
        &log.judge(&accounts())[0],
        "planted low T2",
        &["value-unreadable"],
    );
}

#[test]
fn an_inventory_brings_the_value_back() {
    let log = added(STRANGER, "impacket 0.13.1");
    let mut read = detect::read::changes("log", log.windows().as_bytes());
    assert!(read.sightings[0].value.octets.is_none());
    let value = shape("impacket 0.13.1", 1, at("09:59:55"));
    let line = keycred::DnBinary::new(value.clone(), USER_DN).to_string();
    let ldif = format!("dn: {USER_DN}\nmsDS-KeyCredentialLink: {line}\n");
    detect::Inventory::read(&ldif).complete(&mut read.sightings);
    let verdict = &detect::judge(&read.sightings, &accounts())[0];
    check(verdict, "planted high T2", &["shape-of-tool"]);
    assert!(verdict.change.value.is_from_inventory);

    // Two values of that length: no guess.
    let other = keycred::DnBinary::new(shape("impacket 0.13.1", 2, at("09:59:55")), USER_DN);
    let mut read = detect::read::changes("log", log.windows().as_bytes());
    detect::Inventory::read(&format!("{ldif}x: {other}\n")).complete(&mut read.sightings);
    assert!(read.sightings[0].value.octets.is_none());
}

#[test]
fn the_same_evidence_gives_the_same_verdicts() {
    let mut log = Log::new();
    for seed in 0..20_u8 {
        log.next_operation();
        let value = shape("whisker", u64::from(seed), at("10:00:00"));
        log.write(
            at("10:00:00"),
            STRANGER,
            other_user(seed % 5),
            ValueAdded,
            &value,
        );
    }
    let text = |verdicts: Vec<Verdict>| serde_json::to_string(&verdicts).unwrap();
    assert_eq!(text(log.judge(&accounts())), text(log.judge(&accounts())));
}
