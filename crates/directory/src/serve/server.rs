//! Takes connections, up to a limit, and starts a conversation on each.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::connection::Connection;
use super::throttle::Throttle;
use super::{Options, reply, sasl, subschema};
use crate::Directory;
use ldap::ResultCode;

/// How the bytes of a connection begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// LDAP in clear text; StartTLS may follow.
    Plain,
    /// TLS from the first byte (LDAPS).
    Tls,
}

/// An LDAP server for one directory. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Server {
    shared: Arc<Shared>,
}

/// What all conversations share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) directory: Directory,
    pub(super) options: Options,
    /// Seats of binds and writes.
    pub(super) jobs: Arc<Semaphore>,
    /// Seats of long searches: a client that reads its answer slowly keeps one for minutes, and must not keep
    /// others from signing in.
    pub(super) searches: Arc<Semaphore>,
    pub(super) connections: Arc<Semaphore>,
    pub(super) subschema: subschema::Cell,
    pub(super) sasl: sasl::Service,
    pub(super) throttle: Throttle,
}

impl Server {
    /// A server that answers from `directory`.
    pub fn new(directory: Directory, options: Options) -> Self {
        let seats = |count: usize| Arc::new(Semaphore::new(count.clamp(1, Semaphore::MAX_PERMITS)));
        let (jobs, searches) = (seats(options.jobs_max), seats(options.jobs_max));
        let connections = seats(options.connections_max);
        let subschema = subschema::Cell::new();
        let sasl = sasl::Service::new(&directory, options.kerberos.clone());
        Self {
            shared: Arc::new(Shared {
                directory,
                options,
                jobs,
                searches,
                connections,
                subschema,
                sasl,
                throttle: Throttle::default(),
            }),
        }
    }

    #[cfg(test)]
    pub(super) fn into_shared(self) -> Arc<Shared> {
        self.shared
    }

    /// Serves what `listener` accepts, until the returned future is dropped; its connections end with it.
    pub async fn serve_listener(&self, listener: TcpListener, transport: Transport) {
        let mut conversations = JoinSet::new();
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    // A reply is one write; waiting for more to send only delays it.
                    let _best_effort = stream.set_nodelay(true);
                    let server = self.clone();
                    conversations.spawn(async move {
                        server.serve_connection(stream, peer, transport).await;
                    });
                }
                Err(error) => {
                    // Out of file descriptors, most likely: others must end before this one can begin.
                    tracing::warn!(%error, "Connection not accepted");
                    pause().await;
                }
            }
            while conversations.try_join_next().is_some() {}
        }
    }

    /// Serves one connection until it ends.
    pub async fn serve_connection<S>(&self, mut stream: S, peer: SocketAddr, transport: Transport)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let Ok(_place) = Arc::clone(&self.shared.connections).try_acquire_owned() else {
            tracing::warn!(%peer, "Too many connections");
            if transport == Transport::Plain {
                let notice = reply::disconnection(ResultCode::BUSY, "too many connections");
                let _best_effort = stream.write_all(&notice).await;
            }
            return;
        };
        // An IPv4 client of an IPv6 listener is the IPv4 client it is.
        let address: IpAddr = peer.ip().to_canonical();
        let connection = Connection::new(Arc::clone(&self.shared), address, &peer.to_string());
        let ended = match transport {
            Transport::Plain => connection.run(stream).await,
            Transport::Tls => match self.accept_tls(stream).await {
                Ok(stream) => connection.run_encrypted(stream).await,
                Err(error) => Err(error),
            },
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "Connection ended");
        }
    }

    async fn accept_tls<S>(&self, stream: S) -> io::Result<tokio_rustls::server::TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        accept_tls(&self.shared, stream).await
    }
}

/// The TLS handshake, in bounded time.
pub(super) async fn accept_tls<S>(
    shared: &Shared,
    stream: S,
) -> io::Result<tokio_rustls::server::TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let Some(config) = shared.options.tls.clone() else {
        return Err(io::Error::other("the server has no certificate"));
    };
    let handshake = TlsAcceptor::from(config).accept(stream);
    tokio::time::timeout(HANDSHAKE_TIME_MAX, handshake).await?
}

#[expect(
    clippy::disallowed_methods,
    reason = "this is the shell, and nothing is decided by the time that passes"
)]
async fn pause() {
    tokio::time::sleep(Duration::from_millis(100)).await;
}

const HANDSHAKE_TIME_MAX: Duration = Duration::from_secs(30);
