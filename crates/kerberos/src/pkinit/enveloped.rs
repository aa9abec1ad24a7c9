//! EnvelopedData (RFC 5652 6) with one recipient by RSA key transport: the RSA mode of PKINIT, RFC 4556 3.2.3.2.

use aes::Aes256;
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use des::TdesEde3;
use types::Entropy;
use zeroize::Zeroizing;

use super::cms::{SIGNED_DATA, Sign, signed_data};
use super::rsa::RSA_ENCRYPTION;
use super::{Certificate, PkinitError, RsaPublicKey};
use crate::der::{self, Reader};

/// How the content is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContentCipher {
    /// AES-256-CBC.
    Aes256,
    /// Triple DES: what Windows and older clients take, and nothing else.
    TripleDes,
}

impl ContentCipher {
    /// The content bytes of the OID.
    pub fn oid(self) -> &'static [u8] {
        match self {
            Self::Aes256 => &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2A],
            Self::TripleDes => &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x03, 0x07],
        }
    }

    fn key_and_iv_bytes(self) -> (usize, usize) {
        match self {
            Self::Aes256 => (32, 16),
            Self::TripleDes => (24, 8),
        }
    }

    fn encrypt(self, key: &[u8], iv: &[u8], plain: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Aes256 => Some(
                cbc::Encryptor::<Aes256>::new_from_slices(key, iv)
                    .ok()?
                    .encrypt_padded_vec::<Pkcs7>(plain),
            ),
            Self::TripleDes => Some(
                cbc::Encryptor::<TdesEde3>::new_from_slices(key, iv)
                    .ok()?
                    .encrypt_padded_vec::<Pkcs7>(plain),
            ),
        }
    }

    fn decrypt(self, key: &[u8], iv: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Aes256 => cbc::Decryptor::<Aes256>::new_from_slices(key, iv)
                .ok()?
                .decrypt_padded_vec::<Pkcs7>(sealed)
                .ok(),
            Self::TripleDes => cbc::Decryptor::<TdesEde3>::new_from_slices(key, iv)
                .ok()?
                .decrypt_padded_vec::<Pkcs7>(sealed)
                .ok(),
        }
    }
}

/// A private key that opens what was encrypted to it.
pub trait Decrypt {
    /// RSAES-PKCS1-v1_5; `None` where it does not open.
    fn decrypt(&self, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>>;
}

/// EnvelopedData that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopedData {
    sealed_key: Vec<u8>,
    cipher: ContentCipher,
    iv: Vec<u8>,
    sealed: Vec<u8>,
}

/// Signs content and encrypts it to the owner of a certificate: ContentInfo with EnvelopedData around SignedData.
pub fn envelop(
    content_type: &[u8],
    content: &[u8],
    signer: &dyn Sign,
    recipient: &Certificate,
    cipher: ContentCipher,
    entropy: &mut dyn Entropy,
) -> Result<Vec<u8>, PkinitError> {
    let signed = Zeroizing::new(signed_data(content_type, content, signer)?);
    let (key_bytes, iv_bytes) = cipher.key_and_iv_bytes();
    let (mut key, mut iv) = (Zeroizing::new(vec![0; key_bytes]), vec![0; iv_bytes]);
    entropy.fill(&mut key);
    entropy.fill(&mut iv);
    let sealed = cipher
        .encrypt(&key, &iv, &signed)
        .ok_or(PkinitError::PrivateKey)?;
    let sealed_key = RsaPublicKey::from_spki(&recipient.spki)?.encrypt(&key, entropy)?;
    let version = der::tlv(der::INTEGER, &[&[0]]);
    let recipient_info = der::tlv(
        der::SEQUENCE,
        &[
            &version,
            &der::tlv(
                der::SEQUENCE,
                &[
                    &recipient.issuer,
                    &der::tlv(der::INTEGER, &[&recipient.serial]),
                ],
            ),
            &der::algorithm(RSA_ENCRYPTION),
            &der::tlv(der::OCTET_STRING, &[&sealed_key]),
        ],
    );
    let content_info = der::tlv(
        der::SEQUENCE,
        &[
            &der::tlv(der::OID, &[SIGNED_DATA]),
            &der::tlv(
                der::SEQUENCE,
                &[
                    &der::tlv(der::OID, &[cipher.oid()]),
                    &der::tlv(der::OCTET_STRING, &[&iv]),
                ],
            ),
            &der::tlv(0x80, &[&sealed]),
        ],
    );
    let enveloped = der::tlv(
        der::SEQUENCE,
        &[
            &version,
            &der::tlv(der::SET, &[&recipient_info]),
            &content_info,
        ],
    );
    Ok(der::tlv(
        der::SEQUENCE,
        &[
            &der::tlv(der::OID, &[ENVELOPED_DATA]),
            &der::tlv(0xA0, &[&enveloped]),
        ],
    ))
}

impl EnvelopedData {
    /// Reads ContentInfo around EnvelopedData.
    pub fn decode(bytes: &[u8]) -> Result<Self, PkinitError> {
        let mut outer = Reader::new("EnvelopedData", bytes);
        let mut info = outer.enter(der::SEQUENCE)?;
        outer.end()?;
        if info.expect(der::OID)?.content != ENVELOPED_DATA {
            return Err(info.invalid("ContentInfo holds something else").into());
        }
        let mut data = info.enter(0xA0)?.enter(der::SEQUENCE)?;
        data.expect(der::INTEGER)?; // version
        let mut recipients = data.enter(der::SET)?;
        let mut recipient = recipients.enter(der::SEQUENCE)?;
        recipients
            .end()
            .map_err(|_| recipients.invalid("more than one recipient"))?;
        recipient.expect(der::INTEGER)?; // version
        recipient.next()?; // who: there is only one
        if recipient.enter(der::SEQUENCE)?.expect(der::OID)?.content != RSA_ENCRYPTION {
            return Err(PkinitError::NotAccepted("key transport that is not RSA"));
        }
        let sealed_key = recipient.expect(der::OCTET_STRING)?.content.to_vec();
        let mut content = data.enter(der::SEQUENCE)?;
        content.expect(der::OID)?; // contentType: clients and KDCs disagree about it
        let mut algorithm = content.enter(der::SEQUENCE)?;
        let oid = algorithm.expect(der::OID)?.content;
        let cipher = [ContentCipher::Aes256, ContentCipher::TripleDes]
            .into_iter()
            .find(|cipher| cipher.oid() == oid)
            .ok_or(PkinitError::NotAccepted(
                "a content cipher other than AES-256 and triple DES",
            ))?;
        let iv = algorithm.expect(der::OCTET_STRING)?.content.to_vec();
        let sealed = content.expect(0x80)?.content.to_vec();
        Ok(Self {
            sealed_key,
            cipher,
            iv,
            sealed,
        })
    }

    /// Opens it: SignedData, whose signature is still to be checked. Every failure looks the same.
    pub fn open(&self, key: &dyn Decrypt) -> Result<Zeroizing<Vec<u8>>, PkinitError> {
        let content_key = key
            .decrypt(&self.sealed_key)
            .ok_or(PkinitError::PrivateKey)?;
        self.cipher
            .decrypt(&content_key, &self.iv, &self.sealed)
            .map(Zeroizing::new)
            .ok_or(PkinitError::PrivateKey)
    }
}

/// 1.2.840.113549.1.7.3
const ENVELOPED_DATA: &[u8] = &[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07, 0x03];
