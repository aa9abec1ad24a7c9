//! The few fields of an X.509 certificate (RFC 5280 4.1) that CMS and key trust need, as raw bytes.

use super::PkinitError;
use crate::der::{self, Reader};

/// A certificate, not verified in any way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The whole certificate.
    pub der: Vec<u8>,
    /// The serial number's content bytes.
    pub serial: Vec<u8>,
    /// The issuer's Name, DER.
    pub issuer: Vec<u8>,
    /// The subject's Name, DER.
    pub subject: Vec<u8>,
    /// SubjectPublicKeyInfo, DER, as it stands in the certificate.
    pub spki: Vec<u8>,
    /// The subject key identifier, if the certificate names one.
    pub subject_key_id: Option<Vec<u8>>,
}

impl Certificate {
    /// Reads a certificate.
    pub fn decode(bytes: &[u8]) -> Result<Self, PkinitError> {
        let mut outer = Reader::new("certificate", bytes);
        let mut certificate = outer.enter(der::SEQUENCE)?;
        outer.end()?;
        let mut tbs = certificate.enter(der::SEQUENCE)?;
        tbs.optional(0xA0)?; // version
        let serial = tbs.expect(der::INTEGER)?.content.to_vec();
        tbs.expect(der::SEQUENCE)?; // signature algorithm
        let issuer = tbs.expect(der::SEQUENCE)?.raw.to_vec();
        tbs.expect(der::SEQUENCE)?; // validity
        let subject = tbs.expect(der::SEQUENCE)?.raw.to_vec();
        let spki = tbs.expect(der::SEQUENCE)?.raw.to_vec();
        tbs.optional(0x81)?; // issuerUniqueID
        tbs.optional(0x82)?; // subjectUniqueID
        let subject_key_id = match tbs.optional(0xA3)? {
            Some(extensions) => subject_key_id(tbs.inside(extensions))?,
            None => None,
        };
        Ok(Self {
            der: bytes.to_vec(),
            serial,
            issuer,
            subject,
            spki,
            subject_key_id,
        })
    }
}

fn subject_key_id(mut extensions: Reader<'_>) -> Result<Option<Vec<u8>>, PkinitError> {
    let mut list = extensions.enter(der::SEQUENCE)?;
    while !list.is_empty() {
        let mut extension = list.enter(der::SEQUENCE)?;
        let oid = extension.expect(der::OID)?.content;
        extension.optional(0x01)?; // critical
        let value = extension.expect(der::OCTET_STRING)?;
        if oid == SUBJECT_KEY_IDENTIFIER {
            let id = extension.inside(value).expect(der::OCTET_STRING)?;
            return Ok(Some(id.content.to_vec()));
        }
    }
    Ok(None)
}

/// 2.5.29.14
const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1D, 0x0E];
