//! What a domain controller accepts when a computer writes its own key by validated write
//! (MS-ADTS 3.1.1.5.3.1.1.6).
//!
//! Deliberately absent: whether the object is a computer, the writer is SELF and no value exists yet. Those need
//! the directory; this looks at the value alone.

use crate::blob::Blob;
use crate::error::Malformed;
use crate::material::KeyMaterial;
use crate::numbers::{EntryId, KeySource, KeyUsage, Version};

/// Whose rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ValidatedWriteMode {
    /// The text of the specification: no CustomKeyInformation.
    Spec,
    /// Domain controllers before January 2026: any readable blob.
    Pre2026,
    /// Domain controllers since January 2026, as observed: CustomKeyInformation is required and says 'MFA not used'.
    #[default]
    Patched2026,
}

/// Why a value is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotValidated {
    /// The bytes are not a blob.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Only version 2 is accepted.
    #[error("blob version {0}; validated writes take version 0x200")]
    Version(Version),
    /// An entry is missing.
    #[error("the blob has no {0}")]
    Missing(&'static str),
    /// An entry is there that must not be.
    #[error("the blob has a {0}, which a computer may not write itself")]
    Forbidden(&'static str),
    /// An entry holds another value than it must.
    #[error("{0} must be {1}")]
    Value(&'static str, &'static str),
    /// Entries out of order, or twice.
    #[error("entries must be sorted by id, each once")]
    Order,
    /// An entry without a name.
    #[error("unknown entry {0:#04x}")]
    Unknown(u8),
}

/// Whether a computer may write this value to itself.
pub fn validated_write(value: &[u8], mode: ValidatedWriteMode) -> Result<(), NotValidated> {
    let blob = Blob::decode(value)?;
    if mode == ValidatedWriteMode::Pre2026 {
        return Ok(());
    }
    well_formed(&blob)?;
    let key = blob.credential();
    if key.usage() != Some(KeyUsage::NGC) {
        return Err(NotValidated::Value("KeyUsage", "NGC"));
    }
    match (mode, key.source()) {
        (_, Some(KeySource::AD)) => {}
        // Observed: a patched domain controller does not ask for a source.
        (ValidatedWriteMode::Patched2026, None) => {}
        (_, None) => return Err(NotValidated::Missing("KeySource")),
        (_, Some(_)) => return Err(NotValidated::Value("KeySource", "AD")),
    }
    if key.raw(EntryId::LAST_LOGON).is_some() {
        return Err(NotValidated::Forbidden(EntryId::LAST_LOGON.label()));
    }
    match (mode, key.raw(EntryId::CUSTOM_KEY_INFORMATION)) {
        (ValidatedWriteMode::Spec, Some(_)) => Err(NotValidated::Forbidden("CustomKeyInformation")),
        (ValidatedWriteMode::Patched2026, None) => {
            Err(NotValidated::Missing("CustomKeyInformation"))
        }
        (ValidatedWriteMode::Patched2026, Some(info)) if info != [1, 2] => Err(
            NotValidated::Value("CustomKeyInformation", "version 1, MFA not used (01 02)"),
        ),
        _ => Ok(()),
    }
}

/// MS-ADTS 2.2.20.2: version 2, sorted; 2.2.20.6: what must be there, and the lengths that are fixed.
fn well_formed(blob: &Blob<'_>) -> Result<(), NotValidated> {
    if blob.version() != Version::V2 {
        return Err(NotValidated::Version(blob.version()));
    }
    let mut last = 0;
    for entry in blob.entries() {
        if entry.id.name().is_none() {
            return Err(NotValidated::Unknown(entry.id.0));
        }
        if entry.id.0 <= last {
            return Err(NotValidated::Order);
        }
        last = entry.id.0;
        let fixed = match entry.id {
            EntryId::KEY_USAGE | EntryId::KEY_SOURCE => Some((1, "1 byte long")),
            EntryId::DEVICE_ID => Some((16, "16 bytes long")),
            EntryId::LAST_LOGON | EntryId::CREATED => Some((8, "8 bytes long")),
            EntryId::KEY_HASH => Some((32, "32 bytes long")),
            _ => None,
        };
        if let Some((length, words)) = fixed
            && entry.value.len() != length
        {
            return Err(NotValidated::Value(entry.id.label(), words));
        }
    }
    let key = blob.credential();
    for id in [EntryId::KEY_ID, EntryId::KEY_MATERIAL, EntryId::KEY_USAGE] {
        if key.raw(id).is_none() {
            return Err(NotValidated::Missing(id.label()));
        }
    }
    if key.key_hash_check() == crate::HashCheck::Differs {
        return Err(NotValidated::Value(
            "KeyHash",
            "the SHA-256 of what follows",
        ));
    }
    if key.key_id_check() != crate::KeyIdCheck::Sha256OfMaterial {
        return Err(NotValidated::Value("KeyID", "the SHA-256 of KeyMaterial"));
    }
    match key.material() {
        Some(Ok(KeyMaterial::BcryptRsa(_) | KeyMaterial::Pkcs1(_) | KeyMaterial::BcryptEcc(_))) => {
            Ok(())
        }
        _ => Err(NotValidated::Value("KeyMaterial", "a public key")),
    }
}
