//! What the cloud is told of the trust: the object's facts, and its key under a seal that only the cloud can open.

use std::path::PathBuf;

use cloud_api::error::ErrorCode;
use cloud_api::trust::{
    KerberosServer, PublishServer, PublishedServer, SealedKey, TrustKey, WrappingKey,
};
use cloud_api::{Base64Url, paths};
use lab::cloud_client::CloudClient;
use lab::trust::NotSealed;

use super::key::{ETYPE, ServerKey};
use crate::io::{DirectoryArgs, Failure, Tell, first_line, read_file};

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

/// Seals a key for the cloud alone.
pub(super) fn seal(
    wrapping: &WrappingKey,
    server: &KerberosServer,
    key: &ServerKey,
) -> Result<SealedKey, NotSealed> {
    let plain = TrustKey {
        realm: server.realm.clone(),
        number: key.number,
        version: key.version,
        key_type: ETYPE.0,
        key: Base64Url(key.key.value().expose().clone()),
    };
    lab::trust::seal(wrapping, &plain)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, MAX_TAG_LEN, Nonce, UnboundKey};
    use aws_lc_rs::encoding::AsDer;
    use aws_lc_rs::rsa::{
        KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey,
    };
    use cloud_api::trust::SealHeader;
    use kerberos::crypto::Key;
    use kerberos::pkinit::RsaPublicKey;
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
