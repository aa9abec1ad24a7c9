//! From sightings to verdicts.
//!
//! Additions are judged first, since a deletion is judged by what it takes away. Nothing is learned and nothing
//! is remembered between calls: the same evidence gives the same verdicts.

mod case;
mod deletion;
mod evidence;
mod pairs;
mod shape;
mod surroundings;
mod writer;

use std::collections::HashMap;

use crate::reason::{LEGITIMATE_DOWN_TO, PLANTED_FROM, SUSPICIOUS_FROM};
use crate::{Act, Baseline, Confidence, Reason, Sighting, Tier, Verdict, Word};

use case::Case;
use surroundings::{Surroundings, object_key};

/// Judges every change. Values that one operation deleted and added again unchanged get no verdict.
pub fn judge(sightings: &[Sighting], baseline: &Baseline) -> Vec<Verdict> {
    let mut order: Vec<usize> = (0..sightings.len()).collect();
    // A stable sort: what has no time stays where it was read.
    order.sort_by_key(|index| sightings.get(*index).and_then(|sighting| sighting.time));
    let ordered: Vec<&Sighting> = order
        .iter()
        .filter_map(|index| sightings.get(*index))
        .collect();
    let judged = pairs::without_rewrites(&ordered, baseline);
    let surroundings = Surroundings::new(&judged, baseline);

    let mut verdicts: Vec<Option<Verdict>> = judged
        .iter()
        .map(|sighting| {
            (sighting.act != Act::Deleted).then(|| one(sighting, baseline, &surroundings, &[]))
        })
        .collect();
    let mut additions: HashMap<String, Vec<&Verdict>> = HashMap::new();
    for verdict in verdicts
        .iter()
        .flatten()
        .filter(|verdict| verdict.change.act == Act::Added)
    {
        additions
            .entry(object_key(&verdict.change))
            .or_default()
            .push(verdict);
    }
    let deletions: Vec<Option<Verdict>> = judged
        .iter()
        .map(|sighting| {
            let on_object = additions
                .get(&object_key(sighting))
                .map(Vec::as_slice)
                .unwrap_or_default();
            let is_deletion = sighting.act == Act::Deleted;
            is_deletion.then(|| one(sighting, baseline, &surroundings, on_object))
        })
        .collect();
    for (slot, deletion) in verdicts.iter_mut().zip(deletions) {
        *slot = slot.take().or(deletion);
    }
    verdicts.into_iter().flatten().collect()
}

fn one(
    sighting: &Sighting,
    baseline: &Baseline,
    surroundings: &Surroundings,
    additions: &[&Verdict],
) -> Verdict {
    let case = Case { sighting, baseline };
    let blob = sighting.value.octets.as_deref().map(keycred::Blob::decode);
    let key = blob
        .as_ref()
        .and_then(|blob| blob.as_ref().ok())
        .map(keycred::Blob::credential);

    let mut reasons = writer::reasons(&case);
    reasons.extend(evidence::receipts(&case, || surroundings.alike(sighting)));
    match sighting.act {
        Act::Added => {
            reasons.extend(shape::reasons(&case, blob.as_ref(), key.as_ref()));
            reasons.extend(key.iter().flat_map(|key| evidence::cloud(&case, key)));
            reasons.extend(surroundings.reasons(sighting));
        }
        Act::Deleted => reasons.extend(deletion::reasons(&case, key.as_ref(), additions)),
        Act::Refused => reasons.push(case.refused()),
    }
    // A sort that keeps the order of equals, so that output is stable.
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.weight.abs()));

    let tier = case.tier();
    let score = reasons.iter().map(|reason| reason.weight).sum();
    let (verdict, confidence) = decide(&case, &reasons, score, tier);
    Verdict {
        verdict,
        confidence,
        tier,
        score,
        key: key.as_ref().map(|key| shape::facts(&case, key)),
        reasons,
        not_available: case.not_available(),
        settle: case.settle(verdict, confidence),
        change: sighting.clone(),
    }
}

fn decide(case: &Case<'_>, reasons: &[Reason], score: i32, tier: Tier) -> (Word, Confidence) {
    let decides = |word: Word| reasons.iter().any(|reason| reason.decides == Some(word));
    let is_refused = case.sighting.act == Act::Refused;
    let (word, confidence) = match (decides(Word::Planted), decides(Word::LegitimateWriteback)) {
        // Evidence that contradicts itself: receipts or the cloud's list may have been forged.
        (true, true) => (Word::Suspicious, Confidence::High),
        (true, false) => (Word::Planted, Confidence::High),
        (false, true) if score < SUSPICIOUS_FROM => (Word::LegitimateWriteback, Confidence::High),
        (false, true) => (Word::Suspicious, Confidence::Medium),
        (false, false) => by_score(case, score, tier),
    };
    match word {
        // Nothing was written.
        Word::Planted if is_refused => (Word::Suspicious, confidence),
        Word::LegitimateWriteback | Word::LegitimateRegistration if is_refused => {
            (Word::Unknown, Confidence::Low)
        }
        // Without the value, an event proves no innocence and little guilt.
        _ if tier == Tier::T1 => (word, confidence.min(Confidence::Medium)),
        _ => (word, confidence),
    }
}

fn by_score(case: &Case<'_>, score: i32, tier: Tier) -> (Word, Confidence) {
    let sure = |margin: i32| match margin {
        40.. => Confidence::High,
        15.. => Confidence::Medium,
        _ => Confidence::Low,
    };
    // With everything on the table, less of it is needed.
    let whole = if tier == Tier::T3 { 20 } else { 0 };
    if score >= PLANTED_FROM {
        (Word::Planted, sure(score - PLANTED_FROM + whole))
    } else if score >= SUSPICIOUS_FROM {
        (Word::Suspicious, sure(score - SUSPICIOUS_FROM))
    } else if score <= LEGITIMATE_DOWN_TO {
        (
            case.legitimate_word(),
            sure(LEGITIMATE_DOWN_TO - score + whole),
        )
    } else {
        (Word::Unknown, Confidence::Low)
    }
}
