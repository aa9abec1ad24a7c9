//! Planted keys among the sync's own writes, told apart by the audit records.

use detect::{Act, Baseline, CloudKeys, Side, Verdict, Word, judge, read};
use events::{Operation, Receipt, ReceiptState, Record, WindowsEvent, to_line};
use types::Guid;

use super::stage::{KEYS, Run, Stage, ensure};
use crate::Error;
use crate::domain::workstation_dn;
use crate::intruder::shadow_credential;
use crate::people::{CONNECTOR, INTRUDER, TEST_USER};
use crate::report::Seen;

pub(super) fn planted_on_user(stage: &mut Stage) -> Result<Seen, Error> {
    let dn = stage.dn(TEST_USER)?;
    let value = plant(stage, &dn)?;
    let report = stage.cycle(Run::default())?;
    ensure(stage.values(&dn)?.contains(&value), || {
        "the sync removed the evidence".to_owned()
    })?;
    let verdicts = verdicts(stage, &own_form(stage)?)?;
    let verdict = about(&verdicts, INTRUDER.account, &dn)?;
    is_planted(verdict)?;
    Ok(told(verdict).with(format!(
        "sync: {} value of this user is nobody's plan (drift)",
        report.plan.summary.drift
    )))
}

pub(super) fn planted_on_computer(stage: &mut Stage) -> Result<Seen, Error> {
    let dn = workstation_dn(stage.house.domain_dn()).to_string();
    plant(stage, &dn)?;
    let records = stage.house.records_since(0)?;
    let windows: String = records
        .iter()
        .map(|record| format!("{}\n", WindowsEvent::from(record).to_json()))
        .collect();
    let verdicts = verdicts(stage, &windows)?;
    let verdict = about(&verdicts, INTRUDER.account, &dn)?;
    is_planted(verdict)?;
    ensure(!verdict.not_available.is_empty(), || {
        "the verdict misses nothing".to_owned()
    })?;
    let missing = verdict
        .not_available
        .iter()
        .map(|what| format!("not available: {what}"));
    Ok(told(verdict).with_all(missing))
}

pub(super) fn own_writes(stage: &mut Stage) -> Result<Seen, Error> {
    let verdicts = verdicts(stage, &own_form(stage)?)?;
    // Each write has two receipts, the second when the re-import saw it.
    let written = |receipt: &Receipt| receipt.state == ReceiptState::Written;
    let receipts: Vec<Receipt> = stage.receipts()?.into_iter().filter(written).collect();
    let connector = &stage.house.account(CONNECTOR)?.sid;
    let (own, others): (Vec<_>, Vec<_>) = verdicts
        .iter()
        .filter(|verdict| verdict.change.act != Act::Refused)
        .partition(|verdict| verdict.change.writer.sid.as_ref() == Some(connector));
    ensure(!own.is_empty() && own.len() == receipts.len(), || {
        format!(
            "{} writes of the sync are in the log, and it has {} receipts",
            own.len(),
            receipts.len()
        )
    })?;
    let wrong = own
        .iter()
        .find(|verdict| verdict.verdict != Word::LegitimateWriteback);
    ensure(wrong.is_none(), || {
        format!(
            "a write of the sync is '{}'",
            wrong.map_or("", |v| v.verdict.as_str())
        )
    })?;
    let wrong = others
        .iter()
        .find(|verdict| verdict.verdict == Word::LegitimateWriteback);
    ensure(wrong.is_none(), || {
        format!("a foreign write is called legitimate: {wrong:?}")
    })?;
    let planted = others
        .iter()
        .filter(|verdict| verdict.verdict == Word::Planted)
        .count();
    ensure(planted == stage.planted.len(), || {
        format!("{planted} verdicts 'planted'")
    })?;
    let added = receipts
        .iter()
        .filter(|receipt| receipt.operation == Operation::ValueAdded)
        .count();
    let seen = Seen::new(format!(
        "legitimate writeback: all {} writes of the sync ({added} added, {} deleted); planted: {planted}",
        own.len(),
        receipts.len() - added
    ));
    Ok(match own.first() {
        Some(first) => seen.with_all(reasons(first)),
        None => seen,
    })
}

/// Plants a key as the intruder, over LDAP.
fn plant(stage: &mut Stage, dn: &str) -> Result<String, Error> {
    let device = Guid::v4(*b"intruders device");
    let value = shadow_credential(dn, device, stage.house.clock().now())?.to_string();
    stage.house.ldap_as(INTRUDER)?.add_value(dn, KEYS, &value)?;
    stage.planted.push(value.clone());
    Ok(value)
}

/// The directory's own records, which carry the values.
fn own_form(stage: &Stage) -> Result<String, Error> {
    let records = stage.house.records_since(0)?;
    let lines: Result<String, _> = records
        .iter()
        .map(|record: &Record| to_line(record))
        .collect();
    lines.map_err(|error| Error::Story(error.to_string()))
}

/// What the detector says, given the sync's receipts and the cloud's keys.
fn verdicts(stage: &Stage, log: &str) -> Result<Vec<Verdict>, Error> {
    let read = read::changes("security.jsonl", log.as_bytes());
    ensure(read.broken_count == 0, || {
        format!("{} records cannot be read", read.broken_count)
    })?;
    let mut baseline = Baseline::default();
    baseline.add_connector(stage.house.account(CONNECTOR)?.sid.clone());
    baseline.add_receipts(stage.receipts()?);
    let users = stage.cloud_feed()?.into_iter().flat_map(|page| page.value);
    baseline.set_cloud(CloudKeys::new(users));
    Ok(judge(&read.sightings, &baseline))
}

fn about<'a>(verdicts: &'a [Verdict], writer: &str, dn: &str) -> Result<&'a Verdict, Error> {
    let found = verdicts.iter().find(|verdict| {
        verdict.change.writer.name.as_deref() == Some(writer) && verdict.change.object.dn == dn
    });
    found.ok_or_else(|| Error::Story(format!("no verdict on {writer}'s write to {dn}")))
}

fn is_planted(verdict: &Verdict) -> Result<(), Error> {
    ensure(
        verdict.verdict == Word::Planted && verdict.reasons_on(Side::Against).count() > 0,
        || format!("verdict: {}", verdict.verdict),
    )
}

fn told(verdict: &Verdict) -> Seen {
    Seen::new(format!(
        "{} ({} confidence, evidence {})",
        verdict.verdict, verdict.confidence, verdict.tier
    ))
    .with_all(reasons(verdict))
}

fn reasons(verdict: &Verdict) -> impl Iterator<Item = String> + '_ {
    verdict
        .reasons
        .iter()
        .map(|reason| format!("{:+}  {}", reason.weight, reason.sentence))
}
