//! Version, order, missing and repeated entries, lengths, hashes.

use sha2::{Digest, Sha256};

use super::{Findings, section};
use crate::credential::{DeviceIdShape, HashCheck, KeyCredential, KeyIdCheck};
use crate::numbers::{EntryId, KeySource, KeyUsage, Version};

pub(super) fn look(key: &KeyCredential<'_>, findings: &mut Findings) {
    layout(key, findings);
    presence(key, findings);
    lengths(key, findings);
    hashes(key, findings);
    usage_and_source(key, findings);
    device(key, findings);
}

fn layout(key: &KeyCredential<'_>, findings: &mut Findings) {
    let version = key.blob().version();
    if version != Version::V2 {
        findings.note(
            "legacy-version",
            section::BLOB,
            format!("blob version {version}, from before Windows Server 2016"),
        );
    }
    let ids = key.blob().entries().map(|entry| entry.id);
    if !ids.is_sorted() {
        findings.warning(
            "entries-out-of-order",
            section::BLOB,
            "the entries are not sorted by id; no known writer of the platform does this",
        );
    }
    let mut count = [0_u32; 256];
    let mut differs = [false; 256];
    for entry in key.blob().entries() {
        let slot = usize::from(entry.id.0);
        if let (Some(count), Some(differs)) = (count.get_mut(slot), differs.get_mut(slot)) {
            *count = count.saturating_add(1);
            *differs |= key.raw(entry.id).is_some_and(|first| first != entry.value);
        }
    }
    for ((id, count), differs) in (0..=u8::MAX).map(EntryId).zip(count).zip(differs) {
        if count > 0 && id.name().is_none() {
            findings.warning(
                "unknown-entry",
                section::ENTRY,
                format!("{count} entry of the unknown id {:#04x}", id.0),
            );
        } else if count > 1 && differs {
            findings.alarm(
                "duplicate-entry",
                section::ENTRY,
                format!(
                    "{} occurs {count} times with different values; readers disagree on which counts",
                    id.label()
                ),
            );
        } else if count > 1 {
            findings.warning(
                "duplicate-entry",
                section::ENTRY,
                format!(
                    "{} occurs {count} times with the same value; domain controllers have written KeyID twice on computers",
                    id.label()
                ),
            );
        }
    }
}

fn presence(key: &KeyCredential<'_>, findings: &mut Findings) {
    for id in [EntryId::KEY_ID, EntryId::KEY_MATERIAL, EntryId::KEY_USAGE] {
        if key.raw(id).is_none() {
            findings.warning(
                "missing-entry",
                section::ENTRY,
                format!("there is no {}", id.label()),
            );
        }
    }
    for id in [EntryId::KEY_HASH, EntryId::LAST_LOGON, EntryId::CREATED] {
        if key.raw(id).is_none() {
            findings.note(
                "absent-entry",
                None,
                format!("there is no {}, which should be there", id.label()),
            );
        }
    }
}

fn lengths(key: &KeyCredential<'_>, findings: &mut Findings) {
    for (id, length) in [
        (EntryId::KEY_HASH, 32),
        (EntryId::KEY_SOURCE, 1),
        (EntryId::DEVICE_ID, 16),
        (EntryId::LAST_LOGON, 8),
        (EntryId::CREATED, 8),
    ] {
        match key.raw(id) {
            Some(value) if value.len() != length => findings.warning(
                "entry-length",
                section::ENTRY,
                format!(
                    "{} has {} bytes instead of {length}",
                    id.label(),
                    value.len()
                ),
            ),
            _ => {}
        }
    }
}

fn hashes(key: &KeyCredential<'_>, findings: &mut Findings) {
    if key.key_hash_check() == HashCheck::Differs {
        let of_key_id = key.key_id().map(Sha256::digest);
        match (of_key_id, key.raw(EntryId::KEY_HASH)) {
            (Some(wrong), Some(hash)) if *hash == wrong[..] => findings.alarm(
                "key-hash-of-key-id",
                section::ENTRY,
                "KeyHash is the SHA-256 of the KeyID, an error of older attack tools",
            ),
            _ => findings.alarm(
                "key-hash-differs",
                section::ENTRY,
                "KeyHash does not match the entries after it: the value was edited, or its writer is not the platform",
            ),
        }
    }
    match key.key_id_check() {
        KeyIdCheck::Differs => findings.alarm(
            "key-id-differs",
            section::ENTRY,
            "KeyID belongs to another key: it is neither the SHA-256 of the key material nor the id inside it",
        ),
        KeyIdCheck::CredentialId => findings.note(
            "key-id-is-credential-id",
            section::ENTRY,
            "KeyID is the FIDO credential id, not a SHA-256; the cloud writes all FIDO keys so",
        ),
        KeyIdCheck::JwkKeyId => findings.note(
            "key-id-is-kid",
            section::ENTRY,
            "KeyID is the kid of the JSON Web Key, not a SHA-256; the cloud writes these keys so",
        ),
        KeyIdCheck::Sha256OfMaterial | KeyIdCheck::LegacyGuid | KeyIdCheck::Absent => {}
    }
}

fn usage_and_source(key: &KeyCredential<'_>, findings: &mut Findings) {
    if let Some(word) = key.raw(EntryId::KEY_USAGE).filter(|word| word.len() != 1) {
        let word = String::from_utf8_lossy(word.get(..32).unwrap_or(word)).into_owned();
        findings.note(
            "usage-word",
            section::ENTRY,
            format!(
                "KeyUsage is the word '{}' instead of a number",
                word.escape_debug()
            ),
        );
    }
    match key.usage() {
        Some(usage) if usage.name().is_none() => findings.warning(
            "usage-unknown",
            section::ENTRY,
            format!("KeyUsage {usage} has no known meaning"),
        ),
        _ => {}
    }
    match key.source() {
        Some(KeySource::AD) => {}
        Some(KeySource::AZURE_AD) => findings.note(
            "source-azure-ad",
            section::ENTRY,
            "KeySource AzureAD is not in the specification; every synced key has it",
        ),
        Some(other) => findings.warning(
            "source-unknown",
            section::ENTRY,
            format!("KeySource {other} has no known meaning"),
        ),
        None if key.blob().version() == Version::V2 => findings.note(
            "source-absent",
            None,
            "there is no KeySource; times are read as FILETIME",
        ),
        None => {}
    }
}

fn device(key: &KeyCredential<'_>, findings: &mut Findings) {
    let is_fido = key.usage() == Some(KeyUsage::FIDO);
    match key.device_id_shape() {
        None => {}
        Some(DeviceIdShape::Zero) if is_fido => {}
        Some(DeviceIdShape::Zero) => findings.note(
            "device-id-zero",
            None,
            "DeviceId is zero although this is not a FIDO key",
        ),
        Some(_) if is_fido => findings.warning(
            "device-id-on-fido",
            None,
            "DeviceId is set although this is a FIDO key",
        ),
        Some(DeviceIdShape::V4) => {}
        Some(DeviceIdShape::V4BigEndian) => findings.warning(
            "device-id-big-endian",
            None,
            "DeviceId is a random GUID only when read big-endian, as Python and Go tools store it; the platform stores mixed-endian",
        ),
        Some(DeviceIdShape::NotV4) => findings.warning(
            "device-id-not-v4",
            None,
            "DeviceId is not a version 4 GUID in either byte order; registered devices have one",
        ),
    }
}
