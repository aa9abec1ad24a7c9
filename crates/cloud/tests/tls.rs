//! The server over a real socket with TLS: it answers, bears rude clients, and ends when it is asked to.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "the test opens the listener that the server is given"
)]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cloud::{Caller, Cloud, Limits, Surroundings};
use cloud_api::paths;
use common::{House, RP_ID};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use types::SeededEntropy;

struct Served {
    address: SocketAddr,
    connector: TlsConnector,
    stop: oneshot::Sender<()>,
    server: JoinHandle<std::io::Result<()>>,
}

async fn serve(house: &House) -> Served {
    serve_cloud(house.cloud.clone()).await
}

async fn serve_cloud(cloud: Cloud) -> Served {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec![RP_ID.to_owned()])
        .unwrap()
        .self_signed(&key)
        .unwrap();
    let certificate: CertificateDer<'static> = certificate.der().clone();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(cloud::serve(listener, Arc::new(tls), cloud, async move {
        let _ = stopped.await;
    }));
    Served {
        address,
        connector: TlsConnector::from(Arc::new(client)),
        stop,
        server,
    }
}

impl Served {
    async fn connect(&self) -> TlsStream<TcpStream> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from(RP_ID).unwrap();
        self.connector.connect(name, stream).await.unwrap()
    }

    async fn ask(&self, path: &str, token: &str) -> String {
        let mut stream = self.connect().await;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {RP_ID}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        reply
    }

    async fn end(self) {
        self.stop.send(()).unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(10), self.server).await;
        ended.expect("the server ends").unwrap().unwrap();
    }
}

#[tokio::test]
async fn answers_over_tls_and_ends() {
    let house = House::new();
    let served = serve(&house).await;
    let reply = served.ask(paths::DEVICE_KEY_DELTA, &house.sync).await;
    assert!(reply.starts_with("HTTP/1.1 200 OK"), "{reply}");
    assert!(
        reply.contains(&format!("https://{RP_ID}{}", paths::DEVICE_KEY_DELTA)),
        "{reply}"
    );
    let reply = served.ask(paths::DEVICE_KEY_DELTA, "guess").await;
    assert!(reply.starts_with("HTTP/1.1 401"), "{reply}");
    assert!(
        reply.to_lowercase().contains("www-authenticate: bearer"),
        "{reply}"
    );
    // A connection that idles does not hold up the end.
    let idle = served.connect().await;
    served.end().await;
    drop(idle);
}

#[tokio::test]
async fn rude_clients_do_not_keep_others_waiting() {
    let house = House::with_limits(Limits {
        handshake_seconds: 1,
        connections_max: 4,
        ..Limits::default()
    });
    let served = serve(&house).await;
    // Four that say nothing, one that says what is no TLS, one that begins a request and leaves it.
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(TcpStream::connect(served.address).await.unwrap());
    }
    let mut plain = TcpStream::connect(served.address).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut slow = served.connect().await;
    slow.write_all(b"GET / HTTP/1.1\r\nHost").await.unwrap();
    let reply = served.ask(paths::HEALTH, "").await;
    assert!(reply.starts_with("HTTP/1.1 200 OK"), "{reply}");
    served.end().await;
}

#[tokio::test]
async fn only_a_trusted_proxys_word_about_its_client_counts() {
    let house = House::new();
    let add = async |served: &Served, name: &str, header: &str| {
        let body =
            format!(r#"{{"userPrincipalName": "{name}@corp.contoso.com", "displayName": "x"}}"#);
        let request = format!(
            "POST {} HTTP/1.1\r\nHost: {RP_ID}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n{header}Connection: close\r\n\r\n{body}",
            paths::USERS,
            house.admin,
            body.len()
        );
        let mut stream = served.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).await.unwrap();
        assert!(reply.starts_with("HTTP/1.1 201"), "{reply}");
        let newest = house.cloud.audit(&Caller::operator(), None, 1).unwrap();
        newest[0].ip_address.clone().unwrap()
    };
    let liar = "X-Forwarded-For: 192.0.2.7\r\n";
    let served = serve(&house).await;
    assert_eq!(add(&served, "a", "").await, "127.0.0.1");
    assert_eq!(add(&served, "b", liar).await, "127.0.0.1");
    served.end().await;

    let surroundings = Surroundings::new(house.clock.clone(), Box::new(SeededEntropy::new(9)))
        .with_trusted_proxies(vec![
            "127.0.0.1".parse().unwrap(),
            "10.0.0.1".parse().unwrap(),
        ]);
    let cloud = Cloud::open(&house.state.path().join("cloud.sqlite"), surroundings).unwrap();
    let served = serve_cloud(cloud).await;
    assert_eq!(add(&served, "c", "").await, "127.0.0.1");
    assert_eq!(add(&served, "d", liar).await, "192.0.2.7");
    // What the client itself sent stands to the left of what the proxies appended.
    let chain = "X-Forwarded-For: 203.0.113.9, 192.0.2.7\r\nX-Forwarded-For: 10.0.0.1\r\n";
    assert_eq!(add(&served, "e", chain).await, "192.0.2.7");
    let nonsense = "X-Forwarded-For: 192.0.2.7, somewhere\r\n";
    assert_eq!(add(&served, "f", nonsense).await, "127.0.0.1");
    served.end().await;
}
