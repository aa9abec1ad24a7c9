//! Verifying what a security key signed (WebAuthn Level 3, 7.2), in the form in which a device sends it.
//!
//! User presence and user verification are always wanted. The signature is checked with the public key that the key said
//! at its registration, in the authenticator data that was kept.

use aws_lc_rs::rsa::PublicKeyComponents;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey,
};
use cloud_api::Base64Url;
use cloud_api::prt::FidoAssertion;
use keycred::material::{AuthenticatorData, CoseAlgorithm, EcCurve, FidoKeyMaterial, PublicKey};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::config::RelyingParty;

/// Why an assertion is no proof.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AssertionFailure {
    /// The client data is no JSON with type, challenge and origin.
    #[error("clientDataJSON cannot be read: {0}")]
    ClientData(String),
    /// A registration, or something else.
    #[error("clientDataJSON is of type '{0}', not webauthn.get")]
    Kind(String),
    /// Another nonce.
    #[error("the assertion answers another nonce than the request's")]
    Challenge,
    /// Another page or program.
    #[error("the key was asked by origin '{0}', which is not one of this tenant")]
    Origin(String),
    /// Another relying party.
    #[error("the assertion is for another relying party")]
    RelyingParty,
    /// The authenticator data is too short, or its flags are wrong.
    #[error("the assertion's authenticator data is {0}")]
    AuthenticatorData(&'static str),
    /// The stored key cannot verify anything.
    #[error("the registered key is of a kind that cannot sign in")]
    UnknownKey,
    /// The signature is another's.
    #[error("the signature does not verify with the registered key")]
    Signature,
    /// The counter went back: two keys with one secret.
    #[error("the signature counter went back from {before} to {now}: the key may have been copied")]
    Counter {
        /// The last one.
        before: u32,
        /// This one.
        now: u32,
    },
}

#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    kind: String,
    challenge: String,
    origin: String,
    #[serde(default, rename = "crossOrigin")]
    is_cross_origin: bool,
}

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;

/// Whether the registered key signed this nonce. Gives the key's new counter.
pub(crate) fn verify(
    assertion: &FidoAssertion,
    nonce: &str,
    rp: &RelyingParty,
    key_material: &[u8],
    counter_before: u32,
) -> Result<u32, AssertionFailure> {
    let client: ClientData = serde_json::from_slice(&assertion.client_data_json.0)
        .map_err(|error| AssertionFailure::ClientData(error.to_string()))?;
    if client.kind != "webauthn.get" {
        let kind = client.kind.chars().take(40).collect();
        return Err(AssertionFailure::Kind(kind));
    }
    if client.challenge != Base64Url(nonce.as_bytes().to_vec()).to_string() {
        return Err(AssertionFailure::Challenge);
    }
    if client.is_cross_origin || !rp.origins.contains(&client.origin) {
        let origin = client.origin.chars().take(200).collect();
        return Err(AssertionFailure::Origin(origin));
    }
    let rp_id_hash: [u8; 32] = Sha256::digest(rp.id.as_bytes()).into();
    let data = &assertion.authenticator_data.0;
    let short = AssertionFailure::AuthenticatorData("too short");
    let (hash, rest) = data
        .split_first_chunk::<32>()
        .ok_or_else(|| short.clone())?;
    let (flags, rest) = rest.split_first().ok_or_else(|| short.clone())?;
    let (counter, _) = rest.split_first_chunk::<4>().ok_or(short)?;
    if *hash != rp_id_hash || assertion.rp_id != rp.id {
        return Err(AssertionFailure::RelyingParty);
    }
    if flags & USER_PRESENT == 0 {
        return Err(AssertionFailure::AuthenticatorData("without user presence"));
    }
    if flags & USER_VERIFIED == 0 {
        return Err(AssertionFailure::AuthenticatorData(
            "without user verification; a PIN or a finger is needed",
        ));
    }
    let signed = [
        data.as_slice(),
        &Sha256::digest(&assertion.client_data_json.0),
    ]
    .concat();
    verify_signature(key_material, &signed, &assertion.signature.0)?;
    let now = u32::from_be_bytes(*counter);
    let counts = now != 0 || counter_before != 0;
    if counts && now <= counter_before {
        return Err(AssertionFailure::Counter {
            before: counter_before,
            now,
        });
    }
    Ok(now)
}

fn verify_signature(
    key_material: &[u8],
    signed: &[u8],
    signature: &[u8],
) -> Result<(), AssertionFailure> {
    let key = registered_key(key_material).ok_or(AssertionFailure::UnknownKey)?;
    let wrong = |_| AssertionFailure::Signature;
    match (key.algorithm, key.public_key) {
        (Some(CoseAlgorithm::ES256), Some(PublicKey::Ec(point)))
            if point.curve == EcCurve::P256 =>
        {
            let octets = [&[4], &*point.x, &*point.y].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, octets)
                .verify(signed, signature)
                .map_err(wrong)
        }
        (Some(CoseAlgorithm::RS256), Some(PublicKey::Rsa(rsa))) => PublicKeyComponents {
            n: &*rsa.modulus,
            e: &*rsa.exponent,
        }
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature)
        .map_err(wrong),
        (Some(CoseAlgorithm::EDDSA), Some(PublicKey::Ed25519(octets))) => {
            UnparsedPublicKey::new(&ED25519, &*octets)
                .verify(signed, signature)
                .map_err(wrong)
        }
        _ => Err(AssertionFailure::UnknownKey),
    }
}

/// The public key that a security key said at its registration.
pub(crate) fn registered_key(key_material: &[u8]) -> Option<keycred::material::CoseKey> {
    let material = FidoKeyMaterial::decode(key_material).ok()?;
    let data: AuthenticatorData = material.authenticator_data().ok()?;
    Some(data.attested?.key)
}
