//! A device after it has joined: its certificate, its keys, and the cloud that it belongs to.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use types::{Entropy, Guid, Secret, Timestamp};
use x509_cert::der::Decode;
use zeroize::{Zeroize, Zeroizing};

use crate::device::Device;
use crate::keys::DeviceKeys;
use crate::{Seal, SealError, bytes};

/// A joined device.
#[derive(Debug)]
pub struct Joined {
    /// What it keeps for its offline caches.
    pub device: Device,
    /// Its keys.
    pub keys: DeviceKeys,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// The cloud's sign-in page: `https://login.corp.contoso.com`.
    pub origin: String,
    /// The id under which security keys know the cloud.
    pub rp_id: String,
}

impl Joined {
    /// A device that has just joined.
    pub fn new(
        id: Guid,
        keys: DeviceKeys,
        certificate: Vec<u8>,
        origin: &str,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Self {
        let host = origin.strip_prefix("https://").unwrap_or(origin);
        let host = host.split([':', '/']).next().unwrap_or_default();
        Self {
            device: Device::new(id, now, entropy),
            keys,
            certificate,
            origin: origin.to_owned(),
            rp_id: host.to_owned(),
        }
    }

    /// A device that has just got its certificate, whose common name is its id.
    pub fn of_certificate(
        keys: DeviceKeys,
        certificate: Vec<u8>,
        origin: &str,
        now: Timestamp,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, NoDeviceCertificate> {
        let read =
            x509_cert::Certificate::from_der(&certificate).map_err(|_| NoDeviceCertificate)?;
        let subject = read.tbs_certificate().subject().to_string();
        let id = subject.strip_prefix("CN=").and_then(|id| id.parse().ok());
        let id = id.ok_or(NoDeviceCertificate)?;
        Ok(Self::new(id, keys, certificate, origin, now, entropy))
    }

    /// SHA-256 of the relying party's id.
    pub fn rp_id_hash(&self) -> [u8; 32] {
        Sha256::digest(self.rp_id.as_bytes()).into()
    }

    /// The certificate as headers carry it.
    pub(crate) fn x5c(&self) -> String {
        BASE64.encode(&self.certificate)
    }

    /// The whole of it as sealed bytes.
    pub fn seal(&self, seal: &dyn Seal) -> Result<Vec<u8>, SealError> {
        let (device_key, transport_key) = self.keys.to_pkcs8();
        let stored = Stored {
            version: VERSION,
            device: self.device.to_cbor()?.to_vec(),
            device_key: device_key.expose().clone(),
            transport_key: transport_key.expose().clone(),
            certificate: self.certificate.clone(),
            origin: self.origin.clone(),
            rp_id: self.rp_id.clone(),
        };
        let mut plain = Zeroizing::new(Vec::with_capacity(16 * 1024));
        ciborium::into_writer(&stored, &mut *plain)
            .map_err(|error| SealError::Unavailable(error.to_string()))?;
        seal.seal(&plain)
    }

    /// Opens what [`Joined::seal`] gave.
    pub fn unseal(sealed: &[u8], seal: &dyn Seal) -> Result<Self, SealError> {
        let plain = seal.unseal(sealed)?;
        let mut stored: Stored =
            ciborium::de::from_reader_with_recursion_limit(plain.as_slice(), DEPTH_MAX)
                .map_err(|_| SealError::NotOurs)?;
        if stored.version != VERSION {
            return Err(SealError::NotOurs);
        }
        let keys = DeviceKeys::from_pkcs8(
            Secret::new(std::mem::take(&mut stored.device_key)),
            Secret::new(std::mem::take(&mut stored.transport_key)),
        )
        .map_err(|_| SealError::NotOurs)?;
        Ok(Self {
            device: Device::from_cbor(&stored.device)?,
            keys,
            certificate: stored.certificate.clone(),
            origin: stored.origin.clone(),
            rp_id: stored.rp_id.clone(),
        })
    }
}

/// The cloud sent something else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is no certificate whose common name is a device's id")]
pub struct NoDeviceCertificate;

const VERSION: u8 = 1;
const DEPTH_MAX: usize = 8;

#[derive(Serialize, Deserialize)]
struct Stored {
    version: u8,
    #[serde(with = "bytes")]
    device: Vec<u8>,
    #[serde(with = "bytes")]
    device_key: Vec<u8>,
    #[serde(with = "bytes")]
    transport_key: Vec<u8>,
    #[serde(with = "bytes")]
    certificate: Vec<u8>,
    origin: String,
    rp_id: String,
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.device.zeroize();
        self.device_key.zeroize();
        self.transport_key.zeroize();
    }
}
