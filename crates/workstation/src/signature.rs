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
