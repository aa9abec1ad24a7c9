//! A Windows Hello key as a device would hold it: RSA-2048, with the self-signed certificate that PKINIT wants and key
//! trust does not look at.

use aws_lc_rs::rsa::KeyPair;
use kerberos::pkinit::Sign;
use rcgen::{CertificateParams, DnType};

use crate::Error;
use crate::intruder::blob_of;
use crate::pki::{rsa_key, sign};

/// The key and its certificate.
pub struct HelloKey {
    key: KeyPair,
    certificate: Vec<u8>,
}

impl HelloKey {
    /// A new key of somebody.
    pub fn generate(name: &str) -> Result<Self, Error> {
        let (key, pair) = rsa_key()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.self_signed(&pair)?.der().to_vec();
        Ok(Self { key, certificate })
    }

    /// The public half in the form of key credentials.
    pub fn public_blob(&self) -> Result<Vec<u8>, Error> {
        blob_of(&self.key)
    }
}

impl Sign for HelloKey {
    fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        sign(&self.key, message)
    }
}
