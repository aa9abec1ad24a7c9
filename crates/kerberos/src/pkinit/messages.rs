//! Messages of RFC 4556 3.2, with the additions of RFC 8070 and RFC 8636.

use rasn::types::{Any, BitString, ObjectIdentifier, OctetString};
use rasn::{AsnType, Decode, Encode};

use subtle::ConstantTimeEq;

use super::PkinitError;
use super::cms::Digest;
use crate::crypto::EncryptionType;
use crate::messages::{Checksum, Der, EncryptionKey, KerberosTime, PrincipalName, Realm, sequence};

/// AlgorithmIdentifier, RFC 5280 4.1.1.2.
#[derive(Clone, Debug, PartialEq, Eq, AsnType, Encode, Decode)]
pub struct AlgorithmIdentifier {
    /// Which algorithm.
    pub algorithm: ObjectIdentifier,
    /// Its parameters.
    pub parameters: Option<Any>,
}

/// SubjectPublicKeyInfo, RFC 5280 4.1.
#[derive(Clone, Debug, PartialEq, Eq, AsnType, Encode, Decode)]
pub struct SubjectPublicKeyInfo {
    /// What kind of key, and in which group.
    pub algorithm: AlgorithmIdentifier,
    /// The key.
    pub subject_public_key: BitString,
}

/// PA-PK-AS-REQ, RFC 4556 3.2.1.
#[derive(Clone, Debug, PartialEq, Eq, AsnType, Encode, Decode)]
pub struct PaPkAsReq {
    /// ContentInfo with SignedData around AuthPack.
    #[rasn(tag(0))]
    pub signed_auth_pack: OctetString,
    /// Whom the client trusts to certify the KDC.
    #[rasn(tag(explicit(1)))]
    pub trusted_certifiers: Option<Vec<ExternalPrincipalIdentifier>>,
    /// A KDC certificate that the client knows.
    #[rasn(tag(2))]
    pub kdc_pk_id: Option<OctetString>,
}

/// ExternalPrincipalIdentifier, RFC 4556 3.2.1.
#[derive(Clone, Debug, PartialEq, Eq, AsnType, Encode, Decode)]
pub struct ExternalPrincipalIdentifier {
    /// Name, DER.
    #[rasn(tag(0))]
    pub subject_name: Option<OctetString>,
    /// IssuerAndSerialNumber, DER.
    #[rasn(tag(1))]
    pub issuer_and_serial_number: Option<OctetString>,
    /// A subject key identifier.
    #[rasn(tag(2))]
    pub subject_key_identifier: Option<OctetString>,
}

/// PA-PK-AS-REP, RFC 4556 3.2.3.
#[derive(Clone, Debug, PartialEq, Eq, AsnType, Encode, Decode)]
#[rasn(choice)]
pub enum PaPkAsRep {
    /// A key was agreed on.
    #[rasn(tag(explicit(0)))]
    DhInfo(DhRepInfo),
    /// The reply key was sent encrypted: ContentInfo with EnvelopedData around SignedData around ReplyKeyPack.
    #[rasn(tag(1))]
    EncKeyPack(OctetString),
}

/// DHRepInfo, RFC 4556 3.2.3, RFC 8636 4.
#[derive(Clone, Debug, PartialEq, Eq, AsnType, Encode, Decode)]
pub struct DhRepInfo {
    /// ContentInfo with SignedData around KDCDHKeyInfo.
    #[rasn(tag(0))]
    pub dh_signed_data: OctetString,
    /// The KDC's nonce, where the client sent one.
    #[rasn(tag(explicit(1)))]
    pub server_dh_nonce: Option<OctetString>,
    /// The key derivation function that the KDC chose.
    #[rasn(tag(explicit(2)))]
    pub kdf: Option<KdfAlgorithmId>,
}

sequence! {
    /// AuthPack, RFC 4556 3.2.1, RFC 8636 4.
    AuthPack {
        0 pk_authenticator [PkAuthenticator],
        /// SubjectPublicKeyInfo, raw.
        1 client_public_value [Option<Any>],
        2 supported_cms_types [Option<Vec<AlgorithmIdentifier>>],
        3 client_dh_nonce [Option<OctetString>],
        4 supported_kdfs [Option<Vec<KdfAlgorithmId>>],
    }

    /// PKAuthenticator, RFC 4556 3.2.1, RFC 8070 4, and paChecksum2 of MS-PKCA and MIT.
    PkAuthenticator {
        0 cusec [i32],
        1 ctime [KerberosTime],
        2 nonce [i64],
        /// SHA-1 over KDC-REQ-BODY as it was sent.
        3 pa_checksum [Option<OctetString>],
        4 freshness_token [Option<OctetString>],
        5 pa_checksum2 [Option<PaChecksum2>],
    }

    /// PAChecksum2: a checksum of the body with a hash that is named.
    PaChecksum2 {
        0 checksum [OctetString],
        1 algorithm_identifier [AlgorithmIdentifier],
    }

    /// KDFAlgorithmId, RFC 8636 4.
    KdfAlgorithmId {
        0 kdf_id [ObjectIdentifier],
    }

    /// KDCDHKeyInfo, RFC 4556 3.2.3.1.
    KdcDhKeyInfo {
        0 subject_public_key [BitString],
        1 nonce [i64],
        2 dh_key_expiration [Option<KerberosTime>],
    }

    /// ReplyKeyPack, RFC 4556 3.2.3.2.
    ReplyKeyPack {
        0 reply_key [EncryptionKey],
        /// Over the whole AS-REQ with the reply key, key usage 6.
        1 as_checksum [Checksum],
    }

    /// KRB5PrincipalName, RFC 4556 3.2.2.
    Krb5PrincipalName {
        0 realm [Realm],
        1 principal_name [PrincipalName],
    }

    /// PkinitSuppPubInfo, RFC 8636 3.
    PkinitSuppPubInfo {
        0 enctype [EncryptionType],
        1 as_req [OctetString],
        2 pk_as_rep [OctetString],
    }
}

impl PkAuthenticator {
    /// Whether the request's body, as it was sent, is the one that was signed. The checksum with a named hash counts
    /// where it is there; the SHA-1 of RFC 4556 binds but proves nothing by itself, so it needs no policy.
    pub fn check_body(&self, raw_body: &[u8]) -> Result<(), PkinitError> {
        let (digest, checksum) = match (&self.pa_checksum2, &self.pa_checksum) {
            (Some(second), _) => {
                let oid = second.algorithm_identifier.algorithm.to_der()?;
                let digest = oid.get(2..).and_then(Digest::from_oid);
                (
                    digest.ok_or(PkinitError::NotAccepted(
                        "a digest that is not SHA-1 or SHA-2",
                    ))?,
                    &second.checksum,
                )
            }
            (None, Some(first)) => (Digest::Sha1, first),
            (None, None) => {
                return Err(PkinitError::NotAccepted(
                    "a request without a checksum of its body",
                ));
            }
        };
        if bool::from(digest.hash(raw_body).ct_eq(checksum)) {
            Ok(())
        } else {
            Err(PkinitError::Signature)
        }
    }
}
