//! A domain on the ground: its Kerberos server object, and the key of it sealed to a cloud.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use cloud::Caller;
use cloud_api::base64::Base64Url;
use cloud_api::trust::{
    KerberosServer, PublishServer, SealHeader, SealedKey, TrustKey, WrappingKey,
};
use cloud_api::users::{SyncUser, User};
use kerberos::pkinit::RsaPublicKey;
use types::Guid;

use super::House;

pub const DOMAIN: &str = "corp.contoso.com";
pub const REALM: &str = "CORP.CONTOSO.COM";
pub const NUMBER: u16 = 0x9ABC;

/// The object of the example domain.
pub fn server() -> KerberosServer {
    KerberosServer {
        domain_dns_name: DOMAIN.into(),
        realm: REALM.into(),
        netbios_name: "CORP".into(),
        domain_sid: "S-1-5-21-1-2-3".parse().unwrap(),
        computer_guid: Guid::from_bytes_le([3; 16]),
        computer_sid: "S-1-5-21-1-2-3-1600".parse().unwrap(),
        computer_dn: "CN=AzureADKerberos,OU=Domain Controllers,DC=corp,DC=contoso,DC=com".into(),
        krbtgt_name: "krbtgt_39612".into(),
        number: NUMBER,
    }
}

/// A key sealed to a wrapping key.
pub fn seal(key: &TrustKey, wrapping: &WrappingKey) -> SealedKey {
    let header = SealHeader::new(&wrapping.kid);
    let spki = RsaPublicKey::new(wrapping.n.as_bytes(), wrapping.e.as_bytes())
        .unwrap()
        .spki()
        .to_vec();
    let public = PublicEncryptingKey::from_der(&spki).unwrap();
    let public = OaepPublicEncryptingKey::new(public).unwrap();
    let content = [0x5A; 32];
    let mut room = vec![0; public.ciphertext_size()];
    let wrapped = public
        .encrypt(&OAEP_SHA256_MGF1SHA256, &content, &mut room, None)
        .unwrap();
    let protected = SealedKey::protect(&header).unwrap();
    let plain = serde_json::to_vec(key).unwrap();
    let payload = Payload {
        msg: &plain,
        aad: protected.as_bytes(),
    };
    let iv = [4; 12];
    let mut ciphertext = Aes256Gcm::new(&content.into())
        .encrypt(&Nonce::from(iv), payload)
        .unwrap();
    let tag = ciphertext.split_off(ciphertext.len() - 16);
    SealedKey {
        protected,
        encrypted_key: wrapped.to_vec(),
        iv: iv.to_vec(),
        ciphertext,
        tag,
    }
}

/// A request to publish a version whose key is 32 times an octet.
pub fn publication(wrapping: &WrappingKey, version: u16, octet: u8) -> PublishServer {
    let server = server();
    let key = TrustKey {
        realm: server.realm.clone(),
        number: server.number,
        version,
        key_type: 18,
        key: Base64Url(vec![octet; 32]),
    };
    PublishServer {
        server,
        version,
        sealed_key: seal(&key, wrapping),
    }
}

impl House {
    pub fn wrapping_key(&self) -> WrappingKey {
        self.cloud.wrapping_key(&Caller::operator()).unwrap()
    }

    /// Publishes a version of the example domain's key.
    pub fn publish(&self, version: u16, octet: u8) {
        let request = publication(&self.wrapping_key(), version, octet);
        self.cloud
            .publish_server(&Caller::operator(), &request)
            .unwrap();
    }

    /// A user of the example domain.
    pub fn ground_user(&self, name: &str, object: u8) -> User {
        let user = self.synced_user(name, object);
        let request = SyncUser {
            on_premises_domain_name: Some(DOMAIN.to_owned()),
            ..SyncUser::default()
        };
        self.cloud
            .change_synced_user(&Caller::operator(), user.id, &request)
            .unwrap()
    }

    pub fn activities(&self) -> Vec<String> {
        let records = self.cloud.audit(&Caller::operator(), None, 999).unwrap();
        records.into_iter().map(|record| record.activity).collect()
    }
}
