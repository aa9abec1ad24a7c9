//! A Windows Hello key as a device would hold it: RSA-2048, with the self-signed certificate that PKINIT wants and key
//! trust does not look at.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use kerberos::pkinit::Sign;
use rcgen::{CertificateParams, DnType};
use rustls_pki_types::PrivatePkcs8KeyDer;

use crate::Error;
use crate::intruder::blob_of;
use crate::pki::sign;

/// The key and its certificate.
pub struct HelloKey {
    key: KeyPair,
    certificate: Vec<u8>,
}

impl HelloKey {
    /// A new key of somebody.
    pub fn generate(name: &str) -> Result<Self, Error> {
        let no_key = |_| Error::Key("no RSA key could be made".to_owned());
        let key = KeyPair::generate(KeySize::Rsa2048).map_err(no_key)?;
        let pkcs8: Pkcs8V1Der<'static> = key.as_der().map_err(no_key)?;
        let pair = rcgen::KeyPair::from_pkcs8_der_and_sign_algo(
            &PrivatePkcs8KeyDer::from(pkcs8.as_ref()),
            &rcgen::PKCS_RSA_SHA256,
        )?;
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
