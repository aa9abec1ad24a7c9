//! How keys are built, so that byte order is the order the directory needs.

use crate::model::{DescriptorId, Dnt};
use crate::schema::AttributeId;

/// Longest part of a value that an index key holds. Candidates are compared in full afterwards.
const INDEXED_LENGTH_MAX: usize = 250;
/// Length of the digest that tells link values with the same ends apart.
pub(crate) const DIGEST_LENGTH: usize = 16;

/// The first key after all that begin with `prefix`; `None` when there is no end.
pub(crate) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return Some(end);
        }
    }
    None
}

pub(crate) fn dnt(dnt: Dnt) -> [u8; 8] {
    dnt.0.to_be_bytes()
}

pub(crate) fn number(number: u64) -> [u8; 8] {
    number.to_be_bytes()
}

pub(crate) fn descriptor(id: DescriptorId) -> [u8; 8] {
    id.0.to_be_bytes()
}

/// Reads eight bytes at `at`.
pub(crate) fn number_at(key: &[u8], at: usize) -> Option<u64> {
    let bytes = key.get(at..)?.first_chunk::<8>()?;
    Some(u64::from_be_bytes(*bytes))
}

/// Reads the object number that ends a key.
pub(crate) fn last_dnt(key: &[u8]) -> Option<Dnt> {
    key.last_chunk::<8>()
        .map(|bytes| Dnt(u64::from_be_bytes(*bytes)))
}

/// `parent, folded rdn`.
pub(crate) fn name(parent: Dnt, folded_rdn: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(8 + folded_rdn.len());
    key.extend(dnt(parent));
    key.extend(folded_rdn);
    key
}

/// The beginning of all index keys of an attribute.
pub(crate) fn index_attribute(attribute: AttributeId) -> Vec<u8> {
    attribute.0.to_be_bytes().to_vec()
}

/// The beginning of index keys whose value begins with `value`.
pub(crate) fn index_initial(attribute: AttributeId, value: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(2 + value.len() + 10);
    key.extend(attribute.0.to_be_bytes());
    for byte in value.iter().take(INDEXED_LENGTH_MAX) {
        key.push(*byte);
        // A zero inside a value must not look like its end.
        if *byte == 0 {
            key.push(0xFF);
        }
    }
    key
}

/// The beginning of index keys with exactly this value (or its first 250 bytes).
pub(crate) fn index_value(attribute: AttributeId, value: &[u8]) -> Vec<u8> {
    let mut key = index_initial(attribute, value);
    key.extend([0, 0]);
    key
}

pub(crate) fn index(attribute: AttributeId, value: &[u8], object: Dnt) -> Vec<u8> {
    let mut key = index_value(attribute, value);
    key.extend(dnt(object));
    key
}

/// `source, attribute`: all values of one link attribute.
pub(crate) fn link_attribute(source: Dnt, attribute: AttributeId) -> Vec<u8> {
    let mut key = Vec::with_capacity(34);
    key.extend(dnt(source));
    key.extend(attribute.0.to_be_bytes());
    key
}

/// `source, attribute, target`: all values of one link attribute that name one object.
pub(crate) fn link_target(source: Dnt, attribute: AttributeId, target: Dnt) -> Vec<u8> {
    let mut key = link_attribute(source, attribute);
    key.extend(dnt(target));
    key
}

pub(crate) fn link(
    source: Dnt,
    attribute: AttributeId,
    target: Dnt,
    digest: &[u8; DIGEST_LENGTH],
) -> Vec<u8> {
    let mut key = link_target(source, attribute, target);
    key.extend(digest);
    key
}

/// The parts of a link key, or of a back link key with the ends exchanged.
pub(crate) fn link_parts(key: &[u8]) -> Option<(Dnt, u16, Dnt, [u8; DIGEST_LENGTH])> {
    let from = number_at(key, 0)?;
    let attribute = u16::from_be_bytes(*key.get(8..)?.first_chunk::<2>()?);
    let to = number_at(key, 10)?;
    let digest = *key.get(18..)?.first_chunk::<DIGEST_LENGTH>()?;
    Some((Dnt(from), attribute, Dnt(to), digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_end_where_they_should() {
        assert_eq!(after_prefix(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(after_prefix(&[1, 0xFF]), Some(vec![2]));
        assert_eq!(after_prefix(&[0xFF]), None);
    }

    #[test]
    fn values_with_zeros_do_not_run_into_each_other() {
        let attribute = AttributeId(7);
        let short = index_value(attribute, &[1]);
        let long = index(attribute, &[1, 0, 0], Dnt(1));
        assert!(!long.starts_with(&short));
        assert!(index(attribute, &[1], Dnt(9)) < index(attribute, &[1, 1], Dnt(1)));
    }

    #[test]
    fn link_keys_come_apart() {
        let key = link(Dnt(3), AttributeId(7), Dnt(9), &[5; DIGEST_LENGTH]);
        assert_eq!(
            link_parts(&key),
            Some((Dnt(3), 7, Dnt(9), [5; DIGEST_LENGTH]))
        );
    }
}
