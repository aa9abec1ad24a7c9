//! SignedData (RFC 5652 5) with one signer, as PKINIT uses it.

use sha1::{Digest as _, Sha1};
use sha2::{Sha256, Sha384, Sha512};
use subtle::ConstantTimeEq;

use super::rsa::RSA_ENCRYPTION;
use super::{Certificate, PkinitError, Policy, RsaPublicKey};
use crate::der::{self, Reader, Tlv};

/// The longest CMS structure that is read.
const CMS_BYTES_MAX: usize = 1 << 20;
const CERTIFICATES_MAX: usize = 16;

/// A hash function of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say all")]
pub enum Digest {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// How a signer is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignerId {
    /// By a certificate's issuer (DER) and serial number.
    IssuerAndSerial {
        /// Name, DER.
        issuer: Vec<u8>,
        /// Content bytes of the number.
        serial: Vec<u8>,
    },
    /// By a subject key identifier.
    KeyId(Vec<u8>),
}

/// SignedData that was read, and not believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedData {
    content_type: Vec<u8>,
    content: Vec<u8>,
    certificates: Vec<Certificate>,
    signer: SignerId,
    digest: Digest,
    /// SignedAttributes as the signature covers them, with the tag of SET OF.
    attributes: Option<Vec<u8>>,
    signature: Vec<u8>,
}

/// Content whose signature was checked with a key. Only [`SignedData::verify`] makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedContent {
    content: Vec<u8>,
    key: RsaPublicKey,
}

impl VerifiedContent {
    /// What was signed.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// The key that signed it.
    pub fn key(&self) -> &RsaPublicKey {
        &self.key
    }
}

impl Digest {
    pub(super) fn oid(self) -> &'static [u8] {
        match self {
            Self::Sha1 => &[0x2B, 0x0E, 0x03, 0x02, 0x1A],
            Self::Sha256 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01],
            Self::Sha384 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02],
            Self::Sha512 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03],
        }
    }

    /// The hash of a message.
    pub fn hash(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(message).to_vec(),
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }

    pub(super) fn from_oid(oid: &[u8]) -> Option<Self> {
        [Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512]
            .into_iter()
            .find(|digest| digest.oid() == oid)
    }

    /// The hash that a signature algorithm names; `rsaEncryption` names none.
    fn from_signature_oid(oid: &[u8]) -> Result<Option<Self>, PkinitError> {
        let [prefix @ .., last] = oid else {
            return Err(PkinitError::NotAccepted(
                "a signature algorithm without a name",
            ));
        };
        if Some(prefix) != RSA_ENCRYPTION.split_last().map(|(_, prefix)| prefix) {
            return Err(PkinitError::NotAccepted(
                "a signature that is not RSA PKCS #1 v1.5",
            ));
        }
        match last {
            1 => Ok(None),
            5 => Ok(Some(Self::Sha1)),
            11 => Ok(Some(Self::Sha256)),
            12 => Ok(Some(Self::Sha384)),
            13 => Ok(Some(Self::Sha512)),
            _ => Err(PkinitError::NotAccepted(
                "a signature that is not RSA PKCS #1 v1.5",
            )),
        }
    }
}

impl SignedData {
    /// Reads ContentInfo around SignedData, or bare SignedData as it stands in EnvelopedData.
    pub fn decode(bytes: &[u8]) -> Result<Self, PkinitError> {
        let mut outer = Reader::new("SignedData", bytes);
        if bytes.len() > CMS_BYTES_MAX {
            return Err(outer.invalid("larger than 1 MiB").into());
        }
        let mut data = outer.enter(der::SEQUENCE)?;
        outer.end()?;
        if let Some(oid) = data.optional(der::OID)? {
            if oid.content != SIGNED_DATA {
                return Err(data.invalid("ContentInfo holds something else").into());
            }
            data = data.enter(0xA0)?.enter(der::SEQUENCE)?;
        }
        data.expect(der::INTEGER)?; // version
        data.expect(der::SET)?; // digestAlgorithms
        let mut encapsulated = data.enter(der::SEQUENCE)?;
        let content_type = encapsulated.expect(der::OID)?.content.to_vec();
        let content = encapsulated
            .enter(0xA0)?
            .expect(der::OCTET_STRING)?
            .content
            .to_vec();
        let mut certificates = Vec::new();
        if let Some(set) = data.optional(0xA0)? {
            let mut set = data.inside(set);
            while !set.is_empty() {
                let element = set.next()?;
                // Attribute certificates and their like have other tags.
                if element.tag == der::SEQUENCE && certificates.len() < CERTIFICATES_MAX {
                    certificates.push(Certificate::decode(element.raw)?);
                }
            }
        }
        data.optional(0xA1)?; // crls
        let mut signers = data.enter(der::SET)?;
        if signers.is_empty() {
            return Err(signers.invalid("nobody signed it").into());
        }
        let signer = signers.enter(der::SEQUENCE)?;
        signers
            .end()
            .map_err(|_| signers.invalid("more than one signer"))?;
        Self {
            content_type,
            content,
            certificates,
            signer: SignerId::KeyId(Vec::new()),
            digest: Digest::Sha1,
            attributes: None,
            signature: Vec::new(),
        }
        .with_signer(signer)
    }

    fn with_signer(mut self, mut signer: Reader<'_>) -> Result<Self, PkinitError> {
        signer.expect(der::INTEGER)?; // version: clients disagree about it
        let id = signer.next()?;
        self.signer = signer_id(signer, id)?;
        let mut algorithm = signer.enter(der::SEQUENCE)?;
        self.digest = Digest::from_oid(algorithm.expect(der::OID)?.content).ok_or(
            PkinitError::NotAccepted("a digest that is not SHA-1 or SHA-2"),
        )?;
        self.attributes = signer
            .optional(0xA0)?
            .map(|attributes| der::tlv(der::SET, &[attributes.content]));
        let mut algorithm = signer.enter(der::SEQUENCE)?;
        let named = Digest::from_signature_oid(algorithm.expect(der::OID)?.content)?;
        if named.is_some_and(|named| named != self.digest) {
            return Err(signer
                .invalid("the two algorithms name different digests")
                .into());
        }
        self.signature = signer.expect(der::OCTET_STRING)?.content.to_vec();
        Ok(self)
    }

    /// The content's type, the content bytes of its OID.
    pub fn content_type(&self) -> &[u8] {
        &self.content_type
    }

    /// The certificates that came along.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// How the signer is named.
    pub fn signer(&self) -> &SignerId {
        &self.signer
    }

    /// The hash function of the signature.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The signer's certificate, if it came along. Some clients leave it out; then try the keys of the account.
    pub fn signer_certificate(&self) -> Option<&Certificate> {
        self.certificates
            .iter()
            .find(|certificate| match &self.signer {
                SignerId::IssuerAndSerial { issuer, serial } => {
                    certificate.issuer == *issuer && certificate.serial == *serial
                }
                SignerId::KeyId(id) => certificate.subject_key_id.as_ref() == Some(id),
            })
    }

    /// What is claimed to be signed. Good for cheap checks before the expensive one, and for nothing else.
    pub fn unverified_content(&self) -> &[u8] {
        &self.content
    }

    /// Checks the signature with a key, and that the content has the type that it should have.
    pub fn verify(
        &self,
        content_type: &[u8],
        key: &RsaPublicKey,
        policy: Policy,
    ) -> Result<VerifiedContent, PkinitError> {
        if self.content_type != content_type {
            return Err(PkinitError::Invalid {
                what: "SignedData",
                why: "the content is of another type",
            });
        }
        if self.digest == Digest::Sha1 && !policy.allow_sha1 {
            return Err(PkinitError::NotAccepted("a SHA-1 signature"));
        }
        let hash = match &self.attributes {
            None => self.digest.hash(&self.content),
            Some(attributes) => {
                self.check_attributes(attributes)?;
                self.digest.hash(attributes)
            }
        };
        key.verify(self.digest, &hash, &self.signature)?;
        Ok(VerifiedContent {
            content: self.content.clone(),
            key: key.clone(),
        })
    }

    /// RFC 5652 11.1 and 11.2: the message digest must be there and right; the content type, where it is there, too.
    fn check_attributes(&self, attributes: &[u8]) -> Result<(), PkinitError> {
        let mut set = Reader::new("SignedAttributes", attributes).enter(der::SET)?;
        let mut digests = 0u8;
        while !set.is_empty() {
            let mut attribute = set.enter(der::SEQUENCE)?;
            let oid = attribute.expect(der::OID)?.content;
            let mut values = attribute.enter(der::SET)?;
            if oid == MESSAGE_DIGEST {
                let digest = values.expect(der::OCTET_STRING)?.content;
                values.end()?;
                if !bool::from(self.digest.hash(&self.content).ct_eq(digest)) {
                    return Err(PkinitError::Signature);
                }
                digests = digests.saturating_add(1);
            } else if oid == CONTENT_TYPE && values.expect(der::OID)?.content != self.content_type {
                return Err(set.invalid("the content is of another type").into());
            }
        }
        if digests == 1 {
            Ok(())
        } else {
            Err(set.invalid("no message digest, or several").into())
        }
    }
}

fn signer_id(reader: Reader<'_>, id: Tlv<'_>) -> Result<SignerId, PkinitError> {
    let mut inner = reader.inside(id);
    match id.tag {
        der::SEQUENCE => Ok(SignerId::IssuerAndSerial {
            issuer: inner.expect(der::SEQUENCE)?.raw.to_vec(),
            serial: inner.expect(der::INTEGER)?.content.to_vec(),
        }),
        0x80 => Ok(SignerId::KeyId(id.content.to_vec())),
        // Heimdal and Samba tag it explicitly.
        0xA0 => Ok(SignerId::KeyId(
            inner.expect(der::OCTET_STRING)?.content.to_vec(),
        )),
        _ => Err(reader.invalid("the signer has no name").into()),
    }
}

/// A private key that signs with RSA PKCS #1 v1.5 and SHA-256, and its certificate.
pub trait Sign {
    /// The certificate, DER.
    fn certificate(&self) -> &[u8];

    /// The signature of a message; `None` where the key cannot.
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>>;
}

/// ContentInfo with SignedData around some content.
pub fn sign_data(
    content_type: &[u8],
    content: &[u8],
    signer: &dyn Sign,
) -> Result<Vec<u8>, PkinitError> {
    let data = signed_data(content_type, content, signer)?;
    Ok(der::tlv(
        der::SEQUENCE,
        &[
            &der::tlv(der::OID, &[SIGNED_DATA]),
            &der::tlv(0xA0, &[&data]),
        ],
    ))
}

/// SignedData alone.
pub(super) fn signed_data(
    content_type: &[u8],
    content: &[u8],
    signer: &dyn Sign,
) -> Result<Vec<u8>, PkinitError> {
    let certificate = Certificate::decode(signer.certificate())?;
    let type_oid = der::tlv(der::OID, &[content_type]);
    let attribute = |oid: &[u8], value: &[u8]| {
        der::tlv(
            der::SEQUENCE,
            &[&der::tlv(der::OID, &[oid]), &der::tlv(der::SET, &[value])],
        )
    };
    let hash = der::tlv(der::OCTET_STRING, &[&Digest::Sha256.hash(content)]);
    let attributes = vec![
        attribute(CONTENT_TYPE, &type_oid),
        attribute(MESSAGE_DIGEST, &hash),
    ];
    let signature = signer
        .sign(&der::set_of(der::SET, attributes.clone()))
        .ok_or(PkinitError::PrivateKey)?;
    let digest = der::tlv(
        der::SEQUENCE,
        &[&der::tlv(der::OID, &[Digest::Sha256.oid()])],
    );
    let signer_info = der::tlv(
        der::SEQUENCE,
        &[
            &der::tlv(der::INTEGER, &[&[1]]),
            &der::tlv(
                der::SEQUENCE,
                &[
                    &certificate.issuer,
                    &der::tlv(der::INTEGER, &[&certificate.serial]),
                ],
            ),
            &digest,
            &der::set_of(0xA0, attributes),
            &der::algorithm(SHA256_WITH_RSA),
            &der::tlv(der::OCTET_STRING, &[&signature]),
        ],
    );
    Ok(der::tlv(
        der::SEQUENCE,
        &[
            &der::tlv(der::INTEGER, &[&[3]]),
            &der::tlv(der::SET, &[&digest]),
            &der::tlv(
                der::SEQUENCE,
                &[
                    &type_oid,
                    &der::tlv(0xA0, &[&der::tlv(der::OCTET_STRING, &[content])]),
                ],
            ),
            &der::tlv(0xA0, &[signer.certificate()]),
            &der::tlv(der::SET, &[&signer_info]),
        ],
    ))
}

/// 1.2.840.113549.1.7.2
pub(super) const SIGNED_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.9.3
const CONTENT_TYPE: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x03];
/// 1.2.840.113549.1.9.4
const MESSAGE_DIGEST: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x09, 0x04];
/// 1.2.840.113549.1.1.11
const SHA256_WITH_RSA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0B];

impl SignedData {
    /// id-pkinit-authData, 1.3.6.1.5.2.3.1: what a client signs.
    pub const AUTH_DATA: &'static [u8] = &[0x2B, 0x06, 0x01, 0x05, 0x02, 0x03, 0x01];
    /// id-pkinit-DHKeyData, 1.3.6.1.5.2.3.2: what a KDC signs after a key agreement.
    pub const DH_KEY_DATA: &'static [u8] = &[0x2B, 0x06, 0x01, 0x05, 0x02, 0x03, 0x02];
    /// id-pkinit-rkeyData, 1.3.6.1.5.2.3.3: what a KDC signs in RSA mode.
    pub const REPLY_KEY_DATA: &'static [u8] = &[0x2B, 0x06, 0x01, 0x05, 0x02, 0x03, 0x03];
}
