//! Values that an operation deleted and added again: tools that write with "replace" touch every old value.
//!
//! Whether a Windows domain controller writes such pairs at all is not publicly documented, so both are handled.

use std::collections::HashMap;

use crate::{Act, Baseline, Sighting};

/// The sightings without the pairs that changed nothing.
///
/// Where the values are known, only equal values are a pair. Where they are hidden, equal lengths are, but the
/// last addition of an operation always stays: otherwise swapping a key for one of equal length would be
/// invisible. A connector's pairs of hidden values stay as well, since that is how it rotates a key.
pub(super) fn without_rewrites<'a>(
    sightings: &[&'a Sighting],
    baseline: &Baseline,
) -> Vec<&'a Sighting> {
    let mut operations: HashMap<_, Vec<usize>> = HashMap::new();
    for (index, sighting) in sightings.iter().enumerate() {
        if let Some(id) = sighting.operation_id
            && sighting.act != Act::Refused
        {
            operations
                .entry((id, sighting.object.guid))
                .or_default()
                .push(index);
        }
    }
    let mut is_rewrite = vec![false; sightings.len()];
    for members in operations.values() {
        for index in rewrites(sightings, members, baseline) {
            if let Some(mark) = is_rewrite.get_mut(index) {
                *mark = true;
            }
        }
    }
    let kept = sightings.iter().zip(is_rewrite);
    kept.filter(|(_, is_rewrite)| !is_rewrite)
        .map(|(sighting, _)| *sighting)
        .collect()
}

fn rewrites(sightings: &[&Sighting], members: &[usize], baseline: &Baseline) -> Vec<usize> {
    let of = |act: Act| -> Vec<(usize, &Sighting)> {
        let all = members
            .iter()
            .filter_map(|index| Some((*index, *sightings.get(*index)?)));
        all.filter(|(_, sighting)| sighting.act == act).collect()
    };
    let mut deleted = of(Act::Deleted);
    let added = of(Act::Added);
    let mut left = added.len();
    let mut found = Vec::new();
    for (index, addition) in added {
        let twin = deleted
            .iter()
            .position(|(_, deletion)| is_pair(deletion, addition, baseline));
        let is_last_hidden = left == 1 && addition.value.sha256.is_none();
        if let Some(twin) = twin
            && !is_last_hidden
        {
            found.extend([index, deleted.remove(twin).0]);
            left -= 1;
        }
    }
    found
}

fn is_pair(deletion: &Sighting, addition: &Sighting, baseline: &Baseline) -> bool {
    let same_dn = deletion.value.dn == addition.value.dn;
    match (&deletion.value.sha256, &addition.value.sha256) {
        (Some(a), Some(b)) => a == b && same_dn,
        (None, None) => {
            let writer = addition.writer.sid.as_ref();
            let is_rotation = writer.is_some_and(|sid| baseline.connector(sid).is_some());
            !is_rotation && same_dn && deletion.value.hex_digits == addition.value.hex_digits
        }
        _ => false,
    }
}
