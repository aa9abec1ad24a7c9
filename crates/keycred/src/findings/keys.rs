//! The key itself: readable, of the right kind, strong.

use super::{Findings, section};
use crate::credential::KeyCredential;
use crate::custom_key_information::CustomKeyInformation;
use crate::material::{
    Attestation, AuthenticatorData, FidoKeyMaterial, KeyMaterial, PublicKey, RsaPublicKey,
};
use crate::numbers::{CustomKeyFlags, KeyUsage};
use types::Guid;

/// SHA-256 of the relying party id under which the commercial cloud registers every key.
const CLOUD_RELYING_PARTY: &str =
    "356c9ed4a09321b9695f1eaf918203f1b55f689da61fbc96184c157dda680c81";

pub(super) fn look(key: &KeyCredential<'_>, findings: &mut Findings) {
    let material = match key.material() {
        None => return,
        Some(Err(error)) => {
            return findings.warning(
                "key-material-unreadable",
                section::MATERIAL,
                error.to_string(),
            );
        }
        Some(Ok(material)) => material,
    };
    let is_fido = matches!(material, KeyMaterial::Fido(_));
    if let Some(usage) = key.usage()
        && is_fido != (usage == KeyUsage::FIDO)
    {
        findings.warning(
            "usage-material-mismatch",
            section::MATERIAL,
            format!(
                "KeyUsage is {} and the key material is {}",
                usage.label(),
                material.format()
            ),
        );
    }
    match &material {
        KeyMaterial::Fido(material) => fido(material, key.custom_key_information(), findings),
        KeyMaterial::Spki(_) => findings.note(
            "material-spki",
            section::MATERIAL,
            "the key is a SubjectPublicKeyInfo, which only one directory server writes and reads",
        ),
        KeyMaterial::Jwk(_) => findings.note(
            "material-jwk",
            section::MATERIAL,
            "the key is a JSON Web Key, which is not in the specification; the cloud writes them for phones and Macs",
        ),
        _ => {}
    }
    match material.public_key() {
        Some(PublicKey::Rsa(rsa_key)) => rsa(&rsa_key, findings),
        Some(_) => {}
        None if is_fido => {}
        None => findings.warning(
            "key-of-unknown-kind",
            section::MATERIAL,
            "the key material is readable, but the key in it is of an unknown kind",
        ),
    }
}

fn rsa(key: &RsaPublicKey<'_>, findings: &mut Findings) {
    let bits = key.bits();
    if bits < 2048 {
        findings.alarm(
            "rsa-short",
            None,
            format!("RSA key of {bits} bits; 2048 are the least"),
        );
    }
    match key.exponent_number() {
        Some(65537) => {}
        Some(odd) if odd > 1 && odd % 2 == 1 => {
            findings.warning(
                "rsa-exponent",
                None,
                format!("RSA exponent {odd} instead of 65537"),
            );
        }
        Some(broken) => {
            findings.alarm(
                "rsa-exponent",
                None,
                format!("RSA exponent {broken} is no exponent"),
            );
        }
        None => findings.warning("rsa-exponent", None, "RSA exponent of more than 64 bits"),
    }
    if key.modulus.last().is_none_or(|byte| byte % 2 == 0) {
        findings.alarm(
            "rsa-modulus-even",
            None,
            "the RSA modulus is even, so it is no modulus",
        );
    } else if is_roca(key) {
        findings.alarm(
            "rsa-roca",
            None,
            "the RSA key was made by a chip with the ROCA flaw (CVE-2017-15361); its private key can be computed",
        );
    }
}

/// The primes of the usual ROCA test.
const ROCA_PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97,
    101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];

/// Primes of the flawed chips are powers of 65537 modulo a product of small primes, so the modulus is one too.
fn is_roca(key: &RsaPublicKey<'_>) -> bool {
    ROCA_PRIMES.iter().all(|&prime| {
        let residue = key.modulus_mod(prime);
        let generator = 65537 % prime;
        let powers = std::iter::successors(Some(1), |power| Some(power * generator % prime));
        powers
            .take(usize::try_from(prime).unwrap_or_default())
            .any(|power| power == residue)
    })
}

fn fido(
    material: &FidoKeyMaterial,
    info: Option<CustomKeyInformation<'_>>,
    findings: &mut Findings,
) {
    if material.version != 1 {
        findings.warning(
            "fido-version",
            section::MATERIAL,
            format!(
                "FIDO key material of version {} instead of 1",
                material.version
            ),
        );
    }
    let data = match material.authenticator_data() {
        Ok(data) => data,
        Err(error) => {
            return findings.alarm("fido-unreadable", section::MATERIAL, error.to_string());
        }
    };
    authenticator_data(&data, findings);
    let says_attested = info
        .and_then(CustomKeyInformation::flags)
        .is_some_and(|flags| flags.contains(CustomKeyFlags::ATTESTATION));
    if material.x5c.is_empty() && says_attested {
        findings.warning(
            "fido-attestation-flag",
            section::CUSTOM,
            "the flags say that the key was attested, but there is no certificate",
        );
    } else if material.x5c.is_empty() {
        findings.note(
            "fido-no-attestation",
            None,
            "nothing attests the model of this key",
        );
    }
    let aaguid = data.attested.as_ref().map(|attested| attested.aaguid);
    for item in material.attestation() {
        match item {
            Attestation::NotACertificate(bytes) => findings.note(
                "fido-x5c-not-a-certificate",
                section::MATERIAL,
                format!(
                    "x5c holds {} bytes that are not a certificate; some models' keys do",
                    bytes.len()
                ),
            ),
            Attestation::Certificate(facts) => match (facts.aaguid, aaguid) {
                (Some(vouched), Some(claimed)) if vouched != claimed => findings.alarm(
                    "fido-aaguid-differs",
                    None,
                    format!("the certificate is for model {vouched}, the key says it is {claimed}"),
                ),
                _ => {}
            },
        }
    }
}

fn authenticator_data(data: &AuthenticatorData, findings: &mut Findings) {
    if data_encoding::HEXLOWER.encode(&data.rp_id_hash) != CLOUD_RELYING_PARTY {
        findings.note(
            "fido-relying-party",
            None,
            "the key was registered for another relying party than the commercial cloud's",
        );
    }
    if !data.flags.user_verified() {
        findings.warning(
            "fido-user-not-verified",
            None,
            "the key was registered without PIN or biometrics",
        );
    }
    let has_hmac_secret = data
        .extension("hmac-secret")
        .and_then(|output| output.as_bool());
    if has_hmac_secret != Some(true) {
        findings.note(
            "fido-no-hmac-secret",
            None,
            "the key was registered without hmac-secret: it signs in, and cannot unlock a device without the cloud",
        );
    }
    if data.flags.backup_eligible() {
        findings.note(
            "fido-backup-eligible",
            None,
            "this passkey may be copied between devices; it is not bound to one key",
        );
    }
    let Some(attested) = &data.attested else {
        return findings.alarm(
            "fido-no-credential",
            section::MATERIAL,
            "the authenticator data holds no credential (flag AT is clear), so no key can be checked against it",
        );
    };
    if attested.aaguid == Guid::ZERO {
        findings.note("fido-aaguid-zero", None, "the key does not tell its model");
    }
    if attested.key.public_key.is_none() {
        findings.warning(
            "key-of-unknown-kind",
            section::MATERIAL,
            format!(
                "the FIDO public key is of an unknown kind (COSE algorithm {})",
                attested
                    .key
                    .algorithm
                    .map_or_else(|| "absent".to_owned(), |a| a.0.to_string())
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roca_follows_from_its_definition() {
        // 65537 is its own first power modulo every prime, 65539 is in few of the subgroups.
        assert!(is_roca(&RsaPublicKey::new(&[1, 0, 1], &[1, 0, 1])));
        assert!(!is_roca(&RsaPublicKey::new(&[1, 0, 3], &[1, 0, 1])));
    }
}
