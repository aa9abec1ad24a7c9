//! The shells: UDP datagrams and TCP streams (RFC 4120 7.2) over sockets that the caller opened.
//!
//! Deliberately absent: opening sockets, and every decision about a request.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, watch};
use types::{Clock, Entropy};

use crate::event::Event;
use crate::kdc::{Kdc, REQUEST_BYTES_MAX};

/// What the shells need of the top floor, shared by all of them.
#[derive(Clone)]
pub struct Surroundings {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// A source of randomness for one socket or connection.
    pub entropy: Arc<dyn Fn() -> Box<dyn Entropy> + Send + Sync>,
    /// Told of every event, with the client's address. Must not block.
    pub audit: Arc<dyn Fn(SocketAddr, Event) + Send + Sync>,
    /// Becomes true, or is dropped, when the KDC is to stop.
    pub stop: watch::Receiver<bool>,
}

/// Answers datagrams until `stop`. A KDC with several cores runs it several times over the same socket.
pub async fn udp(
    socket: Arc<UdpSocket>,
    kdc: Arc<Kdc>,
    mut around: Surroundings,
) -> io::Result<()> {
    let mut entropy = (around.entropy)();
    // One byte more than a datagram holds would tell a longer one; there is none.
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let (length, client) = tokio::select! {
            received = socket.recv_from(&mut buffer) => match received {
                Ok(received) => received,
                // An ICMP error of an earlier answer is reported here; it says nothing about the socket.
                Err(error) if is_passing(&error) => continue,
                Err(error) => return Err(error),
            },
            () = stopped(&mut around.stop) => return Ok(()),
        };
        let request = buffer.get(..length).unwrap_or_default();
        let answer = kdc.answer(request, around.clock.now(), &mut *entropy);
        for event in answer.events {
            (around.audit)(client, event);
        }
        let Some(reply) = answer.reply else { continue };
        let reply = if reply.len() > UDP_REPLY_BYTES_MAX {
            kdc.response_too_big(around.clock.now())
        } else {
            Some(reply)
        };
        // A client that went away is its own concern.
        if let Some(reply) = reply {
            let _ = socket.send_to(&reply, client).await;
        }
    }
}

/// Accepts connections until `stop`.
pub async fn tcp(listener: TcpListener, kdc: Arc<Kdc>, mut around: Surroundings) -> io::Result<()> {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let (stream, client) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_passing(&error) => continue,
                Err(error) => return Err(error),
            },
            () = stopped(&mut around.stop) => return Ok(()),
        };
        // Beyond the cap a connection is closed at once: an attacker's idle ones must not use up memory.
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        let (kdc, mut around) = (Arc::clone(&kdc), around.clone());
        tokio::spawn(async move {
            let mut stop = around.stop.clone();
            tokio::select! {
                // A connection that breaks harms nobody else.
                _ = connection(stream, client, &kdc, &mut around) => {}
                () = stopped(&mut stop) => {}
            }
            drop(place);
        });
    }
}

async fn connection(
    mut stream: TcpStream,
    client: SocketAddr,
    kdc: &Kdc,
    around: &mut Surroundings,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut entropy = (around.entropy)();
    loop {
        let mut length = [0; 4];
        let read = stream.read_exact(&mut length);
        if tokio::time::timeout(IDLE, read)
            .await
            .map_err(io::Error::from)?
            .is_err()
        {
            return Ok(());
        }
        // RFC 4120 7.2.2: the high bit is reserved for extensions; a KDC that knows none answers FIELD_TOOLONG and closes.
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > REQUEST_BYTES_MAX {
            return match kdc.field_too_long(around.clock.now()) {
                Some(refusal) => send(&mut stream, &refusal).await,
                None => Ok(()),
            };
        }
        let mut request = vec![0; length];
        let read = stream.read_exact(&mut request);
        tokio::time::timeout(IDLE, read)
            .await
            .map_err(io::Error::from)??;
        let answer = kdc.answer(&request, around.clock.now(), &mut *entropy);
        for event in answer.events {
            (around.audit)(client, event);
        }
        match answer.reply {
            Some(reply) => send(&mut stream, &reply).await?,
            None => return Ok(()),
        }
    }
}

async fn send(stream: &mut TcpStream, reply: &[u8]) -> io::Result<()> {
    let length = u32::try_from(reply.len()).map_err(io::Error::other)?;
    let framed = [&length.to_be_bytes(), reply].concat();
    let write = stream.write_all(&framed);
    tokio::time::timeout(IDLE, write)
        .await
        .map_err(io::Error::from)?
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A dropped sender means the same as `true`.
    let _ = stop.wait_for(|stop| *stop).await;
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::Interrupted
    )
}

/// Windows and MIT cut here: what is longer may be lost in fragments.
const UDP_REPLY_BYTES_MAX: usize = 1465;
const CONNECTIONS_MAX: usize = 1024;
const IDLE: Duration = Duration::from_secs(30);
