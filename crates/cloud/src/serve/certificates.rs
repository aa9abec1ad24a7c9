//! Client certificates of devices.
//!
//! Any connection may show one, and must then prove by the handshake that it has its key. Whose it is says no chain and
//! no name here: the device registration service compares the key with the one that the device joined with.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::service::Cloud;

/// Has a server ask its clients for a certificate, and go on without one. For [`rustls::ServerConfig`].
pub fn device_certificates(provider: Arc<CryptoProvider>) -> Arc<dyn ClientCertVerifier> {
    Arc::new(Any(provider))
}

#[derive(Debug)]
struct Any(Arc<CryptoProvider>);

impl ClientCertVerifier for Any {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        // It says nothing yet; see above.
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The certificate whose key the other end has proven to have, put into each request by the server.
#[derive(Debug, Clone)]
pub(super) struct Shown(pub(super) Option<Vec<u8>>);

/// The same as a handler takes it; DER.
#[derive(Debug)]
pub(super) struct DeviceCertificate(pub(super) Option<Vec<u8>>);

impl FromRequestParts<Cloud> for DeviceCertificate {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Cloud) -> Result<Self, Infallible> {
        let shown = parts.extensions.get::<Shown>();
        Ok(Self(shown.and_then(|shown| shown.0.clone())))
    }
}
