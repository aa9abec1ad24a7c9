//! A certificate for PKINIT with key trust, which is only an envelope of the public key: nobody has to trust it.
//!
//! Its names are for KDCs that look at them all the same (Samba maps the user principal name, MIT the Kerberos name);
//! key trust itself asks for neither (MS-PKCA 3.1.5.2.1.4).

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SerialNumber,
};
use time::Duration;
use types::{Entropy, Timestamp};

use crate::io::{Failure, Tell};

/// Who the certificate speaks of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) account_name: &'a str,
    pub(super) user_principal_name: &'a str,
    /// In upper case.
    pub(super) realm: &'a str,
}

/// A certificate, and that of its issuer where it has one of its own, PEM.
pub(super) struct Certificates {
    pub(super) own: String,
    pub(super) issuer: Option<String>,
}

const YEARS: i64 = 10;

/// Signs a certificate with the key itself, or with an issuer whose key nobody keeps.
pub(super) fn certify(
    key: &KeyPair,
    subject: Subject<'_>,
    has_issuer: bool,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Result<Certificates, Failure> {
    make(key, subject, has_issuer, now, entropy).tell("the certificate could not be made")
}

fn make(
    key: &KeyPair,
    subject: Subject<'_>,
    has_issuer: bool,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Result<Certificates, rcgen::Error> {
    let mut params = valid(subject.account_name, now, entropy)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::Other(PKINIT_CLIENT.to_vec()),
        ExtendedKeyUsagePurpose::Other(SMART_CARD_LOGON.to_vec()),
    ];
    let names = CustomExtension::from_oid_content(SUBJECT_ALT_NAME, alternative_names(subject));
    params.custom_extensions.push(names);
    if !has_issuer {
        return Ok(Certificates {
            own: params.self_signed(key)?.pem(),
            issuer: None,
        });
    }
    let name = format!("Issuer of {} for once", subject.account_name);
    let mut authority = valid(&name, now, entropy)?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_key = KeyPair::generate()?;
    let issuer = authority.self_signed(&authority_key)?.pem();
    let issued = params.signed_by(key, &Issuer::new(authority, authority_key))?;
    Ok(Certificates {
        own: issued.pem(),
        issuer: Some(issuer),
    })
}

fn valid(
    name: &str,
    now: Timestamp,
    entropy: &mut dyn Entropy,
) -> Result<CertificateParams, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    let mut serial = [0; 16];
    entropy.fill(&mut serial);
    // Positive and not zero, RFC 5280 section 4.1.2.2.
    serial[0] = serial[0] & 0x7F | 0x40;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    let now = now.to_date_time().ok_or(rcgen::Error::Time)?;
    // Clocks differ.
    params.not_before = now - Duration::hours(1);
    params.not_after = now + Duration::days(365 * YEARS);
    Ok(params)
}

/// GeneralNames (RFC 5280 section 4.2.1.6): the user principal name, and KRB5PrincipalName (RFC 4556 section 3.2.2).
fn alternative_names(subject: Subject<'_>) -> Vec<u8> {
    let principal = tlv(
        SEQUENCE,
        &[
            tlv(0xA0, &[tlv(GENERAL_STRING, &[subject.realm])]),
            tlv(
                0xA1,
                &[tlv(
                    SEQUENCE,
                    &[
                        // NT-PRINCIPAL
                        tlv(0xA0, &[tlv(INTEGER, &[[1]])]),
                        tlv(
                            0xA1,
                            &[tlv(
                                SEQUENCE,
                                &[tlv(GENERAL_STRING, &[subject.account_name])],
                            )],
                        ),
                    ],
                )],
            ),
        ],
    );
    let upn = tlv(UTF8_STRING, &[subject.user_principal_name]);
    tlv(
        SEQUENCE,
        &[
            other_name(&MS_UPN, &upn),
            other_name(&PKINIT_NAME, &principal),
        ],
    )
}

fn other_name(oid: &[u8], value: &[u8]) -> Vec<u8> {
    tlv(0xA0, &[tlv(OID, &[oid]), tlv(0xA0, &[value])])
}

/// A tag, a length, and the parts one after another.
fn tlv(tag: u8, parts: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let length = parts.iter().map(|part| part.as_ref().len()).sum::<usize>();
    let octets = length.to_be_bytes();
    let significant = octets.iter().skip_while(|octet| **octet == 0);
    let mut out = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let long: Vec<u8> = significant.copied().collect();
            out.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            out.extend(long);
        }
    }
    for part in parts {
        out.extend_from_slice(part.as_ref());
    }
    out
}

const INTEGER: u8 = 0x02;
const OID: u8 = 0x06;
const UTF8_STRING: u8 = 0x0C;
const GENERAL_STRING: u8 = 0x1B;
const SEQUENCE: u8 = 0x30;
const SUBJECT_ALT_NAME: &[u64] = &[2, 5, 29, 17];
/// id-pkinit-KPClientAuth, RFC 4556 section 3.2.2.
const PKINIT_CLIENT: &[u64] = &[1, 3, 6, 1, 5, 2, 3, 4];
/// szOID_KP_SMARTCARD_LOGON.
const SMART_CARD_LOGON: &[u64] = &[1, 3, 6, 1, 4, 1, 311, 20, 2, 2];
/// szOID_NT_PRINCIPAL_NAME, 1.3.6.1.4.1.311.20.2.3.
const MS_UPN: [u8; 10] = [0x2B, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x14, 0x02, 0x03];
/// id-pkinit-san, 1.3.6.1.5.2.2.
const PKINIT_NAME: [u8; 6] = [0x2B, 0x06, 0x01, 0x05, 0x02, 0x02];

#[cfg(test)]
mod tests {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;
    use types::SeededEntropy;

    use super::*;

    fn made(has_issuer: bool) -> (KeyPair, Certificates) {
        let key = KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, rcgen::RsaKeySize::_2048);
        let key = key.unwrap();
        let subject = Subject {
            account_name: "testuser",
            user_principal_name: "testuser@corp.contoso.com",
            realm: "CORP.CONTOSO.COM",
        };
        let now = Timestamp::parse_rfc3339("2026-06-10T05:06:07Z").unwrap();
        let made = certify(&key, subject, has_issuer, now, &mut SeededEntropy::new(1));
        (key, made.unwrap())
    }

    fn der(pem: &str) -> kerberos::pkinit::Certificate {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
        kerberos::pkinit::Certificate::decode(&der).unwrap()
    }

    #[test]
    fn a_certificate_carries_the_key_and_both_names() {
        use rcgen::PublicKeyData;
        let (key, made) = made(false);
        let own = der(&made.own);
        assert_eq!(own.spki, key.subject_public_key_info());
        assert_eq!(own.issuer, own.subject);
        assert!(made.issuer.is_none());
        for name in ["testuser@corp.contoso.com", "CORP.CONTOSO.COM"] {
            let found = own
                .der
                .windows(name.len())
                .any(|part| part == name.as_bytes());
            assert!(found, "{name}");
        }
    }

    #[test]
    fn an_issuer_for_once_is_another() {
        let (_, made) = made(true);
        let (own, issuer) = (der(&made.own), der(&made.issuer.unwrap()));
        assert_eq!(own.issuer, issuer.subject);
        assert_ne!(own.subject, issuer.subject);
    }
}
