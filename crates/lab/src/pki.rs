//! The lab's private certificate authority and the server certificates it signs.
//!
//! Made anew for each house; the CA's key never leaves memory.

use std::sync::Arc;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use kerberos::messages::{Der as _, PrincipalName, Realm};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::Error;

/// A certificate authority for one house.
pub struct Pki {
    issuer: Issuer<'static, KeyPair>,
    ca_pem: String,
}

impl Pki {
    /// Makes a CA that is named after the house's domain.
    pub fn new(domain: &str) -> Result<Self, Error> {
        let mut params = parameters(Vec::new())?;
        params
            .distinguished_name
            .push(DnType::CommonName, format!("Tombolo lab CA for {domain}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Heimdal 7.8 follows no chain that is signed with an elliptic curve.
        let (_, key) = rsa_key()?;
        let ca_pem = params.self_signed(&key)?.pem();
        Ok(Self {
            issuer: Issuer::new(params, key),
            ca_pem,
        })
    }

    /// The CA's certificate, which clients of this house trust.
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// What a KDC proves itself by: a certificate with the names and the key purpose that MIT (RFC 4556 3.2.4) and
    /// Windows (MS-PKCA 3.1.5.1) look for.
    pub fn kdc(&self, realm: &str, host: &str, domain: &str) -> Result<KdcSigner, Error> {
        let (key, pair) = rsa_key()?;
        let mut params = parameters(Vec::new())?;
        params.distinguished_name.push(DnType::CommonName, host);
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        params.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::Other(ID_PKINIT_KP_KDC.to_vec()),
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        params.use_authority_key_identifier_extension = true;
        params.custom_extensions = vec![rcgen::CustomExtension::from_oid_content(
            SUBJECT_ALTERNATIVE_NAME,
            kdc_names(realm, &[host, domain])?,
        )];
        let certificate = params.signed_by(&pair, &self.issuer)?;
        Ok(KdcSigner {
            certificate: certificate.der().to_vec(),
            key,
        })
    }

    /// A TLS server that proves to be one of `names` (DNS names or addresses).
    pub fn server(&self, names: &[&str]) -> Result<Arc<ServerConfig>, Error> {
        Ok(self.server_and_certificate(names)?.0)
    }

    /// A cloud, which also asks its clients for the certificates of their devices.
    pub fn cloud(&self, names: &[&str]) -> Result<Arc<ServerConfig>, Error> {
        let devices = cloud::device_certificates(provider());
        Ok(self.server_of(names, devices)?.0)
    }

    /// The same as [`Pki::server`] with its certificate in DER, which clients bind their sign-in to.
    pub(crate) fn server_and_certificate(
        &self,
        names: &[&str],
    ) -> Result<(Arc<ServerConfig>, Vec<u8>), Error> {
        self.server_of(names, WebPkiClientVerifier::no_client_auth())
    }

    fn server_of(
        &self,
        names: &[&str],
        clients: Arc<dyn ClientCertVerifier>,
    ) -> Result<(Arc<ServerConfig>, Vec<u8>), Error> {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = parameters(names.clone())?;
        if let Some(name) = names.first() {
            params
                .distinguished_name
                .push(DnType::CommonName, name.as_str());
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
        let private = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_client_cert_verifier(clients)
            .with_single_cert(chain, private)?;
        Ok((Arc::new(config), certificate.der().to_vec()))
    }
}

/// Good for longer than any house stands, but not for ever: Heimdal takes the year 4096 for one long gone.
fn parameters(names: Vec<String>) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    params.not_after = rcgen::date_time_ymd(2100, 1, 1);
    Ok(params)
}

/// A new RSA key, for signing and for certificates.
pub(crate) fn rsa_key() -> Result<(rsa::KeyPair, KeyPair), Error> {
    let no_key = |_| Error::Key("no RSA key could be made".to_owned());
    let key = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).map_err(no_key)?;
    let pkcs8: Pkcs8V1Der<'static> = key.as_der().map_err(no_key)?;
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(
        &PrivatePkcs8KeyDer::from(pkcs8.as_ref()),
        &rcgen::PKCS_RSA_SHA256,
    )?;
    Ok((key, pair))
}

/// The KDC's certificate and key.
pub struct KdcSigner {
    certificate: Vec<u8>,
    key: rsa::KeyPair,
}

impl kerberos::pkinit::Sign for KdcSigner {
    fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        sign(&self.key, message)
    }
}

/// RSA PKCS #1 v1.5 with SHA-256.
pub(crate) fn sign(key: &rsa::KeyPair, message: &[u8]) -> Option<Vec<u8>> {
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        message,
        &mut signature,
    )
    .ok()?;
    Some(signature)
}

/// id-pkinit-KPKdc, RFC 4556 3.2.4.
const ID_PKINIT_KP_KDC: &[u64] = &[1, 3, 6, 1, 5, 2, 3, 5];
const SUBJECT_ALTERNATIVE_NAME: &[u64] = &[2, 5, 29, 17];
/// id-pkinit-san, 1.3.6.1.5.2.2, in DER.
const ID_PKINIT_SAN: &[u8] = &[0x06, 0x06, 0x2B, 0x06, 0x01, 0x05, 0x02, 0x02];

/// `GeneralNames` with `krbtgt/REALM@REALM` as KRB5PrincipalName, and DNS names.
fn kdc_names(realm: &str, hosts: &[&str]) -> Result<Vec<u8>, Error> {
    let der = |result: Result<Vec<u8>, kerberos::messages::Malformed>| {
        result.map_err(|error| Error::Tls(error.to_string()))
    };
    let realm_name = der(Realm::from(realm).to_der())?;
    let krbtgt = der(PrincipalName::krbtgt(realm).to_der())?;
    let principal = tlv(0x30, &[&tlv(0xA0, &[&realm_name]), &tlv(0xA1, &[&krbtgt])]);
    let mut names = tlv(0xA0, &[ID_PKINIT_SAN, &tlv(0xA0, &[&principal])]);
    for host in hosts {
        names.extend(tlv(0x82, &[host.as_bytes()]));
    }
    Ok(tlv(0x30, &[&names]))
}

/// One value of DER.
fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = content.len().to_be_bytes();
    let mut bytes = vec![tag];
    match u8::try_from(content.len()) {
        Ok(short @ ..0x80) => bytes.push(short),
        _ => {
            let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
            bytes.push(0x80 | u8::try_from(significant.len()).unwrap_or_default());
            bytes.extend(significant);
        }
    }
    bytes.extend(content);
    bytes
}

/// The one cryptography provider of the house.
pub fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
