//! Compact JWS and JWE (RFC 7515, 7516) as the primary refresh token protocol uses them (MS-OAPXBC 3.2.5.1).
//!
//! Here are the forms: splitting, headers, and the two ways to encrypt under a session key. Who verifies or makes an RSA
//! signature brings it along.
//!
//! The reader is our own because the field's headers are: `x5c` is a list by RFC 7515 and a bare text in one common client,
//! and an answer under the header `A256GCM` may in truth be AES-CBC ([`SessionCipher::LegacyCbc`]).

use std::fmt;

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use types::{Entropy, Secret};

use crate::base64::Base64Url;
use crate::session::SessionKey;

/// A text that is no compact JWS or JWE, or whose parts are not what they must be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoseError {
    /// Too many, too few or empty parts, or too long.
    #[error("not {0}: parts in base64url, apart by dots")]
    Form(&'static str),
    /// A part is not the JSON that it must be.
    #[error("the {what} is not what it must be: {why}")]
    Json {
        /// Which part.
        what: &'static str,
        /// What serde says.
        why: String,
    },
    /// Another algorithm than the one that is to be used here.
    #[error("algorithm '{found}' where only {wanted} is taken")]
    Algorithm {
        /// What the header says.
        found: String,
        /// What is taken.
        wanted: &'static str,
    },
    /// It does not open.
    #[error("the text does not open: another key, or it was changed")]
    Sealed,
}

/// Longest accepted text.
const TEXT_BYTES_MAX: usize = 48 * 1024;

/// What the headers of this protocol say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// The algorithm.
    #[serde(default)]
    pub alg: String,
    /// The encryption of the content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enc: Option<String>,
    /// `JWT`, or [`crate::prt::FidoAssertion::TYPE`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub typ: Option<String>,
    /// Which key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// `ngc` or `fido`: what kind of key.
    #[serde(default, rename = "use", skip_serializing_if = "Option::is_none")]
    pub key_use: Option<String>,
    /// The signer's certificate, base64 of DER.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "one_or_many"
    )]
    pub x5c: Vec<String>,
    /// What the key is derived with, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ctx: Option<String>,
    /// Which derivation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kdf_ver: Option<u8>,
}

fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Certificates {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Certificates::deserialize(deserializer)? {
        Certificates::One(text) => vec![text],
        Certificates::Many(list) => list,
    })
}

/// A compact JWS that nobody has verified yet.
#[derive(Clone, PartialEq, Eq)]
pub struct Jws {
    /// Its header.
    pub header: Header,
    /// What the signature covers: the first two parts with their dot.
    pub signed: String,
    /// The payload's octets.
    pub payload: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl Jws {
    /// Splits a text. A signature may be empty; whether that is right is the reader's to say.
    pub fn parse(text: &str) -> Result<Self, JoseError> {
        let bad = JoseError::Form("a compact JWS");
        if text.len() > TEXT_BYTES_MAX {
            return Err(bad);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or_else(|| bad.clone())?;
        let (header, payload) = signed.split_once('.').ok_or_else(|| bad.clone())?;
        let octets = |part: &str| Base64Url::parse(part).map_err(|_| bad.clone());
        if payload.contains('.') {
            return Err(bad);
        }
        Ok(Self {
            header: json("header", &octets(header)?.0)?,
            signed: signed.to_owned(),
            payload: octets(payload)?.0,
            signature: octets(signature)?.0,
        })
    }

    /// The first two parts of a text that is yet to be signed.
    pub fn signing_input(header: &Header, payload: &impl Serialize) -> Result<String, JoseError> {
        let (header, payload) = (to_json("header", header)?, to_json("payload", payload)?);
        Ok(format!("{}.{}", Base64Url(header), Base64Url(payload)))
    }

    /// The whole text.
    pub fn text(signed: &str, signature: &[u8]) -> String {
        format!("{signed}.{}", Base64Url(signature.to_vec()))
    }

    /// The payload as JSON.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, JoseError> {
        json("payload", &self.payload)
    }

    /// Refuses every algorithm but one; `none` above all.
    pub fn must_be(&self, wanted: &'static str) -> Result<(), JoseError> {
        if self.header.alg == wanted {
            return Ok(());
        }
        let found = self.header.alg.chars().take(20).collect();
        Err(JoseError::Algorithm { found, wanted })
    }
}

impl fmt::Debug for Jws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jws({}, ..)", self.header.alg)
    }
}

fn json<T: DeserializeOwned>(what: &'static str, octets: &[u8]) -> Result<T, JoseError> {
    // Headers and claims are objects (RFC 7515 section 4, RFC 7519 section 7.2); serde would read a list as well.
    if octets.trim_ascii_start().first() != Some(&b'{') {
        let why = "no JSON object".to_owned();
        return Err(JoseError::Json { what, why });
    }
    serde_json::from_slice(octets).map_err(|error| JoseError::Json {
        what,
        why: error.to_string(),
    })
}

fn to_json(what: &'static str, value: &impl Serialize) -> Result<Vec<u8>, JoseError> {
    serde_json::to_vec(value).map_err(|error| JoseError::Json {
        what,
        why: error.to_string(),
    })
}

/// How an answer is encrypted under the session key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SessionCipher {
    /// AES-256-GCM with the protected header as additional data, as the header says.
    #[default]
    A256Gcm,
    /// AES-256-CBC under the same header, which nothing authenticates. Some clients read no other form of a renewal's
    /// answer.
    LegacyCbc,
}

const ANSWER_ALGORITHM: &str = "dir";
const GCM: &str = "A256GCM";
const IV_BYTES_CBC: usize = 16;

/// An answer under a key that is derived from the session key, as compact JWE with `alg: dir`.
pub fn seal(
    plain: &[u8],
    key: &SessionKey,
    cipher: SessionCipher,
    entropy: &mut dyn Entropy,
) -> Result<String, JoseError> {
    let mut context = [0; 24];
    entropy.fill(&mut context);
    let header = Header {
        alg: ANSWER_ALGORITHM.to_owned(),
        enc: Some(GCM.to_owned()),
        ctx: Some(data_encoding::BASE64.encode(&context)),
        kid: Some("session".to_owned()),
        ..Header::default()
    };
    let protected = Base64Url(to_json("header", &header)?).to_string();
    let content = key.derive(&context);
    let (iv, sealed, tag) = match cipher {
        SessionCipher::A256Gcm => {
            let mut iv = [0; 12];
            entropy.fill(&mut iv);
            let payload = Payload {
                msg: plain,
                aad: protected.as_bytes(),
            };
            let mut sealed = Aes256Gcm::new(content.expose().into())
                .encrypt(&Nonce::from(iv), payload)
                .map_err(|_| JoseError::Sealed)?;
            let tag = sealed.split_off(sealed.len().saturating_sub(16));
            (iv.to_vec(), sealed, tag)
        }
        SessionCipher::LegacyCbc => {
            let mut iv = [0; IV_BYTES_CBC];
            entropy.fill(&mut iv);
            let sealed = cbc::Encryptor::<aes::Aes256>::new(content.expose().into(), &iv.into())
                .encrypt_padded_vec::<Pkcs7>(plain);
            // Its readers want a tag and do not look at it.
            let mut tag = [0; 16];
            entropy.fill(&mut tag);
            (iv.to_vec(), sealed, tag.to_vec())
        }
    };
    Ok(format!(
        "{protected}..{}.{}.{}",
        Base64Url(iv),
        Base64Url(sealed),
        Base64Url(tag)
    ))
}

/// Opens what [`seal`] makes in its first form. The legacy form, which nothing authenticates, is not read here.
pub fn open(text: &str, key: &SessionKey) -> Result<Secret<Vec<u8>>, JoseError> {
    let bad = || JoseError::Form("a compact JWE");
    if text.len() > TEXT_BYTES_MAX * 2 {
        return Err(bad());
    }
    let parts: Vec<&str> = text.split('.').collect();
    let [protected, "", iv, sealed, tag] = *parts.as_slice() else {
        return Err(bad());
    };
    let octets = |part: &str| {
        Base64Url::parse(part)
            .map(|octets| octets.0)
            .map_err(|_| bad())
    };
    let header: Header = json("header", &octets(protected)?)?;
    if header.alg != ANSWER_ALGORITHM || header.enc.as_deref() != Some(GCM) {
        return Err(JoseError::Algorithm {
            found: header.alg.chars().take(20).collect(),
            wanted: "dir with A256GCM",
        });
    }
    let context = octets(&header.ctx.unwrap_or_default())?;
    let iv: [u8; 12] = octets(iv)?.try_into().map_err(|_| bad())?;
    let sealed = [octets(sealed)?, octets(tag)?].concat();
    let payload = Payload {
        msg: &sealed,
        aad: protected.as_bytes(),
    };
    Aes256Gcm::new(key.derive(&context).expose().into())
        .decrypt(&Nonce::from(iv), payload)
        .map(Secret::new)
        .map_err(|_| JoseError::Sealed)
}

/// Opens the legacy form: for tests of a server that writes it.
pub fn open_legacy(text: &str, key: &SessionKey) -> Result<Secret<Vec<u8>>, JoseError> {
    let bad = || JoseError::Form("a compact JWE");
    let parts: Vec<&str> = text.split('.').collect();
    let [protected, "", iv, sealed, _] = *parts.as_slice() else {
        return Err(bad());
    };
    let octets = |part: &str| {
        Base64Url::parse(part)
            .map(|octets| octets.0)
            .map_err(|_| bad())
    };
    let header: Header = json("header", &octets(protected)?)?;
    let context = octets(&header.ctx.unwrap_or_default())?;
    let iv: [u8; IV_BYTES_CBC] = octets(iv)?.try_into().map_err(|_| bad())?;
    cbc::Decryptor::<aes::Aes256>::new(key.derive(&context).expose().into(), &iv.into())
        .decrypt_padded_vec::<Pkcs7>(&octets(sealed)?)
        .map(Secret::new)
        .map_err(|_| JoseError::Sealed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use types::SeededEntropy;

    use super::*;

    fn key(octet: u8) -> SessionKey {
        SessionKey::new(Secret::new([octet; 32]))
    }

    #[test]
    fn answers_open_with_their_session_key_only() {
        let mut entropy = SeededEntropy::new(1);
        let text = seal(b"{}", &key(1), SessionCipher::A256Gcm, &mut entropy).unwrap();
        assert_eq!(open(&text, &key(1)).unwrap().expose(), b"{}");
        assert_eq!(open(&text, &key(2)).unwrap_err(), JoseError::Sealed);
        let (front, _) = text.rsplit_once('.').unwrap();
        let other_tag = format!("{front}.{}", Base64Url(vec![0; 16]));
        assert_eq!(open(&other_tag, &key(1)).unwrap_err(), JoseError::Sealed);
    }

    #[test]
    fn the_legacy_form_is_written_and_not_read_by_our_client() {
        let mut entropy = SeededEntropy::new(1);
        let text = seal(b"{}", &key(1), SessionCipher::LegacyCbc, &mut entropy).unwrap();
        assert_eq!(open_legacy(&text, &key(1)).unwrap().expose(), b"{}");
        assert!(open(&text, &key(1)).is_err());
    }

    #[test]
    fn certificates_come_as_list_or_text() {
        for text in [
            r#"{"alg":"RS256","x5c":"AA"}"#,
            r#"{"alg":"RS256","x5c":["AA"]}"#,
        ] {
            let header: Header = serde_json::from_str(text).unwrap();
            assert_eq!(header.x5c, ["AA"]);
        }
    }

    #[test]
    fn alg_none_is_another_algorithm() {
        let text = Jws::text(
            &Jws::signing_input(
                &Header {
                    alg: "none".to_owned(),
                    ..Header::default()
                },
                &serde_json::json!({}),
            )
            .unwrap(),
            b"",
        );
        let jws = Jws::parse(&text).unwrap();
        assert!(jws.must_be("RS256").is_err());
        assert!(jws.must_be("none").is_ok());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[A-Za-z0-9_.{}\":-]{0,80}") {
            let _ = Jws::parse(&text);
            let _ = open(&text, &key(1));
            let _ = open_legacy(&text, &key(1));
        }
    }
}
