//! The cloud on a port of its own, and a proxy that leads every host name to it.
//!
//! The proxy is for clients that have other clouds' host names built in. It answers for them inside the test alone.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "each judge uses its part; one that cannot set up its peers has failed"
)]

pub mod roadtx;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use cloud::{Caller, Cloud, Compatibility, NewTenant, Surroundings};
use cloud_api::Base64Url;
use cloud_api::access::{NewTemporaryAccessPass, SignIn};
use cloud_api::policy::Fido2Policy;
use cloud_api::trust::{KerberosServer, PublishServer, SealHeader, SealedKey, TrustKey};
use cloud_api::users::{SyncUser, User, source_anchor};
use kerberos::pkinit::RsaPublicKey;
use lab::{OsEntropy, Pki, SystemClock};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use types::Guid;

pub const RP_ID: &str = "login.contoso.example";
const CA: &str = "ca.pem";
pub const REALM: &str = "CORP.CONTOSO.COM";
pub const NUMBER: u16 = 0x9ABC;
/// The Kerberos server object's key.
pub const KRBTGT: [u8; 32] = [7; 32];

/// A tenant that is served, with one user of the ground and the trust of its domain.
pub struct ServedCloud {
    pub cloud: Cloud,
    pub user: User,
    /// The first administrator's token.
    pub admin: String,
    /// Where the tenant's users sign in.
    pub origin: String,
    pub proxy: SocketAddr,
    pub directory: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl ServedCloud {
    pub fn new(compatibility: Compatibility) -> Self {
        Self::at(RP_ID, &format!("https://{RP_ID}"), compatibility)
    }

    /// A tenant whose origin leads to its own port.
    pub fn on_localhost(compatibility: Compatibility) -> Self {
        Self::at("localhost", "", compatibility)
    }

    /// A tenant of a relying party and an origin; with none, the origin is the port on localhost.
    pub fn at(rp_id: &str, origin: &str, compatibility: Compatibility) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let bind = || runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (listener, gate) = (bind(), bind());
        let (server, proxy) = (listener.local_addr().unwrap(), gate.local_addr().unwrap());
        let origin = match origin {
            "" => format!("https://localhost:{}", server.port()),
            named => named.to_owned(),
        };
        let surroundings = Surroundings::new(Arc::new(SystemClock), Box::new(OsEntropy))
            .with_compatibility(compatibility);
        let mut tenant = NewTenant::new("contoso.example", rp_id);
        tenant.origins = vec![origin.clone()];
        let store = directory.path().join("cloud.sqlite");
        let (cloud, admin) = Cloud::create(&store, &tenant, surroundings).unwrap();
        let user = SyncUser {
            user_principal_name: Some("testuser@corp.contoso.com".into()),
            display_name: Some("Test User".into()),
            on_premises_immutable_id: Some(source_anchor(Guid::from_bytes_le([1; 16]))),
            on_premises_security_identifier: Some("S-1-5-21-1-2-3-1104".parse().unwrap()),
            on_premises_sam_account_name: Some("testuser".into()),
            on_premises_domain_name: Some("corp.contoso.com".into()),
            ..SyncUser::default()
        };
        let user = cloud
            .create_synced_user(&Caller::operator(), &user)
            .unwrap();
        publish(&cloud);

        let pki = Pki::new("contoso.example").unwrap();
        // One client looks whether the name that it has built in is the server's.
        let names = [
            "127.0.0.1",
            "localhost",
            RP_ID,
            "enterpriseregistration.windows.net",
        ];
        let tls = pki.cloud(&names).unwrap();
        std::fs::write(directory.path().join(CA), pki.ca_pem()).unwrap();
        runtime.spawn(cloud::serve(
            listener,
            tls,
            cloud.clone(),
            std::future::pending(),
        ));
        runtime.spawn(every_host_is(gate, server));
        Self {
            cloud,
            user,
            admin: admin.expose().clone(),
            origin,
            proxy,
            directory,
            _runtime: runtime,
        }
    }

    /// Takes keys that no maker vouches for, as a judge's are.
    pub fn accept_any_key(&self) {
        let policy = Fido2Policy {
            is_attestation_enforced: Some(false),
            ..Fido2Policy::default()
        };
        let operator = Caller::operator();
        self.cloud.change_policy(&operator, &policy).unwrap();
    }

    /// The certificate of the CA behind the server's, as a file.
    pub fn ca(&self) -> PathBuf {
        self.directory.path().join(CA)
    }

    /// A session of the user, bought with a temporary access pass.
    pub fn session(&self) -> String {
        let pass = self
            .cloud
            .issue_temporary_access_pass(
                &Caller::operator(),
                self.user.id,
                &NewTemporaryAccessPass::default(),
            )
            .unwrap();
        let session = self.cloud.sign_in(&SignIn {
            user_principal_name: self.user.user_principal_name.clone(),
            temporary_access_pass: pass.temporary_access_pass,
        });
        session.unwrap().access_token
    }
}

/// HTTP CONNECT (RFC 9110 section 9.3.6) to one place, whatever is asked for.
async fn every_host_is(gate: TcpListener, server: SocketAddr) {
    while let Ok((mut client, _)) = gate.accept().await {
        tokio::spawn(async move {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") && head.len() < 4096 {
                head.push(client.read_u8().await?);
            }
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            let mut server = TcpStream::connect(server).await?;
            tokio::io::copy_bidirectional(&mut client, &mut server).await
        });
    }
}

fn publish(cloud: &Cloud) {
    let operator = Caller::operator();
    let wrapping = cloud.wrapping_key(&operator).unwrap();
    let server = KerberosServer {
        domain_dns_name: "corp.contoso.com".into(),
        realm: REALM.into(),
        netbios_name: "CORP".into(),
        domain_sid: "S-1-5-21-1-2-3".parse().unwrap(),
        computer_guid: Guid::from_bytes_le([3; 16]),
        computer_sid: "S-1-5-21-1-2-3-1600".parse().unwrap(),
        computer_dn: "CN=AzureADKerberos,OU=Domain Controllers,DC=corp,DC=contoso,DC=com".into(),
        krbtgt_name: "krbtgt_39612".into(),
        number: NUMBER,
    };
    let key = TrustKey {
        realm: REALM.into(),
        number: NUMBER,
        version: 1,
        key_type: 18,
        key: Base64Url(KRBTGT.to_vec()),
    };
    let modulus = RsaPublicKey::new(wrapping.n.as_bytes(), wrapping.e.as_bytes()).unwrap();
    let public = PublicEncryptingKey::from_der(modulus.spki()).unwrap();
    let public = OaepPublicEncryptingKey::new(public).unwrap();
    let content = [0x5A; 32];
    let mut room = vec![0; public.ciphertext_size()];
    let encrypted_key = public
        .encrypt(&OAEP_SHA256_MGF1SHA256, &content, &mut room, None)
        .unwrap()
        .to_vec();
    let protected = SealedKey::protect(&SealHeader::new(&wrapping.kid)).unwrap();
    let aead = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &content).unwrap());
    let iv = [4; 12];
    let mut ciphertext = serde_json::to_vec(&key).unwrap();
    let tag = aead
        .seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(iv),
            Aad::from(protected.as_bytes()),
            &mut ciphertext,
        )
        .unwrap();
    let request = PublishServer {
        server,
        version: 1,
        sealed_key: SealedKey {
            protected,
            encrypted_key,
            iv: iv.to_vec(),
            ciphertext,
            tag: tag.as_ref().to_vec(),
        },
    };
    cloud.publish_server(&operator, &request).unwrap();
}
