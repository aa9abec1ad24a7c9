//! Hybrid join: a computer of a domain joins the cloud by a certificate that it made for itself.
//!
//! It writes the certificate into its own object of the directory (`userCertificate`), the sync brings it to the cloud, and
//! from then on the computer can prove there that it is the one (`cloud_api::hybrid`).

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use cloud_api::Base64Url;
use cloud_api::devices::{CertificateRequest, JoinType};
use cloud_api::hybrid::{ClientIdentity, HybridJoin, ServerAdJoinData};
use types::{Guid, Secret, Sid, Timestamp};
use zeroize::{Zeroize, Zeroizing};

use crate::keys::{DeviceKeys, KeyError};
use crate::{Seal, SealError, bytes};

/// How long the certificate says that it is good. Nobody looks at it: the directory takes it away when it is not.
const LIFETIME_S: i64 = 10 * 365 * 24 * 3600;
/// Clocks of a domain differ by up to five minutes.
const SKEW_S: i64 = 300;

/// A computer's own key and certificate.
pub struct ComputerKey {
    key: KeyPair,
    pkcs8: Secret<Vec<u8>>,
    certificate: Vec<u8>,
}

impl ComputerKey {
    /// A new key of 2048 bits with a self-signed certificate whose subject is the computer's `objectGUID`.
    pub fn generate(id: Guid, now: Timestamp) -> Result<Self, KeyError> {
        let broken = KeyError("certificate cannot be made");
        let key = KeyPair::generate(KeySize::Rsa2048).map_err(|_| broken)?;
        let der: Pkcs8V1Der<'_> = key.as_der().map_err(|_| broken)?;
        let pkcs8 = Secret::new(der.as_ref().to_vec());
        let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(
            &pkcs8.expose().as_slice().into(),
            &rcgen::PKCS_RSA_SHA256,
        )
        .map_err(|_| broken)?;
        let mut params = rcgen::CertificateParams::new(Vec::new()).map_err(|_| broken)?;
        params.distinguished_name = rcgen::DistinguishedName::new();
        let name = id.to_string();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let date = |at: Timestamp| at.to_date_time().ok_or(broken);
        params.not_before = date(now.plus_seconds(-SKEW_S))?;
        params.not_after = date(now.plus_seconds(LIFETIME_S))?;
        let certificate = params.self_signed(&pair).map_err(|_| broken)?;
        Ok(Self {
            key,
            certificate: certificate.der().to_vec(),
            pkcs8,
        })
    }

    /// The certificate, DER: the value for `userCertificate`.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The request of a hybrid join. Its proof is good for five minutes, and once.
    pub fn join(
        &self,
        keys: &DeviceKeys,
        sid: &Sid,
        display_name: &str,
        now: Timestamp,
    ) -> Result<HybridJoin, KeyError> {
        let broken = KeyError("proof cannot be made");
        let text = ClientIdentity::text(sid, now).ok_or(broken)?;
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                text.as_bytes(),
                &mut signature,
            )
            .map_err(|_| broken)?;
        Ok(HybridJoin {
            certificate_request: CertificateRequest {
                kind: "pkcs10".to_owned(),
                data: Base64Url(keys.certificate_request()?),
            },
            server_ad_join_data: ServerAdJoinData {
                transport_key: Base64Url(keys.transport_blob().to_vec()),
                target_domain: None,
                device_type: Some("Linux".to_owned()),
                os_version: None,
                device_display_name: Some(display_name.to_owned()),
                client_identity: ClientIdentity {
                    kind: ClientIdentity::SHA256_SIGNED.to_owned(),
                    sid: text,
                    signed_blob: Base64Url(signature),
                },
            },
            join_type: JoinType::HYBRID,
        })
    }

    /// To be kept until the computer has joined, and beyond: it joins anew with it.
    pub fn seal(&self, seal: &dyn Seal) -> Result<Vec<u8>, SealError> {
        let stored = Stored {
            pkcs8: self.pkcs8.expose().clone(),
            certificate: self.certificate.clone(),
        };
        let mut plain = Zeroizing::new(Vec::with_capacity(8 * 1024));
        ciborium::into_writer(&stored, &mut *plain)
            .map_err(|error| SealError::Unavailable(error.to_string()))?;
        seal.seal(&plain)
    }

    /// Opens what [`ComputerKey::seal`] gave.
    pub fn unseal(sealed: &[u8], seal: &dyn Seal) -> Result<Self, SealError> {
        let plain = seal.unseal(sealed)?;
        let mut stored: Stored =
            ciborium::de::from_reader_with_recursion_limit(plain.as_slice(), 8)
                .map_err(|_| SealError::NotOurs)?;
        let pkcs8 = Secret::new(std::mem::take(&mut stored.pkcs8));
        Ok(Self {
            key: KeyPair::from_pkcs8(pkcs8.expose()).map_err(|_| SealError::NotOurs)?,
            certificate: stored.certificate.clone(),
            pkcs8,
        })
    }
}

impl std::fmt::Debug for ComputerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ComputerKey(..)")
    }
}

#[derive(serde::Serialize, serde::Deserialize)]
struct Stored {
    #[serde(with = "bytes")]
    pkcs8: Vec<u8>,
    #[serde(with = "bytes")]
    certificate: Vec<u8>,
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.pkcs8.zeroize();
    }
}
