//! From a verified credential to the `searchableDeviceKey` that the sync will carry.

use cloud_api::devicekeys::NewNgcKey;
use keycred::material::CertificateFacts;
use keycred::{
    CustomKeyFlags, CustomKeyInformation, FidoKeyMaterial, KeyStrength, KeyUsage,
    SearchableDeviceKey,
};
use sha2::{Digest, Sha256};
use types::{Guid, Timestamp};

use super::ceremony::VerifiedCredential;
use crate::error::Error;

/// A security key: material is JSON with authenticator data and chain, byte for byte what AD will hold.
pub(crate) fn fido(
    credential: &VerifiedCredential,
    display_name: &str,
    created: Timestamp,
) -> SearchableDeviceKey {
    let key_material =
        FidoKeyMaterial::encode(&credential.auth_data, &credential.x5c, display_name);
    let flags = if credential.is_attested() {
        CustomKeyFlags::ATTESTATION
    } else {
        CustomKeyFlags::NONE
    };
    SearchableDeviceKey {
        usage: KeyUsage::FIDO,
        key_identifier: credential.credential_id.clone(),
        creation_time: created,
        device_id: Some(Guid::ZERO),
        custom_key_information: Some(
            CustomKeyInformation::cloud(flags, KeyStrength::UNKNOWN).to_vec(),
        ),
        fido_aa_guid: Some(credential.aaguid),
        fido_authenticator_version: None,
        fido_attestation_certificates: thumbprints(credential),
        key_material,
    }
}

/// The certificates of `x5c`, and the root that `x5c` lacks: real lists name it as well.
fn thumbprints(credential: &VerifiedCredential) -> Vec<String> {
    let mut list: Vec<String> = credential
        .x5c
        .iter()
        .filter_map(|item| CertificateFacts::decode(item))
        .map(|certificate| certificate.thumbprint_hex())
        .collect();
    let root = credential.root_thumbprint.iter();
    let missing: Vec<String> = root.filter(|root| !list.contains(root)).cloned().collect();
    list.extend(missing);
    list
}

/// A Windows Hello key: an RSA public key in the form of CNG, named by its own hash.
pub(crate) fn ngc(request: &NewNgcKey, created: Timestamp) -> Result<SearchableDeviceKey, Error> {
    let key_material = data_encoding::BASE64
        .decode(request.key_material.as_bytes())
        .map_err(|_| Error::invalid("keyMaterial is not base64"))?;
    check_rsa1(&key_material)?;
    if request.device_id == Guid::ZERO {
        return Err(Error::invalid("deviceId names no device"));
    }
    Ok(SearchableDeviceKey {
        usage: KeyUsage::NGC,
        key_identifier: Sha256::digest(&key_material).to_vec(),
        key_material,
        creation_time: created,
        device_id: Some(request.device_id),
        custom_key_information: Some(
            CustomKeyInformation::cloud(CustomKeyFlags::NONE, KeyStrength::NORMAL).to_vec(),
        ),
        fido_aa_guid: None,
        fido_authenticator_version: None,
        fido_attestation_certificates: Vec::new(),
    })
}

/// BCRYPT_RSAPUBLIC_BLOB: magic, bits, length of exponent, length of modulus, two zeros, exponent, modulus.
fn check_rsa1(bytes: &[u8]) -> Result<(), Error> {
    let invalid =
        |why: &str| Error::invalid(format!("keyMaterial is not a BCRYPT_RSAPUBLIC_BLOB: {why}"));
    let (head, rest) = bytes
        .split_at_checked(24)
        .ok_or_else(|| invalid("it is too short"))?;
    let mut words = head
        .as_chunks::<4>()
        .0
        .iter()
        .map(|word| u32::from_le_bytes(*word));
    let mut word = || words.next().unwrap_or(0);
    if word() != u32::from_le_bytes(*b"RSA1") {
        return Err(invalid("it does not begin with RSA1"));
    }
    let (bits, exponent, modulus) = (word(), word(), word());
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
        return Err(invalid("the key has not 2048 to 4096 bits"));
    }
    let announced = u64::from(exponent) + u64::from(modulus);
    // Some writers put a zero before the modulus.
    let is_sound = (1..=8).contains(&exponent)
        && (bits.div_ceil(8)..=bits.div_ceil(8) + 1).contains(&modulus)
        && u64::try_from(rest.len()).is_ok_and(|have| have == announced)
        && word() == 0
        && word() == 0;
    if is_sound {
        Ok(())
    } else {
        Err(invalid("its lengths do not fit"))
    }
}

const RSA_BITS_MIN: u32 = 2048;
const RSA_BITS_MAX: u32 = 4096;

#[cfg(test)]
mod tests {
    use super::*;

    fn rsa1(bits: u32, modulus: usize) -> Vec<u8> {
        let mut blob = b"RSA1".to_vec();
        for word in [bits, 3, u32::try_from(modulus).unwrap(), 0, 0] {
            blob.extend(word.to_le_bytes());
        }
        blob.extend([1, 0, 1]);
        blob.extend(vec![0xC5; modulus]);
        blob
    }

    #[test]
    fn hello_keys_are_named_by_their_hash() {
        let created = Timestamp::parse_rfc3339("2026-06-10T05:06:07.1234567Z").unwrap();
        let material = rsa1(2048, 256);
        let request = NewNgcKey {
            key_material: data_encoding::BASE64.encode(&material),
            device_id: "5b47d60f-6090-40b2-9f37-2a4de88f3063".parse().unwrap(),
        };
        let key = ngc(&request, created).unwrap();
        assert_eq!(key.key_identifier, Sha256::digest(&material).to_vec());
        assert_eq!(
            key.custom_key_information.unwrap(),
            [1, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        );
    }

    #[test]
    fn broken_hello_keys_are_refused() {
        for blob in [
            vec![],
            b"RSA1".to_vec(),
            rsa1(1024, 128),
            rsa1(2048, 255),
            rsa1(2048, 256)[..270].to_vec(),
            [rsa1(2048, 256), vec![0]].concat(),
            [b"RSA2".to_vec(), rsa1(2048, 256)[4..].to_vec()].concat(),
        ] {
            assert!(check_rsa1(&blob).is_err(), "{} bytes", blob.len());
        }
        assert!(
            check_rsa1(&rsa1(2048, 257)).is_ok(),
            "a leading zero is real"
        );
    }
}
