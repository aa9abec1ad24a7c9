//! Channel bindings of TLS as a GSS checksum carries them: RFC 4121 4.1.1.2 over `tls-server-end-point` (RFC 5929 4).

use md5::Md5;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use super::GssError;
use crate::der::{self, Reader};

/// The field of the checksum for a server with this certificate (DER).
pub fn tls_server_end_point(certificate: &[u8]) -> Result<[u8; 16], GssError> {
    let mut outer = Reader::new("certificate", certificate);
    let mut parts = outer.enter(der::SEQUENCE)?;
    parts.expect(der::SEQUENCE)?; // TBSCertificate
    let signed_with = parts.enter(der::SEQUENCE)?.expect(der::OID)?.content;
    // The certificate's own hash, and SHA-256 in the place of weaker ones and where the algorithm names none.
    let hash = match signed_with {
        RSA_SHA384 | ECDSA_SHA384 => Sha384::digest(certificate).to_vec(),
        RSA_SHA512 | ECDSA_SHA512 => Sha512::digest(certificate).to_vec(),
        _ => Sha256::digest(certificate).to_vec(),
    };
    let data = [&b"tls-server-end-point:"[..], &hash].concat();
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    // Neither side gives an address: four zeros each for types and lengths.
    let structure = [&[0; 16][..], &length.to_le_bytes(), &data].concat();
    Ok(Md5::digest(structure).into())
}

/// 1.2.840.113549.1.1.12 and .13.
const RSA_SHA384: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0C];
const RSA_SHA512: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0D];
/// 1.2.840.10045.4.3.3 and .4.
const ECDSA_SHA384: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x03];
const ECDSA_SHA512: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x04, 0x03, 0x04];
