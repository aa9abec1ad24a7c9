//! The shells over real sockets: framing, caps, and answers that are too long for a datagram.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test opens its own sockets, and panics where it fails"
)]

mod client;

use std::sync::Arc;

use client::{PASSWORD, Realm};
use kdc::serve::{self, Surroundings};
use kerberos::messages::{Der, ErrorCode, KdcReply, KrbError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use types::{Clock, SeededEntropy, VirtualClock};

/// A served realm in which `many` is in four hundred groups, and an AS request for it.
async fn served() -> (watch::Sender<bool>, TcpStream, UdpSocket, Vec<u8>) {
    let mut realm = Realm::new();
    let request = request_of_many(&mut realm);
    serve(realm, request).await
}

fn request_of_many(realm: &mut Realm) -> Vec<u8> {
    realm
        .accounts
        .add("many", PASSWORD, &[], |account| {
            let domain = account.sid.domain().unwrap();
            account.groups = (0..400).map(|n| domain.with_rid(20_000 + n)).collect();
        })
        .unwrap();
    let key = realm.key_of("many", PASSWORD);
    realm.as_req("many", &key, |_, _| {})
}

async fn serve(
    realm: Realm,
    request: Vec<u8>,
) -> (watch::Sender<bool>, TcpStream, UdpSocket, Vec<u8>) {
    let clock: Arc<dyn Clock> = Arc::new(VirtualClock::new(realm.now));
    let (sender, stop) = watch::channel(false);
    let around = Surroundings {
        clock,
        entropy: Arc::new(|| Box::new(SeededEntropy::new(7))),
        audit: Arc::new(|_, _| {}),
        stop,
    };
    let kdc = Arc::new(realm.kdc);
    let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let stream = TcpStream::connect(tcp.local_addr().unwrap()).await.unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(udp.local_addr().unwrap()).await.unwrap();
    tokio::spawn(serve::udp(Arc::new(udp), kdc.clone(), around.clone()));
    tokio::spawn(serve::tcp(tcp, kdc, around));
    (sender, stream, socket, request)
}

async fn exchange(stream: &mut TcpStream, request: &[u8]) -> Vec<u8> {
    let length = u32::try_from(request.len()).unwrap().to_be_bytes();
    stream
        .write_all(&[&length, request].concat())
        .await
        .unwrap();
    read(stream).await
}

async fn read(stream: &mut TcpStream) -> Vec<u8> {
    let mut reply = vec![0; usize::try_from(stream.read_u32().await.unwrap()).unwrap()];
    stream.read_exact(&mut reply).await.unwrap();
    reply
}

#[tokio::test]
async fn an_answer_that_is_too_long_for_a_datagram_waits_for_tcp() {
    let (_stop, mut stream, socket, request) = served().await;
    socket.send(&request).await.unwrap();
    let mut buffer = vec![0; 64 * 1024];
    let length = socket.recv(&mut buffer).await.unwrap();
    let error = KrbError::from_der(&buffer[..length]).unwrap();
    assert_eq!(error.error_code, ErrorCode::KRB_ERR_RESPONSE_TOO_BIG);
    // The same bytes by TCP, twice on one connection.
    let first = exchange(&mut stream, &request).await;
    assert!(KdcReply::from_der(&first).is_ok());
    assert_eq!(exchange(&mut stream, &request).await, first);
}

#[tokio::test]
async fn a_length_that_nobody_sends_is_refused_before_it_is_read() {
    for length in [0x7FFF_FFFF_u32, 0x8000_0001, 200_000] {
        let (_stop, mut stream, _, _) = served().await;
        stream.write_all(&length.to_be_bytes()).await.unwrap();
        let error = KrbError::from_der(&read(&mut stream).await).unwrap();
        assert_eq!(error.error_code, ErrorCode::KRB_ERR_FIELD_TOOLONG);
        assert_eq!(
            stream.read(&mut [0]).await.unwrap(),
            0,
            "and the connection ends"
        );
    }
}

#[tokio::test]
async fn what_is_no_request_ends_the_connection_and_nothing_else() {
    let (stop, mut stream, socket, request) = served().await;
    let length = 4_u32.to_be_bytes();
    stream
        .write_all(&[&length[..], b"GET "].concat())
        .await
        .unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    socket.send(b"GET ").await.unwrap();
    socket.send(&request).await.unwrap();
    let mut buffer = vec![0; 64 * 1024];
    let length = socket.recv(&mut buffer).await.unwrap();
    assert!(
        KrbError::from_der(&buffer[..length]).is_ok(),
        "the junk got no answer"
    );
    stop.send(true).unwrap();
}

#[tokio::test]
async fn an_answer_that_fits_comes_by_datagram() {
    let mut realm = Realm::new();
    let key = realm.key_of("testuser", PASSWORD);
    let request = realm.as_req("testuser", &key, |_, _| {});
    let (_stop, _, socket, request) = serve(realm, request).await;
    socket.send(&request).await.unwrap();
    let mut buffer = vec![0; 64 * 1024];
    let length = socket.recv(&mut buffer).await.unwrap();
    assert!(length <= 4096, "{length}");
    assert!(KdcReply::from_der(&buffer[..length]).is_ok());
}

#[tokio::test]
async fn a_message_that_breaks_off_harms_nobody_else() {
    let (_stop, mut good, _, request) = served().await;
    let address = good.peer_addr().unwrap();
    let mut waiting = Vec::new();
    // They announce as much as there may be, and send one byte.
    for _ in 0..100 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(&[&(128 * 1024_u32).to_be_bytes()[..], &[0x6A]].concat())
            .await
            .unwrap();
        waiting.push(stream);
    }
    assert!(KdcReply::from_der(&exchange(&mut good, &request).await).is_ok());
    let mut last = waiting.pop().unwrap();
    last.shutdown().await.unwrap();
    assert_eq!(last.read(&mut [0]).await.unwrap(), 0, "no answer to a part");
    drop(waiting);
    assert!(KdcReply::from_der(&exchange(&mut good, &request).await).is_ok());
}

#[tokio::test]
async fn one_source_has_so_many_connections_and_no_more() {
    let (_stop, first, _, request) = served().await;
    let address = first.peer_addr().unwrap();
    let mut seated = vec![first];
    for _ in 1..256 {
        seated.push(TcpStream::connect(address).await.unwrap());
    }
    let last = seated.last_mut().unwrap();
    assert!(KdcReply::from_der(&exchange(last, &request).await).is_ok());
    let mut beyond = TcpStream::connect(address).await.unwrap();
    let end = beyond.read(&mut [0]).await;
    assert!(matches!(end, Ok(0) | Err(_)), "closed at once: {end:?}");
    // A seat that becomes free is taken again, as soon as the server knows of it.
    drop(seated.remove(0));
    loop {
        let mut next = TcpStream::connect(address).await.unwrap();
        let length = u32::try_from(request.len()).unwrap().to_be_bytes();
        let framed = [&length, request.as_slice()].concat();
        if next.write_all(&framed).await.is_ok() && next.read_u32().await.is_ok() {
            break;
        }
    }
}
