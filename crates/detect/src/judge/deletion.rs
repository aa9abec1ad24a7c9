//! A deletion is judged by what it takes away, and by whom.

use keycred::KeyCredential;

use super::case::Case;
use super::surroundings::is_same_value;
use crate::reason::{self, Reason};
use crate::{Verdict, Word};

pub(super) fn reasons(
    case: &Case<'_>,
    key: Option<&KeyCredential<'_>>,
    additions: &[&Verdict],
) -> Vec<Reason> {
    let sighting = case.sighting;
    let mut reasons = vec![reason::PLANTS_NOTHING.because("a deletion plants nothing")];
    let addition = additions.iter().rev().find(|verdict| {
        verdict.change.act == crate::Act::Added
            && verdict.change.is_same_object(sighting)
            && is_same_value(&verdict.change, sighting)
            && verdict.change.time <= sighting.time
    });
    let Some(addition) = addition else {
        reasons.extend(real_key(case, key));
        return reasons;
    };
    let is_own = addition.change.is_same_writer(sighting);
    match addition.verdict {
        Word::Planted if is_own => reasons.push(
            reason::CLEANS_UP_PLANTED
                .because("the account that planted this value took it away again"),
        ),
        Word::Planted => reasons
            .push(reason::REMOVES_PLANTED.because("another account took a planted value away")),
        Word::Suspicious if is_own => reasons.push(
            reason::CLEANS_UP_SUSPICIOUS
                .because("the account that added this suspicious value took it away again"),
        ),
        Word::Suspicious => {}
        _ => reasons.extend(real_key(case, key)),
    }
    reasons
}

/// A key of the sync or of the cloud, taken away by somebody else.
fn real_key(case: &Case<'_>, key: Option<&KeyCredential<'_>>) -> Option<Reason> {
    if case.connector().is_some() {
        return None;
    }
    let is_in_cloud = case
        .baseline
        .cloud()
        .zip(key.and_then(KeyCredential::key_id))
        .is_some_and(|(cloud, key_id)| {
            let user = cloud.user(case.sighting);
            user.is_some_and(|user| user.keys.iter().any(|own| own.key_identifier == key_id))
        });
    (is_in_cloud
        || case
            .baseline
            .receipts()
            .is_some_and(|receipts| receipts.ever_wrote(case.sighting)))
    .then(|| {
        reason::REAL_KEY_REMOVED.because(format!(
            "{} removed a key of the sync by hand; the next cycle brings it back",
            case.writer_name()
        ))
    })
}
