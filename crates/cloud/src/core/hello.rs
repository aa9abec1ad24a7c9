//! Verifying what a Windows Hello key signed (MS-OAPXBC 3.2.5.1.2.1).

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::RSA_PKCS1_2048_8192_SHA256;
use cloud_api::hello::HelloAssertion;
use cloud_api::jose::Jws;
use cloud_api::prt::RS256;
use keycred::material::{KeyMaterial, PublicKey};
use types::Timestamp;

use super::refusal::SignInError;

/// Clocks of devices may differ by so much.
const SKEW_S: i64 = 300;
/// An assertion that would be good for longer is a key that left its device.
const LIFETIME_S_MAX: i64 = 24 * 3600;

/// What the key with this material signed, if it did, for a user with this name, for the present.
///
/// Which nonce it answers and whose device it is of are the caller's to check.
pub(crate) fn verify(
    jws: &Jws,
    key_material: &[u8],
    upn: &str,
    now: Timestamp,
) -> Result<HelloAssertion, SignInError> {
    jws.must_be(RS256)?;
    let material = KeyMaterial::decode(key_material).ok();
    let Some(PublicKey::Rsa(rsa)) = material.as_ref().and_then(KeyMaterial::public_key) else {
        return Err(SignInError::Hello("is of a key that cannot sign in"));
    };
    let public = PublicKeyComponents {
        n: &*rsa.modulus,
        e: &*rsa.exponent,
    };
    public
        .verify(
            &RSA_PKCS1_2048_8192_SHA256,
            jws.signed.as_bytes(),
            &jws.signature,
        )
        .map_err(|_| SignInError::Hello("is not signed by the registered key"))?;
    let claims: HelloAssertion = jws.claims()?;
    if claims.iss.to_lowercase() != upn.to_lowercase() {
        return Err(SignInError::Hello("names another user than the key's"));
    }
    let now = now.unix_seconds();
    let is_now = claims.iat <= now.saturating_add(SKEW_S)
        && now < claims.exp
        && claims.exp.saturating_sub(claims.iat) <= LIFETIME_S_MAX;
    if is_now {
        Ok(claims)
    } else {
        Err(SignInError::Hello(
            "is not of the present; check the device's clock",
        ))
    }
}
