//! From the shared secret to the reply key: octetstring2key (RFC 4556 3.2.3.1), or a KDF of RFC 8636 3.

use rasn::types::ObjectIdentifier;
use sha1::{Digest as _, Sha1};
use types::Secret;
use zeroize::Zeroizing;

use super::PkinitError;
use super::cms::Digest;
use super::messages::{KdfAlgorithmId, Krb5PrincipalName, PkinitSuppPubInfo};
use crate::crypto::{EncryptionType, Key};
use crate::der;
use crate::messages::{Der, PrincipalName, Realm};

/// A key derivation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kdf {
    /// octetstring2key of RFC 4556, where the client offers nothing else.
    OctetStringToKey,
    /// id-pkinit-kdf-ah-sha1
    Sha1,
    /// id-pkinit-kdf-ah-sha256
    Sha256,
    /// id-pkinit-kdf-ah-sha512
    Sha512,
    /// id-pkinit-kdf-ah-sha384
    Sha384,
}

/// What a key is derived from, besides the secret.
#[derive(Clone, Debug)]
pub struct KdfInput<'a> {
    /// The type of the reply key.
    pub etype: EncryptionType,
    /// clientDHNonce, or nothing.
    pub client_nonce: &'a [u8],
    /// serverDHNonce, or nothing.
    pub server_nonce: &'a [u8],
    /// The client's name and realm, from the request.
    pub client: (&'a PrincipalName, &'a Realm),
    /// The service's name and realm, from the request.
    pub server: (&'a PrincipalName, &'a Realm),
    /// The AS-REQ, DER.
    pub as_req: &'a [u8],
    /// The PA-PK-AS-REP, DER.
    pub pk_as_rep: &'a [u8],
}

impl Kdf {
    /// The strongest that the client offers; octetstring2key where it offers none that is known.
    pub fn choose(offered: Option<&[KdfAlgorithmId]>) -> Self {
        let offered = offered.unwrap_or_default();
        [Self::Sha512, Self::Sha384, Self::Sha256, Self::Sha1]
            .into_iter()
            .find(|kdf| offered.iter().any(|id| kdf.id().as_ref() == Some(id)))
            .unwrap_or(Self::OctetStringToKey)
    }

    /// Its identifier; octetstring2key has none.
    pub fn id(self) -> Option<KdfAlgorithmId> {
        let last = match self {
            Self::OctetStringToKey => return None,
            Self::Sha1 => 1,
            Self::Sha256 => 2,
            Self::Sha512 => 3,
            Self::Sha384 => 4,
        };
        let kdf_id = ObjectIdentifier::new(vec![1, 3, 6, 1, 5, 2, 3, 6, last])?;
        Some(KdfAlgorithmId { kdf_id })
    }

    /// The function with this identifier.
    pub fn from_id(id: &KdfAlgorithmId) -> Option<Self> {
        [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512]
            .into_iter()
            .find(|kdf| kdf.id().as_ref() == Some(id))
    }

    fn digest(self) -> Digest {
        match self {
            Self::OctetStringToKey | Self::Sha1 => Digest::Sha1,
            Self::Sha256 => Digest::Sha256,
            Self::Sha384 => Digest::Sha384,
            Self::Sha512 => Digest::Sha512,
        }
    }
}

/// The reply key.
pub fn reply_key(
    kdf: Kdf,
    shared: &Secret<Vec<u8>>,
    input: &KdfInput<'_>,
) -> Result<Key, PkinitError> {
    let bytes =
        input
            .etype
            .key_bytes()
            .ok_or(crate::crypto::CryptoError::UnsupportedEncryptionType(
                input.etype,
            ))?;
    let value = match kdf {
        Kdf::OctetStringToKey => octet_string_to_key(shared, input, bytes),
        agile => concatenation_kdf(agile, shared, input, bytes)?,
    };
    Ok(Key::new(input.etype, &value)?)
}

/// SHA1(0 | x) | SHA1(1 | x) | ..., x being the secret and the nonces.
fn octet_string_to_key(
    shared: &Secret<Vec<u8>>,
    input: &KdfInput<'_>,
    bytes: usize,
) -> Zeroizing<Vec<u8>> {
    let mut value = Zeroizing::new(Vec::with_capacity(bytes + 20));
    for round in 0..=u8::MAX {
        if value.len() >= bytes {
            break;
        }
        let mut digest = Sha1::new();
        digest.update([round]);
        digest.update(shared.expose());
        digest.update(input.client_nonce);
        digest.update(input.server_nonce);
        value.extend_from_slice(&digest.finalize());
    }
    value.truncate(bytes);
    value
}

/// The concatenation KDF of SP 800-56A with OtherInfo of RFC 8636 3.
fn concatenation_kdf(
    kdf: Kdf,
    shared: &Secret<Vec<u8>>,
    input: &KdfInput<'_>,
    bytes: usize,
) -> Result<Zeroizing<Vec<u8>>, PkinitError> {
    let party =
        |tag: u8, (name, realm): (&PrincipalName, &Realm)| -> Result<Vec<u8>, PkinitError> {
            let party = Krb5PrincipalName {
                realm: realm.clone(),
                principal_name: name.clone(),
            };
            Ok(der::tlv(
                tag,
                &[&der::tlv(der::OCTET_STRING, &[&party.to_der()?])],
            ))
        };
    let id = kdf
        .id()
        .ok_or(PkinitError::NotAccepted("a KDF without a name"))?;
    let public = PkinitSuppPubInfo {
        enctype: input.etype,
        as_req: input.as_req.to_vec().into(),
        pk_as_rep: input.pk_as_rep.to_vec().into(),
    };
    let other_info = der::tlv(
        der::SEQUENCE,
        &[
            &der::tlv(der::SEQUENCE, &[&id.kdf_id.to_der()?]),
            &party(0xA0, input.client)?,
            &party(0xA1, input.server)?,
            &der::tlv(0xA2, &[&der::tlv(der::OCTET_STRING, &[&public.to_der()?])]),
        ],
    );
    let mut value = Zeroizing::new(Vec::with_capacity(bytes + 64));
    for round in 1u32..=255 {
        if value.len() >= bytes {
            break;
        }
        let message = Zeroizing::new(
            [
                &round.to_be_bytes(),
                shared.expose().as_slice(),
                &other_info,
            ]
            .concat(),
        );
        value.extend_from_slice(&kdf.digest().hash(&message));
    }
    value.truncate(bytes);
    Ok(value)
}
