//! Batch attestation: a key and a certificate by which this model of key is recognised (WebAuthn level
//! 3, sections 8.2 and 8.2.1).
//!
//! A relying party trusts the root; each key file holds a leaf. Signatures of certificates draw their
//! nonces from the cryptography provider, everything else from the caller's randomness.

use data_encoding::BASE64;
use p256::SecretKey;
use p256::pkcs8::EncodePrivateKey;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, string::PrintableString,
};
use types::{Entropy, Secret, Timestamp};

use crate::AAGUID;

/// Certificates are valid from a day before they are made, for clocks that disagree.
const BACKDATED_S: i64 = 86_400;
/// About twenty years.
const LIFETIME_S: i64 = 20 * 365 * 86_400;
/// id-fido-gen-ce-aaguid.
const AAGUID_OID: [u64; 10] = [1, 3, 6, 1, 4, 1, 45_724, 1, 1, 4];

/// An attestation key and certificate cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttestationError {
    /// The source of randomness gave no usable key.
    #[error("the source of randomness is broken: it gave no usable attestation key")]
    Entropy,
    /// The clock shows a time that no certificate can carry.
    #[error("the clock shows {0}, which a certificate cannot carry; set the clock")]
    Clock(Timestamp),
    /// The certificate cannot be written.
    #[error("the attestation certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The key cannot be encoded.
    #[error("the attestation key cannot be encoded")]
    Key,
}

/// What one key file attests with.
pub struct Attestation {
    pub(crate) key: Secret<[u8; 32]>,
    pub(crate) certificate: Vec<u8>,
    pub(crate) root: Vec<u8>,
}

/// A maker's root, which issues attestations.
pub struct AttestationAuthority {
    issuer: Issuer<'static, KeyPair>,
    certificate: Vec<u8>,
}

impl AttestationAuthority {
    /// A new root.
    pub fn new(entropy: &mut dyn Entropy, now: Timestamp) -> Result<Self, AttestationError> {
        let mut params = params("Tombolo software key attestation root", now)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let (_, pair) = key_pair(entropy)?;
        let certificate = params.self_signed(&pair)?.der().to_vec();
        Ok(Self {
            issuer: Issuer::new(params, pair),
            certificate,
        })
    }

    /// The root certificate in DER, for the relying party to trust.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The same as PEM text.
    pub fn certificate_pem(&self) -> String {
        pem(&self.certificate)
    }

    /// A leaf for one key file.
    pub fn issue(
        &self,
        entropy: &mut dyn Entropy,
        now: Timestamp,
    ) -> Result<Attestation, AttestationError> {
        let mut params = params("Tombolo software key batch 1", now)?;
        params
            .distinguished_name
            .push(DnType::OrganizationalUnitName, "Authenticator Attestation");
        params.is_ca = IsCa::ExplicitNoCa;
        params.use_authority_key_identifier_extension = true;
        // The value is an OCTET STRING inside the one that every extension has.
        let value = [&[0x04, 0x10][..], &AAGUID].concat();
        params.custom_extensions = vec![CustomExtension::from_oid_content(&AAGUID_OID, value)];
        let (key, pair) = key_pair(entropy)?;
        let certificate = params.signed_by(&pair, &self.issuer)?.der().to_vec();
        Ok(Attestation {
            key,
            certificate,
            root: self.certificate.clone(),
        })
    }
}

/// RFC 7468: 64 characters to the line.
pub(crate) fn pem(certificate: &[u8]) -> String {
    let text = BASE64.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(64).unwrap_or((rest, ""));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

fn params(name: &str, now: Timestamp) -> Result<CertificateParams, AttestationError> {
    let mut params = CertificateParams::new(Vec::new())?;
    let moment = |at: Timestamp| at.to_date_time().ok_or(AttestationError::Clock(now));
    params.not_before = moment(now.plus_seconds(-BACKDATED_S))?;
    params.not_after = moment(now.plus_seconds(LIFETIME_S))?;
    let mut subject = DistinguishedName::new();
    // XX belongs to no country: ISO 3166-1 leaves it to its users.
    let country = PrintableString::try_from("XX")?;
    subject.push(DnType::CountryName, DnValue::PrintableString(country));
    subject.push(DnType::OrganizationName, "Tombolo");
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    Ok(params)
}

fn key_pair(entropy: &mut dyn Entropy) -> Result<(Secret<[u8; 32]>, KeyPair), AttestationError> {
    // A random number is a P-256 key unless it is zero or at least the group order.
    for _ in 0..16 {
        let scalar = Secret::filled_by(|bytes: &mut [u8; 32]| entropy.fill(bytes));
        let Ok(key) = SecretKey::from_slice(scalar.expose()) else {
            continue;
        };
        let der = key.to_pkcs8_der().map_err(|_| AttestationError::Key)?;
        let pair =
            KeyPair::from_pkcs8_der_and_sign_algo(&der.as_bytes().into(), &PKCS_ECDSA_P256_SHA256)?;
        return Ok((scalar, pair));
    }
    Err(AttestationError::Entropy)
}
