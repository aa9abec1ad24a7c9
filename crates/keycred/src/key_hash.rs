//! KeyHash put in and taken out: what the sync's NGCKey rule does to a cloud value on its way to AD.
//!
//! The cloud hands out the blob without KeyHash. The rule keeps the first entry, inserts an entry 2 with the
//! SHA-256 of all that follows, and appends the rest unchanged; the result is 35 bytes longer. The rule itself
//! tests nothing but the first byte. Ours refuses what that rule would turn into a broken value.
//!
//! Deliberately absent: a test of KeyUsage. The rule has none, and that is why FIDO keys reach AD at all.

use sha2::{Digest, Sha256};

use crate::blob::Blob;
use crate::error::Malformed;
use crate::numbers::{EntryId, Version};

/// The rule's transform would lose or break this value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotConvertible {
    /// The bytes are not a blob.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Version 0 pads its entries, and the rule does not know of pads.
    #[error("blob version {0} cannot be carried; the sync carries versions 0x100 and 0x200")]
    Version(Version),
    /// KeyHash must come second, after KeyID.
    #[error("the first entry is {0:#04x} where KeyID (0x01) belongs")]
    FirstEntry(u8),
    /// There is nothing after the KeyID.
    #[error("the blob has nothing but a KeyID, so there is nothing to hash")]
    NothingToHash,
    /// A second KeyHash would be inserted.
    #[error("the blob already has a KeyHash")]
    AlreadyHashed,
    /// There is no KeyHash to take out.
    #[error("the blob has no KeyHash as its second entry")]
    NotHashed,
}

/// The value with KeyHash, as the sync exports it to AD.
pub fn with_key_hash(value: &[u8]) -> Result<Vec<u8>, NotConvertible> {
    let (head, tail) = split(value)?;
    let mut hashed = Vec::with_capacity(value.len().saturating_add(35));
    hashed.extend_from_slice(head);
    hashed.extend_from_slice(&[0x20, 0x00, EntryId::KEY_HASH.0]);
    hashed.extend_from_slice(&Sha256::digest(tail));
    hashed.extend_from_slice(tail);
    Ok(hashed)
}

/// The value without KeyHash, as the cloud hands it out: the way back of [`with_key_hash`]. The hash is not checked.
pub fn without_key_hash(value: &[u8]) -> Result<Vec<u8>, NotConvertible> {
    let blob = carried(value)?;
    let mut entries = blob.entries().skip(1);
    let hash = entries
        .next()
        .filter(|entry| entry.id == EntryId::KEY_HASH)
        .ok_or(NotConvertible::NotHashed)?;
    let head = value.get(..hash.offset).unwrap_or_default();
    let tail = value.get(hash.end..).unwrap_or_default();
    Ok([head, tail].concat())
}

/// Whether [`with_key_hash`] takes this value: a readable blob that starts with KeyID and has no KeyHash yet.
pub fn is_keycred(value: &[u8]) -> bool {
    split(value).is_ok()
}

/// The bytes up to the end of the KeyID entry, and the bytes after it.
fn split(value: &[u8]) -> Result<(&[u8], &[u8]), NotConvertible> {
    let blob = carried(value)?;
    let mut entries = blob.entries();
    let first = entries.next().ok_or(NotConvertible::NothingToHash)?;
    let end = first.end;
    if entries.any(|entry| entry.id == EntryId::KEY_HASH) {
        return Err(NotConvertible::AlreadyHashed);
    }
    match value.split_at_checked(end) {
        Some((head, tail)) if !tail.is_empty() => Ok((head, tail)),
        _ => Err(NotConvertible::NothingToHash),
    }
}

fn carried(value: &[u8]) -> Result<Blob<'_>, NotConvertible> {
    let blob = Blob::decode(value)?;
    if blob.version() == Version::V0 {
        return Err(NotConvertible::Version(blob.version()));
    }
    let first = blob.entries().next().map(|entry| entry.id);
    match first {
        None => Err(NotConvertible::NothingToHash),
        Some(EntryId::KEY_ID) => Ok(blob),
        Some(other) => Err(NotConvertible::FirstEntry(other.0)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Draft, KeySource, KeyUsage};

    fn check(hex: &str, expect: Result<usize, &str>) {
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        let got = with_key_hash(&bytes);
        assert_eq!(is_keycred(&bytes), got.is_ok(), "{hex}");
        match (got, expect) {
            (Ok(got), Ok(length)) => {
                assert_eq!(got.len(), length, "{hex}");
                assert_eq!(without_key_hash(&got).unwrap(), bytes);
            }
            (Err(got), Err(part)) => assert!(got.to_string().contains(part), "{hex}: {got}"),
            (got, _) => panic!("{hex}: {got:?}"),
        }
    }

    #[test]
    fn what_the_rule_would_mangle_is_refused() {
        check("000200000100015501000401", Ok(12 + 35));
        check("", Err("truncated version"));
        check("00020000", Err("nothing"));
        check("0002000001000155", Err("nothing but a KeyID"));
        check("01020000010001550100040107", Err("unknown blob version"));
        check("000200000100045501000155", Err("first entry is 0x04"));
        check("0002000001000155010002550100040107", Err("truncated"));
        check("00020000010001550100025501000401", Err("already has"));
        check("0002000001000155ff000401", Err("truncated KeyUsage"));
        check("00000000010001550000000401", Err("truncated"));
    }

    proptest! {
        #[test]
        fn round_trip(id in proptest::collection::vec(any::<u8>(), 0..64), material: [u8; 40], usage: u8) {
            let draft = Draft::new(id, material, KeyUsage(usage), KeySource::AZURE_AD);
            let raw = draft.to_raw_blob().unwrap().encode();
            let hashed = with_key_hash(&raw).unwrap();
            prop_assert_eq!(&hashed, &draft.to_blob().unwrap().encode());
            prop_assert_eq!(without_key_hash(&hashed).unwrap(), raw);
            let blob = Blob::decode(&hashed).unwrap();
            prop_assert!(blob.credential().key_hash_check().holds());
        }

        #[test]
        fn never_panics(bytes: Vec<u8>) {
            let _ = (with_key_hash(&bytes), without_key_hash(&bytes), is_keycred(&bytes));
        }
    }
}
