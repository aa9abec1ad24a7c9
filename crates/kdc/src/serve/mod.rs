//! The shells: UDP datagrams and TCP streams (RFC 4120 7.2), and HTTPS (MS-KKDCP), over sockets that the caller opened.
//!
//! [`udp`] and [`tcp`] are port 88, [`kpasswd_udp`] and [`kpasswd_tcp`] port 464, [`https`] speaks for both.
//!
//! Deliberately absent: opening sockets, and every decision about a request.

mod door;
mod https;
mod seats;
mod tcp;
mod udp;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::watch;
use types::{Clock, Entropy};

use self::door::Door;
pub use self::https::https;
use crate::event::Event;
use crate::kdc::Kdc;

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
pub async fn udp(socket: Arc<UdpSocket>, kdc: Arc<Kdc>, around: Surroundings) -> io::Result<()> {
    udp::serve(socket, Door::Tickets, kdc, around).await
}

/// Accepts connections until `stop`.
pub async fn tcp(listener: TcpListener, kdc: Arc<Kdc>, around: Surroundings) -> io::Result<()> {
    tcp::serve(listener, Door::Tickets, kdc, around).await
}

/// The password service over datagrams. The socket should be bound to one address, not to all of them: answers carry
/// it, and clients compare it.
pub async fn kpasswd_udp(
    socket: Arc<UdpSocket>,
    kdc: Arc<Kdc>,
    around: Surroundings,
) -> io::Result<()> {
    udp::serve(socket, Door::Passwords, kdc, around).await
}

/// The password service over connections.
pub async fn kpasswd_tcp(
    listener: TcpListener,
    kdc: Arc<Kdc>,
    around: Surroundings,
) -> io::Result<()> {
    tcp::serve(listener, Door::Passwords, kdc, around).await
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A dropped sender means the same as `true`.
    let _ = stop.wait_for(|stop| *stop).await;
}

/// Errors of one connection, of one datagram or of a moment, after which the socket still works.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::Interrupted
    ) || matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOBUFS))
}

const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ENOBUFS: i32 = 105;

/// How long a client may take for one request, and for taking its answer.
const PATIENCE: Duration = Duration::from_secs(30);
