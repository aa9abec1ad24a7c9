//! The tenant's own CA for devices: reads a device's request, and writes its certificate (MS-DVRJ 3.1.5.1.1.3).

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use data_encoding::{BASE64, HEXUPPER};
use kerberos::pkinit::RsaPublicKey;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SignatureAlgorithm,
};
use sha1::{Digest, Sha1};
use types::{Guid, Secret, Timestamp};
use x509_cert::der::asn1::{Any, ObjectIdentifier};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{Decode, Encode};
use x509_cert::request::{CertReq, ExtensionReq};

use crate::error::Error;

/// Bits of the smallest RSA key that a device may bring.
const RSA_BITS_MIN: usize = 2048;
/// A device is joined for so long; its certificate says so.
const LIFETIME_S: i64 = 10 * 365 * 24 * 3600;
/// 1.2.840.113556.1.5.284: what the extensions of a device certificate are named under.
const DEVICE_ARC: [u64; 7] = [1, 2, 840, 113_556, 1, 5, 284];

/// A device's public key, proven by its request.
#[derive(Debug)]
pub struct RequestedKey {
    /// SubjectPublicKeyInfo.
    pub(crate) spki: Vec<u8>,
    /// RSAPublicKey.
    bits: Vec<u8>,
    /// The nonce that the request was made for, where it says one.
    pub(crate) nonce: Option<String>,
}

impl RequestedKey {
    /// Reads a PKCS #10 request and checks that its sender has the private key.
    pub fn of_request(der: &[u8]) -> Result<Self, Error> {
        read_request(der)
    }
}

fn read_request(der: &[u8]) -> Result<RequestedKey, Error> {
    let refused = |why: &str| Error::invalid(format!("the device's certificate request {why}"));
    let request = CertReq::from_der(der).map_err(|_| refused("is no PKCS #10"))?;
    let info = &request.info;
    let spki = info
        .public_key
        .to_der()
        .map_err(|_| refused("has no public key"))?;
    let bits = info.public_key.subject_public_key.raw_bytes().to_vec();
    let key = RsaPublicKey::from_spki(&spki).map_err(|_| refused("has no RSA key"))?;
    if key.modulus().len() * 8 < RSA_BITS_MIN {
        return Err(refused("has an RSA key of less than 2048 bits"));
    }
    let signed = info.to_der().map_err(|_| refused("cannot be read"))?;
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &bits)
        .verify(&signed, request.signature.raw_bytes())
        .map_err(|_| refused("is not signed by its own key with RSA and SHA-256"))?;
    let nonce = nonce_of(&request).map_err(refused)?;
    Ok(RequestedKey { spki, bits, nonce })
}

/// The extension with the enrollment nonce. How its text is wrapped differs by client: bare, or in one more DER value.
fn nonce_of(request: &CertReq) -> Result<Option<String>, &'static str> {
    const NONCE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113556.1.5.284.2.1");
    let broken = |_| "has extensions that cannot be read";
    for attribute in request.info.attributes.iter() {
        if attribute.oid != ExtensionReq::OID {
            continue;
        }
        for value in attribute.values.iter() {
            let asked: ExtensionReq = value.decode_as().map_err(broken)?;
            let Some(found) = asked.0.iter().find(|asked| asked.extn_id == NONCE) else {
                continue;
            };
            let octets = found.extn_value.as_bytes();
            let inner = Any::from_der(octets).ok();
            let text = inner.as_ref().map_or(octets, Any::value);
            let text = std::str::from_utf8(text).map_err(|_| "has a nonce that is no text")?;
            return Ok(Some(text.to_owned()));
        }
    }
    Ok(None)
}

/// The CA.
pub(crate) struct DeviceCa {
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate that was issued.
pub(crate) struct IssuedCertificate {
    pub(crate) der: Vec<u8>,
    /// SHA-1, in capitals, as the clients of this protocol show it.
    pub(crate) thumbprint: String,
}

impl DeviceCa {
    /// The private key of a new CA, as PKCS #8.
    pub(crate) fn fresh_key() -> Result<Secret<Vec<u8>>, Error> {
        let key = KeyPair::generate().map_err(|_| CA_BROKEN)?;
        Ok(Secret::new(key.serialize_der()))
    }

    /// The CA of a tenant.
    pub(crate) fn new(tenant: Guid, private: &Secret<Vec<u8>>) -> Result<Self, Error> {
        let key = KeyPair::try_from(private.expose().as_slice()).map_err(|_| CA_BROKEN)?;
        let mut params = CertificateParams::new(Vec::new()).map_err(|_| CA_BROKEN)?;
        let name = format!("Devices of {tenant}");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Ok(Self {
            issuer: Issuer::new(params, key),
        })
    }

    /// Certifies a device's key.
    pub(crate) fn certify(
        &self,
        requested: &RequestedKey,
        ids: &DeviceIds,
        now: Timestamp,
    ) -> Result<IssuedCertificate, Error> {
        let mut params = CertificateParams::new(Vec::new()).map_err(|_| CA_BROKEN)?;
        let name = ids.device.to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        let date = |at: Timestamp| at.to_date_time().ok_or(CA_BROKEN);
        params.not_before = date(now)?;
        params.not_after = date(now.plus_seconds(LIFETIME_S))?;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.custom_extensions = [(2, Some(ids.device)), (3, ids.user), (4, Some(ids.tenant))]
            .into_iter()
            .filter_map(|(arc, id)| Some((arc, id?)))
            .map(|(arc, id)| {
                let oid = [&DEVICE_ARC[..], &[arc]].concat();
                // OCTET STRING of 16 octets.
                let value = [&[0x04, 0x10], &id.to_bytes_le()[..]].concat();
                CustomExtension::from_oid_content(&oid, value)
            })
            .collect();
        let certificate = params
            .signed_by(&Rsa(&requested.bits), &self.issuer)
            .map_err(|_| CA_BROKEN)?;
        let der = certificate.der().to_vec();
        Ok(IssuedCertificate {
            thumbprint: HEXUPPER.encode(&Sha1::digest(&der)),
            der,
        })
    }
}

/// Whom a device certificate names.
pub(crate) struct DeviceIds {
    pub(crate) device: Guid,
    /// Who joined it; nobody did where a computer of the ground joined by itself.
    pub(crate) user: Option<Guid>,
    pub(crate) tenant: Guid,
}

const CA_BROKEN: Error = Error::Internal("the tenant's CA for devices does not work");

struct Rsa<'a>(&'a [u8]);

impl PublicKeyData for Rsa<'_> {
    fn der_bytes(&self) -> &[u8] {
        self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

/// The id and the public key in a certificate that a request carries. It is believed only when the device with this id has
/// this key; the certificate itself proves nothing here.
pub(crate) fn device_of(x5c: &str) -> Option<(Guid, Vec<u8>)> {
    certified(&BASE64.decode(x5c.as_bytes()).ok()?)
}

/// The same of a certificate in DER.
pub(crate) fn certified(der: &[u8]) -> Option<(Guid, Vec<u8>)> {
    let certificate = x509_cert::Certificate::from_der(der).ok()?;
    let tbs = certificate.tbs_certificate();
    let spki = tbs.subject_public_key_info().to_der().ok()?;
    let subject = tbs.subject().to_string();
    let id = subject.strip_prefix("CN=")?.parse().ok()?;
    Some((id, spki))
}

/// Whether a device's key signed this, RSASSA-PKCS1-v1_5 with SHA-256.
pub(crate) fn is_signed_by(device_key: &[u8], signed: &[u8], signature: &[u8]) -> bool {
    let Ok(spki) = x509_cert::spki::SubjectPublicKeyInfoOwned::from_der(device_key) else {
        return false;
    };
    let bits = spki.subject_public_key.raw_bytes();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, bits)
        .verify(signed, signature)
        .is_ok()
}
