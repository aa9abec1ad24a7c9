//! What happened around a change: other objects, other values, other moments.

use std::collections::HashMap;

use crate::reason::{self, Reason};
use crate::receipts::RECEIPT_SECONDS_MAX;
use crate::sighting::dn_key;
use crate::{Act, Baseline, Sighting};

/// An attack tool adds, signs in and removes within seconds; a person who repairs a mistake takes longer.
const SHORT_LIVED_SECONDS: i64 = 120;
const SPRAY_SECONDS: i64 = 3600;
const SPRAY_OBJECTS_MIN: usize = 3;
const SPRAY_WRITES_MAX: usize = 1000;

/// All changes of a scan, indexed for the questions that one change asks about the others.
pub(super) struct Surroundings {
    /// By object: what happened to it.
    by_object: HashMap<String, Vec<Sighting>>,
    /// By key material: the objects that it was written to.
    by_material: HashMap<Vec<u8>, Vec<String>>,
    /// By writer outside the baseline: when it wrote to which object.
    by_stranger: HashMap<String, Vec<(i64, String)>>,
}

impl Surroundings {
    pub(super) fn new(sightings: &[&Sighting], baseline: &Baseline) -> Self {
        let mut all = Self {
            by_object: HashMap::new(),
            by_material: HashMap::new(),
            by_stranger: HashMap::new(),
        };
        for sighting in sightings
            .iter()
            .filter(|sighting| sighting.act != Act::Refused)
        {
            let object = object_key(sighting);
            if sighting.act == Act::Added {
                if let Some(material) = material(sighting) {
                    let objects = all.by_material.entry(material).or_default();
                    if !objects.contains(&object) {
                        objects.push(object.clone());
                    }
                }
                // Where no account is known to write keys, the busiest one is probably the sync.
                if let Some(sid) = &sighting.writer.sid
                    && baseline.has_writers()
                    && baseline.connector(sid).is_none()
                    && !baseline.registrars.contains(sid)
                    && !sighting.is_self_write()
                    && let Some(time) = sighting.time
                {
                    let seconds = time.unix_seconds();
                    all.by_stranger
                        .entry(sid.to_string())
                        .or_default()
                        .push((seconds, object.clone()));
                }
            }
            all.by_object
                .entry(object)
                .or_default()
                .push((*sighting).clone());
        }
        all.by_stranger
            .values_mut()
            .for_each(|writes| writes.sort_unstable());
        all
    }

    /// What the surroundings say about an addition.
    pub(super) fn reasons(&self, addition: &Sighting) -> Vec<Reason> {
        let mut reasons = Vec::new();
        let object = object_key(addition);
        let on_object = self
            .by_object
            .get(&object)
            .map(Vec::as_slice)
            .unwrap_or_default();
        if let Some(seconds) = on_object
            .iter()
            .find_map(|other| removed_after(addition, other))
        {
            reasons.push(reason::REMOVED_WITHIN_SECONDS.because(format!(
                "the same account removed it again after {seconds} s"
            )));
        }
        let same_operation: Vec<&Sighting> = on_object
            .iter()
            .filter(|other| other.act == Act::Deleted)
            .filter(|other| {
                other.operation_id.is_some() && other.operation_id == addition.operation_id
            })
            .collect();
        if !same_operation.is_empty() {
            let is_twin = |other: &&Sighting| other.value.hex_digits == addition.value.hex_digits;
            reasons.push(if addition.value.octets.is_none() && same_operation.iter().any(is_twin) {
                reason::LOOKS_LIKE_ROTATION.because(
                    "the operation also deleted a value of the same length; without the values, a rotation \
                     and a swap look the same",
                )
            } else {
                let count = same_operation.len();
                reason::REPLACED_OTHER_KEYS
                    .because(format!("the same operation removed {count} other keys of the object"))
            });
        }
        if let Some(objects) =
            material(addition).and_then(|material| self.by_material.get(&material))
            && objects.len() > 1
        {
            reasons.push(reason::SAME_KEY_ON_SEVERAL.because(format!(
                "the same key material was written to {} objects",
                objects.len()
            )));
        }
        reasons.extend(self.spray(addition));
        reasons
    }

    /// How many changes of hidden values a receipt for this one could be for as well, this one included: the same
    /// account, object, act and length at about the same time.
    pub(super) fn alike(&self, sighting: &Sighting) -> usize {
        let on_object = self.by_object.get(&object_key(sighting));
        let is_near = |other: &Sighting| match (other.time, sighting.time) {
            (Some(a), Some(b)) => a.seconds_since(b).abs() <= RECEIPT_SECONDS_MAX,
            _ => true,
        };
        let alike = on_object.into_iter().flatten().filter(|other| {
            other.act == sighting.act
                && other.value.octets.is_none()
                && other.value.hex_digits == sighting.value.hex_digits
                && other.is_same_writer(sighting)
                && is_near(other)
        });
        alike.count()
    }

    fn spray(&self, addition: &Sighting) -> Option<Reason> {
        let sid = addition.writer.sid.as_ref()?.to_string();
        let time = addition.time?.unix_seconds();
        let writes = self.by_stranger.get(&sid)?;
        let from = writes.partition_point(|(other, _)| *other < time - SPRAY_SECONDS);
        let near = writes
            .iter()
            .skip(from)
            .take_while(|(other, _)| *other <= time + SPRAY_SECONDS);
        let mut objects: Vec<&str> = Vec::new();
        // A few are enough, and more are not counted: one account may write very often.
        for (_, object) in near.take(SPRAY_WRITES_MAX) {
            if !objects.contains(&object.as_str()) {
                objects.push(object);
            }
            if objects.len() >= SPRAY_OBJECTS_MIN {
                return Some(reason::SEVERAL_OBJECTS.because(format!(
                    "the same account wrote keys to {SPRAY_OBJECTS_MIN} objects or more within an hour"
                )));
            }
        }
        None
    }
}

/// After how many seconds `other` took the value away again, if it is such a removal.
fn removed_after(addition: &Sighting, other: &Sighting) -> Option<i64> {
    let is_removal = other.act == Act::Deleted
        && addition.is_same_writer(other)
        && is_same_value(addition, other)
        && other
            .operation_id
            .is_none_or(|id| Some(id) != addition.operation_id);
    let seconds = other.time?.seconds_since(addition.time?);
    (is_removal && (0..=SHORT_LIVED_SECONDS).contains(&seconds)).then_some(seconds)
}

/// The hash decides where both are known, the length elsewhere.
pub(super) fn is_same_value(a: &Sighting, b: &Sighting) -> bool {
    match (&a.value.sha256, &b.value.sha256) {
        (Some(a), Some(b)) => a == b,
        _ => a.value.hex_digits.is_some() && a.value.hex_digits == b.value.hex_digits,
    }
}

pub(super) fn object_key(sighting: &Sighting) -> String {
    match sighting.object.guid {
        Some(guid) => guid.to_string(),
        None => dn_key(&sighting.object.dn),
    }
}

fn material(sighting: &Sighting) -> Option<Vec<u8>> {
    let blob = keycred::Blob::decode(sighting.value.octets.as_deref()?).ok()?;
    blob.credential()
        .key_material()
        .filter(|material| !material.is_empty())
        .map(<[u8]>::to_vec)
}
