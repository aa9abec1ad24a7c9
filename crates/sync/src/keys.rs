//! The few questions about a key that the sync asks, all answered by `keycred`.
//!
//! Deliberately absent: any decision by usage. The shipped rules carry whatever is a key credential.

use std::borrow::Cow;

use keycred::{Blob, EntryId, KeySource};
use serde::{Deserialize, Serialize};

use crate::schema::Syntax;

/// Whether a transform can carry the octets.
pub(crate) fn is_keycred(value: &[u8]) -> bool {
    keycred::is_keycred(value)
}

/// The octets with their KeyHash entry.
pub(crate) fn with_key_hash(value: &[u8]) -> Result<Vec<u8>, String> {
    keycred::with_key_hash(value).map_err(|why| why.to_string())
}

/// Why a transform cannot carry the octets.
pub(crate) fn why_not(value: &[u8]) -> Option<String> {
    keycred::with_key_hash(value)
        .err()
        .map(|why| why.to_string())
}

/// `FIDO`, `NGC`, ...
pub(crate) fn usage(value: &[u8]) -> Option<String> {
    let blob = Blob::decode(value).ok()?;
    blob.credential().usage().map(|usage| usage.label())
}

/// `AD`, `AzureAD`, ...
pub(crate) fn source(value: &[u8]) -> Option<String> {
    let blob = Blob::decode(value).ok()?;
    blob.credential().source().map(|source| source.label())
}

/// Whether the key says that it came from the cloud.
pub(crate) fn is_from_cloud(value: &[u8]) -> bool {
    let Ok(blob) = Blob::decode(value) else {
        return false;
    };
    blob.credential().source() == Some(KeySource::AZURE_AD)
}

/// The part of a value by which the engine tells whether two are the same.
///
/// A domain controller rewrites the time of last use in a key that is used for sign-in, and KeyHash with it
/// (MS-ADTS 2.2.20.6). Without those two entries the value is still the one that the sync wrote; taking it for
/// another would delete and add it with every cycle.
pub(crate) fn identity(syntax: Syntax, value: &[u8]) -> Cow<'_, [u8]> {
    if syntax != Syntax::KeyCredential {
        return Cow::Borrowed(value);
    }
    let Ok(blob) = Blob::decode(value) else {
        return Cow::Borrowed(value);
    };
    let mut kept = value.get(..4).unwrap_or_default().to_vec();
    for entry in blob.entries() {
        if !matches!(entry.id, EntryId::KEY_HASH | EntryId::LAST_LOGON) {
            kept.extend_from_slice(value.get(entry.offset..entry.end).unwrap_or_default());
        }
    }
    Cow::Owned(kept)
}

/// What a table shows of a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// `FIDO key 3f2a01bc…`, or the first octets in hex where it is no key.
    pub label: String,
    /// What a key is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<String>,
    /// Where a key says it was registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The whole key id in hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
}

impl About {
    /// Looks at a value.
    pub fn of(value: &[u8]) -> Self {
        let Ok(blob) = Blob::decode(value) else {
            let start: Vec<u8> = value.iter().copied().take(8).collect();
            let label = format!(
                "{} octets {}…",
                value.len(),
                data_encoding::HEXLOWER.encode(&start)
            );
            return Self {
                label,
                usage: None,
                source: None,
                key_id: None,
            };
        };
        let key = blob.credential();
        let usage = key.usage().map(|usage| usage.label());
        Self {
            label: format!(
                "{} key {}…",
                usage.as_deref().unwrap_or("unknown"),
                key.short_key_id()
            ),
            usage,
            source: key.source().map(|source| source.label()),
            key_id: key.key_id().map(|id| data_encoding::HEXLOWER.encode(id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use keycred::{Draft, KeyUsage};

    use super::*;

    #[test]
    fn use_of_a_key_does_not_make_it_another() {
        let draft = Draft::new(b"id", b"material", KeyUsage::NGC, KeySource::AZURE_AD);
        let written = draft.to_blob().expect("fits").encode();
        let mut used = written.clone();
        // The eight octets of LastLogon stand before the last entry (3 + 8 octets of creation time), if any.
        let blob = Blob::decode(&written).expect("own value");
        let last = blob.entry(EntryId::LAST_LOGON).map(|entry| entry.end);
        if let Some(octet) = last.and_then(|end| used.get_mut(end - 1)) {
            *octet = 1;
        }
        let same = |a: &[u8], b: &[u8]| {
            identity(Syntax::KeyCredential, a) == identity(Syntax::KeyCredential, b)
        };
        assert!(same(&written, &used));
        let other = Draft::new(b"id", b"another", KeyUsage::NGC, KeySource::AZURE_AD);
        assert!(!same(&written, &other.to_blob().expect("fits").encode()));
        assert!(!same(b"no key", b"another"));
    }
}
