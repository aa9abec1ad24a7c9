//! What an attestation certificate says (RFC 5280; FIDO's AAGUID extension, WebAuthn 8.2.1).
//!
//! Deliberately absent: judging the chain. That needs roots and a time, which the cloud has.

use sha1::{Digest, Sha1};
use types::{Guid, Timestamp};
use x509_cert::Certificate;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{Decode, asn1::OctetStringRef};

/// id-fido-gen-ce-aaguid
const AAGUID: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.45724.1.1.4");

/// The facts of one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// RFC 4514 text.
    pub subject: String,
    /// RFC 4514 text.
    pub issuer: String,
    /// Lower-case hex.
    pub serial: String,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// SHA-1 over the certificate, the name by which the cloud lists it.
    pub thumbprint: [u8; 20],
    /// The model that the certificate vouches for.
    pub aaguid: Option<Guid>,
}

impl CertificateFacts {
    /// Reads a DER certificate; `None` when the bytes are not one.
    pub fn decode(der: &[u8]) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let fields = certificate.tbs_certificate();
        let seconds = |time: x509_cert::time::Time| {
            let since_1970 = i64::try_from(time.to_unix_duration().as_secs()).ok()?;
            Some(Timestamp::from_unix_seconds(since_1970))
        };
        let aaguid = fields
            .extensions()
            .into_iter()
            .flatten()
            .find(|extension| extension.extn_id == AAGUID)
            .and_then(|extension| <&OctetStringRef>::from_der(extension.extn_value.as_bytes()).ok())
            .and_then(|value| <[u8; 16]>::try_from(value.as_bytes()).ok())
            .map(Guid::from_bytes_be);
        Some(Self {
            subject: fields.subject().to_string(),
            issuer: fields.issuer().to_string(),
            serial: data_encoding::HEXLOWER.encode(fields.serial_number().as_bytes()),
            not_before: seconds(fields.validity().not_before)?,
            not_after: seconds(fields.validity().not_after)?,
            thumbprint: Sha1::digest(der).into(),
            aaguid,
        })
    }

    /// The thumbprint as the cloud's JSON writes it.
    pub fn thumbprint_hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.thumbprint)
    }
}
