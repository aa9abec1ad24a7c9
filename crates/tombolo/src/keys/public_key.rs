//! An RSA public key from a file: a certificate or a SubjectPublicKeyInfo, in PEM or DER, or PKCS #1 in DER.

use std::path::Path;

use keycred::{KeyMaterial, PublicKey};
use rustls_pki_types::pem::{self, SectionKind};

use crate::io::{Failure, Tell, read_input};

const BITS_MIN: usize = 2048;

/// Reads a file and gives the key as Windows Hello puts it into a blob.
pub(super) fn material_of_file(path: &Path) -> Result<Vec<u8>, Failure> {
    of_bytes(&read_input(path)?).map_err(|why| {
        Failure::new(format!("{} cannot be enrolled", path.display()))
            .why(why)
            .next(
                "give an RSA key of at least 2048 bits: a certificate or a public key, PEM or DER",
            )
    })
}

/// The same of a SubjectPublicKeyInfo.
pub(super) fn material_of_spki(spki: &[u8]) -> Result<Vec<u8>, Failure> {
    of_der(spki).tell("the new key cannot be enrolled")
}

#[derive(Debug, thiserror::Error)]
enum NoKey {
    #[error("its PEM cannot be read: {0}")]
    Pem(String),
    #[error("it holds no public key and no certificate")]
    Nothing,
    #[error("it holds a private key, which belongs to its owner alone")]
    Private,
    #[error("{0} is not RSA: no KDC takes another kind of key from this attribute")]
    NotRsa(String),
    #[error("RSA with {0} bits is too weak")]
    Weak(usize),
}

fn of_bytes(bytes: &[u8]) -> Result<Vec<u8>, NoKey> {
    if bytes.first() == Some(&0x30) {
        return of_der(bytes);
    }
    let mut rest = bytes;
    let mut refused = NoKey::Nothing;
    while let Some((kind, der)) =
        pem::from_buf(&mut rest).map_err(|error| NoKey::Pem(error.to_string()))?
    {
        match kind {
            SectionKind::Certificate | SectionKind::PublicKey => return of_der(&der),
            SectionKind::PrivateKey | SectionKind::RsaPrivateKey => refused = NoKey::Private,
            _ => {}
        }
    }
    Err(refused)
}

fn of_der(der: &[u8]) -> Result<Vec<u8>, NoKey> {
    let certificate = kerberos::pkinit::Certificate::decode(der).ok();
    let spki = certificate.as_ref().map_or(der, |found| &found.spki);
    let material = KeyMaterial::decode(spki).map_err(|_| NoKey::Nothing)?;
    match material.public_key() {
        Some(PublicKey::Rsa(key)) if key.bits() < BITS_MIN => Err(NoKey::Weak(key.bits())),
        Some(PublicKey::Rsa(key)) => key.to_bcrypt_blob().ok_or(NoKey::Nothing),
        Some(other) => Err(NoKey::NotRsa(other.describe())),
        None => Err(NoKey::Nothing),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{KeyPair, PKCS_RSA_SHA256, PublicKeyData, RsaKeySize};

    use super::*;

    #[test]
    fn keys_of_every_wrapping_are_one() {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let params = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let expect = of_der(&key.subject_public_key_info()).unwrap();
        assert!(expect.starts_with(b"RSA1"));
        let private_first = key.serialize_pem() + &certificate.pem();
        for bytes in [
            certificate.der().to_vec(),
            certificate.pem().into_bytes(),
            key.public_key_pem().into_bytes(),
            private_first.into_bytes(),
        ] {
            assert_eq!(of_bytes(&bytes).unwrap(), expect);
        }
    }

    #[test]
    fn what_is_no_rsa_key_is_refused() {
        let check = |bytes: &[u8], expect: &str| {
            let refused = of_bytes(bytes).unwrap_err().to_string();
            assert!(refused.contains(expect), "{refused}");
        };
        let elliptic = KeyPair::generate().unwrap();
        check(elliptic.public_key_pem().as_bytes(), "P-256 is not RSA");
        check(elliptic.serialize_pem().as_bytes(), "private key");
        check(b"hello", "no public key");
        check(&[0x30, 1, 0], "no public key");
    }
}
