//! PAC_CREDENTIAL_INFO, MS-PAC 2.6: the account's NT hash for one who signed in by PKINIT, under the reply key.

use types::{Entropy, Secret};

use super::PacError;
use super::ndr::{Reader, Writer};
use crate::crypto::{EncryptionType, Key, KeyUsage};

/// PAC_CREDENTIAL_INFO as it stands in the PAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialInfo {
    /// The type of the reply key.
    pub etype: EncryptionType,
    /// PAC_CREDENTIAL_DATA, encrypted.
    pub sealed: Vec<u8>,
}

/// SECPKG_SUPPLEMENTAL_CRED, MS-PAC 2.6.3.
#[derive(Debug, PartialEq, Eq)]
pub struct SupplementalCredential {
    /// The package, "NTLM".
    pub package: String,
    /// Its credentials.
    pub credentials: Secret<Vec<u8>>,
}

/// NTLM_SUPPLEMENTAL_CREDENTIAL, MS-PAC 2.6.4.
#[derive(Debug, PartialEq, Eq)]
pub struct NtlmCredential {
    /// The NT hash, if there is one.
    pub nt_hash: Option<Secret<[u8; 16]>>,
}

impl CredentialInfo {
    /// Reads the buffer.
    pub fn decode(bytes: &[u8]) -> Result<Self, PacError> {
        let (head, sealed) = bytes.split_first_chunk::<8>().ok_or(PacError::Truncated {
            what: "PAC_CREDENTIAL_INFO",
            offset: 0,
            need: 8,
            have: bytes.len(),
        })?;
        let [v0, v1, v2, v3, e0, e1, e2, e3] = *head;
        if u32::from_le_bytes([v0, v1, v2, v3]) != 0 {
            return Err(PacError::Invalid {
                what: "PAC_CREDENTIAL_INFO",
                why: "version is not 0",
            });
        }
        Ok(Self {
            etype: EncryptionType(i32::from_le_bytes([e0, e1, e2, e3])),
            sealed: sealed.to_vec(),
        })
    }

    /// Writes the buffer.
    pub fn encode(&self) -> Vec<u8> {
        [&[0; 4], self.etype.0.to_le_bytes().as_slice(), &self.sealed].concat()
    }

    /// Seals credentials under the reply key of an AS-REP.
    pub fn seal(
        credentials: &[SupplementalCredential],
        reply_key: &Key,
        entropy: &mut dyn Entropy,
    ) -> Result<Self, PacError> {
        let mut w = Writer::new();
        // A structure that ends in a conformant array: the array's length comes first.
        w.count(credentials.len());
        w.count(credentials.len());
        for credential in credentials {
            w.string_head(&credential.package);
            w.count(credential.credentials.expose().len());
            w.pointer(true);
        }
        for credential in credentials {
            w.string(&credential.package);
            w.count(credential.credentials.expose().len());
            w.raw(credential.credentials.expose());
        }
        let plain = zeroize::Zeroizing::new(w.finish());
        Ok(Self {
            etype: reply_key.etype(),
            sealed: reply_key.encrypt(KeyUsage::PAC_CREDENTIALS, &plain, entropy)?,
        })
    }

    /// Opens with the reply key.
    pub fn open(&self, reply_key: &Key) -> Result<Vec<SupplementalCredential>, PacError> {
        let plain = reply_key.decrypt(KeyUsage::PAC_CREDENTIALS, &self.sealed)?;
        let mut r = Reader::new("PAC_CREDENTIAL_DATA", &plain)?;
        let announced = r.u32()?;
        let count = r.count(announced, 16)?;
        let mut heads = Vec::with_capacity(count);
        for _ in 0..count {
            heads.push((r.string_head()?, r.u32()?, r.pointer()?));
        }
        heads
            .into_iter()
            .map(|(name, size, is_there)| {
                let package = r.string(name)?;
                let credentials = if is_there {
                    let size = r.count(size, 1)?;
                    r.take(size)?.to_vec()
                } else {
                    Vec::new()
                };
                Ok(SupplementalCredential {
                    package,
                    credentials: Secret::new(credentials),
                })
            })
            .collect()
    }
}

impl NtlmCredential {
    const HAS_NT: u32 = 2;

    /// As a package's credentials.
    pub fn to_supplemental(&self) -> SupplementalCredential {
        let mut bytes = vec![0; 40];
        if let Some(hash) = &self.nt_hash {
            let flags = Self::HAS_NT.to_le_bytes();
            for (to, from) in bytes.iter_mut().skip(4).zip(flags) {
                *to = from;
            }
            for (to, from) in bytes.iter_mut().skip(24).zip(hash.expose()) {
                *to = *from;
            }
        }
        SupplementalCredential {
            package: "NTLM".to_owned(),
            credentials: Secret::new(bytes),
        }
    }

    /// Reads a package's credentials.
    pub fn decode(bytes: &[u8]) -> Result<Self, PacError> {
        let truncated = PacError::Truncated {
            what: "NTLM_SUPPLEMENTAL_CREDENTIAL",
            offset: 0,
            need: 40,
            have: bytes.len(),
        };
        let flags = bytes.get(4..8).and_then(|word| word.first_chunk::<4>());
        let hash = bytes.get(24..40).and_then(|hash| hash.first_chunk::<16>());
        let (Some(flags), Some(hash)) = (flags, hash) else {
            return Err(truncated);
        };
        let has_nt = u32::from_le_bytes(*flags) & Self::HAS_NT != 0;
        Ok(Self {
            nt_hash: has_nt.then(|| Secret::new(*hash)),
        })
    }
}
