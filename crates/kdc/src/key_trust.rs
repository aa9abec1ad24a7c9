//! Which keys of an account may sign it in by PKINIT key trust (MS-PKCA 3.1.5.2.1.4).
//!
//! A [`PkinitCandidate`] comes out of [`candidates`] and from nowhere else, and that function takes values of usage NGC
//! alone: what a FIDO, FEK, STK or unreadable value holds cannot reach a signature check, whatever the rest of the KDC
//! does. Every value that is passed over is told with the reason.
//!
//! Deliberately absent: names, certificates and trust chains. A key signs in the account that holds it, and no other.

use kerberos::pkinit::RsaPublicKey;
use keycred::{Blob, EntryId, KeyUsage, PublicKey};

/// A public key that an account trusts for PKINIT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PkinitCandidate {
    key: PublicKey<'static>,
    key_id: String,
}

impl PkinitCandidate {
    /// The public key.
    pub fn key(&self) -> &PublicKey<'static> {
        &self.key
    }

    /// The public key, where it is an RSA key that PKINIT takes.
    pub fn rsa(&self) -> Option<RsaPublicKey> {
        match &self.key {
            PublicKey::Rsa(rsa) => RsaPublicKey::new(&rsa.modulus, &rsa.exponent).ok(),
            _ => None,
        }
    }

    /// The value's short key id, for events.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }
}

/// A value that is no candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Which of the account's values, counted from 0.
    pub index: usize,
    /// Its short key id, where it can be read.
    pub key_id: Option<String>,
    /// Why it cannot sign in.
    pub why: SkipReason,
}

/// Why a value of `msDS-KeyCredentialLink` is no candidate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SkipReason {
    /// The bytes are no KEYCREDENTIALLINK_BLOB.
    #[error("the value cannot be read: {0}")]
    Unreadable(String),
    /// It has no usage, or more than one.
    #[error("the value has {0} usage entries; a key trust value has exactly one")]
    Usages(usize),
    /// FIDO, FEK and the others are consumed by something else, or by nothing.
    #[error("the value's usage is {0}, and only NGC keys sign in by PKINIT")]
    Usage(KeyUsage),
    /// It has no key, or more than one.
    #[error("the value has {0} key material entries; a key trust value has exactly one")]
    Materials(usize),
    /// The material holds no public key that can be read.
    #[error("the key material cannot be used: {0}")]
    Material(String),
    /// An RSA key that is too short to be trusted.
    #[error("the RSA key has {0} bits; the least is 2048")]
    WeakRsa(usize),
}

/// The candidates of one account, and what was passed over.
pub fn candidates(values: &[Vec<u8>]) -> (Vec<PkinitCandidate>, Vec<Skipped>) {
    let (mut keys, mut skipped) = (Vec::new(), Vec::new());
    for (index, value) in values.iter().enumerate() {
        let blob = Blob::decode(value);
        let key_id = blob.as_ref().ok().map(|b| b.credential().short_key_id());
        let result = match &blob {
            Ok(blob) => candidate(blob),
            Err(error) => Err(SkipReason::Unreadable(error.to_string())),
        };
        match result {
            Ok(candidate) => keys.push(candidate),
            Err(why) => skipped.push(Skipped { index, key_id, why }),
        }
    }
    (keys, skipped)
}

fn candidate(blob: &Blob<'_>) -> Result<PkinitCandidate, SkipReason> {
    let count = |id| blob.entries().filter(|entry| entry.id == id).count();
    let credential = blob.credential();
    let usages = count(EntryId::KEY_USAGE);
    let usage = match (usages, credential.usage()) {
        (1, Some(usage)) => usage,
        _ => return Err(SkipReason::Usages(usages)),
    };
    if usage != KeyUsage::NGC {
        return Err(SkipReason::Usage(usage));
    }
    let materials = count(EntryId::KEY_MATERIAL);
    let material = match (materials, credential.material()) {
        (1, Some(material)) => material.map_err(|error| SkipReason::Material(error.to_string()))?,
        _ => return Err(SkipReason::Materials(materials)),
    };
    // An NGC value whose material is a FIDO credential contradicts itself.
    if matches!(material, keycred::KeyMaterial::Fido(_)) {
        let what = "a FIDO credential under usage NGC";
        return Err(SkipReason::Material(what.to_owned()));
    }
    let key = material
        .public_key()
        .ok_or_else(|| SkipReason::Material("it holds no public key".to_owned()))?;
    if let PublicKey::Rsa(rsa) = &key
        && rsa.bits() < RSA_BITS_MIN
    {
        return Err(SkipReason::WeakRsa(rsa.bits()));
    }
    Ok(PkinitCandidate {
        key: key.into_owned(),
        key_id: credential.short_key_id(),
    })
}

const RSA_BITS_MIN: usize = 2048;

#[cfg(test)]
mod tests {
    use keycred::{Draft, KeySource};
    use types::{Guid, Timestamp};

    use super::*;

    /// BCRYPT_RSAPUBLIC_BLOB with a modulus of so many bytes.
    fn rsa1(modulus_bytes: u8) -> Vec<u8> {
        let bits = u32::from(modulus_bytes) * 8;
        let mut blob = b"RSA1".to_vec();
        for number in [bits, 3, u32::from(modulus_bytes), 0, 0] {
            blob.extend(number.to_le_bytes());
        }
        blob.extend([1, 0, 1]);
        blob.extend(vec![0xC5; usize::from(modulus_bytes)]);
        blob
    }

    fn long_rsa1() -> Vec<u8> {
        let mut blob = b"RSA1".to_vec();
        for number in [2048_u32, 3, 256, 0, 0] {
            blob.extend(number.to_le_bytes());
        }
        blob.extend([1, 0, 1]);
        blob.extend(vec![0xC5; 256]);
        blob
    }

    fn value(usage: KeyUsage, material: &[u8]) -> Vec<u8> {
        Draft::hashed(material, usage, KeySource::AD)
            .to_blob()
            .unwrap()
            .encode()
    }

    fn check(value: Vec<u8>, expect: Result<(), &str>) {
        let (keys, skipped) = candidates(&[value]);
        match expect {
            Ok(()) => {
                assert_eq!(skipped, []);
                assert_eq!(keys.len(), 1);
            }
            Err(words) => {
                assert_eq!(keys, []);
                let why = skipped[0].why.to_string();
                assert!(why.contains(words), "'{words}' is missing in: {why}");
            }
        }
    }

    #[test]
    fn only_ngc_values_become_candidates() {
        check(value(KeyUsage::NGC, &long_rsa1()), Ok(()));
        // The same key in a value of any other usage never signs in.
        for usage in [
            KeyUsage::FIDO,
            KeyUsage::FEK,
            KeyUsage::STK,
            KeyUsage::ADMIN_KEY,
            KeyUsage(0x42),
        ] {
            check(value(usage, &long_rsa1()), Err("only NGC keys sign in"));
        }
    }

    #[test]
    fn a_fido_credential_is_no_candidate_even_under_usage_ngc() {
        let json = br#"{"version":1,"authData":"AA==","x5c":[],"displayName":"key"}"#;
        check(value(KeyUsage::FIDO, json), Err("only NGC keys sign in"));
        check(value(KeyUsage::NGC, json), Err("cannot be used"));
    }

    #[test]
    fn what_a_directory_registers_is_a_candidate() {
        let draft = Draft::registered_in_ad(
            long_rsa1(),
            Guid::ZERO,
            Timestamp::from_unix_seconds(1_780_000_000),
        );
        check(draft.to_blob().unwrap().encode(), Ok(()));
    }

    #[test]
    fn broken_and_weak_values_are_passed_over_with_the_reason() {
        check(b"\0\x02".to_vec(), Err("cannot be read"));
        check(value(KeyUsage::NGC, b"nothing"), Err("cannot be used"));
        check(value(KeyUsage::NGC, &rsa1(128)), Err("1024 bits"));
        // One bad value does not hide the good one beside it.
        let (keys, skipped) = candidates(&[vec![1], value(KeyUsage::NGC, &long_rsa1())]);
        assert_eq!((keys.len(), skipped.len()), (1, 1));
        assert_eq!(skipped[0].index, 0);
    }
}
