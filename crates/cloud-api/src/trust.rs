//! Cloud Kerberos Trust: the Kerberos server object of a domain, and its key on the way to the cloud.
//!
//! The key of `krbtgt_AzureAD` mints tickets for every user that the object may reveal, so it never travels bare: the
//! command that makes the trust seals it to a key of the cloud's own ([`WrappingKey`]), and only the cloud can open
//! it. The seal is a JWE (RFC 7516) in compact form with RSA-OAEP-256 and A256GCM (RFC 7518 sections 4.3, 5.3), whose
//! plaintext is the JSON of a [`TrustKey`]. Realm, number and version stand inside as well as outside
//! ([`TrustKey::belongs_to`]), so that a sealed key cannot be put under another domain's name.
//!
//! ```text
//! GET    /trust/v1/wrappingKey            -> WrappingKey
//! POST   /trust/v1/servers                KerberosServer + sealed key -> PublishedServer
//! GET    /trust/v1/servers/{dns domain}   -> PublishedServer
//! DELETE /trust/v1/servers/{dns domain}
//! ```
//! Each POST adds a version; the cloud mints with the highest one and keeps the one before it, until it is asked to
//! delete the server. A version that is there already with another key is a conflict.
//!
//! Deliberately absent: the cryptography. Who seals and who opens each bring their own.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use types::{Guid, Sid, Timestamp};
use zeroize::Zeroize;

use crate::base64::Base64Url;

/// The public half of the cloud's key for sealed keys, as a JSON Web Key (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct WrappingKey {
    /// `RSA`.
    pub kty: String,
    /// `RSA-OAEP-256`.
    pub alg: String,
    /// `enc`.
    #[serde(rename = "use")]
    pub public_key_use: String,
    /// Names the key in the header of a seal.
    pub kid: String,
    /// The modulus, big-endian.
    pub n: Base64Url,
    /// The public exponent, big-endian.
    pub e: Base64Url,
}

/// What the cloud knows of a domain's Kerberos server object; nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct KerberosServer {
    /// DNS name of the domain, in lower case: `corp.contoso.com`. The server's name in the API.
    pub domain_dns_name: String,
    /// The Kerberos realm: `CORP.CONTOSO.COM`.
    pub realm: String,
    /// The short name of the domain: `CORP`.
    pub netbios_name: String,
    /// `objectSid` of the domain.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub domain_sid: Sid,
    /// `objectGUID` of the computer object `AzureADKerberos`.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = "uuid"))]
    pub computer_guid: Guid,
    /// `objectSid` of the computer object.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub computer_sid: Sid,
    /// `distinguishedName` of the computer object.
    pub computer_dn: String,
    /// `sAMAccountName` of the ticket granting account: `krbtgt_12345`.
    pub krbtgt_name: String,
    /// `msDS-SecondaryKrbTgtNumber`: the high half of the version in every ticket.
    pub number: u16,
}

/// Publishes a version of the key: `POST /trust/v1/servers`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishServer {
    /// The object.
    pub server: KerberosServer,
    /// `msDS-KeyVersionNumber`: the low half of the version in every ticket.
    pub version: u16,
    /// A [`TrustKey`] in a [`SealedKey`].
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub sealed_key: SealedKey,
}

/// A server object as the cloud has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishedServer {
    /// The object as it was published last.
    #[serde(flatten)]
    pub server: KerberosServer,
    /// The versions of its key that the cloud holds, newest first; the first one mints.
    pub versions: Vec<PublishedVersion>,
    /// What the sync sees of it on the ground; absent where it sees nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ground: Option<crate::ground::SyncKerberosServer>,
}

/// One version of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PublishedVersion {
    /// `msDS-KeyVersionNumber`.
    pub version: u16,
    /// When the cloud got it.
    #[cfg_attr(feature = "openapi", schema(value_type = String, format = DateTime))]
    pub published_date_time: Timestamp,
}

/// The key itself: the plaintext of a seal.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustKey {
    /// The realm that the key belongs to.
    pub realm: String,
    /// [`KerberosServer::number`].
    pub number: u16,
    /// [`PublishServer::version`].
    pub version: u16,
    /// The encryption type (RFC 3961): 18, AES-256.
    pub key_type: i32,
    /// The key's octets.
    pub key: Base64Url,
}

impl TrustKey {
    /// Whether this is the key that the request says it is.
    pub fn belongs_to(&self, request: &PublishServer) -> bool {
        self.realm == request.server.realm
            && self.number == request.server.number
            && self.version == request.version
    }
}

impl Drop for TrustKey {
    fn drop(&mut self) {
        self.key.0.zeroize();
    }
}

impl fmt::Debug for TrustKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustKey")
            .field("realm", &self.realm)
            .field("number", &self.number)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

/// The protected header of a seal (RFC 7516 section 4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealHeader {
    /// [`SealHeader::ALGORITHM`].
    pub alg: String,
    /// [`SealHeader::ENCRYPTION`].
    pub enc: String,
    /// [`WrappingKey::kid`].
    pub kid: String,
    /// [`SealHeader::CONTENT`].
    pub cty: String,
}

impl SealHeader {
    /// RSAES OAEP with SHA-256 and MGF1 with SHA-256.
    pub const ALGORITHM: &str = "RSA-OAEP-256";
    /// AES-256 in GCM with a 96-bit IV and a 128-bit tag.
    pub const ENCRYPTION: &str = "A256GCM";
    /// What is sealed.
    pub const CONTENT: &str = "tombolo-trust-key+json";

    /// The only header that is written, and the only one that is to be read.
    pub fn new(kid: &str) -> Self {
        Self {
            alg: Self::ALGORITHM.to_owned(),
            enc: Self::ENCRYPTION.to_owned(),
            kid: kid.to_owned(),
            cty: Self::CONTENT.to_owned(),
        }
    }
}

/// The five parts of a compact JWE (RFC 7516 section 7.1).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SealedKey {
    /// The header as it was sent: base64url text, which is also the additional authenticated data.
    pub protected: String,
    /// The content encryption key under the wrapping key.
    pub encrypted_key: Vec<u8>,
    /// 12 bytes.
    pub iv: Vec<u8>,
    /// The [`TrustKey`]'s JSON.
    pub ciphertext: Vec<u8>,
    /// 16 bytes.
    pub tag: Vec<u8>,
}

/// A text that is no compact JWE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a sealed key is a compact JWE: five parts in base64url, apart by dots, at most 8192 characters"
)]
pub struct NotSealed;

/// A wrapping key of 4096 bits and a [`TrustKey`] need about 1,100.
const SEALED_CHARACTERS_MAX: usize = 8192;

impl SealedKey {
    /// The header of `protected`, in the text form that is authenticated.
    pub fn protect(header: &SealHeader) -> Result<String, serde_json::Error> {
        let json = serde_json::to_vec(header)?;
        Ok(Base64Url(json).to_string())
    }

    /// What the header says; `None` where it says nothing that is understood.
    pub fn header(&self) -> Option<SealHeader> {
        let json = Base64Url::parse(&self.protected).ok()?;
        serde_json::from_slice(&json.0).ok()
    }
}

impl FromStr for SealedKey {
    type Err = NotSealed;

    fn from_str(text: &str) -> Result<Self, NotSealed> {
        if text.len() > SEALED_CHARACTERS_MAX {
            return Err(NotSealed);
        }
        let mut parts = text.split('.');
        let mut part = || parts.next().ok_or(NotSealed);
        let protected = part()?.to_owned();
        let mut octets = || {
            let bytes = Base64Url::parse(part()?).map_err(|_| NotSealed)?;
            Ok(bytes.0)
        };
        let sealed = Self {
            protected,
            encrypted_key: octets()?,
            iv: octets()?,
            ciphertext: octets()?,
            tag: octets()?,
        };
        match parts.next() {
            None => Ok(sealed),
            Some(_) => Err(NotSealed),
        }
    }
}

impl fmt::Display for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.protected)?;
        for part in [&self.encrypted_key, &self.iv, &self.ciphertext, &self.tag] {
            write!(f, ".{}", data_encoding::BASE64URL_NOPAD.encode(part))?;
        }
        Ok(())
    }
}

impl fmt::Debug for SealedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedKey(..)")
    }
}

impl TryFrom<String> for SealedKey {
    type Error = NotSealed;

    fn try_from(text: String) -> Result<Self, NotSealed> {
        text.parse()
    }
}

impl From<SealedKey> for String {
    fn from(sealed: SealedKey) -> Self {
        sealed.to_string()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_key_belongs_to_one_request() {
        let key = |number, version| TrustKey {
            realm: "CORP.CONTOSO.COM".to_owned(),
            number,
            version,
            key_type: 18,
            key: Base64Url(vec![7; 32]),
        };
        let sid: Sid = "S-1-5-21-1-2-3".parse().unwrap();
        let request = PublishServer {
            server: KerberosServer {
                domain_dns_name: "corp.contoso.com".to_owned(),
                realm: "CORP.CONTOSO.COM".to_owned(),
                netbios_name: "CORP".to_owned(),
                domain_sid: sid.clone(),
                computer_guid: Guid::ZERO,
                computer_sid: sid,
                computer_dn: "CN=AzureADKerberos,OU=Domain Controllers,DC=corp,DC=contoso,DC=com"
                    .to_owned(),
                krbtgt_name: "krbtgt_12345".to_owned(),
                number: 12345,
            },
            version: 2,
            sealed_key: "e30.AA.AA.AA.AA".parse().unwrap(),
        };
        assert!(key(12345, 2).belongs_to(&request));
        assert!(!key(12345, 1).belongs_to(&request));
        assert!(!key(12346, 2).belongs_to(&request));
        assert!(!format!("{:?}", key(1, 1)).contains('7'));
    }

    #[test]
    fn seals_have_five_parts() {
        let header = SealHeader::new("2026");
        let sealed = SealedKey {
            protected: SealedKey::protect(&header).unwrap(),
            encrypted_key: vec![1],
            iv: vec![2],
            ciphertext: vec![3],
            tag: vec![4],
        };
        let read: SealedKey = sealed.to_string().parse().unwrap();
        assert_eq!(read.header(), Some(header));
        assert_eq!(read, sealed);
        for text in [
            "",
            "a.b",
            "e30.AA.AA.AA",
            "e30.AA.AA.AA.AA.AA",
            "e30.?.AA.AA.AA",
        ] {
            assert_eq!(text.parse::<SealedKey>(), Err(NotSealed), "{text}");
        }
        assert_eq!(
            "e30.AA.AA.AA.AA".parse::<SealedKey>().unwrap().header(),
            None
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}") {
            let _ = text.parse::<SealedKey>().map(|sealed| sealed.header());
        }
    }
}
