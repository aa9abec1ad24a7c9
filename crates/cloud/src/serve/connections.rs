//! TLS, limits of time and number, and an end that lets running requests finish.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::{Extension, Router};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tower::Layer as _;

use super::certificates::Shown;
use super::extract::Peer;
use super::router::router;
use crate::service::Cloud;

/// How long running requests may take after the end was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// Serves a tenant over TLS on a listener, until `stop` is done. Returns when the running requests have finished, or
/// after five seconds.
pub async fn serve(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    cloud: Cloud,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let limits = cloud.limits().clone();
    let server = Server {
        acceptor: TlsAcceptor::from(tls),
        patience: Duration::from_secs(limits.handshake_seconds),
        router: router(cloud),
    };
    let seats = Arc::new(Semaphore::new(limits.connections_max));
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let connection = tokio::select! {
            () = &mut stop => break,
            accepted = next(&listener, &seats) => accepted,
        };
        match connection {
            Ok((stream, peer, seat)) => {
                tokio::spawn(
                    server
                        .clone()
                        .converse(stream, peer, seat, graceful.watcher()),
                );
            }
            Err(error) if is_passing(&error) => {
                tracing::warn!(%error, "A connection could not be accepted");
                // A full table of files needs a moment to drain.
                tokio::task::yield_now().await;
            }
            Err(error) => return Err(error),
        }
    }
    drop(listener);
    if tokio::time::timeout(GRACE, graceful.shutdown())
        .await
        .is_err()
    {
        tracing::warn!("Some requests were still running and were cut");
    }
    Ok(())
}

async fn next(
    listener: &TcpListener,
    seats: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let seat = Arc::clone(seats)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, seat))
}

/// Errors of one connection or of a moment, after which the listener still works.
fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::WouldBlock
    ) || matches!(error.raw_os_error(), Some(EMFILE | ENFILE | ENOBUFS))
}

const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ENOBUFS: i32 = 105;

#[derive(Clone)]
struct Server {
    acceptor: TlsAcceptor,
    patience: Duration,
    router: Router,
}

impl Server {
    async fn converse(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        seat: OwnedSemaphorePermit,
        watcher: Watcher,
    ) {
        // Small replies must not wait for the client's acknowledgement.
        let _ = stream.set_nodelay(true);
        let shaken = tokio::time::timeout(self.patience, self.acceptor.accept(stream)).await;
        let stream = match shaken {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                tracing::debug!(%peer, %error, "TLS handshake failed");
                return;
            }
            Err(_) => {
                tracing::debug!(%peer, "TLS handshake took too long");
                return;
            }
        };
        let (_, tls) = stream.get_ref();
        let shown = tls.peer_certificates().and_then(<[_]>::first);
        let shown = Shown(shown.map(|certificate| certificate.to_vec()));
        // Around the router: what is layered onto it is copied into each of its routes, for each connection anew.
        let service = Extension(Peer(peer)).layer(Extension(shown).layer(self.router));
        let service = TowerToHyperService::new(service);
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.patience);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(self.patience)
            .keep_alive_timeout(self.patience);
        let connection = builder
            .serve_connection(TokioIo::new(stream), service)
            .into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%peer, %error, "Connection ended");
        }
        drop(seat);
    }
}
