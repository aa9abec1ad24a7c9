//! The two keys of a device: one signs its requests to the cloud, the other receives session keys.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{
    KeyPair, KeySize, OAEP_SHA1_MGF1SHA1, OaepPrivateDecryptingKey, PrivateDecryptingKey,
};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use cloud_api::Base64Url;
use cloud_api::session::SessionKey;
use kerberos::pkinit::RsaPublicKey;
use keycred::material;
use types::Secret;

/// The keys, in the forms in which they are kept and used.
pub struct DeviceKeys {
    device: KeyPair,
    transport: OaepPrivateDecryptingKey,
    device_pkcs8: Secret<Vec<u8>>,
    transport_pkcs8: Secret<Vec<u8>>,
    transport_blob: Vec<u8>,
}

/// A key could not be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the device's {0}; join the device again")]
pub struct KeyError(pub(crate) &'static str);

impl DeviceKeys {
    /// New keys of 2048 bits.
    pub fn generate() -> Result<Self, KeyError> {
        let broken = KeyError("keys cannot be made");
        let device = KeyPair::generate(KeySize::Rsa2048).map_err(|_| broken)?;
        let transport = PrivateDecryptingKey::generate(KeySize::Rsa2048).map_err(|_| broken)?;
        let device: Pkcs8V1Der<'_> = device.as_der().map_err(|_| broken)?;
        let transport: Pkcs8V1Der<'_> = transport.as_der().map_err(|_| broken)?;
        Self::from_pkcs8(
            Secret::new(device.as_ref().to_vec()),
            Secret::new(transport.as_ref().to_vec()),
        )
    }

    /// Keys as they were kept.
    pub fn from_pkcs8(
        device: Secret<Vec<u8>>,
        transport: Secret<Vec<u8>>,
    ) -> Result<Self, KeyError> {
        let broken = KeyError("keys cannot be read");
        let key = PrivateDecryptingKey::from_pkcs8(transport.expose()).map_err(|_| broken)?;
        let public = key.public_key();
        let spki: PublicKeyX509Der<'_> = public.as_der().map_err(|_| broken)?;
        let public = RsaPublicKey::from_spki(spki.as_ref()).map_err(|_| broken)?;
        let blob = material::RsaPublicKey::new(public.modulus(), public.exponent());
        Ok(Self {
            device: KeyPair::from_pkcs8(device.expose()).map_err(|_| broken)?,
            transport: OaepPrivateDecryptingKey::new(key).map_err(|_| broken)?,
            transport_blob: blob.to_bcrypt_blob().ok_or(broken)?,
            device_pkcs8: device,
            transport_pkcs8: transport,
        })
    }

    /// To be kept, sealed.
    pub(crate) fn to_pkcs8(&self) -> (&Secret<Vec<u8>>, &Secret<Vec<u8>>) {
        (&self.device_pkcs8, &self.transport_pkcs8)
    }

    /// The public half of the transport key as BCRYPT_RSAKEY_BLOB.
    pub fn transport_blob(&self) -> &[u8] {
        &self.transport_blob
    }

    /// A PKCS #10 request for the device key's certificate, DER.
    pub fn certificate_request(&self) -> Result<Vec<u8>, KeyError> {
        let broken = KeyError("certificate request cannot be made");
        let key = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(
            &self.device_pkcs8.expose().as_slice().into(),
            &rcgen::PKCS_RSA_SHA256,
        )
        .map_err(|_| broken)?;
        let mut params = rcgen::CertificateParams::new(Vec::new()).map_err(|_| broken)?;
        let name = "a device before it is joined";
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let request = params.serialize_request(&key).map_err(|_| broken)?;
        Ok(request.der().to_vec())
    }

    /// RSASSA-PKCS1-v1_5 with SHA-256.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut signature = vec![0; self.device.public_modulus_len()];
        self.device
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message,
                &mut signature,
            )
            .map_err(|_| KeyError("key cannot sign"))?;
        Ok(signature)
    }

    /// The session key of a first answer: the second part of a compact JWE, RSA-OAEP with SHA-1.
    pub fn open_session_key(&self, jwe: &str) -> Result<SessionKey, KeyError> {
        let broken = KeyError("transport key does not open the session key");
        let wrapped = jwe.split('.').nth(1).ok_or(broken)?;
        let wrapped = Base64Url::parse(wrapped).map_err(|_| broken)?;
        let mut room = zeroize::Zeroizing::new(vec![0; self.transport.min_output_size()]);
        let plain = self
            .transport
            .decrypt(&OAEP_SHA1_MGF1SHA1, wrapped.as_bytes(), &mut room, None)
            .map_err(|_| broken)?;
        let octets: &[u8; 32] = (&*plain).try_into().map_err(|_| broken)?;
        Ok(SessionKey::new(Secret::filled_by(|key: &mut [u8; 32]| {
            key.copy_from_slice(octets);
        })))
    }
}

impl fmt::Debug for DeviceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceKeys(..)")
    }
}
