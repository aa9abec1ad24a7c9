//! The signature of a security key (WebAuthn level 3, 6.5.5), checked where the cloud cannot do it.

use aws_lc_rs::signature::{
    self, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use keycred::material::{CoseAlgorithm, CoseKey, EcCurve, PublicKey};

/// Whether `signature` over `signed` is of the key. A key or an algorithm that is not known here never signs anything.
pub(crate) fn is_signed_by(cose_key: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    let Some(key) = CoseKey::decode(cose_key) else {
        return false;
    };
    match (key.algorithm, key.public_key) {
        (Some(CoseAlgorithm::ES256), Some(PublicKey::Ec(ec))) if ec.curve == EcCurve::P256 => {
            let point = [&[4], &*ec.x, &*ec.y].concat();
            verify(
                &signature::ECDSA_P256_SHA256_ASN1,
                &point,
                signed,
                signature,
            )
        }
        (Some(CoseAlgorithm::ES384), Some(PublicKey::Ec(ec))) if ec.curve == EcCurve::P384 => {
            let point = [&[4], &*ec.x, &*ec.y].concat();
            verify(
                &signature::ECDSA_P384_SHA384_ASN1,
                &point,
                signed,
                signature,
            )
        }
        (Some(CoseAlgorithm::EDDSA), Some(PublicKey::Ed25519(point))) => {
            verify(&signature::ED25519, &point, signed, signature)
        }
        (Some(CoseAlgorithm::RS256), Some(PublicKey::Rsa(rsa))) => {
            let parts = RsaPublicKeyComponents {
                n: &*rsa.modulus,
                e: &*rsa.exponent,
            };
            parts
                .verify(&signature::RSA_PKCS1_2048_8192_SHA256, signed, signature)
                .is_ok()
        }
        _ => false,
    }
}

fn verify(
    algorithm: &'static dyn VerificationAlgorithm,
    key: &[u8],
    signed: &[u8],
    signature: &[u8],
) -> bool {
    UnparsedPublicKey::new(algorithm, key)
        .verify(signed, signature)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    };
    use ciborium::Value;

    use super::*;

    fn cose(entries: &[(i64, Value)]) -> Vec<u8> {
        let entries = entries
            .iter()
            .map(|(label, value)| (Value::from(*label), value.clone()));
        let mut raw = Vec::new();
        ciborium::into_writer(&Value::Map(entries.collect()), &mut raw).unwrap();
        raw
    }

    #[track_caller]
    fn check(key: &[u8], others: &[u8], signature: &[u8]) {
        assert!(is_signed_by(key, b"signed", signature));
        assert!(!is_signed_by(key, b"another", signature));
        assert!(!is_signed_by(others, b"signed", signature));
        let mut bent = signature.to_vec();
        *bent.last_mut().unwrap() ^= 1;
        assert!(!is_signed_by(key, b"signed", &bent));
        assert!(!is_signed_by(key, b"signed", b""));
        for length in 0..key.len() {
            assert!(!is_signed_by(&key[..length], b"signed", signature));
        }
    }

    #[test]
    fn es256() {
        let key = |pair: &EcdsaKeyPair| {
            let point = pair.public_key().as_ref();
            let (x, y) = (point[1..33].to_vec(), point[33..].to_vec());
            cose(&[
                (1, 2.into()),
                (3, (-7).into()),
                (-1, 1.into()),
                (-2, x.into()),
                (-3, y.into()),
            ])
        };
        let make = || EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let (one, other) = (make(), make());
        let signature = one.sign(&SystemRandom::new(), b"signed").unwrap();
        check(&key(&one), &key(&other), signature.as_ref());
    }

    #[test]
    fn ed25519() {
        let key = |pair: &Ed25519KeyPair| {
            let point = pair.public_key().as_ref().to_vec();
            cose(&[
                (1, 1.into()),
                (3, (-8).into()),
                (-1, 6.into()),
                (-2, point.into()),
            ])
        };
        let make = || Ed25519KeyPair::generate().unwrap();
        let (one, other) = (make(), make());
        let signature = one.sign(b"signed");
        check(&key(&one), &key(&other), signature.as_ref());
    }
}
