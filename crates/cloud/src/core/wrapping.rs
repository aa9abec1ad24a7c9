//! RSA-OAEP in both directions: session keys out to a device's transport key, keys of Kerberos server objects in.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{
    KeySize, OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey,
    OaepPublicEncryptingKey, PrivateDecryptingKey, PublicEncryptingKey,
};
use cloud_api::Base64Url;
use cloud_api::session::SessionKey;
use cloud_api::trust::{PublishServer, SealHeader, TrustKey, WrappingKey};
use kerberos::pkinit::RsaPublicKey;
use keycred::material::{self, KeyMaterial, PublicKey};
use types::{Entropy, Secret};

use crate::error::Error;

const BROKEN: Error = Error::Internal("the tenant's wrapping key does not work");

/// The header of a session key on its way to a device (MS-OAPXBC 3.2.5.1.2.2): OAEP with SHA-1, as all clients want it.
const SESSION_HEADER: &str = r#"{"enc":"A256GCM","alg":"RSA-OAEP"}"#;

/// A transport key that a device brought, as BCRYPT_RSAKEY_BLOB: it is one, or it is a JSON Web Key (RFC 7517), as some
/// clients send it. At least 2048 bits.
pub(crate) fn transport_blob(brought: &[u8]) -> Result<Vec<u8>, Error> {
    let refused = || {
        Error::invalid(
            "the transport key is no BCRYPT_RSAKEY_BLOB nor JSON Web Key with an RSA key of 2048 bits or more",
        )
    };
    let blob = match brought.first() {
        Some(b'{') => of_jwk(brought).ok_or_else(refused)?,
        _ => brought.to_vec(),
    };
    let spki = transport_spki(&blob).ok_or_else(refused)?;
    PublicEncryptingKey::from_der(&spki).map_err(|_| refused())?;
    Ok(blob)
}

fn of_jwk(json: &[u8]) -> Option<Vec<u8>> {
    #[derive(serde::Deserialize)]
    struct Jwk {
        kty: String,
        n: Base64Url,
        e: Base64Url,
    }
    let jwk: Jwk = serde_json::from_slice(json).ok()?;
    let key = material::RsaPublicKey::new(jwk.n.as_bytes(), jwk.e.as_bytes());
    (jwk.kty == "RSA").then(|| key.to_bcrypt_blob())?
}

fn transport_spki(blob: &[u8]) -> Option<Vec<u8>> {
    let material = KeyMaterial::decode(blob).ok()?;
    let PublicKey::Rsa(rsa) = material.public_key()? else {
        return None;
    };
    if rsa.bits() < 2048 {
        return None;
    }
    let key = RsaPublicKey::new(&rsa.modulus, &rsa.exponent).ok()?;
    Some(key.spki().to_vec())
}

/// The session key for a transport key: a compact JWE of which only the encrypted key says anything.
pub(crate) fn session_key_jwe(
    transport_key: &[u8],
    session: &SessionKey,
    entropy: &mut dyn Entropy,
) -> Result<String, Error> {
    let broken = || Error::Internal("a device's transport key does not work");
    let spki = transport_spki(transport_key).ok_or_else(broken)?;
    let key = PublicEncryptingKey::from_der(&spki).map_err(|_| broken())?;
    let key = OaepPublicEncryptingKey::new(key).map_err(|_| broken())?;
    let mut room = vec![0; key.ciphertext_size()];
    let wrapped = key
        .encrypt(&OAEP_SHA1_MGF1SHA1, session.expose(), &mut room, None)
        .map_err(|_| broken())?;
    let protected = Base64Url(SESSION_HEADER.as_bytes().to_vec()).to_string();
    let mut iv = [0; 12];
    entropy.fill(&mut iv);
    let payload = Payload {
        msg: b"",
        aad: protected.as_bytes(),
    };
    let tag = Aes256Gcm::new(session.expose().into())
        .encrypt(&Nonce::from(iv), payload)
        .map_err(|_| broken())?;
    let (wrapped, iv, tag) = (
        Base64Url(wrapped.to_vec()),
        Base64Url(iv.to_vec()),
        Base64Url(tag),
    );
    Ok(format!("{protected}.{wrapped}.{iv}..{tag}"))
}

/// The tenant's key to which keys of Kerberos server objects are sealed.
pub(crate) struct TrustWrapping {
    private: OaepPrivateDecryptingKey,
    public: WrappingKey,
}

impl TrustWrapping {
    /// The private half of a new key, as PKCS #8.
    pub(crate) fn fresh_key() -> Result<Secret<Vec<u8>>, Error> {
        let key = PrivateDecryptingKey::generate(KeySize::Rsa3072).map_err(|_| BROKEN)?;
        let der: Pkcs8V1Der<'_> = key.as_der().map_err(|_| BROKEN)?;
        Ok(Secret::new(der.as_ref().to_vec()))
    }

    /// The key as it was kept.
    pub(crate) fn new(kid: &str, private: &Secret<Vec<u8>>) -> Result<Self, Error> {
        let key = PrivateDecryptingKey::from_pkcs8(private.expose()).map_err(|_| BROKEN)?;
        let public = key.public_key();
        let spki: PublicKeyX509Der<'_> = public.as_der().map_err(|_| BROKEN)?;
        let (n, e) = numbers(spki.as_ref()).ok_or(BROKEN)?;
        Ok(Self {
            private: OaepPrivateDecryptingKey::new(key).map_err(|_| BROKEN)?,
            public: WrappingKey {
                kty: "RSA".to_owned(),
                alg: SealHeader::ALGORITHM.to_owned(),
                public_key_use: "enc".to_owned(),
                kid: kid.to_owned(),
                n,
                e,
            },
        })
    }

    /// The public half.
    pub(crate) fn public(&self) -> &WrappingKey {
        &self.public
    }

    /// Opens the key of a request, which must be the key that the request says it is.
    pub(crate) fn open(&self, request: &PublishServer) -> Result<Secret<[u8; 32]>, Error> {
        let refused = |why: &str| Error::invalid(format!("the sealed key {why}"));
        let sealed = &request.sealed_key;
        if sealed.header() != Some(SealHeader::new(&self.public.kid)) {
            return Err(refused(
                "is not sealed to this cloud's wrapping key; fetch it from /trust/v1/wrappingKey",
            ));
        }
        let does_not_open = || refused("does not open: sealed to another key, or changed");
        let mut room = zeroize::Zeroizing::new(vec![0; self.private.min_output_size()]);
        let content = self
            .private
            .decrypt(
                &OAEP_SHA256_MGF1SHA256,
                &sealed.encrypted_key,
                &mut room,
                None,
            )
            .map_err(|_| does_not_open())?;
        let cipher = Aes256Gcm::new_from_slice(content).map_err(|_| does_not_open())?;
        let iv: [u8; 12] = sealed
            .iv
            .as_slice()
            .try_into()
            .map_err(|_| does_not_open())?;
        let payload = [sealed.ciphertext.as_slice(), &sealed.tag].concat();
        let payload = Payload {
            msg: &payload,
            aad: sealed.protected.as_bytes(),
        };
        let plain = cipher
            .decrypt(&Nonce::from(iv), payload)
            .map_err(|_| does_not_open())?;
        let plain = zeroize::Zeroizing::new(plain);
        let key: TrustKey =
            serde_json::from_slice(&plain).map_err(|_| refused("is no trust key"))?;
        if !key.belongs_to(request) {
            return Err(refused(
                "is of another realm, number or version than the request",
            ));
        }
        let octets: Option<&[u8; 32]> = key.key.as_bytes().try_into().ok();
        match (key.key_type, octets) {
            (18, Some(octets)) => Ok(Secret::filled_by(|key: &mut [u8; 32]| {
                key.copy_from_slice(octets);
            })),
            _ => Err(refused("is not of type 18 (AES-256) with 32 octets")),
        }
    }
}

fn numbers(spki: &[u8]) -> Option<(Base64Url, Base64Url)> {
    let key = RsaPublicKey::from_spki(spki).ok()?;
    Some((
        Base64Url(key.modulus().to_vec()),
        Base64Url(key.exponent().to_vec()),
    ))
}
