//! What an intruder with a stolen right does to the lab's own directory: a shadow credential.
//!
//! The key has the shape that Windows' own key registration writes, which is also what the best known tools
//! write; nothing in its bytes alone gives it away. It exists only in memory and only for accounts of this house.

use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use keycred::{DnBinary, Draft};
use types::{Guid, Timestamp};

use crate::Error;

/// Makes a value of `msDS-KeyCredentialLink` whose private key the intruder holds.
pub(crate) fn shadow_credential(
    owner_dn: &str,
    device: Guid,
    now: Timestamp,
) -> Result<DnBinary, Error> {
    let material = rsa_public_blob()?;
    let blob = Draft::registered_in_ad(material, device, now)
        .to_blob()
        .map_err(|error| Error::Key(error.to_string()))?;
    Ok(DnBinary::new(blob.into_bytes(), owner_dn))
}

/// The public half of a new key that nobody keeps.
pub(crate) fn rsa_public_blob() -> Result<Vec<u8>, Error> {
    let pair = KeyPair::generate(KeySize::Rsa2048)
        .map_err(|_| Error::Key("no RSA key could be made".to_owned()))?;
    blob_of(&pair)
}

/// BCRYPT_RSAKEY_BLOB with a public key (`RSA1`): magic, bits, lengths, exponent, modulus.
pub(crate) fn blob_of(pair: &KeyPair) -> Result<Vec<u8>, Error> {
    let public = pair.public_key();
    let modulus = public.modulus().big_endian_without_leading_zero();
    let exponent = public.exponent().big_endian_without_leading_zero();
    let mut blob = b"RSA1".to_vec();
    for number in [2048, exponent.len(), modulus.len(), 0, 0] {
        let number = u32::try_from(number).map_err(|error| Error::Key(error.to_string()))?;
        blob.extend_from_slice(&number.to_le_bytes());
    }
    blob.extend_from_slice(exponent);
    blob.extend_from_slice(modulus);
    Ok(blob)
}
