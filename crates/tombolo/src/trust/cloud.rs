//! What the cloud is told of the trust: the object's facts, and its key under a seal that only the cloud can open.

use std::path::PathBuf;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use cloud_api::error::ErrorCode;
use cloud_api::trust::{
    KerberosServer, PublishServer, PublishedServer, SealHeader, SealedKey, TrustKey, WrappingKey,
};
use cloud_api::{Base64Url, paths};
use kerberos::pkinit::RsaPublicKey;
use lab::cloud_client::CloudClient;
use types::{Entropy, Secret};

use super::key::{ETYPE, ServerKey};
use crate::io::{DirectoryArgs, Failure, OsEntropy, Tell, first_line, read_file};

/// A cloud, and the right to administer it.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Cloud")]
pub(super) struct CloudArgs {
    /// Where the cloud is: https://login.contoso.example:8443
    #[arg(
        long,
        value_name = "URL",
        env = "TOMBOLO_CLOUD",
        requires = "cloud_token_file"
    )]
    cloud: Option<String>,

    /// A file whose first line is an administrator's token
    #[arg(long, value_name = "FILE", env = "TOMBOLO_CLOUD_TOKEN_FILE")]
    cloud_token_file: Option<PathBuf>,

    /// The certificate authority of the cloud, PEM; the directory's without it
    #[arg(long, value_name = "FILE", env = "TOMBOLO_CLOUD_CA_FILE")]
    cloud_ca_file: Option<PathBuf>,
}

/// A client of the cloud.
pub(super) struct Cloud {
    client: CloudClient,
    pub(super) url: String,
}

impl CloudArgs {
    /// The client, where a cloud is named.
    pub(super) fn connect(&self, directory: &DirectoryArgs) -> Result<Option<Cloud>, Failure> {
        let (Some(url), Some(token)) = (&self.cloud, &self.cloud_token_file) else {
            return Ok(None);
        };
        let ca = self.cloud_ca_file.as_ref().or(directory.ca_file());
        let Some(ca) = ca else {
            return Err(Failure::new(format!("{url} cannot be trusted"))
                .why("its certificate authority is not named")
                .next("give --cloud-ca-file FILE"));
        };
        let what = || format!("{url} cannot be reached");
        let ca_pem = String::from_utf8(read_file(ca)?).tell(what())?;
        let client = CloudClient::new(url, &ca_pem, first_line(token)?).tell(what())?;
        Ok(Some(Cloud {
            client,
            url: url.clone(),
        }))
    }
}

impl Cloud {
    /// The trust of a domain as the cloud has it; `None` where it has none.
    pub(super) fn published(&self, domain: &str) -> Result<Option<PublishedServer>, Failure> {
        match self.client.get(&paths::trust_server(domain)) {
            Ok(found) => Ok(Some(found)),
            Err(lab::Error::Cloud {
                code: Some(ErrorCode::NotFound),
                ..
            }) => Ok(None),
            Err(other) => Err(self.failed("the cloud does not say what trust it has", &other)),
        }
    }

    /// Hands the cloud a version of the key.
    pub(super) fn publish(
        &self,
        server: &KerberosServer,
        key: &ServerKey,
    ) -> Result<PublishedServer, Failure> {
        let what = "the key was not published";
        let wrapping: WrappingKey = self
            .client
            .get(paths::TRUST_WRAPPING_KEY)
            .map_err(|error| self.failed(what, &error))?;
        let sealed_key = seal(&wrapping, server, key).map_err(|why| {
            Failure::new(what)
                .why(why)
                .next("look at the cloud's version")
        })?;
        let request = PublishServer {
            server: server.clone(),
            version: key.version,
            sealed_key,
        };
        self.client
            .post(paths::TRUST_SERVERS, &request)
            .map_err(|error| self.failed(what, &error))
    }

    /// Has the cloud forget the trust and its keys. Whether there was one.
    pub(super) fn withdraw(&self, domain: &str) -> Result<bool, Failure> {
        match self.client.delete(&paths::trust_server(domain)) {
            Ok(()) => Ok(true),
            Err(lab::Error::Cloud {
                code: Some(ErrorCode::NotFound),
                ..
            }) => Ok(false),
            Err(other) => Err(self.failed("the cloud still has the key", &other)),
        }
    }

    fn failed(&self, what: &str, error: &lab::Error) -> Failure {
        let failure = Failure::new(format!("{what} ({})", self.url)).why(error);
        match error {
            lab::Error::Cloud {
                code: Some(ErrorCode::Unauthenticated | ErrorCode::AccessDenied),
                ..
            } => {
                failure.next("give an administrator's token: `tombolo cloud token admin` makes one")
            }
            _ => failure,
        }
    }
}

/// Why a key could not be sealed.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotSealed {
    #[error("the cloud's wrapping key is of a kind that is not known here: {0}")]
    Kind(String),
    #[error("the cloud's wrapping key cannot be used: {0}")]
    Key(String),
    #[error("the cryptography failed")]
    Failed,
}

impl From<aws_lc_rs::error::Unspecified> for NotSealed {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Failed
    }
}

/// RSA-OAEP-256 and A256GCM (RFC 7518 sections 4.3 and 5.3).
pub(super) fn seal(
    wrapping: &WrappingKey,
    server: &KerberosServer,
    key: &ServerKey,
) -> Result<SealedKey, NotSealed> {
    if wrapping.kty != "RSA" || wrapping.alg != SealHeader::ALGORITHM {
        return Err(NotSealed::Kind(format!(
            "{} {}",
            wrapping.kty, wrapping.alg
        )));
    }
    let unusable = |why: &dyn std::fmt::Display| NotSealed::Key(why.to_string());
    let public = RsaPublicKey::new(wrapping.n.as_bytes(), wrapping.e.as_bytes())
        .map_err(|error| unusable(&error))?;
    let public = PublicEncryptingKey::from_der(public.spki()).map_err(|error| unusable(&error))?;
    let public = OaepPublicEncryptingKey::new(public)?;

    let content_key = Secret::filled_by(|key: &mut [u8; 32]| OsEntropy.fill(key));
    let mut encrypted_key = vec![0; public.ciphertext_size()];
    let length = public
        .encrypt(
            &OAEP_SHA256_MGF1SHA256,
            content_key.expose(),
            &mut encrypted_key,
            None,
        )?
        .len();
    encrypted_key.truncate(length);

    let plain = TrustKey {
        realm: server.realm.clone(),
        number: key.number,
        version: key.version,
        key_type: ETYPE.0,
        key: Base64Url(key.key.value().expose().clone()),
    };
    let protected =
        SealedKey::protect(&SealHeader::new(&wrapping.kid)).map_err(|_| NotSealed::Failed)?;
    let mut iv = [0; NONCE_LEN];
    OsEntropy.fill(&mut iv);
    let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, content_key.expose())?);
    // The plaintext is encrypted where it stands, so that no copy is left.
    let mut ciphertext = serde_json::to_vec(&plain).map_err(|_| NotSealed::Failed)?;
    let tag = cipher.seal_in_place_separate_tag(
        Nonce::assume_unique_for_key(iv),
        Aad::from(protected.as_bytes()),
        &mut ciphertext,
    )?;
    Ok(SealedKey {
        protected,
        encrypted_key,
        iv: iv.to_vec(),
        ciphertext,
        tag: tag.as_ref().to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::aead::MAX_TAG_LEN;
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{KeySize, OaepPrivateDecryptingKey, PrivateDecryptingKey};
    use kerberos::crypto::Key;
    use types::{Guid, Sid};

    use super::*;

    fn server() -> KerberosServer {
        let sid: Sid = "S-1-5-21-1-2-3".parse().unwrap();
        KerberosServer {
            domain_dns_name: "corp.contoso.com".to_owned(),
            realm: "CORP.CONTOSO.COM".to_owned(),
            netbios_name: "CORP".to_owned(),
            domain_sid: sid.clone(),
            computer_guid: Guid::ZERO,
            computer_sid: sid,
            computer_dn: "CN=AzureADKerberos,OU=Domain Controllers,DC=corp,DC=contoso,DC=com"
                .to_owned(),
            krbtgt_name: "krbtgt_40000".to_owned(),
            number: 40000,
        }
    }

    #[test]
    fn only_the_cloud_opens_the_seal() {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa2048).unwrap();
        let public = private.public_key();
        let spki = AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(&public).unwrap();
        let read = RsaPublicKey::from_spki(spki.as_ref()).unwrap();
        let wrapping = WrappingKey {
            kty: "RSA".to_owned(),
            alg: SealHeader::ALGORITHM.to_owned(),
            public_key_use: "enc".to_owned(),
            kid: "2026-06".to_owned(),
            n: Base64Url(read.modulus().to_vec()),
            e: Base64Url(read.exponent().to_vec()),
        };
        let key = ServerKey {
            number: 40000,
            version: 3,
            key: Key::new(ETYPE, &[7; 32]).unwrap(),
        };
        let sealed = seal(&wrapping, &server(), &key).unwrap();
        let sealed: SealedKey = sealed.to_string().parse().unwrap();
        assert_eq!(sealed.header(), Some(SealHeader::new("2026-06")));

        let private = OaepPrivateDecryptingKey::new(private).unwrap();
        let mut buffer = vec![0; private.min_output_size()];
        let content_key = private
            .decrypt(
                &OAEP_SHA256_MGF1SHA256,
                &sealed.encrypted_key,
                &mut buffer,
                None,
            )
            .unwrap();
        let cipher = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, content_key).unwrap());
        let iv = Nonce::try_assume_unique_for_key(&sealed.iv).unwrap();
        let mut text = [sealed.ciphertext, sealed.tag].concat();
        let aad = Aad::from(sealed.protected.as_bytes());
        let plain = cipher.open_in_place(iv, aad, &mut text).unwrap();
        let plain: TrustKey = serde_json::from_slice(plain).unwrap();
        assert_eq!(
            (plain.number, plain.version, plain.key_type),
            (40000, 3, 18)
        );
        assert_eq!(plain.key.0, [7; 32]);
        assert_eq!(sealed.iv.len() + MAX_TAG_LEN, 28);
    }

    #[test]
    fn a_wrapping_key_of_another_kind_is_refused() {
        let mut wrapping = WrappingKey {
            kty: "RSA".to_owned(),
            alg: "RSA1_5".to_owned(),
            public_key_use: "enc".to_owned(),
            kid: "x".to_owned(),
            n: Base64Url(vec![0xFF; 128]),
            e: Base64Url(vec![1, 0, 1]),
        };
        let key = ServerKey {
            number: 1,
            version: 1,
            key: Key::new(ETYPE, &[7; 32]).unwrap(),
        };
        let refused = seal(&wrapping, &server(), &key).unwrap_err();
        assert!(refused.to_string().contains("RSA1_5"));
        // Too short for a key that signs a whole domain in.
        wrapping.alg = SealHeader::ALGORITHM.to_owned();
        let refused = seal(&wrapping, &server(), &key).unwrap_err();
        assert!(refused.to_string().contains("cannot be used"), "{refused}");
    }
}
